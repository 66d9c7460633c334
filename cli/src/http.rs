//! HTTP as a client, one request a connection: for the admin port of a server, and for a collector of spans. Plain or TLS.
//!
//! HTTP/1.0 (RFC 1945): an answer then comes in one piece, and the connection ends with it.

use std::time::Duration;

use client::TlsOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// More than this is no answer of anybody we ask.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// What a server of TLS says to whoever does not speak it: an alert.
const TLS_ALERT: u8 = 21;

/// Whom to ask.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// HOST:PORT.
    pub(crate) addr: String,
    /// `None`: plain.
    pub(crate) tls: Option<TlsOptions>,
    /// How long connecting, asking and the answer may take together.
    pub(crate) patience: Duration,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// GET, POST.
    pub(crate) method: &'a str,
    /// With a slash at its beginning.
    pub(crate) path: &'a str,
    /// Names and values, beyond those of every request.
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    /// Empty for none.
    pub(crate) body: &'a [u8],
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl<'a> Request<'a> {
    /// Asks for `path`.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: "GET", path, headers: Vec::new(), body: &[] }
    }

    /// Its bytes, to a server at `addr`.
    fn encode(&self, addr: &str) -> Vec<u8> {
        let Self { method, path, headers, body } = self;
        let mut head = format!("{method} {path} HTTP/1.0\r\nhost: {addr}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        [head.as_bytes(), body].concat()
    }
}

impl Host {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Why there is none, in words, without the address.
    pub(crate) async fn ask(&self, request: &Request<'_>) -> Result<Answer, String> {
        let asked = timeout(self.patience, async {
            let stream = TcpStream::connect(&self.addr).await.map_err(|error| error.to_string())?;
            match &self.tls {
                None => exchange(stream, &request.encode(&self.addr)).await,
                Some(tls) => {
                    let stream = tls.open(stream, &self.addr).await;
                    let stream = stream.map_err(|error| error.to_string())?;
                    exchange(stream, &request.encode(&self.addr)).await
                }
            }
        });
        asked.await.unwrap_or_else(|_| Err(format!("no answer within {:?}", self.patience)))
    }
}

/// Sends the bytes of a request and reads the answer.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
) -> Result<Answer, String> {
    let reason = |error: std::io::Error| TlsOptions::reason(&error);
    stream.write_all(request).await.map_err(reason)?;
    stream.flush().await.map_err(reason)?;
    let (mut answer, mut stream) = (Vec::new(), stream.take(ANSWER_BYTES_MAX));
    loop {
        let read = stream.read_buf(&mut answer).await;
        match read {
            Ok(0) => return Answer::read(&answer),
            // A peer that does not close is not waited for once its answer is whole.
            Ok(_) if is_whole(&answer) => return Answer::read(&answer),
            Ok(_) => {}
            // What came before a peer hung up may say why it did.
            Err(_) if answer.first() == Some(&TLS_ALERT) => return Answer::read(&answer),
            Err(error) => return Err(reason(error)),
        }
    }
}

/// The head of an answer, and where its body begins.
fn head(answer: &[u8]) -> Option<(&str, usize)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((str::from_utf8(answer.get(..end)?).ok()?, end + 4))
}

/// The body's length, where the head says it.
fn content_length(head: &str) -> Option<usize> {
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let (_, length) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}

fn is_whole(answer: &[u8]) -> bool {
    let known = head(answer).and_then(|(head, start)| Some((start, content_length(head)?)));
    known.is_some_and(|(start, length)| answer.len() - start >= length)
}

impl Answer {
    fn read(answer: &[u8]) -> Result<Self, String> {
        if answer.first() == Some(&TLS_ALERT) {
            return Err(
                "the port speaks TLS: give --tls, or --tls-ca FILE with its authority".into()
            );
        }
        let no_http = || "what it says is no HTTP: is this the right port?".to_owned();
        let (head, start) = head(answer).ok_or_else(no_http)?;
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
        let status = status.ok_or_else(no_http)?;
        let mut body = answer.get(start..).unwrap_or_default().to_vec();
        if let Some(length) = content_length(head) {
            if body.len() < length {
                return Err(format!("its answer ended after {} of {length} bytes", body.len()));
            }
            body.truncate(length);
        }
        Ok(Self { status, body })
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_others_are_named() {
        let answer = |status, body: &str| Ok(Answer { status, body: body.into() });
        let good = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n and more";
        assert_eq!(Answer::read(good), answer(200, "ok\n"));
        let late = b"HTTP/1.0 503 Service Unavailable\r\n\r\nrecovering";
        assert_eq!(Answer::read(late), answer(503, "recovering"));
        assert!(Answer::read(&[21, 3, 3, 0, 2, 2, 70]).expect_err("an alert").contains("--tls-ca"));
        let short = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok";
        assert!(Answer::read(short).expect_err("cut off").contains("2 of 3 bytes"));
        for other in [
            &b""[..],
            b"HTTP/1.1",
            b"HTTP/1.1 2\r\n\r\n",
            b"SSH-2.0\r\n\r\n",
            "HTTP/1.1 ü00\r\n\r\n".as_bytes(),
            b"\xff\xff\r\n\r\n",
        ] {
            assert!(Answer::read(other).expect_err("none").contains("no HTTP"), "{other:?}");
        }
    }

    #[test]
    fn an_answer_is_whole_when_it_has_the_length_that_it_says() {
        assert!(is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n\r\nwho knows"), "only its end tells");
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let request =
            Request { method: "POST", path: "/x", headers: vec![("a", "b")], body: b"12" };
        let bytes = request.encode("h:1");
        assert_eq!(bytes, b"POST /x HTTP/1.0\r\nhost: h:1\r\na: b\r\ncontent-length: 2\r\n\r\n12");
        assert_eq!(Request::get("/y").encode("h:1"), b"GET /y HTTP/1.0\r\nhost: h:1\r\n\r\n");
    }
}
