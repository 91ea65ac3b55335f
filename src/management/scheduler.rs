//! `GET /scheduler`: the triggers of the store that the scheduler evaluates, all of them or those that are due.

use serde_json::{Map, Value, json};

use super::reply::Reply;
use super::{Context, Handled, Outcome, database, date};
use crate::flow::{Trigger, TriggerAction};
use crate::profile::Schedulables;
use crate::simulator::Schedulable;
use crate::time::Duration;

/// A trigger counts as due so long before its date (2.0, seen once: about 0.1 s).
const ALMOST: Duration = Duration::milliseconds(100);

/// Asks the trigger store. What comes when the pool times out was never recorded: the request hangs, and its process does
/// not live long.
pub(super) fn get(context: &Context<'_>) -> Handled {
    if database::check(context)?.is_some() {
        return Err(Outcome::Hang.into());
    }
    let (flows, calendar) = (&context.simulation.plan().flows, context.simulation.calendar());
    let shown: Vec<Value> = context
        .simulation
        .schedulable()
        .iter()
        .filter_map(|schedulable| {
            let flow = flows.get(schedulable.flow)?;
            let definition = flow.triggers.get(schedulable.trigger)?;
            if context.answers.schedulables == Schedulables::Due && !due(context, schedulable, definition) {
                return None;
            }
            let mut shown = json!({ "flowId": flow.id, "namespace": flow.namespace, "revision": 1 });
            let members = shown.as_object_mut()?;
            members.insert("trigger".to_owned(), trigger(definition));
            if let Some(next) = schedulable.next {
                members.insert("next".to_owned(), date::java(calendar.date(next)).into());
            }
            Some(shown)
        })
        .collect();
    Ok(Reply::json(json!({ "schedulableCount": shown.len(), "schedulable": shown }).to_string()))
}

/// Whether 2.0 lists a trigger now: it never listed a schedule, and others only around their date (standalone/activity and
/// sleep20, six answers).
fn due(context: &Context<'_>, schedulable: &Schedulable, definition: &Trigger) -> bool {
    // Nobody has seen what it makes of one that a worker listens to all the time.
    let seldom = matches!(definition.action, TriggerAction::Schedule(_) | TriggerAction::Realtime);
    !seldom && schedulable.next.is_some_and(|next| next <= context.simulation.now() + ALMOST)
}

/// A trigger's definition as Kestra prints it, without values that are the default. Properties of plugins are not known
/// to the simulation and left out.
pub(super) fn trigger(trigger: &Trigger) -> Value {
    let mut shown = Map::new();
    let mut put = |key: &str, value: Value| _ = shown.insert(key.to_owned(), value);
    put("id", trigger.id.as_str().into());
    put("type", trigger.kind.as_str().into());
    if trigger.disabled {
        put("disabled", true.into());
    }
    match &trigger.action {
        TriggerAction::Schedule(schedule) => {
            put("cron", schedule.cron.as_str().into());
            if schedule.with_seconds {
                put("withSeconds", true.into());
            }
            if schedule.timezone != "UTC" {
                put("timezone", schedule.timezone.as_str().into());
            }
        }
        TriggerAction::Poll { interval } => put("interval", interval.iso().into()),
        TriggerAction::Webhook | TriggerAction::Flow(_) | TriggerAction::Realtime | TriggerAction::Dates => {}
    }
    Value::Object(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Schedule, TriggerLimits};
    use crate::time::Duration;

    #[test]
    fn triggers_show_as_recorded() {
        let schedule = Schedule { cron: "*/5 * * * * *".to_owned(), with_seconds: true, timezone: "UTC".to_owned() };
        for (id, kind, action, recorded) in [
            (
                "every_5s",
                "io.kestra.plugin.core.trigger.Schedule",
                TriggerAction::Schedule(schedule),
                r#"{"id":"every_5s","type":"io.kestra.plugin.core.trigger.Schedule","cron":"*/5 * * * * *","withSeconds":true}"#,
            ),
            (
                "http",
                "io.kestra.plugin.core.http.Trigger",
                TriggerAction::Poll { interval: Duration::seconds(15) },
                r#"{"id":"http","type":"io.kestra.plugin.core.http.Trigger","interval":"PT15S"}"#,
            ),
        ] {
            let limits = TriggerLimits::default();
            let shown = trigger(&Trigger {
                id: id.to_owned(),
                kind: kind.to_owned(),
                action,
                disabled: false,
                limits,
                gives: Default::default(),
            });
            assert_eq!(shown.to_string(), recorded);
        }
    }
}
