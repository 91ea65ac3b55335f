//! A scheduler with more triggers than a loop of a second is enough for. Its loops are events, as each takes another time.

use super::event::Event;
use super::lines::LineAbout;
use super::meters::{Meter, Subject};
use super::{Member, Simulation};
use crate::profile::{LineKind, Quirk, Role};
use crate::time::{Duration, Instant};

/// What a loop takes for a trigger that is not due: 12043 of them took 1400 ms (reported: kestra-io/kestra#19073).
const A_TRIGGER: Duration = Duration::nanoseconds(1_400_000_000 / 12_043);
/// What it takes without any (as recorded of 1.3.19, 32.6 ms on the mean; 630 to 670 where the database was at the limit of its
/// connections: roles/scheduler).
const NONE: Duration = Duration::milliseconds(33);
/// A loop begins each second, if it can.
const SECOND: Duration = Duration::seconds(1);
/// A loop that takes longer is told of in the log (source: a tenth more than its second).
const TOLD: Duration = Duration::milliseconds(1_100);

/// How many loops there are in a second when each takes so many times as long as normal.
pub(super) fn loops_a_second(times: f64) -> f64 {
    1.0 / NONE.times(times).max(SECOND).as_seconds_f64()
}

impl Simulation {
    /// How long a loop takes from now on that looks for a trigger that is due. What is usual is too short to matter.
    pub(super) fn loops_take(&mut self) {
        // The one that has the most holds up what is due: who of several evaluates a trigger is not known beforehand.
        let most = self.cluster.members.iter().map(|it| it.lasting.levels.triggers).max().unwrap_or(0);
        let triggers = A_TRIGGER.times(most as f64);
        let reads = |it: &Member| it.role().runs(Role::Scheduler) && it.profile().has(Quirk::LoopReadsTriggers);
        let times = if self.cluster.members.iter().any(reads) { self.cx.slowdown() } else { 1.0 };
        let takes = if times > 1.0 { (NONE + triggers).times(times) } else { triggers };
        if std::mem::replace(&mut self.cx.loop_takes, takes) != takes {
            self.scheduler.plan_again(&mut self.cx);
        }
    }

    /// As many triggers as faults say are looked at by a scheduler from now on.
    pub(super) fn evaluates_more(&mut self, member: usize) {
        self.loops_take();
        self.ends_loop(member);
        let it = &mut self.cluster.members[member];
        let (triggers, life) = (it.lasting.levels.triggers, it.life());
        it.lasting.loop_turn += 1;
        if triggers > 0 && it.came_up() {
            let turn = it.lasting.loop_turn;
            self.cx.events.push(self.cx.now, Event::TriggerLoop { member: member as u32, life, turn });
        }
        self.cluster.pace(&self.cx, member);
    }

    /// The loop that is under way ends: it has taken as long as it has. When it began, if one was.
    fn ends_loop(&mut self, member: usize) -> Option<Instant> {
        let it = &mut self.cluster.members[member];
        let (triggers, began) = (it.lasting.levels.triggers, it.process.as_mut()?.loop_began.take()?);
        let took = self.cx.now.since(began);
        self.cluster.time(&self.cx, member, Meter::SchedulerEvaluationLoop, Subject::Bare, took);
        self.cluster.members[member].work(0.0, took.as_seconds_f64(), self.cx.now);
        if took > TOLD {
            self.cluster.log(&mut self.cx, member, LineKind::Overloaded, LineAbout::Loop { triggers, took });
        }
        Some(began)
    }

    /// A loop ends, and the next one begins: at once, or when its second is over.
    pub(super) fn loops(&mut self, member: usize, turn: u32) {
        if self.cluster.members[member].lasting.loop_turn != turn {
            return;
        }
        let (now, life) = (self.cx.now, self.cluster.members[member].life());
        let next = Event::TriggerLoop { member: member as u32, life, turn };
        let due = self.ends_loop(member).map_or(now, |began| began + SECOND);
        if due > now {
            return self.cx.events.push(due, next);
        }
        let it = &mut self.cluster.members[member];
        let evaluates = it.role().runs(Role::Scheduler) && it.schedules() && it.works();
        let (triggers, key) = (it.lasting.levels.triggers, it.draw_key());
        let reads = it.profile().has(Quirk::LoopReadsTriggers);
        let times = if reads { self.cx.slowdown() } else { 1.0 };
        let takes = (NONE + A_TRIGGER.times(triggers as f64 * self.cx.spread(key, 0.95, 0.1))).times(times);
        let begins = evaluates && self.cx.database.slowdown().is_some();
        if let Some(process) = it.process.as_mut().filter(|_| begins) {
            process.loop_began = Some(now);
        }
        self.cx.after(if begins { takes } else { SECOND }, next);
    }
}
