//! Faults over HTTP: written as in a timeline; now, or when their `at` comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::body::{Content, Named, field, keys};
use super::operations::shapes;
use super::{Answered, App, Refusal};
use crate::document::{self, Diagnostic, Severity, Source};
use crate::profile::Role;
use crate::run::{Refused, Session};
use crate::scenario::{self, Amount, Fault, FaultKind, Target, TimelineEntry};
use crate::server::world::Shared;
use crate::simulator::{ActiveFault, CommandError, Happening, Member, Simulation};
use crate::time::Instant;

impl From<Refused> for Refusal {
    fn from(why: Refused) -> Refusal {
        let anew = "POST /api/reset begins anew";
        let (status, advice) = match why {
            Refused::TooMany | Refused::Impossible(CommandError::TooMany(..)) => (StatusCode::CONFLICT, anew),
            Refused::Impossible(CommandError::NoFault(_)) => {
                (StatusCode::NOT_FOUND, "GET /api/faults shows those there are")
            }
            Refused::Past { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "name a later `at`, or leave it out: it begins now")
            }
            Refused::Impossible(CommandError::NoWebserver) => {
                (StatusCode::SERVICE_UNAVAILABLE, "this is what its clients see; /api/state tells why")
            }
            Refused::Impossible(CommandError::NotWaiting(_)) => (StatusCode::CONFLICT, "see /api/notifications"),
            Refused::Impossible(CommandError::NoExecution(_) | CommandError::NoTaskRun(_)) => {
                (StatusCode::NOT_FOUND, "GET /api/executions shows those there are")
            }
            Refused::Impossible(CommandError::NoneFits(..) | CommandError::NotSo { .. }) => {
                (StatusCode::CONFLICT, "GET /api/executions shows their states")
            }
            Refused::Impossible(CommandError::Blocked(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "this is what its clients see; send inputs with which they hold")
            }
            Refused::Impossible(CommandError::NoPlace(role, _)) => {
                let advice = format!("say in the scenario how many there may be: `{role}: {{ count: 2, most: 10 }}`");
                return Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, &why, advice);
            }
            Refused::Impossible(CommandError::Inputs(_)) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "send `inputs` as the flow declares them, or the `onResume` of the Pause that waits",
            ),
            Refused::Impossible(CommandError::Disabled(_)) => (StatusCode::CONFLICT, "switch it on in its file"),
            Refused::Impossible(CommandError::NoMember(..) | CommandError::NoFlow(..) | CommandError::NoProcess(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "see /api/state")
            }
        };
        Refusal::new(status, &why, advice)
    }
}

/// A fault that is in force, or will happen again.
pub(super) fn describe(fault: &ActiveFault, simulation: &Simulation) -> Value {
    json!({
        "name": fault.entry.name,
        "what": fault.entry.fault.sentence(simulation.plan()),
        "since": fault.since.to_string(),
        "in_force": fault.in_force,
        "ends": fault.ends().map(|at| at.to_string()),
        "again": fault.again.map(|at| at.to_string()),
    })
}

/// A fault that was injected.
fn accepted(entry: &TimelineEntry, session: &Session) -> Value {
    json!({
        "name": entry.name,
        "what": entry.fault.sentence(session.plan()),
        "at": entry.at.to_string(),
        "ends": entry.lasts.map(|lasts| (entry.at + lasts).to_string()),
        "every": entry.every.map(|every| every.to_string()),
        "until": entry.until.map(|until| until.to_string()),
    })
}

/// What has become of a fault.
#[derive(Clone, Debug)]
enum Fate {
    /// It has not begun.
    Planned,
    /// It is in force, or will happen again.
    Active(Box<ActiveFault>),
    /// A collection is under way, since and up to these instants: nothing ends it before.
    Pauses(Instant, Instant),
    /// It has happened: when it began last, and when it was over, as far as the journal still tells.
    Over(Option<Instant>, Option<Instant>),
}

/// A fault, whether the scenario has it, and what has become of it.
type Fated<'s> = (&'s TimelineEntry, bool, Fate);

/// All faults of a session.
fn fates(session: &Session) -> Vec<Fated<'_>> {
    let (simulation, now) = (session.simulation(), session.now());
    let mut begun: BTreeMap<&str, Instant> = BTreeMap::new();
    let mut ended: BTreeMap<&str, Instant> = BTreeMap::new();
    for line in simulation.journal().iter() {
        match &line.what {
            Happening::FaultBegins { name, .. } => _ = begun.insert(name, line.at),
            Happening::FaultEnds { name } => _ = ended.insert(name, line.at),
            _ => {}
        }
    }
    let paused = |member: &usize| simulation.members().get(*member)?.process()?.paused_until();
    let fate = |entry: &TimelineEntry| {
        let name = entry.name.as_str();
        if let Some(active) = simulation.faults().iter().find(|active| active.entry.name == name) {
            return Fate::Active(Box::new(active.clone()));
        }
        let pauses = match entry.fault.amount {
            Amount::Pause(_) => entry.fault.members().iter().filter_map(paused).max().filter(|until| *until > now),
            _ => None,
        };
        match (begun.get(name).copied(), pauses) {
            (Some(began), Some(until)) => Fate::Pauses(began, until),
            (Some(began), None) => Fate::Over(Some(began), ended.get(name).copied().or(Some(began))),
            // The journal keeps the last lines only.
            (None, _) if entry.at < now => Fate::Over(None, ended.get(name).copied()),
            (None, _) => Fate::Planned,
        }
    };
    session.faults().map(|(entry, of_file)| (entry, of_file, fate(entry))).collect()
}

