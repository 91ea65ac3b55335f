//! Faults: what the timeline and the control port do to the cluster.
//!
//! Some happen and are over (a kill); others last, and what is in force is computed anew from all that last whenever one
//! begins or ends, so that their order of ending does not matter.

use super::database::Database;
use super::event::Event;
use super::member::{AfterExit, Phase};
use super::{LimitReached, Simulation, behaviour, limits};
use crate::scenario::{DatabaseFault, Fault, RateChange, TimelineEntry};
use crate::time::{Duration, Instant};

/// A fault in force.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveFault {
    pub(super) number: u32,
    /// As the timeline or the control port wrote it.
    pub entry: TimelineEntry,
    /// Since when.
    pub since: Instant,
}

impl ActiveFault {
    /// When it ends by itself.
    pub fn ends(&self) -> Option<Instant> {
        self.entry.lasts.map(|lasts| self.since + lasts)
    }
}

impl Simulation {
    /// An entry of the timeline begins.
    pub(super) fn begin_entry(&mut self, index: usize) {
        let Some(entry) = self.plan.timeline.get(index).cloned() else { return };
        if let Some(every) = entry.every.filter(|every| !every.is_zero()) {
            let next = self.now + every;
            if entry.until.is_none_or(|until| next <= until) {
                self.events.push(next, Event::FaultBegins { entry: index as u32 });
            }
        }
        self.begin(entry);
    }

    /// A fault begins now.
    pub(super) fn begin(&mut self, entry: TimelineEntry) {
        let now = self.now;
        if self.faults.len() >= limits::FAULTS {
            self.limit.get_or_insert(LimitReached {
                what: "the number of faults in force",
                limit: limits::FAULTS as u64,
                at: now,
            });
            return;
        }
        let text = entry.fault.sentence(&self.plan);
        let lasting = entry.lasts.map(|lasts| format!(" for {lasts}")).unwrap_or_default();
        self.note(format!("fault {}: {text}{lasting}", entry.name));
        self.fault_count += 1;
        let number = self.fault_count;
        let holds = entry.lasts.is_some();
        let keep = match &entry.fault {
            Fault::Kill(members) | Fault::Stop(members) => {
                for &member in members {
                    self.members[member].held += u32::from(holds);
                    if matches!(entry.fault, Fault::Stop(_)) {
                        self.terminate(member, false, AfterExit::Stay);
                    } else if self.members[member].phase != Phase::Dead {
                        let name = &self.members[member].plan.name;
                        self.note(format!("{name} is killed"));
                        self.members[member].after_exit = if holds { AfterExit::Stay } else { AfterExit::Policy };
                        self.end_process(member);
                    }
                }
                holds
            }
            Fault::Start(members) => {
                for &member in members {
                    self.start(member);
                }
                false
            }
            Fault::Restart(members) => {
                for &member in members {
                    match self.members[member].phase {
                        Phase::Dead => self.start(member),
                        _ => self.terminate(member, false, AfterExit::Start),
                    }
                }
                false
            }
            Fault::Hang(members) => {
                for &member in members {
                    self.members[member].frozen += 1;
                    self.freeze(member);
                }
                true
            }
            Fault::GcPause { members, pause } => {
                for &member in members {
                    let it = &mut self.members[member];
                    if matches!(it.phase, Phase::Up | Phase::Stopping) {
                        let until = (now + *pause).max(it.paused_until.unwrap_or(now));
                        it.jvm.full_collection(*pause, now);
                        it.paused_until = Some(until);
                        let life = it.life;
                        self.freeze(member);
                        self.events.push(until, Event::PauseEnds { member: member as u32, life });
                    }
                }
                false
            }
            _ => true,
        };
        let level = !matches!(
            entry.fault,
            Fault::Kill(_)
                | Fault::Stop(_)
                | Fault::Start(_)
                | Fault::Restart(_)
                | Fault::Hang(_)
                | Fault::GcPause { .. }
        );
        if keep {
            if let Some(lasts) = entry.lasts {
                self.events.push(now + lasts, Event::FaultEnds { fault: number });
            }
            let fault = ActiveFault { number, entry, since: now };
            let before = self.faults.clone();
            self.faults.push(fault);
            if level {
                self.apply_levels(&before);
            }
        }
    }

    /// A fault ends by itself.
    pub(super) fn fault_ends(&mut self, number: u32) {
        if let Some(index) = self.faults.iter().position(|fault| fault.number == number) {
            self.end(index);
        }
    }

    /// Ends the fault in force at an index.
    pub(super) fn end(&mut self, index: usize) {
        let before = self.faults.clone();
        let ActiveFault { entry, .. } = self.faults.remove(index);
        self.note(format!("fault {} ends", entry.name));
        match &entry.fault {
            Fault::Kill(members) | Fault::Stop(members) => {
                for &member in members {
                    let it = &mut self.members[member];
                    it.held = it.held.saturating_sub(1);
                    if it.held == 0 {
                        match it.phase {
                            Phase::Dead => self.start(member),
                            _ => it.after_exit = AfterExit::Start,
                        }
                    }
                }
            }
            Fault::Hang(members) => {
                for &member in members {
                    let it = &mut self.members[member];
                    it.frozen = it.frozen.saturating_sub(1);
                    if it.frozen == 0 {
                        self.thaw(member);
                    }
                }
            }
            _ => self.apply_levels(&before),
        }
    }

