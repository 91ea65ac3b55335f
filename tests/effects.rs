//! Every fault and every rate leaves its trace in what can be seen, as large as it was asked for and no longer than asked for.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::{exposition, families};
use mock_kestra::document;
use mock_kestra::flow::State;
use mock_kestra::management::{Body, Outcome, Request, answer};
use mock_kestra::random::Seed;
use mock_kestra::run::run;
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::{DatabaseView, Simulation};
use mock_kestra::time::{Calendar, Duration, Instant};

fn plan(text: &str) -> Arc<Plan> {
    let (plan, told) = read("x.yaml", text, &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", document::render(&told))))
}

/// A small cluster on which a flow of one task is started 30 times a minute, and this timeline.
fn busy(timeline: &str) -> Arc<Plan> {
    plan(&format!(
        "name: x
duration: 40m
cluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: 2 }} }}
flows:
  - {{ id: f, namespace: n, tasks: [ {{ id: t, type: io.kestra.plugin.scripts.python.Script }} ] }}
  - {{ id: core, namespace: n, tasks: [ {{ id: log, type: io.kestra.plugin.core.log.Log }} ] }}
behaviour: [ {{ task: t, duration: 1s }} ]
arrivals:
  - {{ flow: f, rate: 30/min }}
  - {{ flow: core, rate: 30/min }}
timeline: {timeline}
"
    ))
}

fn minute(n: u64) -> Instant {
    Instant::START + Duration::minutes(n)
}

fn start(plan: &Arc<Plan>) -> Simulation {
    Simulation::new(plan.clone(), Seed(1), Calendar::default())
}

/// What a number grows by in each span of minutes.
fn growth(plan: &Arc<Plan>, minutes: &[u64], number: impl Fn(&Simulation) -> f64) -> Vec<f64> {
    let mut simulation = start(plan);
    let values: Vec<f64> = minutes
        .iter()
        .map(|at| {
            simulation.advance(minute(*at)).expect("no limit");
            number(&simulation)
        })
        .collect();
    values.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The sum of all series of a name with all of these labels, as a member shows them.
fn shown(simulation: &Simulation, member: usize, name: &str, labels: &[&str]) -> f64 {
    let text = exposition(simulation, member);
    let of = |series: &str| series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label));
    let families = families(&text);
    let all = families.iter().flat_map(|family| family.series.iter().zip(&family.values));
    all.filter(|(series, _)| of(series)).map(|(_, value)| value.parse::<f64>().expect("a number")).sum()
}

/// What the first member answers.
fn json(request: &Request, simulation: &Simulation) -> serde_json::Value {
    let Outcome::Answer(answer) = answer(request, simulation, 0) else { panic!("no answer") };
    let (Body::Sized(body) | Body::Chunked(body)) = &answer.body else { panic!("no body") };
    serde_json::from_slice(body).expect("JSON")
}

/// Whether a number of random arrivals is what is to be expected of a mean, within five standard deviations.
fn near(count: f64, mean: f64) -> bool {
    (count - mean).abs() <= 5.0 * mean.sqrt()
}

#[test]
fn executions_come_at_the_rate_that_is_said_and_at_a_changed_one_as_long_as_it_is_changed() {
    let created = |simulation: &Simulation| simulation.truth().created as f64;
    for (timeline, means) in [
        ("[]", [600.0, 600.0, 600.0]),
        ("[ { at: 10m, arrivals: { rate: 300/min }, for: 10m } ]", [600.0, 6000.0, 600.0]),
        ("[ { at: 10m, arrivals: { rate: 3/min }, for: 10m } ]", [600.0, 60.0, 600.0]),
        ("[ { at: 10m, arrivals: { flow: f, rate: 300/min }, for: 10m } ]", [600.0, 3300.0, 600.0]),
        ("[ { at: 10m, arrivals: { times: 4x }, for: 10m } ]", [600.0, 2400.0, 600.0]),
        ("[ { at: 10m, arrivals: { flow: core, times: 0 } } ]", [600.0, 300.0, 300.0]),
    ] {
        let counts = growth(&busy(timeline), &[0, 10, 20, 30], created);
        let all = counts.iter().zip(means).all(|(count, mean)| near(*count, mean));
        assert!(all, "{timeline}: {counts:?} for {means:?}");
    }
}

