//! Requests that are to reach somebody: as Prometheus sends remote write, answers 5xx and 429 are tried again, later each time
//! or when the receiver says, and any other answer that is none of success ends it.

use std::time::Duration as Real;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

use super::delivery::{client, told};

/// How often a request is tried.
const TRIES: u32 = 10;
/// The first wait before another try; each one after it is twice as long.
const FIRST_WAIT: Real = Real::from_millis(100);
/// The longest wait.
const LONGEST_WAIT: Real = Real::from_secs(10);
/// How long a request may take.
const WITHIN: Real = Real::from_secs(60);
/// Bytes of a refusal that are read, and characters that are told.
const WORDS: usize = 300;

/// Sends one request after another.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    headers: HeaderMap,
    /// Somebody has answered: from then on it is waited for when it is gone.
    reached: bool,
}

/// A request that is not taken.
#[derive(Debug)]
pub(super) struct Refused {
    /// What was answered, if anything was.
    pub(super) status: Option<StatusCode>,
    /// Why, in words.
    pub(super) why: String,
}

/// What came of a try.
enum Tried<T> {
    Taken(T),
    Later(String, Option<Real>),
    Refused(Refused),
}

impl Sender {
    /// A sender with its own headers and those of the user, such as the tenant of a Mimir.
    ///
    /// # Errors
    /// A header is none, or nothing can be sent from here; in words.
    pub(super) fn new(own: &[(&str, &str)], more: &[(String, String)]) -> Result<Sender, String> {
        let mut headers = HeaderMap::new();
        let agent = [("user-agent", concat!("mock-kestra/", env!("CARGO_PKG_VERSION")))];
        let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.iter().copied().chain(agent).chain(more) {
            let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
            let Some((key, value)) = parsed else { return Err(format!("`{name}` cannot be a header")) };
            headers.insert(key, value);
        }
        Ok(Sender { client: client(WITHIN, &[])?, headers, reached: false })
    }

    /// Sends a request until it is taken; `tell` hears of every try that failed. `takes` looks at an answer of success: it may
    /// still be that it is to be tried again, and then says why.
    ///
    /// # Errors
    /// It is not taken: nobody is there, it is refused, or it has been tried often enough.
    pub(super) async fn send<T>(
        &mut self,
        request: impl Fn(&Client) -> RequestBuilder,
        takes: impl AsyncFn(Response) -> Result<T, String>,
        tell: &mut dyn FnMut(&str),
    ) -> Result<T, Refused> {
        let mut wait = FIRST_WAIT;
        for tries in 1..=TRIES {
            let (why, after) = match self.tried(request(&self.client).headers(self.headers.clone()), &takes).await {
                Tried::Taken(it) => return Ok(it),
                Tried::Refused(refused) => return Err(refused),
                Tried::Later(why, _) if tries == TRIES => {
                    return Err(Refused { status: None, why: format!("{why}, {TRIES} times") });
                }
                Tried::Later(why, after) => (why, after.unwrap_or(wait).min(LONGEST_WAIT)),
            };
            tell(&format!("{why}: try {} in {} ms", tries + 1, after.as_millis()));
            tokio::time::sleep(after).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(Refused { status: None, why: "it was not taken".to_owned() })
    }

    async fn tried<T>(
        &mut self,
        request: RequestBuilder,
        takes: impl AsyncFn(Response) -> Result<T, String>,
    ) -> Tried<T> {
        let answer = match request.send().await {
            Ok(answer) => answer,
            // Nobody was ever there: the address is wrong, or nothing runs.
            Err(error) if error.is_connect() && !self.reached => {
                return Tried::Refused(Refused { status: None, why: told(error) });
            }
            Err(error) => return Tried::Later(told(error), None),
        };
        self.reached = true;
        let status = answer.status();
        if status.is_success() {
            return match takes(answer).await {
                Ok(it) => Tried::Taken(it),
                Err(why) => Tried::Later(why, None),
            };
        }
        let after = answer.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.trim().parse().ok());
        let words = words(answer).await;
        let why = if words.is_empty() { status.to_string() } else { format!("{status}: {words}") };
        let later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        match later {
            true => Tried::Later(why, after.map(Real::from_secs)),
            false => Tried::Refused(Refused { status: Some(status), why }),
        }
    }
}

/// The beginning of an answer, in one line.
async fn words(mut answer: Response) -> String {
    let mut body = Vec::new();
    while body.len() < WORDS
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8_lossy(&body);
    text.split_whitespace().collect::<Vec<&str>>().join(" ").chars().take(WORDS).collect()
}
