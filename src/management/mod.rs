//! Port 8081: one file an endpoint, pure functions from a request and a member to an outcome. No socket, no axum.

use crate::simulator::{Command, DatabaseView, Port, Simulation};
use crate::time::Instant;

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
    /// Headers in order, with their capitals.
    pub headers: Vec<(String, String)>,
    /// The body; empty for HEAD.
    pub body: Body,
    /// The server closes the connection after it.
    pub close: bool,
    /// What the request changes on the server.
    pub command: Option<Command>,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// None, not even a length.
    None,
    /// Sent with a content-length.
    Sized(Vec<u8>),
    /// Sent chunked.
    Chunked(Vec<u8>),
}

/// Answers a request to a member at the simulation's current instant.
pub fn answer(request: &Request, simulation: &Simulation, member: usize) -> Outcome {
    let Some(it) = simulation.members().get(member) else { return Outcome::Refused };
    match it.port() {
        Port::Refused => return Outcome::Refused,
        Port::Frozen => return Outcome::Hang,
        Port::Closing => return Outcome::Reset,
        Port::Open => {}
    }
    if let Some(until) = it.paused_until() {
        return Outcome::Wait(until);
    }
    let (status, body) = match (request.target.as_str(), simulation.database(member)) {
        ("/health", DatabaseView::Stalled { .. }) => return Outcome::Hang,
        ("/health", DatabaseView::Refused { .. }) => (503, b"{}".to_vec()),
        ("/health", _) => (200, b"{}".to_vec()),
        _ => (404, Vec::new()),
    };
    let answer = Answer {
        status,
        reason: String::new(),
        headers: Vec::new(),
        body: Body::Sized(body),
        close: false,
        command: None,
    };
    Outcome::Answer(Box::new(answer))
}
