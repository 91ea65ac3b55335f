//! What alert flows send leaves the machine here: requests over HTTP and mails, a bounded number at a time.
//!
//! Nothing here knows the model. A receiver may be slow or hostile: an answer is read up to a limit, redirects are counted
//! and stay with hosts that the user names, and all of it ends in time. What is needed for TLS is made when it is first
//! needed.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use reqwest::header::CONTENT_ENCODING;
use reqwest::{Method, Url, redirect};
use rustls::ClientConfig;
use serde_json::Value;
use tokio::time::timeout;

use super::believed::tls;
use super::sending::{Authority, Sending};
use crate::notify::{Http, Mail, Message, Request, SERVICES, Transport};
use crate::scenario::Plan;

/// The header that names the address a message was meant for, where another receiver gets it; secrets are stars in it.
const MEANT_FOR: &str = "X-Mock-Kestra-Url";
/// Bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;
/// Characters of what is told of a failure: the beginning of an answer says what is wrong.
const WORDS: usize = 1_000;
/// Redirects that are followed, as many as by Kestra's own client.
const REDIRECTS: usize = 50;
/// Time to connect where the task says none.
const CONNECT: Duration = Duration::from_secs(30);
/// Hosts that are remembered, named or not.
const HOSTS: usize = 1_000;

/// The way out, for all messages of a server.
#[derive(Debug)]
pub(super) struct Way {
    sending: Sending,
    named: Arc<Named>,
    tls: OnceLock<Result<ClientConfig, String>>,
}

/// Hosts that the user names: in flows, or in secrets. Nobody else is spoken to, by a redirect neither.
#[derive(Debug)]
struct Named {
    plan: Arc<Plan>,
    known: Mutex<BTreeMap<String, bool>>,
}

/// What came of a message.
pub(super) struct Outcome {
    /// The status of the answer, or the code of the mail server, where there was one.
    pub(super) status: Option<u16>,
    /// Why the task fails; nothing where it succeeds. Secrets are masked.
    pub(super) fails: Option<String>,
}

impl Way {
    pub(super) fn new(sending: Sending, plan: Arc<Plan>) -> Way {
        Way { sending, named: Arc::new(Named { plan, known: Mutex::default() }), tls: OnceLock::new() }
    }

    /// Whom a message is sent to: those of one host share their turns.
    pub(super) fn host(&self, message: &Message) -> String {
        match message.request() {
            Request::Http(http) => match &self.sending.webhooks {
                Some(_) => String::new(),
                None => Url::parse(&http.url).ok().and_then(|url| Some(lower(url.host_str()?))).unwrap_or_default(),
            },
            Request::Mail(mail) => match &self.sending.mails {
                Some(_) => String::new(),
                None => lower(&mail.host),
            },
        }
    }

    /// Sends a message, and waits for what comes of it.
    pub(super) async fn send(&self, message: &Message) -> Outcome {
        let (within, result) = match message.request() {
            Request::Http(http) => {
                let within = connect(http) + Duration::from_millis(http.idle_timeout_ms);
                (within, timeout(within, self.post(http, message)).await)
            }
            Request::Mail(mail) => {
                let within = Duration::from_millis(mail.session_timeout_ms);
                (within, timeout(within, self.mail(mail)).await)
            }
        };
        let result = result.unwrap_or_else(|_| Err(format!("no answer within {within:?}")));
        let (status, fails) = match (result, message.request()) {
            (Ok((status, body)), Request::Http(http)) => (Some(status), http.accepts.complaint(status, &body)),
            (Ok((code, _)), Request::Mail(_)) => (Some(code), None),
            (Err(words), _) => (None, Some(words)),
        };
        Outcome { status, fails: fails.map(|words| shortened(&message.mask(&words))) }
    }

    fn tls(&self) -> Result<ClientConfig, String> {
        self.tls.get_or_init(|| tls(&self.sending.authorities)).clone()
    }

