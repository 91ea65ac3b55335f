//! The execution that a `*Execution` task tells of: which one, and what is said about it.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::dialect::Telling;
use super::properties::{Properties, plain};
use super::{Asked, Error};
use crate::flow::State;
use crate::pebble::Template;

/// An execution as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its id.
    pub id: String,
    /// The namespace of its flow.
    pub namespace: String,
    /// The id of its flow.
    pub flow: String,
    /// Its state.
    pub state: State,
    /// When it was created.
    pub start: Timestamp,
    /// When it ended; nothing while it runs.
    pub end: Option<Timestamp>,
    /// Its task runs in order: the task and the state; nothing where it never had any list of them, as one that its flow's
    /// concurrency refused.
    pub task_runs: Option<Vec<(String, State)>>,
}

/// What a message tells of an execution.
pub(super) struct Story {
    pub id: String,
    pub namespace: String,
    pub flow: String,
    pub state: String,
    pub start: Timestamp,
    pub duration: String,
    pub link: Option<String>,
    /// The task that failed.
    pub failed: Option<String>,
    /// The final task, where the version names it.
    pub last: Option<String>,
    pub custom_message: Option<String>,
    pub custom_fields: Option<Map<String, Value>>,
}

impl Story {
    /// `[namespace] flow ➛ STATE`.
    pub fn title(&self) -> String {
        format!("[{}] {} ➛ {}", self.namespace, self.flow, self.state)
    }
    /// The title between stars, a link where there is one.
    pub fn heading(&self) -> String {
        match &self.link {
            Some(link) => format!("*<{link}|{}>*", self.title()),
            None => format!("*{}*", self.title()),
        }
    }
    /// The title between stars as templates write it that do not ask whether there is a link.
    pub fn linked(&self, more: &str) -> String {
        format!("*<{}|{}{more}>*", self.link.as_deref().unwrap_or_default(), self.title())
    }
    /// ``Failed on task `x` after D``, or that it succeeded.
    pub fn result(&self) -> String {
        match &self.failed {
            Some(task) => format!("Failed on task `{task}` after {}", self.duration),
            None => format!("Succeeded after {}", self.duration),
        }
    }
    /// The facts that every message lists: what they are called, and what they are.
    pub fn facts(&self) -> Vec<(&'static str, &str)> {
        let mut facts = vec![
            ("Namespace", self.namespace.as_str()),
            ("Flow ID", &self.flow),
            ("Execution ID", &self.id),
            ("Execution Status", &self.state),
        ];
        facts.extend(self.last.as_deref().map(|last| ("Final task ID", last)));
        facts
    }
}

/// Finds the execution of a `*Execution` task.
pub(super) fn story(properties: &Properties<'_>) -> Result<Story, Error> {
    let asked = properties.asked;
    let current = variable(asked, "execution", "id").unwrap_or_default();
    let id = properties.text("executionId")?.unwrap_or_else(|| current.clone());
    let is_current = id == current;
    let mut story = match asked.dialect.telling {
        Telling::Variables if is_current => of_current(asked, &id)?,
        Telling::Variables => of_trigger(asked)?,
        Telling::FirstFailed | Telling::LastOf => of_store(asked, &id, is_current)?,
    };
    story.custom_message = properties.text("customMessage")?;
    story.custom_fields = properties.map("customFields")?;
    Ok(story)
}

fn variable(asked: &Asked<'_>, root: &str, name: &str) -> Option<String> {
    asked.context.get(root)?.get(name).filter(|value| !value.is_null()).map(plain)
}

fn of_store(asked: &Asked<'_>, id: &str, is_current: bool) -> Result<Story, Error> {
    let missing = || Error::not_yet(format!("Unable to find execution '{id}'"));
    let found = (asked.executions)(id).ok_or_else(missing)?;
    let waited = variable(asked, "trigger", "state").filter(|_| asked.dialect.waits_for_state);
    let taken = match waited.as_deref() {
        _ if is_current => true,
        Some("RUNNING") => true,
        Some(state) => found.state.name() == state,
        None => found.state.is_terminated(),
    };
    if !taken {
        return Err(Error::not_in_state(format!("Unable to find execution '{id}'")));
    }
    let runs = found.task_runs.as_ref();
    let runs = runs.ok_or_else(|| Error::failed("java.lang.NullPointerException"))?;
    let (failed, last) = match asked.dialect.telling {
        Telling::FirstFailed => (first(runs, State::Failed), None),
        _ => last_of(asked, runs, is_current)?,
    };
    Ok(Story { failed, last, ..begun(asked, &found) })
}

fn first(runs: &[(String, State)], wanted: State) -> Option<String> {
    runs.iter().find(|(_, state)| *state == wanted).map(|(task, _)| task.clone())
}

type FailedAndLast = (Option<String>, Option<String>);

