//! Recording a cluster: what runs in it comes back as a scenario, whoever looked. Real Prometheus servers are those that
//! `.ci/peers` puts under target/peers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::server::plan;
use common::{body, capture_of, exposition};
use mock_kestra::exposition;
use mock_kestra::profile::Role;
use mock_kestra::random::{Seed, Stream};
use mock_kestra::record::{self, Names, NotRecorded, Observed, Recorded, Seen, Wording, own_time};
use mock_kestra::run::Session;
use mock_kestra::scenario::{Plan, TaskSelector};
use mock_kestra::time::{Calendar, Duration, Instant};
use mock_kestra::{Body, Outcome, Request, answer};

fn wording() -> Wording {
    Wording { name: "recorded".to_owned(), names: Names::Kept, from: vec!["From a test.".to_owned()] }
}

fn recorded(observed: &Observed) -> Recorded {
    record::scenario(observed, &wording()).unwrap_or_else(|why| panic!("{why}"))
}

/// The document that a member answers with.
fn document(session: &Session, member: usize, path: &str) -> Option<serde_json::Value> {
    let Outcome::Answer(found) = answer(&Request::get(path, session.now()), session.simulation(), member) else {
        return None;
    };
    let Body::Sized(body) = found.body else { return None };
    serde_json::from_slice(&body).ok().filter(|_| found.status == 200)
}

/// Looks at all members of a plan again and again, as `record URL...` does; with the documents of their endpoints or, as
/// a Prometheus does, without.
fn observe(plan: &Arc<Plan>, seed: u64, every: Duration, looks: u32, documents: bool) -> Observed {
    let mut session = Session::new(Arc::clone(plan), Seed(seed), Calendar::default()).endless();
    let mut members: Vec<Seen> =
        plan.cluster.members.iter().map(|member| Seen::new(format!("{}:8081", member.name))).collect();
    for look in 0..=looks {
        let at = Instant::START + Duration::nanoseconds(every.as_nanoseconds() * u64::from(look));
        session.advance(at).expect("no limit");
        for (number, seen) in members.iter_mut().enumerate() {
            let text = exposition(session.simulation(), number);
            if text.is_empty() {
                seen.missed += 1;
                continue;
            }
            let shown = exposition::read(&text).unwrap_or_else(|why| panic!("{why}"));
            seen.look(own_time(&shown).expect("a process tells its time"), &shown);
            if documents && look == 0 {
                seen.documents.version = document(&session, number, "/version");
                seen.documents.health = document(&session, number, "/health");
            }
            if documents && look % 2 == 0 {
                document(&session, number, "/scheduler").iter().for_each(|it| seen.scheduler(it));
                document(&session, number, "/worker").iter().for_each(|it| seen.worker(it));
            }
        }
    }
    Observed { members }
}

/// Whether a scenario by chance is looked at with documents: two of three are.
fn documents(number: u64) -> bool {
    number % 3 != 2
}

