//! What goes wrong with a request, and the two forms in which the versions say it: Kestra's JSON error with its nulls
//! (0.20, 1.3) and problem documents (RFC 9457, 2.0). Endpoints say what is wrong; the form is chosen once, at the end.

use serde_json::{Value, json};

use super::Outcome;
use super::reply::Reply;
use crate::profile::{Answers, ErrorForm};

/// Why a request gets no reply of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    /// It gets no answer, or not yet.
    Unanswered(Outcome),
    /// It gets an error.
    Error(Error),
}

impl From<Outcome> for Refusal {
    fn from(outcome: Outcome) -> Refusal {
        Refusal::Unanswered(outcome)
    }
}
impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Error(error)
    }
}

/// An error, before a version gives it its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    kind: Kind,
    /// What Java says; problem documents hide most of it.
    detail: String,
    /// Path and query; empty where the server had none.
    href: String,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no such thing.
    NotFound {
        /// An endpoint was found, it is its thing that is not there.
        matched: bool,
    },
    /// The path has other methods only.
    WrongMethod {
        /// Those.
        allowed: String,
    },
    /// The body is of a type that is not taken.
    WrongType,
    /// The client accepts none of the types there are.
    NotAcceptable,
    /// An illegal state.
    Conflict,
    /// An illegal argument.
    Argument,
    /// A value that cannot be converted.
    Value,
    /// JSON that does not fit what it is read into.
    Json,
    /// An exception nobody expected.
    Internal,
    /// An exception where Kestra's handler does not get to it: the framework answers.
    Framework,
    /// Credentials that are missing or do not fit.
    Unauthorized {
        /// `WWW-Authenticate`, where it is sent.
        challenge: Option<&'static str>,
    },
    /// A page of another origin.
    Forbidden,
    /// A request that cannot be read.
    Unreadable,
    /// A request line or headers that are too long.
    TooLong,
}

impl Error {
    /// An error.
    pub fn new(kind: Kind, detail: &str, href: &str) -> Error {
        Error { kind, detail: detail.to_owned(), href: href.to_owned() }
    }
    /// An exception nobody expected.
    pub fn internal(detail: &str, href: &str) -> Error {
        Error::new(Kind::Internal, detail, href)
    }
    /// An endpoint has no thing of this name.
    pub fn no_such(href: &str) -> Error {
        Error::new(Kind::NotFound { matched: true }, "", href)
    }

    /// The reply in the form of a version. Problem documents want to know of HEAD, and an id where something is at fault.
    pub fn reply(&self, answers: &Answers, head: bool, id: impl FnOnce() -> String) -> Reply {
        match answers.errors {
            ErrorForm::Json => self.json(),
            ErrorForm::Problem => self.problem(head, id),
        }
    }

    /// Status and reason phrase: where Kestra writes the error the phrase is its own text, and so begins the message.
    fn json(&self) -> Reply {
        let framework = |status, reason| json_of_framework(status, reason, &self.detail, &self.href);
        let (status, reason) = match &self.kind {
            Kind::NotFound { .. } => (404, "Not Found"),
            Kind::WrongMethod { .. } => (405, "Method Not Allowed"),
            Kind::WrongType => (415, "Unsupported Media Type"),
            Kind::NotAcceptable => (406, "Not Acceptable"),
            Kind::Conflict => (409, "Illegal state"),
            Kind::Argument => (422, "Illegal argument"),
            Kind::Value | Kind::Json => (422, "Internal server error"),
            Kind::Internal => (500, "Internal server error"),
            Kind::Framework => return framework(500, "Internal Server Error").dated(),
            Kind::Unauthorized { challenge } => {
                let reply = Reply::bare(401, "Unauthorized");
                return challenge.iter().fold(reply, |reply, challenge| reply.header("WWW-Authenticate", challenge));
            }
            Kind::Forbidden => return Reply::bare(403, "Forbidden"),
            Kind::Unreadable => return framework(400, "Bad Request"),
            Kind::TooLong => return framework(413, "Request Entity Too Large"),
        };
        let body = json!({
            "message": message(reason, &self.detail), "logref": null, "path": null, "_links": link(&self.href),
            "_embedded": {}
        });
        Reply::bare(status, reason).header("content-type", "application/json").dated().with_body(body.to_string())
    }

