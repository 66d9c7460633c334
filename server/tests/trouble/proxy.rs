//! A TCP proxy on loopback that does to every piece of bytes what it is told to.

use std::sync::Arc;
use std::time::Duration;

use stdx::sync::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Instant, interval_at},
};

/// A piece on its way.
pub(crate) struct Piece<'a> {
    /// Number of its connection, from 0.
    pub(crate) connection: usize,
    /// Comes from the server.
    pub(crate) is_reply: bool,
    /// May be changed and cut short.
    pub(crate) bytes: &'a mut Vec<u8>,
}

/// What becomes of a piece.
pub(crate) enum Fate {
    /// It is handed on.
    Passes,
    /// It is handed on after a while.
    Late(Duration),
    /// It is not handed on, and nobody is told.
    Vanishes,
    /// It is handed on, and then both sides lose the connection.
    IsTheLast,
}

type Meddler = Arc<Mutex<dyn FnMut(Piece<'_>) -> Fate + Send>>;

/// Listens until the test's runtime ends.
pub(crate) struct Proxy {
    addr: String,
    meddler: Arc<Mutex<Meddler>>,
}

impl Proxy {
    /// A proxy to `server` that changes nothing.
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
        let addr = listener.local_addr().expect("it is bound").to_string();
        let honest: Meddler = Arc::new(Mutex::new(|_: Piece<'_>| Fate::Passes));
        let meddler = Arc::new(Mutex::new(honest));
        tokio::spawn(listen(listener, server, Arc::clone(&meddler)));
        Self { addr, meddler }
    }

    pub(crate) fn addr(&self) -> String {
        self.addr.clone()
    }

    /// From now on pieces fare as `meddler` says.
    pub(crate) fn meddle(&self, meddler: impl FnMut(Piece<'_>) -> Fate + Send + 'static) {
        *self.meddler.lock() = Arc::new(Mutex::new(meddler));
    }
}

async fn listen(listener: TcpListener, server: String, meddler: Arc<Mutex<Meddler>>) {
    for connection in 0.. {
        let (client, _) = listener.accept().await.expect("loopback works");
        let server = TcpStream::connect(&server).await.expect("the server listens");
        for socket in [&client, &server] {
            socket.set_nodelay(true).expect("a socket");
        }
        let meddler = Arc::clone(&meddler);
        tokio::spawn(async move {
            let (client, server) = (client.into_split(), server.into_split());
            // Whichever ends first takes both sockets along.
            tokio::select! {
                () = hand_on(client.0, server.1, (connection, false), &meddler) => {}
                () = hand_on(server.0, client.1, (connection, true), &meddler) => {}
            }
        });
    }
}

async fn hand_on(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (connection, is_reply): (usize, bool),
    meddler: &Mutex<Meddler>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let mut bytes = buffer[..length].to_vec();
        let current = Arc::clone(&meddler.lock());
        let fate = (*current.lock())(Piece { connection, is_reply, bytes: &mut bytes });
        match fate {
            Fate::Vanishes => continue,
            Fate::Late(by) => {
                interval_at(Instant::now() + by, by).tick().await;
            }
            Fate::Passes | Fate::IsTheLast => {}
        }
        if to.write_all(&bytes).await.is_err() || matches!(fate, Fate::IsTheLast) {
            return;
        }
    }
}
