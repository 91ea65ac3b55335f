//! Executions that somebody asks for, and what somebody asks of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body::{Content, Named, field, keys};
use super::operations::{Form, shapes};
use super::{Answered, App, Refusal, parameter, seconds};
use crate::document;
use crate::flow::{Flow, State as Is};
use crate::scenario::{Deed, TaskOf, Which, Whose, ends, label_refused};
use crate::simulator::{Command, ExecutionSeen, Origin, Simulation, limits};

fn object(body: &Map<String, Value>, name: &str, form: &Form) -> Answered<Map<String, Value>> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object.clone()),
        Some(other) => Err(Refusal::bad(format!("`{name}` is {other}"), format!("send the JSON {}", form.example))),
    }
}

fn labels(body: &Map<String, Value>) -> Answered<Vec<(String, String)>> {
    let label = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, text)),
        Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
        other => Err(Refusal::bad(format!("the label `{key}` is {other}"), "send a text")),
    };
    object(body, "labels", &shapes::EXECUTE)?.into_iter().map(label).collect()
}

/// An execution of a flow, as somebody asks for one over Kestra's API.
pub(super) async fn create(State(shared): App, Content(body): Content) -> Answered<Response> {
    let body = keys(&body, &shapes::EXECUTE)?;
    let name = field(&body, "flow", &shapes::EXECUTE)?;
    let name = name
        .as_str()
        .ok_or_else(|| Refusal::bad(format!("`flow` is {name}"), format!("send {}", shapes::EXECUTE.example)))?;
    let origin = Arc::new(Origin {
        labels: labels(&body)?,
        inputs: object(&body, "inputs", &shapes::EXECUTE)?,
        ..Origin::default()
    });
    let (_, created, ignored) = begin(&shared, name, origin)?;
    Ok((StatusCode::CREATED, Json(with_ignored(created, ignored))).into_response())
}

/// Starts an execution: its id, what is told of it, and the inputs that are left out because nobody has declared them.
fn begin(shared: &super::Shared, name: &str, origin: Arc<Origin>) -> Answered<(String, Value, Vec<String>)> {
    shared.change(|world| {
        let session = &mut world.session;
        let unknown = |(what, advice)| Refusal::new(StatusCode::NOT_FOUND, what, advice);
        let flow = session.plan().flow_named(name).map_err(unknown)?;
        let kestra = session.plan().kestra;
        if let Some(why) = origin.labels.iter().find_map(|(key, value)| label_refused((key, value), kestra)) {
            return Err(Refusal::bad(why, "send labels with other keys"));
        }
        let id = session.simulation().next_execution(flow);
        let command = Command::Execute { flow, origin };
        let ignored = session.simulation().left_out(&command);
        session.command(command)?;
        let name = session.plan().flows.get(flow).map(Flow::name);
        let told = json!({ "id": id, "flow": name, "at": session.now().to_string() });
        Ok((id, told, ignored))
    })?
}

/// The same for whoever embeds the server. An input that nobody has declared is a mistake there.
pub(in crate::server) fn execute(shared: &super::Shared, name: &str, origin: Origin) -> Answered<String> {
    let plan = shared.plan.clone();
    let unknown = |(what, advice)| Refusal::new(StatusCode::NOT_FOUND, what, advice);
    let flow = plan.flow_named(name).map_err(unknown)?;
    let declared: Vec<&str> = plan.flows.get(flow).into_iter().flat_map(Flow::inputs).map(|input| input.id).collect();
    if let Some(given) = origin.inputs.keys().find(|given| !declared.contains(&given.as_str())) {
        let advice = document::instead(given, declared.iter().copied());
        return Err(Refusal::bad(format!("the flow `{name}` declares no input `{given}`"), advice));
    }
    begin(shared, name, Arc::new(origin)).map(|(id, ..)| id)
}

/// An answer that says which inputs nobody has declared, if any: as in Kestra they are left out.
fn with_ignored(mut told: Value, ignored: Vec<String>) -> Value {
    if let Some(told) = told.as_object_mut().filter(|_| !ignored.is_empty()) {
        told.insert("ignored".to_owned(), json!(ignored));
    }
    told
}

/// The executions that there are and those that ended last; `flow` and `state` leave out others.
pub(super) async fn list(State(shared): App, uri: Uri) -> Answered<Json<Value>> {
    let world = shared.world()?;
    let simulation = world.session.simulation();
    let unknown = |(what, advice)| Refusal::new(StatusCode::NOT_FOUND, what, advice);
    let flow = parameter(&uri, "flow").map(|name| simulation.plan().flow_named(&name).map_err(unknown)).transpose()?;
    let state = parameter(&uri, "state").map(|name| state_named(&name)).transpose()?;
    let fits =
        |it: &&ExecutionSeen| flow.is_none_or(|flow| it.flow == flow) && state.is_none_or(|state| it.state == state);
    let all = simulation.executions();
    let shown: Vec<Value> = all.iter().filter(fits).map(|it| describe(it, simulation)).collect();
    let truth = simulation.truth();
    Ok(Json(json!({
        "executions": shown,
        "created": truth.created,
        "live": truth.live,
        "kept": limits::ENDED,
    })))
}

fn state_named(name: &str) -> Answered<Is> {
    let names = Is::ALL.iter().map(|state| state.name());
    Is::named(name).ok_or_else(|| Refusal::bad(format!("`{name}` is no state"), document::instead(name, names)))
}

