//! A message as data: the request that leaves, and what may be shown of it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::pebble::Secrets;

/// What stands for a secret where a message is shown.
const STARS: &str = "******";

/// A message that a notification task sends. `Debug` and [`Message::told`] show no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// How it reaches people: `slack`, `mail`, `http`, ..., the kind of receiver of a scenario.
    pub channel: &'static str,
    /// Who gets it: the channel, user, address or routing key that the task names; nothing where the address alone says so.
    pub to: Option<String>,
    request: Request,
    told: Request,
    /// Those of the server where the message holds one of them; none otherwise.
    secrets: Secrets,
}

/// What leaves the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A request over HTTP.
    Http(Http),
    /// A mail.
    Mail(Box<Mail>),
}

impl Request {
    /// How long the task waits for an answer, in milliseconds.
    pub fn patience_ms(&self) -> u64 {
        match self {
            Request::Http(http) => http.idle_timeout_ms,
            Request::Mail(mail) => mail.session_timeout_ms,
        }
    }
}

/// A request over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `POST` for most.
    pub method: String,
    /// Where to, with its query.
    pub url: String,
    /// Headers in order, without those that follow from the body and the address.
    pub headers: Vec<(String, String)>,
    /// What is sent; nothing for a request without a body.
    pub body: Option<Body>,
    /// Time to connect, in milliseconds, where the task says so.
    pub connect_timeout_ms: Option<u64>,
    /// Time without a byte of the answer, in milliseconds.
    pub idle_timeout_ms: u64,
    /// Whether redirects are followed.
    pub follows_redirects: bool,
    /// Which answers are no failure.
    pub accepts: Accepts,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A text in UTF-8.
    Text(String),
    /// A text in ISO-8859-1: a character that it has not leaves as `?`.
    Latin1(String),
}

impl Body {
    /// The text, as written by the task.
    pub fn text(&self) -> &str {
        let (Body::Text(text) | Body::Latin1(text)) = self;
        text
    }
    /// What goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Body::Text(text) => text.as_bytes().to_vec(),
            // Java writes one `?` for a character beyond the first plane too.
            Body::Latin1(text) => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        }
    }
    fn map(&self, change: impl Fn(&str) -> String) -> Body {
        match self {
            Body::Text(text) => Body::Text(change(text)),
            Body::Latin1(text) => Body::Latin1(change(text)),
        }
    }
}

/// Which answers are no failure of the task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accepts {
    /// A status below 400.
    #[default]
    Below400,
    /// Every answer: `allowFailed`.
    Any,
    /// A status below 400, and these: `allowedResponseCodes`.
    Also(Vec<u16>),
    /// A status from 200 to 299, with the service's own words otherwise.
    Success,
    /// A status of 200 with `"ok": true` in the body.
    Telegram,
    /// Every answer but these.
    AnyBut(Vec<u16>),
}

impl Accepts {
    /// What the task says of an answer: nothing where it is content.
    pub fn complaint(&self, status: u16, body: &str) -> Option<String> {
        let failed = || format!("Failed http request with response code '{status}' and body:\n{body}");
        match self {
            Accepts::Below400 => (status >= 400).then(failed),
            Accepts::Any => None,
            Accepts::Also(codes) => (status >= 400 && !codes.contains(&status)).then(failed),
            Accepts::Success => {
                (!(200..300).contains(&status)).then(|| format!("SendGrid API failed with status code: {status}"))
            }
            Accepts::Telegram => {
                let taken = serde_json::from_str::<Value>(body)
                    .is_ok_and(|answer| answer.get("ok") == Some(&Value::Bool(true)));
                (status != 200 || !taken).then(|| format!("Unable to send Telegram message: {body}"))
            }
            Accepts::AnyBut(codes) => codes.contains(&status).then(failed),
        }
    }
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// TLS from the first byte.
    #[default]
    Smtps,
    /// No TLS.
    Smtp,
    /// TLS after STARTTLS, which must be there.
    StartTls,
}

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub transport: Transport,
    /// The name to log in with.
    pub username: Option<String>,
    /// The password to log in with.
    pub password: Option<String>,
    /// Time for the whole session, in milliseconds.
    pub session_timeout_ms: u64,
    /// Whether the server's certificate must be for its name.
    pub verifies_identity: bool,
    /// The sender.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Who gets a copy.
    pub cc: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text as HTML.
    pub html: Option<String>,
    /// The text for who reads no HTML.
    pub text: String,
}