    async fn post(&self, http: &Http, message: &Message) -> Result<(u16, String), String> {
        let meant = Url::parse(&http.url).map_err(|error| format!("the address is no URL: {error}"))?;
        let url = match &self.sending.webhooks {
            Some(receiver) => receiver.0.clone(),
            None => {
                self.named.allows(meant.host_str().unwrap_or_default())?;
                meant
            }
        };
        let method = Method::from_bytes(http.method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self.client(http, &url)?.request(method, url);
        for (name, value) in &http.headers {
            request = request.header(name, value);
        }
        if let (Some(_), Request::Http(told)) = (&self.sending.webhooks, message.told()) {
            let told = told.url.bytes().map(|byte| if byte.is_ascii_graphic() { byte } else { b'?' });
            request = request.header(MEANT_FOR, told.collect::<Vec<u8>>());
        }
        if let Some(body) = &http.body {
            request = request.body(body.bytes());
        }
        let mut answer = request.send().await.map_err(told)?;
        let status = answer.status().as_u16();
        let zipped = answer.headers().get(CONTENT_ENCODING).is_some_and(|it| it.as_bytes().ends_with(b"gzip"));
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(told)? {
            let left = ANSWER - bytes.len();
            bytes.extend_from_slice(chunk.get(..left).unwrap_or(&chunk));
            if chunk.len() > left {
                break;
            }
        }
        let bytes = if zipped { unzipped(&bytes) } else { bytes };
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A client for one request, as each task of Kestra's has its own.
    fn client(&self, http: &Http, to: &Url) -> Result<reqwest::Client, String> {
        let first = lower(to.host_str().unwrap_or_default());
        let named = self.sending.webhooks.is_none().then(|| self.named.clone());
        let policy = redirect::Policy::custom(move |attempt| {
            let host = lower(attempt.url().host_str().unwrap_or_default());
            let allowed = host == first || named.as_ref().is_some_and(|named| named.allows(&host).is_ok());
            if attempt.previous().len() > REDIRECTS {
                attempt.error(format!("more than {REDIRECTS} redirects"))
            } else if !allowed {
                attempt.error(format!("it is redirected to {host}, a host that no flow names"))
            } else {
                attempt.follow()
            }
        });
        let policy = if http.follows_redirects { policy } else { redirect::Policy::none() };
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            // A proxy of the environment is a host that no flow names.
            .no_proxy()
            .redirect(policy)
            .connect_timeout(connect(http))
            .read_timeout(Duration::from_millis(http.idle_timeout_ms))
            .pool_max_idle_per_host(0)
            .build()
            .map_err(told)
    }

    async fn mail(&self, mail: &Mail) -> Result<(u16, String), String> {
        let letter = letter(mail)?;
        let (host, port) = match &self.sending.mails {
            Some(server) => (&server.host, server.port),
            None => {
                self.named.allows(&mail.host)?;
                (&mail.host, mail.port)
            }
        };
        let mut way = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port);
        way = way.timeout(Some(Duration::from_millis(mail.session_timeout_ms)));
        if self.sending.mails.is_none() {
            way = match mail.transport {
                Transport::Smtp => way,
                Transport::Smtps => way.tls(Tls::Wrapper(self.secure(mail)?)),
                Transport::StartTls => way.tls(Tls::Required(self.secure(mail)?)),
            };
            if let (Some(name), Some(password)) = (&mail.username, &mail.password) {
                way = way.credentials(Credentials::new(name.clone(), password.clone()));
            }
        }
        let taken = way.build().send(letter).await.map_err(|error| short(&error).unwrap_or_else(|| chain(&error)))?;
        let code = taken.code().to_string().parse().unwrap_or(250);
        Ok((code, taken.message().collect::<Vec<_>>().join("\n")))
    }

    fn secure(&self, mail: &Mail) -> Result<TlsParameters, String> {
        let mut parameters = TlsParameters::builder(mail.host.clone());
        for authority in self.sending.authorities.iter() {
            let certificate = Certificate::from_der(authority.to_vec()).map_err(|error| error.to_string())?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters = parameters.dangerous_accept_invalid_hostnames(!mail.verifies_identity);
        parameters.build_rustls().map_err(|error| error.to_string())
    }
}

impl Named {
    /// # Errors
    /// Nobody names this host.
    fn allows(&self, host: &str) -> Result<(), String> {
        let host = lower(host);
        let refused = || format!("no flow and no secret names the host {host}: nothing is sent there");
        // Poisoned it is as good as before.
        let known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&host).copied();
        let named = known.unwrap_or_else(|| self.names(&host));
        if known.is_none()
            && let Ok(mut known) = self.known.lock()
            && known.len() < HOSTS
        {
            known.insert(host.clone(), named);
        }
        if named { Ok(()) } else { Err(refused()) }
    }

    fn names(&self, host: &str) -> bool {
        !host.is_empty()
            && (SERVICES.contains(&host)
                || self.plan.secrets.values().any(|text| is_named(host, text))
                || self.plan.flows.iter().any(|flow| is_named_within(host, &flow.source)))
    }
}

fn is_named_within(host: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => is_named(host, text),
        Value::Array(items) => items.iter().any(|item| is_named_within(host, item)),
        Value::Object(map) => map.values().any(|value| is_named_within(host, value)),
        _ => false,
    }
}

