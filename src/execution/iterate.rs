//! A Loop (2.0): each of its values has an execution of its own, of the same flow, that runs nothing but the tasks of the Loop.
//! As the source of 2.0 does it, where captures/2.0 and captures/core/end-to-end.2.0.0.jsonl are silent.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::engine::{Command, Execution, Scratch, TASK_RUNS};
use super::rules::allowed;
use super::step::Step;
use super::tree::{Does, Held, Node};
use crate::flow::{How, Loop, State};
use crate::time::Instant;

/// What an execution is for that runs the tasks of a Loop.
#[derive(Clone, Debug)]
pub struct Iteration {
    /// The number of the Loop.
    pub node: u32,
    /// The value that it is for.
    pub item: Item,
    /// The values of the Loops around it, the nearest first.
    pub around: Vec<Item>,
    /// The outputs that templates see of the execution that holds the Loop, as they were when this one was created.
    pub outputs: Map<String, Json>,
    /// When the execution that holds the Loop was created: this one counts its age from there (it takes over the states).
    pub created: Instant,
}

/// One of the values of a Loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which it is, from 0.
    pub index: u32,
    /// Its key, where the values are a mapping.
    pub key: Option<String>,
    /// Itself, as a text.
    pub value: String,
}

impl Item {
    fn shown(&self) -> Map<String, Json> {
        let mut shown = Map::from_iter([("index".to_owned(), self.index.into())]);
        shown.extend(self.key.clone().map(|key| ("key".to_owned(), key.into())));
        shown.insert("value".to_owned(), self.value.clone().into());
        shown
    }
}

impl Iteration {
    /// The variable `item` of its templates.
    pub fn variable(&self) -> Json {
        let mut shown = self.item.shown();
        if let Some(parent) = self.around.first() {
            shown.insert("parent".to_owned(), parent.shown().into());
            shown.insert("parents".to_owned(), self.around.iter().map(|item| Json::Object(item.shown())).collect());
        }
        Json::Object(shown)
    }
}

/// The executions of a Loop, so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Looping {
    items: Vec<Item>,
    running: u32,
    ended: BTreeMap<&'static str, u32>,
    broken: Option<Broken>,
}

/// What the `breakWhen` of a Loop came to, of the execution that ended last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It holds: no further value begins.
    Holds,
    /// It could not be worked out: that fails the Loop.
    Fails,
}

impl Looping {
    /// How many values have begun: as many as are ended or running.
    fn begun(&self) -> u32 {
        self.running + self.ended.values().sum::<u32>()
    }
}

impl Execution {
    /// One that runs the tasks of a Loop for a value, to be created now; `state` is that in which it begins. None when there
    /// is no such value. `outputs` are those that templates see here.
    pub fn iteration(
        &self,
        (run, index): (u32, u32),
        state: State,
        created: Instant,
        outputs: Map<String, Json>,
    ) -> Option<Execution> {
        let node = self.run(run)?.node;
        let item = self.loops.get(&run)?.items.get(index as usize)?.clone();
        let mut around = Vec::new();
        if let Some(own) = &self.iteration {
            around.push(own.item.clone());
            around.extend_from_slice(&own.around);
        }
        let iteration = Iteration { node, item, around, outputs, created };
        Some(Execution {
            state,
            labels: self.labels.clone(),
            variables: self.variables.clone(),
            iteration: Some(Arc::new(iteration)),
            ..Execution::new(0, created)
        })
    }

    /// Whether it is to go on from where the execution had come to that holds its Loop: RUNNING, and nothing of it has begun.
    pub fn goes_on(&self) -> bool {
        self.state == State::Running && self.iteration.is_some() && self.runs.is_empty() && !self.over
    }

    /// What a value of a Loop has put out, as its `outputs` say.
    pub fn iteration_put_out(&mut self, run: u32, iteration: &Iteration, outputs: Map<String, Json>) {
        if outputs.is_empty() {
            return;
        }
        let Item { index, key, value } = &iteration.item;
        let mut item = json!({ "value": value, "iteration": index });
        if let Some(key) = key {
            item["key"] = key.clone().into();
        }
        let all = Arc::make_mut(self.outputs.entry(run).or_default()).entry("outputs").or_insert_with(|| json!([]));
        if let Json::Array(all) = all {
            all.push(json!({ "item": item, "outputs": outputs }));
        }
    }

    /// Whether a Loop has values of which none has begun: only then its `breakWhen` is asked for (source).
    pub fn loop_has_more(&self, run: u32) -> bool {
        self.loops.get(&run).is_some_and(|it| (it.begun() as usize) < it.items.len())
    }

    /// What the `breakWhen` of a Loop came to, before `Event::Iterated` tells of the end that it was asked of.
    pub fn loop_breaks(&mut self, run: u32, broken: Broken) {
        self.loops.entry(run).and_modify(|it| it.broken = Some(broken));
    }

    /// A Loop puts out how far it is.
    fn loop_puts_out(&mut self, run: u32) {
        let Some(Looping { items, running, ended, .. }) = self.loops.get(&run) else { return };
        // Until one has ended it is a number (source).
        let terminated = if ended.is_empty() { json!(0) } else { json!(ended) };
        let outputs = Arc::make_mut(self.outputs.entry(run).or_default());
        outputs.insert("iterationCount".to_owned(), items.len().into());
        outputs.insert("runningIterations".to_owned(), (*running).into());
        outputs.insert("terminatedIterations".to_owned(), terminated);
    }
}

