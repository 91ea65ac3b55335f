//! Task runs that no worker sees: of tasks that hold tasks, wait, or start flows. Counted as a recorded 1.3.19 counts them
//! (standalone/activity), but for `kestra.executor.flowable.execution.count`: it counts how often each was looked at, which
//! nobody can tell from what happens.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::event::Event;
use super::super::meters::{Class, Meter, Subject};
use super::super::origin::{Origin, Starter};
use super::super::queue::{Message, QueueKind};
use super::asked::Asked;
use super::{Coming, Execution, Executor, Freed, Parent, message};
use crate::execution::trigger::CORRELATION;
use crate::execution::{self, Event as Step};
use crate::flow::State;
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
        let Some(&Execution { number, .. }) = self.executions.get(slot) else { return };
        let tell = |cluster: &mut Cluster, cx: &mut Context, state| {
            cluster.send(cx, QueueKind::Execution, Message::Child { slot, number, run, state });
        };
        if self.create_batches(cx, cluster, executor, slot, run).is_some()
            || self.restart_child(cx, cluster, executor, slot, run)
        {
            return;
        }
        let Some((child, wait, origin)) = self.child_origin(cx, (slot, run), Map::new()) else {
            return tell(cluster, cx, None);
        };
        let number_of_child = cx.next_number(child);
        self.origins.insert((child, number_of_child), origin);
        let parent = wait.then_some(Parent { slot, number, run });
        self.coming.insert((child, number_of_child), Coming { begun: cx.now, parent, from: None });
        self.create(cx, cluster, executor, (child, number_of_child), (None, 0));
        if !wait {
            self.child_begun(cx, (slot, run), (child, number_of_child));
            tell(cluster, cx, Some(State::Created));
        }
    }

    /// A Subflow runs again as its execution was restarted: the one that it had started is restarted too, if that failed and
    /// is still kept, and the task does not ask for a new one (source).
    fn restart_child(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, run: u32) -> bool {
        let Some(&Execution { flow, number, ref it, .. }) = self.executions.get(slot) else { return false };
        let Some(task_run) = it.run(run).filter(|it| it.attempt > 1) else { return false };
        let node = cx.flows.get(flow as usize).and_then(|flow| flow.tree.node(task_run.node));
        let Some(execution::Does::Subflow(subflow)) = node.map(|node| &node.does) else { return false };
        if !subflow.restarts {
            return false;
        }
        let (wait, before) = (subflow.wait, cx.id("task run", flow, number, (run << 8) | (task_run.attempt - 1)));
        let by = |origin: &Origin| origin.trigger.as_ref()?.get("taskRunId")?.as_str().map(|id| id == before);
        let kept = self.kept.iter().rev().find(|kept| kept.origin.as_deref().and_then(by) == Some(true));
        let Some(key) = kept.map(|kept| (kept.flow, kept.number)) else { return false };
        let parent = wait.then_some(Parent { slot, number, run });
        let restarted = self.restart(cx, cluster, executor, key, parent).is_some();
        if restarted && !wait {
            let state = Some(State::Created);
            cluster.send(cx, QueueKind::Execution, Message::Child { slot, number, run, state });
        }
        restarted
    }

    /// The flow that a Subflow starts, whether it waits for it, and what the execution is started with; none when its
    /// templates come to nothing, or to no flow. These see `more` variables.
    pub(super) fn child_origin(
        &self,
        cx: &Context,
        (slot, run): (u32, u32),
        more: Map<String, Json>,
    ) -> Option<(u32, bool, Arc<Origin>)> {
        let execution = self.executions.get(slot)?;
        let &Execution { flow, number, created, ref it, .. } = execution;
        let tree = &cx.flows.get(flow as usize)?.tree;
        let task_run = it.run(run)?;
        let node = tree.nodes.get(task_run.node as usize)?;
        let execution::Does::Subflow(subflow) = &node.does else { return None };
        let origin = self.origins.get((flow, number));
        let asked = Asked::of(cx, (flow, number), created, &self.dialect, origin);
        let started = |render: &mut execution::Render<'_>| {
            let (namespace, id) = (render(&subflow.namespace)?, render(&subflow.flow)?);
            let inputs = execution::deep_map(&subflow.inputs, render)?;
            let labels = subflow.labels.iter().map(|(key, value)| Ok((key.clone(), render(value)?)));
            Ok::<_, String>((namespace, id, inputs, labels.collect::<Result<Vec<_>, String>>()?))
        };
        let (namespace, id, inputs, given) =
            asked.rendering_with(it, Some(run), (Side::Executor, more), started)?.ok()?;
        let of = |flow: &crate::flow::Flow| flow.namespace == namespace && flow.id == id && !flow.disabled;
        let child = cx.plan.flows.iter().position(of)?;
        let flow_here = cx.plan.flows.get(flow as usize)?;
        // As captures/core/end-to-end.*.jsonl show them.
        let trigger = json!({
            "executionId": cx.id("execution", flow, number, 0),
            "taskRunId": cx.id("task run", flow, number, (run << 8) | task_run.attempt),
            "flowId": flow_here.id,
            "taskId": node.id,
            "flowRevision": 1,
            "namespace": flow_here.namespace,
        });
        let mut labels = cx.plan.flows.get(child)?.labels.clone();
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
        let starter = Some(Starter { flow, number, alert: false });
        let trigger = trigger.as_object().cloned();
        let origin = Origin { labels, inputs, trigger, starter, ..Origin::default() };
        Some((child as u32, subflow.wait, Arc::new(origin)))
    }

    /// Something became of the execution that a Subflow started.
    pub(in super::super) fn child(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        (slot, number): (u32, u64),
        (run, state): (u32, Option<State>),
    ) -> Freed {
        let key = (self.execution(slot, number)?.flow, number);
        let state = self.batch_ends(slot, (key, run), state).ok()?;
        let event = Step::Child { run, state };
        if self.step(cx, slot, event) { self.follow(cx, cluster, executor, slot, event) } else { None }
    }
}
