//! Kestra's templates against the table recorded from the real renderer, and what holds for any text.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use mock_kestra::pebble::{
    Dialect, ErrorLog, Host, Kind, Kv, Secrets, Side, Template, Value, Variables, limits, truthy,
};
use proptest::prelude::*;

/// The key of the recorded rows.
macro_rules! key {
    () => {
        "I6EGNzRESu3X3pKZidrqCGOHQFUFC0yK"
    };
}

const TABLE: &str = include_str!("captures/core/templates.tsv");

/// Rows in which we differ: version, side, template, why. An empty version is all of them.
const DIFFERENT: &[(&str, &str, &str, &str)] = &[
    ("", "", "{{ yaml('a: 1').a }}", "`yaml` is not implemented: refused by name"),
    ("", "", "{{ fromIon('{a:1}').a }}", "`fromIon` is not implemented: refused by name"),
    ("", "", "{{ http() }}", "`http` is not implemented: refused by name"),
    (
        "",
        "",
        concat!("{{ encrypt('", key!(), "','x') | length > 10 }}"),
        "`encrypt` is not implemented: refused by name",
    ),
    (
        "",
        "",
        concat!("{{ decrypt('", key!(), "', encrypt('", key!(), "','x')) }}"),
        "`decrypt` is not implemented: refused by name",
    ),
    ("2.0", "worker", "{{ id() | length }}", "drawn: one id in sixty is a letter shorter in the real engine"),
    ("", "", MAP, "entries that collide are ordered by a draw of the real engine; here as they are written"),
    ("0.20", "executor", "{{ labels.system.correlationId }}", "an object of the real engine shows through its labels"),
    ("0.20", "", "{{ 1767600000000 | date }}", "a year of five digits: refused, as all behind 9999"),
    ("2.0", "", "{{ render(vars.tplLoop) }}", "the record keeps four of the thirty links of the chain"),
];

const MAP: &str =
    "{{ {'text': inputs.name, 'n': inputs.count, 'r': inputs.ratio, 'f': inputs.flag, 'z': null} | toJson }}";

/// Share of the rows that must be equal.
const EQUAL_SHARE: f64 = 0.98;

struct Row {
    version: &'static str,
    side: Side,
    template: String,
    ok: bool,
    text: String,
}

fn unescaped(cell: &str) -> String {
    let mut text = String::new();
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            c => text.push(c),
        }
    }
    text
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for line in TABLE.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [version, template, worker_kind, worker, executor_kind, executor] = cells[..] else { panic!("{line}") };
        let version = match version {
            "0.20.7" => "0.20",
            "1.3.19" => "1.3",
            "2.0.0" => "2.0",
            other => panic!("{other}"),
        };
        let mut row = |side, kind: &str, text: &str| {
            let (template, text) = (unescaped(template), unescaped(text));
            rows.push(Row { version, side, template, ok: kind == "ok", text });
        };
        row(Side::Worker, worker_kind, worker);
        if executor_kind == "same" {
            row(Side::Executor, worker_kind, worker);
        } else {
            row(Side::Executor, executor_kind, executor);
        }
    }
    rows
}

/// The variables as the executor holds them: with what does not reach a worker.
fn variables(version: &str) -> Variables {
    let text = match version {
        "0.20" => include_str!("captures/core/templates.context.0.20.7.json"),
        "1.3" => include_str!("captures/core/templates.context.1.3.19.json"),
        _ => include_str!("captures/core/templates.context.2.0.0.json"),
    };
    let mut variables: Variables = serde_json::from_str(text).expect("JSON");
    variables["outputs"]["extract"]["nul"] = serde_json::Value::Null;
    variables["execution"]["startDate"] = "2026-01-05T08:00:00.123456Z".into();
    variables
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    let entries: IndexMap<String, Value> = entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Value::map("java.util.LinkedHashMap", entries).expect("small")
}

