//! What a cluster has lived, as a picture is drawn of it: in which condition each member was and since when, which faults were
//! in force, and figures at instants that lie equally far apart. However long it lives it takes no more place: figures get
//! coarser, and what happened longest ago is forgotten. Whoever looks on changes nothing.

use std::collections::VecDeque;

use super::checkpoints::advance_in_slices;
use crate::flow::State;
use crate::profile::Probe;
use crate::scenario::{FaultKind, Target, TimelineEntry};
use crate::simulator::{Happening, LimitReached, Member, Port, Simulation};
use crate::time::{Duration, Instant};

/// Figures that are kept; of more every second is dropped, and from then on they lie twice as far apart.
const FIGURES: usize = 720;
/// How far apart they lie at first.
const FIRST_STRIDE: Duration = Duration::seconds(5);
/// Changes of the condition of a member that are kept.
const TURNS: usize = 2_000;
/// Faults that are kept.
const BANDS: usize = 2_000;

/// In which condition a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nobody is there: the role is scaled to fewer members.
    Away,
    /// There is no process.
    Dead,
    /// A process starts up, its ports are closed.
    Starting,
    /// It is up.
    Serving,
    /// It was told to stop.
    Draining,
    /// It stands still, or its ports accept and never answer.
    Hung,
    /// It has closed its ports and lives on.
    Closed,
}

impl Condition {
    /// All of their words, in their order.
    pub const WORDS: &[&str] = &["away", "dead", "starting", "serving", "draining", "hung", "closed"];

    /// For programs.
    pub const fn word(self) -> &'static str {
        Condition::WORDS[self as usize]
    }

    /// That of a member now.
    fn of(member: &Member) -> Condition {
        let Some(process) = member.process() else {
            return if member.is_away() { Condition::Away } else { Condition::Dead };
        };
        match member.port() {
            _ if process.paused_until().is_some() => Condition::Hung,
            Port::Frozen => Condition::Hung,
            _ if process.shutdown().is_some() => Condition::Draining,
            Port::Open => Condition::Serving,
            Port::Refused => Condition::Starting,
            Port::Closing => Condition::Closed,
        }
    }

    /// That into which something has brought a member.
    fn after(what: &Happening) -> Option<Condition> {
        match what {
            Happening::Starts { .. } => Some(Condition::Starting),
            Happening::ComesUp { .. } => Some(Condition::Serving),
            Happening::ShutsDown { .. } => Some(Condition::Draining),
            Happening::ClosesPorts { .. } => Some(Condition::Closed),
            Happening::Exits { .. } | Happening::Killed { .. } => Some(Condition::Dead),
            _ => None,
        }
    }
}

/// Figures of the cluster at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// When.
    pub at: Instant,
    /// Executions created since its birth.
    pub created: u64,
    /// Those that ended.
    pub ended: u64,
    /// Of these, those that FAILED.
    pub failed: u64,
    /// Jobs that wait in the queue: no worker has taken them.
    pub queued: u64,
    /// Of each member.
    pub members: Box<[Reading]>,
}

/// Figures of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Jobs that run in its worker.
    pub running: u32,
    /// Jobs that wait in it.
    pub pending: u32,
    /// Connections of its pool that are in use.
    pub pool: u32,
    /// Bytes of its heap that are used.
    pub heap: u64,
}

impl Figures {
    /// Those of now.
    fn of(simulation: &Simulation) -> Figures {
        let truth = simulation.truth();
        let reading = |(index, member): (usize, &Member)| {
            if member.process().is_none() {
                return Reading::default();
            }
            let look = simulation.look(index);
            let heap = [Probe::EdenUsed, Probe::SurvivorUsed, Probe::OldUsed].map(|probe| look.get(probe));
            Reading {
                running: member.running() as u32,
                pending: member.pending() as u32,
                pool: look.get(Probe::PoolActive) as u32,
                heap: heap.iter().sum::<f64>() as u64,
            }
        };
        Figures {
            at: simulation.now(),
            created: truth.created,
            ended: truth.ended_in_all(),
            failed: truth.ended_in(State::Failed),
            queued: simulation.backlog().jobs_queued,
            members: simulation.members().iter().enumerate().map(reading).collect(),
        }
    }
}

