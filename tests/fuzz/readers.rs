//! What each fuzz target does with its bytes: one entry for each reader of what users, their files or their requests bring.
//! `tests/corpus.rs` runs the same over the corpus that is kept here.

use std::sync::{Arc, LazyLock};

use mock_kestra::document::Source;
use mock_kestra::management::{self, Listener, Outcome, Request};
use mock_kestra::monitor::{Configuration, Context, Monitor, Setup, Template, read_rules};
use mock_kestra::pager::{self, Alert, Integration, LabelSet, Notification, Pager, Post, Reason, Version};
use mock_kestra::pebble;
use mock_kestra::promql::Expression;
use mock_kestra::random::Seed;
use mock_kestra::run::Session;
use mock_kestra::scenario::{FlowFile, Loader, NoFiles, Plan, read, read_fault, write};
use mock_kestra::time::{Calendar, Instant};

type Reader = fn(&[u8]);

/// A name and what reads the bytes. None of them may panic, whatever these are; it must come to an end, too.
pub const READERS: &[(&str, Reader)] = &[
    ("scenario", |data| text(data, scenario)),
    ("fault", |data| text(data, fault)),
    ("flow", |data| text(data, flow)),
    ("cron", |data| text(data, cron)),
    ("pebble", |data| text(data, template_of_a_flow)),
    ("rules", |data| text(data, rules)),
    ("configuration", |data| text(data, configuration)),
    ("promql", |data| text(data, promql)),
    ("template", |data| text(data, template_of_a_rule)),
    ("alertmanager", |data| text(data, alertmanager)),
    ("message", |data| text(data, template_of_a_message)),
    ("request", request),
];

/// Runs one of them.
pub fn reads(name: &str, data: &[u8]) {
    let reader = READERS.iter().find(|reader| reader.0 == name);
    (reader.expect("a reader of that name").1)(data);
}

fn text(data: &[u8], reads: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        reads(text);
    }
}

fn labels() -> LabelSet {
    let all = [("alertname", "Down"), ("instance", "worker-1:8081"), ("namespace", "n"), ("severity", "page")];
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A configuration of Alertmanager, of the Operator or of Grafana; what was read tells an alert, and that it has ended.
fn alertmanager(text: &str) {
    let _ = pager::matchers(text);
    for version in [Version::V0_25, Version::V0_33] {
        let (Some(configuration), _) = pager::read_files(&[("x.yml".to_owned(), text.to_owned())], version, None)
        else {
            continue;
        };
        let templates = pager::templates(&configuration.templates, version).expect("there are no files");
        let mut pager = Pager::new(Arc::new(configuration), Arc::new(templates), version, Vec::new(), 0);
        for (at, ends_at) in [(0, 240_000), (60_000, 300_000), (120_000, 120_000)] {
            let (labels, annotations) = (Arc::new(labels()), Arc::default());
            let (starts_at, ends_at) = (Some(0), Some(ends_at));
            let _ = pager.post(at, &[Post { labels, annotations, starts_at, ends_at, generator_url: "".into() }]);
        }
        // However short its waits are: a few turns.
        (0..100).for_each(|_| pager.advance(pager.next().unwrap_or(0).min(1_000_000)));
    }
}

/// A template of a notification.
fn template_of_a_message(text: &str) {
    let alert = |ends_at| Alert {
        labels: labels(),
        annotations: labels(),
        starts_at: 1_767_600_000_000,
        ends_at,
        generator_url: "http://prometheus:9090/graph".into(),
    };
    let notification = Notification {
        receiver: "r".to_owned(),
        group_key: "{}:{}".to_owned(),
        group_labels: labels(),
        alerts: vec![alert(None), alert(Some(1_767_600_060_000))],
        reason: Reason::First,
        external_url: pager::ADDRESS.to_owned(),
        at: 1_767_600_120_000,
    };
    for version in [Version::V0_25, Version::V0_33] {
        let Ok(templates) = pager::templates(&[("x.tmpl".to_owned(), text.to_owned())], version) else { continue };
        for (kind, key) in [("slack", "title"), ("email", "html"), ("telegram", "message")] {
            let settings = [(key.to_owned(), serde_json::Value::from(text))].into_iter().collect();
            let settings = Arc::new(settings);
            let integration = Integration { kind, index: 0, send_resolved: true, settings, place: None };
            let _ = pager::message(&integration, &notification, &templates, version);
        }
    }
}

/// A scenario file; what was read can be written, and what was written be read.
fn scenario(text: &str) {
    let (plan, _) = read("x.yaml", text, &NoFiles);
    if let Some(plan) = plan {
        let written = write(&plan);
        let (again, told) = read("y.yaml", &written, &NoFiles);
        // What flow files brought is not in it.
        assert!(again.is_some() || written.contains("flows"), "{written}\n{told:?}");
    }
}

const CLUSTER: &str = "name: x\ncluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 2 } }\n\
    flows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.B } ] } ]\n";

static PLAN: LazyLock<Plan> = LazyLock::new(|| read("x.yaml", CLUSTER, &NoFiles).0.expect("a sound scenario"));

/// What `POST /api/faults` takes.
fn fault(text: &str) {
    let _ = read_fault(text, &PLAN, Instant::START);
}

/// Gives one file for whatever is asked.
struct One(String);

impl Loader for One {
    fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
        Ok(vec![Source { name: "f.yml".to_owned(), text: self.0.clone() }.into()])
    }

    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("there is none".to_owned())
    }
}

