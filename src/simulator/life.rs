//! The life of a process: it starts, is up, stands still, is told to stop, ends, and somebody starts it again.

use super::event::{Event, ExitCause};
use super::jvm::Jvm;
use super::liveness::Service;
use super::member::{AfterExit, Phase, Shutdown, next_on_grid};
use super::queue::QueueKind;
use super::{Port, Simulation, database};
use crate::profile::{Quirk, Role};
use crate::random::{name_key, noise};
use crate::scenario::Restart;
use crate::time::Duration;

impl Simulation {
    /// Starts a process.
    pub(super) fn boot(&mut self, member: usize) {
        let now = self.now;
        if self.members[member].phase != Phase::Dead {
            return;
        }
        self.members[member].reborn(now);
        let it = &mut self.members[member];
        it.phase = Phase::Booting;
        let mut draws = self.seed.numbered(it.key ^ name_key("boot"), u64::from(it.life));
        let boot = draws.log_normal(Duration::milliseconds(7_000), Duration::milliseconds(9_000));
        let life = it.life;
        let index = member as u32;
        self.note(format!("{} starts", self.members[member].plan.name));
        if self.database.slowdown().is_none() && !self.without_database(member) {
            let exit = Event::Exit { member: index, life, cause: ExitCause::NoDatabase };
            self.events.push(now + boot.times(0.6), exit);
        }
        self.events.push(now + boot, Event::Up { member: index, life });
    }

    /// A process is up: its port opens, it takes part.
    pub(super) fn up(&mut self, member: usize) {
        let now = self.now;
        if self.database.slowdown().is_none() && !self.without_database(member) {
            return self.exit(member, ExitCause::NoDatabase);
        }
        let it = &mut self.members[member];
        it.phase = Phase::Up;
        it.port = Port::Open;
        it.up_since = now;
        it.jvm = Jvm::new(it.plan.role, it.plan.heap, now);
        let life = it.life;
        self.services.push(Service::new(member, life, now));
        for (index, poller) in self.plan.pollers.iter().enumerate() {
            let phase = noise(self.members[member].key, index as u64 + 1);
            let at = next_on_grid(now, poller.every, phase);
            self.events.push(at, Event::Poll { member: member as u32, poller: index as u32, life });
        }
        if self.now > self.born {
            self.note(format!("{} is up", self.members[member].plan.name));
        }
        self.controller_changed();
        self.register_worker(member);
        self.pace(member);
        self.watch_memory(member);
        self.somebody_came(member);
    }

    /// What waits for a member of this kind goes on.
    pub(super) fn somebody_came(&mut self, member: usize) {
        for kind in QueueKind::ALL {
            self.kick(kind);
        }
        if self.members[member].plan.role.runs(Role::Scheduler) {
            self.schedule_triggers();
        }
        if self.members[member].plan.role.runs(Role::Executor) {
            self.schedule_liveness();
        }
    }

    /// Sets the rates of what a process does by itself, after something about it changed.
    pub(super) fn pace(&mut self, member: usize) {
        let (now, slowdown) = (self.now, self.database.slowdown());
        let it = &mut self.members[member];
        let rate = match slowdown {
            Some(slowdown) if it.moves() && !it.doomed => database::poll_rate(slowdown),
            _ => 0.0,
        };
        let slowdown = slowdown.unwrap_or(1.0);
        if slowdown >= it.poll_peak.0 || now.since(it.poll_peak.1) > Duration::minutes(3) {
            it.poll_peak = (slowdown, now);
        }
        it.polls.change(now, rate);
        it.poll_cost.change(now, rate * slowdown);
        let slow = if database::is_slow(slowdown) { rate } else { 0.0 };
        it.slow_polls.change(now, slow);
        it.slow_poll_cost.change(now, slow * slowdown);
        let schedules = it.plan.role.runs(Role::Scheduler) && it.moves() && it.phase == Phase::Up;
        it.scheduler_loops.change(now, if schedules && rate > 0.0 { 1.0 } else { 0.0 });
        let moves = if it.moves() { 1.0 } else { 0.0 };
        let running = if it.moves() { it.running.len() } else { 0 };
        it.jvm.load(running, moves, now);
    }

    /// Plans the end by a full heap, after the leak changed.
    pub(super) fn watch_memory(&mut self, member: usize) {
        let now = self.now;
        let it = &mut self.members[member];
        if !matches!(it.phase, Phase::Up | Phase::Stopping) {
            return;
        }
        it.jvm.leak(if it.moves() { it.leak_rate } else { 0.0 }, now);
        it.memory_generation += 1;
        if let Some(at) = it.jvm.full_at() {
            let (life, generation) = (it.life, it.memory_generation);
            self.events.push(at.max(now), Event::OutOfMemory { member: member as u32, life, generation });
        }
    }

