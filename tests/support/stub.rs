//! A server that answers as it is told, for what a real one cannot be made to do.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

/// What the stub does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Status, further header lines (each ending in `\r\n`), body.
    Reply(u16, &'static str, String),
    /// The request is read, and the connection closed.
    Close,
}

impl Answer {
    pub fn json(status: u16, body: impl Into<Value>) -> Self {
        Self::Reply(status, "content-type: application/json\r\n", body.into().to_string())
    }

    /// A token that lives for `seconds`.
    pub fn token(seconds: u64) -> Self {
        Self::json(200, json!({"access_token": "e30.e30.e30", "expires_in": seconds}))
    }
}

/// A request as it came: method and path in one line, and the whole text.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub text: String,
}

impl Seen {
    pub fn is_token(&self) -> bool {
        self.line.contains("/openid-connect/token")
    }
}

/// A running stub on a port of its own; it ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct Stub {
    pub url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Stub {
    /// Serves HTTP; `answer` is told the request and how many came before.
    pub async fn start(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let stub = Self { url, seen: Arc::default() };
        let (seen, answer) = (Arc::clone(&stub.seen), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&answer)));
            }
        });
        stub
    }

    /// Serves HTTPS with a certificate for 127.0.0.1; answers with the stub and the authority's PEM.
    pub async fn start_tls(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> (Self, String) {
        use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        let stub = Self { url, seen: Arc::default() };
        let (seen, answer) = (Arc::clone(&stub.seen), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen, answer) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&answer));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, seen, answer).await;
                    }
                });
            }
        });
        (stub, certificate.pem())
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests came that `matters` picks.
    pub fn count(&self, matters: impl Fn(&Seen) -> bool) -> usize {
        self.seen().iter().filter(|seen| matters(seen)).count()
    }
}

/// Answers one request and closes.
async fn serve<S>(mut stream: S, seen: Arc<Mutex<Vec<Seen>>>, answer: Arc<impl Fn(&Seen, usize) -> Answer>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(text) = read(&mut stream).await else { return };
    let request = Seen { line: text.lines().next().unwrap_or_default().to_owned(), text };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.iter().filter(|other| other.line == request.line).count() - 1
    };
    if let Answer::Reply(status, headers, body) = answer(&request, before) {
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
        if stream.write_all(text.as_bytes()).await.is_ok() {
            let _closed = stream.shutdown().await;
        }
    }
}

/// One request, head and body.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
