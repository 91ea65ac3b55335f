//! What a task of Kestra's own does with other tasks: those that it holds, and when they run.

use serde_json::{Map, Value as Json};

use super::trigger::Condition;
use super::{Flow, State, Task, jackson, typed};
use crate::time::Duration;

/// What a task is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// Work for a worker.
    #[default]
    Work,
    /// A task that holds others.
    Group(Box<Group>),
    /// `io.kestra.plugin.core.flow.Pause`.
    Pause(Pause),
    /// `io.kestra.plugin.core.flow.Subflow`.
    Subflow(Box<Subflow>),
    /// `io.kestra.plugin.core.execution.Fail` with a `condition`: work for a worker, that fails when it holds.
    Fail,
    /// `io.kestra.plugin.core.execution.Exit`: the execution ends in this state.
    Exit(State),
    /// `Labels`, `SetVariables`, `UnsetVariables`, `Resume`: the executor changes the execution, or another one; no worker
    /// sees it.
    Update,
}

/// The tasks that a task holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which of them run, and when.
    pub how: How,
    /// Its lists: one, or those of which one is chosen.
    pub branches: Vec<Vec<Task>>,
    /// Its own `errors`.
    pub errors: Vec<Task>,
    /// Its own `finally`.
    pub finally: Vec<Task>,
}

/// How the tasks of a group run.
#[derive(Clone, Debug, PartialEq)]
pub enum How {
    /// One after another.
    Sequential,
    /// One after another in one thread of one worker: a WorkingDirectory.
    Directory,
    /// One after another; a failure is a warning, unless a task of its own `errors` fails.
    AllowFailure,
    /// At the same time, at most so many (0: all).
    Parallel(u32),
    /// Each when those have ended whose places stand beside it, at most so many at the same time (0: all).
    Dag(u32, Vec<Vec<usize>>),
    /// The first list when the condition holds, else the second, if there is one.
    If(String),
    /// The list of the case that the value is, else the list behind those of the cases, if there is one.
    Switch(String, Vec<String>),
    /// Its tasks one after another for each value, for so many values at the same time (0: all). The values are a list, or a
    /// template that gives one.
    ForEach(Json, u32),
    /// One after another, again and again until the condition holds.
    Until(Box<Until>),
    /// An execution of the same flow for each value, that runs its tasks one after another.
    Loop(Box<Loop>),
    /// All its tasks for all values at the same time, at most so many (0: all).
    EachParallel(Json, u32),
    /// It waits as a Pause does; then its tasks run one after another, or it ends.
    Paused(Box<Pause>),
}

/// `io.kestra.plugin.core.flow.LoopUntil` (old name WaitFor).
#[derive(Clone, Debug, PartialEq)]
pub struct Until {
    /// `condition`: looked at after each iteration.
    pub condition: String,
    /// `checkFrequency.interval`: the pause between two iterations.
    pub interval: Span,
    /// `checkFrequency.maxIterations`.
    pub max_iterations: Option<Times>,
    /// `checkFrequency.maxDuration`: no iteration follows one that ends later than this.
    pub max_duration: Option<Span>,
    /// `failOnMaxReached`: it fails when one of these ends it.
    pub fails: bool,
}

/// How often something happens at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// It is written out.
    Written(u32),
    /// A template: what it comes to when it is asked for must be a number.
    Rendered(String),
}

impl Times {
    /// How often; none where its text comes to nothing.
    ///
    /// # Errors
    /// Why its text comes to no number.
    pub fn known(&self, render: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<Option<u32>, String> {
        let text = match self {
            Times::Written(times) => return Ok(Some(*times)),
            Times::Rendered(text) => render(text)?,
        };
        match text.trim() {
            "" => Ok(None),
            trimmed => trimmed.parse().map(Some).map_err(|_| format!("`{text}` is no number of iterations")),
        }
    }
}

/// `io.kestra.plugin.core.flow.Loop` (2.0).
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// `values`: a list, a mapping, or a template that gives one.
    pub values: Json,
    /// `concurrencyLimit`: for so many values at the same time, at most (0: all).
    pub most: u32,
    /// `transmitFailed`: it ends as soon as an execution of it fails or is killed.
    pub transmit: bool,
    /// `outputs`, as those of a flow: what each execution puts out for those behind the Loop.
    pub outputs: Vec<Json>,
    /// `fetchType: STORE`: these stand in a file.
    pub stores: bool,
    /// `breakWhen`: when it holds of an execution of it that has ended, no further value begins.
    pub breaks: Option<String>,
}

/// Old `listeners` (up to 1.3): tasks that run after the end of an execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// All must hold of the execution.
    pub conditions: Vec<Condition>,
    /// Its tasks.
    pub tasks: Vec<Task>,
}

/// A duration of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// It is written out.
    Written(Duration),
    /// A text that is no duration as it stands: what it comes to when the task begins must be one.
    Rendered(String),
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Span {
        Span::Written(duration)
    }
}

