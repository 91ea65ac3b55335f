//! What nobody recorded, and source or documentation tells: Kafka streams, threads of busy workers, versions between.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::simulate;
use mock_kestra::document::render;
use mock_kestra::management::{Body, Outcome, Request, answer};
use mock_kestra::profile::Profile;
use mock_kestra::scenario::{NoFiles, Plan, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Duration, Instant};
use serde_json::{Value, json};

fn plan(text: &str) -> Arc<Plan> {
    let (plan, told) = read("source.yaml", &format!("name: source\n{text}"), &NoFiles);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", render(&told))))
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::seconds(seconds)
}

fn get(simulation: &Simulation, member: usize, path: &str) -> (u16, Value) {
    let Outcome::Answer(answer) = answer(&Request::get(path, simulation.now()), simulation, member) else {
        panic!("no answer")
    };
    let (Body::Sized(body) | Body::Chunked(body)) = &answer.body else { panic!("a body") };
    (answer.status, serde_json::from_slice(body).expect("JSON"))
}

const MAIN: &str = "io.kestra.runner.kafka.executors.ExecutorMain";
const FLOWS: &str = "flows: [ { id: work, namespace: company.team, tasks: [ { id: t, type: io.kestra.plugin.core.flow.Sleep, duration: PT1M } ] } ]\n\
                     arrivals: [ { flow: work, rate: 120/min } ]\n";

#[test]
fn kafka_streams_follow_the_backlog_and_the_group() {
    let text = "cluster: { queue: kafka, members: { webserver: 1, executor: { count: 2, restart: never }, scheduler: 1, worker: 1, indexer: 1 } }\n\
                timeline: [ { at: 60s, hang: executor, for: 60s }, { at: 200s, kill: executor-1 }, { at: 300s, database: refused, for: 1s } ]\n";
    let plan = plan(&format!("{text}{FLOWS}"));
    let mut simulation = simulate(&plan, 1, at(50));
    let streams = |simulation: &Simulation, member| get(simulation, member, "/kafkastreams").1;
    let state = |simulation: &Simulation, member| streams(simulation, member)[0]["state"].clone();
    let lag = |simulation: &Simulation| -> u64 {
        let (status, lags) = get(simulation, 3, "/kafkastreams/io.kestra.runner.kafka.KafkaScheduler/lag");
        assert_eq!((status, lags.as_array().expect("partitions").len()), (200, 32));
        simulation.streams(1)[0].stores.iter().map(mock_kestra::simulator::Store::lag).sum()
    };
    assert_eq!(state(&simulation, 1), "RUNNING");
    assert_eq!(streams(&simulation, 3)[0]["clientId"], "io.kestra.runner.kafka.KafkaScheduler");
    let members: Vec<String> = streams(&simulation, 1)[0].as_object().expect("a stream").keys().cloned().collect();
    assert_eq!(members, ["ready", "clientId", "state", "storeLags"]);
    assert!(lag(&simulation) < 5);
    let (_, lags) = get(&simulation, 1, &format!("/kafkastreams/{MAIN}/lag"));
    let mut read = 0;
    for partition in lags.as_array().expect("partitions") {
        let number = |key: &str| partition[key].as_u64().expect("a number");
        assert_eq!(number("offsetLag"), number("endOffsetPosition") - number("currentOffsetPosition"));
        read += number("currentOffsetPosition");
    }
    assert!(read > 0, "something was read");
    // Both executors stand still: what arrives waits, two executions a second.
    simulation.advance(at(118)).expect("no limit");
    assert!(lag(&simulation) > 100, "{}", lag(&simulation));
    // A killed one is missed when its session is over, then the group sorts itself out.
    simulation.advance(at(230)).expect("no limit");
    assert_eq!(state(&simulation, 2), "RUNNING");
    simulation.advance(at(250)).expect("no limit");
    assert_eq!(state(&simulation, 2), "REBALANCING");
    simulation.advance(at(260)).expect("no limit");
    assert_eq!(state(&simulation, 2), "RUNNING");
    let (status, metrics) = get(&simulation, 2, &format!("/kafkastreams/{MAIN}/metrics"));
    assert!(status == 200 && metrics.as_array().is_some_and(|all| all.len() > 3), "{metrics}");
    simulation.advance(at(300)).expect("no limit");
    assert_eq!(state(&simulation, 3), "ERROR");
    // Only executor and scheduler have it, and what is unknown is told.
    for (member, path, status) in [
        (0, "/kafkastreams".to_owned(), 404),
        (4, "/kafkastreams".to_owned(), 404),
        (3, format!("/kafkastreams/{MAIN}"), 404),
        (3, format!("/kafkastreams/{MAIN}/lag"), 422),
        (3, "/kafkastreams/io.kestra.runner.kafka.KafkaScheduler/x".to_owned(), 422),
    ] {
        assert_eq!(get(&simulation, member, &path).0, status, "{path} of {member}");
    }
    let without = self::plan("cluster: { standalone: 1 }\n");
    assert_eq!(get(&simulate(&without, 1, at(1)), 0, "/kafkastreams").0, 404);
}

#[test]
fn a_busy_worker_shows_a_thread_for_each_task_it_runs() {
    for (version, name) in [("0.20", "worker_0"), ("1.3", "worker_0"), ("2.0", "worker-default_0")] {
        let plan = plan(&format!("kestra: \"{version}\"\ncluster: {{ standalone: {{ threads: 4 }} }}\n{FLOWS}"));
        let simulation = simulate(&plan, 1, at(60));
        let (_, threads) = get(&simulation, 0, "/threaddump");
        let threads = threads.as_array().expect("threads");
        let prefix = name.trim_end_matches('0');
        let workers: Vec<&Value> = threads
            .iter()
            .filter(|thread| thread["threadName"].as_str().is_some_and(|name| name.starts_with(prefix)))
            .collect();
        assert_eq!(workers.len(), 4, "as many as run: {version}");
        assert_eq!((&workers[0]["threadName"], &workers[0]["threadState"]), (&json!(name), &json!("TIMED_WAITING")));
        let frames = workers[0]["stackTrace"].as_array().expect("frames");
        assert!(
            frames
                .iter()
                .any(|frame| frame["className"] == "io.kestra.plugin.core.flow.Sleep" && frame["methodName"] == "run")
        );
        // The same members as a recorded thread has.
        let keys = |thread: &Value| thread.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        let recorded = threads.iter().find(|thread| thread["threadState"] == "RUNNABLE").expect("a recorded one");
        assert_eq!(keys(workers[0]), keys(recorded));
    }
}

#[test]
fn versions_between_answer_as_their_neighbours_and_say_their_own_name() {
    for version in Profile::NAMES {
        let plan = plan(&format!("kestra: \"{version}\"\n"));
        let simulation = simulate(&plan, 1, at(1));
        let (status, said) = get(&simulation, 0, "/version");
        assert_eq!(status, 200);
        assert!(said["version"].as_str().is_some_and(|said| said.starts_with(&format!("{version}."))), "{said}");
        // The date of the commit came with 0.19.
        assert_eq!(said.get("commitDate").is_some(), !["0.17", "0.18"].contains(version), "{said}");
        let form = if *version == "2.0" { "title" } else { "message" };
        assert!(get(&simulation, 0, "/nope").1.get(form).is_some(), "{version}");
    }
}
