//! What notification tasks have sent.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};

use super::{Answered, App, Refusal, parameter, seconds};
use crate::simulator::{Sent, Simulation};

/// The messages of notification tasks, from number `since` on. After a reset they are counted from 0 again: `resets` tells.
pub(super) async fn list(State(shared): App, uri: Uri) -> Answered<Json<Value>> {
    let since = parameter(&uri, "since").map_or(Ok(0), |text| {
        let advice = "send the number that `next` told";
        text.parse::<u64>().map_err(|_| Refusal::bad(format!("`{text}` is no number of a message"), advice))
    })?;
    let world = shared.world()?;
    let simulation = world.session.simulation();
    let sent = simulation.sent();
    let first = since.max(sent.dropped());
    let all: Vec<Value> =
        (first..).zip(sent.since(since)).map(|(number, it)| message(number, it, simulation)).collect();
    let dropped = sent.dropped().saturating_sub(since);
    Ok(Json(json!({ "resets": world.resets, "dropped": dropped, "next": sent.next(), "notifications": all })))
}

/// A message, with secrets as stars.
fn message(number: u64, sent: &Sent, simulation: &Simulation) -> Value {
    let flow = simulation.plan().flows.get(sent.flow as usize);
    let task = flow.and_then(|flow| flow.task(sent.task as usize));
    let answer = sent.answer.as_ref().map(|it| json!({ "status": it.status, "seconds": it.took.as_seconds_f64() }));
    json!({
        "number": number,
        "at": sent.at.rounded().to_string(),
        "seconds": seconds(sent.at),
        "flow": flow.map(crate::flow::Flow::name),
        "execution": sent.execution,
        "task": task.map(|task| task.id.as_str()),
        "attempt": sent.attempt,
        "channel": sent.channel(),
        "to": sent.to(),
        "body": sent.body(),
        "delivery": sent.delivery.word(),
        "why": sent.delivery.why(),
        "answer": answer,
    })
}
