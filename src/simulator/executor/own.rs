//! Task runs that no worker sees: of tasks that hold tasks, wait, or start flows. Counted as a recorded 1.3.19 counts them
//! (standalone/activity), but for `kestra.executor.flowable.execution.count`: it counts how often each was looked at, which
//! nobody can tell from what happens.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::entries::{EntryAbout, child_said};
use super::super::event::Event;
use super::super::inputs;
use super::super::meters::{Class, Meter, Subject};
use super::super::origin::{By, Origin, Starter};
use super::asked::Asked;
use super::kept::Kept;
use super::{Coming, Execution, Executor, Freed, Parent, message};
use crate::execution::trigger::CORRELATION;
use crate::execution::{self, Event as Step};
use crate::flow::{Flow, State};
use crate::pebble::Side;
use crate::scenario::trigger_dialect;
use crate::time::Duration;

impl Executor {
    /// A task run was created that no worker sees.
    pub(super) fn enter(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, event: Step) {
        let Some(flow) = self.executions.get(slot).map(|it| it.flow) else { return };
        if event != Step::Begin {
            cluster.count(cx, executor, Meter::TaskRunNext, Subject::FlowState(flow, State::Running));
        }
        message(cx, cluster, executor, flow, State::Running);
        cluster.count(cx, executor, Meter::TaskRunCreated, Subject::FlowState(flow, State::Running));
        cluster.produce(cx, executor, Class::Execution, 1);
    }

    /// Such a task run has ended: counted as those of workers are (standalone/activity; a Pause never is).
    pub(super) fn leave(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, run: u32) {
        let Some(execution) = self.executions.get(slot) else { return };
        let Some(&execution::TaskRun { state, created, .. }) = execution.it.run(run) else { return };
        let flow = execution.flow;
        message(cx, cluster, executor, flow, State::Running);
        cluster.count(cx, executor, Meter::TaskRunEnded, Subject::FlowState(flow, state));
        cluster.time(cx, executor, Meter::TaskRunDuration, Subject::FlowState(flow, state), cx.now.since(created));
    }

    /// The execution is PAUSED for a while.
    pub(super) fn wait(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        (run, after): (u32, Duration),
    ) {
        let Some(&Execution { flow, number, .. }) = self.executions.get(slot) else { return };
        // Its delay is counted when it ends, and not before (standalone/activity).
        message(cx, cluster, executor, flow, State::Paused);
        cx.after(after, Event::RetryDue { execution: slot, flow, number, run });
    }