impl Span {
    /// As long as it is written out.
    pub fn written(&self) -> Option<Duration> {
        match self {
            Span::Written(duration) => Some(*duration),
            Span::Rendered(_) => None,
        }
    }

    /// How long it is; none where its text comes to nothing.
    ///
    /// # Errors
    /// Why its text comes to no duration.
    pub fn known(&self, render: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<Option<Duration>, String> {
        self.read(render, |_| None)
    }

    /// The same, and one that Java reads as less than nothing is nothing: what waits so long goes on at once.
    ///
    /// # Errors
    /// Why its text comes to no duration.
    pub fn known_from_zero(
        &self,
        render: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<Option<Duration>, String> {
        self.read(render, |text| typed::is_negative(text).then_some(Duration::ZERO))
    }

    fn read(
        &self,
        render: &mut dyn FnMut(&str) -> Result<String, String>,
        else_is: impl Fn(&str) -> Option<Duration>,
    ) -> Result<Option<Duration>, String> {
        let text = match self {
            Span::Written(duration) => return Ok(Some(*duration)),
            Span::Rendered(text) => render(text)?,
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let read = jackson::duration(&text).ok().or_else(|| else_is(&text));
        read.map(Some).ok_or_else(|| format!("`{text}` is no duration"))
    }
}

/// A task that waits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pause {
    /// `pauseDuration` (old name `delay`): how long it waits; without, until somebody lets the execution go on.
    pub duration: Option<Span>,
    /// `behavior`: what becomes of the task after that.
    pub then: Then,
    /// `behavior`, where it is a template.
    pub behavior: Option<String>,
    /// The first of its tasks is its `onPause`: it runs beside all others when the pause begins.
    pub on_pause: bool,
    /// It holds tasks, `errors` or `finally`: they run when the pause is over.
    pub holds: bool,
    /// `timeout`: it fails when nobody has let the execution go on by then.
    pub timeout: Option<Span>,
    /// `onResume`: inputs that whoever lets it go on gives, as they are declared.
    pub inputs: Vec<Json>,
}

/// `behavior` of a Pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// It ends well.
    #[default]
    Resume,
    /// It ends with a warning.
    Warn,
    /// It fails.
    Fail,
    /// The execution is cancelled.
    Cancel,
}

impl Then {
    /// By the names of `behavior`.
    pub const NAMES: [(&str, Then); 4] =
        [("RESUME", Then::Resume), ("WARN", Then::Warn), ("FAIL", Then::Fail), ("CANCEL", Then::Cancel)];
}

/// A task that starts an execution of another flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Subflow {
    /// `namespace` of that flow, a template as all texts here.
    pub namespace: String,
    /// `flowId`.
    pub flow: String,
    /// `wait`: the task ends when that execution does.
    pub wait: bool,
    /// `transmitFailed`: it ends as that execution did.
    pub transmit: bool,
    /// `inputs` of that execution.
    pub inputs: Map<String, Json>,
    /// `labels` of that execution, beside those of its flow.
    pub labels: Vec<(String, String)>,
    /// `inheritLabels`: it also has those of this one.
    pub inherit: bool,
    /// It is that of a ForEachItem: it starts an execution for each batch.
    pub batches: bool,
    /// `restartBehavior` is RETRY_FAILED, as usual: when the task runs again as its execution was restarted, so is the one
    /// that it had started.
    pub restarts: bool,
    /// `outputs` (deprecated): what the task puts out of an execution whose flow says nothing of that.
    pub outputs: Map<String, Json>,
}

impl Task {
    /// The group that it is.
    pub fn group(&self) -> Option<&Group> {
        match &self.body {
            Body::Group(group) => Some(group),
            _ => None,
        }
    }
}

impl Group {
    /// Its tasks, list after list.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.branches.iter().flatten().chain(&self.errors).chain(&self.finally)
    }
}

impl Flow {
    /// All tasks, each at the number by which it is known: those of the lists of the flow, `tasks` first and those of
    /// `listeners` last, then what these hold, level by level.
    pub fn all_tasks(&self) -> Vec<&Task> {
        let lists = [&self.tasks, &self.errors, &self.finally, &self.after_execution];
        let listeners = self.listeners.iter().flat_map(|listener| &listener.tasks);
        let mut all: Vec<&Task> = lists.into_iter().flatten().chain(listeners).collect();
        let mut at = 0;
        while let Some(task) = all.get(at) {
            if let Some(group) = task.group() {
                all.extend(group.tasks());
            }
            at += 1;
        }
        all
    }

    /// The task of a number.
    pub fn task(&self, number: usize) -> Option<&Task> {
        // Most tasks are those of the flow itself.
        let mut rest = number;
        for list in [&self.tasks, &self.errors, &self.finally, &self.after_execution] {
            match list.get(rest) {
                Some(task) => return Some(task),
                None => rest -= list.len(),
            }
        }
        self.all_tasks().get(number).copied()
    }
}