/// The variable `v` of the recorded rows, which was given to the renderer as Java objects.
fn typed(version: &str) -> Vec<(String, Value)> {
    let text = |text: &str| Value::text(text).expect("short");
    let list = |items| Value::list(items).expect("short");
    let state = || Value::Enum("io.kestra.core.models.flows.State$Type", "FAILED".into());
    let instant = |text: &str| Value::Instant(text.parse().expect("an instant"));
    let zoned: jiff::Zoned = "2026-01-04T11:30:00.12+01:00[Europe/Paris]".parse().expect("a date with a zone");
    let date = || Value::Date("2026-01-04".parse().expect("a date"));
    let typed_list = vec![
        Value::Int(1),
        Value::Double(2.5),
        Value::Null,
        Value::Bool(true),
        instant("2026-01-04T10:30:00Z"),
        Value::Duration(jiff::SignedDuration::from_secs(300)),
    ];
    // The order of this map was drawn anew by each version.
    let typed_map = match version {
        "2.0" => vec![("z", date()), ("n", Value::Double(1.0)), ("e", state())],
        _ => vec![("z", date()), ("e", state()), ("n", Value::Double(1.0))],
    };
    let v = map(vec![
        ("int", Value::Int(7)),
        ("long", Value::Long(7)),
        ("double", Value::Double(7.25)),
        ("float", Value::Float(1.1)),
        ("big", Value::Decimal(Arc::new("12345678901234567890.10".parse().expect("a number")))),
        ("bool", Value::Bool(true)),
        ("nul", Value::Null),
        ("instant", instant("2026-01-04T10:30:00.120Z")),
        ("zoned", Value::Zoned(Arc::new(zoned))),
        ("localDate", date()),
        ("localDateTime", Value::DateTime("2026-01-04T10:30".parse().expect("a date"))),
        ("localTime", Value::Time("10:30".parse().expect("a time"))),
        ("duration", Value::Duration(jiff::SignedDuration::from_millis(90_061_500))),
        ("uri", Value::Uri("kestra:///a/b.txt".into())),
        ("enum", state()),
        ("bytes", Value::Bytes([1, 2].as_slice().into())),
        ("doubleInt", Value::Double(5.0)),
        ("bigDouble", Value::Double(1e20)),
        ("smallDouble", Value::Double(1e-7)),
        ("set", list(vec![text("a"), text("b")])),
        ("array", Value::array(vec![text("p"), text("q")]).expect("short")),
        ("listOfTyped", list(typed_list)),
        ("mapOfTyped", map(typed_map)),
        ("str", text("s")),
        ("html", text("<b>&\"'")),
        ("unicode", text("é➛😀")),
        ("quote", text("a\"b\\c\n\t/")),
    ]);
    vec![("v".to_owned(), v)]
}

struct World {
    secrets: Secrets,
    kv: Kv,
    logs: Vec<ErrorLog>,
    environment: BTreeMap<String, String>,
}

impl World {
    fn new() -> World {
        let log = |attempt: u32| ErrorLog {
            task_id: "load-data".to_owned(),
            task_run_id: "r2".to_owned(),
            attempt,
            at: format!("2026-01-05T08:05:0{attempt}.500Z").parse().expect("an instant"),
            thread: "t".to_owned(),
            message: format!("boom \"quoted\" {attempt}\nline2"),
        };
        let secrets =
            [("SLACK_WEBHOOK", "http://127.0.0.1:9/hook"), ("JSON_SECRET", "{\"user\":\"u1\",\"pass\":\"p1\"}")];
        let secrets = secrets.map(|(key, value)| (key.to_owned(), value.to_owned()));
        World {
            secrets: Secrets::new(secrets),
            kv: Kv::new(),
            logs: vec![log(0), log(1)],
            environment: BTreeMap::new(),
        }
    }
    fn host(&self, side: Side) -> Host<'_> {
        Host {
            now: "2026-01-05T08:10:00Z".parse().expect("an instant"),
            zone: jiff::tz::TimeZone::UTC,
            side,
            secrets: &self.secrets,
            kv: &self.kv,
            error_logs: &self.logs,
            environment: &self.environment,
            seed: 1,
        }
    }
}

fn dialect(version: &str) -> &'static Dialect {
    Dialect::named(version).expect("a known version")
}

fn rendered(row: &Row, world: &World) -> Result<String, String> {
    let host = world.host(row.side);
    Template::parse(&row.template, dialect(row.version))
        .and_then(|template| template.render_with(&variables(row.version), &typed(row.version), &host))
        .map_err(|error| error.chain())
}

#[test]
fn what_the_real_renderer_was_asked() {
    let world = World::new();
    let (mut equal, mut different, mut unused) = (0, Vec::new(), (0..DIFFERENT.len()).collect::<BTreeSet<_>>());
    let rows = rows();
    for row in &rows {
        let ours = rendered(row, &world);
        let theirs = if row.ok { Ok(row.text.clone()) } else { Err(row.text.clone()) };
        if ours == theirs {
            equal += 1;
            continue;
        }
        let side = if row.side == Side::Worker { "worker" } else { "executor" };
        let known = DIFFERENT.iter().position(|known| {
            (known.0.is_empty() || known.0 == row.version)
                && (known.1.is_empty() || known.1 == side)
                && known.2 == row.template
        });
        match known {
            Some(at) => _ = unused.remove(&at),
            None => different
                .push(format!("{} {side} {}\n  theirs: {theirs:?}\n  ours:   {ours:?}", row.version, row.template)),
        }
    }
    let share = f64::from(equal) / rows.len() as f64;
    println!("{equal} of {} rows are equal", rows.len());
    assert!(different.is_empty(), "{} rows differ without a reason:\n{}", different.len(), different.join("\n"));
    assert!(share >= EQUAL_SHARE, "{share}");
    let unused: Vec<_> = unused.into_iter().map(|at| DIFFERENT[at]).collect();
    assert!(unused.is_empty(), "no longer different: {unused:?}");
}
