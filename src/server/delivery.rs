//! What alert flows send leaves the machine here: requests over HTTP and mails, a bounded number at a time.
//!
//! A message goes in with an id, and what came of it comes back as data with that id: nothing here steers the model. A
//! receiver may be slow or hostile: an answer is read up to a limit, redirects are counted, and all of it ends in time.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use reqwest::header::CONTENT_ENCODING;
use reqwest::{Method, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::notify::{Http, Mail, Message, Request, Transport};

/// The header that names the address a message was meant for, where another receiver gets it.
const MEANT_FOR: &str = "X-Mock-Kestra-Url";

/// What delivery may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages that wait to be sent, and answers that wait to be read.
    pub queue: usize,
    /// Messages that are sent at the same time.
    pub at_once: usize,
    /// Bytes of an answer that are read.
    pub answer: usize,
    /// Redirects that are followed.
    pub redirects: usize,
    /// Time to connect where the task says none.
    pub connect: Duration,
    /// Time for one message, all in all.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            queue: 1_000,
            at_once: 16,
            answer: 64 * 1024,
            redirects: 20,
            connect: Duration::from_secs(30),
            total: Duration::from_secs(300),
        }
    }
}

/// Where messages may go.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    /// Hosts that the user's flows name, in lower case; nobody else is spoken to, by a redirect neither.
    pub hosts: BTreeSet<String>,
    /// One receiver for all requests over HTTP. Path and query of the original follow its own path; the original stands in
    /// the header `X-Mock-Kestra-Url`. Redirects lead to this host only.
    pub instead: Option<String>,
}

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The id it was sent with.
    pub id: u64,
    /// What the receiver answered, where it answered.
    pub reply: Option<Reply>,
    /// Why the task fails; nothing where it succeeds. Secrets of the message are masked.
    pub failure: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status; 250 of a mail server that took the mail.
    pub status: u16,
    /// Its beginning, with secrets masked.
    pub body: String,
    /// Whether there was more of it.
    pub cut: bool,
}

/// The queue is full, or delivery has ended: the message is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many messages wait to be sent")
    }
}

impl std::error::Error for NotTaken {}

/// The way in. When it is dropped, what waits is still sent, and delivery ends.
#[derive(Clone, Debug)]
pub struct Delivery {
    queue: mpsc::Sender<(u64, Message)>,
}

struct Way {
    destinations: Destinations,
    instead: Option<Url>,
    limits: Limits,
    tls: ClientConfig,
}

impl Delivery {
    /// Starts delivery on the runtime that this is called from. Answers must be read: while too many wait, nothing is sent.
    ///
    /// # Errors
    /// A receiver of [`Destinations::instead`] that is no URL of HTTP, and TLS that cannot be set up, in words.
    pub fn start(destinations: Destinations, limits: Limits) -> Result<(Delivery, mpsc::Receiver<Answered>), String> {
        let instead = destinations.instead.as_deref().map(receiver).transpose()?;
        let (queue, mut messages) = mpsc::channel::<(u64, Message)>(limits.queue.max(1));
        let (answers, read) = mpsc::channel(limits.queue.max(1));
        let way = Arc::new(Way { destinations, instead, limits, tls: tls()? });
        let free = Arc::new(Semaphore::new(limits.at_once.max(1)));
        tokio::spawn(async move {
            while let Some((id, message)) = messages.recv().await {
                let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
                let (way, answers) = (Arc::clone(&way), answers.clone());
                tokio::spawn(async move {
                    let answered = way.send(id, &message).await;
                    // Nobody listens any more: the server ends.
                    let _ = answers.send(answered).await;
                    drop(permit);
                });
            }
        });
        Ok((Delivery { queue }, read))
    }
    /// Puts a message into the queue.
    ///
    /// # Errors
    /// The queue is full.
    pub fn offer(&self, id: u64, message: Message) -> Result<(), NotTaken> {
        self.queue.try_send((id, message)).map_err(|_| NotTaken)
    }
}

fn receiver(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(format!("`{text}`: write a URL such as http://127.0.0.1:9000"));
    }
    Ok(url)
}

fn tls() -> Result<ClientConfig, String> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