/// All faults there are: in force or to happen again, still to come, and over.
pub(super) async fn list(State(shared): App) -> Answered<Json<Value>> {
    let world = shared.world()?;
    let session = &world.session;
    let (mut active, mut planned, mut over) = (Vec::new(), Vec::new(), Vec::new());
    for (entry, of_file, fate) in fates(session) {
        let (list, mut told) = match fate {
            Fate::Planned => (&mut planned, accepted(entry, session)),
            Fate::Active(fault) => (&mut active, describe(&fault, session.simulation())),
            Fate::Pauses(since, until) => (&mut active, pausing(entry, since, until, session)),
            Fate::Over(began, ended) => {
                let mut told = accepted(entry, session);
                told["began"] = json!(began.map(|at| at.to_string()));
                told["ended"] = json!(ended.map(|at| at.to_string()));
                (&mut over, told)
            }
        };
        told["from"] = json!(if of_file { "scenario" } else { "session" });
        list.push(told);
    }
    Ok(Json(json!({ "faults": active, "planned": planned, "over": over })))
}

/// A collection that is under way.
fn pausing(entry: &TimelineEntry, since: Instant, until: Instant, session: &Session) -> Value {
    json!({
        "name": entry.name,
        "what": entry.fault.sentence(session.plan()),
        "since": since.to_string(),
        "in_force": true,
        "ends": until.to_string(),
        "again": null,
    })
}

/// Whether the body of a fault gives it a name.
fn is_named(text: &str) -> bool {
    let source = Arc::new(Source { name: String::new(), text: text.to_owned() });
    let root = document::parse(&source).0.map(|root| root.value);
    matches!(root, Some(document::Value::Mapping(entries)) if entries.iter().any(|entry| entry.key == "name"))
}

/// A fault as an entry of a timeline, in JSON or YAML.
pub(super) async fn inject(State(shared): App, Content(body): Content) -> Answered<Response> {
    let injected = tokio::task::spawn_blocking(move || taken(&shared, &body)).await;
    let given_up = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the fault was given up", "send it again");
    Ok((StatusCode::CREATED, Json(injected.map_err(given_up)??)).into_response())
}

/// A fault from the body of a request.
#[derive(Debug)]
struct Asked {
    entry: TimelineEntry,
    /// It has a name of its own.
    named: bool,
    /// It begins when it is taken.
    now: bool,
}

/// Reads a body. That may take long: nobody else has to wait for it.
fn read(shared: &Shared, body: &[u8]) -> Answered<Asked> {
    let text = String::from_utf8_lossy(body);
    let (plan, now) = (&shared.plan, shared.world()?.session.now());
    let entry = scenario::read_fault(&text, plan, now).map_err(|diagnostics| {
        let example = scenario::fault_example(&text, plan);
        match text.trim().is_empty() {
            true => Refusal::bad("the body is empty", format!("send for example {example}")),
            false => unreadable(&diagnostics, &example),
        }
    })?;
    Ok(Asked { now: entry.at == now, named: is_named(&text), entry })
}

/// Takes a fault, if it can be done, and tells of it.
fn taken(shared: &Shared, body: &[u8]) -> Answered<Value> {
    Ok(take(shared, body)?.1)
}

/// Takes a fault, if it can be done: its name, and what is told of it.
pub(in crate::server) fn take(shared: &Shared, body: &[u8]) -> Answered<(String, Value)> {
    let Asked { mut entry, named, now } = read(shared, body)?;
    let taken = shared.change(|world| {
        let session = &mut world.session;
        if now {
            entry.at = session.now();
        }
        if entry.at > Instant::START + scenario::limits::DURATION {
            let message = format!("`at` is {} since the start: time ends at 400d", entry.at);
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message, "name an earlier `at`"));
        }
        if let Some(until) = entry.until.filter(|until| *until < entry.at) {
            let message = format!("`until` is {until} since the start, before it begins at {}", entry.at);
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message, "name a later `until`"));
        }
        let free = session.free_name(&entry.name);
        if free != entry.name && named {
            let message = format!("this session has a fault called `{}` already", entry.name);
            let advice = format!("name it `{free}`, or leave `name` out: it gets one");
            return Err(Refusal::new(StatusCode::CONFLICT, message, advice));
        }
        entry.name = free.clone();
        let answer = accepted(&entry, session);
        session.inject(entry)?;
        Ok((free, answer))
    })?;
    shared.settle_doors();
    taken
}

