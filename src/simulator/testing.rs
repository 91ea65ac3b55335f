//! What the parts of a simulator need to be tried without the others: a plan from a few lines, and processes that are up.

use std::sync::Arc;

use super::cluster::Cluster;
use super::context::Context;
use super::event::Event;
use super::process::Cause;
use super::queue::{Message, QueueKind};
use crate::random::Seed;
use crate::scenario::{NoFiles, Plan, read};
use crate::time::{Calendar, Duration, Instant};

/// A plan of a cluster and what else is written in a scenario.
pub(super) fn plan(cluster: &str, rest: &str) -> Arc<Plan> {
    let text = format!("name: x\ncluster: {{ {cluster} }}\n{rest}");
    let (plan, diagnostics) = read("x.yaml", &text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{diagnostics:?}")))
}

/// A world in which all members are up, as they were a minute after the start.
pub(super) fn world(cluster: &str, rest: &str) -> (Context, Cluster) {
    let plan = plan(cluster, rest);
    let mut cx = Context::new(plan.clone(), Seed(1), Calendar::default());
    let mut cluster = Cluster::new(&plan);
    for member in &mut cluster.members {
        member.start(cx.seed, cx.now).on(cx.now, Cause::ComesUp);
    }
    cluster.link.connect(cluster.find_controller());
    cx.now = second(60);
    (cx, cluster)
}

/// An instant so many seconds after the start.
pub(super) fn second(n: u64) -> Instant {
    Instant::START + Duration::seconds(n)
}

impl Cluster {
    /// Takes all messages of a queue.
    pub(super) fn drain(&mut self, kind: QueueKind) -> Vec<Message> {
        std::iter::from_fn(|| self.queues[kind as usize].pop()).collect()
    }
}

/// The events that come up to an instant.
pub(super) fn events(cx: &mut Context, until: Instant) -> Vec<(Instant, Event)> {
    std::iter::from_fn(|| cx.events.pop(until)).collect()
}