impl Way {
    async fn send(&self, id: u64, message: &Message) -> Answered {
        let sending = async {
            match message.request() {
                Request::Http(http) => self.post(http).await,
                Request::Mail(mail) => self.mail(mail).await,
            }
        };
        let all = timeout(self.limits.total, sending).await;
        let result = all.unwrap_or_else(|_| Err(format!("no full answer within {:?}", self.limits.total)));
        let (reply, failure) = match (result, message.request()) {
            (Ok(reply), Request::Http(http)) => {
                let failure = http.accepts.complaint(reply.status, &reply.body);
                (Some(reply), failure)
            }
            (Ok(reply), Request::Mail(_)) => (Some(reply), None),
            (Err(words), _) => (None, Some(words)),
        };
        let reply = reply.map(|reply| Reply { body: message.mask(&reply.body), ..reply });
        Answered { id, reply, failure: failure.map(|words| message.mask(&words)) }
    }
    fn allows(&self, host: Option<&str>) -> Result<(), String> {
        let host = host.unwrap_or_default().to_ascii_lowercase();
        if self.destinations.hosts.contains(&host) {
            return Ok(());
        }
        Err(format!("no flow names the host {host}: nothing is sent there"))
    }
    async fn post(&self, http: &Http) -> Result<Reply, String> {
        let meant = Url::parse(&http.url).map_err(|error| format!("the address is no URL: {error}"))?;
        let url = match &self.instead {
            Some(instead) => in_place(instead, &meant),
            None => {
                self.allows(meant.host_str())?;
                meant.clone()
            }
        };
        let method = Method::from_bytes(http.method.as_bytes()).map_err(|error| error.to_string())?;
        let mut request = self.client(http)?.request(method, url);
        for (name, value) in &http.headers {
            request = request.header(name, value);
        }
        if self.instead.is_some() {
            request = request.header(MEANT_FOR, meant.as_str());
        }
        if let Some(body) = &http.body {
            request = request.body(body.bytes());
        }
        let mut answer = request.send().await.map_err(told)?;
        let status = answer.status().as_u16();
        let zipped = answer.headers().get(CONTENT_ENCODING).is_some_and(|it| it.as_bytes().ends_with(b"gzip"));
        let mut bytes = Vec::new();
        let mut cut = false;
        while let Some(chunk) = answer.chunk().await.map_err(told)? {
            let left = self.limits.answer - bytes.len();
            bytes.extend_from_slice(chunk.get(..left).unwrap_or(&chunk));
            if chunk.len() > left {
                cut = true;
                break;
            }
        }
        if zipped {
            bytes = unzipped(&bytes, self.limits.answer, &mut cut);
        }
        Ok(Reply { status, body: String::from_utf8_lossy(&bytes).into_owned(), cut })
    }
    /// A client for one request, as each task of Kestra's has its own.
    fn client(&self, http: &Http) -> Result<reqwest::Client, String> {
        let hosts = match &self.instead {
            Some(instead) => instead.host_str().map(str::to_owned).into_iter().collect(),
            None => self.destinations.hosts.clone(),
        };
        let most = self.limits.redirects;
        let policy = redirect::Policy::custom(move |attempt| {
            let host = attempt.url().host_str().unwrap_or_default().to_ascii_lowercase();
            if attempt.previous().len() > most {
                attempt.error(format!("more than {most} redirects"))
            } else if !hosts.contains(&host) {
                attempt.error(format!("it is redirected to {host}, a host that no flow names"))
            } else {
                attempt.follow()
            }
        });
        let policy = if http.follows_redirects { policy } else { redirect::Policy::none() };
        let connect = http.connect_timeout_ms.map_or(self.limits.connect, Duration::from_millis);
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            // A proxy of the environment is a host that no flow names.
            .no_proxy()
            .redirect(policy)
            .connect_timeout(connect)
            .read_timeout(Duration::from_millis(http.idle_timeout_ms))
            .pool_max_idle_per_host(0)
            .build()
            .map_err(told)
    }
    async fn mail(&self, mail: &Mail) -> Result<Reply, String> {
        self.allows(Some(&mail.host))?;
        let letter = letter(mail)?;
        let mut way = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host).port(mail.port);
        let session = Duration::from_millis(mail.session_timeout_ms);
        way = way.timeout(Some(session));
        let secure = || {
            let parameters = TlsParameters::builder(mail.host.clone());
            let parameters = parameters.dangerous_accept_invalid_hostnames(!mail.verifies_identity);
            parameters.build_rustls().map_err(|error| error.to_string())
        };
        way = match mail.transport {
            Transport::Smtp => way,
            Transport::Smtps => way.tls(Tls::Wrapper(secure()?)),
            Transport::StartTls => way.tls(Tls::Required(secure()?)),
        };
        if let (Some(name), Some(password)) = (&mail.username, &mail.password) {
            way = way.credentials(Credentials::new(name.clone(), password.clone()));
        }
        let sending = timeout(session, way.build().send(letter)).await;
        let taken = sending.map_err(|_| format!("the mail server did not take it within {session:?}"))?;
        let taken = taken.map_err(chain)?;
        let status = taken.code().to_string().parse().unwrap_or(250);
        Ok(Reply { status, body: taken.message().collect::<Vec<_>>().join("\n"), cut: false })
    }
}

/// The receiver's own address with path and query of the one that was meant.
fn in_place(instead: &Url, meant: &Url) -> Url {
    let mut url = instead.clone();
    url.set_path(&format!("{}{}", instead.path().trim_end_matches('/'), meant.path()));
    url.set_query(meant.query());
    url
}

fn unzipped(bytes: &[u8], most: usize, cut: &mut bool) -> Vec<u8> {
    let mut out = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    // An answer that was cut ends in the middle of its stream: what came before it counts.
    let _ = MultiGzDecoder::new(bytes).take(most.saturating_add(1)).read_to_end(&mut out);
    if out.len() as u64 > most {
        *cut = true;
        out.pop();
    }
    out
}

/// What went wrong, without the address, which may hold a secret in another form than it is known by.
fn told(error: reqwest::Error) -> String {
    chain(error.without_url())
}

fn chain(error: impl std::error::Error) -> String {
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
    let mut letter = lettre::Message::builder().from(mailbox(&mail.from)?).subject(mail.subject.as_str());
    for to in &mail.to {
        letter = letter.to(mailbox(to)?);
    }
    for cc in &mail.cc {
        letter = letter.cc(mailbox(cc)?);
    }
    let letter = match &mail.html {
        Some(html) => letter.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone())),
        None => letter.body(mail.text.clone()),
    };
    letter.map_err(|error| error.to_string())
}
