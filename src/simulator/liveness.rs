//! Liveness: every process sends a heartbeat; executors look for those that went silent, and give the jobs of a dead
//! worker to the others once its grace period is over.

use super::cluster::Cluster;
use super::context::Context;
use super::event::Event;
use super::grid::next_on_grid;
use super::happening::Happening;
use super::jobs::{known, stayed};
use super::lines::LineAbout;
use super::meters::{Class, Meter, Subject};
use super::queue::{Message, QueueKind};
use super::worker::{JobOrder, Work};
use crate::profile::LineKind;
use crate::profile::Role;
use crate::random::noise;
use crate::time::{Duration, Instant};

/// The processes the cluster knows, and its looks at them.
#[derive(Clone, Debug, Default)]
pub(super) struct Liveness {
    services: Vec<Service>,
    planned: bool,
}

/// A process as the cluster knows it.
#[derive(Clone, Debug)]
struct Service {
    member: usize,
    life: u32,
    born: Instant,
    /// When its last heartbeat came; none means that they come.
    silent_since: Option<Instant>,
    disconnected: Option<Instant>,
    gone: bool,
    /// The cluster has written it off and given its jobs to others.
    inactive: bool,
    orphans: Vec<JobOrder>,
}

impl Service {
    fn new(member: usize, life: u32, now: Instant) -> Service {
        Service {
            member,
            life,
            born: now,
            silent_since: None,
            disconnected: None,
            gone: false,
            inactive: false,
            orphans: Vec::new(),
        }
    }
}

