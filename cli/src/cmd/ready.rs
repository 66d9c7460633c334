//! `larder ready`: asks the HTTP port for operators whether the server answers reads, for probes that have no other program.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::{args, error::CliError, output};

/// Most of an answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// What a server of TLS says to whoever does not speak it: an alert.
const TLS_ALERT: u8 = 21;

/// See the module.
pub(crate) fn run(args: &args::Ready) -> Result<(), CliError> {
    let path = if args.writes { "/ready?writes=true" } else { &args.path };
    let answer = ask(args.admin, path, args.timeout);
    let answer = answer.map_err(|error| CliError::failed(format!("{}: {error}", args.admin)))?;
    let (status, body) =
        read(&answer).map_err(|what| CliError::failed(format!("{}{path}: {what}", args.admin)))?;
    if status == 200 {
        return output::line(body.trim_end());
    }
    Err(CliError::failed(format!("{}{path}: {status}: {}", args.admin, body.trim_end())))
}

fn ask(addr: SocketAddr, path: &str, timeout: Duration) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&addr, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Status and body of an answer.
fn read(answer: &[u8]) -> Result<(u16, String), String> {
    if answer.first() == Some(&TLS_ALERT) {
        return Err("the port speaks TLS: probe it with HTTPS".to_owned());
    }
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let status = status.ok_or("that is no answer of HTTP: is it the admin port?")?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_others_are_named() {
        let good = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
        assert_eq!(read(good), Ok((200, "ok\n".to_owned())));
        let late = b"HTTP/1.1 503 Service Unavailable\r\n\r\nrecovering";
        assert_eq!(read(late), Ok((503, "recovering".to_owned())));
        assert!(read(&[21, 3, 3, 0, 2, 2, 70]).expect_err("an alert").contains("HTTPS"));
        for other in
            [&b""[..], b"HTTP/1.1", b"HTTP/1.1 2", b"SSH-2.0\r\n", "HTTP/1.1 ü00".as_bytes()]
        {
            assert!(read(other).is_err(), "{other:?}");
        }
    }
}
