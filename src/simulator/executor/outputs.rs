//! What task runs leave behind for others to read: outputs, and what they logged as ERROR. Nothing is kept that no template
//! of the plan reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::super::behaviour::Place;
use super::super::context::Context;
use super::super::happening::Happening;
use super::super::outbox::Prepared;
use super::asked::Asked;
use super::{Executor, Parent};
use crate::execution::{Does, deep_map};
use crate::flow::State;
use crate::pebble::ErrorLog;

/// Entries that `errorLogs()` tells, at most: no more are kept.
const ERRORS: usize = 25;

impl Executor {
    /// What failed in the executor itself in a step: for whoever reads errors, and people.
    pub(super) fn failed_here(&mut self, cx: &mut Context, slot: u32) {
        let Some(execution) = self.executions.get_mut(slot) else { return };
        if execution.it.failures.is_empty() {
            return;
        }
        let failures = std::mem::take(&mut execution.it.failures);
        let (flow, number) = (execution.flow, execution.number);
        let reads = self.telling.reads(flow).errors;
        for (run, why) in failures {
            let node = execution.it.run(run).map(|it| (it.node, it.attempt));
            if let Some((node, attempt)) = node.filter(|_| reads && execution.errors.len() < ERRORS) {
                let entry = entry(cx, (flow, number), (run, node, attempt), why.clone());
                execution.errors.push(entry);
            }
            tell(cx, &mut self.told, (flow, node.map(|it| it.0)), &why);
        }
    }

    /// An attempt of a task run has ended.
    pub(super) fn put_out(&mut self, cx: &mut Context, slot: u32, (run, attempt): (u32, u32), state: State) {
        let Some(execution) = self.executions.get_mut(slot) else { return };
        let (flow, number) = (execution.flow, execution.number);
        let reads = self.telling.reads(flow);
        let Some(node) = execution.it.run(run).filter(|it| it.attempt == attempt).map(|it| it.node) else { return };
        let prepared = || cx.outbox.prepared((flow, number), run);
        let Some(model) = cx.flows.get(flow as usize) else { return };
        if reads.outputs && matches!(state, State::Success | State::Warning) {
            let own = match prepared() {
                Some(Prepared::Done(done)) if !done.outputs.is_empty() => Some(done.outputs.clone()),
                _ => None,
            };
            let outputs = match (own, model.outputs.get(&Place::Task(node))) {
                (None, given) => given.cloned(),
                (Some(own), None) => Some(Arc::new(own)),
                (Some(mut own), Some(given)) => {
                    own.extend(given.iter().map(|(key, value)| (key.clone(), value.clone())));
                    Some(Arc::new(own))
                }
            };
            if let Some(outputs) = outputs {
                execution.it.outputs.insert(run, outputs);
            }
        }
        match (prepared(), state) {
            (Some(Prepared::Done(done)), State::Failed) if done.unsound => {
                let why = done.error.clone().unwrap_or_default();
                tell(cx, &mut self.told, (flow, Some(node)), &why);
            }
            (Some(Prepared::Done(done)), State::Success) => self.toggled.extend(done.toggle.clone()),
            _ => {}
        }
        let prepared = || cx.outbox.prepared((flow, number), run);
        if reads.errors && state == State::Failed {
            let messages = match prepared() {
                Some(Prepared::Done(done)) => {
                    done.logs.iter().chain(done.error.as_ref().or(done.words.as_ref())).cloned().collect()
                }
                Some(Prepared::Fails(why) | Prepared::Looks(why)) => vec![why.clone()],
                _ => vec!["the attempt fails as its `behaviour` says".to_owned()],
            };
            let entry = |message| entry(cx, (flow, number), (run, node, attempt), message);
            let left = ERRORS.saturating_sub(execution.errors.len());
            execution.errors.extend(messages.into_iter().take(left).map(entry));
        }
    }

