//! `GET /worker`: what runs in the process now.

use serde_json::{Map, Value, json};

use super::error::Error;
use super::reply::Reply;
use super::{Context, Handled, date, scheduler};
use crate::flow::{Flow, Span, Task};
use crate::profile::TaskRuns;
use crate::simulator::{Job, RunningJob};
use crate::time::{Calendar, Instant};

/// The count is of task attempts only; the list has triggers too.
pub(super) fn get(context: &Context<'_>) -> Handled {
    if context.simulation.now().since(context.process.up_since()) < context.answers.worker_start {
        return Err(Error::internal("", context.target.href).into());
    }
    let running = context.simulation.running(context.index);
    let tasks = running.iter().filter(|running| matches!(running.job, Job::Task { .. })).count();
    let flows = &context.simulation.plan().flows;
    let shown: Vec<Value> = running
        .iter()
        .filter_map(|running| {
            show(running, flows.get(running.flow)?, context.answers.task_runs, context.simulation.calendar())
        })
        .collect();
    Ok(Reply::json(json!({ "runningCount": tasks, "runnings": shown }).to_string()))
}

/// One job. Other properties of plugins are not known to the simulation and left out.
fn show(running: &RunningJob, flow: &Flow, form: TaskRuns, calendar: Calendar) -> Option<Value> {
    match &running.job {
        Job::Trigger { trigger } => {
            Some(json!({ "type": "trigger", "trigger": scheduler::trigger(flow.triggers.get(*trigger)?) }))
        }
        Job::Task { task, task_run, execution, history } => {
            let task = flow.task(*task)?;
            // What the worker got does not know that it runs.
            let told = |(state, _): &&(&str, Instant)| form == TaskRuns::Running || *state != "RUNNING";
            let history: Vec<&(&str, Instant)> = history.iter().filter(told).collect();
            let histories: Vec<Value> = history
                .iter()
                .map(|(state, since)| json!({ "state": state, "date": state_date(state, *since, calendar) }))
                .collect();
            let mut run = json!({
                "id": task_run,
                "executionId": execution,
                "namespace": flow.namespace,
                "flowId": flow.id,
                "taskId": task.id,
            });
            let state = json!({
                "current": history.last().map(|(state, _)| *state),
                "histories": histories,
                "startDate": history.first().map(|(state, since)| state_date(state, *since, calendar)),
            });
            let [first, second] = match form {
                TaskRuns::Running => [("outputs", Value::Null), ("state", state)],
                TaskRuns::Submitted => [("state", state), ("outputs", Value::Null)],
            };
            for (key, value) in [first, second] {
                run[key] = value;
            }
            Some(json!({ "type": "task", "taskRun": run, "task": definition(task) }))
        }
    }
}

fn definition(task: &Task) -> Value {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), task.id.as_str().into());
    shown.insert("type".to_owned(), task.kind.as_str().into());
    for (key, duration) in [("timeout", &task.timeout), ("duration", &task.sleep)] {
        if let Some(duration) = duration {
            let text = match duration {
                Span::Written(duration) => duration.iso(),
                Span::Rendered(text) => text.clone(),
            };
            shown.insert(key.to_owned(), text.into());
        }
    }
    Value::Object(shown)
}

/// The states before RUNNING came over the database, which keeps microseconds; RUNNING is the worker's own.
fn state_date(state: &str, since: Instant, calendar: Calendar) -> String {
    let step = if state == "RUNNING" { 1 } else { 1_000 };
    let nanoseconds = since.as_nanoseconds();
    date::java(calendar.date(Instant::from_nanoseconds(nanoseconds - nanoseconds.rem_euclid(step))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    #[test]
    fn a_running_task_shows_as_recorded() {
        let task = Task {
            id: "sleep".to_owned(),
            kind: "io.kestra.plugin.core.flow.Sleep".to_owned(),
            sleep: Some(Duration::seconds(300).into()),
            ..Task::default()
        };
        let flow = Flow {
            id: "longsleep".to_owned(),
            namespace: "company.team".to_owned(),
            tasks: vec![task],
            ..Flow::default()
        };
        let calendar = Calendar::default();
        let at = |text: &str| calendar.instant(text.parse().unwrap());
        let job = Job::Task {
            task: 0,
            task_run: "1lywPOfQjU1mnMSfYaKHoa".to_owned(),
            execution: "bH7itEtG60VPkdeUz0HfR".to_owned(),
            history: vec![
                ("CREATED", at("2026-11-25T02:01:30.583600123Z")),
                ("SUBMITTED", at("2026-11-25T02:01:30.834599Z")),
                ("RUNNING", at("2026-11-25T02:01:31.067932722Z")),
            ],
        };
        let recorded = r#"{"type":"task","taskRun":{"id":"1lywPOfQjU1mnMSfYaKHoa","executionId":"bH7itEtG60VPkdeUz0HfR","namespace":"company.team","flowId":"longsleep","taskId":"sleep","outputs":null,"state":{"current":"RUNNING","histories":[{"state":"CREATED","date":"2026-11-25T02:01:30.583600Z"},{"state":"SUBMITTED","date":"2026-11-25T02:01:30.834599Z"},{"state":"RUNNING","date":"2026-11-25T02:01:31.067932722Z"}],"startDate":"2026-11-25T02:01:30.583600Z"}},"task":{"id":"sleep","type":"io.kestra.plugin.core.flow.Sleep","duration":"PT5M"}}"#;
        let running = RunningJob { flow: 0, job };
        let shown = |form| show(&running, &flow, form, calendar).unwrap().to_string();
        assert_eq!(shown(TaskRuns::Running), recorded);
        // 2.0, standalone/sleep20, with these names, ids and dates.
        let recorded = r#"{"type":"task","taskRun":{"id":"1lywPOfQjU1mnMSfYaKHoa","executionId":"bH7itEtG60VPkdeUz0HfR","namespace":"company.team","flowId":"longsleep","taskId":"sleep","state":{"current":"SUBMITTED","histories":[{"state":"CREATED","date":"2026-11-25T02:01:30.583600Z"},{"state":"SUBMITTED","date":"2026-11-25T02:01:30.834599Z"}],"startDate":"2026-11-25T02:01:30.583600Z"},"outputs":null},"task":{"id":"sleep","type":"io.kestra.plugin.core.flow.Sleep","duration":"PT5M"}}"#;
        assert_eq!(shown(TaskRuns::Submitted), recorded);
    }
}
