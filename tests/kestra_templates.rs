//! Kestra's templates against the table recorded from the real renderer, and what holds for any text.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::table::unescaped;
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

/// What a text renders to with the variables of the table.
fn render(version: &str, text: &str) -> Result<String, mock_kestra::pebble::Error> {
    let world = World::new();
    let host = world.host(Side::Worker);
    Template::parse(text, dialect(version)).and_then(|template| template.render(&variables(version), &host))
}

#[test]
fn what_is_written_in_the_facts() {
    for (text, is) in [
        ("false", false),
        ("0", false),
        ("-0", false),
        ("", false),
        ("  ", false),
        (" false \n", false),
        ("true", true),
        ("False", true),
        ("0.0", true),
        ("null", true),
        ("no", true),
    ] {
        assert_eq!(truthy(text), is, "{text:?}");
    }
}

#[test]
fn an_error_tells_its_line_and_is_the_message_a_task_logs() {
    let error = render("1.3", "a\nb {{ nope.x }}").expect_err("no such variable");
    assert_eq!(error.to_string(), "Unable to find `nope` used in the expression `a\nb {{ nope.x }}` at line 2");
    assert_eq!((error.line(), error.kind()), (Some(2), Kind::Engine));
    let error = Template::parse("{% if true %}", dialect("1.3")).expect_err("no end");
    assert_eq!(error.class(), "io.kestra.core.exceptions.IllegalVariableEvaluationException");
    assert!(error.to_string().contains("looking for the \"endif\" tag"), "{error}");
}

#[test]
fn macros_loops_and_blocks() {
    for (text, expected) in [
        ("{% macro m(a, b='B') %}[{{ a }}{{ b }}]{% endmacro %}{{ m('x') }}{{ m('y', b='z') }}", "[xB][yz]"),
        (
            "{% for a in [1,2] %}{% for b in [3,4] %}{{ a * b }} {% endfor %}{{ loop.revindex }};{% endfor %}",
            "3 4 1;6 8 0;",
        ),
        ("{% block b %}x{% endblock %}{{ block('b') }}", "xx"),
        ("{% set a = 1 %}{% for i in 1..2 %}{% set a = i %}{% endfor %}{{ a }}", "1"),
        ("{{ \"a#{1 + 1}b\" }}", "a2b"),
        ("{% filter upper | lower %}aBc{% endfilter %}", "abc"),
        ("{{ 'x' is not empty and not false }}", "true"),
        ("{{ execution['i' ~ 'd'] | length }}", "22"),
    ] {
        assert_eq!(render("1.3", text).as_deref(), Ok(expected), "{text}");
    }
    let error =
        render("1.3", "{% macro m() %}{{ flow.id }}{% endmacro %}{{ m() }}").expect_err("a macro sees no variables");
    assert!(error.to_string().starts_with("Unable to find `flow`"), "{error}");
}

#[test]
fn what_is_not_simulated_is_named_before_anything_is_rendered() {
    let text = "{{ http(uri='x') ~ (1 | numberFormat('#')) }}{% if encrypt('a','b') %}{% endif %}{{ 'a'.concat('b') }}\
                {{ inputs | jq('def f: f; f') }}{{ inputs | jq('.a | test(\"x\")') }}{{ http(uri='y') }}";
    let template = Template::parse(text, dialect("1.3")).expect("well formed");
    assert_eq!(
        template.unsupported(),
        [
            "function http",
            "filter numberFormat",
            "function encrypt",
            "method .concat()",
            "`def` of jq",
            "the function `test/1` of jq"
        ]
    );
    let error = render("1.3", text).expect_err("not simulated");
    assert_eq!(error.kind(), Kind::Unsupported);
    // What the version itself has not is no matter of ours: the real engine fails too.
    let template = Template::parse("{{ uuid() }}", dialect("0.20")).expect("well formed");
    assert!(template.unsupported().is_empty());
}

/// Asked of jackson-jq 1.6.0: a value, a program, and its outputs as a template prints them; nothing where it fails.
const JQ: &[(&str, &str, Option<&str>)] = &[
    ("2.5", ".", Some("[2.5]")),
    ("2.0", ".", Some("[2.0]")),
    ("2.0", ". + 1", Some("[3]")),
    ("[3, 1.0]", "sort", Some("[[1.0,3]]")),
    ("[1.5, 2.5]", "add", Some("[4]")),
    ("2.5", "floor, round, ceil", Some("[2.0,3.0,3.0]")),
    ("-2.5", "round", Some("[-3.0]")),
    ("7", "floor", Some("[7.0]")),
    ("7", "floor + 1", Some("[8]")),
    ("9223372036854775807", ". + 1", Some("[-9223372036854775808]")),
    ("-9223372036854775807", ". - 2", Some("[9223372036854775807]")),
    ("1", ". + 12345678901234567890", None),
    ("[1]", "if . then 1 end", None),
    ("[1]", "isempty(.[])", None),
    ("\" a \"", "trim", None),
    ("[1]", "add(.[])", None),
    ("-1", "abs", None),
];

