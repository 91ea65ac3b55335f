//! The controller of 2.0: workers have no database, they hold a connection to a controller that hands jobs to them and
//! writes their results. It gives a worker no more than fit into its buffer; what does not fit waits in the queue, where no
//! gauge shows it (recorded: 20 sleeps on 4 threads, 2.0 standalone/sleep20).

use super::cluster::Cluster;
use super::context::Context;
use super::meters::{Meter, QueueName, Subject};
use crate::profile::{Quirk, Role};
use crate::time::Duration;

/// A worker that cannot reach a controller gives up after this long (recorded: 63 s of attempts, one each three seconds).
pub(super) const GIVES_UP: Duration = Duration::seconds(63);

/// Jobs a worker holds for each of its threads: one that runs and one that waits.
const HELD_PER_THREAD: usize = 2;

/// Which controller the workers are connected to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// The member, and which of its processes.
    connected: Option<(usize, u32)>,
    /// The controller has stopped reading jobs: no worker has room.
    paused: bool,
}

impl Link {
    /// Whether the controller has stopped reading jobs.
    pub(super) fn paused(self) -> bool {
        self.paused
    }

    /// Workers are connected to this process from now on. False when they were before.
    pub(super) fn connect(&mut self, controller: Option<(usize, u32)>) -> bool {
        // A new one has not paused yet.
        let changed = self.connected != controller;
        if changed {
            *self = Link { connected: controller, paused: false };
        }
        changed
    }
}

/// What a look at a controller shows of its workers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) workers: usize,
    pub(super) permits: usize,
    pub(super) inflight: usize,
    pub(super) capacity: usize,
}

impl Cluster {
    /// Whether a member is a process of a version whose workers are given their jobs by a controller.
    pub(super) fn controlled(&self, member: usize) -> bool {
        self.members[member].profile().has(Quirk::Controller)
    }

    /// Whether a member's process has no database of its own.
    pub(super) fn without_database(&self, member: usize) -> bool {
        !self.members[member].has_database()
    }

    /// The process whose controller the workers are connected to, whatever becomes of its database.
    pub(super) fn controller(&self) -> Option<usize> {
        self.link.connected.map(|(member, _)| member)
    }

    /// A controller of its own before those inside a standalone or a webserver.
    pub(super) fn find_controller(&self) -> Option<(usize, u32)> {
        let runs = |member: &usize, role: Role| {
            let it = &self.members[*member];
            it.role() == role && it.is_up() && self.controlled(*member)
        };
        let all = || 0..self.members.len();
        let roles = [Role::Controller, Role::Standalone, Role::Webserver];
        let found = roles.into_iter().find_map(|role| all().find(|member| runs(member, role)));
        found.map(|member| (member, self.members[member].life()))
    }

    /// Whether a member reaches what it writes its results to.
    pub(super) fn can_report(&self, cx: &Context, member: usize) -> bool {
        cx.database.slowdown().is_some() && (!self.without_database(member) || self.controller().is_some())
    }

    /// Jobs a worker would still take.
    pub(super) fn room(&self, member: usize) -> usize {
        match self.controlled(member) {
            true => (self.members[member].plan().threads as usize).saturating_sub(self.members[member].pending()),
            false => usize::MAX,
        }
    }

    /// While no worker has room for the jobs that wait, the controller does not ask for more: it has put what it had read
    /// back.
    pub(super) fn pause_dispatch(&mut self, cx: &Context, paused: bool) {
        if self.link.paused == paused {
            return;
        }
        let Some(controller) = self.controller() else { return };
        self.link.paused = paused;
        let worker_jobs = Subject::Named(QueueName::WorkerJobEvent);
        if paused {
            self.count(cx, controller, Meter::ControllerPaused, Subject::Dispatch);
            self.count(cx, controller, Meter::SubscriberPaused, worker_jobs);
            self.count(cx, controller, Meter::ControllerRequeued, Subject::Dispatch);
        } else {
            self.count(cx, controller, Meter::ControllerResumed, Subject::Dispatch);
            self.count(cx, controller, Meter::SubscriberResumed, worker_jobs);
        }
    }

    /// The controller of a worker: a standalone's own, else the one there is.
    pub(super) fn controller_of(&self, worker: usize) -> Option<usize> {
        match self.controlled(worker) {
            true if self.members[worker].role() == Role::Standalone => Some(worker),
            true => self.controller(),
            false => None,
        }
    }

