//! Recorded exchanges with real servers, and how they are asked again of the mock.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use mock_kestra::flow::Flow;
use mock_kestra::management::{Answer, Body, Listener, Malformed, Outcome, Request, answer, malformed};
use mock_kestra::profile::{Profile, Role};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{Arrivals, ClusterPlan, DatabaseKind, MemberPlan, Plan, Poller, Restart, Settings};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};
use serde_json::Value;

/// Names of exchanges, or set and name, and a reason.
pub type Table = &'static [(&'static str, &'static str)];

/// The recordings of one version, and what of them is not compared.
pub struct Recordings {
    pub version: &'static str,
    /// The database of the recorded servers.
    pub database: DatabaseKind,
    /// Exchanges whose body is another one here, and why.
    pub other_bodies: Table,
    /// Exchanges that are not asked here, and why.
    pub not_asked: Table,
}

/// One recorded exchange. A body that is null was too long to keep or moves as a whole.
pub struct Exchange {
    pub name: String,
    pub request: String,
    pub head: String,
    pub body: Option<String>,
}

/// The exchanges of a set, in order.
pub fn recorded(version: &str, set: &str) -> Vec<Exchange> {
    let text = super::capture_of(version, &format!("management/{set}.jsonl"));
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let part = |key: &str| value[key].as_str().map(str::to_owned);
        let [name, request, head] = ["name", "request", "head"].map(|key| part(key).expect(key));
        Exchange { name, request, head, body: part("body") }
    };
    text.lines().map(line).collect()
}

/// One idle process of this role, ten minutes old, with these flows and arrivals.
pub fn simulate(
    version: &str,
    database: DatabaseKind,
    role: Role,
    flows: Vec<Flow>,
    arrivals: Vec<Arrivals>,
) -> Simulation {
    let member = |role: Role| MemberPlan {
        name: format!("{}-1", role.name()),
        role,
        kestra: None,
        threads: 4,
        heap: 1 << 30,
        restart: Restart::Never,
        grace: Duration::minutes(5),
        reserve: false,
    };
    // A worker of 2.0 does not live without a controller.
    let controller = (version == "2.0" && role == Role::Worker).then_some(Role::Controller);
    let members = std::iter::once(role).chain(controller).map(member).collect();
    let cluster = ClusterPlan { booting: false, age: Duration::minutes(10), database, kafka: false, members };
    let plan = Plan {
        name: "idle".to_owned(),
        summary: String::new(),
        kestra: Profile::named(version).expect("a version"),
        duration: Duration::minutes(10),
        start: None,
        cluster,
        flows,
        left_out: Vec::new(),
        refused: Vec::new(),
        behaviour: Vec::new(),
        arrivals,
        // Whoever recorded the names of all meters had asked for the others before.
        pollers: vec![Poller { path: "/prometheus".to_owned(), every: Duration::seconds(15) }],
        settings: Settings::default(),
        secrets: Default::default(),
        kv: Default::default(),
        environment: Default::default(),
        receivers: Vec::new(),
        autoscale: Vec::new(),
        silences: Vec::new(),
        timeline: Vec::new(),
        commands: Vec::new(),
        expectations: Vec::new(),
    };
    let mut simulation = Simulation::new(Arc::new(plan), Seed(1), Calendar::default());
    simulation.advance(Instant::START).expect("no limit");
    simulation
}

/// A standalone with this configuration.
pub fn configured(version: &str, database: &str, configuration: &str) -> Simulation {
    scenario(&format!(
        "name: configured\nkestra: \"{version}\"\ncluster: {{ database: {database}, standalone: 1 }}\nconfiguration: {configuration}\n"
    ))
}

/// The start of a scenario.
pub fn scenario(text: &str) -> Simulation {
    let (plan, told) = mock_kestra::scenario::read("x.yaml", text, &mock_kestra::scenario::NoFiles);
    // A setting without effect is told.
    let plan = plan.unwrap_or_else(|| panic!("{}", mock_kestra::document::render(&told)));
    let mut simulation = Simulation::new(Arc::new(plan), Seed(1), Calendar::default());
    simulation.advance(Instant::START).expect("no limit");
    simulation
}

pub fn read(text: &str, listener: Listener, arrived: Instant) -> Request {
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
    let mut lines = head.split("\r\n");
    let mut first = lines.next().expect("a request line").split(' ').map(str::to_owned);
    let mut next = || first.next().expect("three parts");
    let (method, target, http10) = (next(), next(), next() == "HTTP/1.0");
    let header = |line: &str| {
        let (name, value) = line.split_once(':').expect("a header");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    Request { listener, method, target, http10, headers: lines.map(header).collect(), body: body.into(), arrived }
}

pub fn get(target: &str, arrived: Instant) -> Request {
    read(&format!("GET {target} HTTP/1.1\r\nHost: kestra-0:8081\r\n\r\n"), Listener::Management, arrived)
}

/// Asks member 0 and does what the answer commands.
pub fn ask(simulation: &mut Simulation, request: &Request) -> Outcome {
    let outcome = answer(request, simulation, 0);
    if let Outcome::Answer(answer) = &outcome
        && let Some(command) = &answer.command
    {
        simulation.command(command.clone()).expect("what an answer asks for can be done");
    }
    outcome
}

pub fn answered(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Answer(answer) => *answer,
        other => panic!("no answer: {other:?}"),
    }
}