/// One execution.
pub(super) async fn one(State(shared): App, Named(id): Named) -> Answered<Json<Value>> {
    let world = shared.world()?;
    let simulation = world.session.simulation();
    simulation.execution(&id).map(|it| Json(describe(&it, simulation))).ok_or_else(|| missing(&id))
}

fn missing(id: &str) -> Refusal {
    let advice = format!("GET /api/executions shows those there are: the last {} that ended are kept", limits::ENDED);
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no execution `{id}`"), advice)
}

fn describe(it: &ExecutionSeen, simulation: &Simulation) -> Value {
    let flow = simulation.plan().flows.get(it.flow);
    let history = it
        .history
        .iter()
        .map(|(at, state)| json!({ "state": state.name(), "at": at.rounded().to_string(), "seconds": seconds(*at) }));
    let task_runs = it.task_runs.iter().map(
        |run| json!({ "task": run.task, "value": run.value, "state": run.state.name(), "attempts": run.attempts }),
    );
    json!({
        "id": it.id,
        "namespace": flow.map(|flow| flow.namespace.as_str()),
        "flow": flow.map(|flow| flow.id.as_str()),
        "number": it.number,
        "state": it.state.name(),
        "created": it.created.rounded().to_string(),
        "history": history.collect::<Vec<_>>(),
        "labels": it.labels.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "inputs": it.inputs,
        "taskRuns": task_runs.collect::<Vec<_>>(),
        "originalId": it.original,
        "startedBy": it.started_by,
    })
}

/// Somebody asks something of an execution, as over Kestra's API: what became of it is seen a little later.
fn ask(shared: &super::Shared, id: &str, deed: impl FnOnce() -> Answered<Deed>) -> Answered<Response> {
    let id = id.to_owned();
    // A request that is wrong in itself is told so whatever there is.
    let deed = deed()?;
    let (status, told) = shared.change(|world| {
        let session = &mut world.session;
        let (flow, number) = session.simulation().execution_named(&id).ok_or_else(|| missing(&id))?;
        let whose = Whose { flow, labels: Vec::new(), which: Which::Number(number) };
        let new = matches!(deed, Deed::Replay(_)).then(|| session.simulation().next_execution(flow));
        let command = Command::Ask { deed, whose };
        let ignored = session.simulation().left_out(&command);
        session.command(command)?;
        let name = session.plan().flows.get(flow).map(Flow::name);
        let at = session.now().to_string();
        Ok::<_, Refusal>(match new {
            Some(new) => (StatusCode::CREATED, json!({ "id": new, "flow": name, "at": at, "replays": id })),
            None => {
                let told = json!({ "id": id, "flow": name, "at": at });
                (StatusCode::ACCEPTED, with_ignored(told, ignored))
            }
        })
    })??;
    Ok((status, Json(told)).into_response())
}

pub(super) async fn kill(State(shared): App, Named(id): Named, Content(body): Content) -> Answered<Response> {
    ask(&shared, &id, || {
        let body = keys(&body, &shapes::KILL)?;
        match body.get("cascade") {
            None => Ok(Deed::Kill { cascade: true }),
            Some(Value::Bool(cascade)) => Ok(Deed::Kill { cascade: *cascade }),
            Some(other) => Err(Refusal::bad(format!("`cascade` is {other}"), "send true or false")),
        }
    })
}

pub(super) async fn pause(State(shared): App, Named(id): Named, Content(body): Content) -> Answered<Response> {
    ask(&shared, &id, || keys(&body, &shapes::NONE).map(|_| Deed::Pause))
}

pub(super) async fn resume(State(shared): App, Named(id): Named, Content(body): Content) -> Answered<Response> {
    ask(&shared, &id, || {
        let body = keys(&body, &shapes::RESUME)?;
        Ok(Deed::Resume { inputs: object(&body, "inputs", &shapes::RESUME)? })
    })
}

pub(super) async fn restart(State(shared): App, Named(id): Named, Content(body): Content) -> Answered<Response> {
    ask(&shared, &id, || keys(&body, &shapes::NONE).map(|_| Deed::Restart))
}

pub(super) async fn replay(State(shared): App, Named(id): Named, Content(body): Content) -> Answered<Response> {
    ask(&shared, &id, || {
        let body = keys(&body, &shapes::REPLAY)?;
        Ok(Deed::Replay(task(&body, &shapes::REPLAY)?))
    })
}

pub(super) async fn change_state(State(shared): App, Named(id): Named, Content(body): Content) -> Answered<Response> {
    ask(&shared, &id, || {
        let body = keys(&body, &shapes::CHANGE_STATE)?;
        let task = task(&body, &shapes::CHANGE_STATE)?;
        let named = field(&body, "state", &shapes::CHANGE_STATE)?;
        let states: Vec<Is> = ends(task.is_some()).collect();
        let names: Vec<&str> = states.iter().map(|state| state.name()).collect();
        match states.iter().find(|state| named == state.name()) {
            Some(state) => Ok(Deed::Change { task, state: *state }),
            None => Err(Refusal::bad(format!("`state` is {named}"), format!("send one of {}", names.join(", ")))),
        }
    })
}

/// `task` and `value`.
fn task(body: &Map<String, Value>, form: &Form) -> Answered<Option<TaskOf>> {
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Refusal::bad(format!("`{name}` is {other}"), format!("send the JSON {}", form.example))),
    };
    match (text("task")?, text("value")?) {
        (Some(id), value) => Ok(Some(TaskOf { id, value })),
        (None, Some(_)) => Err(Refusal::bad("a `value` of no `task`", format!("send the JSON {}", form.example))),
        (None, None) => Ok(None),
    }
}
