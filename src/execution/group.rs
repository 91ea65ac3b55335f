//! What a task that holds others, or changes the execution, comes to when it is looked at: which of its lists runs, for which
//! values, how often.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::Done;
use super::engine::{Command, Scratch, TASK_RUNS};
use super::step::Step;
use super::tree::{Does, Held};
use crate::flow::{How, State, Until};
use crate::time::Duration;

impl Step<'_> {
    /// The tasks of a LoopUntil have ended: how it ends, unless another iteration follows.
    pub(super) fn iterated(&mut self, run: u32, until: &Until, state: State) -> Option<State> {
        if matches!(state, State::Failed | State::Killed) {
            return Some(state);
        }
        let it = *self.run(run)?;
        let (pause, most, longest) = match self.frequency(run, until) {
            Ok(known) => known,
            Err(why) => {
                self.execution.failures.push((run, why));
                return Some(State::Failed);
            }
        };
        let late = longest.is_some_and(|longest| self.world.now().since(it.created) > longest);
        let most = most.is_some_and(|most| self.count(run) >= most);
        // What repeats for ever would fill the memory of whoever runs it, or never let time pass.
        let full = self.execution.runs.len() >= TASK_RUNS || self.count(run) as usize >= TASK_RUNS;
        if full || late || most {
            return Some(if full || until.fails { State::Failed } else { state });
        }
        match self.holds(&until.condition, run) {
            Ok(true) => Some(state),
            Err(why) => {
                self.execution.failures.push((run, why));
                Some(State::Failed)
            }
            Ok(false) => {
                self.run(run)?.rests = true;
                self.execution.open += 1;
                self.commands.push(Command::Rest { run, after: pause });
                None
            }
        }
    }

    /// The `checkFrequency` of a LoopUntil: the pause, how many iterations there are at most, and how long it may take.
    fn frequency(&mut self, run: u32, until: &Until) -> Result<(Duration, Option<u32>, Option<Duration>), String> {
        let mut render = |text: &str| self.render(text, run);
        let pause = until.interval.known(&mut render)?.unwrap_or(Duration::minutes(1));
        let most = until.max_iterations.as_ref().map(|most| most.known(&mut render)).transpose()?.flatten();
        let longest = until.max_duration.as_ref().map(|longest| longest.known(&mut render)).transpose()?.flatten();
        Ok((pause, most, longest))
    }

    /// The next iteration of a LoopUntil begins.
    pub(super) fn iterates(&mut self, run: u32, scratch: &mut Scratch) -> Option<()> {
        let over = self.execution.state.is_over() && !self.is_after(run);
        let it = self.run(run)?;
        it.rests = false;
        if over {
            return self.closes(run, State::Failed, scratch);
        }
        let count = self.count(run) + 1;
        self.execution.open -= 1;
        self.counted(run, count);
        self.settle(run, scratch)
    }

    /// The number of the present iteration of a LoopUntil, from 1.
    fn count(&self, run: u32) -> u32 {
        let count = self.execution.outputs.get(&run).and_then(|outputs| outputs.get("iterationCount")?.as_u64());
        count.map_or(1, |count| count as u32)
    }

    /// A LoopUntil puts out the number of its present iteration.
    pub(super) fn counted(&mut self, run: u32, count: u32) {
        let outputs = Map::from_iter([("iterationCount".to_owned(), count.into())]);
        self.execution.outputs.insert(run, Arc::new(outputs));
    }

    /// The iteration to which belongs what a task run creates now, from 0.
    pub(super) fn iteration(&self, parent: u32) -> u32 {
        let node = self.execution.run(parent).and_then(|run| self.tree.node(run.node));
        match node.map(|node| &node.does) {
            Some(Does::Group(Held { how: How::Until(_), .. })) => self.count(parent).saturating_sub(1),
            _ => 0,
        }
    }

    /// A task changes the execution; how it ends.
    pub(super) fn updated(&mut self, run: u32) -> State {
        let Some(Done { error, outputs, labels, variables, .. }) = self.world.work(self.execution, run) else {
            return State::Success;
        };
        if let Some(why) = error {
            self.execution.failures.push((run, why));
            return State::Failed;
        }
        let execution = &mut *self.execution;
        for (key, value) in labels {
            execution.labels.retain(|(other, _)| *other != key);
            execution.labels.push((key, value));
        }
        if variables.is_some() {
            execution.variables = variables.map(Arc::new);
        }
        if !outputs.is_empty() {
            execution.outputs.insert(run, Arc::new(outputs));
        }
        State::Success
    }

    /// The list that a group runs, once its values are known.
    pub(super) fn chosen(&mut self, run: u32, held: &Held) -> Result<u32, String> {
        match &held.how {
            How::If(condition) => Ok(u32::from(!self.holds(condition, run)?)),
            How::Switch(value, cases) => {
                let value = self.render(value, run)?;
                let branch = cases.iter().position(|case| *case == value).unwrap_or(cases.len());
                match held.lists.branches.get(branch) {
                    Some(_) => Ok(branch as u32),
                    None => Err(format!("no case is `{value}`, and there are no `defaults`")),
                }
            }
            How::ForEach(values, _) | How::EachParallel(values, _) => {
                let values = self.values(values, run)?;
                let tasks = held.lists.branches.iter().map(Vec::len).sum::<usize>();
                if values.len().saturating_mul(tasks) + self.execution.runs.len() > TASK_RUNS {
                    return Err(format!(
                        "{} values: an execution has at most {TASK_RUNS} task runs here",
                        values.len()
                    ));
                }
                self.execution.values.insert(run, values);
                Ok(0)
            }
            How::Until(_) => {
                self.counted(run, 1);
                Ok(0)
            }
            // Its tasks run elsewhere.
            How::Loop(_) => Ok(0),
            How::Sequential | How::Directory | How::AllowFailure | How::Parallel(_) | How::Dag(..) | How::Paused(_) => {
                Ok(0)
            }
        }
    }

    /// The values of a group that runs its tasks for each of them: each once, nothing is none.
    fn values(&mut self, values: &Json, run: u32) -> Result<Vec<Json>, String> {
        let list = match values {
            Json::Array(list) => list.iter().map(|value| self.value(value, run)).collect::<Result<_, _>>()?,
            Json::String(text) => {
                let text = self.render(text, run)?;
                serde_json::from_str::<Vec<Json>>(&text).map_err(|error| format!("`{text}` is no list: {error}"))?
            }
            other => return Err(format!("`{other}` is no list of values")),
        };
        let mut distinct: Vec<Json> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for value in list {
            if value.is_null() {
                return Err("one of the values is nothing".into());
            }
            if seen.insert(value.to_string()) {
                distinct.push(value);
            }
        }
        Ok(distinct)
    }

    fn value(&mut self, value: &Json, run: u32) -> Result<Json, String> {
        match value {
            Json::String(text) => self.render(text, run).map(Json::String),
            other => Ok(other.clone()),
        }
    }
}
