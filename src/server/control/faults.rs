//! Faults over HTTP: written as in a timeline; now, or when their `at` comes.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Answered, App, Refusal};
use crate::document::{self, Diagnostic};
use crate::run::{Refused, Session};
use crate::scenario::{self, TimelineEntry};
use crate::simulator::{ActiveFault, CommandError, Simulation};

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

pub(super) async fn list(State(shared): App) -> Answered<Json<Value>> {
    let world = shared.world()?;
    let simulation = world.session.simulation();
    let faults: Vec<Value> = simulation.faults().iter().map(|fault| describe(fault, simulation)).collect();
    let planned: Vec<Value> = world.session.planned().map(|entry| accepted(entry, &world.session)).collect();
    Ok(Json(json!({ "faults": faults, "planned": planned })))
}

/// A fault as an entry of a timeline, in JSON or YAML.
pub(super) async fn inject(State(shared): App, body: Bytes) -> Answered<Response> {
    let text = String::from_utf8_lossy(&body).into_owned();
    let injected = shared.change(|world| {
        let session = &mut world.session;
        let read = scenario::read_fault(&text, session.plan(), session.now());
        let mut entry = read.map_err(|diagnostics| unreadable(&diagnostics))?;
        if let Some(until) = entry.until.filter(|until| *until < entry.at) {
            let message = format!("`until` is {until} since the start, before it begins at {}", entry.at);
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message, "name a later `until`"));
        }
        entry.name = session.free_name(&entry.name);
        let answer = accepted(&entry, session);
        session.inject(entry)?;
        Ok(answer)
    })??;
    Ok((StatusCode::CREATED, Json(injected)).into_response())
}

fn unreadable(diagnostics: &[Diagnostic]) -> Refusal {
    let told: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.what.clone()).collect();
    let advice: Vec<String> = diagnostics.iter().filter_map(|diagnostic| diagnostic.advice.clone()).collect();
    let advice = match advice.is_empty() {
        true => document::render(diagnostics),
        false => advice.join("; "),
    };
    Refusal::bad(told.join("; "), advice)
}

/// Ends a fault in force, or takes back one that is still to come.
pub(super) async fn clear(State(shared): App, Path(name): Path<String>) -> Answered<Json<Value>> {
    shared.change(|world| {
        world.session.clear(&name).map_err(|why| match why {
            Refused::Impossible(CommandError::NoFault(_)) => unknown(&name, &world.session),
            other => other.into(),
        })
    })??;
    Ok(Json(json!({ "cleared": name })))
}

fn unknown(name: &str, session: &Session) -> Refusal {
    let in_force = session.simulation().faults().iter().map(|fault| fault.entry.name.as_str());
    let names: Vec<&str> = in_force.chain(session.planned().map(|entry| entry.name.as_str())).collect();
    let known = if names.is_empty() {
        "none is in force".to_owned()
    } else {
        format!("in force or planned are {}", names.join(", "))
    };
    Refusal::new(StatusCode::NOT_FOUND, format!("no fault in force is called `{name}`"), known)
}
