//! Pauses: before another attempt of a task, before an execution in place of a failed one, and those of a Pause.

use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::event::Event;
use super::super::meters::{Class, Meter, Subject};
use super::{Coming, Executor, Freed, Step, message};
use crate::flow::State;
use crate::profile::Role;
use crate::time::Duration;

impl Executor {
    /// An attempt of a task failed, and another one follows.
    pub(super) fn retry_task(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        (run, after): (u32, Duration),
    ) {
        let age = self.age(cx, slot);
        let Some(execution) = self.executions.get(slot) else { return };
        let (flow, number) = (execution.flow, execution.number);
        // Each failed attempt is counted as a failed execution (recorded).
        cluster.count(cx, executor, Meter::ExecutionEnded, Subject::FlowState(flow, State::Failed));
        cluster.time(cx, executor, Meter::ExecutionDuration, Subject::FlowState(flow, State::Failed), age);
        cluster.count(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, State::Retrying));
        for _ in 0..3 {
            message(cx, cluster, executor, flow, State::Retrying);
        }
        cluster.produce(cx, executor, Class::Execution, 2);
        cx.after(after, Event::RetryDue { execution: slot, flow, number, run });
    }

    /// `retry` with CREATE_NEW_EXECUTION, of a task or of the flow: this execution ends as RETRIED, a new one follows.
    pub(super) fn retry_execution(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        after: Duration,
    ) {
        let age = self.age(cx, slot);
        let Some(execution) = self.executions.get_mut(slot) else { return };
        let (flow, old, attempt) = (execution.flow, execution.number, execution.it.attempt);
        // Who waits for this one waits for the next.
        let coming = Coming { begun: execution.it.begun, parent: execution.parent.take(), from: None };
        let number = cx.next_number(flow);
        self.coming.insert((flow, number), coming);
        // The new one is started with the same.
        let origin = self.repeated(cx, (flow, old), self.origins.shared((flow, old)));
        self.origins.insert((flow, number), origin);
        cluster.count(cx, executor, Meter::DelayCreated, Subject::FlowState(flow, State::Retried));
        cx.after(after, Event::FlowRetryDue { flow, number, attempt: attempt + 1 });
        // Counted as FAILED: RETRIED never appears in the counter of ends (recorded).
        message(cx, cluster, executor, flow, State::Retried);
        cluster.count(cx, executor, Meter::ExecutionEnded, Subject::FlowState(flow, State::Failed));
        cluster.time(cx, executor, Meter::ExecutionDuration, Subject::FlowState(flow, State::Failed), age);
        self.close(cx, cluster, executor, slot, State::Retried);
    }

    /// The pause before a new execution in place of a failed one is over.
    pub(in super::super) fn flow_retry_due(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        flow: u32,
        number: u64,
        attempt: u32,
    ) {
        match cluster.pick(cx, Role::Executor, number) {
            Some(executor) => {
                cluster.count(cx, executor, Meter::DelayEnded, Subject::FlowState(flow, State::Retried));
                let slot = self.create(cx, cluster, executor, (flow, number), (None, attempt));
                // An executor creates it, so Flow triggers hear of that (captures/core/end-to-end.*.jsonl).
                self.hear(cx, cluster, executor, slot, State::Created);
            }
            None => cx.after(Duration::seconds(1), Event::FlowRetryDue { flow, number, attempt }),
        }
    }

    /// The pause before an attempt, or of a Pause, is over.
    pub(in super::super) fn due(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        (slot, (flow, number)): (u32, (u32, u64)),
        run: u32,
    ) -> Freed {
        let state = self.of(slot, (flow, number))?.it.run(run)?.state;
        let Some(executor) = cluster.pick(cx, Role::Executor, number) else {
            // Delays are looked at each second by whatever executor there is.
            cx.after(Duration::seconds(1), Event::RetryDue { execution: slot, flow, number, run });
            return None;
        };
        cluster.count(cx, executor, Meter::DelayEnded, Subject::FlowState(flow, state));
        let event = Step::Due { run };
        if self.step(cx, slot, event) { self.follow(cx, cluster, executor, slot, event) } else { None }
    }
}