impl Step<'_> {
    /// A Loop begins: as many executions are to be created as may run at the same time.
    pub(super) fn loops(&mut self, run: u32, node: &Node, of: &Loop, open: &mut Vec<u32>) {
        let items = match self.items(&of.values, run) {
            Ok(items) if items.len() > TASK_RUNS => {
                let why = format!("{} values: a Loop has at most {TASK_RUNS} here", items.len());
                return self.fails(run, node, why, open);
            }
            Ok(items) => items,
            Err(why) => return self.fails(run, node, why, open),
        };
        let count = items.len() as u32;
        let running = if of.most == 0 { count } else { of.most.min(count) };
        self.execution.loops.insert(run, Looping { items, running, ..Looping::default() });
        self.execution.loop_puts_out(run);
        if count == 0 {
            return self.leave(run, State::Success, open);
        }
        self.execution.open += 1;
        self.run(run).into_iter().for_each(|it| it.rests = true);
        (0..running).for_each(|index| self.iterate(run, index));
    }

    /// An execution is to be created for a value. It takes over the state in which this one was when its executor looked at
    /// it: one that is created in the very first step is CREATED, each later one is RUNNING (captures/2.0: of three, two were
    /// counted as started).
    fn iterate(&mut self, run: u32, index: u32) {
        let state = if self.was == State::Created { State::Created } else { State::Running };
        self.commands.push(Command::Iterate { run, index, state });
    }

    /// The execution of a value of a Loop has ended. One that failed ends the Loop at once, what runs beside it runs on, and
    /// even what has not begun begins, as long as the execution goes on; one that was killed ends it well (source).
    pub(super) fn iteration_ended(&mut self, run: u32, state: State, scratch: &mut Scratch) -> Option<()> {
        let it = *self.run(run)?;
        let node = self.tree.node(it.node)?;
        let Does::Group(Held { how: How::Loop(of), .. }) = &node.does else { return None };
        let broken = self.execution.loops.get_mut(&run)?.broken.take();
        let bad = matches!(state, State::Failed | State::Killed | State::Cancelled);
        let end = match broken {
            _ if of.transmit && bad => Some(ends(node, state)),
            Some(Broken::Fails) => Some(State::Failed),
            broken => self.next_value(run, state, broken.map(|_| ends(node, state)))?,
        };
        let Some(end) = end.filter(|_| it.rests) else { return Some(()) };
        self.run(run)?.rests = false;
        self.commands.push(Command::Leave { run });
        self.closes(run, end, scratch)
    }

    /// Another value of a Loop begins in the place of one that has ended, unless it is `broken` off, which is what its
    /// `breakWhen` makes of it (source of after 2.0.0): then those that are left are SKIPPED, and what runs beside it runs on.
    /// How the Loop ends, if it does.
    fn next_value(&mut self, run: u32, state: State, broken: Option<State>) -> Option<Option<State>> {
        let over = matches!(self.execution.state, State::Killing) || self.execution.state.is_over();
        let looping = self.execution.loops.get_mut(&run)?;
        looping.running = looping.running.saturating_sub(1);
        *looping.ended.entry(state.name()).or_default() += 1;
        let (next, count) = (looping.begun(), looping.items.len() as u32);
        let broken = broken.filter(|_| next < count && !over);
        if broken.is_some() {
            looping.ended.insert(State::Skipped.name(), count - next);
        } else if next < count && !over {
            looping.running += 1;
            self.iterate(run, next);
        }
        self.execution.loop_puts_out(run);
        let looping = self.execution.loops.get(&run)?;
        let done = looping.ended.values().sum::<u32>() == count || over && looping.running == 0;
        Some(broken.or(done.then_some(State::Success)))
    }

    /// The values of a Loop: those of a list, each once, or those of a mapping with their keys.
    fn items(&mut self, values: &Json, run: u32) -> Result<Vec<Item>, String> {
        let values = match values {
            Json::String(text) => {
                let text = self.render(text, run)?;
                if text.trim_start().starts_with("kestra://") {
                    return Err(format!("`{text}` is a file: its lines are not simulated, give the values themselves"));
                }
                serde_json::from_str(&text).map_err(|error| format!("`{text}` is no list and no mapping: {error}"))?
            }
            other => super::work::deep(other, &mut |text| self.render(text, run))?,
        };
        let pairs: Vec<(Option<String>, Json)> = match values {
            Json::Array(list) => list.into_iter().map(|value| (None, value)).collect(),
            Json::Object(map) => map.into_iter().map(|(key, value)| (Some(key), value)).collect(),
            other => return Err(format!("`{other}` is no list of values and no mapping")),
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut items = Vec::new();
        for (key, value) in pairs {
            let value = match value {
                Json::Null => return Err("one of the values is nothing".into()),
                Json::String(text) => text,
                other => other.to_string(),
            };
            if key.is_some() || seen.insert(value.clone()) {
                items.push(Item { index: items.len() as u32, key, value });
            }
        }
        Ok(items)
    }
}

/// What a Loop comes to that ends with an execution that ended so.
fn ends(node: &Node, state: State) -> State {
    match state {
        State::Failed => allowed(state, node.allow_failure, node.allow_warning),
        _ => State::Success,
    }
}
