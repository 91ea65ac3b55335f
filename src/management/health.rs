//! `/health`: the indicators of a process in the recorded order, and 503 when one is DOWN.

use serde_json::{Map, Value, json};

use super::database::{self, Database};
use super::error::{Error, Kind};
use super::reply::Reply;
use super::{Context, Handled, threads};
use crate::profile::{Answers, Indicator};
use crate::scenario::HealthSettings;

/// Which indicators are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selection {
    All,
    Liveness,
    Readiness,
}

impl Selection {
    /// What is asked, in order: what the version ships, and what is switched on and off.
    fn indicators(self, answers: &Answers, settings: &HealthSettings) -> Vec<Indicator> {
        let shipped = match self {
            Selection::All => &answers.health,
            Selection::Liveness => return answers.liveness.clone(),
            Selection::Readiness => &answers.readiness,
        };
        let order = [
            (Indicator::Discovery, settings.discovery),
            (Indicator::Service, None),
            (Indicator::Disk, settings.disk),
            (Indicator::Deadlock, None),
            (Indicator::Shutdown, None),
            (Indicator::Database, settings.jdbc),
        ];
        let asked = |(indicator, switch): &(Indicator, Option<bool>)| switch.unwrap_or(shipped.contains(indicator));
        order.into_iter().filter(asked).map(|(indicator, _)| indicator).collect()
    }
}

/// What the indicators of a process see.
#[derive(Debug)]
struct View {
    database: &'static Database,
    database_version: &'static str,
    /// Why the database is DOWN, and its key then.
    database_error: Option<(String, String)>,
    /// The names of the threads that wait for each other begin with this.
    deadlocked: Option<&'static str>,
    disk: Disk,
}

/// What the disk indicator sees, in bytes.
#[derive(Clone, Copy, Debug)]
struct Disk {
    total: u64,
    free: u64,
    threshold: u64,
}

/// The disk of the recorded machine; a full one has less left than Micronaut's threshold.
const DISK: Disk = Disk { total: 270_553_174_016, free: 84_296_495_104, threshold: 10_485_760 };
const FREE_WHEN_FULL: u64 = 4_194_304;

/// `GET /health`.
pub(super) fn all(context: &Context<'_>) -> Handled {
    reply(context, Selection::All)
}

/// `GET /health/{selector}`.
pub(super) fn selected(context: &Context<'_>) -> Handled {
    match context.variable.to_ascii_uppercase().as_str() {
        "LIVENESS" => reply(context, Selection::Liveness),
        "READINESS" => reply(context, Selection::Readiness),
        _ => {
            let detail = format!(
                "Failed to convert argument [selector] for value [{0}] due to: \
                 No enum constant io.micronaut.management.health.indicator.HealthCheckType.{0}",
                context.variable
            );
            Err(Error::new(Kind::Value, &detail, context.target.href).into())
        }
    }
}

fn reply(context: &Context<'_>, selection: Selection) -> Handled {
    if selection != Selection::Liveness && beans_gone(context) {
        let detail = "No bean of type [io.micronaut.runtime.graceful.GracefulShutdownManager] exists. ";
        return Err(Error::internal(detail, context.target.href).into());
    }
    let settings = &context.simulation.plan().settings;
    let mut indicators = selection.indicators(context.answers, &settings.health);
    indicators.retain(|indicator| context.member.has_database() || *indicator != Indicator::Database);
    let asks = indicators.contains(&Indicator::Database);
    let database_error = if asks { database::check(context)? } else { None };
    let free = if context.member.disk_full() { FREE_WHEN_FULL } else { DISK.free };
    let threshold = settings.health.disk_threshold.unwrap_or(DISK.threshold);
    let disk = Disk { free, threshold, ..DISK };
    let database = Database::of(context);
    let view = View {
        database,
        database_version: database.version.unwrap_or(&context.answers.h2),
        database_error: database_error.map(|error| (database.down_key(context), error)),
        deadlocked: context.member.deadlocked().then_some(context.answers.queue_thread.as_str()),
        disk,
    };
    let (up, mut body) = render(&view, &indicators);
    let word = body["status"].as_str().unwrap_or_default().to_owned();
    if settings.health.bare {
        body = json!({ "status": word });
    }
    let code = settings.health.mapping.get(&word).copied().unwrap_or(if up { 200 } else { 503 });
    Ok(status(Reply::json(body.to_string()), code, &context.request.method, context.target.path))
}

/// The status filter: it knows the three literal paths only, and looks at the body, which HEAD does not have.
fn status(reply: Reply, code: u16, method: &str, path: &str) -> Reply {
    let literal = matches!(path, "/health" | "/health/liveness" | "/health/readiness");
    match (literal && method == "GET", code) {
        (false, _) => reply,
        (true, 200) => reply.with_status(200, "Ok"),
        (true, code) => reply.with_status(code, reason(code)),
    }
}

/// Reason phrases as Micronaut has them.
fn reason(code: u16) -> &'static str {
    match code {
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        418 => "I am a teapot",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "CUSTOM",
    }
}

/// Whether an idle process has lost its beans after `/stop` (standalone/stop).
fn beans_gone(context: &Context<'_>) -> bool {
    let shutdown = context.process.shutdown().filter(|shutdown| shutdown.by_endpoint);
    let idle = context.member.running() == 0 && context.member.pending() == 0;
    let gone = |since, after| context.simulation.now().since(since) >= after;
    idle && shutdown.zip(context.answers.beans_gone).is_some_and(|(shutdown, after)| gone(shutdown.since, after))
}

