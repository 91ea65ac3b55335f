//! What executions must keep to: `sla` of their flow.

use std::sync::Arc;

use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::event::Event;
use super::super::lines::LineAbout;
use super::super::meters::{Class, Meter, Subject};
use super::super::origin::Origin;
use super::super::queue::{Asked, Message, QueueKind};
use super::{Executor, Freed, Step, message};
use crate::flow::{Demand, State};
use crate::profile::LineKind;
use crate::profile::Role;
use crate::time::Duration;

/// An execution was created: it will be looked at when it has taken as long as it may.
pub(super) fn plan_slas(cx: &mut Context, slot: u32, (flow, number): (u32, u64)) {
    let Some(of) = cx.plan.flows.get(flow as usize).filter(|flow| !flow.slas.is_empty()) else { return };
    let lasts = |sla: &crate::flow::Sla| match sla.demand {
        Demand::MaxDuration(duration) => Some(duration),
        Demand::Assertion(_) => None,
    };
    let due: Vec<(u32, Duration)> =
        of.slas.iter().enumerate().filter_map(|(place, sla)| Some((place as u32, lasts(sla)?))).collect();
    for (sla, after) in due {
        cx.after(after, Event::SlaDue { execution: slot, flow, number, sla });
    }
}

impl Executor {
    /// An execution has taken as long as it may, and goes on.
    pub(in super::super) fn sla_due(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        (slot, (flow, number)): (u32, (u32, u64)),
        sla: u32,
    ) -> Freed {
        let state = self.of(slot, (flow, number)).map(|it| it.it.state).filter(|state| !state.is_over())?;
        let Some(executor) = cluster.pick(cx, Role::Executor, number) else {
            // They are looked at each second by whatever executor there is.
            cx.after(Duration::seconds(1), Event::SlaDue { execution: slot, flow, number, sla });
            return None;
        };
        // Also of one that ends nothing (1.3/NOTES.md).
        cluster.count(cx, executor, Meter::SlaExpired, Subject::FlowState(flow, state));
        let ends = cx.plan.flows.get(flow as usize)?.slas.get(sla as usize)?.ends;
        self.violated(cx, cluster, executor, slot, sla);
        // With the state after it.
        cluster.count(cx, executor, Meter::SlaViolated, Subject::FlowState(flow, ends.unwrap_or(state)));
        let event = Step::Cut { state: ends? };
        if self.step(cx, slot, event) { self.follow(cx, cluster, executor, slot, event) } else { None }
    }

    /// An execution that may begin, if an assertion ends it at once: it never ran, and is not counted as begun
    /// (1.3/alerting/FIRED.tsv).
    pub(super) fn broken(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        slot: u32,
        key: (u32, u64),
    ) -> Option<Freed> {
        let asserts = cx.flows.get(key.0 as usize).is_some_and(|it| it.tree.asserts());
        if !asserts || !self.step(cx, slot, Step::Assert) {
            return None;
        }
        let freed = self.follow(cx, cluster, executor, slot, Step::Assert);
        self.of(slot, key).is_none_or(|it| it.it.state.is_over()).then_some(freed)
    }

    /// An execution does not keep to an entry: it gets the labels of it.
    pub(super) fn violated(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, sla: u32) {
        let Some(execution) = self.executions.get(slot) else { return };
        let key = (execution.flow, execution.number);
        let (age, plan) = (cx.now.since(execution.created), cx.plan.clone());
        let Some(flow) = plan.flows.get(execution.flow as usize) else { return };
        let Some(sla) = flow.slas.get(sla as usize) else { return };
        cluster.write_violation(cx, executor, key, (sla, age));
        let origin = self.origins.get(key);
        let has = origin.map_or(&flow.labels, |origin| &origin.labels);
        // An assertion that ends nothing is looked at again and again.
        if sla.labels.iter().all(|label| has.contains(label)) {
            return;
        }
        let mut origin = origin.cloned().unwrap_or_else(|| Origin { labels: flow.labels.clone(), ..Origin::default() });
        origin.labels.extend(sla.labels.iter().cloned());
        self.origins.insert(key, Arc::new(origin));
    }

    /// An execution was ended from outside: never counted as an end (1.3/NOTES.md, 2.0/NOTES.md). What it has started is
    /// killed, once the executions are there that Flow triggers start of it (1.3/NOTES.md).
    pub(super) fn is_cut(&mut self, cx: &mut Context, cluster: &mut Cluster, executor: usize, slot: u32, state: State) {
        let Some(execution) = self.executions.get(slot) else { return };
        let (flow, number) = (execution.flow, execution.number);
        message(cx, cluster, executor, flow, state);
        let end = Some((state, self.age(cx, slot)));
        cluster.log(cx, executor, LineKind::FlowEnded, LineAbout::Execution { flow, number, end });
        self.close(cx, cluster, executor, slot, state);
        cluster.produce(cx, executor, Class::ExecutionKilled, 1);
        let what = Asked::Kill { cascade: true };
        cluster.send(cx, QueueKind::Execution, Message::Asked { slot, flow, number, what });
    }
}
