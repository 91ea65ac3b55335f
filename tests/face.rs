//! What somebody else's crate does with this one, by names at its root alone. `.ci/run` compiles and runs this file once
//! more as such a crate, in `tests/face/`, without the feature `internals`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use mock_kestra::report::Verdict;
use mock_kestra::{
    Body, Calendar, Command, Duration, FlowFile, Happening, Instant, Loader, NoFiles, Outcome, Plan, Refused, Report,
    Request, Scraping, Seed, Session, Source, Watch, answer, read_fault, read_rules, read_scenario, render_diagnostics,
    run,
};

const SCENARIO: &str = "name: embedded\nduration: 10m\ntimeline: [ { at: 2m, kill: standalone-1, for: 3m } ]\n\
    expect: [ { alert: KestraDown, fires: { after: 2m, within: 2m } } ]\n";

const RULES: &str = "groups: [ { name: kestra, rules: [ { alert: KestraDown, expr: up == 0, for: 1m } ] } ]\n";

fn plan(text: &str, loader: &dyn Loader) -> Arc<Plan> {
    let (plan, diagnostics) = read_scenario("embedded.yaml", text, loader);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", render_diagnostics(&diagnostics))))
}

fn session() -> Session {
    Session::new(plan(SCENARIO, &NoFiles), Seed(1), Calendar::default())
}

fn watch() -> Watch {
    let (rules, _) = read_rules("rules.yml", RULES).unwrap_or_else(|told| panic!("{}", render_diagnostics(&told)));
    Watch { rules, scraping: Scraping::Every(Duration::seconds(15)), ..Watch::default() }
}

/// What the management port of the first member answers now.
fn ask(session: &Session, target: &str) -> Option<(u16, String)> {
    match answer(&Request::get(target, session.now()), session.simulation(), 0) {
        Outcome::Answer(answer) => Some(match answer.body {
            Body::None => (answer.status, String::new()),
            Body::Sized(body) | Body::Chunked(body) => (answer.status, String::from_utf8(body).expect("text")),
        }),
        Outcome::Refused | Outcome::Reset | Outcome::Hang | Outcome::Wait(_) => None,
    }
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::seconds(seconds)
}

#[test]
fn a_session_is_advanced_asked_and_reported() {
    let mut session = session().watched(&watch());
    session.advance(at(60)).expect("no limit");
    let (status, exposition) = ask(&session, "/prometheus").expect("its port is open");
    assert_eq!(status, 200);
    assert!(exposition.contains("kestra_worker_job_running 0.0"), "{exposition}");
    assert_eq!(ask(&session, "/health").map(|(status, _)| status), Some(200));

    session.advance(at(150)).expect("no limit");
    assert_eq!(ask(&session, "/health"), None);
    let killed = |it: &Happening| matches!(it, Happening::Killed { .. });
    assert!(session.simulation().journal().iter().any(|line| killed(&line.what)));

    session.advance(at(600)).expect("no limit");
    let report: Report = session.report();
    let verdicts: Vec<&Verdict> = report.expectations.iter().collect();
    assert_eq!(verdicts.iter().map(|verdict| verdict.met).collect::<Vec<_>>(), [Some(true)]);
    assert_eq!(report.alerts.iter().flatten().map(|alert| alert.alert.as_str()).collect::<Vec<_>>(), ["KestraDown"]);
    // A run is a session that goes to its end at once.
    let plan = plan(SCENARIO, &NoFiles);
    assert_eq!(run(&plan, Seed(1), Calendar::default(), Some(&watch())).expect("no limit").json(), report.json());
}

#[test]
fn a_fault_is_injected_from_outside_refused_when_it_is_past_and_saved_with_the_session() {
    let mut session = session();
    session.advance(at(30)).expect("no limit");
    let hang = read_fault("{ hang: standalone-1, for: 20s }", session.plan(), session.now()).expect("a fault");
    session.command(Command::Inject(hang.clone())).expect("it can hang");
    session.advance(at(40)).expect("no limit");
    assert_eq!(ask(&session, "/health"), None);
    assert_eq!(session.inject(hang), Err(Refused::Past { at: at(30), now: at(40) }));
    let before = session.at(at(29)).expect("no limit");
    assert!(matches!(answer(&Request::get("/health", at(29)), &before, 0), Outcome::Answer(_)));

    let again = plan(&session.save(), &NoFiles);
    let mut again = Session::new(again, session.seed(), session.calendar());
    again.advance(at(60)).expect("no limit");
    session.advance(at(60)).expect("no limit");
    assert_eq!(ask(&again, "/prometheus"), ask(&session, "/prometheus"));
}