#[test]
fn jq_counts_as_the_library_of_kestra_does() {
    for (value, program, expected) in JQ {
        let text = format!("{{{{ '{value}' | jq('{program}') }}}}");
        match (render("1.3", &text), expected) {
            (Ok(got), Some(expected)) => assert_eq!(got, *expected, "{text}"),
            (Err(error), None) => {
                assert!(error.to_string().contains("Unable to parse jq value"), "{text}: {error}");
                assert_ne!(error.kind(), Kind::Unsupported, "{text}");
            }
            (got, _) => panic!("{text}: {got:?}"),
        }
    }
}

#[test]
fn secrets_are_in_no_error_and_in_no_debug_text() {
    let secret = "hunter2-s3cret";
    let secrets = Secrets::new([("TOKEN".to_owned(), secret.to_owned())]);
    let host = Host { secrets: &secrets, ..Host::at(jiff::Timestamp::UNIX_EPOCH) };
    let none = Variables::new();
    for text in [
        "{{ secret('TOKEN') | number }}",
        "{% for i in secret('TOKEN') %}{% endfor %}",
        "{{ secret('TOKEN') | date }}",
        "{{ ([1])[secret('TOKEN')] }}",
        "{{ ({'a': 1})[secret('TOKEN')] }}",
        "{{ render('{{ ' ~ secret('TOKEN') ~ ' }}') }}",
        "{{ secret(secret('TOKEN')) }}",
        "{{ kv(secret('TOKEN')) }}",
        "{{ read(secret('TOKEN')) }}",
        "{{ now(format=secret('TOKEN')) }}",
        "{{ 'a' | date(timeZone=secret('TOKEN')) }}",
        "{{ '{}' | jq(secret('TOKEN')) }}",
        "{{ 'a' | split('(' ~ secret('TOKEN')) }}",
        "{{ fromJson(secret('TOKEN')) }}",
    ] {
        let fails = ["0.20", "1.3", "2.0"].map(|version| {
            let template = Template::parse(text, dialect(version)).expect("well formed");
            let Err(error) = template.render(&none, &host) else { return false };
            for told in [error.to_string(), error.chain(), format!("{error:?}"), format!("{host:?}")] {
                assert!(!told.contains(secret), "{version} {text}: {told}");
            }
            true
        });
        assert!(fails.contains(&true), "{text} fails nowhere");
    }
    let template = Template::parse("{{ secret('token') }}", dialect("1.3")).expect("well formed");
    assert_eq!(template.render(&none, &host).as_deref(), Ok(secret));
}

