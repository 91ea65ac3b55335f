//! The operations of the control port, each said once: from them its router is made, and the document that describes it.

pub(super) mod shapes;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::handler::Handler;
use axum::http::Uri;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, delete, get, post};

use super::parameters;
use super::problem::Refusal;
use crate::document::{self, Field, Kind};
use crate::server::world::Shared;

pub(super) use table::OPERATIONS;

/// By which method something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// It reads; HEAD does too.
    Get,
    /// It changes something.
    Post,
    /// It takes something back.
    Delete,
    /// Whatever the member makes of it; its parameters are the member's too.
    Any,
}

impl Verb {
    /// A route of this method.
    fn at<H: Handler<T, Arc<Shared>>, T: 'static>(self, handler: H) -> MethodRouter<Arc<Shared>> {
        match self {
            Verb::Get => get(handler),
            Verb::Post => post(handler),
            Verb::Delete => delete(handler),
            Verb::Any => any(handler),
        }
    }
}

/// The body that a request takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// Its keys; no others are taken.
    pub(super) fields: &'static [Field],
    /// A body that is taken; empty where there is nothing to say.
    pub(super) example: &'static str,
    /// It may be left out.
    pub(super) optional: bool,
}

/// What a request takes beside its parameters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// No body.
    Nothing,
    /// A small JSON object.
    Json(&'static Form),
    /// A fault, as a timeline has it, in JSON or YAML.
    Fault,
    /// What the member takes.
    Anything,
}

/// What is in an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// JSON of this shape.
    Json(&'static Kind),
    /// Text, in one of these content types.
    Text(&'static [&'static str]),
    /// A mapping in YAML, of this content type.
    Yaml(&'static str),
    /// A problem document.
    Problem,
    /// What the member answers.
    Anything,
}

/// One answer that there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// Its status; 0 is every other one.
    pub(super) status: u16,
    pub(super) content: Content,
    /// What it means.
    pub(super) doc: &'static str,
}

/// Something that can be asked of the control port.
pub(super) struct Operation {
    pub(super) verb: Verb,
    /// With its variable parts in braces.
    pub(super) path: &'static str,
    /// Its name in clients that are made from the document.
    pub(super) name: &'static str,
    /// What it does, a sentence.
    pub(super) summary: &'static str,
    /// The variable parts of its path.
    pub(super) variables: &'static [Field],
    /// Parameters of its query.
    pub(super) query: &'static [Field],
    pub(super) takes: Takes,
    /// Its answers, beside those that any request may have: [`Operation::answers`].
    pub(super) own: &'static [Told],
    pub(super) serve: fn(Verb) -> MethodRouter<Arc<Shared>>,
}

/// An unreadable request: any may be.
const BAD: Told = problem(400, "The request cannot be read; `detail` says why, and `advice` what to send instead.");
/// [`super::host`] and [`super::same_origin`].
const FOREIGN: Told =
    problem(403, "It comes from a page of another site, or asks by a name that is not this machine's.");
/// [`super::body::Content`].
const LARGE: Told = problem(413, "The body is larger than 1 MiB.");

/// A problem that is told.
const fn problem(status: u16, doc: &'static str) -> Told {
    Told { status, content: Content::Problem, doc }
}

impl Operation {
    /// All answers that there may be.
    pub(super) fn answers(&self) -> impl Iterator<Item = Told> {
        let large = (!matches!(self.takes, Takes::Nothing)).then_some(LARGE);
        self.own.iter().copied().chain([BAD, FOREIGN]).chain(large)
    }
}

/// The routes of all operations.
pub(super) fn router() -> Router<Arc<Shared>> {
    OPERATIONS.iter().fold(Router::new(), |router, operation| {
        let route = (operation.serve)(operation.verb);
        let route = match operation.verb {
            Verb::Any => route,
            _ => route.route_layer(middleware::from_fn_with_state(operation, known_parameters)),
        };
        router.route(operation.path, route)
    })
}

/// A parameter that nobody reads is a mistake of whoever sends it: `?sinse=5` must not be answered as if it were not there.
async fn known_parameters(State(operation): State<&'static Operation>, request: HttpRequest, next: Next) -> Response {
    match unknown_parameter(operation, request.uri()) {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    }
}

/// What is wrong with the parameters of a request, if anything is.
fn unknown_parameter(operation: &Operation, uri: &Uri) -> Option<Refusal> {
    let known = || operation.query.iter().map(|field| field.key);
    let given = parameters(uri);
    for (index, (name, _)) in given.iter().enumerate() {
        if known().all(|known| known != name) {
            let advice = match operation.query {
                [] => "leave it out".to_owned(),
                _ => document::instead(name, known()),
            };
            return Some(Refusal::bad(format!("`{name}` is no parameter of {}", uri.path()), advice));
        }
        if given[..index].iter().any(|(before, _)| before == name) {
            return Some(Refusal::bad(format!("`{name}` is given more than once"), "send one of them"));
        }
    }
    None
}
