//! The address on this machine to which the browser brings the answer (RFC 8252, section 7.3).
//!
//! It listens on 127.0.0.1 at a port that the system picks, and ends with the first answer that carries our state. What
//! carries another, or none, may come from any page that the browser shows: it is refused, and we go on waiting. Browsers
//! also open connections that they never use, so connections do not wait for each other.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;
use zeroize::Zeroizing;

use super::error::{Error, Reason};
use crate::secret::Secret;

/// A request head of a browser with many cookies for 127.0.0.1.
const MOST_BYTES: usize = 64 * 1024;
/// For one request; the browser is on this machine.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Listener {
    listener: TcpListener,
    port: u16,
}

/// What a browser brought.
enum Brought {
    Code(Secret),
    Refusal(Reason),
}

impl Listener {
    pub(super) async fn bind() -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::Listen)?;
        let port = listener.local_addr().map_err(Error::Listen)?.port();
        Ok(Self { listener, port })
    }

    /// Where the browser is to come back to.
    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// The code that the browser brings with `state`; `service` is for messages.
    pub(super) async fn code(self, state: &Secret, service: &str, patience: Duration) -> Result<Secret, Error> {
        let brought = tokio::time::timeout(patience, self.brought(state)).await;
        match brought.map_err(|_| Error::TimedOut { seconds: patience.as_secs() })?? {
            Brought::Code(code) => Ok(code),
            Brought::Refusal(reason) => Err(Error::Refused { url: service.to_owned(), reason }),
        }
    }

    async fn brought(&self, state: &Secret) -> Result<Brought, Error> {
        // Dropped, and with it every connection, when the answer is there.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, _) = accepted.map_err(Error::Listen)?;
                    let state = state.clone();
                    connections.spawn(async move {
                        tokio::time::timeout(PATIENCE, serve(stream, &state)).await.ok().flatten()
                    });
                }
                Some(ended) = connections.join_next() => {
                    if let Ok(Some(brought)) = ended {
                        return Ok(brought);
                    }
                }
            }
        }
    }
}

/// Answers one request; what it brought, if it is the one.
async fn serve(mut stream: TcpStream, state: &Secret) -> Option<Brought> {
    let target = target(&mut stream).await?;
    let brought = target.as_deref().and_then(|target| read(target, state));
    let (status, text) = match &brought {
        Some(Brought::Code(_)) => ("200 OK", "You are signed in. provisor has what it needs; you can close this page."),
        Some(Brought::Refusal(_)) => ("200 OK", "The service did not let you sign in. The terminal tells more."),
        None => ("404 Not Found", "This is not the answer to the sign-in that provisor waits for."),
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>provisor</title>\
         <body style=\"font:1.2rem system-ui;margin:4rem auto;max-width:32rem\"><h1>provisor</h1><p>{text}</p>"
    );
    let length = page.len();
    // The address holds the code: it is kept out of caches and of `Referer`.
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\nconnection: close\r\n\r\n{page}"
    );
    // A browser that has gone away brought the answer all the same.
    if stream.write_all(answer.as_bytes()).await.is_ok() {
        drop(stream.shutdown().await);
    }
    brought
}

/// The path and query of a GET; the inner none for any other request.
async fn target(stream: &mut TcpStream) -> Option<Option<Zeroizing<String>>> {
    let mut head = Zeroizing::new(vec![0_u8; MOST_BYTES]);
    let mut length = 0;
    while !head[..length].windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut head[length..]).await {
            Ok(more @ 1..) => length += more,
            _ => return None,
        }
    }
    let line = head[..length].split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).ok()?;
    let target = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
    Some(target.map(|target| Zeroizing::new(target.to_owned())))
}

/// What a path and query brings, if it carries our state.
fn read(target: &str, state: &Secret) -> Option<Brought> {
    let url = Url::parse("http://127.0.0.1").ok()?.join(target).ok()?;
    if url.path() != "/callback" {
        return None;
    }
    let one = |name: &str| {
        let mut found = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        // Twice is an attempt to mean two things.
        found.next().filter(|_| found.next().is_none())
    };
    if !one("state").map(Secret::new)?.same_as(state) {
        return None;
    }
    match (one("error"), one("code").filter(|code| !code.is_empty())) {
        (Some(error), _) => Some(Brought::Refusal(Reason::of(&error))),
        (None, Some(code)) => Some(Brought::Code(Secret::new(code))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "https://service.example";

    async fn get(address: &str, query: &str) -> u16 {
        reqwest::get(format!("{address}{query}")).await.unwrap().status().as_u16()
    }

    fn state() -> Secret {
        Secret::new("state-1".to_owned())
    }

    #[tokio::test]
    async fn ha_11_only_an_answer_with_our_state_counts() {
        let listener = Listener::bind().await.unwrap();
        let address = listener.address();
        let waiting = tokio::spawn(async move { listener.code(&state(), SERVICE, Duration::from_secs(20)).await });
        // A browser that connects early and says nothing must not be in the way.
        let _idle =
            TcpStream::connect(address.trim_start_matches("http://").trim_end_matches("/callback")).await.unwrap();
        for wrong in [
            "?code=stolen&state=other",
            "?code=stolen",
            "?state=state-1",
            "?code=a&code=b&state=state-1",
            "?code=stolen&state=other&state=state-1",
            "x?code=stolen&state=state-1",
            "?error=access_denied&state=other",
        ] {
            assert_eq!(get(&address, wrong).await, 404, "{wrong}");
        }
        let posted = reqwest::Client::new().post(format!("{address}?code=stolen&state=state-1")).send().await.unwrap();
        assert_eq!(posted.status(), 404);
        assert_eq!(get(&address, "?state=state-1&code=right%2B").await, 200);
        assert_eq!(waiting.await.unwrap().unwrap().expose(), "right+");
        assert!(reqwest::get(&address).await.is_err(), "nothing listens any more");
    }

    #[tokio::test]
    async fn ha_11_a_refusal_at_the_service_ends_the_waiting_and_so_does_time() {
        let listener = Listener::bind().await.unwrap();
        let address = listener.address();
        let waiting = tokio::spawn(async move { listener.code(&state(), SERVICE, Duration::from_secs(20)).await });
        assert_eq!(get(&address, "?error=access_denied&error_description=canary&state=state-1").await, 200);
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.code(), "provisor::sign_in::denied");
        assert!(!format!("{error:?}{error}").contains("canary"));
        let listener = Listener::bind().await.unwrap();
        let error = listener.code(&state(), SERVICE, Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(error.code(), "provisor::sign_in::expired");
    }
}