#[test]
fn what_loops_recurses_or_explodes_stops_at_a_named_limit() {
    let deep =
        |open: &str, close: &str, count: usize| format!("{{{{ {}1{} }}}}", open.repeat(count), close.repeat(count));
    let doubled =
        |times: usize| format!("{{% set x = 'ab' %}}{}{{{{ x | length }}}}", "{% set x = x ~ x %}".repeat(times));
    let texts = [
        deep("(", ")", 100_000),
        deep("[", "]", 100_000),
        deep("-", "", 100_000),
        deep("not ", "", 100_000),
        deep("{'a':", "}", 100_000),
        format!("{{{{ a{} }}}}", ".a".repeat(100_000)),
        format!("{{{{ 1{} }}}}", " ~ 1".repeat(100_000)),
        format!("{{{{ 1{} }}}}", " | upper".repeat(100_000)),
        format!("{{{{ {} }}}}", "a ? b : ".repeat(50_000)),
        format!("{{{{ {}'x'{} }}}}", "\"#{".repeat(50_000), "}\"".repeat(50_000)),
        format!("{}{}", "{% if true %}".repeat(50_000), "{% endif %}".repeat(50_000)),
        format!("{}{}", "{% filter upper %}".repeat(50_000), "{% endfilter %}".repeat(50_000)),
        "x{{ 1 }}".repeat(200_000),
        doubled(60),
        format!("{{% set x = [1] %}}{}{{{{ x }}}}", "{% set x = [x, x] %}".repeat(60)),
        "{% for a in 1..100000 %}{% for b in 1..100000 %}{% endfor %}{% endfor %}".to_owned(),
        "{{ range(0, 9223372036854775807) }}".to_owned(),
        "{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(1) }}".to_owned(),
        "{% macro m(a) %}{{ m(a) }}{{ m(a) }}{% endmacro %}{{ m(1) ?? m(2) }}".to_owned(),
        "{% block b %}{{ block('b') }}{% endblock %}".to_owned(),
        "{% set x = '{{ render(x) }}' %}{{ render(x) }}".to_owned(),
        "{{ 'a' | indent(9223372036854775807) }}".to_owned(),
        format!("{{{{ '{}' | replace({{'a': '{}'}}) }}}}", "a".repeat(100_000), "b".repeat(100_000)),
        "{{ ('a' | nindent(1000000)) | replace({' ': 'bbbbbbbbbbbbbbbbbbbb'}) }}".to_owned(),
        "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | replace({'(a+)+$': 'b'}, regexp=true) }}".to_owned(),
        "{{ 'a' | split('((a{1,1000}){1,1000}){1,1000}') }}".to_owned(),
        "{{ (1..1000) | jq('[.[] + .[] + .[]]') }}".to_owned(),
        "{{ [1] | jq('[range(1e12)]') }}".to_owned(),
        format!("{{{{ 'ab' | toJson | jq('{}') }}}}", vec![". + ."; 60].join("|")),
        format!("{{{{ [1] | jq('{}1') }}}}", "-".repeat(900)),
        format!("{{{{ [1] | jq('.{}') }}}}", "|.".repeat(490)),
        format!("{{{{ [1] | jq('{}1{}') }}}}", "[".repeat(400), "]".repeat(400)),
        format!("{{{{ fromJson('{}{}') }}}}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{{{{ '{}' | number('BIGDECIMAL') + 1 }}}}", "9".repeat(100_000)),
        "{{ '1e999999999' | number('BIGDECIMAL') }}".to_owned(),
    ];
    for text in texts {
        for version in ["1.3", "2.0"] {
            let shown: String = text.chars().take(80).collect();
            match render(version, &text) {
                Ok(rendered) => assert!(rendered.len() <= limits::OUTPUT_MAX, "{shown}"),
                Err(error) => assert!(!error.to_string().is_empty(), "{shown}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(common::config(400))]

    #[test]
    fn a_text_without_braces_is_itself(text in "[^{]{0,80}") {
        prop_assert_eq!(render("1.3", &text).map_err(|error| error.chain()), Ok(text));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}", inner in "\\PC{0,40}") {
        for version in ["0.20", "1.3", "2.0"] {
            _ = render(version, &text);
            _ = render(version, &format!("{{{{ {inner} }}}}"));
            _ = render(version, &format!("{{% {inner} %}}"));
        }
    }

    #[test]
    fn nor_do_pieces_of_templates_put_together(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..14)) {
        let text = pieces.join(" ");
        for version in ["0.20", "1.3", "2.0"] {
            let first = render(version, &text);
            // The same template with the same host gives the same.
            prop_assert_eq!(&first, &render(version, &text));
        }
    }

    #[test]
    fn what_is_written_in_quotes_comes_out(text in "[^'\\\\{}]{0,40}") {
        // The table has nothing that the renderer would take for a raw tag.
        let template = format!("{{{{ '{text}' }}}}");
        prop_assert_eq!(render("1.3", &template).map_err(|error| error.chain()), Ok(text));
    }
}

/// What templates are made of.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{{-",
    "-}}",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    ".",
    ",",
    ":",
    "?",
    "??",
    "???",
    "~",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "..",
    "is",
    "is not",
    "not",
    "and",
    "or",
    "contains",
    "isIn",
    "equals",
    "=",
    "'a'",
    "\"b\"",
    "\"#{1}\"",
    "'",
    "\"",
    "\\",
    "1",
    "0",
    "-1",
    "1.5",
    "7L",
    "99999999999999999999",
    "true",
    "null",
    "x",
    "inputs",
    "inputs.items",
    "execution.startDate",
    "outputs",
    "loop",
    "loop.index",
    "if",
    "else",
    "elseif",
    "endif",
    "for",
    "in",
    "endfor",
    "for i in inputs.items",
    "set x =",
    "macro m(a)",
    "endmacro",
    "m(1)",
    "filter upper",
    "endfilter",
    "block b",
    "endblock",
    "raw",
    "endraw",
    "{% raw %}",
    "{% endraw %}",
    "verbatim",
    "endverbatim",
    "defined",
    "empty",
    "even",
    "map",
    "json",
    "upper",
    "first",
    "last",
    "length",
    "join(',')",
    "split(',')",
    "date",
    "date('yyyy')",
    "dateAdd(1,'DAYS')",
    "jq('.[]')",
    "jq('.a?')",
    "toJson",
    "sort",
    "reverse",
    "slice(0,1)",
    "slice(1)",
    "replace({'a':'b'})",
    "number",
    "chunk(2)",
    "merge([1])",
    "keys",
    "values",
    "flatten",
    "distinct",
    "abs",
    "title",
    "default(1)",
    "now()",
    "secret('SLACK_WEBHOOK')",
    "render('{{ x }}')",
    "range(1,3)",
    "max(1,2)",
    "errorLogs()",
    "tasksWithState('FAILED')",
    "kv('a')",
    "uuid()",
    "fromJson('{}')",
    "fetchContext()",
    "currentEachOutput(outputs.each)",
    "é",
    "\u{1f600}",
    "\n",
];
