//! An execution: its task runs, and what happens to it. What comes next of that is in `step`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::iterate::{Iteration, Looping};
use super::rules::Part;
use super::step::Step;
use super::tree::Tree;
use super::{Dialect, Done};
use crate::flow::{State, Then};
use crate::time::{Duration, Instant};

/// Task runs that an execution may have: values of a ForEach beyond that are an error.
pub const TASK_RUNS: usize = 10_000;

/// An execution that has not ended.
#[derive(Clone, Debug)]
pub struct Execution {
    /// What it is now.
    pub state: State,
    /// How many executions were tried before this one (`behavior: CREATE_NEW_EXECUTION`).
    pub attempt: u32,
    /// When the first of these began.
    pub begun: Instant,
    /// How many task runs were created of it, those too that a restart has left out.
    pub(super) made: u32,
    /// Its task runs, in the order in which they were created.
    pub runs: Vec<TaskRun>,
    /// What task runs put out, by number, as far as somebody keeps it.
    pub outputs: BTreeMap<u32, Arc<Map<String, Json>>>,
    /// What the flow puts out, once it has ended.
    pub result: Option<Arc<Map<String, Json>>>,
    /// Labels that its tasks gave it, beside those it was started with and in their place.
    pub labels: Vec<(String, String)>,
    /// Its variables, once a task has changed those of the flow.
    pub variables: Option<Arc<Map<String, Json>>>,
    /// Task runs that failed in the executor since somebody looked, and why.
    pub failures: Vec<(u32, String)>,
    /// The values of each task run that runs its tasks for each of them.
    pub(super) values: BTreeMap<u32, Vec<Json>>,
    /// Those of each Loop.
    pub(super) loops: BTreeMap<u32, Looping>,
    /// What it is for, if it runs nothing but the tasks of a Loop.
    pub iteration: Option<Arc<Iteration>>,
    /// Task runs that are somewhere else, or wait: their end will be told.
    pub(super) open: u32,
    /// Which of the `listeners` run, once that is asked.
    pub(super) listening: Option<Vec<u32>>,
    /// Its tasks have ended, and so have those of `listeners` and `afterExecution`.
    pub over: bool,
    /// It was ended from outside, before its tasks were.
    pub(super) cut: bool,
}

/// A task run.
#[derive(Clone, Copy, Debug)]
pub struct TaskRun {
    /// What names it for as long as its execution is known: a restart may change its place, and not this.
    pub id: u32,
    /// The number of its task.
    pub node: u32,
    /// What it is now.
    pub state: State,
    /// The attempt, from 1 on.
    pub attempt: u32,
    /// When it was created.
    pub created: Instant,
    /// Whether an attempt failed and another one followed.
    pub(super) retried: bool,
    /// What is still to come of it.
    pub(super) rest: Rest,
    /// The task run of the task that holds it.
    pub parent: u32,
    /// Which of the lists that it holds was chosen.
    pub(super) branch: u32,
    /// Which of the values of its parent it is for.
    pub(super) value: u32,
    /// Which iteration of the LoopUntil that holds it it is for; 0 elsewhere.
    pub iteration: u32,
    /// The next iteration is waited for.
    pub(super) rests: bool,
}

/// What is still to come of a task run whose state says nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing.
    None,
    /// It was ended while it was somewhere else: from there its end will be told all the same.
    Told,
    /// And was told: so it shows.
    Was(State),
    /// Its pause is over, and its execution was PAUSED then.
    Due,
    /// It begins once more when its execution does.
    Again,
    /// Its pause ends by itself, and this becomes of it.
    Timed(Then),
    /// A Pause whose length comes to nothing: when its `timeout` is over it fails.
    Limited,
    /// Its pause is over, and it comes to this unless what it holds comes to more.
    Ends(State),
}

impl TaskRun {
    /// Its state as Kestra shows it in the end: what was ended before its worker had said so shows what its worker said.
    pub fn shown(&self) -> State {
        match self.rest {
            Rest::Was(state) => state,
            _ => self.state,
        }
    }

