//! Faults: what the timeline and the control port do to the cluster.
//!
//! Some happen and are over (a kill); others last, and what is in force is folded anew from all that last whenever one
//! begins or ends, so that their order of ending does not matter. A fault that happens again and again stays until its
//! repetition is over, and can be cleared as a whole.

use std::sync::Arc;

use super::behaviour::Disturbance;
use super::event::Event;
use super::happening::Happening;
use super::member::{AfterExit, Levels, Member, Standing};
use super::process::Cause;
use super::queue::{Message, QueueKind};
use super::wear::Wear;
use super::{Simulation, limits};
use crate::profile::Role;
use crate::scenario::{Amount, DatabaseFault, Fault, FaultKind, Lasts, Target, TimelineEntry};
use crate::time::Instant;

/// A fault that is there: in force, or to happen again.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveFault {
    number: u32,
    /// As the timeline or the control port wrote it.
    pub entry: TimelineEntry,
    /// Since when it is in force, or was last.
    pub since: Instant,
    /// How often it began.
    times: u32,
    /// Whether it is in force, and does not only wait to happen again.
    pub in_force: bool,
    /// When it happens again.
    pub again: Option<Instant>,
}

impl ActiveFault {
    /// When it ends by itself, as far as it is in force.
    pub fn ends(&self) -> Option<Instant> {
        self.entry.lasts.filter(|_| self.in_force).map(|lasts| self.since + lasts)
    }
}

/// All faults that are there, in the order in which they began last.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    active: Vec<ActiveFault>,
    count: u32,
    /// What the database was last told to be.
    database: Option<DatabaseFault>,
    /// What wears the database out.
    pub(super) wear: Wear,
    /// Faults that have left events of before in the queue of conditions, and how often each.
    condition_events: Vec<(u32, u32)>,
}

impl Faults {
    /// Those that are there, in the order in which they last began.
    pub(super) fn active(&self) -> &[ActiveFault] {
        &self.active
    }

    fn in_force(&self) -> impl DoubleEndedIterator<Item = &ActiveFault> {
        self.active.iter().filter(|fault| fault.in_force)
    }

    fn position(&self, number: u32) -> Option<usize> {
        self.active.iter().position(|fault| fault.number == number)
    }

    /// What the faults in force make of a member's place.
    fn levels(&self, member: usize) -> Levels {
        let mut levels = Levels::default();
        for ActiveFault { entry: TimelineEntry { fault, .. }, .. } in self.in_force() {
            if !fault.members().contains(&member) {
                continue;
            }
            levels.held_down |= fault.kind.lasts() == Lasts::HoldsDown;
            if let Handler::Place(set) = handler(fault.kind) {
                set(&mut levels, fault.amount);
            }
        }
        levels
    }

    /// What the last fault in force does to the database.
    pub(super) fn last_of_database(&self) -> Option<DatabaseFault> {
        self.in_force().rev().find_map(|active| match active.entry.fault.amount {
            Amount::Manner(manner) => Some(manner),
            _ => None,
        })
    }

    /// Rows that faults in force leave in the table of queues, and since when they last began.
    pub(super) fn rows(&self) -> Option<u64> {
        self.rows_of(FaultKind::QueueRows).map(|(_, rows)| rows).reduce(u64::saturating_add)
    }

    /// Faults of a kind in force that leave rows behind, and how many.
    fn rows_of(&self, kind: FaultKind) -> impl Iterator<Item = (&ActiveFault, u64)> {
        self.in_force().filter_map(move |active| match active.entry.fault {
            Fault { kind: of, amount: Amount::Rows(rows), .. } if of == kind => Some((active, rows)),
            _ => None,
        })
    }

    /// Whether the database was last told to be something else, which it is told now.
    pub(super) fn turns_database(&mut self, database: Option<DatabaseFault>) -> bool {
        std::mem::replace(&mut self.database, database) != database
    }

