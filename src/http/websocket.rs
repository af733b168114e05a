//! A WebSocket (RFC 6455) over the same connections: the client's certificates, time limits and errors hold here, too.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use reqwest::{StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};
use url::Url;
use zeroize::Zeroizing;

use super::message::json;
use super::{Cause, Client, Error, MOST_BYTES};

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<Upgraded>,
    server: String,
}

impl Client {
    /// Opens a WebSocket at `url`, of scheme `http` or `https`. Nothing is sent but the request to open it.
    ///
    /// # Errors
    /// There is no connection, or the server opens none.
    pub async fn open(&self, url: Url) -> Result<WebSocket, Error> {
        let key = generate_key();
        let request = self
            .upgrading
            .get(url)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        let response = request.send().await.map_err(|error| self.failure(error))?;
        let status = response.status();
        let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(|value| value.as_bytes().to_vec());
        if status != StatusCode::SWITCHING_PROTOCOLS || accept.as_deref() != Some(derive_accept_key(key.as_bytes()).as_bytes())
        {
            let cause = Cause(format!("it opened no WebSocket and answered with status {}", status.as_u16()));
            return Err(Error::Lost { server: self.server.clone(), cause });
        }
        let upgraded = response.upgrade().await.map_err(|error| self.failure(error))?;
        let config = WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES));
        let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        Ok(WebSocket { stream, server: self.server.clone() })
    }
}

impl WebSocket {
    /// Sends `value` as one message of JSON.
    ///
    /// # Errors
    /// The connection is gone, or `value` has no JSON form.
    pub async fn send(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let bytes = json(value).map_err(|error| Error::Setup(Cause::of(&error)))?;
        let text = Utf8Bytes::try_from(bytes).map_err(|error| Error::Setup(Cause::of(&error)))?;
        self.stream.send(Message::Text(text)).await.map_err(|error| self.lost(&error.to_string()))
    }

    /// The next message.
    ///
    /// # Errors
    /// None came within `patience`, or the connection is gone.
    pub async fn receive(&mut self, patience: Duration) -> Result<Zeroizing<Vec<u8>>, Error> {
        loop {
            let next = tokio::time::timeout(patience, self.stream.next()).await;
            match next {
                Err(_) => return Err(self.lost("no answer in time")),
                Ok(None | Some(Ok(Message::Close(_)))) => return Err(self.lost("the connection was closed")),
                Ok(Some(Err(error))) => return Err(self.lost(&error.to_string())),
                Ok(Some(Ok(Message::Text(text)))) => return Ok(Zeroizing::new(text.as_bytes().to_vec())),
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    fn lost(&self, what: &str) -> Error {
        Error::Lost { server: self.server.clone(), cause: Cause(what.to_owned()) }
    }
}
