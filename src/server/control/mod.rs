//! The control port: clock, faults, journal, discovery, every member, and any instant.

mod alerts;
mod body;
mod events;
mod executions;
pub(super) mod faults;
mod host;
mod jump;
mod lines;
mod members;
mod notifications;
mod openapi;
mod operations;
mod page;
mod problem;
mod timeline;
mod visitors;

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::clock::{Deadline, SPEEDS};
use super::listener::DoorSign;
use super::world::{Shared, World};
use crate::scenario::{self, Plan};
use crate::simulator::{JournalEntry, Port, Simulation};
use crate::time::{Duration, Instant};
use body::{Content, field, keys};
pub(super) use events::LISTENERS;
pub(super) use executions::execute;
pub(super) use jump::{Work, go_there};
#[cfg(any(feature = "cli", feature = "internals"))]
pub use openapi::openapi;
use operations::shapes;
pub(super) use problem::{Answered, Refusal};

/// Bytes of a request body.
const MAX_BODY: usize = 1 << 20;

type App = State<Arc<Shared>>;

/// Serves the control port, until the server ends and those who are being answered are answered.
pub(super) async fn run(shared: Arc<Shared>, socket: std::net::TcpListener) {
    let Ok(socket) = TcpListener::from_std(socket) else { return };
    let names = host::Names::of(&shared.options);
    let mut phase = shared.phase.subscribe();
    let app = operations::router()
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn(same_origin))
        .layer(axum::middleware::from_fn_with_state(names, host::known))
        .layer(axum::middleware::from_fn(visitors::busy))
        .with_state(shared);
    let over = async move { _ = phase.wait_for(|phase| phase.over()).await };
    let app = app.into_make_service_with_connect_info::<visitors::Who>();
    let _ = axum::serve(visitors::Visitors::at(socket), app).with_graceful_shutdown(over).await;
}

async fn unknown_path(uri: Uri) -> Refusal {
    let advice = "see /api/openapi.json for all there is: /api/state, /api/faults, /api/executions, /api/notifications, /api/alerts, /api/journal, /api/events, /api/scenario, /sd, /metrics, /members/{name}/...";
    Refusal::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()), advice)
}

async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let advice = "reading is GET, changing is POST, clearing a fault is DELETE";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not understand {method}", uri.path()), advice)
}

/// A page of another site must not change anything here through somebody's browser.
async fn same_origin(request: HttpRequest, next: Next) -> Response {
    match foreign_origin(request.method(), request.headers()) {
        Some(origin) => {
            let advice = "send it without the header Origin, or from the mock's own page";
            Refusal::new(StatusCode::FORBIDDEN, format!("a page of {origin} may not change this"), advice)
                .into_response()
        }
        None => next.run(request).await,
    }
}

/// The origin of a request that would change something, when it is not the mock's own page.
fn foreign_origin(method: &Method, headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = text(header::ORIGIN).filter(|_| !reads)?;
    let own = text(header::HOST) == origin.split_once("://").map(|(_, host)| host);
    (!own).then(|| origin.to_owned())
}

/// The parameters of a request, decoded.
fn parameters(uri: &Uri) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let parts = uri.query().unwrap_or("").split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, it)| (decoded(name), decoded(it)))
        .collect()
}

fn parameter(uri: &Uri, name: &str) -> Option<String> {
    parameters(uri).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

fn seconds(at: Instant) -> f64 {
    at.as_nanoseconds() as f64 / crate::time::SECOND as f64
}

fn port_text(port: Port) -> &'static str {
    match port {
        Port::Open => "open",
        Port::Refused => "refused",
        Port::Frozen => "hangs",
        Port::Closing => "closing",
    }
}

/// The cluster at an instant.
fn cluster(shared: &Shared, simulation: &Simulation) -> Value {
    let members: Vec<Value> = simulation
        .members()
        .iter()
        .zip(&shared.addresses.members)
        .map(|(member, address)| {
            json!({
                "name": address.name,
                "role": address.role,
                "port": if member.is_away() { "away" } else { port_text(member.port()) },
                "process": member.life() + 1,
                "stopping": member.process().is_some_and(|process| process.shutdown().is_some()),
                "running": member.running(),
                "pending": member.pending(),
                "management": format!("http://{}:{}", address.host, address.management),
                "application": format!("http://{}:{}", address.host, address.application),
            })
        })
        .collect();
    let faults: Vec<Value> = simulation.faults().iter().map(|fault| faults::describe(fault, simulation)).collect();
    let truth = simulation.truth();
    json!({
        "scenario": simulation.plan().name,
        "summary": simulation.plan().summary,
        "seed": simulation.seed().0,
        "time": simulation.now().to_string(),
        "seconds": seconds(simulation.now()),
        "date": simulation.calendar().date(simulation.now()).to_string(),
        "members": members,
        "faults": faults,
        "executions": { "created": truth.created, "ended": truth.ended_in_all(), "live": truth.live },
        "events": simulation.events(),
    })
}

