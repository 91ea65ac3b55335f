//! Executions that have ended, kept to be looked at and to be asked for again: only where somebody may.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::super::context::Context;
use super::super::heard::labels;
use super::super::limits;
use super::super::origin::{Origin, Starter};
use super::super::view::{ExecutionSeen, RunState, TaskRunSeen};
use super::Executor;
use crate::execution;
use crate::flow::State;
use crate::scenario::{Order, Plan, trigger_dialect};
use crate::time::Instant;

/// The executions that ended last.
#[derive(Clone, Debug)]
pub(super) struct Keeping {
    keeps: bool,
    /// The oldest first.
    ended: VecDeque<Arc<Kept>>,
    /// How many ever ended, or were changed after their end.
    turns: u64,
    /// How many are kept at most.
    limit: usize,
    /// The turn of the last that made room for others.
    gone: u64,
}

/// An execution that has ended.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) flow: u32,
    pub(super) number: u64,
    pub(super) created: Instant,
    pub(super) history: History,
    pub(super) it: execution::Execution,
    pub(super) origin: Option<Arc<Origin>>,
    /// The how manieth that ended, or was changed after its end.
    turn: u64,
}

/// The states that an execution came into, and those of its task runs, where that is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Of itself, the oldest first.
    pub(super) states: Vec<(Instant, State)>,
    /// Of each task run.
    runs: Vec<Vec<RunState>>,
    /// The trigger that started it: its place in the flow.
    trigger: Option<u32>,
}

impl History {
    /// Of one that begins in a state.
    pub(super) fn beginning(at: Instant, state: State) -> History {
        History { states: vec![(at, state)], ..History::default() }
    }

    /// The same without what became of its task runs.
    pub(super) fn of_itself(&self) -> History {
        History { states: self.states.clone(), ..History::default() }
    }

    /// It goes on in a state. What its task runs came into stays, as far as there are so many.
    pub(super) fn going_on(mut self, at: Instant, state: State, it: &execution::Execution) -> History {
        self.states.push((at, state));
        self.runs.truncate(it.runs.len());
        self
    }

    /// Keeps what has changed of task runs.
    pub(super) fn look(&mut self, now: Instant, it: &execution::Execution) {
        self.runs.resize_with(it.runs.len().max(self.runs.len()), Vec::new);
        for (states, run) in self.runs.iter_mut().zip(&it.runs) {
            let (state, attempt) = (run.shown(), run.attempt);
            if states.last().is_some_and(|last| (last.state, last.attempt) == (state, attempt)) {
                continue;
            }
            if states.is_empty() && state != State::Created {
                states.push(RunState { at: run.created.min(now), state: State::Created, attempt });
            }
            states.push(RunState { at: now, state, attempt });
        }
    }
}

impl Keeping {
    /// Somebody asks for executions in the commands of the plan, or nobody does.
    pub(super) fn new(plan: &Plan) -> Keeping {
        let asks = plan.commands.iter().any(|command| matches!(command.order, Order::Ask { .. }));
        Keeping { keeps: asks, ended: VecDeque::new(), turns: 0, limit: limits::ENDED, gone: 0 }
    }

    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// The states of an execution that is created now.
    pub(super) fn beginning(&self, now: Instant) -> History {
        if self.keeps { History::beginning(now, State::Created) } else { History::default() }
    }