#[test]
fn a_fault_with_every_comes_again_until_its_last_time() {
    let begins = |timeline: &str| -> Vec<String> {
        let plan = busy(timeline);
        let report = run(&plan, Seed(1), Calendar::default(), None).expect("no limit");
        let killed = report.timeline.iter().filter(|line| line.text == "worker-1 is killed");
        killed.map(|line| line.at.to_string()).collect()
    };
    assert_eq!(begins("[ { at: 2m, kill: worker-1, for: 10s } ]"), ["2m"]);
    assert_eq!(begins("[ { at: 2m, kill: worker-1, for: 10s, every: 10m } ]"), ["2m", "12m", "22m", "32m"]);
    assert_eq!(begins("[ { at: 2m, kill: worker-1, for: 10s, every: 3m, until: 11m } ]"), ["2m", "5m", "8m", "11m"]);
    assert_eq!(begins("[ { at: 2m, kill: worker-1, for: 10s, every: 3m, until: 10m59s } ]"), ["2m", "5m", "8m"]);
}

#[test]
fn on_a_full_disk_tasks_of_plugins_fail_and_others_do_not() {
    let failed = |simulation: &Simulation| simulation.truth().ended_in(State::Failed) as f64;
    let ended = |simulation: &Simulation| simulation.truth().ended_in_all() as f64;
    let plan = busy("[ { at: 10m, disk-full: worker, for: 10m } ]");
    let (failures, ends) = (growth(&plan, &[0, 10, 20, 30], failed), growth(&plan, &[0, 10, 20, 30], ended));
    // Half of all executions are of a plugin; the last of them is seen a little after the end.
    assert!(failures[0] == 0.0 && near(failures[1], 300.0) && failures[2] <= 3.0, "{failures:?}");
    assert!(ends.iter().all(|count| near(*count, 600.0)), "{ends:?}");
    // Of two workers one is hit.
    let one = growth(&busy("[ { at: 10m, disk-full: worker-1, for: 10m } ]"), &[0, 10, 20, 30], failed);
    assert!(one[0] == 0.0 && one[1] > 60.0 && one[1] < 240.0 && one[2] <= 3.0, "{one:?}");
    // It is what the counters say as well.
    let mut simulation = start(&plan);
    simulation.advance(minute(30)).expect("no limit");
    let state = ["state=\"FAILED\""];
    assert_eq!(
        shown(&simulation, 1, "kestra_executor_execution_end_count_total", &state),
        failures.iter().sum::<f64>()
    );
}

#[test]
fn a_long_collection_stops_its_process_and_shows_in_its_meters() {
    let plan = busy("[ { at: 10m, gc-pause: { member: executor-1, pause: 8s } } ]");
    let mut simulation = start(&plan);
    let health = |simulation: &Simulation| answer(&Request::get("/health", simulation.now()), simulation, 1);
    let pauses = |simulation: &Simulation, member: usize, what: &str| {
        shown(simulation, member, &format!("jvm_gc_pause_seconds_{what}"), &[])
    };
    let second = |n: u64| minute(10) + Duration::seconds(n);
    simulation.advance(minute(10).before(Duration::milliseconds(1))).expect("no limit");
    let before = [1, 3].map(|member| ["sum", "count", "max"].map(|what| pauses(&simulation, member, what)));
    assert!(matches!(health(&simulation), Outcome::Answer(_)));
    simulation.advance(second(7)).expect("no limit");
    assert!(!matches!(health(&simulation), Outcome::Answer(_)), "it stands still");
    simulation.advance(second(9)).expect("no limit");
    assert!(matches!(health(&simulation), Outcome::Answer(_)), "it goes on");
    let after = [1, 3].map(|member| ["sum", "count", "max"].map(|what| pauses(&simulation, member, what)));
    let [executor, worker] = [0, 1].map(|n| [0, 1, 2].map(|what| after[n][what] - before[n][what]));
    assert!((8.0..8.1).contains(&executor[0]), "{executor:?}");
    assert!((1.0..=3.0).contains(&executor[1]) && after[0][2] == 8.0, "{executor:?} {after:?}");
    assert!(worker[0] < 0.1 && after[1][2] < 1.0, "{worker:?} {after:?}");
    // The longest of the last three minutes is forgotten after them.
    simulation.advance(minute(14)).expect("no limit");
    assert!(pauses(&simulation, 1, "max") < 1.0);
}

#[test]
fn a_deadlock_blocks_two_threads_and_takes_health_down_as_long_as_it_lasts() {
    let plan = busy("[ { at: 10m, deadlock: executor-1, for: 5m } ]");
    let mut simulation = start(&plan);
    let mut seen = |at: u64| {
        simulation.advance(minute(at)).expect("no limit");
        let Outcome::Answer(health) = answer(&Request::get("/health", simulation.now()), &simulation, 1) else {
            panic!("no answer")
        };
        (shown(&simulation, 1, "jvm_threads_states_threads", &["state=\"blocked\""]), health.status)
    };
    assert_eq!([9, 11, 16].map(&mut seen), [(0.0, 200), (2.0, 503), (0.0, 200)]);
}

