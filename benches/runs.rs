//! What a process, a run and a sweep cost, each beside something measured in the same run. `cargo bench --bench runs` prints
//! one table; nothing here passes or fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints it")]

mod common;

use std::hint::black_box;
use std::sync::Arc;

use common::{row, time};
use mock_kestra::lab::{Runs, sweep};
use mock_kestra::metrics::{Common, Look, Registry};
use mock_kestra::monitor::read_rules;
use mock_kestra::pager::{self, Version};
use mock_kestra::profile::{Profile, Role};
use mock_kestra::random::Seed;
use mock_kestra::run::{Paging, Watch, run};
use mock_kestra::scenario::{Anchor, NoFiles, Plan, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};

const WORKER_KILLED: &str = include_str!("../scenarios/worker-killed.yaml");
const RULES: &str = include_str!("../scenarios/rules/kestra.yml");

fn main() {
    row("what", "figure".into(), "beside".into());
    boot();
    watched();
    swept();
    paged();
    crash_loop();
}

fn plan(text: &str) -> Arc<Plan> {
    Arc::new(read("bench.yaml", text, &NoFiles).0.expect("a plan"))
}

fn watch() -> Watch {
    Watch { rules: read_rules("kestra.yml", RULES).expect("sound rules").0, ..Watch::default() }
}

/// A process that starts and is asked for the first time, a clone of it, and its exposition.
fn boot() {
    const TIMES: usize = 200;
    let profile = Profile::named(Profile::DEFAULT).expect("a version");
    let requests = profile.meter("http.server.requests").expect("a meter");
    let now = Instant::START;
    let born = || {
        let mut registry = Registry::configured(profile, Role::Worker, now, Common::default());
        for status in ["200", "503"] {
            let tags = [("exception", "none"), ("method", "GET"), ("status", status), ("uri", "/health")];
            let series = registry.series(requests, &tags, now).expect("registered");
            registry.record(series, 0.01, now);
        }
        registry
    };
    let registry = born();
    let (look, mut out) = (Look::at(now), Vec::new());
    registry.render(&look, &mut out);
    let each = |work: &mut dyn FnMut()| time(31, || (0..TIMES).for_each(|_| work())) / TIMES as f64;
    let booted = each(&mut || drop(black_box(born())));
    let cloned = each(&mut || drop(black_box(registry.clone())));
    let rendered = each(&mut || {
        out.clear();
        registry.render(&look, &mut out);
    });
    let beside = |figure: f64| format!("{:.3} of its exposition ({:.0} us)", figure / rendered, rendered * 1e6);
    row("boot of a worker and its first two series", format!("{:.1} us", booted * 1e6), beside(booted));
    row("clone of a registry", format!("{:.1} us", cloned * 1e6), beside(cloned));
}

fn watched() {
    let (plan, watch) = (plan(WORKER_KILLED), watch());
    let once = |watch: Option<&Watch>| {
        time(9, || drop(black_box(run(&plan, Seed(1), Calendar::default(), watch).expect("no limit"))))
    };
    let (alone, judged) = (once(None), once(Some(&watch)));
    row(
        "one run of worker-killed with the shipped rules",
        format!("{:.1} ms", judged * 1e3),
        format!("{:.2} times the run that nobody watches ({:.1} ms)", judged / alone, alone * 1e3),
    );
}

fn swept() {
    let (plan, watch) = (plan(WORKER_KILLED), watch());
    let runs = Runs { first: 1, count: 20, jobs: 1, from: Anchor::first_fault(&plan) };
    let all = time(5, || drop(black_box(sweep(&plan, Calendar::default(), &watch, &runs, |_| {}).expect("no limit"))));
    let single = time(5, || {
        for seed in 1..=20 {
            black_box(run(&plan, Seed(seed), Calendar::default(), Some(&watch)).expect("no limit"));
        }
    });
    row(
        "sweep of 20 seeds of worker-killed on one thread",
        format!("{:.0} ms", all * 1e3),
        format!("{:.2} times 20 runs ({:.0} ms)", all / single, single * 1e3),
    );
}

/// A virtual week of ten members under the shipped rules, with and without an Alertmanager of fifty routes.
fn paged() {
    let plan = plan(
        "name: x
duration: 7d
cluster: { members: { webserver: 1, executor: 2, scheduler: 2, worker: 4, indexer: 1 } }
flows: [ { id: f, namespace: n, tasks: [ { id: t, type: io.kestra.plugin.core.log.Log } ] } ]
behaviour: [ { task: t, duration: 20s, fails: 5% } ]
arrivals: [ { flow: n.f, rate: 6/min } ]
timeline: [ { at: 10m, kill: worker-1, for: 5m, every: 3h }, { at: 2h, kill: executor-1, for: 10m, every: 1d } ]
",
    );
    let routes: Vec<String> = (0..50)
        .map(|n| format!("{{ receiver: r, matchers: ['alertname=~\"X{n}|Kestra.*{n}.*\"'], continue: true }}"))
        .collect();
    let text = format!(
        "route: {{ receiver: r, group_by: [alertname], routes: [{}] }}\nreceivers: [{{ name: r, webhook_configs: [{{ url: 'http://h' }}] }}]\n\
         inhibit_rules: [{{ source_matchers: ['severity=page'], target_matchers: ['severity=warning'], equal: [instance] }}]\n",
        routes.join(", ")
    );
    let version = Version::V0_33;
    let configuration = Arc::new(pager::read("alertmanager.yml", &text, version).0.expect("sound"));
    let templates = Arc::new(pager::templates(&[], version).expect("sound"));
    let paging = Paging { configuration, templates, version, silences: Vec::new() };
    let (without, with) = (watch(), Watch { paging: Some(paging), ..watch() });
    let mut pages = 0;
    let mut once = |watch: &Watch| {
        time(3, || {
            let report = run(&plan, Seed(1), Calendar::default(), Some(watch)).expect("no limit");
            pages = report.paging.map_or(0, |paging| paging.pages.len());
        })
    };
    let (alone, told) = (once(&without), once(&with));
    row(
        "a virtual week of ten members, with an Alertmanager of 50 routes",
        format!("{:.0} ms", told * 1e3),
        format!("{:.3} times the same without ({:.0} ms); {pages} notifications", told / alone, alone * 1e3),
    );
}

/// Six hours in which every process fails for want of its database and is started again.
fn crash_loop() {
    let cluster = |restart: &str, timeline: &str| {
        let member = format!("{{ count: 2, restart: {restart} }}");
        plan(&format!(
            "name: x
duration: 6h
cluster: {{ members: {{ webserver: {member}, executor: {member}, scheduler: {member}, worker: {member} }} }}
timeline: [ {timeline} ]
"
        ))
    };
    let of = |plan: Arc<Plan>| {
        let mut exits = 0;
        let seconds = time(3, || {
            let mut simulation = Simulation::new(plan.clone(), Seed(1), Calendar::default());
            simulation.advance(Instant::START + Duration::minutes(360)).expect("no limit");
            exits = simulation.truth().exits;
        });
        (seconds, exits)
    };
    let (healthy, _) = of(cluster("10s", ""));
    for restart in ["10s", "kubernetes"] {
        let (looping, exits) = of(cluster(restart, "{ at: 1m, database: refused }"));
        row(
            &format!("6 h of 8 members in a crash loop, restart: {restart}"),
            format!("{:.0} ms", looping * 1e3),
            format!(
                "{:.1} times a healthy 6 h ({:.0} ms); {exits} exits, {:.1} us each",
                looping / healthy,
                healthy * 1e3,
                looping / exits.max(1) as f64 * 1e6
            ),
        );
    }
}
