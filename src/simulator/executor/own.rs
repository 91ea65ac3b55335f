//! Task runs that no worker sees: of tasks that hold tasks, wait, or start flows. Counted as a recorded 1.3.19 counts them
//! (standalone/activity), but for `kestra.executor.flowable.execution.count`: it counts how often each was looked at, which
//! nobody can tell from what happens.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::event::Event;
use super::super::meters::{Class, Meter, Subject};
use super::super::origin::{Origin, Starter};
use super::super::queue::{Message, QueueKind};
use super::asked::Asked;
use super::{Coming, Execution, Executor, Freed, Parent, message};
use crate::execution::{self, Event as Step, World};
use crate::flow::{State, Subflow};
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
        let Some(subflow) = self.subflow(cx, slot, run) else { return };
        let (namespace, id, wait) = (&subflow.namespace, &subflow.flow, subflow.wait);
        let of = |flow: &crate::flow::Flow| flow.namespace == *namespace && flow.id == *id && !flow.disabled;
        let child = cx.plan.flows.iter().position(of);
        let tell = |cluster: &mut Cluster, cx: &mut Context, state| {
            cluster.send(cx, QueueKind::Execution, Message::Child { slot, number, run, state });
        };
        let Some(child) = child.map(|child| child as u32) else {
            return tell(cluster, cx, None);
        };
        let Some(origin) = self.child_origin(cx, (slot, run), (child, &subflow)) else {
            return tell(cluster, cx, None);
        };
        let number_of_child = cx.next_number(child);
        self.origins.insert((child, number_of_child), origin);
        let parent = wait.then_some(Parent { slot, number, run });
        self.coming.insert((child, number_of_child), Coming { begun: cx.now, parent, from: None });
        self.create(cx, cluster, executor, (child, number_of_child), (None, 0));
        if !wait {
            tell(cluster, cx, Some(State::Created));
        }
    }

    /// What the execution of a Subflow is started with; none when its inputs come to nothing.
    fn child_origin(
        &self,
        cx: &Context,
        (slot, run): (u32, u32),
        (child, subflow): (u32, &Subflow),
    ) -> Option<Arc<Origin>> {
        let execution = self.executions.get(slot)?;
        let (flow, number) = (execution.flow, execution.number);
        let tree = &cx.flows.get(flow as usize)?.tree;
        let variables = || execution.it.variables(tree, run);
        let mut asked = Asked { cx, flow, number, origin: self.origins.get((flow, number)) };
        let inputs = subflow.inputs.iter().map(|(key, value)| {
            let value = match value {
                Json::String(text) if text.contains('{') => Json::String(asked.render(text, variables()).ok()?),
                other => other.clone(),
            };
            Some((key.clone(), value))
        });
        let inputs = inputs.collect::<Option<_>>()?;
        let (task, attempt) = execution.it.run(run).map(|run| (run.node, run.attempt))?;
        let flow_here = cx.plan.flows.get(flow as usize)?;
        // As captures/core/end-to-end.*.jsonl show them.
        let trigger = json!({
            "executionId": cx.id("execution", flow, number, 0),
            "taskRunId": cx.id("task run", flow, number, (task << 8) | attempt),
            "flowId": flow_here.id,
            "taskId": tree.nodes.get(task as usize)?.id,
            "flowRevision": 1,
            "namespace": flow_here.namespace,
        });
        let labels = cx.plan.flows.get(child as usize)?.labels.iter().chain(&subflow.labels).cloned().collect();
        let starter = Some(Starter { flow, number, alert: false });
        let trigger = trigger.as_object().cloned();
        Some(Arc::new(Origin { labels, inputs, trigger, starter, ..Origin::default() }))
    }

    fn subflow(&self, cx: &Context, slot: u32, run: u32) -> Option<Subflow> {
        let execution = self.executions.get(slot)?;
        let node = execution.it.run(run)?.node;
        match &cx.flows.get(execution.flow as usize)?.tree.nodes.get(node as usize)?.does {
            execution::Does::Subflow(subflow) => Some(subflow.clone()),
            _ => None,
        }
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
        self.execution(slot, number)?;
        let event = Step::Child { run, state };
        if self.step(cx, slot, event) { self.follow(cx, cluster, executor, slot, event) } else { None }
    }
}