/// A scenario by chance: versions, roles, threads, heaps, databases, flows with tasks that take and fail as they like, and
/// all that starts them.
fn drawn(number: u64) -> String {
    let mut draws = Seed(17).numbered(0x5ec0, number);
    let pick = |draws: &mut Stream, of: &[&'static str]| of[draws.below(of.len() as u64) as usize];
    let kestra = pick(&mut draws, &["1.3", "1.3", "2.0", "0.20"]);
    // The queries that a mock shows are those of PostgreSQL: what else it is says `/health` only.
    let databases: &[&str] =
        if documents(number) { &["postgresql", "postgresql", "mysql", "h2"] } else { &["postgresql"] };
    let database = pick(&mut draws, databases);
    let heap = |draws: &mut Stream| pick(draws, &["512MiB", "1GiB", "2GiB", "1536MiB"]);
    let threads = 32 + draws.below(5) * 8;
    let members = match draws.below(3) {
        0 => format!("standalone: {{ threads: {threads}, heap: {} }}", heap(&mut draws)),
        _ => {
            let workers = 1 + draws.below(3);
            let indexer = if draws.chance(0.4) { "indexer: 1, " } else { "" };
            let (executors, worker, other) = (1 + draws.below(2), heap(&mut draws), heap(&mut draws));
            format!(
                "webserver: {{ heap: {other} }}, executor: {executors}, scheduler: 1, {indexer}worker: {{ count: {workers}, threads: {threads}, heap: {worker} }}"
            )
        }
    };
    let (mut flows, mut behaviour, mut arrivals) = (String::new(), String::new(), String::new());
    let types = [
        "io.kestra.plugin.jdbc.postgresql.CopyIn",
        "io.kestra.plugin.core.http.Request",
        "io.kestra.plugin.scripts.python.Script",
        "io.kestra.plugin.aws.s3.Upload",
    ];
    for flow in 1..=1 + draws.below(2) {
        // A version that tells durations of a whole flow only tells those of its one task.
        let tasks = if kestra == "0.20" { 1 } else { 1 + draws.below(3) as usize };
        let first = draws.below(4) as usize;
        let namespace = pick(&mut draws, &["company.team", "company.team.etl", "other"]);
        flows += &format!("  - id: flow-{flow}\n    namespace: {namespace}\n");
        // A date that comes due while the execution before still runs starts none: what a schedule starts is short.
        let scheduled = draws.chance(0.33);
        if scheduled {
            flows += "    triggers: [ { id: often, type: io.kestra.plugin.core.trigger.Schedule, cron: \"*/15 * * * * *\", withSeconds: true } ]\n";
        }
        flows += "    tasks:\n";
        for task in 0..tasks {
            flows += &format!("      - {{ id: task-{task}, type: {} }}\n", types[(first + task) % types.len()]);
            let (longest, spreads, shares) = if scheduled { (500, 3, 2) } else { (4_000, 5, 4) };
            let median = 500 + draws.below(longest);
            let spread = [1.0, 2.0, 3.0, 5.0, 8.0][draws.below(spreads) as usize];
            let fails = [0, 1, 5, 12][draws.below(shares) as usize];
            behaviour += &format!(
                "  - {{ flow: {namespace}.flow-{flow}, task: task-{task}, duration: {{ median: {median}ms, p99: {}ms }}, fails: {fails}% }}\n",
                (median as f64 * spread) as u64
            );
        }
        if !scheduled {
            arrivals += &format!("  - {{ flow: {namespace}.flow-{flow}, rate: {}/min }}\n", 30 + draws.below(50));
        }
    }
    let arrivals = if arrivals.is_empty() { arrivals } else { format!("arrivals:\n{arrivals}") };
    format!(
        "name: drawn-{number}\nkestra: \"{kestra}\"\ncluster: {{ database: {database}, members: {{ {members} }} }}\nflows:\n{flows}behaviour:\n{behaviour}{arrivals}"
    )
}

/// How tasks behave: what the last entry says that means the task.
fn behaves(plan: &Plan, flow: usize, task: usize) -> (f64, f64, f64) {
    let (of, it) = (&plan.flows[flow], plan.flows[flow].all_tasks()[task]);
    let (id, kind) = (it.id.clone(), it.kind.clone());
    let selects = |select: &TaskSelector| select.selects(of, &id, &kind);
    let found = plan.behaviour.iter().rev().find(|it| selects(&it.select)).expect("each task behaves");
    let taken = found.duration.expect("a duration");
    (taken.median.as_seconds_f64(), taken.p99.as_seconds_f64(), found.fails.unwrap_or(0.0))
}

/// What differs by more than is allowed: rates 5 %, medians 10 %, p99 25 %, shares 2 points; all else is the same.
fn differences(made: &Plan, found: &Plan, documents: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |same: bool, what: String| {
        if !same {
            wrong.push(what);
        }
    };
    check(made.kestra == found.kestra, format!("version {} {}", made.kestra, found.kestra));
    // Nothing but `/health` tells it where the series of queries do not: the file says so.
    check(
        !documents || made.cluster.database == found.cluster.database,
        format!("database {:?}", found.cluster.database),
    );
    let members = |plan: &Plan| -> Vec<(String, Option<u32>, u64)> {
        let of = |it: &mock_kestra::scenario::MemberPlan| {
            (it.name.clone(), Some(it.threads).filter(|_| it.role.runs(Role::Worker)), it.heap)
        };
        let mut members: Vec<_> = plan.cluster.members.iter().map(of).collect();
        members.sort();
        members
    };
    check(members(made) == members(found), format!("members {:?} {:?}", members(made), members(found)));
    let rates = |plan: &Plan| -> BTreeMap<String, f64> {
        plan.arrivals.iter().map(|it| (plan.flows[it.flow].name(), it.rate)).collect()
    };
    let (rates, found_rates) = (rates(made), rates(found));
    check(rates.keys().eq(found_rates.keys()), format!("arrivals {rates:?} {found_rates:?}"));
    for (flow, rate) in &rates {
        let found = found_rates.get(flow).copied().unwrap_or(0.0);
        check((found / rate - 1.0).abs() < 0.05, format!("rate of {flow}: {rate} {found}"));
    }
    check(made.flows.len() == found.flows.len(), format!("{} flows", found.flows.len()));
    for (number, flow) in made.flows.iter().enumerate() {
        let Some(other) = found.flows.iter().position(|it| it.name() == flow.name()) else {
            check(false, format!("{} is missing", flow.name()));
            continue;
        };
        let of = &found.flows[other];
        let crons = |flow: &mock_kestra::flow::Flow| -> Vec<String> {
            flow.triggers.iter().map(|it| format!("{:?}", it.action)).collect()
        };
        check(crons(flow) == crons(of), format!("triggers {:?} {:?}", crons(flow), crons(of)));
        let (tasks, others) = (flow.all_tasks(), of.all_tasks());
        for (place, task) in tasks.iter().enumerate() {
            let at = others.iter().position(|it| it.kind == task.kind);
            let Some(at) = at.filter(|_| others.len() == tasks.len()) else {
                check(false, format!("tasks of {}: {}", flow.name(), others.len()));
                continue;
            };
            check(!documents || others[at].id == task.id, format!("id {} {}", task.id, others[at].id));
            let (wanted, got) = (behaves(made, number, place), behaves(found, other, at));
            let name = format!("{}.{}", flow.name(), task.id);
            check((got.0 / wanted.0 - 1.0).abs() < 0.10, format!("median of {name}: {} {}", wanted.0, got.0));
            check((got.1 / wanted.1 - 1.0).abs() < 0.25, format!("p99 of {name}: {} {}", wanted.1, got.1));
            check((got.2 - wanted.2).abs() < 0.02, format!("fails of {name}: {} {}", wanted.2, got.2));
        }
    }
    wrong
}

/// For 30 scenarios by chance: two hours of them, looked at each 30 s, give back what they were made with. A flow has 3,600
/// to 9,600 executions in that time, or 480 by a schedule: one standard deviation of a rate is 1.0 to 1.7 % (a Poisson
/// process), of a share less than a point, of a median, by the spread of the sums from look to look, up to 4 %.
#[test]
fn thirty_scenarios_by_chance_come_back_within_the_tolerances() {
    let wrong = std::sync::Mutex::new(Vec::new());
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= 30 {
                        break;
                    }
                    let text = drawn(number);
                    let made = Arc::new(plan(&text));
                    let documents = documents(number);
                    let observed = observe(&made, number, Duration::seconds(30), 240, documents);
                    let recorded = recorded(&observed);
                    let found = differences(&made, &plan(&recorded.text), documents);
                    if !found.is_empty() {
                        let found = found.join("\n  ");
                        wrong.lock().expect("a lock").push(format!("{number}:\n  {found}\n{text}\n{}", recorded.text));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("a lock");
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
