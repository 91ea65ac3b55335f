//! The database and what its loss does to a process.
//!
//! Recorded from 1.3.19: a process that loses its database does not report DOWN for long, it dies. How soon depends on the
//! role and on how the database went away. Nothing recovers without a new process.

use super::event::{Event, ExitCause};
use super::member::Phase;
use super::{DatabaseView, Port, Simulation};
use crate::profile::{Quirk, Role};
use crate::random::{Stream, name_key};
use crate::scenario::DatabaseFault;
use crate::time::{Duration, Instant};

/// How the database answers, and since when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Database {
    /// Every query takes this many times as long as normal.
    Reachable(f64),
    /// Gone in this way since the instant.
    Lost { how: Loss, since: Instant },
}

/// How a database goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Connections are cut and new ones refused.
    Refused,
    /// Packets vanish.
    Stalled,
    /// The server says goodbye to each connection (FATAL 57P01) and is gone.
    ShutDown,
}

impl Database {
    /// What the last active fault makes of it.
    pub(super) fn under(fault: Option<DatabaseFault>, now: Instant) -> Database {
        let lost = |how| Database::Lost { how, since: now };
        match fault {
            None => Database::Reachable(1.0),
            Some(DatabaseFault::Slow(times)) => Database::Reachable(times),
            Some(DatabaseFault::Refused) => lost(Loss::Refused),
            Some(DatabaseFault::Stalled) => lost(Loss::Stalled),
            Some(DatabaseFault::ShutDown) => lost(Loss::ShutDown),
        }
    }

    /// How many times as long as normal a query takes, if there is an answer at all.
    pub(super) fn slowdown(self) -> Option<f64> {
        match self {
            Database::Reachable(times) => Some(times),
            Database::Lost { .. } => None,
        }
    }

    /// As a member sees it.
    pub(super) fn view(self) -> DatabaseView {
        match self {
            Database::Reachable(slowdown) => DatabaseView::Reachable { slowdown },
            Database::Lost { how: Loss::Stalled, since } => DatabaseView::Stalled { since },
            Database::Lost { since, .. } => DatabaseView::Refused { since },
        }
    }
}

/// How long a process lives on after its database went away.
pub(super) fn life_without(how: Loss, role: Role, running: usize, draws: &mut Stream) -> Duration {
    let spread = |from: u64, to: u64, draws: &mut Stream| {
        Duration::milliseconds(from) + Duration::milliseconds(to - from).times(draws.uniform())
    };
    match (how, role) {
        // Its threads get their error from the pool, after the pool's 30 s.
        (Loss::Refused, Role::Indexer) => spread(31_000, 33_000, draws),
        (Loss::Refused, Role::Standalone) => spread(600, 800, draws),
        (Loss::Refused, _) => spread(700, 3_000, draws),
        (Loss::Stalled, _) => spread(30_050, 31_000, draws),
        // A worker waits 30 s for a connection to write the state of its tasks, then stops without waiting for them.
        (Loss::ShutDown, Role::Worker) if running > 0 => spread(30_500, 30_700, draws),
        (Loss::ShutDown, _) => spread(500, 700, draws),
    }
}

/// The same in a version whose processes linger: how long its ports live on. Recorded from 0.20.7 (db_down): a standalone
/// dies within a second when a queue thread has a query in flight, else when the pool's 30 s are over.
pub(super) fn ports_without(how: Loss, role: Role, draws: &mut Stream) -> Duration {
    let spread = |from: u64, draws: &mut Stream| Duration::milliseconds(from + draws.below(700));
    match (how, role) {
        (Loss::Stalled, _) => spread(29_900, draws),
        (_, Role::Standalone) if draws.chance(0.5) => spread(30_000, draws),
        _ => spread(700, draws),
    }
}

/// And how long the process itself lives on after its ports, `lost` after the database; none is for ever.
pub(super) fn lingers(role: Role, lost: Duration) -> Option<Duration> {
    let gave_up_late = lost > Duration::seconds(10);
    match role {
        // Its context waits for a lock for ever.
        Role::Standalone if gave_up_late => None,
        // Each service waits for a connection to write its state, 30 s at a time.
        Role::Standalone => Some(Duration::seconds(62)),
        Role::Worker if gave_up_late => Some(Duration::seconds(32)),
        Role::Webserver => Some(Duration::seconds(4)),
        _ => Some(Duration::seconds(1)),
    }
}

/// The same in a version whose schedulers outlive the loss (2.0 dbdown): with refused connections all others die within
/// seconds, of the first query; a stall hangs them, but nothing dies before it is over. Controllers and indexers were not
/// recorded, they read queues as the others do.
pub(super) fn life_of_survivor(how: Loss, role: Role, draws: &mut Stream) -> Option<Duration> {
    match (how, role) {
        (Loss::Stalled, _) | (_, Role::Scheduler) => None,
        (_, Role::Webserver) => Some(Duration::milliseconds(500 + draws.below(200))),
        _ => Some(Duration::milliseconds(1_400 + draws.below(600))),
    }
}

/// How long such a process lives on after a stall of this length, if it dies of it: an executor whose loops met the pool's
/// timeout exits, others that were silent for the liveness timeout find themselves disconnected.
pub(super) fn life_after_stall(role: Role, lost: Duration) -> Option<Duration> {
    let dies = match role {
        Role::Scheduler | Role::Worker => false,
        Role::Executor | Role::Standalone => lost > Duration::seconds(30),
        Role::Webserver | Role::Indexer | Role::Controller => lost > Duration::seconds(60),
    };
    dies.then(|| Duration::milliseconds(3_000))
}