#[test]
fn tasks_take_longer_and_fail_more_for_as_long_as_it_is_said() {
    let failed = |simulation: &Simulation| simulation.truth().ended_in(State::Failed) as f64;
    let plan = busy("[ { at: 10m, task-failures: { task: t, share: 50% }, for: 10m } ]");
    let failures = growth(&plan, &[0, 10, 20, 30], failed);
    assert!(failures[0] == 0.0 && near(failures[1], 150.0) && failures[2] <= 3.0, "{failures:?}");
    let plan = busy("[ { at: 10m, task-duration: { task: t, times: 20x }, for: 10m } ]");
    let mut simulation = start(&plan);
    // Thirty a minute of one second each, then of twenty.
    let mut running = |at: u64| {
        simulation.advance(minute(at)).expect("no limit");
        [3, 4].iter().map(|member| shown(&simulation, *member, "kestra_worker_running_count", &[])).sum::<f64>()
    };
    let [before, within, after] = [9, 15, 25].map(&mut running);
    assert!(before <= 4.0 && within >= 5.0 && after <= 4.0, "{before} {within} {after}");
}

#[test]
fn of_faults_that_overlap_rates_multiply_leaks_add_up_and_the_last_of_the_database_wins() {
    let created = |simulation: &Simulation| simulation.truth().created as f64;
    let rates = "[ { at: 10m, arrivals: { rate: 60/min }, for: 20m }, { at: 10m, arrivals: { times: 5x }, for: 10m } ]";
    let counts = growth(&busy(rates), &[0, 10, 20, 30], created);
    assert!(counts.iter().zip([600.0, 6000.0, 1200.0]).all(|(count, mean)| near(*count, mean)), "{counts:?}");

    let leaks = "[ { name: one, at: 10m, heap-leak: { member: executor-1, rate: 1MiB/s }, for: 2m },\
                 \x20 { name: two, at: 10m, heap-leak: { member: executor-1, rate: 2MiB/s }, for: 1m } ]";
    let old =
        |simulation: &Simulation| shown(simulation, 1, "jvm_memory_used_bytes", &["id=\"G1 Old Gen\""]) / 1_048_576.0;
    let mebibytes = growth(&busy(leaks), &[9, 10, 11, 12, 13], old);
    assert_eq!(mebibytes.iter().map(|it| it.round() as i64).collect::<Vec<_>>(), [0, 180, 60, 0]);

    let slow = "[ { name: one, at: 1m, database: { slow: 5x }, for: 10m },\
                \x20 { name: two, at: 3m, database: { slow: 20x }, for: 3m } ]";
    let mut simulation = start(&busy(slow));
    for (at, slowdown) in [(2, 5.0), (4, 20.0), (7, 5.0), (12, 1.0)] {
        simulation.advance(minute(at)).expect("no limit");
        assert_eq!(simulation.database(1), DatabaseView::Reachable { slowdown }, "{at} min");
    }
}

#[test]
fn a_stall_of_the_database_that_ends_before_the_pools_30_seconds_kills_nobody() {
    let ended = |simulation: &Simulation| simulation.truth().ended_in_all() as f64;
    let plan = busy("[ { at: 10m, database: stalled, for: 25s } ]");
    let counts = growth(&plan, &[0, 10, 20, 30], ended);
    // Only what somebody asked for meanwhile is lost: 25 executions.
    assert!(counts.iter().zip([600.0, 575.0, 600.0]).all(|(count, mean)| near(*count, mean)), "{counts:?}");
    let mut simulation = start(&plan);
    simulation.advance(minute(30)).expect("no limit");
    assert_eq!(simulation.truth().exits, 0);
}

#[test]
fn a_task_that_would_take_longer_than_its_timeout_fails_when_it_is_over() {
    let plan = plan(
        "name: x\ncluster: { standalone: 1 }\nflows:\n  - { id: f, namespace: n, tasks: [ { id: t, type: a.B, timeout: PT2S } ] }\n\
         behaviour: [ { task: t, duration: 1m } ]\narrivals: [ { flow: f, rate: 60/min } ]\n",
    );
    let mut simulation = start(&plan);
    simulation.advance(minute(10)).expect("no limit");
    let truth = simulation.truth();
    assert!(truth.ended_in_all() > 500 && truth.ended_in(State::Failed) == truth.ended_in_all(), "{truth:?}");
    assert!(truth.live <= 10, "with its whole minute 60 would be under way: {truth:?}");
}