    /// SIGTERM, or `POST /stop`.
    pub(super) fn terminate(&mut self, member: usize, by_endpoint: bool, after: AfterExit) {
        let now = self.now;
        let it = &mut self.members[member];
        match it.phase {
            Phase::Dead => return,
            // A process that has not come up yet ends at once.
            Phase::Booting => {
                it.after_exit = after;
                return self.exit(member, ExitCause::Stopped);
            }
            Phase::Stopping => {
                it.after_exit = after;
                // One that lingers without its database ends now.
                if it.shutdown.is_none() {
                    let exit = Event::Exit { member: member as u32, life: it.life, cause: ExitCause::Stopped };
                    self.events.push(now + Duration::seconds(3), exit);
                }
                return;
            }
            Phase::Up => {}
        }
        it.phase = Phase::Stopping;
        it.after_exit = after;
        it.shutdown = Some(Shutdown { since: now, by_endpoint, closing: false });
        let (grace, life) = (it.plan.grace, it.life);
        if it.profile.has(Quirk::ClosesAtOnce) {
            match by_endpoint {
                true => {
                    self.events.push(now + Duration::milliseconds(500), Event::Deaf { member: member as u32, life })
                }
                false => it.port = Port::Closing,
            }
        }
        // Tasks are cut off after ten seconds, and the process is gone three later (2.0 standalone/stop).
        let grace = match it.profile.has(Quirk::StopsByForce) {
            true => grace.min(Duration::seconds(10)) + Duration::seconds(3),
            false => grace,
        };
        self.note(format!("{} shuts down", self.members[member].plan.name));
        self.pace(member);
        self.controller_changed();
        let forced = Event::Exit { member: member as u32, life, cause: ExitCause::Forced };
        self.events.push(now + grace, forced);
        self.close_if_idle(member);
    }

    /// A process that shuts down and has no job left closes its ports, then exits.
    pub(super) fn close_if_idle(&mut self, member: usize) {
        let now = self.now;
        let it = &mut self.members[member];
        let Some(shutdown) = it.shutdown.as_mut() else { return };
        if shutdown.closing || !it.running.is_empty() || !it.pending.is_empty() {
            return;
        }
        shutdown.closing = true;
        let mut draws = self.seed.numbered(it.key ^ name_key("close"), u64::from(it.life));
        let (member, life) = (member as u32, it.life);
        // Recorded: SIGTERM closes at once when nothing runs, and exits after 1.7 to 3.2 s; after `/stop` the ports stay
        // open for some 2 s, exit after 2.6 s; once tasks had to be waited for, it is gone within a second.
        let waited = now.since(shutdown.since) > Duration::seconds(1);
        let at_once = it.profile.has(Quirk::ClosesAtOnce);
        let by_force = it.profile.has(Quirk::StopsByForce);
        let (closed, gone) = match (shutdown.by_endpoint, waited) {
            // Of a process that had nothing to do there is no recording.
            _ if by_force => (3_000, 3_000),
            // Recorded from 0.20.7: exit 1.5 s after SIGTERM, 2 s after the last task, 4 s after `/stop`.
            (true, _) if at_once => (1_600, 4_000),
            (false, true) if at_once => (100, 2_000),
            (false, false) if at_once => (100, 1_400 + draws.below(300)),
            (true, _) => (2_100, 2_600),
            (false, true) => (500, 1_000),
            (false, false) => (100, 1_700 + draws.below(1_500)),
        };
        if !shutdown.by_endpoint && !by_force {
            it.port = Port::Closing;
        }
        self.events.push(now + Duration::milliseconds(closed), Event::Closed { member, life });
        let exit = Event::Exit { member, life, cause: ExitCause::Stopped };
        self.events.push(now + Duration::milliseconds(gone), exit);
    }

    /// A process ends by itself.
    pub(super) fn exit(&mut self, member: usize, cause: ExitCause) {
        let name = &self.members[member].plan.name;
        self.note(format!("{name} exits with code {}: {}", cause.code(), cause.text()));
        self.end_process(member);
    }

    /// A process is gone. Its jobs are nobody's until the cluster gives them to somebody else.
    pub(super) fn end_process(&mut self, member: usize) {
        let now = self.now;
        self.truth.exits += 1;
        let orphans = self.take_jobs(member);
        let it = &mut self.members[member];
        let (life, was_stopping) = (it.life, it.shutdown.is_some());
        let was_up = matches!(it.phase, Phase::Up | Phase::Stopping);
        let lived = now.since(it.up_since);
        it.life += 1;
        it.phase = Phase::Dead;
        it.ended = was_up.then_some((now, was_stopping)).or(it.ended);
        it.port = Port::Refused;
        it.paused_until = None;
        it.crashes = if was_up && lived > Duration::minutes(10) { 1 } else { it.crashes + 1 };
        let after = std::mem::replace(&mut it.after_exit, AfterExit::Policy);
        let (restart, held, crashes, new_life) = (it.plan.restart, it.held, it.crashes, it.life);
        if was_up {
            self.unregister_worker(member);
            self.controller_changed();
            self.service_ended(member, life, orphans, was_stopping);
        }
        let pause = match (after, restart) {
            (AfterExit::Stay, _) | (AfterExit::Policy, Restart::Never) => None,
            (AfterExit::Start, _) => Some(Duration::ZERO),
            (AfterExit::Policy, Restart::After(pause)) => Some(pause),
            // The kubelet: at once, then 10 s, 20 s, 40 s ... up to five minutes.
            (AfterExit::Policy, Restart::Kubernetes) => Some(match crashes {
                0 | 1 => Duration::ZERO,
                n => Duration::seconds((10u64 << (n - 2).min(5)).min(300)),
            }),
        };
        if let (Some(pause), 0) = (pause, held) {
            self.events.push(now + pause, Event::Start { member: member as u32, life: new_life });
        }
    }

    /// Freezes a process (`hang`, a long collection) or lets it go on.
    pub(super) fn freeze(&mut self, member: usize) {
        self.stall_jobs(member);
        self.service_silent(member);
        self.controller_changed();
        self.pace(member);
        self.watch_memory(member);
    }

    /// A frozen process goes on, if nothing else holds it.
    pub(super) fn thaw(&mut self, member: usize) {
        if !self.members[member].moves() {
            return;
        }
        if self.service_answers_again(member) {
            self.controller_changed();
            self.resume_jobs(member);
            self.pace(member);
            self.watch_memory(member);
            self.somebody_came(member);
        } else {
            self.exit(member, ExitCause::Disconnected);
        }
    }
}
