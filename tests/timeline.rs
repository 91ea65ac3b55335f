//! The cluster over time, as the page draws it: what was lived is kept, what is to come is what comes.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::server::{Local, plan, session, shipped};
use mock_kestra::run::{Condition, Picture, Session, Watch};
use mock_kestra::server::Options;
use mock_kestra::time::{Duration, Instant};
use mock_kestra::{Answering, Command, Delivery, Simulation, read_rules};

fn minute(n: u64) -> Instant {
    Instant::START + Duration::minutes(n)
}

fn rules() -> Watch {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/rules/kestra.yml"));
    let rules = read_rules("kestra.yml", &text.expect("readable")).unwrap_or_else(|_| panic!("sound rules")).0;
    Watch { rules, live: true, ..Watch::default() }
}

/// A session that is looked on, at its start.
fn looked_on(scenario: &str, watch: Option<&Watch>) -> Session {
    let mut session = session(plan(scenario)).endless();
    session.keep_lived(Duration::ZERO);
    session.advance(Instant::START).expect("no limit");
    match watch {
        Some(watch) => session.watched(watch),
        None => session,
    }
}

/// What a member was in, from an instant on, up to another.
fn lane(picture: &Picture, member: usize, (from, to): (Instant, Instant)) -> Vec<(Instant, &'static str)> {
    let lane = &picture.lanes[member];
    let word = |(at, condition): &(Instant, Condition)| (*at, condition.word());
    lane.iter().filter(|(at, _)| *at > from && *at <= to).map(word).collect()
}

#[test]
fn what_is_foreseen_comes_its_alerts_too() {
    for name in ["worker-killed", "database-outage", "alert-flows", "jvm/long-gc-pause", "workers/autoscale"] {
        let mut session = looked_on(&shipped(name), Some(&rules()));
        session.advance(minute(9)).expect("no limit");
        let (now, to) = (session.now(), minute(24));
        let (foreseen, there) = session.foresight(to).go(&|| true);
        assert_eq!((session.now(), there.now()), (now, to), "{name}: only the copy has moved");
        session.advance(to).expect("no limit");
        let lived = session.lived(now).expect("it is kept");
        let members = lived.lanes.len();
        assert!(members > 0 && foreseen.lanes.len() == members);
        for member in 0..members {
            assert_eq!(lane(&foreseen, member, (now, to)), lane(&lived, member, (now, to)), "{name}: {member}");
        }
        assert_eq!(foreseen.bands, lived.bands, "{name}");
        assert_eq!(foreseen.alerts, lived.alerts, "{name}");
        let mut same = 0;
        for figures in &foreseen.figures {
            if let Some(other) = lived.figures.iter().find(|other| other.at == figures.at) {
                assert_eq!(figures, other, "{name}");
                same += 1;
            }
        }
        assert!(same > 100, "{name}: {same} instants are in both");
    }
}

#[test]
fn each_condition_is_told_from_the_instant_on_at_which_it_began() {
    let text = "name: x\nduration: 60m\ncluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: { count: 2, restart: 10s } } }\n\
                flows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.B } ] } ]\n\
                behaviour: [ { task: t, duration: 40s } ]\narrivals: [ { flow: f, rate: 12/min } ]\n\
                timeline:\n  - { at: 61.5s, hang: worker-1, for: 1.25s }\n  - { at: 3m, stop: worker-2, for: 2m }\n  - { at: 6m, kill: worker-1 }\n";
    let mut session = looked_on(text, None);
    session.advance(minute(10)).expect("no limit");
    let picture = session.lived(Instant::START).expect("it is kept");
    let after = |n: f64| Instant::START + Duration::from_seconds_f64(n);
    let first: Vec<_> = lane(&picture, 3, (Instant::START, minute(4)));
    assert_eq!(first, [(after(61.5), "hung"), (after(62.75), "serving")], "however short it is");
    let words = |member| lane(&picture, member, (minute(2), minute(10))).iter().map(|it| it.1).collect::<Vec<_>>();
    assert_eq!(words(4), ["draining", "dead", "starting", "serving"]);
    assert_eq!(words(3), ["dead", "starting", "serving"]);
    assert_eq!(lane(&picture, 3, (minute(5), minute(7)))[0].0, minute(6));
    let bands: Vec<_> = picture.bands.iter().map(|band| (band.from, band.to)).collect();
    assert_eq!(bands[0], (after(61.5), Some(after(62.75))));
    assert_eq!(bands[2], (minute(6), Some(minute(6))), "a kill is over at once");
}

