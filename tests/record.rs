//! Recording a cluster: what runs in it comes back as a scenario, whoever looked. Real Prometheus servers are those that
//! `.ci/peers` puts under target/peers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::peers::Prometheus;
use common::server::{plan, run, scratch};
use common::{body, capture_of, exposition, families, labels, scenario_files};
use mock_kestra::exposition;
use mock_kestra::profile::Role;
use mock_kestra::random::{Seed, Stream};
use mock_kestra::record::{self, Names, NotRecorded, Observed, Recorded, Seen, Wording, own_time};
use mock_kestra::run::Session;
use mock_kestra::scenario::{NoFiles, Plan, TaskSelector};
use mock_kestra::time::{Calendar, Duration, Instant};
use mock_kestra::{Body, Outcome, Request, answer};
use proptest::prelude::*;

fn wording() -> Wording {
    Wording { name: "recorded".to_owned(), names: Names::Kept, from: vec!["From a test.".to_owned()] }
}

fn recorded(observed: &Observed) -> Recorded {
    record::scenario(observed, &wording()).unwrap_or_else(|why| panic!("{why}"))
}

/// What was seen of members, each by its own clock.
fn looked_at(members: Vec<Seen>) -> Observed {
    Observed { members, one_clock: false }
}

/// The document that a member answers with.
fn document(session: &Session, member: usize, path: &str) -> Option<serde_json::Value> {
    let Outcome::Answer(found) = answer(&Request::get(path, session.now()), session.simulation(), member) else {
        return None;
    };
    let Body::Sized(body) = found.body else { return None };
    serde_json::from_slice(&body).ok().filter(|_| found.status == 200)
}

/// The lines of an exposition that a recording looks at.
fn asked_for(text: &str) -> String {
    let begins = ["kestra_executor", "kestra_worker", "kestra_scheduler", "process_", "jvm_memory_max", "http_server"];
    let lines = text.split_inclusive('\n').filter(|line| begins.iter().any(|begin| line.starts_with(begin)));
    lines.collect()
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
                seen.miss();
                continue;
            }
            // The first look is a whole one; of the others no more is read than is asked for, which is a tenth of it.
            let text = if look == 0 { text } else { asked_for(&text) };
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
    looked_at(members)
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
            let spread = [1.0, 2.0, 3.0, 4.0, 6.0][draws.below(spreads) as usize];
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
            // What is short may not run at any look.
            check(
                !documents || !flow.triggers.is_empty() || others[at].id == task.id,
                format!("id {} {}", task.id, others[at].id),
            );
            let (wanted, got) = (behaves(made, number, place), behaves(found, other, at));
            let name = format!("{}.{}", flow.name(), task.id);
            check((got.0 / wanted.0 - 1.0).abs() < 0.10, format!("median of {name}: {} {}", wanted.0, got.0));
            check((got.1 / wanted.1 - 1.0).abs() < 0.25, format!("p99 of {name}: {} {}", wanted.1, got.1));
            check((got.2 - wanted.2).abs() < 0.02, format!("fails of {name}: {} {}", wanted.2, got.2));
        }
    }
    wrong
}

/// For 30 scenarios by chance: two hours of them, looked at each 45 s, give back what they were made with. A flow has 3,600
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
                    let observed = observe(&made, number, Duration::seconds(45), 160, documents);
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

/// Whether a scenario by chance comes back through the series of a Prometheus alone.
#[test]
#[ignore = "needs Prometheus of Debian stable: .ci/peers fetches it"]
fn a_real_prometheus_gives_scenarios_back() {
    const CONFIG: &str = "global: { scrape_interval: 30s }\nscrape_configs: []\n";
    const UNTIL: &str = "2026-03-01T12:00:00Z";
    for number in (0..10).map(|number| number * 3 + 2) {
        let prometheus = Prometheus::start("stable", CONFIG, "");
        let address = format!("http://{}", prometheus.address.replace("[::]", "127.0.0.1"));
        let (text, made, found) = (drawn(number), scratch("made.yaml"), scratch("found.yaml"));
        std::fs::write(&made, &text).expect("written");
        let (made, found) = (made.to_str().expect("a path"), found.to_str().expect("a path"));
        let url = format!("{address}/api/v1/write");
        let span = ["--from", "-2h", "--until", UNTIL, "--every", "30s"];
        let export = [&["export", "remote-write", made, "--url", &url] as &[&str], &span].concat();
        let (code, _, told) = run(&export);
        assert_eq!(code, Some(0), "{told}");
        let (code, _, told) = run(&[&["record", "--prometheus", &address, "-o", found] as &[&str], &span].concat());
        assert_eq!(code, Some(0), "{told}");
        let recorded = std::fs::read_to_string(found).expect("a scenario");
        let wrong = differences(&plan(&text), &plan(&recorded), false);
        assert!(wrong.is_empty(), "{number}:\n  {}\n{text}\n{recorded}", wrong.join("\n  "));
    }
}

