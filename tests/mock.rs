//! A mock for tests in Rust: every call of it, several at once, and its end in all the ways a test can end.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mock_kestra::{Clock, Instant, MockBuilder, MockError, MockKestra, Until};

/// A worker dies after two minutes, and a rule tells of it.
const SCENARIO: &str = "\
name: mine
duration: 10m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 2 } }
flows:
  - id: load
    namespace: company.team
    inputs: [ { id: day, type: STRING } ]
    tasks: [ { id: work, type: io.kestra.plugin.scripts.shell.Commands } ]
  - id: tell
    namespace: company.alerts
    tasks: [ { id: say, type: io.kestra.plugin.notifications.slack.SlackIncomingWebhook, \
             url: 'https://hooks.slack.com/services/T/B/x', payload: '{\"text\": \"it is late\"}' } ]
behaviour: [ { flow: load, duration: 30s } ]
timeline: [ { at: 2m, kill: worker-1, for: 3m } ]
expect: [ { alert: Down, fires: { after: 2m, within: 3m } } ]
";
const RULES: &str = "groups: [ { name: g, rules: [ { alert: Down, expr: up == 0, for: 1m } ] } ]\n";

fn mine() -> MockBuilder {
    MockKestra::builder().scenario_text(SCENARIO).rules_text(RULES)
}