/// What is wrong with a fault, and a body that would be taken.
fn unreadable(diagnostics: &[Diagnostic], example: &str) -> Refusal {
    let wrong: Vec<&Diagnostic> = diagnostics.iter().filter(|it| it.severity == Severity::Error).collect();
    let told = match wrong.as_slice() {
        [one] => one.what.clone(),
        all => format!("{} things are wrong: {}", all.len(), numbered(all.iter().map(|it| it.what.as_str()))),
    };
    let advice: Vec<&str> = wrong.iter().filter_map(|it| it.advice.as_deref()).collect();
    let advice = match advice.as_slice() {
        [] => format!("send for example {example}"),
        [one] => format!("{one}; this is taken: {example}"),
        all => format!("{}; this is taken: {example}", numbered(all.iter().copied())),
    };
    Refusal::bad(told, advice).at(diagnostics)
}

fn numbered<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.enumerate().map(|(index, text)| format!("({}) {text}", index + 1)).collect::<Vec<_>>().join("; ")
}

/// Ends a fault in force, or takes back an injected one that is still to come.
pub(super) async fn clear(State(shared): App, Named(name): Named) -> Answered<Json<Value>> {
    let ended = tokio::task::spawn_blocking(move || end(&shared, &name).map(|()| name)).await;
    let given_up = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the fault was given up", "send it again");
    Ok(Json(json!({ "cleared": ended.map_err(given_up)?? })))
}

/// Ends a fault, or takes it back.
pub(in crate::server) fn end(shared: &Shared, name: &str) -> Answered<()> {
    let ended = shared.change(|world| {
        world.session.clear(name).map_err(|why| match why {
            Refused::Impossible(CommandError::NoFault(_)) => not_there(name, &world.session),
            other => other.into(),
        })
    })?;
    shared.settle_doors();
    ended
}

/// Why there is nothing to clear, and what there is.
fn not_there(name: &str, session: &Session) -> Refusal {
    let fates = fates(session);
    let can = |(_, of_file, fate): &&Fated<'_>| match fate {
        Fate::Active(_) => true,
        Fate::Planned => !of_file,
        Fate::Pauses(..) | Fate::Over(..) => false,
    };
    let can: Vec<&str> = fates.iter().filter(can).map(|(entry, ..)| entry.name.as_str()).collect();
    let there = match can.is_empty() {
        true => "there is none that could be cleared; GET /api/faults shows all".to_owned(),
        false => format!("those that can be cleared are {}", can.join(", ")),
    };
    let told = match fates.iter().rev().find(|(entry, ..)| entry.name == name) {
        None => {
            let near = document::nearest(name, fates.iter().map(|(entry, ..)| entry.name.as_str()));
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            return Refusal::new(StatusCode::NOT_FOUND, format!("no fault is called `{name}`"), near + &there);
        }
        Some((entry, _, Fate::Planned | Fate::Active(_))) => {
            format!("`{name}` is planned by the scenario for {}, it has not begun", entry.at)
        }
        Some((_, _, Fate::Pauses(_, until))) => {
            format!("`{name}` is a collection under way, it ends at {until} and not before")
        }
        Some((_, _, Fate::Over(_, Some(ended)))) => format!("`{name}` is over since {}", ended.rounded()),
        Some((_, _, Fate::Over(_, None))) => format!("`{name}` is over"),
    };
    Refusal::new(StatusCode::CONFLICT, told, there)
}

/// Another number of members of a role: the fault `scale`, in the place of one that was asked for before.
pub(super) async fn scale(State(shared): App, Content(body): Content) -> Answered<Json<Value>> {
    let body = keys(&body, &shapes::SCALE)?;
    let unfit = |name: &str, value: &Value| {
        Refusal::bad(format!("`{name}` is {value}"), format!("send {}", shapes::SCALE.example))
    };
    let role = field(&body, "role", &shapes::SCALE)?;
    let name = role.as_str().ok_or_else(|| unfit("role", role))?;
    let known = || Role::ALL.iter().map(|role| role.name());
    let role = Role::ALL.into_iter().find(|role| role.name() == name);
    let role = role.ok_or_else(|| Refusal::bad(format!("`{name}` is no role"), document::instead(name, known())))?;
    let to = field(&body, "to", &shapes::SCALE)?;
    let to = to.as_u64().and_then(|to| u32::try_from(to).ok()).ok_or_else(|| unfit("to", to))?;
    let scaled = shared.change(|world| {
        let session = &mut world.session;
        let fault = Fault { kind: FaultKind::Scale, target: Target::Role(role), amount: Amount::Members(to) };
        let there = |simulation: &Simulation| {
            let here = |it: &&Member| it.role() == role && it.belongs();
            simulation.members().iter().filter(here).count()
        };
        let from = there(session.simulation());
        let name = session.free_name(&format!("scale-{}", role.name()));
        let entry =
            TimelineEntry { name: name.clone(), at: session.now(), fault, lasts: None, every: None, until: None };
        session.inject(entry)?;
        Ok::<_, Refusal>(json!({ "role": role.name(), "from": from, "to": there(session.simulation()), "name": name }))
    })??;
    Ok(Json(scaled))
}