impl Message {
    pub(super) fn new(channel: &'static str, to: Option<String>, request: Request, secrets: &Secrets) -> Message {
        let told = match &request {
            Request::Http(http) => Request::Http(told_http(http, secrets)),
            Request::Mail(mail) => Request::Mail(Box::new(told_mail(mail, secrets))),
        };
        let secrets = if told == request { Secrets::default() } else { secrets.clone() };
        Message { channel, to: to.map(|to| secrets.mask(&to)), request, told, secrets }
    }
    /// What leaves, with secrets: for the one who sends it.
    pub fn request(&self) -> &Request {
        &self.request
    }
    /// What may be shown: secrets are stars, and so is what a task logs in with.
    pub fn told(&self) -> &Request {
        &self.told
    }
    /// Words about the message, such as an answer that repeats it, with secrets taken out.
    pub fn mask(&self, text: &str) -> String {
        self.secrets.mask_words(text)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("channel", &self.channel)
            .field("to", &self.to)
            .field("request", &self.told)
            .finish_non_exhaustive()
    }
}

/// A text in which secrets do not stand as in a URL or a form either: where one does, it is shown unescaped.
fn without_escaped(text: &str, mask: impl Fn(&str) -> String) -> String {
    let masked = mask(text);
    let spaced = masked.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8_lossy();
    let shown = mask(&decoded);
    if shown == decoded { masked } else { shown }
}

/// A URL without secrets, also where they are in it with `%`; and without what one logs in with.
fn told_url(url: &str, secrets: &Secrets) -> String {
    let every = |text: &str| without_escaped(text, |text| secrets.mask(text));
    let masked = without_escaped(url, |text| secrets.mask_words(text));
    let Some((scheme, rest)) = masked.split_once("://") else { return every(url) };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = every(path);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{STARS}@{host}{path}"),
        None => format!("{scheme}://{authority}{path}"),
    }
}

/// A text without secrets: where it is JSON also those that are escaped in it.
fn told_text(text: &str, secrets: &Secrets) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let masked = secrets.mask_value(&value);
            if masked == value { text.to_owned() } else { masked.to_string() }
        }
        Err(_) => without_escaped(text, |text| secrets.mask(text)),
    }
}

fn told_http(http: &Http, secrets: &Secrets) -> Http {
    let header = |(name, value): &(String, String)| {
        let told = if name.eq_ignore_ascii_case("authorization") { STARS.to_owned() } else { secrets.mask(value) };
        (secrets.mask_words(name), told)
    };
    Http {
        url: told_url(&http.url, secrets),
        headers: http.headers.iter().map(header).collect(),
        body: http.body.as_ref().map(|body| body.map(|text| told_text(text, secrets))),
        ..http.clone()
    }
}

fn told_mail(mail: &Mail, secrets: &Secrets) -> Mail {
    let all = |list: &[String]| list.iter().map(|text| secrets.mask(text)).collect();
    Mail {
        host: secrets.mask_words(&mail.host),
        username: mail.username.as_deref().map(|text| secrets.mask(text)),
        password: mail.password.as_ref().map(|_| STARS.to_owned()),
        from: secrets.mask(&mail.from),
        to: all(&mail.to),
        cc: all(&mail.cc),
        subject: secrets.mask(&mail.subject),
        html: mail.html.as_deref().map(|text| secrets.mask(text)),
        text: secrets.mask(&mail.text),
        ..mail.clone()
    }
}

/// The value of `Authorization` for a name and a password.
pub(super) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}
