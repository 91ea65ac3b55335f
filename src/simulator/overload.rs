//! A scheduler with more triggers than a loop of a second is enough for. Its loops are events, as each takes another time.

use super::Simulation;
use super::event::Event;
use super::lines::LineAbout;
use super::meters::{Meter, Subject};
use crate::profile::{LineKind, Quirk, Role};
use crate::time::Duration;

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
        let times = if self.cx.profile.has(Quirk::LoopReadsTriggers) { self.cx.slowdown() } else { 1.0 };
        self.cx.loop_takes = if times > 1.0 { (NONE + triggers).times(times) } else { triggers };
    }

    /// As many triggers as faults say are looked at by a scheduler from now on.
    pub(super) fn evaluates_more(&mut self, member: usize) {
        self.loops_take();
        let it = &mut self.cluster.members[member];
        let (triggers, life) = (it.lasting.levels.triggers, it.life());
        it.lasting.loop_turn += 1;
        if triggers > 0 && it.came_up() {
            let turn = it.lasting.loop_turn;
            self.cx.events.push(self.cx.now, Event::TriggerLoop { member: member as u32, life, turn });
        }
        self.cluster.pace(&self.cx, member);
    }

    /// A loop begins, and with it is known how long it takes.
    pub(super) fn loops(&mut self, member: usize, turn: u32) {
        let it = &self.cluster.members[member];
        if it.lasting.loop_turn != turn {
            return;
        }
        let evaluates = it.role().runs(Role::Scheduler) && it.schedules() && it.works();
        let triggers = it.lasting.levels.triggers;
        let key = it.draw_key();
        let times = if it.profile().has(Quirk::LoopReadsTriggers) { self.cx.slowdown() } else { 1.0 };
        let takes = (NONE + A_TRIGGER.times(triggers as f64 * self.cx.spread(key, 0.95, 0.1))).times(times);
        if evaluates && self.cx.database.slowdown().is_some() {
            self.cluster.time(&self.cx, member, Meter::SchedulerEvaluationLoop, Subject::Bare, takes);
            self.cluster.members[member].work(0.0, takes.as_seconds_f64(), self.cx.now);
            if takes > TOLD {
                self.cluster.log(&mut self.cx, member, LineKind::Overloaded, LineAbout::Loop { triggers, took: takes });
            }
        }
        let life = self.cluster.members[member].life();
        self.cx.after(takes.max(SECOND), Event::TriggerLoop { member: member as u32, life, turn });
    }
}