/// A fault that was in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Its name.
    pub name: String,
    /// What it does, in words.
    pub what: String,
    /// When it began.
    pub from: Instant,
    /// When it ended; none while it is in force.
    pub to: Option<Instant>,
    /// Members that stand still meanwhile.
    still: Vec<usize>,
}

/// What was lived, as far as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Lived {
    stride: Duration,
    /// When figures are taken next.
    due: Instant,
    figures: Vec<Figures>,
    /// Of each member its conditions, each with the instant from which it was in it.
    lanes: Vec<VecDeque<(Instant, Condition)>>,
    bands: VecDeque<Band>,
    /// The number of the next line of the journal.
    heard: u64,
}

impl Lived {
    /// Nothing yet, from here on; made for a life that is this long already when somebody looks at it for the first time.
    pub(super) fn from(simulation: &Simulation, age: Duration) -> Lived {
        let mut stride = FIRST_STRIDE;
        while stride.as_nanoseconds().saturating_mul(FIGURES as u64 / 2) < age.as_nanoseconds() {
            stride = stride.times(2.0);
        }
        let now = simulation.now();
        let lane = |member: &Member| VecDeque::from([(now, Condition::of(member))]);
        let band = |fault: &crate::simulator::ActiveFault| Band {
            name: fault.entry.name.clone(),
            what: fault.entry.fault.sentence(simulation.plan()),
            from: fault.since,
            to: None,
            still: still(&fault.entry),
        };
        Lived {
            stride,
            due: now,
            figures: Vec::new(),
            lanes: simulation.members().iter().map(lane).collect(),
            bands: simulation.faults().iter().filter(|fault| fault.in_force).map(band).collect(),
            heard: simulation.journal().next(),
        }
    }

    /// Moves a simulation, and looks on; `each` sees it after every slice of time. False when `each` wanted no more.
    pub(super) fn follow(
        &mut self,
        simulation: &mut Simulation,
        to: Instant,
        each: &mut dyn FnMut(&Simulation) -> bool,
    ) -> Result<bool, LimitReached> {
        loop {
            let until = to.min(self.due.max(simulation.now()));
            let moved = advance_in_slices(simulation, until, |simulation| each(simulation));
            self.notice(simulation);
            let goes_on = moved?;
            if !goes_on || simulation.now() < until {
                return Ok(goes_on);
            }
            if simulation.now() >= self.due {
                self.take(Figures::of(simulation));
            }
            if until >= to {
                return Ok(true);
            }
        }
    }

    /// Keeps figures.
    fn take(&mut self, figures: Figures) {
        let at = figures.at;
        self.figures.push(figures);
        if self.figures.len() > FIGURES {
            self.stride = self.stride.times(2.0);
            let stride = self.stride.as_nanoseconds() as i64;
            self.figures.retain(|it| it.at.as_nanoseconds().rem_euclid(stride) == 0);
        }
        let stride = self.stride.as_nanoseconds().max(1) as i64;
        let next = (at.as_nanoseconds().div_euclid(stride)).saturating_add(1).saturating_mul(stride);
        self.due = Instant::from_nanoseconds(next);
    }

    /// Learns what has happened since the last time.
    pub(super) fn notice(&mut self, simulation: &Simulation) {
        let journal = simulation.journal();
        let (plan, before) = (simulation.plan(), self.heard);
        let mut of_fault = None;
        for line in journal.since(before) {
            match &line.what {
                Happening::FaultBegins { name, what, .. } => {
                    of_fault = Some(line.at);
                    let entries = simulation.faults().iter().map(|it| &it.entry).chain(&plan.timeline);
                    let still = entries.into_iter().find(|it| it.name == **name).map(still).unwrap_or_default();
                    still.iter().for_each(|member| self.turns(*member, line.at, Condition::Hung));
                    self.begins(Band {
                        name: name.to_string(),
                        what: what.to_string(),
                        from: line.at,
                        to: None,
                        still,
                    });
                }
                Happening::FaultEnds { name } => {
                    of_fault = Some(line.at);
                    self.ends(name, line.at);
                }
                what => {
                    if let (Some(member), Some(condition)) = (what.member(), Condition::after(what)) {
                        // The end of one whose place is not wanted any more has no happening of its own.
                        let away = simulation.members().get(member).is_some_and(Member::is_away);
                        let gone = condition == Condition::Dead && away;
                        self.turns(member, line.at, if gone { Condition::Away } else { condition });
                    }
                }
            }
        }
        self.heard = journal.next();
        // Faults that are over at once have no end of their own in the journal.
        if self.heard != before {
            self.close(simulation);
        }
        let at = of_fault.unwrap_or_else(|| simulation.now());
        for (member, it) in simulation.members().iter().enumerate() {
            self.turns(member, at, Condition::of(it));
        }
    }

