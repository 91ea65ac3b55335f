//! The controller of 2.0: workers have no database, they hold a connection to a controller that hands jobs to them and
//! writes their results. It gives a worker no more than fit into its buffer; what does not fit waits in the queue, where no
//! gauge shows it (recorded: 20 sleeps on 4 threads, 2.0 standalone/sleep20).

use super::Simulation;
use super::event::{Event, ExitCause};
use super::member::Phase;
use super::meters::{Meter, QueueName, Subject};
use super::queue::QueueKind;
use super::worker::JobOrder;
use crate::profile::{Quirk, Role};
use crate::time::Duration;

/// A worker that cannot reach a controller gives up after this long (recorded: 63 s of attempts, one each three seconds).
const GIVES_UP: Duration = Duration::seconds(63);

/// Jobs a worker holds for each of its threads: one that runs and one that waits.
const HELD_PER_THREAD: usize = 2;

/// What a look at a controller shows of its workers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) workers: usize,
    pub(super) permits: usize,
    pub(super) inflight: usize,
    pub(super) capacity: usize,
}

impl Simulation {
    /// Whether a member is a process of a version whose workers are given their jobs by a controller.
    fn controlled(&self, member: usize) -> bool {
        self.members[member].profile.has(Quirk::Controller)
    }

    /// Whether a member's process has no database of its own.
    pub(super) fn without_database(&self, member: usize) -> bool {
        !self.members[member].has_database()
    }

    /// The process whose controller the workers are connected to, whatever becomes of its database.
    pub(super) fn controller(&self) -> Option<usize> {
        self.connected.map(|(member, _)| member)
    }

    /// A controller of its own before those inside a standalone or a webserver.
    fn find_controller(&self) -> Option<usize> {
        let runs = |member: &usize, role: Role| {
            let it = &self.members[*member];
            it.plan.role == role && it.phase == Phase::Up && it.moves() && self.controlled(*member)
        };
        let all = || 0..self.members.len();
        [Role::Controller, Role::Standalone, Role::Webserver]
            .into_iter()
            .find_map(|role| all().find(|member| runs(member, role)))
    }

    /// Whether a member reaches what it writes its results to.
    pub(super) fn can_report(&self, member: usize) -> bool {
        self.database.slowdown().is_some() && (!self.without_database(member) || self.controller().is_some())
    }

    /// Jobs a worker would still take.
    pub(super) fn room(&self, member: usize) -> usize {
        let it = &self.members[member];
        match self.controlled(member) {
            true => (it.plan.threads as usize).saturating_sub(it.pending.len()),
            false => usize::MAX,
        }
    }

    /// Gives a job to a worker, through the controller where there is one.
    pub(super) fn hand_out(&mut self, worker: usize, order: JobOrder) {
        if let Some(controller) = self.controller_of(worker) {
            self.count(controller, Meter::ControllerDispatched, Subject::Dispatch);
            self.consumed(controller, QueueName::WorkerJobEvent);
        }
        self.lease(worker, order);
    }

    /// While no worker has room for the jobs that wait, the controller does not ask for more: it has put what it had read back.
    pub(super) fn pause_dispatch(&mut self, paused: bool) {
        if self.dispatch_paused == paused {
            return;
        }
        let Some(controller) = self.controller() else { return };
        self.dispatch_paused = paused;
        let worker_jobs = Subject::Named(QueueName::WorkerJobEvent);
        if paused {
            self.count(controller, Meter::ControllerPaused, Subject::Dispatch);
            self.count(controller, Meter::SubscriberPaused, worker_jobs);
            self.count(controller, Meter::ControllerRequeued, Subject::Dispatch);
        } else {
            self.count(controller, Meter::ControllerResumed, Subject::Dispatch);
            self.count(controller, Meter::SubscriberResumed, worker_jobs);
        }
    }

    /// The controller of a worker: a standalone's own, else the one there is.
    pub(super) fn controller_of(&self, worker: usize) -> Option<usize> {
        match self.controlled(worker) {
            true if self.members[worker].plan.role == Role::Standalone => Some(worker),
            true => self.controller(),
            false => None,
        }
    }

    /// The workers of a controller that live.
    fn workers_of(&self, controller: usize) -> impl Iterator<Item = usize> {
        let alive = |worker: &usize| {
            let it = &self.members[*worker];
            it.plan.role.runs(Role::Worker) && matches!(it.phase, Phase::Up | Phase::Stopping)
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
            held.inflight += it.running.len() + it.pending.len();
            held.capacity += HELD_PER_THREAD * it.plan.threads as usize;
        }
        held
    }

    /// A worker is up: it registers, or looks for somebody to register with.
    pub(super) fn register_worker(&mut self, worker: usize) {
        if !self.controlled(worker) || !self.members[worker].plan.role.runs(Role::Worker) {
            return;
        }
        match self.controller_of(worker) {
            Some(controller) => self.count_registered(controller),
            None => {
                // The cluster has never heard of it.
                let life = self.members[worker].life;
                self.forget_service(worker, life);
                self.search_controller(worker);
            }
        }
    }

    /// A worker registers with a controller. One inside a webserver shows nothing of its queues before (recorded), and then what
    /// all controllers show.
    fn count_registered(&mut self, controller: usize) {
        let now = self.now;
        self.members[controller].meters.start(Role::Controller, "kestra.controller.", now);
        self.count(controller, Meter::ControllerRegistered, Subject::Dispatch);
    }

    /// A worker that was up is gone: its controller notices at once (recorded: within 1.5 s).
    pub(super) fn unregister_worker(&mut self, worker: usize) {
        if self.without_database(worker)
            && let Some(controller) = self.controller()
        {
            self.count(controller, Meter::ControllerUnregistered, Subject::Dispatch);
        }
    }

    /// From now on the worker has some time to find a controller.
    fn search_controller(&mut self, worker: usize) {
        let it = &mut self.members[worker];
        it.loss_generation += 1;
        let (life, generation) = (it.life, it.loss_generation);
        self.events.push(self.now + GIVES_UP, Event::GivesUp { member: worker as u32, life, generation });
    }

    /// A process came, went or stands still: perhaps the workers have another controller now, or none.
    pub(super) fn controller_changed(&mut self) {
        let controller = self.find_controller().map(|member| (member, self.members[member].life));
        if std::mem::replace(&mut self.connected, controller) == controller {
            return;
        }
        // A new one has not paused yet.
        self.dispatch_paused = false;
        for worker in 0..self.members.len() {
            if !self.without_database(worker) || !matches!(self.members[worker].phase, Phase::Up | Phase::Stopping) {
                continue;
            }
            match controller {
                Some((controller, _)) => {
                    self.members[worker].loss_generation += 1;
                    self.count_registered(controller);
                    if !self.service_answers_again(worker) {
                        self.exit(worker, ExitCause::Disconnected);
                        continue;
                    }
                    if self.members[worker].moves() && self.can_report(worker) {
                        self.resume_jobs(worker);
                    }
                }
                None => {
                    let name = &self.members[worker].plan.name;
                    self.note(format!("{name} has no controller"));
                    // Its heartbeats go through the controller too.
                    self.service_silent(worker);
                    self.search_controller(worker);
                }
            }
        }
        self.kick(QueueKind::WorkerJob);
    }
}