#[test]
fn an_evaluation_that_fails_starts_nothing() {
    let triggered = |fails: &str| {
        let plan = plan(&format!(
            "name: x\ncluster: {{ standalone: 1 }}\nflows:\n  - id: f\n    namespace: n\n    tasks: [ {{ id: t, type: a.B }} ]\n    \
             triggers: [ {{ id: p, type: io.kestra.plugin.core.http.Trigger, interval: PT30S }} ]\n\
             behaviour: [ {{ task: p, fires: 100%, fails: {fails} }} ]\n"
        ));
        let mut simulation = start(&plan);
        simulation.advance(minute(10)).expect("no limit");
        assert!(simulation.truth().polls_ended >= 10);
        simulation.truth().triggered
    };
    assert!(triggered("0%") >= 10);
    assert_eq!(triggered("100%"), 0);
}

#[test]
fn the_closing_numbers_of_a_report_are_what_the_members_show() {
    let text = |version: &str| {
        format!(
            "name: x\nkestra: \"{version}\"\nduration: 20m\n\
             cluster: {{ members: {{ webserver: 1, executor: 1, scheduler: 1, worker: {{ count: 1, threads: 1 }} }} }}\n\
             flows: [ {{ id: f, namespace: n, tasks: [ {{ id: t, type: a.Plugin }} ] }} ]\n\
             behaviour: [ {{ task: t, duration: 3s, fails: 10% }} ]\narrivals: [ {{ flow: f, rate: 22/min }} ]\n\
             timeline: [ {{ at: 5m, kill: worker-1, for: 5m }} ]\n"
        )
    };
    let started = ("executions created", "kestra_executor_execution_started_count_total");
    let ends = "kestra_executor_execution_end_count_total";
    let success = ("  as SUCCESS", "kestra_executor_execution_end_count_total{state=\"SUCCESS\"}");
    let failed = ("  as FAILED", "kestra_executor_execution_end_count_total{state=\"FAILED\"}");
    let attempts = ("attempts of task runs", "kestra_executor_taskrun_created_count_total");
    let attempts_ended = ("  ended", "kestra_executor_taskrun_ended_count_total");
    let again = ("  handed out again", "kestra_executor_worker_job_resubmit_count_total");
    let waiting = ("jobs waiting in workers", "kestra_worker_job_pending");
    let executions = [started, ("executions ended", ends), success, failed];
    let all = |others: &[(&'static str, &'static str)]| [&executions[..], others].concat();
    for (version, meters) in [
        ("1.3", all(&[attempts, attempts_ended, again, waiting])),
        ("2.0", all(&[attempts, attempts_ended, again])),
        ("0.20", all(&[attempts_ended, waiting])),
    ] {
        let plan = plan(&text(version));
        let report = run(&plan, Seed(1), Calendar::default(), None).expect("no limit");
        let mut simulation = start(&plan);
        simulation.advance(minute(20)).expect("no limit");
        let named: Vec<(&str, &str)> =
            report.closing.iter().filter_map(|figure| Some((figure.name.as_str(), figure.meter.as_deref()?))).collect();
        assert_eq!(named, meters, "{version}");
        for figure in report.closing.iter().filter(|figure| figure.meter.is_some()) {
            let meter = figure.meter.as_deref().unwrap_or_default();
            let (name, state) =
                meter.split_once('{').map_or((meter, ""), |(name, it)| (name, it.trim_end_matches('}')));
            let sum: f64 = (0..plan.cluster.members.len()).map(|it| shown(&simulation, it, name, &[state])).sum();
            assert_eq!(figure.shown, Some(sum), "{version}: {}", figure.name);
            assert!(sum > 0.0 || figure.truth == 0, "{version}: {} shows nothing of {}", figure.name, figure.truth);
            // A gauge of what is there now does not lie.
            let gauge = meter == "kestra_worker_job_pending";
            assert!(!gauge || (sum == figure.truth as f64 && sum > 0.0), "{version}: {sum} of {}", figure.truth);
        }
    }
}