/// Whether a host stands in a text as a whole.
fn is_named(host: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let of_host = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    text.match_indices(host).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + host.len()..));
        !of_host(before.and_then(|it| it.chars().next_back())) && !of_host(after.and_then(|it| it.chars().next()))
    })
}

fn lower(host: &str) -> String {
    host.to_ascii_lowercase()
}

fn connect(http: &Http) -> Duration {
    http.connect_timeout_ms.map_or(CONNECT, Duration::from_millis)
}

/// A client that goes where it is told and nowhere else: no redirect, no proxy of the environment.
///
/// # Errors
/// Why there is none, in words.
pub(super) fn client(within: Duration, authorities: &[Authority]) -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls(authorities)?)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(within)
        .build()
        .map_err(told)
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // An answer that was cut ends in the middle of its stream: what came before it counts.
    let _ = MultiGzDecoder::new(bytes).take(ANSWER as u64).read_to_end(&mut out);
    out
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What went wrong, without the address, which may hold a secret in another form than it is known by.
pub(super) fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    if let Some(short) = short(&error) {
        return short;
    }
    if error.is_timeout() {
        return if error.is_connect() { "no connection in time".to_owned() } else { "no answer in time".to_owned() };
    }
    chain(&error)
}

/// What has a short name, the one that a scenario's receivers use.
fn short(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return Some("connection refused".to_owned());
        }
        cause = inner.source();
    }
    None
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}

fn letter(mail: &Mail) -> Result<lettre::Message, String> {
    let mailbox =
        |text: &String| text.parse::<Mailbox>().map_err(|error| format!("`{text}` is no address of mail: {error}"));
    let mut letter = lettre::Message::builder().message_id(None).from(mailbox(&mail.from)?);
    letter = letter.subject(mail.subject.as_str());
    for to in &mail.to {
        letter = letter.to(mailbox(to)?);
    }
    for cc in &mail.cc {
        letter = letter.cc(mailbox(cc)?);
    }
    let letter = match &mail.html {
        Some(html) => letter.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone())),
        None => letter.singlepart(SinglePart::plain(mail.text.clone())),
    };
    letter.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_where_it_stands_as_a_whole() {
        for (text, named) in [
            ("https://hooks.slack.com/services/x", true),
            ("HTTPS://Hooks.Slack.com:443", true),
            ("hooks.slack.com", true),
            ("{{ 'hooks.slack.com' }}", true),
            ("https://eu.hooks.slack.com/x", false),
            ("https://hooks.slack.com.evil.test/x", false),
            ("https://myhooks.slack.com", false),
            ("hooks.slack.com.evil.test, hooks.slack.com", true),
            ("", false),
        ] {
            assert_eq!(is_named("hooks.slack.com", text), named, "{text}");
        }
    }

    #[test]
    fn what_is_told_of_a_failure_is_short() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"é".repeat(WORDS + 1)), format!("{}...", "é".repeat(WORDS)));
    }
}