fn whole_state(shared: &Shared, world: &World) -> Value {
    let mut state = cluster(shared, world.session.simulation());
    state["clock"] = json!({
        "speed": world.clock.speed(),
        "paused": world.clock.is_paused(),
        "run_until": world.clock.until().map(|at| at.to_string()),
        "jump": world.jump.map(|at| at.to_string()),
        "behind": world.behind,
        "lost": world.lost.rounded().to_string(),
    });
    for (member, doors) in shared.doors.iter().enumerate() {
        if doors.iter().any(DoorSign::is_lost) {
            state["members"][member]["port"] = json!("taken by another process");
        }
    }
    state["resets"] = json!(world.resets);
    state["limit"] = json!(world.limit.as_ref().map(ToString::to_string));
    state
}

async fn state(State(shared): App, uri: Uri) -> Answered<Json<Value>> {
    match parameter(&uri, "at") {
        None => state_now(&shared),
        Some(at) => at_instant(shared, &at, cluster).await.map(Json),
    }
}

fn state_now(shared: &Shared) -> Answered<Json<Value>> {
    Ok(Json(whole_state(shared, &*shared.world()?)))
}

/// Looks at any instant, past or to come, as this session has made it.
async fn at_instant<T: Send + 'static>(
    shared: Arc<Shared>,
    text: &str,
    look: impl FnOnce(&Shared, &Simulation) -> T + Send + 'static,
) -> Answered<T> {
    let at = time(text)?;
    let born = shared.world()?.session.simulation().born();
    if at < born {
        let message = format!("{at} is before the life of this cluster, which began at {born}");
        return Err(Refusal::bad(
            message,
            format!("ask for {born} or later; `serve --history 24h` lets it have lived longer"),
        ));
    }
    // A look far away is work for minutes: whoever asks is answered in time, and a few at a time are enough.
    let end = Deadline::after(LOOKS);
    let given_up = |()| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the look was given up", "ask again");
    let work = Work::default();
    let gone = work.watch();
    let turn = tokio::time::timeout_at(end.instant(), shared.looks.clone().acquire_owned()).await;
    let busy = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "others look at other instants", "ask again");
    let turn = turn.map_err(busy)?.map_err(|_| given_up(()))?;
    let looking = move || {
        let _turn = turn;
        let way = shared.world()?.session.way_to(at);
        let found = way.go(&|| !gone() && shared.serving() && !end.is_over());
        let found = found.map_err(|limit| Refusal::bad(limit, "ask for an earlier instant"))?;
        let (there, came_to) = (found.there, found.simulation.now());
        let result = there.then(|| look(&shared, &found.simulation));
        shared.world()?.session.learn(found.passed);
        result.ok_or_else(|| too_far(at, came_to))
    };
    tokio::task::spawn_blocking(looking).await.map_err(|_| given_up(()))?
}

/// Real time that a look at another instant has.
const LOOKS: std::time::Duration = std::time::Duration::from_millis(800);

fn too_far(at: Instant, came_to: Instant) -> Refusal {
    let ms = LOOKS.as_millis();
    let message = format!("the way to {at} is longer than {ms} ms of work: it came to {}", came_to.rounded());
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        message,
        "ask again: it goes on from there while nothing is changed, but where notifications are sent (--no-send)",
    )
}

fn time(text: &str) -> Answered<Instant> {
    let at = scenario::read_time(text).map_err(|advice| Refusal::bad(format!("`{text}` is no time"), advice))?;
    if at > Instant::START + scenario::limits::DURATION {
        return Err(Refusal::bad(format!("{at} is too far away"), "ask for a time up to 400d"));
    }
    Ok(at)
}

async fn pause(State(shared): App, Content(body): Content) -> Answered<Json<Value>> {
    drop(shared.world()?);
    keys(&body, &shapes::NONE)?;
    shared.change(World::pause)?;
    state_now(&shared)
}

async fn resume(State(shared): App, Content(body): Content) -> Answered<Json<Value>> {
    drop(shared.world()?);
    keys(&body, &shapes::NONE)?;
    shared.change(|world| world.clock.resume())?;
    state_now(&shared)
}

