//! Liveness: every process sends a heartbeat; executors look for those that went silent, and give the jobs of a dead
//! worker to the others once its grace period is over.

use super::Simulation;
use super::event::Event;
use super::member::{Phase, next_on_grid};
use super::meters::{Class, Meter, Subject};
use super::queue::{Message, QueueKind};
use super::worker::{JobOrder, Work};
use crate::profile::Role;
use crate::random::noise;
use crate::time::Instant;

/// A process as the cluster knows it.
#[derive(Clone, Debug)]
pub(super) struct Service {
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
    pub(super) fn new(member: usize, life: u32, now: Instant) -> Service {
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

    /// Jobs it left behind.
    pub(super) fn orphans(&self) -> u64 {
        self.orphans.len() as u64
    }
}

impl Simulation {
    fn service(&mut self, member: usize, life: u32) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.member == member && service.life == life)
    }

    /// The instant of the last heartbeat before now.
    fn last_heartbeat(&self, member: usize, born: Instant) -> Instant {
        let every = self.members[member].profile.liveness().heartbeat;
        let next = next_on_grid(self.now, every, noise(self.members[member].key, 0));
        next.before(every).max(born)
    }

    /// A process ended. One that shut down by itself says so, and leaves no trace if it had nothing left to do.
    pub(super) fn service_ended(&mut self, member: usize, life: u32, orphans: Vec<JobOrder>, said_so: bool) {
        let now = self.now;
        let born = self.service(member, life).map_or(now, |service| service.born);
        let heartbeat = self.last_heartbeat(member, born);
        let mut clean = said_so && orphans.is_empty();
        if let Some(service) = self.service(member, life) {
            clean |= service.inactive;
            service.silent_since.get_or_insert(heartbeat);
            service.orphans.extend(orphans);
            service.gone = true;
        }
        if clean {
            self.forget_service(member, life);
        }
        self.schedule_liveness();
    }

    /// A process stands still: its heartbeats stop.
    pub(super) fn service_silent(&mut self, member: usize) {
        let life = self.members[member].life;
        let now = self.now;
        let born = self.service(member, life).map_or(now, |service| service.born);
        let heartbeat = self.last_heartbeat(member, born);
        if let Some(service) = self.service(member, life) {
            service.silent_since.get_or_insert(heartbeat);
        }
        self.schedule_liveness();
    }

    /// A process that could not tell the cluster of itself is no part of it.
    pub(super) fn forget_service(&mut self, member: usize, life: u32) {
        self.services.retain(|service| service.member != member || service.life != life);
    }

    /// A process moves again, or can be heard again. False when the cluster has given it up in the meantime; one it never
    /// heard of joins.
    pub(super) fn service_answers_again(&mut self, member: usize) -> bool {
        let (life, now) = (self.members[member].life, self.now);
        if self.without_database(member) && self.service(member, life).is_none() {
            self.services.push(Service::new(member, life, now));
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
    pub(super) fn schedule_liveness(&mut self) {
        if self.liveness_planned || self.services.iter().all(|service| service.silent_since.is_none()) {
            return;
        }
        self.liveness_planned = true;
        let every = self.profile.liveness().interval;
        let at = next_on_grid(self.now, every, noise(self.seed.0, 0x11fe));
        self.events.push(at, Event::LivenessCheck);
    }

    /// An executor looks for services that went silent.
    pub(super) fn check_liveness(&mut self) {
        let now = self.now;
        self.liveness_planned = false;
        let timings = *self.profile.liveness();
        let coordinator = (0..self.members.len()).find(|index| {
            let member = &self.members[*index];
            self.available(*index, Role::Executor)
                && (member.up_since == self.born || now.since(member.up_since) >= timings.initial_delay)
        });
        let Some(coordinator) = coordinator else {
            // Nobody looks; whoever comes up plans the next look.
            if self.pick(Role::Executor, 0).is_some() {
                self.schedule_liveness();
            }
            return;
        };
        for index in 0..self.services.len() {
            let service = &mut self.services[index];
            let Some(silent) = service.silent_since else { continue };
            let name = self.members[service.member].plan.name.clone();
            let worker = self.members[service.member].plan.role.runs(Role::Worker);
            match service.disconnected {
                None if now.since(silent) > timings.timeout => {
                    service.disconnected = Some(now);
                    let silence = now.since(silent).rounded();
                    self.note(format!("{name} is DISCONNECTED: no heartbeat for {silence}"));
                }
                Some(since) if now.since(since) >= self.members[service.member].plan.grace => {
                    service.silent_since = None;
                    service.inactive = true;
                    let (member, gone) = (service.member, service.gone);
                    let mut orphans = std::mem::take(&mut service.orphans);
                    if !gone && self.members[member].phase != Phase::Dead {
                        // It still stands still somewhere: its jobs are taken from it all the same.
                        orphans.extend(self.take_jobs(member));
                    }
                    if worker && !orphans.is_empty() {
                        // One for each dead worker, whatever it had to do (recorded).
                        self.count(coordinator, Meter::Resubmitted, Subject::Bare);
                        let jobs = orphans.len();
                        let plural = if jobs == 1 { "" } else { "s" };
                        self.note(format!("{name} is INACTIVE: {jobs} job{plural} handed out again"));
                    } else {
                        self.note(format!("{name} is INACTIVE"));
                    }
                    self.hand_out_again(coordinator, orphans);
                }
                _ => {}
            }
        }
        // A process that stands still stays known, so that it learns of its fate when it moves again.
        self.services.retain(|service| !(service.inactive && service.gone));
        self.schedule_liveness();
    }

    /// Gives jobs of a dead worker to whoever polls next.
    fn hand_out_again(&mut self, coordinator: usize, orphans: Vec<JobOrder>) {
        for order in orphans {
            if matches!(order.work, Work::Task { .. }) {
                self.truth.resubmitted += 1;
            }
            self.produce(coordinator, Class::WorkerJob, 1);
            self.send(QueueKind::WorkerJob, Message::Job(JobOrder { resubmitted: true, ..order }));
        }
    }
}
