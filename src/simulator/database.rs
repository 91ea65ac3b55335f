//! The database and what its loss does to a process.
//!
//! Recorded from 1.3.19: a process that loses its database does not report DOWN for long, it dies. How soon depends on the
//! role and on how the database went away. Nothing recovers without a new process.

use super::DatabaseView;
use crate::profile::Role;
use crate::random::Stream;
use crate::scenario::DatabaseFault;
use crate::time::{Duration, Instant};

/// How the database answers, and since when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Database {
    /// Every query takes this many times as long as normal.
    Reachable(f64),
    /// Gone.
    Lost(Outage),
}

/// A time without the database. It has one beginning, whatever its manner becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outage {
    /// When it began.
    pub(super) began: Instant,
    /// How the database is gone now.
    pub(super) how: Loss,
    /// Since when in this manner.
    pub(super) since: Instant,
}

impl Default for Database {
    fn default() -> Database {
        Database::Reachable(1.0)
    }
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
    /// What the last fault in force makes of it.
    pub(super) fn under(self, fault: Option<DatabaseFault>, now: Instant) -> Database {
        let how = match fault {
            None => return Database::Reachable(1.0),
            Some(DatabaseFault::Slow(times)) => return Database::Reachable(times),
            Some(DatabaseFault::Refused) => Loss::Refused,
            Some(DatabaseFault::Stalled) => Loss::Stalled,
            Some(DatabaseFault::ShutDown) => Loss::ShutDown,
        };
        Database::Lost(match self {
            Database::Lost(outage) if outage.how == how => outage,
            Database::Lost(Outage { began, .. }) => Outage { began, how, since: now },
            Database::Reachable(_) => Outage { began: now, how, since: now },
        })
    }

    /// How many times as long as normal a query takes, if there is an answer at all.
    pub(super) fn slowdown(self) -> Option<f64> {
        match self {
            Database::Reachable(times) => Some(times),
            Database::Lost(_) => None,
        }
    }

    /// How long it has been gone; zero when it is there.
    pub(super) fn away(self, now: Instant) -> Duration {
        match self {
            Database::Reachable(_) => Duration::ZERO,
            Database::Lost(outage) => now.since(outage.began),
        }
    }

    /// As a member sees it.
    pub(super) fn view(self) -> DatabaseView {
        match self {
            Database::Reachable(slowdown) => DatabaseView::Reachable { slowdown },
            Database::Lost(Outage { how: Loss::Stalled, since, .. }) => DatabaseView::Stalled { since },
            Database::Lost(Outage { since, .. }) => DatabaseView::Refused { since },
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
    if waited < 0.0 { 0.0 } else { f64::floor(waited / 7.0) + 1.0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Instant {
        Instant::START + Duration::seconds(n)
    }

    #[test]
    fn an_outage_has_one_beginning_whatever_its_manner() {
        let there = Database::default();
        let refused = there.under(Some(DatabaseFault::Refused), second(10));
        let stalled = refused.under(Some(DatabaseFault::Stalled), second(70));
        assert_eq!(stalled.away(second(100)), Duration::seconds(90));
        assert_eq!(stalled.view(), DatabaseView::Stalled { since: second(70) });
        assert_eq!(stalled.under(Some(DatabaseFault::Stalled), second(80)), stalled);
        assert_eq!(stalled.under(None, second(80)), there);
    }

    #[test]
    fn requests_for_a_connection_time_out_one_after_another() {
        for (seconds, expected) in [(0, 0.0), (29, 0.0), (31, 1.0), (68, 6.0)] {
            assert_eq!(timeouts(Duration::seconds(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn a_slower_database_keeps_more_connections_busy_and_lets_threads_wait() {
        let (calm, _) = pool_use(Role::Executor, 0, 1.0);
        let (busy, waiting) = pool_use(Role::Executor, 0, 200.0);
        assert!(calm < 1.0 && busy == POOL && waiting > 0.0, "{calm} {busy} {waiting}");
        assert!(!is_slow(1.0) && is_slow(10.0) && poll_rate(1.0) == 1.0 && poll_rate(10.0) < 1.0);
    }

    #[test]
    fn what_outlives_a_stall_dies_of_it_afterwards_when_it_lasted_longer_than_the_role_bears() {
        use Role::{Controller, Executor, Indexer, Scheduler, Standalone, Webserver, Worker};
        for (roles, bears) in [
            ([Executor, Standalone].as_slice(), Some(30)),
            (&[Webserver, Indexer, Controller], Some(60)),
            (&[Scheduler, Worker], None),
        ] {
            for role in roles {
                let dies = |seconds| life_after_stall(*role, Duration::seconds(seconds)).is_some();
                assert!(bears.is_none_or(|bears| !dies(bears) && dies(bears + 1)), "{role:?}");
                assert_eq!(dies(9_999), bears.is_some(), "{role:?}");
            }
        }
    }
}