async fn speed(State(shared): App, Content(body): Content) -> Answered<Json<Value>> {
    let body = keys(&body, &shapes::SPEED)?;
    let value = field(&body, "speed", &shapes::SPEED)?;
    let speed = value.as_f64().filter(|speed| SPEEDS.contains(speed));
    let advice = format!("send a number from {} to {}", SPEEDS.start(), SPEEDS.end());
    let speed = speed.ok_or_else(|| Refusal::bad(format!("{value} is no speed"), advice))?;
    shared.change(|world| world.clock.set_speed(speed))?;
    state_now(&shared)
}

/// How long who listens to the journal is kept waiting at most, and how often it is looked whether there is something new.
const LISTENS: Duration = Duration::seconds(60);
const LISTENS_EACH: std::time::Duration = std::time::Duration::from_millis(50);

/// The journal, from line number `since` on; with `wait` not before there is something, or so much real time is over. After
/// a reset its lines are counted from 0 again: `resets` tells.
async fn journal(State(shared): App, uri: Uri) -> Answered<Json<Value>> {
    let since = parameter(&uri, "since").map_or(Ok(0), |text| {
        let advice = "send the number that `next` told";
        text.parse::<u64>().map_err(|_| Refusal::bad(format!("`{text}` is no number of a line"), advice))
    })?;
    let wait = parameter(&uri, "wait").map(|text| {
        let advice = crate::time::DURATION_ADVICE;
        text.parse::<Duration>().map_err(|_| Refusal::bad(format!("`{text}` is no duration"), advice))
    });
    if let Some(wait) = wait.transpose()? {
        let resets = shared.world()?.resets;
        let quiet = |world: &World| world.resets == resets && world.session.simulation().journal().next() <= since;
        let news = async {
            while shared.serving() && shared.world().is_ok_and(|world| quiet(&world)) {
                tokio::time::sleep(LISTENS_EACH).await;
            }
        };
        // Over without news is an answer too: nothing.
        let _ = tokio::time::timeout(std::time::Duration::from_nanos(wait.min(LISTENS).as_nanoseconds()), news).await;
    }
    let world = shared.world()?;
    Ok(Json(told(&world, since)))
}

/// What happened from a number on.
fn told(world: &World, since: u64) -> Value {
    let (journal, plan) = (world.session.simulation().journal(), world.session.plan());
    let lines: Vec<Value> = journal.since(since).map(|line| journal_line(line, plan)).collect();
    let dropped = journal.dropped().saturating_sub(since);
    json!({ "resets": world.resets, "dropped": dropped, "next": journal.next(), "lines": lines })
}

/// A line of the journal.
fn journal_line(line: &JournalEntry, plan: &Plan) -> Value {
    let member = line.what.member().and_then(|member| plan.cluster.members.get(member));
    json!({
        "at": line.at.rounded().to_string(),
        "seconds": seconds(line.at),
        "kind": line.what.kind(),
        "member": member.map(|member| member.name.as_str()),
        "text": line.text(plan),
    })
}

async fn reset(State(shared): App, Content(body): Content) -> Answered<Json<Value>> {
    drop(shared.world()?);
    keys(&body, &shapes::NONE)?;
    shared.change(World::reset)?;
    state_now(&shared)
}

/// What was done in this session, as a scenario that does it again.
async fn saved(State(shared): App) -> Answered<Response> {
    let text = shared.world()?.session.save();
    Ok(([(header::CONTENT_TYPE, "application/yaml; charset=utf-8")], text).into_response())
}

async fn health(State(shared): App) -> Answered<Json<Value>> {
    shared.world()?;
    Ok(Json(json!({ "status": "UP" })))
}

/// Targets for Prometheus's `http_sd_configs`. Who listens on every address, as in a container, is reached by the host that
/// the request itself has reached, unless a host was given.
async fn discovery(State(shared): App, headers: HeaderMap) -> Answered<Json<Value>> {
    let world = shared.world()?;
    let path = world.session.plan().settings.at("/prometheus");
    let everywhere = shared.options.advertise.is_none() && shared.options.bind.is_unspecified();
    let asked = host::asked(&headers).filter(|_| everywhere);
    let targets: Vec<Value> = shared
        .addresses
        .members
        .iter()
        .zip(world.session.simulation().members())
        .filter(|(_, member)| !member.is_away())
        .map(|(member, it)| {
            let port = if it.at_wrong_port() { member.application } else { member.management };
            json!({
                "targets": [format!("{}:{port}", asked.unwrap_or(&member.host))],
                "labels": {
                    "__metrics_path__": path,
                    "job": "kestra",
                    "instance": format!("{}:8081", member.name),
                    "role": member.role,
                },
            })
        })
        .collect();
    Ok(Json(Value::from(targets)))
}

async fn own_metrics(State(shared): App) -> Answered<Response> {
    let text = shared.metrics.text(&*shared.world()?);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