    /// An execution has ended that a Subflow waits for: what that puts out. False when it cannot be worked out.
    pub(super) fn child_outputs(&mut self, cx: &mut Context, slot: u32, parent: Parent, state: State) -> bool {
        let Some(child) = self.executions.get(slot) else { return true };
        let waits = self.of(parent.slot, (parent.flow, parent.number));
        let Some((flow, of)) = waits.map(|it| (it.flow, &it.it)) else { return true };
        if !self.telling.reads(flow).outputs {
            return true;
        }
        let node = of.run(parent.run).map(|run| run.node);
        let does = node.and_then(|node| Some(&cx.flows.get(flow as usize)?.tree.node(node)?.does));
        let Some(Does::Subflow(subflow)) = does else { return self.iteration_outputs(cx, slot, parent) };
        if subflow.batches {
            return true;
        }
        let origin = self.origins.get((child.flow, child.number));
        let asked = Asked::of(cx, (child.flow, child.number), child.created, &self.dialect, origin);
        let declared = cx.plan.flows.get(child.flow as usize).is_some_and(|flow| flow.source.get("outputs").is_some());
        let result = match &child.it.result {
            Some(result) => Ok(Some(result.as_ref().clone())),
            None if declared || subflow.outputs.is_empty() => Ok(None),
            None => asked
                .rendering(&child.it, None, |render| deep_map(&subflow.outputs, render))
                .unwrap_or_else(|| Err(String::new()))
                .map(Some),
        };
        let mut outputs = started(cx, (child.flow, child.number), state);
        let sound = result.is_ok();
        if let Ok(Some(result)) = result {
            outputs.insert("outputs".to_owned(), result.into());
        }
        if let Some(waits) = self.executions.get_mut(parent.slot) {
            waits.it.outputs.insert(parent.run, Arc::new(outputs));
        }
        sound
    }

    /// A Subflow that waits for nothing has started an execution.
    pub(super) fn child_begun(&mut self, cx: &Context, (slot, run): (u32, u32), child: (u32, u64)) {
        let Some(execution) = self.executions.get_mut(slot) else { return };
        if self.telling.reads(execution.flow).outputs {
            execution.it.outputs.insert(run, Arc::new(started(cx, child, State::Created)));
        }
    }
}

/// What a task run logged as ERROR.
fn entry(cx: &Context, (flow, number): (u32, u64), (run, node, attempt): (u32, u32, u32), message: String) -> ErrorLog {
    let node = cx.flows.get(flow as usize).and_then(|model| model.tree.node(node));
    ErrorLog {
        task_id: node.map_or_else(String::new, |node| node.id.clone()),
        task_run_id: cx.task_run_id(flow, number, run),
        attempt: attempt.saturating_sub(1),
        at: cx.calendar.date(cx.now),
        thread: "worker".to_owned(),
        message: cx.secrets.mask_words(&message),
    }
}

/// Causes of failures that people were told of, by flow and task.
pub(super) type Told = BTreeMap<(u32, Option<u32>), BTreeSet<String>>;

/// Causes that are told of one task: those that are never the same twice, as with a date in them, are not told without end.
const CAUSES: usize = 5;

/// Tells people of a task whose templates cannot be worked out: each cause once.
fn tell(cx: &mut Context, told: &mut Told, (flow, node): (u32, Option<u32>), why: &str) {
    let causes = told.entry((flow, node)).or_default();
    if causes.len() >= CAUSES || causes.contains(why) {
        return;
    }
    causes.insert(why.to_owned());
    let tree = cx.flows.get(flow as usize).map(|model| &model.tree);
    let task = node.and_then(|node| Some(tree?.node(node)?.id.as_str().into()));
    cx.tell(Happening::TemplateFails { flow: flow as usize, task, why: cx.secrets.mask_words(why).into() });
}

/// What a Subflow puts out of the execution that it started.
fn started(cx: &Context, (flow, number): (u32, u64), state: State) -> Map<String, Json> {
    let outputs = json!({ "executionId": cx.id("execution", flow, number, 0), "state": state.name() });
    match outputs {
        Json::Object(outputs) => outputs,
        _ => Map::new(),
    }
}