    /// A problem document (2.0, standalone and config/basic-auth; nobody saw 409 and 415 there, their words follow the
    /// others).
    fn problem(&self, head: bool, id: impl FnOnce() -> String) -> Reply {
        let (status, reason, name, title) = match &self.kind {
            Kind::NotFound { .. } => (404, "Not Found", "not-found", "Resource not found"),
            Kind::WrongMethod { .. } => (405, "Method Not Allowed", "method-not-allowed", "Method not allowed"),
            Kind::WrongType => (415, "Unsupported Media Type", "unsupported-media-type", "Unsupported media type"),
            Kind::NotAcceptable => (406, "Not Acceptable", "not-acceptable", "Not acceptable"),
            Kind::Conflict => (409, "Conflict", "conflict", "Conflict"),
            Kind::Argument | Kind::Value => (422, "Unprocessable Entity", "invalid-argument", "Invalid argument"),
            Kind::Json => (422, "Unprocessable Entity", "invalid-json", "Invalid JSON"),
            Kind::Internal | Kind::Framework => {
                (500, "Internal Server Error", "internal-error", "Internal server error")
            }
            Kind::Unauthorized { .. } => (401, "Unauthorized", "unauthenticated", "Authentication required"),
            Kind::Forbidden => (403, "Forbidden", "forbidden", "Access denied"),
            Kind::Unreadable => (400, "Bad Request", "bad-request", "Bad request"),
            Kind::TooLong => (413, "Request Entity Too Large", "payload-too-large", "Payload too large"),
        };
        let edge = matches!(self.kind, Kind::Unreadable | Kind::TooLong);
        let detail = match &self.kind {
            Kind::WrongMethod { .. } | Kind::WrongType | Kind::NotAcceptable => &self.detail,
            _ if status == 500 => "An unexpected error occurred. Quote the traceId when contacting support.",
            _ if edge => reason,
            _ => title,
        };
        let path = self.href.split('?').next().filter(|path| !path.is_empty()).unwrap_or("/");
        let mut body = json!({
            "type": format!("https://kestra.io/docs/api-reference/problems/{name}"), "title": title, "status": status,
            "detail": detail, "instance": path
        });
        if status == 500 {
            body["traceId"] = id().into();
        }
        if edge {
            body["errors"] = json!([{ "detail": reason }]);
        }
        const TYPE: &str = "application/problem+json";
        let reply = Reply::bare(status, reason);
        let reply = match &self.kind {
            _ if edge => reply.header("Content-Type", TYPE),
            Kind::Unauthorized { challenge } => {
                let reply =
                    challenge.iter().fold(reply, |reply, challenge| reply.header("WWW-Authenticate", challenge));
                typed_unless(head, reply, TYPE)
            }
            Kind::Forbidden => typed_unless(head, reply, TYPE),
            Kind::WrongMethod { allowed } => reply.header("content-type", TYPE).header("Allow", allowed).dated(),
            Kind::NotFound { matched } => {
                let matched = if *matched { "true" } else { "false" };
                let reply = reply.header("content-type", TYPE).dated();
                reply.header("X-Kestra-Edition", "OSS").header("X-Kestra-Route-Matched", matched)
            }
            _ => reply.header("content-type", TYPE).dated(),
        };
        reply.with_body(body.to_string())
    }
}

/// A filter's refusal gets its body later, and HEAD none: then it has no type either (config/basic-auth).
fn typed_unless(head: bool, reply: Reply, content_type: &str) -> Reply {
    if head { reply } else { reply.header("content-type", content_type) }
}

fn message(reason: &str, detail: &str) -> String {
    if detail.is_empty() { reason.to_owned() } else { format!("{reason}: {detail}") }
}

/// Micronaut's own JSON for an error, where Kestra's does not get to it.
fn json_of_framework(status: u16, reason: &str, detail: &str, href: &str) -> Reply {
    let links = if href.is_empty() { json!({}) } else { link(href) };
    let inner = json!({
        "message": message(reason, detail), "logref": null, "path": null, "_links": {}, "_embedded": {}
    });
    let body = json!({
        "message": reason, "logref": null, "path": null, "_links": links, "_embedded": { "errors": [inner] }
    });
    Reply::bare(status, reason).header("Content-Type", "application/json").with_body(body.to_string())
}

fn link(href: &str) -> Value {
    json!({ "self": {
        "href": href, "templated": false, "profile": null, "deprecation": null,
        "title": null, "hreflang": null, "type": null, "name": null
    } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::Body;

    #[test]
    fn the_two_forms_of_an_error() {
        let error = Error::new(Kind::NotFound { matched: false }, "", "/nope?x=1");
        let said = |version| {
            let answers = crate::profile::Profile::named(version).unwrap().answers();
            let reply = error.reply(answers, false, String::new);
            let answer = reply.finish(
                &crate::management::Request::get("/nope?x=1", crate::time::Instant::START),
                jiff::Timestamp::UNIX_EPOCH,
                answers,
                &crate::management::Packer::default(),
            );
            let Body::Sized(body) = answer.body else { panic!("a body") };
            (answer.headers.len(), String::from_utf8(body).unwrap())
        };
        let (headers, json) = said("1.3");
        assert!(headers == 3 && json.contains(r#""href":"/nope?x=1""#), "{headers} {json}");
        let (headers, problem) = said("2.0");
        let recorded = r#"{"type":"https://kestra.io/docs/api-reference/problems/not-found","title":"Resource not found","status":404,"detail":"Resource not found","instance":"/nope"}"#;
        assert_eq!((headers, problem.as_str()), (8, recorded));
    }
}