/// All expositions of a cluster.
fn text(simulation: &Simulation) -> String {
    let mut out = Vec::new();
    for (index, member) in simulation.members().iter().enumerate() {
        member.registry().into_iter().for_each(|it| it.render(&simulation.look(index), &mut out));
    }
    String::from_utf8(out).expect("text")
}

#[test]
fn whoever_looks_on_changes_nothing() {
    let scenario = shipped("database-outage");
    let mut plain = session(plan(&scenario)).endless();
    let mut looked_at = looked_on(&scenario, None);
    for step in 1..=60 {
        let to = Instant::START + Duration::milliseconds(step * 31_007);
        looked_at.advance(to).expect("no limit");
        looked_at.lived(Instant::START).expect("it is kept");
        let _ = looked_at.foresight(to + Duration::minutes(3)).go(&|| true);
    }
    plain.advance(looked_at.now()).expect("no limit");
    assert_eq!(text(plain.simulation()), text(looked_at.simulation()));
    assert_eq!(plain.simulation().events(), looked_at.simulation().events());
}

#[test]
fn however_long_it_lives_the_picture_is_bounded_and_covers_all_of_it() {
    let mut session = looked_on("name: long\ncluster: { standalone: 1 }\n", None);
    for (hours, apart) in [(0.5, 5.0), (3.0, 20.0), (50.0, 320.0)] {
        let end = Instant::START + Duration::from_seconds_f64(hours * 3_600.0);
        session.advance(end).expect("no limit");
        let picture = session.lived(Instant::START).expect("it is kept");
        assert!((300..=721).contains(&picture.figures.len()), "{}", picture.figures.len());
        assert_eq!(picture.figures.last().map(|it| it.at), Some(end));
        let gaps = picture.figures.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_seconds_f64());
        assert!(gaps.fold(0.0, f64::max) <= apart, "{hours}");
    }
    session.restart();
    let picture = session.lived(Instant::START).expect("it looks on after a beginning anew");
    assert!(picture.figures.len() <= 1, "and has forgotten what was");
}

