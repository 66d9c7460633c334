//! `larder ready`, as a probe of a container asks it: of a server that answers reads, and of one that takes no writes.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::harness::{Server, larder};

#[test]
fn a_server_that_reads_and_writes_is_ready_for_both() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path(), &[]);
    for more in [&[][..], &["--writes"]] {
        let said = server.ok(&[&["ready", "--admin", &server.admin], more].concat());
        assert!(said.contains("\"ready\":true") && said.contains("\"writes\":true"), "{said}");
    }
    let both = ["ready", "--admin", &server.admin, "--writes", "--path", "/health"];
    assert!(server.fails(2, &both).contains("--path"));
}

/// An admin port that says what a server with a poisoned log says, for one request.
fn poisoned(listener: TcpListener) {
    let (mut stream, _) = listener.accept().expect("the probe connects");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole request");
        request.push(byte[0]);
    }
    let status = match request.starts_with(b"GET /ready?writes=true HTTP") {
        true => "503 Service Unavailable",
        false => "200 OK",
    };
    let body = r#"{"ready":true,"writes":false,"stage":"poisoned"}"#;
    let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).expect("the probe reads");
}

#[test]
fn a_server_that_takes_no_writes_is_ready_for_reads_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it has one").to_string();
    let ask = |more: &[&str]| {
        let listener = listener.try_clone().expect("one more handle");
        // Nobody waits for it: a probe that never comes fails by what it says.
        let thread = std::thread::Builder::new().name("admin".to_owned());
        thread.spawn(|| poisoned(listener)).expect("a thread");
        larder("127.0.0.1:9", &[&["ready", "--admin", &addr, "--timeout", "60s"], more].concat())
    };
    assert_eq!(ask(&[]).status.code(), Some(0));
    let output = ask(&["--writes"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("poisoned"), "{said}");
}
