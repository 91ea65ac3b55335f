//! What wears a database out from within: connections that nobody gives back, and rows that nobody cleans. Both end where a
//! fault of the database would begin: what it is, is folded here from all of them.

use super::Simulation;
use super::database::POOL;
use super::event::Event;
use super::queue::QueueKind;
use crate::scenario::{DatabaseFault, DatabaseKind};
use crate::time::{Duration, Instant};

/// How often the table of queues is looked at: as often as its cleaner comes by.
const LOOKS: Duration = Duration::minutes(60);
/// Rows for which a query takes once more its usual time. Reported are 2 ms that became 200 with some millions.
const ROWS: f64 = 50_000.0;
/// With fewer rows that wait nobody feels them: a tenth of that.
const FELT: u64 = 5_000;

/// What there is of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wear {
    /// Tells the reckoning to come from earlier ones.
    reckoning: u32,
    /// Messages that had been sent when nobody cleaned any more.
    sent: Option<u64>,
}

/// Connections a database has for all.
const fn slots(kind: DatabaseKind) -> Option<f64> {
    match kind {
        // `max_connections` is 100, three of it are reserved for the superuser.
        DatabaseKind::Postgresql => Some(97.0),
        DatabaseKind::Mysql => Some(151.0),
        // It is in the process.
        DatabaseKind::H2 | DatabaseKind::H2File => None,
    }
}

impl Simulation {
    /// What faults, connections and rows make of the database now, and when to look again.
    pub(super) fn wears(&mut self) {
        let (full, fills) = self.slots_left();
        let (times, looks) = self.rows_left();
        let database = match self.faults.last_of_database() {
            None if full => Some(DatabaseFault::Stalled),
            Some(DatabaseFault::Slow(_)) if full => Some(DatabaseFault::Stalled),
            Some(DatabaseFault::Slow(slow)) => Some(DatabaseFault::Slow(slow * times)),
            None if times > 1.0 => Some(DatabaseFault::Slow(times)),
            fault => fault,
        };
        if let Some(at) = fills.into_iter().chain(looks).min() {
            self.look_again(at);
        }
        if self.faults.turns_database(database) {
            self.set_database(database);
        }
    }

    fn look_again(&mut self, at: Instant) {
        self.faults.wear.reckoning += 1;
        self.cx.events.push(at, Event::Wears { reckoning: self.faults.wear.reckoning });
    }

    /// It is time to look, unless another look came between.
    pub(super) fn wears_on(&mut self, reckoning: u32) {
        if reckoning == self.faults.wear.reckoning {
            self.wears();
        }
    }

    /// Whether all slots of the database are taken, and when they will be.
    fn slots_left(&self) -> (bool, Option<Instant>) {
        let Some(slots) = slots(self.cx.plan.cluster.database) else { return (false, None) };
        let (mut kept, mut rate, mut pools) = (0.0, 0.0, 0.0);
        for it in &self.cluster.members {
            let Some(process) = it.process().filter(|_| it.came_up() && it.has_database()) else { continue };
            kept += process.kept_connections.at(self.cx.now);
            rate += process.kept_connections.rate();
            pools += POOL;
        }
        // Who runs more processes than that has given the database more slots.
        let left = slots.max(pools + POOL) - pools - kept;
        // Where nothing is kept the pools of many processes are none of this.
        if kept == 0.0 && rate == 0.0 {
            return (false, None);
        }
        // What time rounds away is no connection.
        if left < 1e-6 {
            return (true, None);
        }
        (false, (rate > 0.0).then(|| self.cx.now + Duration::from_seconds_f64(left / rate)))
    }

    /// How many times as long a query takes for the rows that are left, and when to look again.
    fn rows_left(&mut self) -> (f64, Option<Instant>) {
        let left = self.faults.rows();
        let rows = match left {
            None => {
                self.faults.wear.sent = None;
                0
            }
            Some(left) => {
                let sent: u64 = self.cluster.queues.iter().map(|queue| queue.sent).sum();
                let since = *self.faults.wear.sent.get_or_insert(sent);
                left + sent.saturating_sub(since)
            }
        };
        // The cleaner takes what was read, and nothing else.
        let unread = self.cluster.queues[QueueKind::MultipleConditionEvent as usize].unread();
        let felt = if unread >= FELT && !self.cx.plan.cluster.kafka { unread } else { 0 };
        let looks = left.is_some() || unread > 0 || self.executor.sends_events();
        (1.0 + (rows + felt) as f64 / ROWS, looks.then_some(self.cx.now + LOOKS))
    }

    /// A process keeps connections as fast as its place says, from now on.
    pub(super) fn keeps_connections(&mut self, member: usize) {
        let it = &mut self.cluster.members[member];
        let rate = it.lasting.levels.connection_leak;
        let Some(process) = it.process.as_mut().filter(|process| process.came_up()) else { return };
        if rate != process.kept_connections.rate() {
            process.kept_connections.change(self.cx.now, rate);
            self.look_again(self.cx.now);
        }
    }

    /// A process that kept so many connections is gone.
    pub(super) fn frees_connections(&mut self, kept: f64) {
        if kept > 0.0 {
            self.look_again(self.cx.now);
        }
    }
}