/// A flow file, as each line of versions reads it.
fn flow(text: &str) {
    for version in ["0.20", "1.3", "2.0"] {
        let scenario = format!("name: x\nkestra: \"{version}\"\ncluster: {{ standalone: 1 }}\nflows: [ all ]\n");
        let _ = read("x.yaml", &scenario, &One(text.to_owned()));
    }
}

/// The cron expression of a Schedule.
fn cron(text: &str) {
    let quoted = serde_json::to_string(text).expect("a string of JSON");
    for seconds in [false, true] {
        flow(&format!(
            "id: f\nnamespace: n\ntasks: [ {{ id: t, type: io.kestra.plugin.core.log.Log, message: m }} ]\ntriggers: [ {{ id: s, \
             type: io.kestra.plugin.core.trigger.Schedule, withSeconds: {seconds}, cron: {quoted} }} ]\n"
        ));
    }
}

/// A template of Kestra's, read and rendered.
fn template_of_a_flow(text: &str) {
    let variables = serde_json::json!({ "a": 1, "b": [ "x", 2.5, null ], "c": { "d": true, "e": "é" } });
    let serde_json::Value::Object(variables) = variables else { return };
    let now = "2026-01-05T08:10:00Z".parse().expect("an instant");
    for version in ["0.20", "1.3", "2.0"] {
        let dialect = pebble::Dialect::named(version).expect("a known version");
        if let Ok(template) = pebble::Template::parse(text, dialect) {
            template.unsupported();
            let _ = template.render(&variables, &pebble::Host::at(now));
        }
    }
}

/// A rule file, manifests that hold rules, or a provisioning file of Grafana.
fn rules(text: &str) {
    let _ = read_rules("rules.yml", text);
}

/// A `prometheus.yml`, or manifests of monitors.
fn configuration(text: &str) {
    let _ = Configuration::read("prometheus.yml", text);
}

/// PromQL, read and evaluated.
fn promql(text: &str) {
    if let Ok(expression) = Expression::parse(text) {
        expression.outline();
        let monitor = Monitor::new(Setup { also: vec![expression.clone()], ..Setup::default() });
        let _ = monitor.ask(&expression, 0);
    }
}

/// A template of a rule, as Prometheus and as Grafana read it.
fn template_of_a_rule(text: &str) {
    let labels = vec![("a".into(), "b".into())].into();
    let query = |_: &str| Ok(Vec::new());
    let context = Context { labels: &labels, value: 1.5, grafana: None, external_labels: &[], query: &|_| query("") };
    for template in [Template::parse(text), Template::of_grafana(text)].into_iter().flatten() {
        let _ = template.expand(&context);
    }
}

thread_local! {
    static SESSIONS: Vec<Session> = {
        let of = |version: &str| {
            let (plan, _) = read("x.yaml", &format!("kestra: \"{version}\"\n{CLUSTER}"), &NoFiles);
            Session::new(Arc::new(plan.expect("a sound scenario")), Seed(1), Calendar::default())
        };
        ["0.20", "1.3", "2.0"].map(of).into()
    };
}

/// A request to a management port: a line `METHOD target`, headers, an empty line, a body.
fn request(data: &[u8]) {
    let (head, body) = match data.windows(2).position(|it| it == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[][..]),
    };
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.lines();
    let Some((method, target)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<(String, String)> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let ask = |session: &Session, listener| {
        let request = Request {
            listener,
            method: method.to_owned(),
            target: target.to_owned(),
            http10: false,
            headers: headers.clone(),
            body: body.to_vec(),
            arrived: session.now(),
        };
        if let Outcome::Answer(answer) = management::answer(&request, session.simulation(), 0) {
            assert!((200..600).contains(&answer.status), "{}", answer.status);
        }
    };
    SESSIONS.with(|sessions| {
        for session in sessions {
            ask(session, Listener::Management);
            ask(session, Listener::Application);
        }
    });
}