    fn turns(&mut self, member: usize, at: Instant, condition: Condition) {
        let Some(lane) = self.lanes.get_mut(member) else { return };
        if lane.back().is_some_and(|(_, last)| *last == condition) {
            return;
        }
        // Nothing comes before what is known already.
        let at = lane.back().map_or(at, |(last, _)| at.max(*last));
        lane.push_back((at, condition));
        if lane.len() > TURNS {
            lane.pop_front();
        }
    }

    fn begins(&mut self, band: Band) {
        // One that happens again has no end of its own in between.
        for open in self.bands.iter_mut().filter(|it| it.to.is_none() && it.name == band.name) {
            open.to = Some(band.from);
        }
        self.bands.push_back(band);
        if self.bands.len() > BANDS {
            self.bands.pop_front();
        }
    }

    fn ends(&mut self, name: &str, at: Instant) {
        let Some(band) = self.bands.iter_mut().rev().find(|band| band.name == name && band.to.is_none()) else {
            return;
        };
        band.to = Some(at);
        for member in std::mem::take(&mut band.still) {
            let hangs = self.lanes.get(member).and_then(|lane| lane.back()).is_some_and(|it| it.1 == Condition::Hung);
            if hangs {
                self.turns(member, at, Condition::Serving);
            }
        }
    }

    /// Ends the bands of faults that are not there any more.
    fn close(&mut self, simulation: &Simulation) {
        let there = |name: &str| simulation.faults().iter().any(|fault| fault.in_force && fault.entry.name == name);
        for band in self.bands.iter_mut().filter(|band| band.to.is_none()) {
            if !there(&band.name) {
                band.to = Some(band.from);
            }
        }
    }

    /// What is known of the time from an instant on, with the figures of now.
    pub(super) fn picture(&self, simulation: &Simulation, from: Instant) -> Picture {
        let now = simulation.now();
        let lane = |lane: &VecDeque<(Instant, Condition)>| {
            let first = lane.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
            lane.iter().skip(first).copied().collect()
        };
        // What lies before the beginning is drawn up to its edge.
        let first = self.figures.partition_point(|it| it.at < from).saturating_sub(1);
        let mut figures: Vec<Figures> = self.figures.get(first..).unwrap_or_default().to_vec();
        if figures.last().is_none_or(|last| last.at < now) {
            figures.push(Figures::of(simulation));
        }
        Picture {
            from,
            to: now,
            begins: self.lanes.iter().filter_map(|lane| lane.front()).map(|it| it.0).min().unwrap_or(now),
            lanes: self.lanes.iter().map(lane).collect(),
            bands: self.bands.iter().filter(|band| band.to.is_none_or(|to| to >= from)).cloned().collect(),
            figures,
            alerts: None,
        }
    }
}

/// Members that stand still while a fault is in force.
fn still(entry: &TimelineEntry) -> Vec<usize> {
    match (entry.fault.kind, &entry.fault.target) {
        (FaultKind::Hang | FaultKind::NoAnswer, Target::Members(members)) => members.clone(),
        _ => Vec::new(),
    }
}

/// An alert that was pending or fired.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertBar {
    /// Its name.
    pub alert: String,
    /// Its labels, without its name.
    pub labels: Vec<(String, String)>,
    /// When its condition began to hold.
    pub pending: Instant,
    /// When it fired, if it did.
    pub firing: Option<Instant>,
    /// When it ended; none while it is active.
    pub resolved: Option<Instant>,
}

/// What there is to draw of some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// From this instant on.
    pub from: Instant,
    /// Up to this one.
    pub to: Instant,
    /// When what is kept begins.
    pub begins: Instant,
    /// Of each member its conditions, each with the instant from which it was in it; the first may have begun before `from`.
    pub lanes: Vec<Vec<(Instant, Condition)>>,
    /// Faults that were in force.
    pub bands: Vec<Band>,
    /// Figures, the oldest first.
    pub figures: Vec<Figures>,
    /// Alerts, where rules are evaluated.
    pub alerts: Option<Vec<AlertBar>>,
}