    /// How many members a role is scaled to last.
    fn scaled(&self, role: Role) -> Option<u32> {
        self.in_force().rev().find_map(|active| match (&active.entry.fault.target, active.entry.fault.amount) {
            (Target::Role(of), Amount::Members(count)) if *of == role => Some(count),
            _ => None,
        })
    }

    /// Whether a fault of this kind is in force for a flow.
    fn is_of_flow(&self, kind: FaultKind, flow: usize) -> bool {
        self.in_force().any(|active| match active.entry.fault {
            Fault { kind: of, target: Target::Flow(meant), .. } => {
                of == kind && meant.is_none_or(|meant| meant == flow)
            }
            _ => false,
        })
    }

    /// The rate of an entry of `arrivals` whose flow is this.
    fn rate(&self, flow: usize, written: f64) -> f64 {
        self.in_force().fold(written, |rate, active| match active.entry.fault {
            Fault { target: Target::Flow(of), amount, .. } if of.is_none_or(|of| of == flow) => match amount {
                Amount::Rate(new) => new,
                Amount::Times(times) => rate * times,
                _ => rate,
            },
            _ => rate,
        })
    }
}

/// What a fault does. Those of the database, of arrivals and of tasks are folded where these are set.
enum Handler {
    /// It does something to each of its members at once.
    Act(fn(&mut Simulation, usize, &TimelineEntry)),
    /// It does something at once to what there is of its flow, or of all.
    OfFlow(fn(&mut Simulation, Option<usize>)),
    /// It makes something of the place of each of its members, as long as it is in force.
    Place(fn(&mut Levels, Amount)),
    /// It is folded into what the whole cluster works with.
    Cluster,
}

const fn handler(kind: FaultKind) -> Handler {
    match kind {
        FaultKind::Kill => Handler::Act(|simulation, member, _| simulation.kill(member)),
        // One that is started again by the end of the fault is not told to stay away.
        FaultKind::Stop => Handler::Act(|simulation, member, entry| simulation.stop(member, entry.lasts.is_none())),
        FaultKind::Start => Handler::Act(|simulation, member, _| simulation.start(member)),
        FaultKind::Restart => Handler::Act(|simulation, member, _| simulation.restart(member)),
        FaultKind::Upgrade => Handler::Act(|simulation, member, entry| simulation.upgrade(member, entry.fault.amount)),
        FaultKind::GcPause => Handler::Act(|simulation, member, entry| simulation.pause(member, entry.fault.amount)),
        FaultKind::DeadThread => {
            Handler::Act(|simulation, member, entry| simulation.lose_thread(member, entry.fault.amount))
        }
        FaultKind::QueryFails => Handler::Act(|simulation, member, _| simulation.query_fails(member)),
        FaultKind::ExecutionsLost => Handler::OfFlow(Simulation::lose),
        FaultKind::Hang => Handler::Place(|levels, _| levels.hung = true),
        FaultKind::NoAnswer => Handler::Place(|levels, _| levels.deaf = true),
        FaultKind::DiskFull => Handler::Place(|levels, _| levels.disk_full = true),
        FaultKind::Deadlock => Handler::Place(|levels, _| levels.deadlocked = true),
        FaultKind::WrongPort => Handler::Place(|levels, _| levels.wrong_port = true),
        FaultKind::TriggerLoad => Handler::Place(|levels, amount| {
            if let Amount::Triggers(count) = amount {
                levels.triggers += count;
            }
        }),
        FaultKind::NativeLeak => Handler::Place(|levels, amount| {
            if let Amount::Leak(rate) = amount {
                levels.native_leak += rate;
            }
        }),
        FaultKind::StartFails => Handler::Place(|levels, _| levels.start_fails = true),
        FaultKind::SlowStart => Handler::Place(|levels, amount| {
            if let Amount::Takes(takes) = amount {
                levels.slow_start += takes;
            }
        }),
        FaultKind::SlowIndexer => Handler::Place(|levels, amount| {
            if let Amount::Takes(takes) = amount {
                levels.batch_takes += takes;
            }
        }),
        FaultKind::ConnectionLeak => Handler::Place(|levels, amount| {
            if let Amount::Rate(rate) = amount {
                levels.connection_leak += rate;
            }
        }),
        FaultKind::HeapLeak => Handler::Place(|levels, amount| {
            if let Amount::Leak(rate) = amount {
                levels.leak += rate;
            }
        }),
        FaultKind::Database
        | FaultKind::Arrivals
        | FaultKind::TaskDuration
        | FaultKind::TaskFailures
        | FaultKind::LostResults
        | FaultKind::BigResults
        | FaultKind::KillsIgnored
        | FaultKind::PausedBackfill
        | FaultKind::ScheduledTwice
        | FaultKind::Poison
        | FaultKind::QueueRows
        | FaultKind::ConditionEvents
        | FaultKind::Receiver
        | FaultKind::Scale => Handler::Cluster,
    }
}