    /// The pause before the next iteration of a LoopUntil.
    pub(super) fn rest(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        (run, after): (u32, Duration),
    ) {
        let Some(&Execution { flow, number, .. }) = self.executions.get(slot) else { return };
        message(cx, cluster, executor, flow, State::Running);
        cluster.count(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, State::Running));
        cx.after(after, Event::RetryDue { execution: slot, flow, number, run });
    }

    /// The execution goes on after a pause: counted as one that starts (standalone/activity).
    pub(super) fn resumed(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32) {
        let Some(flow) = self.executions.get(slot).map(|it| it.flow) else { return };
        cluster.count(cx, executor, Meter::ExecutionStarted, Subject::FlowState(flow, State::Restarted));
    }

    /// A Subflow creates its execution.
    pub(super) fn create_child(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        run: u32,
    ) {
        let Some(&Execution { flow, number, .. }) = self.executions.get(slot) else { return };
        let parent = Parent { slot, flow, number, run };
        if self.create_batches(cx, cluster, executor, parent).is_some() {
            return;
        }
        if let Some((key, wait)) = self.child_before(cx, parent, 0).map(|(kept, wait)| ((kept.flow, kept.number), wait))
            && self.restart(cx, cluster, executor, key, wait.then_some(parent)).is_some()
        {
            if !wait {
                parent.tell(cx, cluster, Some(State::Created));
            }
            return;
        }
        match self.child_origin(cx, parent, 0) {
            Ok((child, wait, origin)) => {
                let child = self.start_child(cx, cluster, executor, parent, (child, wait, origin));
                if !wait {
                    self.child_begun(cx, (slot, run), child);
                    parent.tell(cx, cluster, Some(State::Created));
                }
            }
            Err(why) => self.no_child(cx, cluster, parent, why),
        }
    }

    /// Creates the execution of a Subflow.
    pub(super) fn start_child(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        parent: Parent,
        (child, wait, origin): (u32, bool, Arc<Origin>),
    ) -> (u32, u64) {
        let key = (child, cx.next_number(child));
        inputs::keep_secret(cx, child, &origin.inputs);
        self.origins.insert(key, origin);
        self.coming.insert(key, Coming { begun: cx.now, parent: wait.then_some(parent), from: None });
        self.create(cx, cluster, executor, key, (None, 0));
        let Parent { flow, number, run, .. } = parent;
        let task = self.of(parent.slot, (flow, number)).and_then(|it| it.it.run(run)).map_or(0, |run| run.node);
        let about = |cx: &Context| EntryAbout::Child { number, task, run, said: child_said(cx, key) };
        cluster.write_logs(cx, executor, (flow, 1), about);
        key
    }

    /// The execution of a Subflow cannot be created: its task run fails.
    pub(super) fn no_child(&mut self, cx: &mut Context, cluster: &mut Cluster, parent: Parent, why: String) {
        if let Some(execution) = self.executions.get_mut(parent.slot) {
            execution.it.failures.push((parent.run, why));
        }
        self.failed_here(cx, parent.slot);
        parent.tell(cx, cluster, None);
    }

    /// Of a Subflow that runs again as its execution was restarted: the execution that it had started, for a batch of its
    /// items, if it is still kept and the task does not ask for a new one (source); and whether it is waited for.
    pub(super) fn child_before(&self, cx: &Context, parent: Parent, batch: u32) -> Option<(&Arc<Kept>, bool)> {
        let task_run = self.of(parent.slot, (parent.flow, parent.number))?.it.run(parent.run)?;
        let node = cx.flows.get(parent.flow as usize)?.tree.node(task_run.node)?;
        let execution::Does::Subflow(subflow) = &node.does else { return None };
        if task_run.attempt < 2 || !subflow.restarts {
            return None;
        }
        let by = By::TaskRun { id: task_run.id, batch };
        let starter = Starter { flow: parent.flow, number: parent.number, by };
        self.kept.started_by(starter).map(|kept| (kept, subflow.wait))
    }

    /// The flow that a Subflow starts, whether it waits for it, and what the execution is started with, for a batch of its
    /// items or for all.
    ///
    /// # Errors
    /// Its templates come to nothing, or to no flow, or the inputs are not as that flow declares them: Kestra's words.
    pub(super) fn child_origin(
        &self,
        cx: &Context,
        Parent { slot, run, .. }: Parent,
        batch: u32,
    ) -> Result<(u32, bool, Arc<Origin>), String> {
        let execution = self.executions.get(slot).ok_or_else(String::new)?;
        let &Execution { flow, number, created, ref it, .. } = execution;
        let flow_here = cx.plan.flows.get(flow as usize).ok_or_else(String::new)?;
        let task_run = it.run(run).ok_or_else(String::new)?;
        let node =
            cx.flows.get(flow as usize).and_then(|flow| flow.tree.node(task_run.node)).ok_or_else(String::new)?;
        let execution::Does::Subflow(subflow) = &node.does else { return Err(String::new()) };
        let origin = self.origins.get((flow, number));
        let asked = Asked::of(cx, (flow, number), created, &self.dialect, origin);
        let started = |render: &mut execution::Render<'_>| {
            let (namespace, id) = (render(&subflow.namespace)?, render(&subflow.flow)?);
            let inputs = execution::deep_map(&subflow.inputs, render)?;
            let labels = subflow.labels.iter().map(|(key, value)| Ok((key.clone(), render(value)?)));
            Ok::<_, String>((namespace, id, inputs, labels.collect::<Result<Vec<_>, String>>()?))
        };
        let more = of_batch(cx, (flow, number, run), batch);
        let rendered = asked.rendering_with(it, Some(run), (Side::Executor, more), started);
        let (namespace, id, inputs, given) = rendered.ok_or_else(String::new)??;
        let (child, of_child) = child_flow(cx, &namespace, &id)?;
        let inputs = inputs::resolved(cx, child as u32, &inputs)?;
        // As captures/core/end-to-end.*.jsonl show them.
        let trigger = json!({
            "executionId": cx.id("execution", flow, number, 0),
            "taskRunId": cx.task_run_id(flow, number, run),
            "flowId": flow_here.id,
            "taskId": node.id,
            "flowRevision": 1,
            "namespace": flow_here.namespace,
        });
        let mut labels = of_child.labels.clone();
        let own = origin.map_or(&flow_here.labels, |origin| &origin.labels).iter().chain(&it.labels);
        let inherited = own.clone().filter(|(key, _)| subflow.inherit && key != CORRELATION);
        for (key, value) in inherited.cloned().chain(given) {
            labels.retain(|(other, _)| *other != key);
            labels.push((key, value));
        }
        if trigger_dialect(cx.plan.kestra).correlated {
            let mut own = own;
            let correlation = own.find(|(key, _)| key == CORRELATION).cloned();
            let id = || cx.id("execution", flow, number, 0);
            labels.push(correlation.unwrap_or_else(|| (CORRELATION.to_owned(), id())));
        }
        let starter = Some(Starter { flow, number, by: By::TaskRun { id: task_run.id, batch } });
        let mut trigger = trigger.as_object().cloned();
        if let Some(trigger) = trigger.as_mut().filter(|_| batch > 0) {
            trigger.insert("taskRunIteration".to_owned(), batch.into());
        }
        let origin = Origin { labels, inputs, trigger, starter, ..Origin::default() };
        Ok((child as u32, subflow.wait, Arc::new(origin)))
    }

    /// Something became of the execution that a Subflow started.
    pub(in super::super) fn child(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        (slot, key): (u32, (u32, u64)),
        (run, state): (u32, Option<State>),
    ) -> Freed {
        self.of(slot, key)?;
        let state = self.batch_ends(slot, (key, run), state).ok()?;
        let event = match self.is_loop(cx, slot, run) {
            true => Step::Iterated { run, state: state.unwrap_or(State::Failed) },
            false => Step::Child { run, state },
        };
        if self.step(cx, slot, event) { self.follow(cx, cluster, executor, slot, event) } else { None }
    }
}

/// The flow that a Subflow names.
///
/// # Errors
/// There is none that can run: Kestra's words (source).
fn child_flow<'c>(cx: &'c Context, namespace: &str, id: &str) -> Result<(usize, &'c Flow), String> {
    let of = |flow: &Flow| flow.namespace == namespace && flow.id == id;
    match cx.plan.flows.iter().enumerate().find(|(_, flow)| of(flow)) {
        None => Err(format!("Unable to find flow '{namespace}'.'{id}' with revision '0'")),
        Some((_, flow)) if flow.disabled => Err("Cannot execute a flow which is disabled".to_owned()),
        Some(found) => Ok(found),
    }
}

/// The variables of a batch of a ForEachItem.
fn of_batch(cx: &Context, (flow, number, run): (u32, u64, u32), batch: u32) -> Map<String, Json> {
    if batch == 0 {
        return Map::new();
    }
    let items = format!("kestra:///{}/batch-{batch}.ion", cx.id("execution", flow, number, run));
    Map::from_iter([("taskrun".to_owned(), json!({ "items": items, "iteration": batch }))])
}
