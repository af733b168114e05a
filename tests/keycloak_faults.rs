//! What the client of Keycloak does when the server, the network or the answer is not as it should be.
//!
//! A stub misbehaves; what a real Keycloak does is in `keycloak_api.rs`.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod support;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use provisor::diagnostic::Class;
use provisor::http::Options;
use provisor::keycloak::{Api, Config, Credentials, Error, SignIn};
use provisor::secret::Secret;
use serde_json::{Map, Value, json};
use support::stub::{Answer, Seen, Stub};
use tokio::io::AsyncWriteExt as _;

fn config(stub: &Stub) -> Config {
    Config {
        url: stub.url.clone(),
        realm: "iot".to_owned(),
        auth_realm: "iot".to_owned(),
        credentials: Credentials::Client {
            client_id: "provisor".to_owned(),
            client_secret: Secret::new("own-canary".to_owned()),
        },
        http: Options::default(),
    }
}

/// An interface to a stub that gives a token and answers everything else as told.
async fn api(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> (Api, Stub) {
    let stub = Stub::start(move |seen, before| if seen.is_token() { Answer::token(300) } else { answer(seen, before) });
    let stub = stub.await;
    (Api::new(config(&stub)).unwrap(), stub)
}

fn client(id: usize) -> Value {
    json!({"id": id.to_string(), "clientId": format!("c{id}")})
}

fn body() -> Map<String, Value> {
    Map::from_iter([("clientId".to_owned(), json!("c1"))])
}

fn secret() -> Secret {
    Secret::new("canary\"1".to_owned())
}

#[tokio::test]
async fn tasks_that_come_at_once_take_one_token() {
    let (api, stub) = api(|_, _| Answer::json(200, json!([]))).await;
    let found = futures::future::join_all((0..20).map(|_| api.find_client("c"))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(stub.count(Seen::is_token), 1);
    assert_eq!((api.requests().tokens, api.requests().reads, api.requests().writes), (1, 20, 0));
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let (api, stub) = api(|seen, before| match (seen.line.contains("dead"), before) {
        (false, 1..) => Answer::json(200, json!([])),
        _ => Answer::json(401, json!({"error": "HTTP 401 Unauthorized"})),
    })
    .await;
    assert!(api.find_client("c").await.unwrap().is_none());
    assert_eq!(stub.count(Seen::is_token), 2);
    let error = api.find_client("dead").await.unwrap_err();
    assert!(matches!(&error, Error::Unauthorized { reason: SignIn::TokenRefused, .. }), "{error:?}");
    assert_eq!(stub.count(|seen| seen.line.contains("dead")), 2);
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_not_repeated() {
    let (api, stub) = api(|_, _| Answer::Close).await;
    let error = api.create_client(&body(), None).await.unwrap_err();
    assert!(error.maybe_done(), "{error:?}");
    assert_eq!((error.code(), error.class()), ("provisor::keycloak::no_answer", Class::Unreachable));
    assert_eq!(stub.count(|seen| seen.line.starts_with("POST /admin")), 1);
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_repeated() {
    let (api, stub) =
        api(|_, before| if before < 2 { Answer::Close } else { Answer::json(200, json!([client(1)])) }).await;
    assert_eq!(api.find_client("c1").await.unwrap().unwrap().id, "1");
    assert_eq!(stub.count(|seen| seen.line.starts_with("GET")), 3);
}

#[tokio::test]
async fn an_overloaded_server_is_asked_again_when_it_says_so() {
    let created = || Answer::Reply(201, "location: http://localhost/admin/realms/iot/clients/7\r\n", String::new());
    let busy = || Answer::Reply(503, "retry-after: 1\r\n", String::new());
    let (api, _stub) = api(move |_, before| if before == 0 { busy() } else { created() }).await;
    let begun = Instant::now();
    assert_eq!(api.create_client(&body(), None).await.unwrap(), "7");
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_create_that_meets_a_broken_gateway_is_not_repeated() {
    let (api, stub) = api(|_, _| Answer::Reply(503, "", "<html>down</html>".to_owned())).await;
    let error = api.create_client(&body(), None).await.unwrap_err();
    assert!(error.maybe_done() && error.code() == "provisor::keycloak::unavailable", "{error:?}");
    assert_eq!(error.to_string(), "Keycloak could not create the client `c1`: status 503");
    assert_eq!(stub.count(|seen| seen.line.starts_with("POST /admin")), 1);
}

#[tokio::test]
async fn the_message_of_a_refusal_does_not_repeat_the_secret() {
    let echo = json!({"errorMessage": "`canary\"1` is too weak, canary\\\"1, own-canary\n\u{1b}[31m"});
    let (api, stub) = api(move |_, _| Answer::json(400, echo.clone())).await;
    let error = api.create_client(&body(), Some(&secret())).await.unwrap_err();
    let text = format!("{error} {error:?} {:?}", error.to_problem());
    assert!(!text.contains("canary") && !text.contains('\u{1b}'), "{text}");
    assert!(error.to_string().contains("`(secret)` is too weak, (secret), (secret) [31m"), "{error}");
    let sent = stub.seen().into_iter().find(|seen| seen.line.starts_with("POST /admin")).unwrap();
    assert!(sent.text.ends_with(r#"{"clientId":"c1","secret":"canary\"1"}"#), "{}", sent.text);
}

#[tokio::test]
async fn a_body_that_is_not_what_was_asked_for_is_an_error_that_does_not_quote_it() {
    let (api, _stub) = api(|seen, _| {
        let scopes = seen.line.contains("client-scopes");
        Answer::json(200, if scopes { json!("canary") } else { json!([{"id": 1, "secret": "canary"}]) })
    })
    .await;
    for error in [api.find_client("c").await.unwrap_err(), api.list_client_scopes().await.unwrap_err()] {
        assert_eq!(error.code(), "provisor::keycloak::unexpected_response");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn a_404_that_keycloak_did_not_mean_is_no_absence() {
    let (api, _stub) = api(|seen, _| {
        if seen.line.contains("gone") {
            Answer::json(404, json!({"error": "Could not find client"}))
        } else {
            Answer::Reply(404, "", "no such page".to_owned())
        }
    })
    .await;
    assert!(api.get_client("gone").await.unwrap().is_none());
    api.delete_client("gone").await.unwrap();
    assert_eq!(api.get_client("x").await.unwrap_err().code(), "provisor::keycloak::unexpected_response");
    assert!(api.delete_client("x").await.is_err());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Stub::start(|_, _| Answer::token(300)).await;
    let location: &'static str = format!("location: {}\r\n", elsewhere.url).leak();
    let stub = Stub::start(move |_, _| Answer::Reply(307, location, String::new())).await;
    let error = Api::new(config(&stub)).unwrap().find_client("c").await.unwrap_err();
    assert_eq!(error.code(), "provisor::keycloak::unexpected_response");
    assert!(error.hint().is_some());
    assert_eq!(elsewhere.count(|_| true), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_requests_are_in_flight_than_allowed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (in_flight, peak) = (Arc::clone(&now), Arc::clone(&most));
    let stub = Stub::start(move |seen, _| {
        if seen.is_token() {
            return Answer::token(300);
        }
        peak.fetch_max(in_flight.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        in_flight.fetch_sub(1, Ordering::SeqCst);
        Answer::json(200, json!([]))
    })
    .await;
    let mut config = config(&stub);
    config.http.parallelism = 2;
    let api = Api::new(config).unwrap();
    assert!(futures::future::join_all((0..20).map(|_| api.find_client("c"))).await.iter().all(Result::is_ok));
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
}

/// The page that was asked for, of clients 0 to `all`, where `moved` clients went missing before it.
fn page(seen: &Seen, all: usize, moved: usize) -> Answer {
    let first: usize = seen.line.split("first=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
    Answer::json(200, (first + moved..all.min(first + moved + 500)).map(client).collect::<Value>())
}

#[tokio::test]
async fn a_list_is_read_whole_whatever_its_length() {
    for all in [0, 1, 499, 500, 501, 998, 999, 1000, 1497, 1498, 3000] {
        let (api, _stub) = api(move |seen, _| page(seen, all, 0)).await;
        let clients = api.list_clients().await.unwrap();
        let ids: Vec<usize> = clients.iter().map(|client| client.id.parse().unwrap()).collect();
        assert_eq!(ids, (0..all).collect::<Vec<_>>());
        assert!(all > 1400 || api.requests().reads == 3, "{all}: {:?}", api.requests());
    }
}

#[tokio::test]
async fn a_list_that_moves_between_two_pages_is_read_anew() {
    // Between the first page and the second, client 0 is deleted: all others move up by one.
    let (moving, _stub) = api(|seen, before| {
        let is_before = seen.line.contains("first=0") && before == 0;
        page(seen, 1000, usize::from(!is_before))
    })
    .await;
    assert_eq!(moving.list_clients().await.unwrap().len(), 999);
    // One that never stands still is an error, not a list with holes.
    let (restless, _stub) = api(|seen, _| page(seen, 1000, usize::from(!seen.line.contains("first=0")))).await;
    assert_eq!(restless.list_clients().await.unwrap_err().code(), "provisor::keycloak::unsettled");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_at_once() {
    let stub = Stub::start(|_, _| Answer::Close).await;
    let mut config = config(&stub);
    config.url = "http://127.0.0.1:9".parse().unwrap();
    let begun = Instant::now();
    let error = Api::new(config).unwrap().list_clients().await.unwrap_err();
    assert_eq!((error.code(), error.class()), ("provisor::keycloak::unreachable", Class::Unreachable));
    assert!(error.to_problem().message.contains("refused") && error.hint().is_some(), "{:?}", error.to_problem());
    assert!(!error.maybe_done() && begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_starts_is_waited_for() {
    let stub =
        Stub::start(|seen, _| if seen.is_token() { Answer::token(9) } else { Answer::json(200, json!([])) }).await;
    // A port that nobody listens on yet: forwarded to the stub half a second later.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = stub.url.socket_addrs(|| None).unwrap()[0];
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let listener = tokio::net::TcpListener::bind(port).await.unwrap();
        while let Ok((mut here, _)) = listener.accept().await {
            let mut there = tokio::net::TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut here, &mut there).await });
        }
    });
    let mut config = config(&stub);
    config.url = format!("http://{port}").parse().unwrap();
    config.http.wait = Duration::from_secs(20);
    assert!(Api::new(config).unwrap().find_client("c").await.unwrap().is_none());
}

/// Keeps everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).init();
    let answer = |seen: &Seen, before: usize| match (seen.is_token(), seen.line.starts_with("GET"), before) {
        (true, ..) => Answer::json(200, json!({"access_token": "canary-token", "expires_in": 9})),
        (_, true, 0) => Answer::Close,
        (_, true, _) => Answer::json(200, json!([{"id": "1", "clientId": "c", "secret": "canary-read"}])),
        _ => Answer::json(400, json!({"errorMessage": "canary-sent is bad"})),
    };
    let (stub, authority) = Stub::start_tls(answer).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority.as_bytes()).unwrap();
    let mut config = config(&stub);
    config.http.ca_file = Some(file.path().to_owned());
    let api = Api::new(config).unwrap();
    assert_eq!(api.find_client("c").await.unwrap().unwrap().secret.unwrap().expose(), "canary-read");
    assert!(api.create_client(&body(), Some(&Secret::new("canary-sent".to_owned()))).await.is_err());
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("again") && logged.contains("rustls"), "the log is heard at all: {logged}");
    assert!(!logged.contains("canary"), "{logged}");
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named() {
    let (stub, authority) =
        Stub::start_tls(|seen, _| if seen.is_token() { Answer::token(9) } else { Answer::json(200, json!([])) }).await;
    let mut config = config(&stub);
    let error = Api::new(config.clone()).unwrap().find_client("c").await.unwrap_err();
    assert_eq!(error.code(), "provisor::keycloak::tls", "{error:?}");
    assert!(error.hint().unwrap().contains("caFile"));

    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority.as_bytes()).unwrap();
    config.http.ca_file = Some(file.path().to_owned());
    assert!(Api::new(config.clone()).unwrap().find_client("c").await.unwrap().is_none());

    // The certificate is for 127.0.0.1 only.
    config.url.set_host(Some("localhost")).unwrap();
    let error = Api::new(config.clone()).unwrap().find_client("c").await.unwrap_err();
    assert_eq!(error.code(), "provisor::keycloak::tls", "{error:?}");

    // Not encrypted at all.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    config.url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let error = Api::new(config.clone()).unwrap().find_client("c").await.unwrap_err();
    assert_eq!(error.code(), "provisor::keycloak::tls", "{error:?}");

    for bad in ["", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bad.as_bytes()).unwrap();
        config.http.ca_file = Some(file.path().to_owned());
        assert_eq!(Api::new(config.clone()).unwrap_err().code(), "provisor::keycloak::ca_file");
    }
    config.http.ca_file = Some("/nowhere/ca.pem".into());
    let problem = Api::new(config).unwrap_err().to_problem();
    assert_eq!(problem.code, "provisor::keycloak::ca_file");
    assert!(problem.message.contains("/nowhere/ca.pem"), "{problem}");
}
