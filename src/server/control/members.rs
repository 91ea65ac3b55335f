//! Every member through the control port, at any instant.

use std::time::Duration as Real;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;

use super::body::Content;
use super::{Answered, App, Refusal, at_instant};
use crate::document;
use crate::management::{self, Listener, Outcome, Request};
use crate::server::connection::Encoded;
use crate::server::world::{Reply, Shared};

/// How long a request waits for a member that hangs.
const PATIENCE: Real = Real::from_secs(35);

/// Any request to a member, through the control port; with `?at=` at any instant.
pub(super) async fn member(
    State(shared): App,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Content(body): Content,
) -> Answered<Response> {
    let rest = uri.path().strip_prefix("/members/").unwrap_or_default();
    let (name, path) = rest.split_once('/').unwrap_or((rest, ""));
    let Some(index) = shared.addresses.members.iter().position(|member| member.name == name) else {
        let advice = document::instead(name, shared.addresses.members.iter().map(|member| member.name.as_str()));
        return Err(Refusal::new(StatusCode::NOT_FOUND, format!("no member is called `{name}`"), advice));
    };
    let (query, at) = without_at(uri.query().unwrap_or(""));
    let request = Request {
        listener: Listener::Management,
        method: method.to_string(),
        target: if query.is_empty() { format!("/{path}") } else { format!("/{path}?{query}") },
        http10: false,
        headers: headers
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding"))
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: body.to_vec(),
        arrived: shared.world()?.session.now(),
    };
    let name = name.to_owned();
    if let Some(at) = at {
        if !matches!(method, Method::GET | Method::HEAD) {
            return Err(Refusal::bad(
                "another instant can only be looked at",
                "leave `at` out to change something now",
            ));
        }
        let outcome = at_instant(shared, &at, move |_, simulation| {
            let request = Request { arrived: simulation.now(), ..request };
            management::answer_in_time(&request, simulation, index)
        });
        return match outcome.await? {
            Outcome::Answer(answer) => pass_on(&answer),
            Outcome::Refused | Outcome::Reset => Err(unreachable_member(&name)),
            Outcome::Wait(_) | Outcome::Hang => Err(hanging_member(&name)),
        };
    }
    now(&shared, index, &request, &name).await
}

/// The answer of a member at the current instant, when it gives one.
async fn now(shared: &Shared, index: usize, request: &Request, name: &str) -> Answered<Response> {
    let mut changes = shared.changes.subscribe();
    let give_up = tokio::time::sleep(PATIENCE);
    tokio::pin!(give_up);
    loop {
        // A broken model is told by words of its own.
        drop(shared.world()?);
        if !shared.serving() {
            return Err(hanging_member(name));
        }
        match shared.answer(index, request) {
            Reply::Send(encoded) => {
                shared.answered(index, request, Ok(encoded.status));
                return from_bytes(&encoded);
            }
            Reply::Reset => return Err(unreachable_member(name)),
            Reply::Later(wait) => {
                let wait = tokio::time::sleep(wait.unwrap_or(PATIENCE).max(Real::from_millis(1)));
                tokio::select! {
                    () = wait => {}
                    _ = changes.changed() => {}
                    () = &mut give_up => return Err(hanging_member(name)),
                }
            }
        }
    }
}

/// The query without `at`, and its value.
fn without_at(query: &str) -> (String, Option<String>) {
    let (mut rest, mut at) = (Vec::new(), None);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.strip_prefix("at=") {
            Some(value) => at = Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned()),
            None => rest.push(part),
        }
    }
    (rest.join("&"), at)
}

fn unreachable_member(name: &str) -> Refusal {
    let advice = "this is what its clients see; /api/state tells why";
    Refusal::new(StatusCode::BAD_GATEWAY, format!("{name} refuses or resets connections"), advice)
}

fn hanging_member(name: &str) -> Refusal {
    let advice = "this is what its clients see; /api/state tells why";
    Refusal::new(StatusCode::GATEWAY_TIMEOUT, format!("{name} does not answer"), advice)
}

fn from_bytes(encoded: &Encoded) -> Answered<Response> {
    encoded
        .answer
        .as_ref()
        .map_or_else(|| Err(Refusal::new(StatusCode::BAD_GATEWAY, "an answer that cannot be passed on", "")), pass_on)
}

/// A member's answer as one of the control port: the same status, headers and body, but for what concerns the connection.
fn pass_on(answer: &management::Answer) -> Answered<Response> {
    let body = match &answer.body {
        management::Body::None => Vec::new(),
        management::Body::Sized(body) | management::Body::Chunked(body) => body.clone(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in &answer.headers {
        let name = name.to_ascii_lowercase();
        if matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding" | "date") {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}
