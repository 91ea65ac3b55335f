//! The control port: clock, faults, journal, discovery, every member, and any instant.

mod members;

use std::fmt::Display;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::clock::SPEEDS;
use super::world::{self, Shared, World};
use crate::document;
use crate::scenario;
use crate::simulator::{Command, JournalEntry, Port, Simulation, limits as simulator_limits};
use crate::time::{Duration, Instant};

/// Bytes of a request body.
const MAX_BODY: usize = 1 << 20;
/// How far time moves at once, before others get their turn.
const JUMP_STEP: Duration = Duration::minutes(60);

type App = State<Arc<Shared>>;

/// Serves the control port.
pub(super) async fn run(shared: Arc<Shared>, socket: TcpListener) {
    let app = Router::new()
        .route("/", get(page))
        .route("/api/state", get(state))
        .route("/api/pause", post(pause))
        .route("/api/resume", post(resume))
        .route("/api/speed", post(speed))
        .route("/api/advance", post(advance))
        .route("/api/run-until", post(run_until))
        .route("/api/faults", get(faults).post(inject))
        .route("/api/faults/{name}", delete(clear))
        .route("/api/journal", get(journal))
        .route("/api/reset", post(reset))
        .route("/sd", get(discovery))
        .route("/metrics", get(own_metrics))
        .route("/health", get(|| async { Json(json!({ "status": "UP" })) }))
        .route("/members/{name}", any(members::member))
        .route("/members/{name}/", any(members::member))
        .route("/members/{name}/{*path}", any(members::member))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(axum::middleware::from_fn(same_origin))
        .with_state(shared);
    // The listener only ends with the process.
    let _ = axum::serve(socket, app).await;
}

/// What is wrong with a request: always the same shape.
struct Refusal {
    status: StatusCode,
    message: String,
    advice: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Display, advice: impl Display) -> Refusal {
        Refusal { status, message: message.to_string(), advice: advice.to_string() }
    }

    fn bad(message: impl Display, advice: impl Display) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message, advice)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal { status, message, advice } = self;
        (status, Json(json!({ "error": { "status": status.as_u16(), "message": message, "advice": advice } })))
            .into_response()
    }
}

type Answered<T> = Result<T, Refusal>;

async fn unknown_path(uri: Uri) -> Refusal {
    let advice = "see / for what there is: /api/state, /api/faults, /api/journal, /sd, /metrics, /members/{name}/...";
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
                "port": port_text(member.port()),
                "process": member.life() + 1,
                "stopping": member.process().is_some_and(|process| process.shutdown().is_some()),
                "running": member.running(),
                "pending": member.pending(),
                "management": format!("http://{}:{}", address.host, address.management),
                "application": format!("http://{}:{}", address.host, address.application),
            })
        })
        .collect();
    let faults: Vec<Value> = simulation.faults().iter().map(|fault| describe(fault, simulation)).collect();
    let truth = simulation.truth();
    json!({
        "scenario": simulation.plan().name,
        "summary": simulation.plan().summary,
        "seed": shared.seed.0,
        "time": simulation.now().to_string(),
        "seconds": seconds(simulation.now()),
        "date": simulation.calendar().date(simulation.now()).to_string(),
        "members": members,
        "faults": faults,
        "executions": { "created": truth.created, "ended": truth.ended_in_all(), "live": truth.live },
        "events": simulation.events(),
    })
}

fn describe(fault: &crate::simulator::ActiveFault, simulation: &Simulation) -> Value {
    json!({
        "name": fault.entry.name,
        "what": fault.entry.fault.sentence(simulation.plan()),
        "since": fault.since.to_string(),
        "ends": fault.ends().map(|at| at.to_string()),
    })
}

fn whole_state(shared: &Shared, world: &World) -> Value {
    let mut state = cluster(shared, &world.simulation);
    state["clock"] = json!({
        "speed": world.clock.speed(),
        "paused": world.clock.paused(),
        "run_until": world.clock.until().map(|at| at.to_string()),
    });
    state["limit"] = json!(world.limit.as_ref().map(ToString::to_string));
    state
}

#[derive(Deserialize)]
struct At {
    at: Option<String>,
}

async fn state(State(shared): App, Query(query): Query<At>) -> Answered<Json<Value>> {
    match query.at {
        None => Ok(Json(whole_state(&shared, &shared.world()))),
        Some(at) => at_instant(shared, &at, cluster).await.map(Json),
    }
}

