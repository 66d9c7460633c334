//! Connections of the admin port that say nothing: they keep out nobody but their own address.

use std::net::TcpStream;
use std::time::Duration;

use model::limits::ADMIN_CONNECTIONS_PER_ADDRESS_MAX;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use crate::live::Live;

/// What another address of this machine is answered.
async fn get_from_elsewhere(live: &Live, path: &str) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.2:0".parse().expect("an address")).expect("loopback has many");
    let mut stream = socket.connect(live.admin_addr()).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: larder\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    let answered = stream.read_to_string(&mut answer);
    let in_time = tokio::time::timeout(Duration::from_secs(60), answered).await;
    in_time.expect("it answers").expect("in UTF-8");
    answer
}

#[tokio::test]
async fn one_address_does_not_take_all_places_of_the_admin_port() {
    let live = Live::start();
    let connect = |_| TcpStream::connect(live.admin_addr()).expect("it listens");
    let silent: Vec<_> = (0..ADMIN_CONNECTIONS_PER_ADDRESS_MAX).map(connect).collect();
    let (status, told) = live.get("/health");
    assert!(status == 503 && told.contains("this address has 16 connections"), "{status} {told}");
    let metrics = get_from_elsewhere(&live, "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("\nlarder_admin_connections_refused_total 1\n"), "{metrics}");
    drop(silent);
}
