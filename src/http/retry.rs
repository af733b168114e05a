//! When a request is sent again, and after how long.
//!
//! Backoff is exponential with full jitter, so that callers that failed together do not come back together.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::Error;
use super::message::{Repeat, Response};

/// No further attempt is begun this long after the first.
const PATIENCE: Duration = Duration::from_secs(30);
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_MOST: Duration = Duration::from_secs(5);

/// The target has not answered yet: it is waited for as long as the caller wants.
const UNKNOWN: u8 = 0;
/// It has answered: if it does not now, it is probably being restarted.
const MET: u8 = 1;
/// It was waited for in vain: the remaining calls fail at once instead of waiting one after the other.
const GIVEN_UP: u8 = 2;

/// What is known of one target, and how patient that makes us.
#[derive(Debug)]
pub(super) struct Patience {
    wait: Duration,
    contact: AtomicU8,
}

impl Patience {
    pub(super) fn new(wait: Duration) -> Self {
        Self { wait, contact: AtomicU8::new(UNKNOWN) }
    }

    /// The target has answered.
    pub(super) fn met(&self) {
        self.contact.store(MET, Ordering::Relaxed);
    }

    /// The last attempt of a request has ended so.
    pub(super) fn ended(&self, outcome: &Result<Response, Error>) {
        if matches!(outcome, Err(Error::Unreachable { .. })) {
            self.contact.store(GIVEN_UP, Ordering::Relaxed);
        }
    }

    /// How long to wait before the next attempt, after `attempt` others; none where there is to be none.
    pub(super) fn delay(
        &self,
        repeat: Repeat,
        outcome: &Result<Response, Error>,
        attempt: u32,
        elapsed: Duration,
    ) -> Option<Duration> {
        let repeatable = repeat == Repeat::Idempotent;
        let backoff = jitter(BACKOFF_FIRST.saturating_mul(1 << attempt.min(8)).min(BACKOFF_MOST));
        let (delay, limit) = match outcome {
            // Nothing was sent.
            Err(Error::Unreachable { .. }) => (backoff, self.for_connections()),
            Err(Error::Lost { .. }) if repeatable => (backoff, self.for_connections()),
            Err(_) => return None,
            Ok(response) => {
                let delay = match (response.status, response.retry_after) {
                    // Nothing was done, says the server.
                    (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(asked)) => {
                        asked.saturating_add(jitter(BACKOFF_FIRST))
                    }
                    (status, _) if repeatable && is_passing(status) => backoff,
                    _ => return None,
                };
                (delay, PATIENCE.max(self.wait))
            }
        };
        (elapsed.saturating_add(delay) < limit).then_some(delay)
    }

    fn for_connections(&self) -> Duration {
        match self.contact.load(Ordering::Relaxed) {
            UNKNOWN => self.wait,
            GIVEN_UP => Duration::ZERO,
            _ => PATIENCE.max(self.wait),
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// A random part of `most`.
fn jitter(most: Duration) -> Duration {
    let mut random = [0_u8; 2];
    if getrandom::fill(&mut random).is_err() {
        return most;
    }
    most.mul_f64(f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX))
}

/// `Retry-After`, in seconds or as a date. A date is taken relative to the server's own clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp());
    let (then, now) = (date(text)?, date(headers.get(DATE)?.to_str().ok()?)?);
    Some(Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::super::Cause;
    use super::*;
    use reqwest::header::HeaderValue;
    use zeroize::Zeroizing;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let parse = |name: &str| reqwest::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        pairs.iter().map(|(name, value)| (parse(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(retry_after(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        let dates = [("date", "Wed, 21 Oct 2015 07:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2015 07:28:09 GMT")];
        assert_eq!(retry_after(&headers(&dates)), Some(Duration::from_secs(9)));
        let past = [("date", "Wed, 21 Oct 2015 07:28:10 GMT"), ("retry-after", "Wed, 21 Oct 2015 07:28:09 GMT")];
        assert_eq!(retry_after(&headers(&past)), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")])), None);
        assert_eq!(retry_after(&headers(&[])), None);
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands beside failures")]
    fn answer(status: u16, retry_after: Option<u64>) -> Result<Response, Error> {
        let status = StatusCode::from_u16(status).unwrap();
        let retry_after = retry_after.map(Duration::from_secs);
        Ok(Response { status, location: None, retry_after, body: Zeroizing::default() })
    }

    fn lost() -> Result<Response, Error> {
        Err(Error::Lost { server: String::new(), cause: Cause(String::new()) })
    }

    fn unreachable() -> Result<Response, Error> {
        Err(Error::Unreachable { server: String::new(), is_unknown_host: false, cause: Cause(String::new()) })
    }

    #[test]
    fn a_create_is_repeated_only_where_it_was_certainly_not_done() {
        let patience = Patience::new(Duration::ZERO);
        patience.met();
        for (outcome, idempotent, create) in [
            (answer(503, None), true, false),
            (answer(503, Some(1)), true, true),
            (answer(429, Some(1)), true, true),
            (answer(429, None), true, false),
            (answer(502, None), true, false),
            (answer(504, Some(1)), true, false),
            (answer(500, None), false, false),
            (answer(409, None), false, false),
            (answer(201, None), false, false),
            (lost(), true, false),
            (unreachable(), true, true),
        ] {
            let again = |repeat| patience.delay(repeat, &outcome, 0, Duration::ZERO).is_some();
            assert_eq!((again(Repeat::Idempotent), again(Repeat::Never)), (idempotent, create), "{outcome:?}");
        }
    }

    #[test]
    fn patience_ends_and_a_long_retry_after_is_not_waited_for() {
        let patience = Patience::new(Duration::ZERO);
        let delay = |outcome, elapsed| patience.delay(Repeat::Idempotent, &outcome, 9, elapsed);
        assert!(delay(answer(503, None), Duration::ZERO).is_some_and(|delay| delay <= BACKOFF_MOST));
        assert!(delay(answer(503, None), PATIENCE).is_none());
        assert!(delay(answer(503, Some(3600)), Duration::ZERO).is_none());
        assert!(delay(answer(503, Some(5)), Duration::ZERO).is_some_and(|delay| delay >= Duration::from_secs(5)));
    }

    #[test]
    fn a_target_that_never_answered_is_waited_for_only_on_request_and_only_once() {
        let delay = |patience: &Patience| patience.delay(Repeat::Never, &unreachable(), 0, Duration::ZERO);
        assert!(delay(&Patience::new(Duration::ZERO)).is_none());
        let patient = Patience::new(Duration::from_mins(1));
        assert!(delay(&patient).is_some());
        patient.ended(&unreachable());
        assert!(delay(&patient).is_none());
        patient.met();
        assert!(delay(&patient).is_some());
    }
}