impl Simulation {
    /// An entry of the timeline begins.
    pub(super) fn begin_entry(&mut self, index: usize) {
        if let Some(entry) = self.cx.plan.timeline.get(index).cloned() {
            self.begin(entry);
        }
    }

    /// A fault begins now, for the first time.
    pub(super) fn begin(&mut self, entry: TimelineEntry) {
        if self.faults.active.len() >= limits::FAULTS {
            return self.cx.reached("the number of faults in force", limits::FAULTS as u64);
        }
        self.faults.count += 1;
        let number = self.faults.count;
        let since = self.cx.now;
        let fault = ActiveFault { number, entry, since, times: 0, in_force: false, again: None };
        self.faults.active.push(fault);
        self.happens(number);
    }

    /// A fault happens: for the first time, or once more.
    pub(super) fn happens(&mut self, number: u32) {
        let now = self.cx.now;
        let Some(at) = self.faults.position(number) else { return };
        // The one that began last stands last: it wins over those before it.
        self.faults.active[at..].rotate_left(1);
        let Some(fault) = self.faults.active.last_mut() else { return };
        let entry = fault.entry.clone();
        let again = entry.every.filter(|every| !every.is_zero()).map(|every| now + every);
        fault.again = again.filter(|again| entry.until.is_none_or(|until| *again <= until));
        (fault.since, fault.times) = (now, fault.times + 1);
        fault.in_force = match entry.fault.kind.lasts() {
            Lasts::No => false,
            Lasts::HoldsDown => entry.lasts.is_some(),
            Lasts::UntilCleared => true,
        };
        let (times, in_force, again) = (fault.times, fault.in_force, fault.again);
        if let (Target::Role(_), None) = (&entry.fault.target, entry.lasts) {
            // What stands under it for good counts never again.
            let target = &entry.fault.target;
            let under =
                |it: &ActiveFault| it.number != number && it.again.is_none() && it.entry.fault.target == *target;
            let (over, left) = std::mem::take(&mut self.faults.active).into_iter().partition(under);
            self.faults.active = left;
            let over: Vec<ActiveFault> = over;
            for it in over.iter().filter(|it| it.entry.name != entry.name) {
                self.cx.tell(Happening::FaultEnds { name: Arc::from(it.entry.name.as_str()) });
            }
        }
        if let Some(again) = again {
            self.cx.events.push(again, Event::FaultRepeats { fault: number });
        }
        let what = Arc::from(entry.fault.sentence(&self.cx.plan));
        self.cx.tell(Happening::FaultBegins { name: Arc::from(entry.name.as_str()), what, lasts: entry.lasts });
        self.act(&entry);
        match entry.lasts.filter(|_| in_force) {
            Some(lasts) => self.cx.after(lasts, Event::FaultEnds { fault: number, times }),
            None if !in_force && again.is_none() => self.faults.active.retain(|fault| fault.number != number),
            None => {}
        }
        self.fold();
    }