    /// Those that are kept, the oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Kept>> {
        self.ended.iter()
    }

    /// One of them.
    pub(super) fn get(&self, (flow, number): (u32, u64)) -> Option<&Arc<Kept>> {
        self.ended.iter().rev().find(|kept| (kept.flow, kept.number) == (flow, number))
    }

    /// One of them, to be changed.
    pub(super) fn get_mut(&mut self, (flow, number): (u32, u64)) -> Option<&mut Kept> {
        let found = self.ended.iter_mut().rev().find(|kept| (kept.flow, kept.number) == (flow, number));
        let found = found.map(Arc::make_mut)?;
        self.turns += 1;
        found.turn = self.turns;
        Some(found)
    }

    /// Takes one of them out.
    pub(super) fn take(&mut self, (flow, number): (u32, u64)) -> Option<Arc<Kept>> {
        let at = self.ended.iter().rposition(|kept| (kept.flow, kept.number) == (flow, number))?;
        self.ended.remove(at)
    }

    /// The last that a task run of an execution started, if it is kept.
    pub(super) fn started_by(&self, starter: Starter) -> Option<&Arc<Kept>> {
        let by = |kept: &&Arc<Kept>| kept.origin.as_ref().and_then(|it| it.starter) == Some(starter);
        self.ended.iter().rev().find(by)
    }

    fn keep(&mut self, mut kept: Kept) {
        self.turns += 1;
        kept.turn = self.turns;
        if self.ended.len() >= self.limit {
            self.gone = self.ended.pop_front().map_or(self.gone, |kept| kept.turn);
        }
        self.ended.push_back(Arc::new(kept));
    }

    /// Bytes of their places.
    pub(super) fn bytes(&self) -> usize {
        self.ended.len() * size_of::<Arc<Kept>>()
    }
}

impl Executor {
    /// From now on more executions that end are kept.
    #[cfg(feature = "cli")]
    pub(in super::super) fn keep_for_store(&mut self) {
        self.kept.keeps = true;
        self.kept.limit = limits::STORED;
    }

    /// From now on executions that end are kept.
    pub(in super::super) fn keep_executions(&mut self) {
        self.kept.keeps = true;
    }

    /// A trigger has started an execution: it is kept where executions are.
    pub(in super::super) fn is_triggered(&mut self, slot: u32, trigger: u32) {
        if let Some(execution) = self.executions.get_mut(slot).filter(|_| self.kept.keeps) {
            execution.history.trigger = Some(trigger);
        }
    }

    /// Nothing will happen any more to an execution that has ended.
    pub(super) fn remove(&mut self, cx: &mut Context, slot: u32) {
        let Some((execution, origin)) = self.forget(cx, slot) else { return };
        self.counting.ended(cx, &execution);
        self.ended -= 1;
        if self.kept.keeps {
            let super::Execution { flow, number, created, history, it, .. } = execution;
            self.kept.keep(Kept { flow, number, created, history, it, origin, turn: 0 });
        }
    }

    /// Nothing is left of an execution: what it was, and was started with.
    pub(super) fn forget(&mut self, cx: &mut Context, slot: u32) -> Option<(super::Execution, Option<Arc<Origin>>)> {
        let execution = self.executions.remove(slot)?;
        let key = (execution.flow, execution.number);
        let origin = self.origins.remove(key);
        cx.outbox.forget(key);
        self.given.remove(&key);
        self.waiting.gone(cx, key);
        if !self.batches.is_empty() {
            self.batches.retain(|(of, _), _| *of != key);
        }
        if let Some(starter) = origin.as_ref().and_then(|origin| origin.starter) {
            let of = (starter.flow, starter.number);
            if let Some(children) = self.children.get_mut(&of) {
                children.retain(|(_, child)| *child != key);
                if children.is_empty() {
                    self.children.remove(&of);
                }
            }
        }
        Some((execution, origin))
    }
}

impl Executor {
    /// The executions of which something may still come, the youngest of them.
    pub(in super::super) fn live_executions(&self, cx: &Context) -> Vec<ExecutionSeen> {
        let mut live: Vec<&super::Execution> = self.executions.iter().collect();
        live.sort_by_key(|it| (it.created, it.flow, it.number));
        live.drain(..live.len().saturating_sub(limits::LISTED));
        let live = live.into_iter().map(|it| {
            let origin = self.origins.get((it.flow, it.number));
            seen(cx, (it.flow, it.number), (it.created, &it.history), (&it.it, origin))
        });
        live.collect()
    }

    /// The same and those that are kept, the oldest first.
    pub(in super::super) fn seen_executions(&self, cx: &Context) -> Vec<ExecutionSeen> {
        let kept = self
            .kept
            .iter()
            .skip(self.kept.ended.len().saturating_sub(limits::ENDED))
            .map(|it| seen(cx, (it.flow, it.number), (it.created, &it.history), (&it.it, it.origin.as_deref())));
        let mut all = self.live_executions(cx);
        all.extend(kept);
        all.sort_by_key(|it| (it.created, it.flow, it.number));
        all
    }