#[test]
fn a_loader_gives_what_a_scenario_names_and_a_mistake_is_told_with_its_place() {
    struct Shelf;
    impl Loader for Shelf {
        fn flows(&self, from: &str, path: &str) -> Result<Vec<FlowFile>, String> {
            Err(format!("{from} names {path}, and there are no flows"))
        }
        fn scenario(&self, _: &str, name: &str) -> Result<Source, String> {
            Ok(Source { name: name.to_owned(), text: SCENARIO.to_owned() })
        }
    }
    assert_eq!(plan("name: more\nextends: embedded\n", &Shelf).timeline.len(), 1);
    let (none, told) = read_scenario("wrong.yaml", "name: wrong\nflows: [ a.yml ]\ntimelin: []\n", &Shelf);
    assert!(none.is_none());
    let text = render_diagnostics(&told);
    assert!(text.contains("wrong.yaml names a.yml") && text.contains("did you mean `timeline`?"), "{text}");
}

#[cfg(feature = "server")]
#[test]
fn a_server_is_started_moved_by_hand_asked_over_http_and_stopped() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use mock_kestra::{Clock, Options, Running, start};

    fn health(running: &Running) -> std::io::Result<String> {
        let member = &running.addresses().members[0];
        let mut stream = TcpStream::connect((member.host.as_str(), member.management))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: kestra\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    let (clock, hand) = Clock::by_hand();
    let running = start(session(), Options::default(), clock).expect("free ports");
    assert!(health(&running).expect("an answer").starts_with("HTTP/1.1 200 Ok"));
    hand.pass(std::time::Duration::from_secs(60));
    assert_eq!(running.session(|session| session.now()).expect("the model is well"), at(60));
    let control = running.addresses().control;
    running.stop();
    running.join().expect("the model was well");
    assert!(TcpStream::connect(control).is_err(), "its ports are closed");
}

#[cfg(feature = "server")]
#[test]
fn a_mock_is_built_moved_broken_asked_and_judged() {
    use mock_kestra::report::{Line, MessageLine};
    use mock_kestra::{ActiveAlert, MockBuilder, MockError, MockKestra, Options, Until};

    let builder: MockBuilder = MockKestra::builder().scenario_text(SCENARIO).rules_text(RULES).seed(7).kestra("2.0");
    let mock: MockKestra = builder.options(Options::default()).start().expect("a sound mock");
    let urls =
        [mock.url("standalone-1").expect("a member"), mock.kestra_url().expect("a webserver"), mock.control_url()];
    assert!(urls.iter().all(|url| url.starts_with("http://127.0.0.1:")), "{urls:?}");
    assert_eq!(mock.advance(std::time::Duration::from_secs(60)).expect("it moves"), at(60));
    let fired: Result<Instant, MockError> = mock.run_until(Until::alert_fires("KestraDown"));
    assert_eq!(fired.expect("it fires"), mock.now().expect("it is well"));
    let alerts: Vec<ActiveAlert> = mock.alerts().expect("rules are there");
    assert_eq!(alerts.len(), 1);
    let fault = mock.inject("{ hang: standalone-1, at: 8m, for: 10s }").expect("a fault");
    mock.clear(&fault).expect("it is still to come");
    let unknown = mock.execute("nothing").expect_err("no flow");
    assert!(matches!(&unknown, MockError::Denied { what, .. } if what.contains("nothing")), "{unknown}");
    let (sent, lines): (Vec<MessageLine>, Vec<Line>) =
        (mock.notifications().expect("well"), mock.journal().expect("well"));
    assert!(sent.is_empty() && lines.iter().any(|line| line.text == "standalone-1 is killed"));
    let report: Report = mock.verify().expect("what is expected happens");
    assert_eq!((report.seed, report.expectations.len(), mock.warnings()), (7, 1, ""));
}

#[test]
fn this_file_names_nothing_but_the_root_and_the_report() {
    let text = include_str!("face.rs");
    let begin = ["mock", "_kestra::"].concat();
    let inside: Vec<&str> = text
        .split(&begin)
        .skip(1)
        .filter(|path| path.split("::").next().is_some_and(|first| first.chars().all(|c| c.is_ascii_lowercase())))
        .filter(|path| path.split_once("::").is_some_and(|(first, _)| first != "report"))
        .map(|path| &path[..path.len().min(40)])
        .collect();
    assert!(inside.is_empty(), "{inside:?}");
}
