//! The ports of a member, 8081 and 8080: pure functions from a request and a member to an outcome. No socket, no axum.
//!
//! [`answer`] asks the member's state first (a dead member refuses), then the one table of routes, and dresses what the
//! endpoint replies as the recorded server would: header order, HEAD, compression, `connection: close`. An endpoint is one
//! file that renders a small view of the member; what differs between Kestra versions is data.
//! Reads that change a real server (an unknown logger, the first refresh) carry a [`Command`].

mod control;
mod credentials;
mod database;
mod date;
mod env;
mod error;
mod fixed;
mod health;
mod kafka;
mod loggers;
mod metrics;
mod packing;
mod reply;
mod route;
mod scheduler;
mod threads;
mod uri;
mod version;
mod worker;

pub use credentials::basic_auth;
pub use packing::Packer;
pub use reply::{Malformed, malformed};

use crate::profile::{Answers, Handler, Profile, Quirk, Role, Says};
use crate::simulator::{Command, Member, Port, Process, Simulation};
use crate::time::{Duration, Instant};
use error::{Error, Kind, Refusal};
use reply::Reply;

/// A request as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which of the member's ports it came to.
    pub listener: Listener,
    /// Method, as sent.
    pub method: String,
    /// Request target, as sent: path and query.
    pub target: String,
    /// HTTP/1.0 or HTTP/1.1.
    pub http10: bool,
    /// Header names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body; the edge limits its size.
    pub body: Vec<u8>,
    /// When it arrived; an answer that had to wait is asked for again later with the same request.
    pub arrived: Instant,
}

/// The two ports of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// 8081.
    Management,
    /// 8080.
    Application,
}

/// What the client gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nothing listens.
    Refused,
    /// The connection is accepted and closed without an answer.
    Reset,
    /// No answer yet: ask again at this instant, or when the member changes.
    Wait(Instant),
    /// No answer as long as the process is as it is.
    Hang,
    /// An answer.
    Answer(Box<Answer>),
}

/// An answer, byte for byte.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Reason phrase: `Ok` on the health paths, Kestra's own texts on errors.
    pub reason: String,
    /// All headers in order, with their capitals; `content-length`, `transfer-encoding` and `connection` are among them.
    pub headers: Vec<(String, String)>,
    /// The body; empty for HEAD.
    pub body: Body,
    /// The server closes the connection after it: HEAD (as recorded), HTTP/1.0, or the client asked for it.
    pub close: bool,
    /// What the request changes on the server.
    pub command: Option<Command>,
}

impl Answer {
    /// Whether its body is that of a health that is DOWN.
    pub fn says_down(&self) -> bool {
        let Body::Sized(body) = &self.body else { return false };
        serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|body| body["status"] == "DOWN")
    }
    /// Whether it is metrics in Prometheus' text format.
    pub fn is_exposition(&self) -> bool {
        let text = |(name, value): &(String, String)| name == "content-type" && value.starts_with("text/plain");
        self.headers.iter().any(text)
    }
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// None, not even a length.
    None,
    /// Sent as it is; the `content-length` header says its length.
    Sized(Vec<u8>),
    /// Sent chunked.
    Chunked(Vec<u8>),
}

/// What an endpoint needs to know to reply.
struct Context<'a> {
    request: &'a Request,
    simulation: &'a Simulation,
    index: usize,
    member: &'a Member,
    process: &'a Process,
    answers: &'static Answers,
    target: uri::Target<'a>,
    /// The `{name}` of the path, decoded.
    variable: String,
}

/// What an endpoint says: a reply, an error, or nothing.
type Handled = Result<Reply, Refusal>;

/// What a client gets that sends `request` to a port of `member` now. An unknown member is refused.
///
/// A request that has to wait (a stalled database, a stop-the-world pause) gets [`Outcome::Wait`]; ask again then with
/// the same request, its `arrived` unchanged.
pub fn answer(request: &Request, simulation: &Simulation, member: usize) -> Outcome {
    match draft(request, simulation, member) {
        Ok(draft) => Outcome::Answer(Box::new(draft.finish(request, &Packer::default()))),
        Err(outcome) => outcome,
    }
}

/// An answer but for its form: what is left to do asks the cluster nothing more.
#[derive(Clone, Debug)]
pub struct Draft {
    reply: Reply,
    date: jiff::Timestamp,
    answers: &'static Answers,
}

impl Draft {
    /// The answer to the request that it was made for: with all headers, and compressed where the client wants that.
    pub fn finish(self, request: &Request, packer: &Packer) -> Answer {
        self.reply.finish(request, self.date, self.answers, packer)
    }

    /// What the request changes on the server.
    #[cfg(feature = "server")]
    pub fn command(&self) -> Option<&Command> {
        self.reply.command.as_ref()
    }
}

/// The same as [`answer`], with what takes long left to do: compression.
///
/// # Errors
/// What a client gets instead of an answer.
pub fn draft(request: &Request, simulation: &Simulation, member: usize) -> Result<Draft, Outcome> {
    let state = reachable(simulation, member)?;
    let profile = state.profile();
    let reply = match reply_to(request, simulation, member, profile) {
        Ok(reply) => reply,
        Err(Refusal::Error(error)) => error.reply(profile.answers(), request.method == "HEAD", || {
            simulation.request_id(&request.target, request.arrived)
        }),
        Err(Refusal::Unanswered(outcome)) => return Err(outcome),
    };
    Ok(Draft { reply, date: simulation.calendar().date(simulation.now()), answers: profile.answers() })
}