#[test]
fn the_counters_of_a_dead_process_are_not_shown_at_the_end() {
    let text = "name: x\nduration: 20m\ncluster: { restart: never, members: { webserver: 1, executor: 1, scheduler: 1, worker: 1 } }\n\
                flows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.Plugin } ] } ]\narrivals: [ { flow: f, rate: 30/min } ]\n";
    let created = |timeline: &str| {
        let plan = plan(&format!("{text}timeline: [ {timeline} ]\n"));
        let report = run(&plan, Seed(1), Calendar::default(), None).expect("no limit");
        let figure = report.closing.into_iter().find(|figure| figure.name == "executions created").expect("a figure");
        (figure.truth > 0, figure.shown)
    };
    assert!(created("").1.is_some_and(|shown| shown > 500.0));
    assert_eq!(created("{ at: 19m, kill: executor-1 }"), (true, Some(0.0)));
}

#[test]
fn a_tag_of_a_meter_wins_over_one_that_is_configured_for_all() {
    let plan = plan("name: x\nconfiguration: { micronaut: { metrics: { tags: { id: mine } } } }\n");
    let mut simulation = start(&plan);
    simulation.advance(minute(1)).expect("no limit");
    let text = exposition(&simulation, 0);
    let series: Vec<String> = families(&text).into_iter().flat_map(|family| family.series).collect();
    assert!(series.iter().all(|series| series.matches("id=\"").count() - series.matches("_id=\"").count() == 1));
    let ids = |id: &str| series.iter().filter(|series| series.contains(id)).count();
    assert!(ids("{area=\"heap\",id=\"G1 Eden Space\"}") > 0 && ids("{area=\"heap\",id=\"mine\"}") == 0);
    assert!(series.iter().any(|series| series == "jvm_threads_live_threads{id=\"mine\"}"));
}

#[test]
fn a_meter_of_the_metrics_endpoint_is_what_its_series_show_together() {
    let mut simulation = start(&busy("[]"));
    simulation.advance(minute(5)).expect("no limit");
    let request = Request::get("/metrics/http.server.requests", simulation.now());
    let told = json(&request, &simulation);
    let statistic = |name: &str| {
        let all = told["measurements"].as_array().expect("measurements");
        all.iter().find(|it| it["statistic"] == name).and_then(|it| it["value"].as_f64()).expect("a number")
    };
    let series = |name: &str| -> Vec<f64> {
        let families = families(&exposition(&simulation, 0));
        let all = families.iter().flat_map(|family| family.series.iter().zip(&family.values));
        all.filter(|(series, _)| series.split('{').next() == Some(name))
            .map(|(_, value)| value.parse().unwrap())
            .collect()
    };
    let longest = series("http_server_requests_seconds_max");
    assert!(longest.iter().filter(|value| **value > 0.0).count() >= 2, "{longest:?}");
    assert_eq!(statistic("MAX"), longest.iter().copied().fold(0.0, f64::max));
    assert_eq!(statistic("COUNT"), series("http_server_requests_seconds_count").iter().sum::<f64>());
}

#[test]
fn the_scheduler_of_2_0_lists_a_trigger_that_polls_from_a_tenth_of_a_second_before_its_date() {
    let plan = plan(
        "name: x\nkestra: \"2.0\"\nflows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.Plugin } ], \
         triggers: [ { id: poll, type: io.kestra.plugin.core.http.Trigger, interval: PT1M } ] } ]\n",
    );
    let mut simulation = start(&plan);
    let next = |simulation: &Simulation| simulation.schedulable()[0].next.expect("a date");
    let listed = |simulation: &Simulation| {
        let told = json(&Request::get("/scheduler", simulation.now()), simulation);
        told["schedulableCount"].as_u64().expect("a count")
    };
    simulation.advance(minute(5)).expect("no limit");
    while next(&simulation).since(simulation.now()) < Duration::seconds(1) {
        let later = simulation.now() + Duration::seconds(1);
        simulation.advance(later).expect("no limit");
    }
    let due = next(&simulation);
    for (before, count) in [(101, 0), (99, 1)] {
        simulation.advance(due.before(Duration::milliseconds(before))).expect("no limit");
        assert_eq!((next(&simulation), listed(&simulation)), (due, count), "{before} ms before");
    }
}

#[test]
fn a_scrape_counts_all_samples_whichever_are_wanted() {
    let mut simulation = start(&busy("[]"));
    simulation.advance(minute(5)).expect("no limit");
    for member in 0..simulation.members().len() {
        let samples = exposition(&simulation, member).lines().filter(|line| !line.starts_with('#')).count();
        let registry = simulation.members()[member].registry().expect("a process");
        let mut seen = 0;
        registry.samples(&simulation.look(member), |_| seen += 1);
        assert_eq!((registry.lines(), seen), (samples, samples), "member {member}");
    }
}