    /// A fault ends by itself, if it has not begun once more.
    pub(super) fn fault_ends(&mut self, number: u32, times: u32) {
        let Some(at) = self.faults.position(number) else { return };
        let fault = &mut self.faults.active[at];
        if fault.times != times || !fault.in_force {
            return;
        }
        fault.in_force = false;
        let name = Arc::from(fault.entry.name.as_str());
        if fault.again.is_none() {
            self.faults.active.remove(at);
        }
        self.cx.tell(Happening::FaultEnds { name });
        self.fold();
    }

    /// Clears a fault: it ends, and does not happen again.
    pub(super) fn clear(&mut self, name: &str) {
        let Some(at) = self.faults.active.iter().position(|fault| fault.entry.name == name) else { return };
        let fault = self.faults.active.remove(at);
        self.cx.tell(Happening::FaultEnds { name: Arc::from(fault.entry.name.as_str()) });
        self.fold();
    }

    /// What a fault does at once.
    fn act(&mut self, entry: &TimelineEntry) {
        // A place that is held down must not be started again by the end of its process.
        for member in 0..self.cluster.members.len() {
            self.cluster.members[member].lasting.levels.held_down |= self.faults.levels(member).held_down;
        }
        match (handler(entry.fault.kind), &entry.fault.target) {
            (Handler::Act(act), target) => target.members().iter().for_each(|member| act(self, *member, entry)),
            (Handler::OfFlow(act), Target::Flow(flow)) => act(self, *flow),
            _ => {}
        }
    }

    /// SIGKILL.
    fn kill(&mut self, member: usize) {
        if self.cluster.members[member].process().is_some() {
            self.cx.tell(Happening::Killed { member });
            self.end_process(member);
        }
    }

    /// SIGTERM.
    fn stop(&mut self, member: usize, for_good: bool) {
        // Nobody is there to stay away.
        if self.cluster.members[member].is_away() {
            return;
        }
        self.cluster.members[member].lasting.ordered_down |= for_good;
        self.terminate(member, false, AfterExit::Policy);
    }

    fn start(&mut self, member: usize) {
        let it = &mut self.cluster.members[member];
        let was_ordered_down = std::mem::take(&mut it.lasting.ordered_down);
        match &mut it.process {
            // It still drains: it is started when it is gone.
            Some(process) if was_ordered_down => process.after = AfterExit::Start,
            Some(_) => {}
            None => self.start_if_free(member),
        }
    }

    fn restart(&mut self, member: usize) {
        match self.cluster.members[member].process() {
            None => self.start(member),
            Some(_) => {
                self.cluster.members[member].lasting.ordered_down = false;
                self.terminate(member, false, AfterExit::Start);
            }
        }
    }

    /// Whoever starts here next is of another version; who runs makes room for it.
    fn upgrade(&mut self, member: usize, amount: Amount) {
        let Amount::Version(version) = amount else { return };
        self.cluster.members[member].lasting.version = Some(version);
        self.restart(member);
    }

    /// Executions are gone, and whoever refers to them is not told.
    fn lose(&mut self, flow: Option<usize>) {
        let Simulation { cx, executor, scheduler, .. } = self;
        for trigger in executor.lose(cx, flow) {
            scheduler.misses(trigger);
        }
    }

    fn start_if_free(&mut self, member: usize) {
        let it = &self.cluster.members[member];
        if it.may_start() {
            let life = it.life();
            self.cx.events.push(self.cx.now, Event::Start { member: member as u32, life });
        }
    }

    /// A long collection begins.
    fn pause(&mut self, member: usize, amount: Amount) {
        let now = self.cx.now;
        let Amount::Pause(pause) = amount else { return };
        let process = self.cluster.members[member].process.as_mut();
        if let Some(process) = process {
            process.jvm.full_collection(pause, now);
            self.comes(member, Cause::Pauses(now + pause));
        }
    }

