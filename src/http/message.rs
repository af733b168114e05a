//! What is sent and what comes back. Bodies may hold secrets: they are zeroed, and never printed.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Serialize;
use tokio_util::bytes::Bytes;
use url::Url;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What a request is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It only reads.
    Read,
    /// It changes something.
    Write,
    /// It takes a token.
    Token,
}

/// Whether a request may be sent again after a failure that leaves open whether it was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Doing it twice is doing it once.
    Idempotent,
    /// The caller must look first.
    Never,
}

/// One request, which may become several attempts.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// What it is counted as.
    pub purpose: Purpose,
    /// Whether it may be sent twice.
    pub repeat: Repeat,
    /// The bearer token.
    pub bearer: Option<&'a Secret>,
    /// What is sent.
    pub body: Option<Body>,
}

/// A request's body, zeroed when the last attempt is over.
#[derive(Clone)]
pub struct Body {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Body").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

impl Body {
    /// `value` as JSON.
    ///
    /// # Errors
    /// `value` has no JSON form.
    pub fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self { content_type: "application/json", bytes: json(value)? })
    }

    /// `fields` as a form.
    pub fn form(fields: &[(&str, &str)]) -> Self {
        // Escaping makes a byte three; `=` and `&` add two to each pair.
        let size = fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let mut form = url::form_urlencoded::Serializer::new(String::with_capacity(size));
        form.extend_pairs(fields);
        let bytes = Zeroizing::new(form.finish().into_bytes());
        Self { content_type: "application/x-www-form-urlencoded", bytes: Bytes::from_owner(bytes) }
    }
}

/// `value` as JSON, in a buffer that is zeroed.
pub(super) fn json(value: &impl Serialize) -> Result<Bytes, serde_json::Error> {
    // Measured first, so that the buffer never moves and leaves a copy behind.
    let mut size = Measure(0);
    serde_json::to_writer(&mut size, value)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.0));
    serde_json::to_writer(&mut *bytes, value)?;
    Ok(Bytes::from_owner(bytes))
}

struct Measure(usize);

impl std::io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A complete answer.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header `Location`.
    pub location: Option<String>,
    /// After how long the server would like to be asked again, where it says so.
    pub retry_after: Option<Duration>,
    /// The body; it may hold secrets, and is zeroed.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Response")
            .field("status", &self.status)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_escaped_in_place() {
        let body = Body::form(&[("client_id", "a b"), ("client_secret", "ä&=+%")]);
        assert_eq!(&body.bytes[..], b"client_id=a+b&client_secret=%C3%A4%26%3D%2B%25");
    }

    #[test]
    fn json_is_written_whole() {
        let body = Body::json(&serde_json::json!({"a": "ä\""})).unwrap();
        assert_eq!(&body.bytes[..], "{\"a\":\"ä\\\"\"}".as_bytes());
    }

    #[test]
    fn what_is_sent_and_received_is_not_printed() {
        let body = Body::form(&[("client_secret", "canary")]);
        let status = StatusCode::OK;
        let response = Response { status, location: None, retry_after: None, body: Zeroizing::new(b"canary".to_vec()) };
        assert!(!format!("{body:?} {response:?}").contains("canary"));
    }
}