/// Lets so much time pass.
pub fn after(simulation: &mut Simulation, milliseconds: u64) -> Instant {
    let at = simulation.now() + Duration::milliseconds(milliseconds);
    simulation.advance(at).expect("no limit");
    at
}

/// Status line and headers as on the wire, and the body.
pub fn show(answer: &Answer, http10: bool) -> (String, String) {
    let mut head = format!("HTTP/1.{} {} {}", u8::from(!http10), answer.status, answer.reason);
    for (name, value) in &answer.headers {
        write!(head, "\r\n{name}: {value}").expect("text");
    }
    let body = match &answer.body {
        Body::None => String::new(),
        Body::Sized(bytes) | Body::Chunked(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    (head, body)
}

/// The value of a header, masked.
pub fn mask_header(head: &str, name: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((key, _)) if key == name => format!("{key}: *"),
        _ => line.to_owned(),
    };
    head.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n")
}

/// Masks the value behind each occurrence of a key, up to a character that cannot be part of it.
pub fn mask_value(body: &str, key: &str, part: fn(char) -> bool) -> String {
    let mut pieces = body.split(key);
    let mut masked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        write!(masked, "{key}*{}", piece.trim_start_matches(part)).expect("text");
    }
    masked
}

/// Indicators of health are asked at once: whichever answers first stands first. Here, always the same: the disk behind the
/// service (0.20, 1.3), the database last (2.0).
fn in_order(version: &str, body: &str) -> String {
    let Ok(Value::Object(mut whole)) = serde_json::from_str::<Value>(&body.replace(":*", ":0")) else {
        return body.to_owned();
    };
    let Some(details) = whole.get_mut("details").and_then(Value::as_object_mut) else { return body.to_owned() };
    let (moved, behind) = if version == "2.0" { ("jdbc", "gracefulShutdown") } else { ("diskSpace", "service") };
    if let Some(indicator) = details.get(moved).cloned()
        && details.contains_key(behind)
    {
        let all: Vec<(String, Value)> = details.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        details.clear();
        for (key, value) in all.into_iter().filter(|(key, _)| key != moved) {
            let last = key == behind;
            details.insert(key, value);
            if last {
                details.insert(moved.to_owned(), indicator.clone());
            }
        }
    }
    Value::Object(whole).to_string()
}

/// Names of recorded databases, as the mock has them.
const DATABASES: [(&str, &str); 2] =
    [("postgres:5432/k020", "postgres:5432/kestra"), ("h2:tcp://127.0.0.1:9322/./kestra", "h2:mem:public")];

/// What moves in a body: a measured number, the id of an installation, an object's identity hash, free space, tasks that end
/// just then, the id of an error; and the name of the recorded database.
fn mask_body(version: &str, body: &str) -> String {
    let body = DATABASES.iter().fold(body.to_owned(), |body, (there, here)| body.replace(there, here));
    let body = &mask_value(&body, "Available: ", |c| c.is_ascii_digit());
    let body = &mask_value(body, "\"free\":", |c| c.is_ascii_digit());
    // 1.3 was never seen with any.
    let ending = if version == "2.0" { "\"activeTasks\":" } else { "\0" };
    let body = &mask_value(body, ending, |c| c.is_ascii_digit());
    let body = &in_order(version, body);
    let body = mask_value(body, "\"value\":", |c| c.is_ascii_alphanumeric() || ".-".contains(c));
    let body = mask_value(&body, "\"uuid\":\"", |c| c.is_ascii_alphanumeric());
    let body = mask_value(&body, "\"traceId\":\"", |c| c.is_ascii_alphanumeric());
    mask_value(&body, "FlywayReport@", |c| c.is_ascii_hexdigit())
}

/// Whether a table has an exchange, by its name or by set and name.
fn is_in(table: Table, set: &str, name: &str) -> bool {
    let set = set.rsplit('/').next().unwrap_or(set);
    table.iter().any(|(known, _)| *known == name || *known == format!("{set} {name}"))
}

/// Java's sets and maps of tags have no order to speak of.
fn sorted_tags(body: &str) -> Value {
    let mut value: Value = serde_json::from_str(&body.replace("\"value\":*", "\"value\":0")).expect("JSON");
    if let Some(tags) = value["availableTags"].as_array_mut() {
        for tag in tags.iter_mut() {
            tag["values"].as_array_mut().expect("values").sort_by_key(Value::to_string);
        }
        tags.sort_by_key(Value::to_string);
    }
    value
}