impl Liveness {
    fn service(&mut self, member: usize, life: u32) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.member == member && service.life == life)
    }

    /// The instant of the last heartbeat of a member before now.
    fn last_heartbeat(&mut self, cx: &Context, cluster: &Cluster, member: usize, life: u32) -> Instant {
        let born = self.service(member, life).map_or(cx.now, |service| service.born);
        let it = &cluster.members[member];
        let every = it.profile().liveness().heartbeat;
        next_on_grid(cx.now, every, noise(it.key(), 0)).before(every).max(born)
    }

    /// A process is up, and tells the cluster of itself.
    pub(super) fn joins(&mut self, cx: &Context, member: usize, life: u32) {
        self.services.push(Service::new(member, life, cx.now));
    }

    /// A process ended. One that shut down by itself says so, and leaves no trace if it had nothing left to do.
    pub(super) fn ended(
        &mut self,
        cx: &mut Context,
        cluster: &Cluster,
        (member, life): (usize, u32),
        orphans: Vec<JobOrder>,
        said_so: bool,
    ) {
        let heartbeat = self.last_heartbeat(cx, cluster, member, life);
        let mut clean = said_so && orphans.is_empty();
        if let Some(service) = self.service(member, life) {
            clean |= service.inactive;
            service.silent_since.get_or_insert(heartbeat);
            service.orphans.extend(orphans);
            service.gone = true;
        }
        if clean {
            self.forget(member, life);
        }
        self.plan(cx);
    }

    /// A process stands still: its heartbeats stop.
    pub(super) fn silent(&mut self, cx: &mut Context, cluster: &Cluster, member: usize) {
        let life = cluster.members[member].life();
        let heartbeat = self.last_heartbeat(cx, cluster, member, life);
        if let Some(service) = self.service(member, life) {
            service.silent_since.get_or_insert(heartbeat);
        }
        self.plan(cx);
    }

    /// A process that could not tell the cluster of itself is no part of it.
    pub(super) fn forget(&mut self, member: usize, life: u32) {
        self.services.retain(|service| service.member != member || service.life != life);
    }

    /// A process moves again, or can be heard again. False when the cluster has given it up in the meantime; one it never
    /// heard of joins.
    pub(super) fn answers_again(&mut self, cx: &Context, cluster: &Cluster, member: usize) -> bool {
        let life = cluster.members[member].life();
        if cluster.without_database(member) && self.service(member, life).is_none() {
            self.joins(cx, member, life);
        }
        match self.service(member, life) {
            Some(service) if service.disconnected.is_none() => {
                service.silent_since = None;
                true
            }
            _ => false,
        }
    }

    /// Plans the next look at the services, while one of them is silent.
    pub(super) fn plan(&mut self, cx: &mut Context) {
        if self.planned || self.services.iter().all(|service| service.silent_since.is_none()) {
            return;
        }
        self.planned = true;
        let at = next_on_grid(cx.now, cx.profile.liveness().interval, noise(cx.seed.0, 0x11fe));
        cx.events.push(at, Event::LivenessCheck);
    }

    /// An executor looks for services that went silent.
    pub(super) fn check(&mut self, cx: &mut Context, cluster: &mut Cluster) {
        self.planned = false;
        let timings = *cx.profile.liveness();
        let settled = |index: usize| {
            let since = cluster.members[index].process().map(|process| process.up_since());
            since.is_some_and(|since| since == cx.born || cx.now.since(since) >= timings.initial_delay)
        };
        let coordinator =
            (0..cluster.members.len()).find(|index| cluster.available(cx, *index, Role::Executor) && settled(*index));
        let Some(coordinator) = coordinator else {
            // Nobody looks; whoever comes up plans the next look.
            if cluster.pick(cx, Role::Executor, 0).is_some() {
                self.plan(cx);
            }
            return;
        };
        for index in 0..self.services.len() {
            let service = &mut self.services[index];
            let Some(silent) = service.silent_since else { continue };
            let member = service.member;
            match service.disconnected {
                None if cx.now.since(silent) > timings.timeout => {
                    service.disconnected = Some(cx.now);
                    let (life, silence) = (service.life, cx.now.since(silent));
                    cx.tell(Happening::Disconnected { member, silence });
                    let about = LineAbout::Process { member, life, silence };
                    cluster.log(cx, coordinator, LineKind::Silent, about);
                }
                Some(since) if cx.now.since(since) >= cluster.members[member].grace() => {
                    self.write_off(cx, cluster, coordinator, index);
                }
                _ => {}
            }
        }
        // A process that stands still stays known, so that it learns of its fate when it moves again.
        self.services.retain(|service| !(service.inactive && service.gone));
        self.plan(cx);
    }

    /// The cluster gives a process up, and its jobs to whoever polls next.
    fn write_off(&mut self, cx: &mut Context, cluster: &mut Cluster, coordinator: usize, index: usize) {
        let service = &mut self.services[index];
        let silent = service.silent_since.take();
        service.inactive = true;
        let (member, life) = (service.member, service.life);
        let mut orphans = std::mem::take(&mut service.orphans);
        // It still stands still somewhere: its jobs are taken from it all the same.
        if !service.gone
            && let Some(process) = &mut cluster.members[member].process
        {
            orphans.extend(known(cx, process.worker.take_all()));
            orphans.extend(stayed(cx, &mut process.worker));
        }
        let mut jobs = 0;
        if cluster.members[member].role().runs(Role::Worker) && !orphans.is_empty() {
            // One for each dead worker, whatever it had to do (recorded).
            cluster.count(cx, coordinator, Meter::Resubmitted, Subject::Bare);
            jobs = orphans.len();
        }
        cx.tell(Happening::Inactive { member, jobs });
        let about = LineAbout::Process { member, life, silence: silent.map_or(Duration::ZERO, |at| cx.now.since(at)) };
        cluster.log(cx, coordinator, LineKind::WrittenOff, about.clone());
        if cluster.members[member].role().runs(Role::Worker) {
            cluster.log(cx, coordinator, LineKind::Restarts, about);
        }
        for order in orphans {
            if let Work::Task { flow, task, number, run, attempt, .. } = order.work {
                let about = LineAbout::TaskRun { flow, task, number, run, attempt, end: None };
                cluster.log(cx, coordinator, LineKind::Resubmitted, about);
                cx.truth.resubmitted += 1;
            }
            cluster.produce(cx, coordinator, Class::WorkerJob, 1);
            cluster.send(cx, QueueKind::WorkerJob, Message::Job(JobOrder { resubmitted: true, ..order }));
        }
    }

    /// Jobs of dead processes, that nobody has handed out again.
    pub(super) fn orphans(&self) -> u64 {
        self.services.iter().map(|service| service.orphans.len() as u64).sum()
    }

    /// What must always hold of the services.
    ///
    /// # Errors
    /// What does not.
    pub(super) fn laws(&self, cluster: &Cluster) -> Result<(), String> {
        for (index, service) in self.services.iter().enumerate() {
            let lives = cluster.members[service.member].life() == service.life;
            if service.gone == lives {
                return Err(format!("whether it is gone is not known of {service:?}"));
            }
            let twice = |other: &Service| other.member == service.member && other.life == service.life;
            if self.services[..index].iter().any(twice) {
                return Err(format!("known twice: {service:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{second, world};
    use super::*;

    fn order() -> JobOrder {
        let work = Work::Task { slot: 0, number: 1, flow: 0, task: 0, run: 0, attempt: 1 };
        JobOrder { work, created: second(0), resubmitted: false, within: None }
    }

    /// An executor and a worker that the cluster knows.
    fn start() -> (Context, Cluster, Liveness) {
        let (cx, cluster) = world("members: { executor: 1, worker: 1 }, grace: 2m", "");
        let mut liveness = Liveness::default();
        for (index, member) in cluster.members.iter().enumerate() {
            liveness.joins(&cx, index, member.life());
        }
        (cx, cluster, liveness)
    }

    fn told(cx: &Context) -> Vec<&'static str> {
        cx.journal.iter().map(|line| line.what.kind()).collect()
    }

    fn check_at(cx: &mut Context, cluster: &mut Cluster, liveness: &mut Liveness, at: u64) {
        cx.now = second(at);
        liveness.check(cx, cluster);
    }

    #[test]
    fn who_is_silent_is_missed_after_the_timeout_and_written_off_after_its_grace_period() {
        let (mut cx, mut cluster, mut liveness) = start();
        let life = cluster.members[1].life();
        cluster.members[1].end(cx.now);
        liveness.ended(&mut cx, &cluster, (1, life), vec![order()], false);
        check_at(&mut cx, &mut cluster, &mut liveness, 115);
        assert_eq!(told(&cx), [""; 0]);
        check_at(&mut cx, &mut cluster, &mut liveness, 125);
        assert_eq!((told(&cx), liveness.orphans()), (vec!["disconnected"], 1));
        check_at(&mut cx, &mut cluster, &mut liveness, 240);
        assert_eq!(told(&cx).len(), 1);
        check_at(&mut cx, &mut cluster, &mut liveness, 246);
        assert_eq!((told(&cx), liveness.orphans()), (vec!["disconnected", "inactive"], 0));
        let jobs = cluster.drain(QueueKind::WorkerJob);
        assert!(matches!(jobs.as_slice(), [Message::Job(JobOrder { resubmitted: true, .. })]), "{jobs:?}");
        assert_eq!(cx.truth.resubmitted, 1);
    }

    #[test]
    fn one_that_says_goodbye_with_nothing_left_is_not_missed() {
        let (mut cx, mut cluster, mut liveness) = start();
        let life = cluster.members[1].life();
        cluster.members[1].end(cx.now);
        liveness.ended(&mut cx, &cluster, (1, life), Vec::new(), true);
        check_at(&mut cx, &mut cluster, &mut liveness, 900);
        assert_eq!(told(&cx), [""; 0]);
    }

    #[test]
    fn one_that_answers_in_time_stays_and_one_that_was_given_up_learns_of_it() {
        let (mut cx, mut cluster, mut liveness) = start();
        liveness.silent(&mut cx, &cluster, 1);
        cx.now = second(100);
        assert!(liveness.answers_again(&cx, &cluster, 1));
        check_at(&mut cx, &mut cluster, &mut liveness, 400);
        assert_eq!(told(&cx), [""; 0]);
        liveness.silent(&mut cx, &cluster, 1);
        check_at(&mut cx, &mut cluster, &mut liveness, 500);
        assert!(!liveness.answers_again(&cx, &cluster, 1));
    }

    #[test]
    fn without_an_executor_nobody_is_missed() {
        let (mut cx, mut cluster, mut liveness) = start();
        cluster.members[0].end(cx.now);
        liveness.silent(&mut cx, &cluster, 1);
        check_at(&mut cx, &mut cluster, &mut liveness, 900);
        assert_eq!(told(&cx), [""; 0]);
    }

    #[test]
    fn one_that_was_given_up_and_ends_later_is_not_given_up_again() {
        let (mut cx, mut cluster, mut liveness) = start();
        liveness.silent(&mut cx, &cluster, 1);
        check_at(&mut cx, &mut cluster, &mut liveness, 125);
        check_at(&mut cx, &mut cluster, &mut liveness, 246);
        assert_eq!(told(&cx), ["disconnected", "inactive"]);
        let life = cluster.members[1].life();
        cluster.members[1].end(cx.now);
        liveness.ended(&mut cx, &cluster, (1, life), Vec::new(), false);
        check_at(&mut cx, &mut cluster, &mut liveness, 900);
        assert_eq!(told(&cx), ["disconnected", "inactive"]);
    }

    #[test]
    fn the_jobs_of_a_worker_that_stands_still_are_taken_from_it_when_it_is_given_up() {
        let (mut cx, mut cluster, mut liveness) = start();
        let process = cluster.members[1].process.as_mut().expect("a worker");
        process.worker.lease(order());
        liveness.silent(&mut cx, &cluster, 1);
        check_at(&mut cx, &mut cluster, &mut liveness, 125);
        assert_eq!((cluster.members[1].pending(), cluster.drain(QueueKind::WorkerJob).len()), (1, 0));
        check_at(&mut cx, &mut cluster, &mut liveness, 246);
        assert_eq!((cluster.members[1].pending(), cluster.drain(QueueKind::WorkerJob).len()), (0, 1));
    }
}