#[test]
fn the_port_tells_past_and_future_and_refuses_what_means_nothing() {
    let watched = session(plan(&shipped("worker-killed"))).watched(&rules());
    let mock = Local::serve(watched, |clock| clock.paused(), Options::default());
    mock.post("/api/run-until", r#"{"at": "9m", "now": true}"#);
    let (status, whole) = mock.ask("GET", "/api/timeline?from=0s&to=12m&points=700", "");
    assert_eq!((status, whole["now"].as_f64(), whole["to"].as_f64()), (200, Some(540.0), Some(720.0)));
    let alerts = |told: &serde_json::Value| -> Vec<String> {
        let all = told["alerts"].as_array().expect("rules are watched").iter();
        all.filter(|it| it["firing"].is_number())
            .map(|it| it["alert"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert!(alerts(&whole).iter().any(|name| name == "KestraWorkerDown"), "{whole}");
    let worker = &whole["members"][3]["spans"];
    assert!(worker.to_string().contains(r#"{"at":600.0,"condition":"dead"}"#), "{worker}");
    let (_, past) = mock.ask("GET", "/api/timeline?from=0s", "");
    assert!(alerts(&past).is_empty() && past["faults"].as_array().is_some_and(Vec::is_empty));
    // Looking ahead has moved nothing.
    assert_eq!(mock.ask("GET", "/api/state", "").1["time"], "9m");
    let points = past["figures"]["at"].as_array().expect("a list").len();
    let few = mock.ask("GET", "/api/timeline?from=0s&points=10", "").1;
    assert!(points > 60 && few["figures"]["at"].as_array().is_some_and(|it| it.len() <= 10), "{points}");
    for (query, said) in [
        ("from=later", "no time"),
        ("to=25h", "more than 24h ahead"),
        ("from=8m&to=7m", "before"),
        ("points=1", "no number of points"),
        ("points=9999", "no number of points"),
        ("at=5m", "no parameter"),
    ] {
        let (status, told) = mock.ask("GET", &format!("/api/timeline?{query}"), "");
        assert!(status == 400 && told["detail"].as_str().is_some_and(|it| it.contains(said)), "{query}: {told}");
    }
    // A fault makes another future: its number tells.
    mock.post("/api/faults", r#"{"hang": "worker-2", "for": "1m"}"#);
    let (_, later) = mock.ask("GET", "/api/timeline?from=8m&to=12m", "");
    assert_ne!(later["version"], whole["version"]);
    assert!(later["faults"][0]["to"] == 600.0 && later["members"][4]["spans"][1]["condition"] == "hung", "{later}");
}

#[test]
fn what_cannot_be_foreseen_is_told_by_name() {
    let mock = Local::paused("worker-killed");
    let unforeseen = |to: &str| mock.ask("GET", &format!("/api/timeline?to={to}"), "").1["unforeseen"].clone();
    assert_eq!(unforeseen("2m"), serde_json::json!([]));
    let mut session = looked_on(&shipped("alert-flows"), None);
    session.command(Command::Receivers(Answering::Outside)).expect("it is taken");
    assert!(session.unforeseen()[0].contains("real receivers"), "{:?}", session.unforeseen());
    // They are foreseen as the scenario has them.
    let (foreseen, there) = session.foresight(minute(16)).go(&|| true);
    assert_eq!((foreseen.to, there.now()), (minute(16), minute(16)));
    assert!(there.sent().iter().all(|sent| sent.delivery != Delivery::Waiting) && !there.sent().is_empty());
}

#[test]
fn a_fault_that_happens_again_and_again_is_a_band_each_time() {
    let text = "name: x\nduration: 60m\ncluster: { standalone: 1 }\n\
                timeline: [ { at: 1m, no-answer: standalone-1, for: 10s, every: 2m, until: 8m } ]\n";
    let mut session = looked_on(text, None);
    session.advance(minute(10)).expect("no limit");
    let picture = session.lived(Instant::START).expect("it is kept");
    let bands: Vec<_> = picture.bands.iter().map(|it| (it.from, it.to)).collect();
    let at = |n| (minute(n), Some(minute(n) + Duration::seconds(10)));
    assert_eq!(bands, [at(1), at(3), at(5), at(7)]);
    let words: Vec<_> = lane(&picture, 0, (Instant::START, minute(10))).into_iter().map(|it| it.1).collect();
    assert_eq!(words, ["hung", "serving"].repeat(4));
}

#[test]
fn every_fault_has_a_row_from_which_a_form_is_made_and_its_example_is_taken() {
    let mock = Local::paused("healthy-cluster");
    let (_, told) = mock.ask("GET", "/api/fault-kinds", "");
    let kinds = told["kinds"].as_array().expect("a list");
    assert!(kinds.len() > 30, "{}", kinds.len());
    assert!(told["flows"].as_array().is_some_and(|it| !it.is_empty()) && told["members"][0] == "webserver-1");
    for kind in kinds {
        let mut body = serde_json::json!({ kind["keyword"].as_str().expect("a word"): kind["example"] });
        for field in kind["beside"].as_array().expect("a list") {
            body[field["key"].as_str().expect("a word")] =
                serde_json::from_str(field["example"].as_str().expect("text")).expect("a number");
        }
        let (status, answer) = mock.ask("POST", "/api/faults", &body.to_string());
        // What the cluster of this scenario cannot do is told by its name; that it is written well is seen by the status.
        assert!([201, 409, 422].contains(&status) || about_this_cluster(&answer), "{body}: {status} {answer}");
    }
}

/// Whether something was refused because this cluster has no such flow, queue or receiver.
fn about_this_cluster(answer: &serde_json::Value) -> bool {
    let detail = answer["detail"].as_str().unwrap_or_default();
    ["flow", "receiver", "task", "place", "version", "2.0", "worker"].iter().any(|word| detail.contains(word))
}