/// Whether all indicators are UP, and the body. Without any it is UNKNOWN, which is well.
fn render(view: &View, indicators: &[Indicator]) -> (bool, Value) {
    let (mut up, mut details) = (true, Map::new());
    for indicator in indicators {
        let (name, indicator_up, indicator_details) = one(view, *indicator);
        up &= indicator_up;
        details.insert(name.to_owned(), node(indicator_up, indicator_details));
    }
    let mut whole = node(up, Some(Value::Object(details)));
    if indicators.is_empty() {
        whole["status"] = "UNKNOWN".into();
    }
    (up, whole)
}

fn one(view: &View, indicator: Indicator) -> (&'static str, bool, Option<Value>) {
    match indicator {
        Indicator::Discovery => ("compositeDiscoveryClient()", true, Some(json!({ "services": {} }))),
        Indicator::Service => ("service", true, None),
        Indicator::Disk => {
            let Disk { total, free, threshold } = view.disk;
            let up = free >= threshold;
            let error =
                format!("Free disk space below threshold. Available: {free} bytes (threshold: {threshold} bytes)");
            let details = json!({ "total": total, "free": free, "threshold": threshold });
            ("diskSpace", up, Some(if up { details } else { json!({ "error": error }) }))
        }
        Indicator::Deadlock => ("deadlockedThreads", view.deadlocked.is_none(), view.deadlocked.map(threads::deadlock)),
        Indicator::Shutdown => ("gracefulShutdown", true, Some(json!({ "activeTasks": 0 }))),
        Indicator::Database => {
            let database = Map::from_iter([match &view.database_error {
                None => {
                    let details = json!({ "database": view.database.product, "version": view.database_version });
                    (view.database.url.to_owned(), node(true, Some(details)))
                }
                Some((key, error)) => (key.clone(), node(false, Some(json!({ "error": error })))),
            }]);
            ("jdbc", view.database_error.is_none(), Some(Value::Object(database)))
        }
    }
}

/// A result; the name is the application's at every level.
fn node(up: bool, details: Option<Value>) -> Value {
    let mut node = json!({ "name": "kestra", "status": if up { "UP" } else { "DOWN" } });
    if let (Some(details), Some(node)) = (details, node.as_object_mut()) {
        node.insert("details".to_owned(), details);
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::database::POSTGRESQL;

    fn recorded(path: &str) -> String {
        let path = format!("{}/tests/captures/1.3/{path}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn answers() -> &'static Answers {
        crate::profile::Profile::named("1.3").unwrap().answers()
    }

    fn view() -> View {
        let database_version = POSTGRESQL.version.unwrap();
        View { database: &POSTGRESQL, database_version, database_error: None, deadlocked: None, disk: DISK }
    }

    #[test]
    fn a_database_that_is_down_shows_as_recorded() {
        for (error, path) in [
            ("java.sql.SQLException: Connection was not valid", "db_down/executor_readiness_refused.http"),
            (
                "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed \
                 out after 30035ms (total=0, active=0, idle=0, waiting=3)",
                "db_down/indexer_readiness_after_30s.http",
            ),
        ] {
            let view = View { database_error: Some((POSTGRESQL.address.to_owned(), error.to_owned())), ..view() };
            let (up, body) = render(&view, &answers().readiness);
            assert_eq!((up, body.to_string()), (false, recorded(path)));
        }
    }

    #[test]
    fn a_full_disk_shows_as_recorded_where_the_indicator_is_switched_on() {
        use Indicator::{Database, Deadlock, Discovery, Service, Shutdown};
        let disk = |free| Disk { total: 0, free, threshold: 966_367_641_600_000 };
        let (all, ready) = (
            [Discovery, Service, Indicator::Disk, Deadlock, Shutdown, Database],
            [Discovery, Service, Indicator::Disk, Shutdown, Database],
        );
        for (free, indicators, path) in [
            (84_113_100_800, &all[..], "config/health_DOWN_by_disk/GET_health.http"),
            (84_112_957_440, &ready[..], "config/health_DOWN_by_disk/GET_health_readiness.http"),
        ] {
            let (up, body) = render(&View { disk: disk(free), ..view() }, indicators);
            assert_eq!((up, body.to_string()), (false, recorded(path)));
        }
    }

    #[test]
    fn a_deadlock_takes_health_and_liveness_down_but_not_readiness() {
        let view = View { deadlocked: Some("jdbc-queue-Execution"), ..view() };
        let up = [Selection::All, Selection::Liveness, Selection::Readiness]
            .map(|it| render(&view, &it.indicators(answers(), &HealthSettings::default())).0);
        assert_eq!(up, [false, false, true]);
    }

    #[test]
    fn only_get_on_the_literal_paths_shows_the_status() {
        let shown = |up, method, path| {
            let reply = status(Reply::json(""), if up { 200 } else { 503 }, method, path);
            (reply.status, reply.reason)
        };
        assert_eq!(shown(true, "GET", "/health"), (200, "Ok".to_owned()));
        assert_eq!(shown(false, "GET", "/health/readiness"), (503, "Service Unavailable".to_owned()));
        assert_eq!(shown(false, "GET", "/health/"), (200, "OK".to_owned()));
        assert_eq!(shown(false, "HEAD", "/health"), (200, "OK".to_owned()));
    }
}