/// Looks at any instant, past or to come, as this session has made it.
async fn at_instant<T: Send + 'static>(
    shared: Arc<Shared>,
    text: &str,
    look: impl FnOnce(&Shared, &Simulation) -> T + Send + 'static,
) -> Answered<T> {
    let at = time(text)?;
    // A look far away is work for seconds; a few at a time are enough.
    let gone = |()| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the look was given up", "ask again");
    let _turn = shared.looks.clone().acquire_owned().await.map_err(|_| gone(()))?;
    let work = move || {
        let commands = shared.world().commands.clone();
        let mut simulation = Simulation::new(shared.plan.clone(), shared.seed, shared.calendar);
        let replayed = commands.into_iter().filter(|(when, _)| *when <= at).try_for_each(|(when, command)| {
            simulation.advance(when)?;
            // What could be done then can be done again.
            let _ = simulation.command(command);
            Ok(())
        });
        replayed
            .and_then(|()| simulation.advance(at))
            .map_err(|limit| Refusal::bad(limit, "ask for an earlier instant"))
            .map(|()| look(&shared, &simulation))
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| gone(()))?
}

fn time(text: &str) -> Answered<Instant> {
    let at = scenario::read_time(text).map_err(|advice| Refusal::bad(format!("`{text}` is no time"), advice))?;
    if at > Instant::START + scenario::limits::DURATION {
        return Err(Refusal::bad(format!("{at} is too far away"), "ask for a time up to 400d"));
    }
    Ok(at)
}

/// The one field of a small JSON body.
fn field(body: &Bytes, name: &str, example: &str) -> Answered<Value> {
    let example = format!("send the JSON {{\"{name}\": {example}}}");
    let object: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("the body is no JSON: {error}"), &example))?;
    match object.get(name) {
        Some(value) => Ok(value.clone()),
        None => Err(Refusal::bad(format!("the body has no \"{name}\""), &example)),
    }
}

async fn pause(State(shared): App) -> Json<Value> {
    shared.change(|world| world.clock.pause());
    Json(whole_state(&shared, &shared.world()))
}

async fn resume(State(shared): App) -> Json<Value> {
    shared.change(|world| world.clock.resume());
    Json(whole_state(&shared, &shared.world()))
}

async fn speed(State(shared): App, body: Bytes) -> Answered<Json<Value>> {
    let value = field(&body, "speed", "10")?;
    let speed = value.as_f64().filter(|speed| SPEEDS.contains(speed));
    let advice = format!("send a number from {} to {}", SPEEDS.start(), SPEEDS.end());
    let speed = speed.ok_or_else(|| Refusal::bad(format!("{value} is no speed"), advice))?;
    shared.change(|world| world.clock.set_speed(speed));
    Ok(Json(whole_state(&shared, &shared.world())))
}

/// Moves time forward at once, however far.
async fn jump(shared: Arc<Shared>, to: impl FnOnce(&World) -> Instant + Send + 'static) -> Answered<Json<Value>> {
    let work = move || {
        let to = to(&shared.world());
        if to > Instant::START + scenario::limits::DURATION {
            return Err(Refusal::bad(format!("{to} is too far away"), "go up to 400d"));
        }
        let now = shared.world().simulation.now();
        if to < now {
            return Err(Refusal::bad(
                format!("{to} is past, it is {} now", now.rounded()),
                "POST /api/reset goes back to the start; ?at= shows the past",
            ));
        }
        // Step by step, so that others are answered meanwhile.
        loop {
            let there = shared.change(|world| {
                let step = to.min(world.simulation.now() + JUMP_STEP).max(world.simulation.now());
                world.clock.jump(step);
                world.advance(step);
                step >= to || world.limit.is_some()
            });
            if there {
                return Ok(Json(whole_state(&shared, &shared.world())));
            }
        }
    };
    let gone = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the jump was given up", "ask for the state");
    tokio::task::spawn_blocking(work).await.map_err(gone)?
}

async fn advance(State(shared): App, body: Bytes) -> Answered<Json<Value>> {
    let value = field(&body, "by", "\"5m\"")?;
    let by = value.as_str().map(str::parse::<Duration>);
    let Some(Ok(by)) = by else {
        return Err(Refusal::bad(format!("{value} is no duration"), crate::time::DURATION_ADVICE));
    };
    jump(shared, move |world| world.simulation.now() + by).await
}

/// Runs at the clock's speed until an instant and pauses there; with `"now": true` it is there at once.
async fn run_until(State(shared): App, body: Bytes) -> Answered<Json<Value>> {
    let value = field(&body, "at", "\"12m\"")?;
    let at = time(value.as_str().unwrap_or(&value.to_string()))?;
    let at_once = serde_json::from_slice::<Value>(&body).is_ok_and(|body| body["now"] == json!(true));
    if at_once {
        let state = jump(shared.clone(), move |_| at).await?;
        shared.change(|world| world.clock.pause());
        return Ok(state);
    }
    shared.change(|world| {
        if at <= world.simulation.now() {
            let message = format!("{at} is past, it is {} now", world.simulation.now().rounded());
            return Err(Refusal::bad(message, "name a later time"));
        }
        world.clock.run_until(at);
        Ok(())
    })?;
    Ok(Json(whole_state(&shared, &shared.world())))
}