fn started(builder: MockBuilder) -> MockKestra {
    builder.start().expect("a sound mock")
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn at(n: u64) -> Instant {
    Instant::START + mock_kestra::Duration::seconds(n)
}

/// The answer to a GET, or that nobody listens.
fn get(url: &str) -> std::io::Result<String> {
    let rest = url.strip_prefix("http://").expect("a URL");
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(seconds(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What a panic said.
fn said(panic: Box<dyn std::any::Any + Send>) -> String {
    panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|it| (*it).to_owned())).expect("words")
}

fn told(result: Result<MockKestra, MockError>) -> String {
    result.expect_err("a mistake").to_string()
}

#[test]
fn a_mock_is_made_of_what_ships_and_its_members_answer_on_ports_of_their_own() {
    let mock = started(MockKestra::builder().scenario("worker-killed").kestra("2.0").seed(7));
    assert_eq!(mock.warnings(), "");
    let url = mock.url("worker-1").expect("a member");
    assert!(get(&format!("{url}/health")).expect("an answer").starts_with("HTTP/1.1 200"));
    assert!(get(&format!("{url}/prometheus")).expect("an answer").contains("kestra_"));
    assert!(get(&format!("{}/ping", mock.kestra_url().expect("a webserver"))).expect("an answer").contains("pong"));
    let state = get(&format!("{}/api/state", mock.control_url())).expect("an answer");
    assert!(state.contains("\"seed\":7") || state.contains("\"seed\": 7"), "{state}");
    assert_eq!(mock.addresses().members.len(), 5);
    assert_eq!(
        mock.url("worker-7").unwrap_err().to_string(),
        "no member is called `worker-7`; did you mean `worker-1`?"
    );
    mock.verify().expect("what ships holds");
}

#[test]
fn time_moves_only_by_hand() {
    let mock = started(mine());
    assert_eq!(mock.now().unwrap(), at(0));
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(mock.now().unwrap(), at(0));
    assert_eq!(mock.advance(seconds(119)).unwrap(), at(119));
    // The crate's own spans do as well.
    assert_eq!(mock.advance(mock_kestra::Duration::seconds(2)).unwrap(), at(121));
    let health = format!("{}/health", mock.url("worker-1").unwrap());
    assert_eq!(get(&health).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused, "it is dead");
    assert_eq!(mock.run_until(Until::at(seconds(330))).unwrap(), at(330));
    assert!(get(&health).expect("it is back").starts_with("HTTP/1.1 200"));
    let past = mock.run_until(Until::at(seconds(10))).unwrap_err().to_string();
    assert!(past.contains("is past, it is 5m30s now"), "{past}");
    let far = mock.advance(Duration::MAX).unwrap_err().to_string();
    assert!(far.contains("too far away") && far.contains("400d"), "{far}");
    assert_eq!(mock.now().unwrap(), at(330));
}

#[test]
fn with_the_wall_clock_it_runs_by_itself() {
    let mock = started(mine().clock(Clock::wall().at_speed(1_000.0)));
    while mock.now().unwrap() < at(2) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(mock.advance(seconds(60)).unwrap() >= at(62));
}

#[test]
fn alerts_are_waited_for_and_told_of() {
    let mock = started(mine());
    assert!(mock.alerts().unwrap().is_empty());
    let fired = mock.run_until(Until::alert_fires("Down")).unwrap();
    assert!(at(180) < fired && fired < at(220), "{fired}");
    // What is so moves nothing.
    assert_eq!(mock.run_until(Until::alert_fires("Down")).unwrap(), fired);
    let alerts = mock.alerts().unwrap();
    let worker = ("instance".to_owned(), "worker-1:8081".to_owned());
    assert!(matches!(alerts.as_slice(), [alert] if alert.fires && alert.labels.contains(&worker)), "{alerts:?}");
    let resolved = mock.run_until(Until::alert_resolves("Down")).unwrap();
    assert!(at(300) < resolved && resolved < at(340), "{resolved}");
    assert!(mock.alerts().unwrap().is_empty());

    let late = mock.run_until(Until::alert_fires("Down").within(seconds(90))).unwrap_err().to_string();
    assert_eq!(mock.now().unwrap(), resolved + mock_kestra::Duration::seconds(90));
    for part in ["not seen within 1m30s: the alert Down fires", "Down is fired: ", "worker-1 is killed", "until 5m"] {
        assert!(late.contains(part), "{part}: {late}");
    }
    let unknown = mock.run_until(Until::alert_fires("Dwon")).unwrap_err().to_string();
    assert_eq!(unknown, "no rule alerts as `Dwon`; did you mean `Down`?");
    let report = mock.verify().unwrap();
    assert_eq!(report.expectations.iter().map(|it| it.met).collect::<Vec<_>>(), [Some(true)]);
}

#[test]
fn without_rules_nobody_is_scraped_and_alerts_are_an_error() {
    let mock = started(MockKestra::builder().scenario_text("name: plain\n").without_rules());
    let advice = "leave out `without_rules`";
    assert!(mock.alerts().unwrap_err().to_string().contains(advice));
    assert!(mock.run_until(Until::alert_fires("Down")).unwrap_err().to_string().contains(advice));
    assert!(mock.verify().unwrap().alerts.is_none());
}

#[test]
fn faults_are_injected_and_cleared_in_the_grammar_of_the_timeline() {
    let mock = started(mine());
    mock.advance(seconds(10)).unwrap();
    assert_eq!(mock.inject("{ hang: executor-1 }").unwrap(), "hang-executor-1");
    assert_eq!(mock.inject(r#"{ "database": "stalled", "at": "5m", "name": "later" }"#).unwrap(), "later");
    let line = mock.journal().unwrap().last().expect("a line").text.clone();
    assert_eq!(line, "fault hang-executor-1: hang executor-1");
    mock.clear("hang-executor-1").unwrap();
    mock.clear("later").unwrap();
    assert_eq!(mock.journal().unwrap().last().expect("a line").text, "fault hang-executor-1 ends");
    let again = mock.clear("hang-executor-1").unwrap_err().to_string();
    assert!(again.contains("is over since 10s"), "{again}");
    let wrong = mock.inject("{ kil: worker-1 }").unwrap_err().to_string();
    assert!(wrong.contains("did you mean `kill`?"), "{wrong}");
    let past = mock.inject("{ kill: worker-1, at: 5s }").unwrap_err().to_string();
    assert!(past.contains("past"), "{past}");
}

#[test]
fn executions_are_started_with_inputs_and_labels_and_followed_to_their_end() {
    let mock = started(mine());
    let id = mock
        .execute_with("company.team.load", &std::collections::BTreeMap::from([("day", "monday")]), &[("team", "a")])
        .unwrap();
    mock.advance(seconds(5)).unwrap();
    assert_eq!(mock.execution_state(&id).unwrap(), "RUNNING");
    let ended = mock.run_until(Until::execution_ends(&id)).unwrap();
    assert!(at(30) <= ended && ended < at(40), "{ended}");
    assert_eq!(mock.execution_state(&id).unwrap(), "SUCCESS");
    let seen = mock.session(|session| session.simulation().execution(&id).expect("it is kept")).unwrap();
    assert_eq!(seen.labels.iter().find(|(key, _)| key == "team").map(|(_, value)| value.as_str()), Some("a"));
    assert_eq!(seen.inputs["day"], "monday");

    let unknown = mock.execute("laod").unwrap_err().to_string();
    assert_eq!(unknown, "`laod` is no flow of this scenario; did you mean `load`?");
    let wants = mock.execute("load").unwrap_err().to_string();
    assert!(wants.contains("day"), "{wants}");
    let map = std::collections::BTreeMap::from([("dya", "monday")]);
    let undeclared = mock.execute_with("load", &map, &[]).unwrap_err().to_string();
    assert_eq!(undeclared, "the flow `load` declares no input `dya`; did you mean `day`?");
    let list = mock.execute_with("load", &["monday"], &[]).unwrap_err().to_string();
    assert!(list.contains("give a map or a struct"), "{list}");
    assert!(mock.execution_state("nothing").unwrap_err().to_string().contains("there is no execution `nothing`"));
    assert!(mock.run_until(Until::execution_ends("nothing")).is_err());
}

#[test]
fn notifications_are_told_and_waited_for() {
    let mock = started(mine());
    assert!(mock.notifications().unwrap().is_empty());
    mock.execute("tell").unwrap();
    mock.run_until(Until::notified("slack")).unwrap();
    let sent = mock.notifications().unwrap();
    assert!(matches!(sent.as_slice(), [one] if one.taken && one.flow == "company.alerts.tell"), "{sent:?}");
    assert!(sent[0].body.contains("it is late"), "{}", sent[0].body);
    // What was before is not waited for.
    let again = mock.run_until(Until::notified("company.alerts.tell").within(seconds(5))).unwrap_err().to_string();
    assert!(again.starts_with("not seen within 5s: company.alerts.tell is heard of"), "{again}");
    let unknown = mock.run_until(Until::notified("slakc")).unwrap_err().to_string();
    assert!(unknown.contains("did you mean the channel `slack`?"), "{unknown}");
}

#[test]
fn a_line_of_the_journal_is_waited_for_and_anything_that_can_be_asked() {
    let mock = started(mine());
    let killed = mock.run_until(Until::happens("worker-1 is killed")).unwrap();
    assert_eq!(killed, at(120));
    let second = mock.run_until(Until::happens("worker-1 is killed").within(seconds(20))).unwrap_err().to_string();
    assert!(second.contains("something like \"worker-1 is killed\" happens"), "{second}");
    let busy = Until::holds("it is later than 3m", |session| session.now() > at(180));
    assert_eq!(mock.run_until(busy).unwrap(), at(181));
    let never = Until::holds("pigs fly", |_| false).within(seconds(1));
    assert!(mock.run_until(never).unwrap_err().to_string().starts_with("not seen within 1s: pigs fly\n"));
}

#[test]
fn the_verdict_tells_what_was_seen_and_does_not_move_time() {
    let mock = started(mine().rules_text("").verify_on_drop(false));
    mock.advance(seconds(60)).unwrap();
    mock.inject("{ restart: scheduler-1 }").unwrap();
    let report = mock.verify().unwrap();
    assert_eq!(mock.now().unwrap(), at(60));
    assert!(report.timeline.iter().any(|line| line.at == at(60) && line.text.contains("restart scheduler-1")));

    let late = SCENARIO.replace("after: 2m, within: 3m", "within: 2m");
    let mock = started(MockKestra::builder().scenario_text(late).rules_text(RULES).verify_on_drop(false));
    let told = mock.verify().unwrap_err();
    assert!(matches!(told, MockError::NotMet(_)));
    assert_eq!(format!("{told:?}"), told.to_string(), "unwrap shows it as it is");
    for part in [
        "1 of 1 expectation of mine is not met (Kestra 1.3, seed 1)",
        "NOT MET     alert Down fires within 2m: fired at 3m",
        "The mock is at 0s; what follows goes on to the end of the scenario.",
        "Down{instance=\"worker-1:8081\"",
        "worker-1 is killed",
    ] {
        assert!(told.to_string().contains(part), "{part}: {told}");
    }
}

#[test]
fn the_verdict_is_that_of_a_run_of_the_saved_session() {
    for (seed, scenario) in [(3, "worker-killed"), (5, "alert-flows"), (2, "autoscale")] {
        let mock = started(MockKestra::builder().scenario(scenario).seed(seed).without_rules().verify_on_drop(false));
        for (wait, fault) in [(95, "{ kill: worker, for: 1m }"), (400, "{ database: stalled, for: 20s }")] {
            mock.advance(seconds(wait)).unwrap();
            // A standalone has no worker.
            let _ = mock.inject(fault);
        }
        let judged = mock.verify().expect("without rules little is judged");
        let end = Instant::START + judged.duration;
        let went_on = mock
            .session(|session| {
                session.advance(end).expect("no limit");
                session.simulation().truth().clone()
            })
            .unwrap();
        assert_eq!(judged.closing[0].truth, went_on.created, "{scenario}");
        let journal = mock.journal().unwrap();
        assert_eq!(judged.timeline, journal[journal.len() - judged.timeline.len()..], "{scenario}");
    }
}

#[test]
fn its_end_judges_and_closes_its_ports() {
    let mock = started(mine());
    let (url, control) = (mock.url("executor-1").unwrap(), mock.control_url());
    assert!(get(&format!("{url}/health")).is_ok());
    drop(mock);
    assert!(get(&url).is_err() && get(&control).is_err(), "its ports are closed");

    let late = SCENARIO.replace("after: 2m, within: 3m", "within: 2m");
    let builder = || MockKestra::builder().scenario_text(late.as_str()).rules_text(RULES);
    let mock = started(builder());
    let url = mock.control_url();
    let told = said(catch_unwind(AssertUnwindSafe(|| drop(mock))).expect_err("it is not met"));
    assert!(told.contains("NOT MET     alert Down fires within 2m"), "{told}");
    assert!(get(&url).is_err(), "its ports are closed all the same");

    // Who has asked, or wants no judging, is not told again.
    let mock = started(builder());
    assert!(mock.verify().is_err());
    drop(mock);
    drop(started(builder().verify_on_drop(false)));
}

#[test]
fn its_end_is_quiet_while_a_panic_is_under_way() {
    let late = SCENARIO.replace("after: 2m, within: 3m", "within: 2m");
    let mut url = String::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let mock = MockKestra::builder().scenario_text(late).rules_text(RULES).start().expect("sound");
        url = mock.control_url();
        panic!("the test itself fails");
    }));
    assert_eq!(said(panic.expect_err("it fails")), "the test itself fails");
    assert!(get(&url).is_err(), "its ports are closed");
}

#[test]
fn a_panic_of_a_question_is_one_of_the_test_and_not_hidden() {
    let mock = started(mine().verify_on_drop(false));
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _ = mock.run_until(Until::holds("boom", |_| panic!("boom")));
    }));
    assert_eq!(said(panic.expect_err("it panics")), "boom");
    assert!(matches!(mock.now(), Err(MockError::Denied { .. })), "nothing is said of a session that was left half-way");
}