/// Requests for a connection that timed out in an outage so far: each waits 30 s, one follows another every seven (2.0
/// dbdown/stall: 1 after 31 s, 3 after 37, 6 after 68).
pub(super) fn timeouts(lost: Duration) -> f64 {
    let waited = lost.as_seconds_f64() - 30.0;
    if waited < 0.0 { 0.0 } else { libm::floor(waited / 7.0) + 1.0 }
}

/// Whether a query takes longer than the 10 ms from which 2.0 measures it.
pub(super) fn is_slow(slowdown: f64) -> bool {
    HOLD * slowdown > 0.01
}

/// Queue loops and other polls of an idle process: how many threads ask the database at normal speed.
pub(super) const fn loops(role: Role) -> f64 {
    match role {
        Role::Standalone => 14.0,
        Role::Webserver => 6.0,
        Role::Executor => 12.0,
        Role::Scheduler => 8.0,
        Role::Worker => 8.0,
        Role::Indexer | Role::Controller => 4.0,
    }
}

/// Connections of a pool (Hikari's default in Kestra).
pub(super) const POOL: f64 = 10.0;
/// Seconds a poll holds its connection at normal speed (recorded: 22.2 s in 8,382 uses).
const HOLD: f64 = 0.002_65;
/// Seconds a loop sleeps between two polls, on average.
const SLEEP: f64 = 0.075;

/// Connections that are busy on average, and threads that wait for one, when queries take `slowdown` times as long.
pub(super) fn pool_use(role: Role, running: usize, slowdown: f64) -> (f64, f64) {
    let hold = HOLD * slowdown;
    let wanted = (loops(role) + 0.5 * running as f64) * hold / (hold + SLEEP);
    let active = wanted.min(POOL);
    (active, (wanted - active).max(0.0))
}

/// How busily idle loops poll when queries take `slowdown` times as long; 1 at normal speed.
pub(super) fn poll_rate(slowdown: f64) -> f64 {
    (HOLD + SLEEP) / (HOLD * slowdown + SLEEP)
}

impl Simulation {
    /// The database went away: each process that uses it will die.
    pub(super) fn lose_database(&mut self, how: Loss) {
        for member in 0..self.members.len() {
            if self.without_database(member) {
                continue;
            }
            let it = &mut self.members[member];
            match it.phase {
                Phase::Up | Phase::Stopping => {
                    let mut draws = self.seed.numbered(it.key ^ name_key("database lost"), u64::from(it.life));
                    let lingers = it.profile.has(Quirk::LingersWithoutDatabase);
                    let lives = if lingers {
                        Some(ports_without(how, it.plan.role, &mut draws))
                    } else if it.profile.has(Quirk::OutlivesStall) {
                        life_of_survivor(how, it.plan.role, &mut draws)
                    } else {
                        Some(life_without(how, it.plan.role, it.running.len(), &mut draws))
                    };
                    it.log_warn += 10;
                    it.log_error += 1;
                    if let Some(lives) = lives {
                        // What waits for the pool to give up is saved by a database that comes back.
                        it.doomed |= how != Loss::Stalled && !(lingers && lives > Duration::seconds(10));
                        let (life, generation) = (it.life, it.loss_generation);
                        self.events.push(self.now + lives, Event::GivesUp { member: member as u32, life, generation });
                    }
                }
                Phase::Booting => {
                    let exit = Event::Exit { member: member as u32, life: it.life, cause: ExitCause::NoDatabase };
                    self.events.push(self.now + Duration::seconds(2), exit);
                }
                Phase::Dead => {}
            }
            self.pace(member);
        }
    }

    /// The database is back: a process that outlived a stall may have missed too much of it.
    pub(super) fn outlived(&mut self, member: usize, lost: Duration) {
        let it = &mut self.members[member];
        if !it.profile.has(Quirk::OutlivesStall) {
            return;
        }
        it.pool_timeouts += timeouts(lost);
        if let Some(lives) = life_after_stall(it.plan.role, lost) {
            let (life, generation) = (it.life, it.loss_generation);
            self.events.push(self.now + lives, Event::GivesUp { member: member as u32, life, generation });
        }
    }

    /// A process without its database gives up: it exits, or in some versions lingers with closed ports.
    pub(super) fn give_up(&mut self, member: usize) {
        if self.without_database(member) {
            return self.exit(member, ExitCause::NoController);
        }
        if !self.members[member].profile.has(Quirk::LingersWithoutDatabase) {
            return self.exit(member, ExitCause::DatabaseLost);
        }
        let lost = match self.database {
            Database::Lost { since, .. } => self.now.since(since),
            Database::Reachable(_) => Duration::ZERO,
        };
        self.note(format!("{} closes its ports: it lost its database", self.members[member].plan.name));
        let it = &mut self.members[member];
        (it.phase, it.port, it.doomed) = (Phase::Stopping, Port::Closing, true);
        let (role, life) = (it.plan.role, it.life);
        self.stall_jobs(member);
        self.service_silent(member);
        self.pace(member);
        if let Some(more) = lingers(role, lost) {
            let exit = Event::Exit { member: member as u32, life, cause: ExitCause::DatabaseLost };
            self.events.push(self.now + more, exit);
        }
    }
}