    fn start(&mut self, member: usize) {
        let it = &self.members[member];
        if it.phase == Phase::Dead && it.held == 0 {
            let life = it.life;
            self.events.push(self.now, Event::Start { member: member as u32, life });
        }
    }

    /// A long collection is over.
    pub(super) fn pause_ends(&mut self, member: usize) {
        let it = &mut self.members[member];
        if it.paused_until.is_some_and(|until| until <= self.now) {
            it.paused_until = None;
            self.thaw(member);
        }
    }

    /// Computes what the lasting faults make of the cluster, and sets what changed since `before`.
    fn apply_levels(&mut self, before: &[ActiveFault]) {
        let after = self.faults.clone();
        let database = |faults: &[ActiveFault]| {
            faults.iter().rev().find_map(|active| match active.entry.fault {
                Fault::Database(fault) => Some((active.number, fault)),
                _ => None,
            })
        };
        if database(before) != database(&after) {
            self.set_database(database(&after).map(|(_, fault)| fault));
        }
        self.set_rates(&after);
        self.set_behaviour(&after);
        for member in 0..self.members.len() {
            let hit = |pick: &dyn Fn(&Fault) -> Option<&Vec<usize>>| {
                after.iter().any(|active| pick(&active.entry.fault).is_some_and(|members| members.contains(&member)))
            };
            let disk_full = hit(&|fault| if let Fault::DiskFull(members) = fault { Some(members) } else { None });
            let deadlocked = hit(&|fault| if let Fault::Deadlock(members) = fault { Some(members) } else { None });
            let leak: f64 = after
                .iter()
                .filter_map(|active| match &active.entry.fault {
                    Fault::HeapLeak { members, rate } if members.contains(&member) => Some(*rate),
                    _ => None,
                })
                .sum();
            let it = &mut self.members[member];
            (it.disk_full, it.deadlocked) = (disk_full, deadlocked);
            if it.leak_rate != leak {
                it.leak_rate = leak;
                self.watch_memory(member);
            }
        }
    }

    fn set_database(&mut self, fault: Option<DatabaseFault>) {
        let was = self.database;
        self.database = Database::under(fault, self.now);
        match self.database {
            Database::Lost { how, .. } => self.lose_database(how),
            Database::Reachable(_) => {
                let lost = was.slowdown().is_none();
                let away = if let Database::Lost { since, .. } = was { self.now.since(since) } else { Duration::ZERO };
                for member in 0..self.members.len() {
                    if lost && self.members[member].moves() && !self.members[member].doomed {
                        if !self.without_database(member) {
                            // Threads that waited for a connection get one before their time is over.
                            self.members[member].loss_generation += 1;
                            self.outlived(member, away);
                        }
                        if self.can_report(member) {
                            self.resume_jobs(member);
                        }
                    }
                    self.pace(member);
                }
                for member in 0..self.members.len() {
                    if lost && self.members[member].moves() {
                        self.somebody_came(member);
                    }
                }
            }
        }
    }

    fn set_rates(&mut self, faults: &[ActiveFault]) {
        for index in 0..self.arrivals.len() {
            let Some(arrivals) = self.plan.arrivals.get(index) else { continue };
            let mut rate = arrivals.rate;
            for active in faults {
                if let Fault::Arrivals { flow, change } = &active.entry.fault
                    && flow.is_none_or(|flow| flow == arrivals.flow)
                {
                    rate = match change {
                        RateChange::Rate(new) => *new,
                        RateChange::Times(times) => rate * times,
                    };
                }
            }
            self.arrivals[index].change_rate(self.now, rate);
            self.plan_arrival(index);
        }
    }

    fn set_behaviour(&mut self, faults: &[ActiveFault]) {
        let plan = self.plan.clone();
        for (flow, model) in plan.flows.iter().zip(&mut self.flows) {
            let tasks = flow.tasks.iter().chain(&flow.errors).map(|task| (task.id.as_str(), task.kind.as_str()));
            let triggers = flow.triggers.iter().map(|trigger| (trigger.id.as_str(), trigger.kind.as_str()));
            for ((id, kind), model) in tasks.chain(triggers).zip(model.tasks.iter_mut().chain(&mut model.triggers)) {
                let (mut times, mut failing) = (1.0, None);
                for active in faults {
                    match &active.entry.fault {
                        Fault::TaskDuration { select, times: more } if behaviour::selects(select, flow, id, kind) => {
                            times *= more;
                        }
                        Fault::TaskFailures { select, share } if behaviour::selects(select, flow, id, kind) => {
                            failing = Some(*share);
                        }
                        _ => {}
                    }
                }
                model.disturb(times, failing);
            }
        }
    }
}