#[test]
fn several_live_at_once_in_many_threads_and_know_nothing_of_each_other() {
    fn assert_shared<T: Send + Sync + 'static>() {}
    assert_shared::<MockKestra>();
    let threads: Vec<_> = (1..=8u64)
        .map(|seed| {
            std::thread::spawn(move || {
                let mock = started(mine().seed(seed));
                mock.advance(seconds(seed)).unwrap();
                let metrics = get(&format!("{}/prometheus", mock.url("worker-2").unwrap())).unwrap();
                assert!(metrics.starts_with("HTTP/1.1 200"));
                (mock.now().unwrap(), mock.url("worker-2").unwrap(), mock)
            })
        })
        .collect();
    let all: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("it is well")).collect();
    let times: Vec<Instant> = all.iter().map(|(now, ..)| *now).collect();
    assert_eq!(times, (1..=8).map(at).collect::<Vec<_>>());
    let urls: std::collections::BTreeSet<&String> = all.iter().map(|(_, url, _)| url).collect();
    assert_eq!(urls.len(), 8);
    // One is shared by threads, too.
    let one = Arc::new(started(mine()));
    let movers: Vec<_> = (0..4)
        .map(|_| {
            let one = one.clone();
            std::thread::spawn(move || one.advance(seconds(10)).map(drop))
        })
        .collect();
    movers.into_iter().for_each(|mover| mover.join().expect("it is well").expect("it moves"));
    assert_eq!(one.now().unwrap(), at(40), "each has had its turn");
}

