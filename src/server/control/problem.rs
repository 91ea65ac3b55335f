//! What is wrong with a request: a problem document (RFC 9457), always with what to send instead.

use std::fmt::Display;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::document::{Diagnostic, Field, Kind, Severity};
use crate::server::world::Broken;

/// The content type of a problem document.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// One thing that is wrong with a body.
const ERROR: &[Field] = &[
    Field::required("detail", Kind::String, "`kil` is no key of an entry of the timeline", "What is wrong."),
    Field::new("advice", Kind::String, "did you mean `kill`?", "What to write instead."),
    Field::required("line", Kind::Whole, "1", "The line of the body, from 1."),
    Field::required("column", Kind::Whole, "3", "The character of the line, from 1; 0 before its first one."),
];

/// A problem document: the members of RFC 9457, what to send instead, and where in the body what is wrong.
pub(super) const PROBLEM: Kind = Kind::Object(&[
    Field::required("type", Kind::String, "about:blank", "The status says what kind of problem it is."),
    Field::required("title", Kind::String, "Bad Request", "The status in words."),
    Field::required("status", Kind::Whole, "400", "The status."),
    Field::required("detail", Kind::String, "`later` is no time", "What is wrong with this request."),
    Field::required("advice", Kind::String, "write 12m or 1h30m", "What to send instead, or where to look."),
    Field::new(
        "errors",
        Kind::List(&Kind::Object(ERROR)),
        "[]",
        "Each thing that is wrong with the body, by its place.",
    ),
]);

/// What is wrong with a request: always the same shape.
#[derive(Debug)]
pub(in crate::server) struct Refusal {
    status: StatusCode,
    message: String,
    advice: String,
    /// What is wrong with the body, by its place.
    errors: Vec<Value>,
}

/// The answer to a request, or what is wrong with it.
pub(in crate::server) type Answered<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Display, advice: impl Display) -> Refusal {
        Refusal { status, message: message.to_string(), advice: advice.to_string(), errors: Vec::new() }
    }

    /// What is wrong, and what to do instead.
    pub(in crate::server) fn words(&self) -> (&str, &str) {
        (&self.message, &self.advice)
    }

    pub(super) fn bad(message: impl Display, advice: impl Display) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message, advice)
    }

    /// A body that is no JSON.
    pub(super) fn no_json(error: &serde_json::Error, advice: &str) -> Refusal {
        let place = json!({ "detail": error.to_string(), "line": error.line(), "column": error.column() });
        Refusal { errors: vec![place], ..Refusal::bad(format!("the body is no JSON: {error}"), advice) }
    }

    /// The same with each error of a body by its place.
    pub(super) fn at(self, diagnostics: &[Diagnostic]) -> Refusal {
        let wrong = diagnostics.iter().filter(|it| it.severity == Severity::Error);
        let told = |it: &Diagnostic| {
            let (line, column) = it.place.line_and_column();
            let mut told = json!({ "detail": it.what, "line": line, "column": column });
            if let Some(advice) = &it.advice {
                told["advice"] = json!(advice);
            }
            told
        };
        Refusal { errors: wrong.map(told).collect(), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal { status, message, advice, errors } = self;
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": message,
            "advice": advice,
        });
        if !errors.is_empty() {
            body["errors"] = Value::Array(errors);
        }
        (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body.to_string()).into_response()
    }
}

impl From<Broken> for Refusal {
    fn from(_: Broken) -> Refusal {
        let message = "the model has panicked: what it would say since is worth nothing";
        let advice = "this is a mistake of mock-kestra, standard error tells where; start it again";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message, advice)
    }
}