    /// A thread of a process dies; of one that is not up yet there is none.
    fn lose_thread(&mut self, member: usize, amount: Amount) {
        let Amount::Thread(thread) = amount else { return };
        if let Some(process) = self.cluster.members[member].process.as_mut().filter(|process| process.came_up()) {
            process.loses(thread);
            self.cluster.pace(&self.cx, member);
        }
    }

    /// Sets what the faults in force make of the cluster, where it is not so yet.
    fn fold(&mut self) {
        Role::ALL.into_iter().for_each(|role| self.fold_role(role));
        for member in 0..self.cluster.members.len() {
            self.fold_place(member);
        }
        self.fold_condition_events();
        self.wears();
        self.fold_rates();
        self.fold_behaviour();
        self.fold_receivers();
        self.fold_poison();
        let Simulation { cx, scheduler, faults, .. } = self;
        scheduler.disturb(cx, |kind, flow| faults.is_of_flow(kind, flow));
    }

    /// Events of before come into the queue of conditions; what is left of them is deleted when their fault ends.
    fn fold_condition_events(&mut self) {
        let in_force = self.faults.rows_of(FaultKind::ConditionEvents);
        let after: Vec<(u32, u32, u64)> = in_force.map(|(fault, rows)| (fault.number, fault.times, rows)).collect();
        let left = after.iter().map(|(number, times, _)| (*number, *times)).collect();
        let before = std::mem::replace(&mut self.faults.condition_events, left);
        let queue = &mut self.cluster.queues[QueueKind::MultipleConditionEvent as usize];
        for (number, ..) in before.iter().filter(|(number, _)| after.iter().all(|(of, ..)| of != number)) {
            queue.delete_old(*number, self.cx.now);
        }
        for (number, _, rows) in after.iter().filter(|(number, times, _)| !before.contains(&(*number, *times))) {
            queue.leave_old(*number, *rows);
        }
        self.cluster.kick(&mut self.cx, QueueKind::MultipleConditionEvent);
    }

    /// So many members of a role as it is scaled to: those with the lowest numbers.
    fn fold_role(&mut self, role: Role) {
        let members = self.cluster.members.iter().enumerate().filter(|(_, it)| it.role() == role);
        let places: Vec<usize> = members.map(|(member, _)| member).collect();
        let count = |is: &dyn Fn(&Member) -> bool| places.iter().filter(|it| is(&self.cluster.members[**it])).count();
        let from = count(&|it| it.lasting.standing == Standing::Here);
        let to = self.faults.scaled(role).map_or_else(|| count(&|it| !it.plan().reserve), |count| count as usize);
        if from == to {
            return;
        }
        self.cx.tell(Happening::Scales { role, from, to });
        for (rank, member) in places.into_iter().enumerate() {
            match rank < to {
                true => self.belongs(member),
                false => self.leaves(member),
            }
        }
    }

    /// A place belongs to the cluster. Where a process still drains, the next one starts when it is gone.
    fn belongs(&mut self, member: usize) {
        let it = &mut self.cluster.members[member];
        match (std::mem::take(&mut it.lasting.standing), &mut it.process) {
            (Standing::Here, _) => {}
            (_, Some(process)) => process.after = AfterExit::Start,
            (_, None) => self.start_if_free(member),
        }
    }

    /// A place is given up: its process gets SIGTERM.
    fn leaves(&mut self, member: usize) {
        let lasting = &mut self.cluster.members[member].lasting;
        if lasting.standing != Standing::Here {
            return;
        }
        lasting.standing = Standing::Leaving;
        match self.cluster.members[member].process() {
            Some(_) => self.terminate(member, false, AfterExit::Policy),
            None => self.cluster.members[member].lasting.leave(),
        }
    }