#[test]
fn what_runs_is_told_over_the_restarts_of_a_rolling_update() {
    let text = "name: rolling
cluster: { members: { webserver: 1, executor: 2, scheduler: 1, worker: { count: 2, threads: 24, restart: 10s } } }
flows: [ { id: f, namespace: n, tasks: [ { id: t, type: io.kestra.plugin.core.http.Request } ] } ]
behaviour: [ { task: t, duration: { median: 2s, p99: 6s }, fails: 5% } ]
arrivals: [ { flow: n.f, rate: 60/min } ]
timeline: [ { at: 20m, restart: executor-1 }, { at: 40m, restart: worker-1 }, { at: 70m, restart: executor-2 }, { at: 90m, restart: worker-2 } ]
";
    let made = Arc::new(plan(text));
    let observed = observe(&made, 3, Duration::seconds(60), 120, true);
    let wrong = differences(&made, &plan(&recorded(&observed).text), true);
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Whatever runs and breaks in the scenarios that ship, and however they are configured: what is recorded of ten minutes of
/// them is a scenario with their members, or they have renamed all of their series.
#[test]
fn what_workers_listen_for_is_told_with_how_many_messages_came() {
    let text = std::fs::read_to_string("scenarios/triggers/realtime-stuck.yaml").expect("it ships");
    let plan = Arc::new(plan(&text));
    // Up to the rollout. Without /scheduler the one that never had a message is not there.
    for (documents, triggers) in [(true, 2), (false, 1)] {
        let found = recorded(&observe(&plan, 1, Duration::seconds(60), 50, documents)).text;
        assert_eq!(found.matches("RealtimeTrigger").count(), triggers, "{found}");
        let messages = found.split("messages: ").nth(1).and_then(|it| it.split('/').next()).expect("a rate");
        assert!((16.0..24.0).contains(&messages.parse::<f64>().expect("a number")), "{found}");
        assert!(!found.contains("arrivals:\n  - { flow: company.shop.orders"), "{found}");
    }
}

#[test]
fn every_shipped_scenario_is_recorded_as_a_sound_one() {
    let mut recordings = 0;
    for file in scenario_files() {
        let text = std::fs::read_to_string(&file).expect("a file");
        let (Some(made), _) = mock_kestra::scenario::read(&file.display().to_string(), &text, &NoFiles) else {
            continue;
        };
        let prefixed = made.settings.metrics_prefix.is_some();
        let observed = observe(&Arc::new(made.clone()), 1, Duration::seconds(100), 6, true);
        match record::scenario(&observed, &wording()) {
            Ok(recorded) => {
                let found = plan(&recorded.text);
                assert!(!prefixed && found.cluster.members.len() <= made.cluster.members.len(), "{}", file.display());
                assert!(made.versions().contains(&found.kestra), "{}", file.display());
                recordings += 1;
            }
            Err(why) => assert!(prefixed, "{}: {why}", file.display()),
        }
    }
    assert!(recordings > 30, "{recordings}");
}

/// A member by a recorded exposition.
fn seen(instance: &str, text: &str) -> Seen {
    let shown = exposition::read(text).unwrap_or_else(|why| panic!("{instance}: {why}"));
    let mut seen = Seen::new(instance);
    seen.look(own_time(&shown).expect("its time"), &shown);
    seen
}

fn recorded_role(version: &str, role: &str) -> Seen {
    let capture = capture_of(version, &format!("roles/{role}/GET_prometheus.http"));
    seen(&format!("{role}-0:8081"), body(&capture))
}

#[test]
fn of_recorded_servers_the_version_the_roles_the_threads_and_the_heaps_are_told() {
    let roles = ["webserver", "executor", "scheduler", "worker", "indexer"];
    for version in ["0.20", "1.3", "2.0"] {
        let controller = if version == "2.0" { &["controller"] as &[&str] } else { &[] };
        let all = roles.iter().chain(controller);
        let observed = looked_at(all.clone().map(|role| recorded_role(version, role)).collect());
        let plan = plan(&recorded(&observed).text);
        assert_eq!(plan.kestra.name(), version);
        let mut found: Vec<&str> = plan.cluster.members.iter().map(|it| it.role.name()).collect();
        let mut wanted: Vec<&str> = all.copied().collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{version}");
        for member in &plan.cluster.members {
            assert!(member.role != Role::Worker || member.threads == 4, "{version}: {}", member.threads);
            let capture = capture_of(version, &format!("roles/{}/GET_prometheus.http", member.role.name()));
            let old = capture
                .lines()
                .find_map(|line| line.strip_prefix("jvm_memory_max_bytes{area=\"heap\",id=\"G1 Old Gen\""));
            let bytes: f64 = old.and_then(|rest| rest.rsplit(' ').next()?.parse().ok()).expect("a heap");
            assert_eq!(member.heap, bytes as u64, "{version} {}", member.name);
        }
    }
}

#[test]
fn of_recorded_servers_the_flows_are_told_with_the_types_of_their_tasks() {
    for version in ["0.20", "1.3", "2.0"] {
        let file = |name: &str| capture_of("record", &format!("{version}-{name}"));
        let text = file("prometheus.txt");
        let mut member = seen("standalone", &text);
        member.scheduler(&serde_json::from_str(&file("scheduler.json")).expect("JSON"));
        member.worker(&serde_json::from_str(&file("worker.json")).expect("JSON"));
        let plan = plan(&recorded(&looked_at(vec![member])).text);
        let (mut flows, mut types) = (BTreeSet::new(), BTreeMap::<String, BTreeSet<String>>::new());
        for family in families(&text) {
            for series in &family.series {
                let labels = labels(series);
                let (Some(namespace), Some(flow)) = (labels.get("namespace_id"), labels.get("flow_id")) else {
                    continue;
                };
                let name = format!("{namespace}.{flow}");
                match family.name.as_str() {
                    "kestra_executor_execution_started_count_total" => _ = flows.insert(name),
                    "kestra_worker_started_count_total" => {
                        _ = types.entry(name).or_default().insert(labels["task_type"].clone());
                    }
                    _ => {}
                }
            }
        }
        assert!(flows.len() > 10, "{version}: {flows:?}");
        let standalone: Vec<_> = plan.cluster.members.iter().map(|it| (it.role, it.threads)).collect();
        assert_eq!((plan.kestra.name(), standalone), (version, vec![(Role::Standalone, 4)]));
        for name in &flows {
            let flow =
                plan.flows.iter().find(|flow| flow.name() == *name).unwrap_or_else(|| panic!("{version} {name}"));
            let found: BTreeSet<String> = flow.all_tasks().iter().map(|task| task.kind.clone()).collect();
            let wanted = types.get(name).cloned().unwrap_or_default();
            let working = wanted.iter().any(|kind| kind.ends_with("WorkingDirectory"));
            assert!(found == wanted || working || wanted.is_empty(), "{version} {name}: {found:?} {wanted:?}");
        }
        let crons: usize = plan.flows.iter().map(|flow| flow.triggers.len()).sum();
        assert!(crons >= if version == "2.0" { 1 } else { 3 }, "{version}: {crons}");
    }
}

#[test]
fn members_of_several_versions_are_told_and_each_role_has_its_own() {
    let mut members: Vec<Seen> = ["webserver", "executor", "scheduler"].map(|role| recorded_role("1.3", role)).into();
    members.push(recorded_role("2.0", "worker"));
    let recorded = recorded(&looked_at(members));
    let told = recorded.warnings.join("\n");
    assert!(told.contains("the members have different versions (3 of 1.3, 1 of 2.0)"), "{told}");
    let plan = plan(&recorded.text);
    let worker = plan.cluster.members.iter().find(|member| member.role == Role::Worker).expect("a worker");
    assert_eq!((plan.kestra.name(), worker.profile(plan.kestra).name()), ("1.3", "2.0"));
}

#[test]
fn what_is_no_kestra_is_none() {
    let other = "# TYPE jvm_threads_live_threads gauge\njvm_threads_live_threads 5.0\nprocess_start_time_seconds 1.7E9\n\
                 process_uptime_seconds 9.0\n";
    let observed = looked_at(vec![seen("a:8080", other)]);
    let why = record::scenario(&observed, &wording()).expect_err("no Kestra");
    assert_eq!(why, NotRecorded::NoKestra(vec!["a:8080".to_owned()]));
    assert_eq!(record::scenario(&Observed::default(), &wording()).err(), Some(NotRecorded::Nothing));
}

#[test]
fn names_are_replaced_by_the_same_ones_each_time_and_none_is_left() {
    let text = "name: secret
flows:
  - { id: payroll, namespace: acme.finance, tasks: [ { id: pay, type: com.acme.Payer } ], triggers: [ { id: nightly, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" } ] }
  - { id: ledger, namespace: acme.finance.books, tasks: [ { id: book, type: io.kestra.plugin.core.http.Request } ] }
behaviour: [ { duration: 20s } ]
arrivals: [ { flow: payroll, rate: 30/min }, { flow: ledger, rate: 30/min } ]
";
    let observed = observe(&Arc::new(plan(text)), 1, Duration::seconds(15), 40, true);
    let wording = Wording { names: Names::Replaced, ..wording() };
    let replaced = || record::scenario(&observed, &wording).expect("a scenario");
    let text = replaced().text;
    assert_eq!(text, replaced().text);
    for name in ["acme", "finance", "books", "payroll", "ledger", "pay", "book", "nightly", "Payer", "standalone-1"] {
        assert!(!text.contains(name), "{name} is left:\n{text}");
    }
    let (kept, replaced) = (plan(&recorded(&observed).text), plan(&text));
    let shape = |plan: &Plan| -> Vec<(usize, usize, usize)> {
        plan.flows.iter().map(|it| (it.namespace.split('.').count(), it.all_tasks().len(), it.triggers.len())).collect()
    };
    assert_eq!(shape(&kept), shape(&replaced));
    let namespaces: BTreeSet<&str> = replaced.flows.iter().map(|flow| flow.namespace.as_str()).collect();
    let namespaces: Vec<&str> = namespaces.into_iter().collect();
    assert!(namespaces[1].starts_with(&format!("{}.", namespaces[0])), "{namespaces:?}");
}

proptest! {
    #![proptest_config(common::config(64))]

    /// Whatever a server shows as names of flows, types and triggers: what is written can be read.
    #[test]
    fn whatever_names_are_shown_the_scenario_can_be_read(
        names in proptest::collection::vec(("\\PC{0,12}|[a-z.-]{1,9}|[a-z\n\r\"'#:{}\\[\\],&*!|>%@`]{1,12}", "\\PC{0,12}|[a-zA-Z.$]{1,20}"), 1..5),
        cron in "\\PC{0,12}|[*/0-9 ]{1,12}",
    ) {
        let mut member = recorded_role("1.3", "worker");
        for (name, kind) in &names {
            let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
            let labels = [label("flow_id", name), label("namespace_id", "n"), label("task_type", kind)];
            member.sample("kestra_worker_started_count_total", &labels, &[(1, 5.0)]);
            member.scheduler(&serde_json::json!({ "schedulable": [ {
                "flowId": name, "namespace": "n", "trigger": { "id": "t", "type": kind, "cron": cron, "timezone": name },
            } ] }));
        }
        let recorded = recorded(&looked_at(vec![member]));
        let (read, told) = mock_kestra::scenario::read("a.yaml", &recorded.text, &NoFiles);
        prop_assert!(read.is_some(), "{}\n{}", mock_kestra::document::render(&told), recorded.text);
    }
}