/// What was sent where no request could be read, and whether the answer is HTTP/1.0.
fn malformed_as(version: &str, name: &str) -> Option<(Malformed<'static>, bool)> {
    Some(match name {
        "malformed_line" | "malformed_line2" | "malformed_binary" | "space_in_uri" | "header_lf_only"
        | "malformed_proto" | "http09" | "tls_hello" => (Malformed::RequestLine, true),
        "bad_header" | "bad_header_nocolon" | "space_header" => (Malformed::Header("/health"), false),
        "uri_8k" | "uri_5k" | "uri_5000" => (Malformed::LineTooLong, true),
        "header_40k" => (Malformed::HeadersTooLong("/health"), false),
        "bad_content_length" if version == "0.20" => (Malformed::Header("/loggers/io.kestra"), false),
        "bad_content_length" => (Malformed::Header("/loggers/x"), false),
        _ => return None,
    })
}

impl Recordings {
    /// One idle process of this role.
    pub fn idle(&self, role: Role) -> Simulation {
        simulate(self.version, self.database, role, Vec::new(), Vec::new())
    }

    /// What is answered otherwise than recorded, in words.
    pub fn differences(&self, simulation: &mut Simulation, set: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let exchanges = recorded(self.version, set);
        assert!(!exchanges.is_empty());
        for exchange in exchanges.iter().filter(|exchange| !is_in(self.not_asked, set, &exchange.name)) {
            for difference in self.difference(simulation, set, exchange) {
                wrong.push(format!("{} {set} {}: {difference}", self.version, exchange.name));
            }
        }
        wrong
    }

    fn difference(&self, simulation: &mut Simulation, set: &str, exchange: &Exchange) -> Vec<String> {
        let mut wrong = Vec::new();
        let port8080 = set == "port8080" || exchange.name.contains("port8080_");
        let listener = if port8080 { Listener::Application } else { Listener::Management };
        let shown = match malformed_as(self.version, &exchange.name) {
            Some((what, http10)) => show(&malformed(what, Profile::named(self.version).expect("a version")), http10),
            None => {
                let request = read(&exchange.request, listener, simulation.now());
                show(&answered(ask(simulation, &request)), request.http10)
            }
        };
        let measured = exchange.request.starts_with("GET /metrics/") && exchange.head.starts_with("HTTP/1.1 200");
        let hash = exchange.name.contains("flyway") && exchange.head.contains(" 500 ");
        let mut heads = [&shown.0, &exchange.head].map(|head| mask_header(head, "date"));
        let other = is_in(self.other_bodies, set, &exchange.name);
        // The recorded database had another name, the machine and its folders too; ids and hashes have no fixed length.
        let resized = exchange.body.as_deref().is_none_or(|body| {
            let length = format!("content-length: {}", body.len());
            body.contains("Available: ")
                || body.contains("traceId")
                || DATABASES.iter().any(|(there, _)| body.contains(there))
                || exchange.head.contains("content-length") && !exchange.head.contains(&length)
        });
        if resized || measured || hash || other {
            heads = heads.map(|head| mask_header(&head, "content-length"));
        }
        if heads[0] != heads[1] {
            wrong.push(format!("expected\n{}\ngot\n{}", heads[1], heads[0]));
        }
        let Some(body) = exchange.body.as_ref().filter(|_| !other) else { return wrong };
        let bodies = [&shown.1, body].map(|body| mask_body(self.version, body));
        let same = match measured {
            true => sorted_tags(&bodies[0]) == sorted_tags(&bodies[1]),
            false => bodies[0] == bodies[1],
        };
        if !same {
            wrong.push(format!("expected\n{}\ngot\n{}", bodies[1], bodies[0]));
        }
        wrong
    }

    /// How many exchanges there are, and how many of them are excepted in part or in whole.
    pub fn counts(&self) -> (usize, usize) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(self.version);
        let (mut all, mut excepted) = (0, 0);
        for folder in ["management", "configuration"] {
            for entry in std::fs::read_dir(root.join(folder)).expect("recordings") {
                let path = entry.expect("an entry").path();
                if path.extension().is_none_or(|extension| extension != "jsonl") {
                    continue;
                }
                let set = path.file_stem().expect("a name").to_string_lossy().into_owned();
                for exchange in recorded(self.version, &format!("../{folder}/{set}")) {
                    all += 1;
                    let tables = [self.other_bodies, self.not_asked];
                    excepted += usize::from(tables.iter().any(|table| is_in(table, &set, &exchange.name)));
                }
            }
        }
        (all, excepted)
    }
}

/// Fails with all of these.
pub fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} differ\n\n{}", wrong.len(), wrong.join("\n\n"));
}