    /// What of its rest stays with it when its execution is run again: a Pause that was over stays so.
    pub(super) fn kept_rest(&self) -> Rest {
        match self.rest {
            rest @ Rest::Ends(_) => rest,
            _ => Rest::None,
        }
    }
}

/// Something that happened to an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It may run.
    Begin,
    /// A worker has begun an attempt.
    Started {
        /// The task run.
        run: u32,
        /// Which attempt.
        attempt: u32,
    },
    /// An attempt has ended.
    Ended {
        /// The task run.
        run: u32,
        /// Which attempt.
        attempt: u32,
        /// How: SUCCESS, WARNING, FAILED or KILLED.
        state: State,
    },
    /// The pause before an attempt, or of a Pause, is over.
    Due {
        /// The task run.
        run: u32,
    },
    /// Somebody pauses the execution: what is somewhere else ends there, and nothing begins.
    Pause,
    /// Somebody lets the execution go on that is PAUSED, or the first of its task runs that is.
    Resume,
    /// Somebody restarts the execution, which is PAUSED: all its task runs go on that are.
    Restart,
    /// Somebody kills the execution.
    Kill,
    /// It is looked whether the assertions of its `sla` hold.
    Assert,
    /// It has done what its flow does not allow: it ends, whatever runs.
    Cut {
        /// How: FAILED or CANCELLED.
        state: State,
    },
    /// What became of the execution that a Subflow started.
    Child {
        /// The task run.
        run: u32,
        /// CREATED: it is there. An end: it ended so. None: there is no such flow.
        state: Option<State>,
    },
    /// An execution has ended that `Command::Iterate` has asked for.
    Iterated {
        /// The task run, of a Loop.
        run: u32,
        /// How it ended.
        state: State,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The execution is in this state now. Some states are left again by a later command of the same step.
    State(State),
    /// A task run was created that no worker sees: of a task that holds others, waits, or starts a flow.
    Enter {
        /// The task run.
        run: u32,
    },
    /// Such a task run has ended.
    Leave {
        /// The task run.
        run: u32,
    },
    /// A worker is to run an attempt of a task run.
    Start {
        /// The task run.
        run: u32,
        /// Whether it is its first attempt.
        first: bool,
    },
    /// `Event::Due` is to come after a pause.
    Retry {
        /// The task run.
        run: u32,
        /// The pause.
        after: Duration,
    },
    /// `Event::Due` is to come after a pause between two iterations.
    Rest {
        /// The task run.
        run: u32,
        /// The pause.
        after: Duration,
    },
    /// `Event::Due` is to come after a pause: the execution is PAUSED until then.
    Wait {
        /// The task run.
        run: u32,
        /// The pause.
        after: Duration,
    },
    /// The execution goes on after a pause.
    Resumed,
    /// An execution of the flow of a Subflow is to be created; `Event::Child` tells what becomes of it.
    Child {
        /// The task run.
        run: u32,
    },
    /// An execution is to be created for a value of a Loop; `Event::Iterated` tells of its end.
    Iterate {
        /// The task run.
        run: u32,
        /// Which of the values.
        index: u32,
        /// The state in which it begins: CREATED or RUNNING.
        state: State,
    },
    /// A worker is to kill what it does of a task run; its end is told.
    Kill {
        /// The task run.
        run: u32,
    },
    /// The execution has ended as RETRIED: a new one is to be created after a pause.
    Again {
        /// The pause.
        after: Duration,
    },
    /// The execution has ended by its tasks.
    End(State),
    /// The execution has ended from outside: by `Event::Cut`, or as an assertion of its `sla` does not hold.
    Cut(State),
    /// An assertion of `sla` does not hold.
    Violated {
        /// The place of the entry.
        sla: u32,
    },
    /// Nothing will happen to it any more.
    Gone,
}

