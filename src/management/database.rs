//! What an answer that needs a database connection gets to see of it.

use super::{Context, Outcome};
use crate::profile::Probe;
use crate::scenario::DatabaseKind;
use crate::simulator::DatabaseView;
use crate::time::Duration;

/// Hikari's `connectionTimeout`, Kestra leaves the default.
const POOL_TIMEOUT: Duration = Duration::seconds(30);
/// How long the pool still hands out the connections that were cut, each found invalid at once (db_down/refused/executor).
const INVALID_FOR: Duration = Duration::milliseconds(500);
/// A validity check over a healthy network.
const CHECK: Duration = Duration::milliseconds(1);

/// Names of a kind of database.
#[derive(Debug)]
pub(super) struct Database {
    /// Name of the data source in Kestra's configuration.
    pub datasource: &'static str,
    /// URL as its driver reports it.
    pub url: &'static str,
    /// Host, port and path cut from the configured URL: the key of `/health` while it is DOWN.
    pub address: &'static str,
    /// Product name.
    pub product: &'static str,
    /// Product version.
    pub version: &'static str,
}

/// PostgreSQL as recorded; the others from facts/management-port.md, H2's version as recorded from `server local`.
pub(super) static POSTGRESQL: Database = Database {
    datasource: "postgres",
    url: "jdbc:postgresql://postgres:5432/kestra",
    address: "postgres:5432/kestra",
    product: "PostgreSQL",
    version: "15.18 (Debian 15.18-0+deb12u1)",
};
static MYSQL: Database = Database {
    datasource: "mysql",
    url: "jdbc:mysql://mysql:3306/kestra",
    address: "mysql:3306/kestra",
    product: "MySQL",
    version: "8.0.33",
};
static H2: Database = Database {
    datasource: "h2",
    url: "jdbc:h2:mem:public",
    address: "null:-1null",
    product: "H2",
    version: "2.4.240 (2025-09-22)",
};

impl Database {
    /// The database of the cluster.
    pub fn of(context: &Context<'_>) -> &'static Database {
        match context.simulation.plan().cluster.database {
            DatabaseKind::Postgresql => &POSTGRESQL,
            DatabaseKind::Mysql => &MYSQL,
            DatabaseKind::H2 => &H2,
        }
    }
}

/// Takes a connection from the pool and checks it, for a request that arrived some time ago: `Ok` carries the error text
/// of a failed check; `Err` says until when the request has to wait.
pub(super) fn check(context: &Context<'_>) -> Result<Option<String>, Outcome> {
    let (now, arrived) = (context.simulation.now(), context.request.arrived);
    let (since, refused) = match context.simulation.database(context.index) {
        DatabaseView::Reachable { slowdown } => {
            let ready = arrived + CHECK.times(slowdown.max(1.0));
            return if slowdown > 1.0 && now < ready { Err(Outcome::Wait(ready)) } else { Ok(None) };
        }
        DatabaseView::Refused { since } => (since, true),
        DatabaseView::Stalled { since } => (since, false),
    };
    if refused && arrived.since(since) < INVALID_FOR {
        return Ok(Some("java.sql.SQLException: Connection was not valid".to_owned()));
    }
    // The pool wakes up some milliseconds late, seen 35 and 71; spread by the instant of the request.
    let late = 1 + arrived.as_nanoseconds().unsigned_abs() / 1_000_000 * 31 % 90;
    let waited = POOL_TIMEOUT + Duration::milliseconds(late);
    let deadline = arrived.max(since) + waited;
    if now < deadline {
        return Err(Outcome::Wait(deadline));
    }
    let look = context.simulation.look(context.index);
    let [total, active, idle, pending] =
        [Probe::PoolTotal, Probe::PoolActive, Probe::PoolIdle, Probe::PoolPending].map(|probe| look.get(probe) as u64);
    Ok(Some(format!(
        "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after \
         {}ms (total={total}, active={active}, idle={idle}, waiting={})",
        waited.as_milliseconds(),
        // This request has just given up.
        pending.saturating_sub(1)
    )))
}