/// How long a client without a word of its own waits for an answer: the timeout of a scrape.
const PATIENCE: Duration = Duration::seconds(10);

/// What a client gets that waits for its answer for ten seconds, as long as a scrape; when that is not enough, it hangs. What comes until then is
/// gone through in a simulation of its own.
pub fn answer_in_time(request: &Request, simulation: &Simulation, member: usize) -> Outcome {
    let mut ahead: Option<Simulation> = None;
    let mut outcome = answer(request, simulation, member);
    while let Outcome::Wait(until) = outcome {
        let later = ahead.get_or_insert_with(|| simulation.clone());
        // An answer that is awaited again at the same instant never comes.
        if until > simulation.now() + PATIENCE || until <= later.now() || later.advance(until).is_err() {
            return Outcome::Hang;
        }
        outcome = answer(request, later, member);
    }
    outcome
}

/// What comes before any endpoint: whether the process of `member` takes requests at all now. A scrape that needs no text
/// asks this and reads the member's registry.
///
/// # Errors
/// What a client gets instead of an answer.
pub fn reachable(simulation: &Simulation, member: usize) -> Result<&Member, Outcome> {
    let Some(state) = simulation.members().get(member) else { return Err(Outcome::Refused) };
    match state.port() {
        Port::Refused => return Err(Outcome::Refused),
        Port::Closing => return Err(Outcome::Reset),
        Port::Frozen => return Err(Outcome::Hang),
        Port::Open => {}
    }
    match state.process().and_then(Process::paused_until).filter(|until| *until > simulation.now()) {
        Some(until) => Err(Outcome::Wait(until)),
        None => Ok(state),
    }
}

fn reply_to(request: &Request, simulation: &Simulation, index: usize, profile: &'static Profile) -> Handled {
    let Some(member) = simulation.members().get(index) else { return Err(Outcome::Refused.into()) };
    let Some(running) = member.process() else { return Err(Outcome::Refused.into()) };
    let answers = profile.answers();
    let target = uri::Target::read(&request.target, answers.double_slash).map_err(|unreadable| unreadable.error())?;
    let href = target.href;
    if foreign_origin(request) {
        return Err(Error::new(Kind::Forbidden, "", href).into());
    }
    let settings = &simulation.plan().settings;
    if profile.has(Quirk::RequestsReadSettings)
        && member.role().runs(Role::Webserver)
        && let Some(error) = database::read_settings(request, simulation, index)?
    {
        return Err(Error::internal(error, href).into());
    }
    let process = route::Process::of(member, simulation.plan(), settings);
    let found = route::find(process, request.listener, &request.method, target.path);
    // What is not acceptable is no match.
    let unacceptable = match &found {
        route::Found::Endpoint(endpoint, _) if endpoint.says == Says::Handler(Handler::Prometheus) => {
            metrics::not_acceptable(request, href)
        }
        _ => None,
    };
    let matched = matches!(found, route::Found::Endpoint(..)) && unacceptable.is_none();
    if let Some(refusal) = credentials::of_server(request, process, target, matched) {
        return Err(refusal.into());
    }
    if let Some(refusal) = unacceptable {
        return Err(refusal.into());
    }
    match found {
        route::Found::Endpoint(endpoint, variable) => {
            let refused = |id| credentials::of_endpoint(request, process, id, href);
            if let Some(refusal) = endpoint.id().and_then(refused) {
                return Err(refusal.into());
            }
            let context = Context { request, simulation, index, member, process: running, answers, target, variable };
            route::reply(endpoint, &context)
        }
        route::Found::WrongMethod(_) if wrong_type(request) && answers.type_before_method => {
            let content_type = request.header("content-type").unwrap_or_default();
            let detail = format!("Content Type [{content_type}] not allowed. Allowed types: [application/json]");
            Err(Error::new(Kind::WrongType, &detail, href).into())
        }
        route::Found::WrongMethod(allowed) => {
            let method = &request.method;
            let detail = format!("Method [{method}] not allowed for URI [{href}]. Allowed methods: [{allowed}]");
            Err(Error::new(Kind::WrongMethod { allowed }, &detail, href).into())
        }
        route::Found::Nothing => Err(Error::new(Kind::NotFound { matched: false }, "", href).into()),
    }
}

/// Micronaut's guard of local servers against foreign web pages: a `Host` of this machine and an `Origin` of another
/// (standalone/idle/wire).
fn foreign_origin(request: &Request) -> bool {
    let local = |authority: &str| matches!(authority.split(':').next(), Some("localhost" | "127.0.0.1"));
    let origin = request.header("origin").map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    request.header("host").is_some_and(local) && origin.is_some_and(|origin| !local(origin))
}

/// Whether the body is said to be of a type that no endpoint takes by itself.
fn wrong_type(request: &Request) -> bool {
    let mime = |value: &str| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    request.header("content-type").is_some_and(|value| mime(value) != "application/json")
}

impl Request {
    /// A plain GET of the management port, without headers.
    pub fn get(target: &str, arrived: Instant) -> Request {
        Request {
            listener: Listener::Management,
            method: "GET".to_owned(),
            target: target.to_owned(),
            http10: false,
            headers: Vec::new(),
            body: Vec::new(),
            arrived,
        }
    }
    /// The first header of this name (in lower case).
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    /// The comma-separated values of all headers of this name.
    fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).flat_map(|(_, value)| value.split(',')).map(str::trim)
    }
}
