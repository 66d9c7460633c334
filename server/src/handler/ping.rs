//! `ping`: an empty answer.

use protocol::{Failure, op::ping};

use crate::{dispatch::Outcome, error::malformed};

pub(crate) fn handle(body: &[u8]) -> Result<Outcome, Failure> {
    #[cfg(test)]
    assert_ne!(body, tests::PLANTED, "planted");
    ping::decode(body).map_err(malformed)?;
    Ok(Outcome::now(|_| {}))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;

    use engine::{Database, OsFs};
    use protocol::{CallStatus, Failure, Header, Opcode, frame};
    use stdx::clock::SystemClock;

    use crate::{Config, Server};

    /// The body of a ping whose handler panics: only in these tests.
    pub(super) const PLANTED: &[u8] = b"planted";

    fn ask(stream: &mut TcpStream, body: &[u8]) -> (CallStatus, Vec<u8>) {
        let mut out = Vec::new();
        frame::write(&mut out, Header::request(Opcode::Ping, 7, 0), |out| {
            out.bytes(body);
        })
        .expect("small");
        stream.write_all(&out).expect("the server reads");
        let (mut input, mut piece) = (Vec::new(), [0; 512]);
        loop {
            if let Some(frame) = frame::first(&input).expect("a frame") {
                return (frame.header.status().expect("a status"), frame.body.to_vec());
            }
            let read = stream.read(&mut piece).expect("the server writes");
            assert!(read > 0, "the connection was cut");
            input.extend_from_slice(&piece[..read]);
        }
    }

    #[test]
    fn a_panic_ends_its_request_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let files = OsFs::open(directory.path()).expect("it can be used");
        let clock = Arc::new(SystemClock::new());
        let database = Database::open(files, &engine::Config::default(), clock).expect("opens");
        let free = "127.0.0.1:0".parse().expect("an address");
        let config = Config { listen: free, admin: free, threads: 1, ..Config::default() };
        let server = Server::start(&config, database).expect("it starts");
        let mut one = TcpStream::connect(server.native_addr()).expect("it listens");
        let mut other = TcpStream::connect(server.native_addr()).expect("it listens");
        for _ in 0..3 {
            let (status, body) = ask(&mut one, PLANTED);
            let failure = Failure::decode(status, &body).expect("a failure says why");
            assert_eq!(failure.status, CallStatus::Internal);
            assert!(failure.message.contains("its log says more"), "{}", failure.message);
            assert_eq!(ask(&mut one, b"").0, CallStatus::Ok);
            assert_eq!(ask(&mut other, b"").0, CallStatus::Ok);
        }
        let figures = server.shared.load.figures();
        let panics = figures.into_iter().find(|(name, _)| name == "handler_panics");
        assert_eq!(panics.map(|(_, count)| count), Some(protocol::StatValue::U64(3)));
        server.shutdown().expect("it ends gently");
    }
}
