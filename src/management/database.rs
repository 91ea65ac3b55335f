//! What an answer that needs a database connection gets to see of it.

use super::{Context, Outcome, Request, fixed};
use crate::profile::{H2Down, Probe};
use crate::scenario::DatabaseKind;
use crate::simulator::{DatabaseView, Simulation};
use crate::time::Duration;

/// Hikari's `connectionTimeout`, Kestra leaves the default.
const POOL_TIMEOUT: Duration = Duration::seconds(30);
/// How long the pool still hands out the connections that were cut, each found invalid at once (db_down/refused/executor).
const INVALID_FOR: Duration = Duration::milliseconds(500);
/// A request that waits for a setting is given up after this (db_down/standalone_refused_95s).
const GIVEN_UP: Duration = Duration::milliseconds(29_600);
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
    /// Whether its driver gives up on a server that says nothing.
    pub gives_up: bool,
    /// Product name.
    pub product: &'static str,
    /// Product version; H2 comes with Kestra, which knows it.
    pub version: Option<&'static str>,
}

/// PostgreSQL and H2 as recorded; MySQL from facts/management-port.md.
pub(super) static POSTGRESQL: Database = Database {
    datasource: "postgres",
    url: "jdbc:postgresql://postgres:5432/kestra",
    address: "postgres:5432/kestra",
    gives_up: true,
    product: "PostgreSQL",
    version: Some("15.18 (Debian 15.18-0+deb12u1)"),
};
static MYSQL: Database = Database {
    datasource: "mysql",
    url: "jdbc:mysql://mysql:3306/kestra",
    address: "mysql:3306/kestra",
    gives_up: true,
    product: "MySQL",
    version: Some("8.0.33"),
};
/// Its driver waits for ever (2.0, dbdown/stall: no answer in 45 s).
static H2: Database = Database {
    datasource: "h2",
    url: "jdbc:h2:mem:public",
    address: "null:-1null",
    gives_up: false,
    product: "H2",
    version: None,
};
/// That of `kestra server local` (1.3 config/server_local_h2, 0.20.7 local_h2).
static H2_FILE: Database = Database { url: "jdbc:h2:file:/app/data/database", ..H2 };

impl Database {
    /// The database of the cluster.
    pub fn of(context: &Context<'_>) -> &'static Database {
        match context.simulation.plan().cluster.database {
            DatabaseKind::Postgresql => &POSTGRESQL,
            DatabaseKind::Mysql => &MYSQL,
            DatabaseKind::H2 => &H2,
            DatabaseKind::H2File => &H2_FILE,
        }
    }
    /// Its key in `/health` while it is DOWN: a data source whose URL cannot be read stands there itself, the same object as
    /// long as the process lives (2.0, dbdown/refused).
    pub fn down_key(&self, context: &Context<'_>) -> String {
        if self.datasource != H2.datasource || context.answers.h2_down == H2Down::Url {
            return self.address.to_owned();
        }
        let life = (context.index as u64) << 32 | u64::from(context.member.life());
        format!("io.micronaut.configuration.jdbc.hikari.HikariUrlDataSource@{:x}", fixed::identity_hash(life + 1))
    }
}

/// Versions that read a setting from the database before every request to a process with a webserver: `Ok` lets the request
/// go on or carries the text of an error; `Err` lets it wait, and in the end closes the connection without an answer
/// (0.20.7, db_down/standalone_*).
pub(super) fn read_settings(
    request: &Request,
    simulation: &Simulation,
    member: usize,
) -> Result<Option<&'static str>, Outcome> {
    let (now, arrived) = (simulation.now(), request.arrived);
    let (since, refused) = match simulation.database(member) {
        DatabaseView::Reachable { .. } => return Ok(None),
        DatabaseView::Refused { since } => (since, true),
        DatabaseView::Stalled { since } => (since, false),
    };
    if refused && arrived.since(since) < INVALID_FOR {
        let text = "SQL [select \"value\" from settings where \"key\" = ?]; An I/O error occurred while sending to the backend.";
        return Ok(Some(text));
    }
    let deadline = arrived.max(since) + GIVEN_UP;
    if now < deadline { Err(Outcome::Wait(deadline)) } else { Err(Outcome::Reset) }
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
        DatabaseView::Stalled { .. } if !Database::of(context).gives_up => return Err(Outcome::Hang),
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