async fn faults(State(shared): App) -> Json<Value> {
    let world = shared.world();
    let faults: Vec<Value> = world.simulation.faults().iter().map(|fault| describe(fault, &world.simulation)).collect();
    Json(json!({ "faults": faults }))
}

/// A fault as an entry of a timeline, in JSON or YAML; it begins now.
async fn inject(State(shared): App, body: Bytes) -> Answered<Response> {
    let text = String::from_utf8_lossy(&body).into_owned();
    let injected = shared.change(|world| {
        let now = world.simulation.now();
        let mut entry = scenario::read_fault(&text, &shared.plan, now).map_err(|diagnostics| {
            let told: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.what.clone()).collect();
            let advice: Vec<String> = diagnostics.iter().filter_map(|diagnostic| diagnostic.advice.clone()).collect();
            let advice = match advice.is_empty() {
                true => document::render(&diagnostics),
                false => advice.join("; "),
            };
            Refusal::bad(told.join("; "), advice)
        })?;
        if world.simulation.faults().len() >= simulator_limits::FAULTS || world.commands.len() >= world::MAX_COMMANDS {
            return Err(Refusal::bad("there are too many faults in this session", "POST /api/reset begins anew"));
        }
        let taken = |name: &str| {
            let active = world.simulation.faults().iter().any(|fault| fault.entry.name == name);
            active || shared.plan.timeline.iter().any(|planned| planned.name == name)
        };
        let written = entry.name.clone();
        let mut number = 2;
        while taken(&entry.name) {
            entry.name = format!("{written}-{number}");
            number += 1;
        }
        let answer = json!({
            "name": entry.name,
            "what": entry.fault.sentence(&shared.plan),
            "at": now.to_string(),
            "ends": entry.lasts.map(|lasts| (now + lasts).to_string()),
        });
        world.command(Command::Inject(entry));
        Ok(answer)
    })?;
    Ok((StatusCode::CREATED, Json(injected)).into_response())
}

async fn clear(State(shared): App, Path(name): Path<String>) -> Answered<Json<Value>> {
    shared.change(|world| {
        let names: Vec<String> = world.simulation.faults().iter().map(|fault| fault.entry.name.clone()).collect();
        if !names.contains(&name) {
            let known = if names.is_empty() {
                "none is in force".to_owned()
            } else {
                format!("in force are {}", names.join(", "))
            };
            return Err(Refusal::new(StatusCode::NOT_FOUND, format!("no fault in force is called `{name}`"), known));
        }
        world.command(Command::Clear(name.clone()));
        Ok(())
    })?;
    Ok(Json(json!({ "cleared": name })))
}

#[derive(Deserialize)]
struct Since {
    since: Option<u64>,
}

/// The journal, from line `since` on.
async fn journal(State(shared): App, Query(query): Query<Since>) -> Json<Value> {
    let world = shared.world();
    let (journal, plan) = (world.simulation.journal(), world.simulation.plan());
    let line = |line: &JournalEntry| {
        let member = line.what.member().and_then(|member| plan.cluster.members.get(member));
        json!({
            "at": line.at.rounded().to_string(),
            "seconds": seconds(line.at),
            "kind": line.what.kind(),
            "member": member.map(|member| member.name.as_str()),
            "text": line.text(plan),
        })
    };
    let shown: Vec<Value> = journal.since(query.since.unwrap_or(0)).map(line).collect();
    Json(json!({ "next": journal.next(), "dropped": journal.dropped(), "lines": shown }))
}

async fn reset(State(shared): App) -> Json<Value> {
    shared.change(|world| world.reset(&shared.plan, shared.seed, shared.calendar));
    Json(whole_state(&shared, &shared.world()))
}

/// Targets for Prometheus's `http_sd_configs`.
async fn discovery(State(shared): App) -> Json<Value> {
    let targets: Vec<Value> = shared
        .addresses
        .members
        .iter()
        .map(|member| {
            json!({
                "targets": [format!("{}:{}", member.host, member.management)],
                "labels": {
                    "__metrics_path__": shared.plan.settings.at("/prometheus"),
                    "job": "kestra",
                    "instance": format!("{}:8081", member.name),
                    "role": member.role,
                },
            })
        })
        .collect();
    Json(Value::from(targets))
}

async fn own_metrics(State(shared): App) -> Response {
    let text = shared.metrics.text(&shared.world());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn page() -> Html<&'static str> {
    Html(include_str!("../page.html"))
}