    /// Those that ended, or were changed after their end, since a turn; how many did that are not kept any more; and the turn
    /// from which on others follow.
    #[cfg(feature = "cli")]
    pub(in super::super) fn ended_since(&self, cx: &Context, turn: u64) -> (Vec<ExecutionSeen>, u64, u64) {
        // Mostly nothing has changed.
        let kept = if turn < self.kept.turns { Some(self.kept.iter()) } else { None };
        let new = kept.into_iter().flatten().filter(|kept| kept.turn > turn);
        let seen =
            |it: &Arc<Kept>| seen(cx, (it.flow, it.number), (it.created, &it.history), (&it.it, it.origin.as_deref()));
        (new.map(seen).collect(), self.kept.gone.saturating_sub(turn), self.kept.turns)
    }

    /// One of them, by its id.
    pub(in super::super) fn seen_execution(&self, cx: &Context, id: &str) -> Option<ExecutionSeen> {
        let key = self.named_execution(cx, id)?;
        let live = self.executions.iter().find(|it| (it.flow, it.number) == key);
        let live = live.map(|it| seen(cx, key, (it.created, &it.history), (&it.it, self.origins.get(key))));
        let kept = || self.kept.get(key);
        live.or_else(|| kept().map(|it| seen(cx, key, (it.created, &it.history), (&it.it, it.origin.as_deref()))))
    }

    /// The flow and number of an execution that has not ended, or is kept.
    pub(in super::super) fn named_execution(&self, cx: &Context, id: &str) -> Option<(u32, u64)> {
        let live = self.executions.iter().map(|it| (it.flow, it.number));
        let kept = self.kept.iter().map(|it| (it.flow, it.number));
        live.chain(kept).find(|(flow, number)| cx.id("execution", *flow, *number, 0) == id)
    }
}

fn seen(
    cx: &Context,
    (flow, number): (u32, u64),
    (created, history): (Instant, &History),
    (it, origin): (&execution::Execution, Option<&Origin>),
) -> ExecutionSeen {
    let id = cx.id("execution", flow, number, 0);
    let tree = cx.flows.get(flow as usize).map(|flow| &flow.tree);
    let own = cx.plan.flows.get(flow as usize).map_or(&[][..], |flow| &flow.labels);
    let given = origin.map_or(own, |origin| &origin.labels);
    let run_id = |run: u32| cx.task_run_id(flow, number, run);
    let task_runs = it.runs.iter().enumerate().map(|(index, run)| TaskRunSeen {
        id: run_id(index as u32),
        parent: it.run(run.parent).map(|_| run_id(run.parent)),
        history: history.runs.get(index).cloned().unwrap_or_default(),
        task: tree.and_then(|tree| tree.node(run.node)).map(|node| node.id.clone()).unwrap_or_default(),
        value: it.value_of(run).map(|value| cx.secrets.mask(&value)),
        state: run.shown(),
        attempts: run.attempt,
    });
    let starter = origin.and_then(|origin| origin.starter);
    let inputs = |given: &Map<String, Json>| {
        given.iter().map(|(key, value)| (cx.secrets.mask_words(key), cx.secrets.mask_value(value))).collect()
    };
    let masked = |(key, value): (String, String)| (cx.secrets.mask_words(&key), cx.secrets.mask(&value));
    ExecutionSeen {
        flow: flow as usize,
        number,
        created,
        state: it.state,
        history: history.states.clone(),
        labels: labels(given, &it.labels, &id, trigger_dialect(cx.plan.kestra)).into_iter().map(masked).collect(),
        inputs: origin.map(|origin| inputs(&origin.inputs)).unwrap_or_default(),
        task_runs: task_runs.collect(),
        original: origin.and_then(|origin| origin.original.clone()),
        trigger: history.trigger.map(|trigger| trigger as usize),
        variables: origin.and_then(|origin| origin.trigger.as_ref()).map(inputs),
        started_by: starter.map(|starter| cx.id("execution", starter.flow, starter.number, 0)),
        id,
    }
}
