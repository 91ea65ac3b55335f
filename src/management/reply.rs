//! The forms of an answer: which headers in which order, HEAD, compression.

use super::error::{Error, Kind};
use super::packing::Packer;
use super::{Answer, Body, Request, date, version};
use crate::profile::{Answers, Fixed, Profile};
use crate::simulator::Command;

/// What an endpoint replies, before HEAD, compression and the connection have their say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub status: u16,
    pub reason: String,
    /// In order; the value of `date` is filled in at the end.
    headers: Vec<(&'static str, String)>,
    /// What the writer of the body adds behind all others; for HEAD it does not run.
    written: Option<(&'static str, String)>,
    pub body: Vec<u8>,
    chunked: bool,
    pub command: Option<Command>,
}

impl Reply {
    /// `200 OK`: date, then the type of the body, as Micronaut writes a body that is ready.
    pub fn ok(content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        Reply::bare(200, "OK").dated().written("content-type", content_type).with_body(body)
    }
    /// `200 OK` with JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Reply {
        Reply::ok("application/json", body)
    }
    /// `200 OK` with JSON that is written while it is made: type, then date. 0.20 writes the type with capitals, and for GET
    /// after the date.
    pub fn chunked(body: impl Into<Vec<u8>>, capitals: bool, method: &str) -> Reply {
        let reply = match (capitals, method) {
            (false, _) => Reply::bare(200, "OK").header("content-type", "application/json").dated(),
            (true, "HEAD") => Reply::bare(200, "OK").header("Content-Type", "application/json").dated(),
            (true, _) => Reply::bare(200, "OK").dated().written("Content-Type", "application/json"),
        };
        let reply = reply.with_body(body);
        Reply { chunked: true, ..reply }
    }
    /// An answer that is written in the data of a version.
    pub fn fixed(fixed: &'static Fixed) -> Reply {
        let reply = Reply::bare(fixed.status, &fixed.reason);
        let reply = fixed.headers.iter().fold(reply, |reply, (name, value)| reply.header(name, value)).dated();
        let typed = fixed.content_type.iter().fold(reply, |reply, kind| reply.written("content-type", kind));
        typed.with_body(fixed.body.as_bytes())
    }
    /// `200 OK` without a body, of a method that returns nothing.
    pub fn empty() -> Reply {
        Reply::bare(200, "OK").dated()
    }
    /// An answer of a filter: no date, no type.
    pub fn bare(status: u16, reason: &str) -> Reply {
        let reason = reason.to_owned();
        Reply { status, reason, headers: Vec::new(), written: None, body: Vec::new(), chunked: false, command: None }
    }
    /// With the date at this place.
    pub fn dated(self) -> Reply {
        self.header("date", "")
    }
    /// One more header.
    pub fn header(mut self, name: &'static str, value: &str) -> Reply {
        self.headers.push((name, value.to_owned()));
        self
    }
    /// With this header behind all others.
    pub fn written(mut self, name: &'static str, value: &str) -> Reply {
        self.written = Some((name, value.to_owned()));
        self
    }
    /// This body.
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }
    /// What the request changes.
    pub fn with_command(mut self, command: Option<Command>) -> Reply {
        self.command = command;
        self
    }
    /// Another status, same headers.
    pub fn with_status(mut self, status: u16, reason: &str) -> Reply {
        (self.status, self.reason) = (status, reason.to_owned());
        self
    }

    /// The answer of a version to this very request.
    pub fn finish(self, request: &Request, date: jiff::Timestamp, answers: &Answers, packer: &Packer) -> Answer {
        let Reply { status, reason, headers, written, mut body, chunked, command } = self;
        let chunked = chunked && !request.http10;
        let dated = |(name, value): (&str, String)| match name {
            "date" => (name.to_owned(), date::http(date)),
            _ => (name.to_owned(), value),
        };
        let head = request.method == "HEAD";
        let everywhere = version::headers(answers).iter().map(|(name, value)| (*name, (*value).to_owned()));
        let written = written.filter(|_| !head);
        let mut headers: Vec<(String, String)> =
            headers.into_iter().chain(everywhere).chain(written).map(dated).collect();
        if !head {
            if chunked {
                headers.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
            }
            if let Some((encoding, compressed)) = packer.compress(request, status, &body) {
                headers.push(("content-encoding".to_owned(), encoding.to_owned()));
                body = compressed;
            }
            if !chunked {
                headers.push(("content-length".to_owned(), body.len().to_string()));
            }
        }
        let asked = request.list("connection").any(|value| value.eq_ignore_ascii_case("close"));
        if (head || asked) && !request.http10 {
            headers.push(("connection".to_owned(), "close".to_owned()));
        }
        let body = match (head, chunked) {
            (true, _) => Body::None,
            (_, true) => Body::Chunked(body),
            _ => Body::Sized(body),
        };
        Answer { status, reason, headers, body, close: head || asked || request.http10, command }
    }
}

/// A request that never became one; the edge finds out, this says what the recorded server answers (idle/wire).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed<'a> {
    /// The request line cannot be read; answered as HTTP/1.0.
    RequestLine,
    /// The request line is longer than 4,096 bytes; answered as HTTP/1.0.
    LineTooLong,
    /// A header of the request for this target makes no sense, for example a content-length that is no number.
    Header(&'a str),
    /// The headers of the request for this target are longer than 32 KiB.
    HeadersTooLong(&'a str),
}

/// The answer of a version to a request that cannot be read. The connection closes after it.
pub fn malformed(what: Malformed<'_>, profile: &Profile) -> Answer {
    let (kind, href) = match what {
        Malformed::RequestLine => (Kind::Unreadable, None),
        Malformed::LineTooLong => (Kind::TooLong, None),
        Malformed::Header(target) => (Kind::Unreadable, Some(target)),
        Malformed::HeadersTooLong(target) => (Kind::TooLong, Some(target)),
    };
    let error = Error::new(kind, "", href.unwrap_or("/bad-request"));
    let reply = error.reply(profile.answers(), false, String::new);
    let mut headers: Vec<_> = reply.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    headers.push(("content-length".to_owned(), reply.body.len().to_string()));
    if href.is_some() {
        headers.push(("connection".to_owned(), "close".to_owned()));
    }
    let Reply { status, reason, body, .. } = reply;
    Answer { status, reason, headers, body: Body::Sized(body), close: true, command: None }
}