#[test]
fn the_same_seed_and_calls_give_the_same_bytes() {
    let metrics = |seed| {
        let mock = started(MockKestra::builder().scenario("worker-killed").seed(seed).verify_on_drop(false));
        mock.advance(seconds(300)).unwrap();
        mock.inject("{ kill: executor-1, for: 30s }").unwrap();
        mock.advance(seconds(60)).unwrap();
        let answer = get(&format!("{}/prometheus", mock.url("worker-2").unwrap())).unwrap();
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    };
    assert_eq!(metrics(7), metrics(7));
    assert_ne!(metrics(7), metrics(8));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_to_write_instead() {
    let scenario = |name: &str| told(MockKestra::builder().scenario(name).start());
    assert_eq!(scenario("worker-kiled"), "no scenario ships as `worker-kiled`; did you mean `worker-killed`?");
    assert!(scenario("zzzzzzzz").contains("those that ship are demo, healthy, "), "{}", scenario("zzzzzzzz"));
    assert!(scenario("my/outage.yaml").ends_with("a file is given by `scenario_file`"));
    assert!(scenario("name: x\n").ends_with("a text is given by `scenario_text`"));
    let text = told(MockKestra::builder().scenario_text("name: x\ntimelin: []\n").start());
    assert!(text.contains("scenario.yaml:2:1") && text.contains("did you mean `timeline`?"), "{text}");
    let file = told(MockKestra::builder().scenario_file("no/such.yaml").start());
    assert!(file.starts_with("cannot read the scenario `no/such.yaml`: No such file"), "{file}");
    let version = told(MockKestra::builder().kestra("2.9").start());
    assert!(version.contains("`2.9` is no version of Kestra we know"), "{version}");
    let role =
        "name: x\ncluster: { members: { webserver: 1, executor: 1, controller: 1, worker: 1 } }\nkestra: '2.0'\n";
    let role = told(MockKestra::builder().scenario_text(role).kestra("1.3").start());
    assert!(role.contains("Kestra 1.3 has no controller"), "{role}");
    let rules = told(mine().rules_text("groups: [ { name: g, rules: [ { alert: A, expr: 'sum(' } ] } ]\n").start());
    assert!(rules.contains("rules-2.yml:1:"), "{rules}");
    let rules = told(mine().rules("no/such.yml").start());
    assert!(rules.starts_with("cannot read the rules `no/such.yml`"), "{rules}");
    let ahead = "groups: [ { name: g, rules: [ { alert: A, expr: 'up offset -5m > 0' } ] } ]\n";
    let ahead = told(mine().rules_text(ahead).start());
    assert!(ahead.contains("must not look back without a bound, or ahead: A"), "{ahead}");
    let flows = told(mine().flows("no/such").start());
    assert!(flows.starts_with("cannot read the flows `no/such`"), "{flows}");
}

#[test]
fn files_are_read_and_what_they_tell_is_kept() {
    let folder = std::env::temp_dir().join(format!("mock-kestra-files-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("flows")).unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let scenario = write("outage.yaml", "name: outage\nextends: worker-killed\nflows: [ flows/mine.yml ]\n");
    write(
        "flows/mine.yml",
        "id: mine\nnamespace: a.b\ntasks: [ { id: t, type: io.kestra.plugin.core.log.Log, message: x } ]\n",
    );
    let more = write(
        "more.yml",
        "id: more\nnamespace: a.b\ntriggers: [ { id: r, type: io.kestra.plugin.core.trigger.ScheduleOnDates, dates: [] } ]\n\
        tasks: [ { id: t, type: io.kestra.plugin.core.log.Log, message: \"{{ secret('KEY') }}\" } ]\n",
    );
    let rules = write("rules.yml", RULES);
    let build = || MockKestra::builder().scenario_file(&scenario).flows(&more).rules(&rules).verify_on_drop(false);
    let mock = started(build());
    assert!(mock.warnings().contains("not simulated"), "{}", mock.warnings());
    for flow in ["a.b.mine", "a.b.more"] {
        mock.execute(flow).unwrap();
    }
    // A file's own expectations are judged strictly, those that ship beside other rules are not.
    let strict = started(build()).verify().unwrap_err().to_string();
    assert!(strict.contains("no rule alerts as `KestraWorkerDown`"), "{strict}");
    let shipped = started(MockKestra::builder().scenario("worker-killed").rules(&rules)).verify().unwrap();
    assert!(shipped.expectations.iter().any(|it| it.met.is_none()), "{:?}", shipped.expectations);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Moves time inside a runtime, as tests do that are async themselves.
async fn go_on(mock: &MockKestra) {
    assert_eq!(mock.advance_async(seconds(60)).await.unwrap(), at(60));
    let fired = mock.run_until_async(Until::alert_fires("Down")).await.unwrap();
    assert!(fired > at(180), "{fired}");
    assert!(mock.verify_async().await.is_ok());
}

#[test]
fn in_async_code_it_is_started_moved_judged_and_dropped_in_any_runtime() {
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let many = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    for runtime in [one, many] {
        runtime.block_on(async {
            let mock = mine().start_async().await.unwrap();
            go_on(&mock).await;
            drop(mock);
            // The calls that block may be made there as well, and its end too, with its judging.
            let mock = mine().start().unwrap();
            mock.advance(seconds(300)).unwrap();
            drop(mock);
            let failed = mine().kestra("9").start_async().await;
            assert!(failed.is_err());
        });
    }
    // Without any runtime at all.
    let mut future = std::pin::pin!(async {
        let mock = mine().start_async().await.unwrap();
        go_on(&mock).await;
    });
    let waker = std::task::Waker::noop();
    while future.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn who_stops_waiting_ends_the_way() {
    let mock = started(MockKestra::builder().scenario("worker-killed").verify_on_drop(false));
    {
        let far = mock.advance_async(Duration::from_secs(300 * 86_400));
        let mut far = std::pin::pin!(far);
        assert!(far.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending());
    }
    // Its turn is over as soon as it notices.
    let now = mock.advance(seconds(1)).unwrap();
    assert!(now < at(200 * 86_400), "{now}");
}