    /// The workers of a controller that live.
    fn workers_of(&self, controller: usize) -> impl Iterator<Item = usize> {
        let alive = |worker: &usize| {
            let it = &self.members[*worker];
            it.role().runs(Role::Worker) && it.came_up()
        };
        (0..self.members.len())
            .filter(alive)
            .filter(move |worker| self.controlled(*worker) && self.controller_of(*worker) == Some(controller))
    }

    /// What a member's controller holds.
    pub(super) fn held(&self, member: usize) -> Held {
        let mut held = Held::default();
        for worker in self.workers_of(member) {
            let it = &self.members[worker];
            held.workers += 1;
            held.permits += self.room(worker);
            held.inflight += it.running() + it.pending();
            held.capacity += HELD_PER_THREAD * it.plan().threads as usize;
        }
        held
    }

    /// A worker registers with a controller. One inside a webserver shows nothing of its queues before (recorded), and then
    /// what all controllers show.
    pub(super) fn count_registered(&mut self, cx: &Context, controller: usize) {
        if let Some(process) = &mut self.members[controller].process {
            process.meters.start(Role::Controller, "kestra.controller.", cx.now);
        }
        self.count(cx, controller, Meter::ControllerRegistered, Subject::Dispatch);
    }

    /// A worker that was up is gone: its controller notices at once (recorded: within 1.5 s).
    pub(super) fn unregister_worker(&mut self, cx: &Context, worker: usize) {
        if self.without_database(worker)
            && let Some(controller) = self.controller()
        {
            self.count(cx, controller, Meter::ControllerUnregistered, Subject::Dispatch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::process::Cause;
    use super::super::testing::world;
    use super::super::worker::{JobOrder, Work};
    use super::*;
    use crate::time::Instant;

    const MEMBERS: &str = "members: { webserver: 1, executor: 1, scheduler: 1, worker: 2, controller: 1 }, threads: 2";

    fn order(number: u64) -> JobOrder {
        let work = Work::Task { slot: 0, number, flow: 0, task: 0, run: 0, attempt: 1 };
        JobOrder { work, created: Instant::START, resubmitted: false, within: None }
    }

    fn name(cluster: &Cluster, member: Option<usize>) -> &str {
        member.map_or("nobody", |member| cluster.members[member].name())
    }

    #[test]
    fn a_controller_of_its_own_comes_before_one_inside_a_webserver() {
        let (cx, mut cluster) = world(MEMBERS, "kestra: \"2.0\"\n");
        assert_eq!(name(&cluster, cluster.controller()), "controller-1");
        let controller = cluster.controller().expect("there is one");
        cluster.members[controller].process.as_mut().map(|process| process.on(cx.now, Cause::Hangs));
        let next = cluster.find_controller();
        assert_eq!(name(&cluster, next.map(|it| it.0)), "webserver-1");
        assert!(cluster.link.connect(next) && !cluster.link.connect(next));
    }

    #[test]
    fn a_worker_holds_one_job_that_waits_for_each_thread_and_no_more() {
        let (mut cx, mut cluster) =
            world(MEMBERS, "kestra: \"2.0\"\nflows: [ { id: f, namespace: n, tasks: [ { id: t, type: t.T } ] } ]\n");
        let worker = cluster.members.iter().position(|it| it.name() == "worker-1").expect("a worker");
        assert_eq!(cluster.room(worker), 2);
        (0..4).for_each(|number| cluster.hand_out(&mut cx, worker, order(number)));
        assert_eq!((cluster.members[worker].running(), cluster.room(worker)), (2, 0));
        let held = cluster.held(cluster.controller().expect("there is one"));
        assert_eq!((held.workers, held.inflight, held.permits, held.capacity), (2, 4, 2, 8));
    }

    #[test]
    fn before_2_0_nobody_hands_out_jobs_and_a_worker_takes_all() {
        let (_, cluster) = world("members: { webserver: 1, worker: 1 }", "");
        assert_eq!((cluster.controller(), cluster.room(1)), (None, usize::MAX));
        assert!(!cluster.without_database(1));
    }

    #[test]
    fn a_standalone_is_the_controller_of_its_own_worker() {
        let (_, cluster) = world("members: { standalone: 2 }", "kestra: \"2.0\"\n");
        assert_eq!([0, 1].map(|member| cluster.controller_of(member)), [Some(0), Some(1)]);
        assert_eq!([0, 1].map(|member| cluster.held(member).workers), [1, 1]);
    }

    #[test]
    fn a_controller_inside_a_standalone_comes_before_one_inside_a_webserver() {
        let (_, cluster) = world("members: { webserver: 1, worker: 1, standalone: 1 }", "kestra: \"2.0\"\n");
        assert_eq!(name(&cluster, cluster.controller()), "standalone-1");
    }
}