/// The final task, and whether it failed.
fn last_of(asked: &Asked<'_>, runs: &[(String, State)], is_current: bool) -> Result<FailedAndLast, Error> {
    let any_failed = runs.iter().any(|(_, state)| *state == State::Failed);
    let wanted = if any_failed { State::Failed } else { State::Success };
    let last = runs.iter().rev().find(|(_, state)| is_current || *state == wanted);
    match last {
        Some((task, state)) => Ok(((*state == State::Failed).then(|| task.clone()), Some(task.clone()))),
        // The variables are not there, and the message's template asks for them.
        None => Err(missing_variable(asked)),
    }
}

/// What the real engine says of a template that asks for `firstFailed` where there is none.
fn missing_variable(asked: &Asked<'_>) -> Error {
    let rendered = Template::parse("{{ firstFailed }}", asked.dialect.pebble)
        .and_then(|template| template.render(&Map::new(), asked.host));
    rendered.err().map_or_else(|| Error::failed("firstFailed"), Error::from)
}

fn begun(asked: &Asked<'_>, execution: &Execution) -> Story {
    let end = execution.end.unwrap_or(asked.host.now);
    Story {
        id: execution.id.clone(),
        namespace: execution.namespace.clone(),
        flow: execution.flow.clone(),
        state: execution.state.name().to_owned(),
        start: execution.start,
        duration: clock(end.as_millisecond() - execution.start.as_millisecond()),
        link: link(asked, &execution.namespace, &execution.flow, &execution.id),
        failed: None,
        last: None,
        custom_message: None,
        custom_fields: None,
    }
}

/// A duration as `HH:mm:ss.SSS`; hours go on beyond 24.
fn clock(milliseconds: i64) -> String {
    let all = milliseconds.max(0);
    let (hours, minutes) = (all / 3_600_000, all / 60_000 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", all / 1000 % 60, all % 1000)
}

/// The page of an execution; nothing while `kestra.url` is not set.
fn link(asked: &Asked<'_>, namespace: &str, flow: &str, id: &str) -> Option<String> {
    let url = asked.kestra_url.filter(|url| !url.is_empty())?;
    let tenant = variable(asked, "flow", "tenantId").map(|tenant| format!("{tenant}/")).unwrap_or_default();
    Some(format!("{}/ui/{tenant}executions/{namespace}/{flow}/{id}", url.trim_end_matches('/')))
}

fn instant(asked: &Asked<'_>, root: &str, name: &str) -> Option<Timestamp> {
    variable(asked, root, name)?.parse().ok()
}

fn of_current(asked: &Asked<'_>, id: &str) -> Result<Story, Error> {
    let text = |root: &str, name: &str| variable(asked, root, name).unwrap_or_default();
    let tasks = asked.context.get("tasks").and_then(Value::as_object);
    let states: Vec<(&String, Option<&str>)> =
        tasks.into_iter().flatten().map(|(task, state)| (task, state_in(state))).collect();
    let failed = states.iter().find(|(_, state)| *state == Some("FAILED")).map(|(task, _)| (*task).clone());
    let last = states.last().map(|(task, _)| (*task).clone());
    let state = text("execution", "state");
    let state = State::named(&state).unwrap_or(State::Running);
    let start = instant(asked, "execution", "startDate").unwrap_or(asked.host.now);
    let end = instant(asked, "execution", "endDate");
    let (namespace, flow) = (text("flow", "namespace"), text("flow", "id"));
    let execution = Execution { id: id.to_owned(), namespace, flow, state, start, end, task_runs: None };
    Ok(Story { failed, last, ..begun(asked, &execution) })
}

/// The state of a task in `tasks`; of a task that ran for several values, FAILED where one failed.
fn state_in(task: &Value) -> Option<&str> {
    let of = |value: &'_ Value| value.get("state").and_then(Value::as_str).map(str::to_owned);
    if let Some(state) = task.get("state").and_then(Value::as_str) {
        return Some(state);
    }
    let failed = task.as_object()?.values().any(|value| of(value).as_deref() == Some("FAILED"));
    failed.then_some("FAILED")
}

fn of_trigger(asked: &Asked<'_>) -> Result<Story, Error> {
    let Some(id) = variable(asked, "trigger", "executionId") else {
        return Err(Error::failed(
            "Trigger variable is missing 'executionId' key, notification plugins can only be used either on the current \
             execution or an execution triggered by a Flow trigger.",
        ));
    };
    let text = |name: &str| variable(asked, "trigger", name);
    let state = text("state").and_then(|state| State::named(&state));
    let execution = Execution {
        id,
        namespace: text("namespace").unwrap_or_default(),
        flow: text("flowId").unwrap_or_default(),
        state: state.ok_or_else(|| Error::failed("java.lang.NullPointerException"))?,
        start: instant(asked, "trigger", "startDate").unwrap_or(asked.host.now),
        end: instant(asked, "trigger", "endDate"),
        task_runs: None,
    };
    Ok(Story { failed: text("firstFailedTaskId"), last: text("lastTaskId"), ..begun(asked, &execution) })
}
