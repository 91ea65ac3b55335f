//! Requests of remote write on their way to whoever takes them.
//!
//! As Prometheus does: one request after another, so that every series stays in order; answers 5xx and 429 are tried again,
//! later each time or when the receiver says, and any other answer that is none of success ends it.

use std::str::FromStr;
use std::time::Duration as Real;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};

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

/// Who takes requests of remote write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taker(Url);

impl FromStr for Taker {
    type Err = String;

    fn from_str(text: &str) -> Result<Taker, String> {
        let advice = "write the whole URL that takes remote write, such as http://127.0.0.1:9090/api/v1/write";
        let url = Url::parse(text).map_err(|error| format!("{error}; {advice}"))?;
        let sound = ["http", "https"].contains(&url.scheme()) && url.has_host();
        if sound { Ok(Taker(url)) } else { Err(advice.to_owned()) }
    }
}

impl Taker {
    /// Where it listens, as far as its name is known.
    #[cfg(feature = "cli")]
    pub(crate) fn addresses(&self) -> Vec<std::net::SocketAddr> {
        self.0.socket_addrs(|| None).unwrap_or_default()
    }

    /// Its address as it may be shown: without a password.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.0.clone();
        if url.password().is_some() {
            let _ = url.set_password(Some("***"));
        }
        url.to_string()
    }
}

/// Sends one request after another.
#[derive(Debug)]
pub(crate) struct RemoteWriter {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    taker: Taker,
    headers: HeaderMap,
    /// Somebody has answered: from then on it is waited for when it is gone.
    reached: bool,
}

/// What came of a try.
enum Tried {
    Taken,
    Later(String, Option<Real>),
    Refused(String),
}

impl RemoteWriter {
    /// A sender with headers of the user's, such as the tenant of a Mimir.
    ///
    /// # Errors
    /// A header is none, or nothing can be sent from here; in words.
    pub(crate) fn new(taker: Taker, more: &[(String, String)]) -> Result<RemoteWriter, String> {
        let mut headers = HeaderMap::new();
        let own = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("x-prometheus-remote-write-version", "0.1.0"),
            ("user-agent", concat!("mock-kestra/", env!("CARGO_PKG_VERSION"))),
        ];
        let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.into_iter().chain(more) {
            let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
            let Some((key, value)) = parsed else { return Err(format!("`{name}` cannot be a header")) };
            headers.insert(key, value);
        }
        let client = client(WITHIN, &[])?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        Ok(RemoteWriter { runtime, client, taker, headers, reached: false })
    }

    /// Sends a request until it is taken, or until it shall end; `tell` hears of every try that failed.
    ///
    /// # Errors
    /// It is not taken.
    pub(crate) fn send(
        &mut self,
        body: &[u8],
        tell: &mut dyn FnMut(&str),
        stop: impl Future<Output = ()>,
    ) -> Result<(), NotSent> {
        let request = self.client.post(self.taker.0.clone()).headers(self.headers.clone()).body(body.to_vec());
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop => Err(NotSent::Stopped),
                sent = sent(&request, &mut self.reached, tell) => sent.map_err(NotSent::Failed),
            }
        })
    }
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// Nobody wants it any more.
    Stopped,
    /// In words: nobody is there, it is refused, or it has been tried often enough.
    Failed(String),
}

/// Tries again and again.
async fn sent(request: &reqwest::RequestBuilder, reached: &mut bool, tell: &mut dyn FnMut(&str)) -> Result<(), String> {
    let mut wait = FIRST_WAIT;
    for tries in 1..=TRIES {
        // It can be had again, since its body is no stream.
        let Some(again) = request.try_clone() else { break };
        let tried = tried(again, reached).await;
        let (why, after) = match tried {
            Tried::Taken => return Ok(()),
            Tried::Refused(why) => return Err(why),
            Tried::Later(why, _) if tries == TRIES => return Err(format!("{why}, {TRIES} times")),
            Tried::Later(why, after) => (why, after.unwrap_or(wait).min(LONGEST_WAIT)),
        };
        tell(&format!("{why}: try {} in {} ms", tries + 1, after.as_millis()));
        tokio::time::sleep(after).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    Err("it was not taken".to_owned())
}

/// One try, which tells whether somebody has ever answered.
async fn tried(request: reqwest::RequestBuilder, reached: &mut bool) -> Tried {
    let answer = match request.send().await {
        Ok(answer) => answer,
        // Nobody was ever there: the address is wrong, or nothing runs.
        Err(error) if error.is_connect() && !*reached => return Tried::Refused(told(error)),
        Err(error) => return Tried::Later(told(error), None),
    };
    *reached = true;
    let status = answer.status();
    if status.is_success() {
        return Tried::Taken;
    }
    let after = answer.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.trim().parse().ok());
    let words = words(answer).await;
    let why = if words.is_empty() { status.to_string() } else { format!("{status}: {words}") };
    let later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    if later { Tried::Later(why, after.map(Real::from_secs)) } else { Tried::Refused(why) }
}

/// The beginning of an answer, in one line.
async fn words(mut answer: reqwest::Response) -> String {
    let mut body = Vec::new();
    while body.len() < WORDS
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8_lossy(&body);
    text.split_whitespace().collect::<Vec<&str>>().join(" ").chars().take(WORDS).collect()
}