/// What an execution asks of the world.
pub trait World {
    /// The present.
    fn now(&self) -> Instant;
    /// A draw from 0 to 1 for the pause after an attempt.
    fn share(&mut self, attempt: u32) -> f64;
    /// What a template of a task run comes to where the executor works it out.
    ///
    /// # Errors
    /// Why it comes to nothing.
    fn render(&mut self, template: &str, execution: &Execution, run: u32) -> Result<String, String>;
    /// What comes of a task that the executor itself does; none when nothing does.
    fn work(&mut self, execution: &Execution, run: u32) -> Option<Done> {
        let _ = (execution, run);
        None
    }
    /// Whether the conditions of a listener of the flow hold of an execution that has ended.
    fn listens(&mut self, execution: &Execution, listener: usize) -> bool {
        let _ = (execution, listener);
        false
    }
    /// What the flow puts out that has just ended; none when it says nothing of that.
    ///
    /// # Errors
    /// Why it cannot be worked out: the execution fails.
    fn result(&mut self, execution: &Execution) -> Result<Option<Map<String, Json>>, String> {
        let _ = execution;
        Ok(None)
    }
}

/// Memory that is used again from one step to the next.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub(super) states: [Vec<Option<State>>; 3],
    pub(super) open: Vec<u32>,
}

impl Execution {
    /// One that was just created; `attempt` and `begun` as in the fields.
    pub fn new(attempt: u32, begun: Instant) -> Execution {
        Execution {
            state: State::Created,
            attempt,
            begun,
            made: 0,
            runs: Vec::new(),
            outputs: BTreeMap::new(),
            result: None,
            labels: Vec::new(),
            variables: None,
            failures: Vec::new(),
            values: BTreeMap::new(),
            loops: BTreeMap::new(),
            iteration: None,
            open: 0,
            listening: None,
            over: false,
            cut: false,
        }
    }

    /// Something happened: what is to be done is added to `commands`. What does not fit, as the end of an attempt that is
    /// not the present one, changes nothing and gives false.
    pub fn next(
        &mut self,
        (tree, dialect): (&Tree, &Dialect),
        event: Event,
        world: &mut dyn World,
        scratch: &mut Scratch,
        commands: &mut Vec<Command>,
    ) -> bool {
        let was = self.state;
        let mut step = Step { execution: self, tree, dialect, world, commands, was };
        let fits = match event {
            Event::Begin => step.begins(scratch),
            Event::Started { run, attempt } => step.started(run, attempt, scratch),
            Event::Ended { run, attempt, state } => step.ended(run, attempt, state, scratch),
            Event::Due { run } => step.due(run, false, scratch),
            Event::Pause => step.pause(),
            Event::Resume => step.resume(scratch),
            Event::Restart => step.restart(scratch),
            Event::Kill => step.kill(scratch),
            Event::Assert => step.assert(scratch),
            Event::Cut { state } => step.cut(state, scratch),
            Event::Child { run, state } => step.child(run, state, scratch),
            Event::Iterated { run, state } => step.iteration_ended(run, state, scratch),
        };
        fits.is_some()
    }

    /// The task run that is let go on when somebody resumes the execution: the first that is PAUSED.
    pub fn paused(&self) -> Option<u32> {
        self.runs.iter().position(|run| run.state == State::Paused).map(|run| run as u32)
    }

    /// The task run of the WorkingDirectory in whose thread a task run is done. Its `errors` and `finally` are work like any
    /// other (source).
    pub fn directory(&self, tree: &Tree, run: u32) -> Option<u32> {
        let it = self.run(run)?;
        let parent = self.run(it.parent)?;
        let part = tree.node(it.node)?.part;
        (part == Part::Tasks && tree.is_directory(parent.node)).then_some(it.parent)
    }

    /// The task run of a number.
    pub fn run(&self, run: u32) -> Option<&TaskRun> {
        self.runs.get(run as usize)
    }
}