    fn fold_place(&mut self, member: usize) {
        let lasting = &mut self.cluster.members[member].lasting;
        let after = self.faults.levels(member);
        let before = std::mem::replace(&mut lasting.levels, after);
        if before.held_down && !after.held_down {
            self.released(member);
        }
        match (before.hung, after.hung) {
            (false, true) => self.comes(member, Cause::Hangs),
            (true, false) => self.comes(member, Cause::Unhangs),
            _ => {}
        }
        if before.connection_leak != after.connection_leak {
            self.keeps_connections(member);
        }
        if before.batch_takes != after.batch_takes {
            self.cluster.batches_change(&mut self.cx, member);
        }
        if before.triggers != after.triggers {
            self.evaluates_more(member);
        }
        if before.leak != after.leak || before.native_leak != after.native_leak {
            self.cluster.watch_memory(&mut self.cx, member);
        }
    }

    /// Nothing holds a place down any more: whoever stopped it for a time starts it again.
    fn released(&mut self, member: usize) {
        match &mut self.cluster.members[member].process {
            Some(process) => process.after = AfterExit::Start,
            None => self.start_if_free(member),
        }
    }

    /// What receivers answer: those of the scenario, and over them what faults make of it, the last one on top.
    fn fold_receivers(&mut self) {
        let faults =
            self.faults.in_force().filter_map(|active| match (&active.entry.fault.target, active.entry.fault.amount) {
                (Target::Receiver(name), Amount::Answers(answer)) => Some((name.clone(), answer)),
                _ => None,
            });
        self.cx.receivers = self.cx.plan.receivers.iter().cloned().chain(faults).collect();
    }

    /// As many messages that nobody can digest are in a queue as faults say.
    fn fold_poison(&mut self) {
        for kind in QueueKind::ALL {
            let of = |active: &&ActiveFault| matches!(active.entry.fault.target, Target::Queue(queue) if QueueKind::of(queue) == kind);
            let wanted = self.faults.in_force().filter(of).count();
            let queue = &mut self.cluster.queues[kind as usize];
            let there = queue.poison();
            (wanted..there).for_each(|_| queue.remove_poison());
            (there..wanted).for_each(|_| self.cluster.send(&mut self.cx, kind, Message::Poison));
            if there > wanted {
                self.cluster.kick(&mut self.cx, kind);
            }
        }
    }

    fn fold_rates(&mut self) {
        for index in 0..self.cx.plan.arrivals.len() {
            let Some(arrivals) = self.cx.plan.arrivals.get(index) else { continue };
            let rate = self.faults.rate(arrivals.flow, arrivals.rate);
            self.traffic.change_rate(&mut self.cx, index, rate);
        }
    }

    fn fold_behaviour(&mut self) {
        let plan = self.cx.plan.clone();
        for (flow, model) in plan.flows.iter().zip(&mut self.cx.flows) {
            let tasks = flow.all_tasks().into_iter().map(|task| (task.id.as_str(), task.kind.as_str()));
            let triggers = flow.triggers.iter().map(|trigger| (trigger.id.as_str(), trigger.kind.as_str()));
            for ((id, kind), model) in tasks.chain(triggers).zip(model.tasks.iter_mut().chain(&mut model.triggers)) {
                let mut faults = Disturbance::default();
                for active in self.faults.in_force() {
                    let Fault { target: Target::Tasks(select), amount, .. } = &active.entry.fault else { continue };
                    match (active.entry.fault.kind, amount) {
                        _ if !select.selects(flow, id, kind) => {}
                        (_, Amount::Times(more)) => faults.times *= more,
                        (FaultKind::LostResults, Amount::Share(share)) => faults.lost = *share,
                        (FaultKind::BigResults, Amount::Share(share)) => faults.big = *share,
                        (FaultKind::KillsIgnored, Amount::Share(share)) => faults.stubborn = *share,
                        (_, Amount::Share(share)) => faults.failing = Some(*share),
                        _ => {}
                    }
                }
                model.disturb(faults);
            }
        }
    }
}
