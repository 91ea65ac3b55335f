//! Expectations are judged by what they say: all members that are named, in the time that is named, and nothing else.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use mock_kestra::document::{self, Severity, Source};
use mock_kestra::monitor::{Configuration, read_rules};
use mock_kestra::random::Seed;
use mock_kestra::report::{AlertLine, Report, Verdict};
use mock_kestra::run::{Scraping, Watch, run};
use mock_kestra::scenario::{Anchor, FlowFile, Loader, NoFiles, Plan, describe, read};
use mock_kestra::time::{Calendar, Duration};

/// Two workers, of which the first is dead from 5m to 7m and the second from 12m to 13m.
const SCENARIO: &str = "name: x
duration: 15m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 2 } }
timeline:
  - { at: 5m, kill: worker-1, for: 2m, name: first }
  - { at: 12m, kill: worker-2, for: 1m, name: second }
expect:
";

/// `Down` waits a minute, `Gone` fires at once; `Never` has nothing to fire about.
const RULES: &str = "groups:
  - name: g
    interval: 5s
    rules:
      - { alert: Down, expr: 'up{role=\"worker\"} == 0', for: 30s }
      - { alert: Gone, expr: 'up{role=\"worker\"} == 0' }
      - { alert: Slow, expr: 'up{role=\"worker\"} == 0', for: 90s }
      - { alert: Always, expr: 'up{role=\"executor\"} == 1' }
      - { alert: Never, expr: 'up > 1' }
      - { alert: Waited, expr: 'up{role=\"scheduler\"} == 1', for: 1m }
      - { alert: Both, expr: 'up{instance=\"worker-1:8081\"} == 0', for: 90s, labels: { rule: a } }
      - { alert: Both, expr: 'up{instance=\"worker-1:8081\"} == 0', labels: { rule: b, role: \"\" } }
      - { alert: Long, expr: 'up{role=\"worker\"} == 0', for: 10m, annotations: { says: 'of {{ $labels.instance }}' } }
";

fn plan(expectations: &[&str]) -> Plan {
    let lines: String = expectations.iter().map(|it| format!("  - {it}\n")).collect();
    let (plan, told) = read("x.yaml", &format!("{SCENARIO}{lines}"), &NoFiles);
    plan.unwrap_or_else(|| panic!("{}", document::render(&told)))
}

fn verdicts(expectations: &[&str]) -> Vec<Verdict> {
    let watch = Watch { rules: read_rules("rules.yml", RULES).expect("sound rules").0, ..Watch::default() };
    let report = run(&Arc::new(plan(expectations)), Seed(1), Calendar::default(), Some(&watch)).expect("no limit");
    assert!(report.failed_rules.is_empty());
    report.expectations
}

/// Each expectation with whether it is met; what was seen begins with the text beside it.
fn check(cases: &[(&str, bool, &str)]) {
    let expectations: Vec<&str> = cases.iter().map(|(text, ..)| *text).collect();
    for ((text, met, seen), verdict) in cases.iter().zip(verdicts(&expectations)) {
        assert_eq!(verdict.met, Some(*met), "{text}: {verdict:?}");
        assert!(verdict.seen.contains(seen), "{text}: {verdict:?}");
    }
}

#[test]
fn health_of_several_members_is_that_of_all_of_them() {
    check(&[
        ("{ health: worker, status: UP, at: 4m }", true, "UP at 4m"),
        ("{ health: worker, status: refused, at: 6m }", false, "worker-2 still UP at 6m"),
        ("{ health: worker, status: UP, at: 6m }", false, "worker-1 still refused at 6m"),
        ("{ health: worker-1, status: refused, at: 6m }", true, "refused at 6m"),
        ("{ health: worker-2, status: refused, at: 6m }", false, "still UP at 6m"),
        ("{ health: [ worker-2, executor ], status: refused, at: 12m30s }", false, "executor-1 still UP at 12m30s"),
        (
            "{ health: [ worker-2, executor ], status: DOWN, at: 12m30s }",
            false,
            "worker-2 still refused, executor-1 still UP",
        ),
        // Each is dead for a while, and never both at once.
        (
            "{ health: worker, status: refused, at: 4m, within: 10m }",
            false,
            "worker-1 still UP, worker-2 still UP at 14m",
        ),
        ("{ health: worker, status: UP, at: 6m, within: 2m }", true, "UP at 7m"),
        ("{ health: all, status: UP, at: 4m }", true, "UP at 4m"),
        ("{ health: all, status: UP, at: 6m }", false, "worker-1 still refused at 6m"),
        // The end of the run is still in it.
        ("{ health: all, status: UP, at: 15m }", true, "UP at 15m"),
    ]);
    let [one] = &verdicts(&["{ health: worker, status: UP, of: first, after: 1m, within: 2m }"])[..] else {
        panic!("one")
    };
    assert_eq!(one.expectation, "health of worker-1, worker-2 is UP of first after 1m within 2m");
    assert_eq!(one.met, Some(true), "{one:?}");
}

#[test]
fn times_count_from_the_named_fault_or_instant_or_else_from_the_start() {
    check(&[
        // Without `at` and `of`, from the start.
        ("{ event: worker-1 is killed, within: 6m }", true, "at 5m"),
        ("{ event: worker-1 is killed, within: 4m59s }", false, "at 5m, 1s too late"),
        ("{ event: worker-1 is killed }", true, "at 5m"),
        ("{ event: worker-1 is killed, after: 4m, within: 1m }", true, "at 5m"),
        ("{ event: worker-1 is killed, after: 4m, within: 59s }", false, "at 5m, 1s too late"),
        // Both ends belong to it, and what was before `at` does not.
        ("{ event: worker-1 is killed, at: 5m }", true, "at 5m"),
        ("{ event: worker-1 is killed, at: 5m, within: 0s }", true, "at 5m"),
        ("{ event: worker-1 is killed, at: 5m1ms }", false, "nearest is \"worker-1 is killed\" at 5m, 1ms too early"),
        ("{ event: worker-1 is killed, at: 6m, within: 9m }", false, "at 5m, 1m too early"),
        ("{ event: is killed, at: 6m, within: 9m }", true, "worker-2 is killed\" at 12m"),
        ("{ event: is killed, of: second }", true, "worker-2 is killed\" at 12m"),
        ("{ event: worker-1 is killed, of: second }", false, "at 5m, 7m too early"),
        ("{ event: worker-1 is DISCONNECTED, of: first, within: 70s }", true, "worker-1 is DISCONNECTED"),
        ("{ event: worker-1 is DISCONNECTED, of: first, within: 30s }", false, "too late"),
        ("{ event: worker-1 is DISCONNECTED, of: first, after: 90s, within: 60s }", false, "too early"),
        ("{ health: worker-1, status: refused, of: first }", true, "refused at 5m"),
        ("{ health: worker-1, status: UP, of: first, within: 90s }", false, "still refused at 6m30s"),
        ("{ health: worker-1, status: refused, within: 5m1s }", true, "refused at 5m"),
        ("{ health: worker-1, status: refused, within: 4m59s }", false, "still UP at 4m59s"),
        ("{ alert: Gone, fires: { after: 5m, within: 1m } }", true, "fired at 5m"),
        ("{ alert: Gone, fires: { after: 4m, within: 1m } }", false, "fired at 5m"),
        ("{ alert: Gone, of: second, fires: { within: 1m } }", true, "fired at 12m"),
        ("{ alert: Gone, at: 12m, fires: { within: 1m } }", true, "fired at 12m"),
        ("{ alert: Gone, at: 11m, fires: { within: 30s } }", false, "fired at 12m"),
        ("{ alert: Gone, at: 14m, fires: { within: 30s } }", false, "fired at 12m"),
        ("{ alert: Gone, of: first, fires: { after: 6m, within: 2m } }", true, "fired at 12m"),
        (
            "{ alert: Gone, labels: { instance: \"worker-2:8081\" }, of: first, fires: { within: 1m } }",
            false,
            "fired at 12m",
        ),
    ]);
}

#[test]
fn an_alert_is_judged_by_how_often_and_how_long_it_fires() {
    check(&[
        ("{ alert: Gone, count: 2 }", true, "fired at 5m"),
        ("{ alert: Gone, count: 1 }", false, "fired 2 times"),
        ("{ alert: Slow, count: 2 }", false, "fired once"),
        ("{ alert: Gone, count: 3 }", false, "fired 2 times"),
        ("{ alert: Gone, count: 0 }", false, "fired 2 times"),
        ("{ alert: Gone, of: second, count: 1 }", true, "fired at 12m"),
        ("{ alert: Gone, labels: { instance: \"worker-1:8081\" }, count: 1 }", true, "fired at 5m"),
        // The first in time, whichever comes first by its labels.
        ("{ alert: Both, count: 2 }", true, "fired at 5m"),
        ("{ alert: Never, count: 0 }", true, "never active"),
        ("{ alert: Never, never: true }", true, "never active"),
        ("{ alert: Gone, never: true }", false, "fired at 5m"),
        ("{ alert: Gone, at: 14m, never: true }", true, "fired at 12m"),
        ("{ alert: Gone, of: second, never: true }", false, "fired at 12m"),
        // It fires since before the instant that counts.
        ("{ alert: Always, never: true }", false, "still fires"),
        ("{ alert: Always, at: 5m, never: true }", false, "still fires"),
        ("{ alert: Gone, at: 6m, never: true }", false, "before 6m, resolved at 7m"),
        ("{ alert: Slow, count: 1 }", true, "fired at 6m"),
        ("{ alert: Slow, pending: { after: 5m, within: 30s } }", true, "fired at"),
        ("{ alert: Slow, of: second, pending: { within: 30s } }", true, "fired at 6m"),
        ("{ alert: Slow, pending: { after: 6m, within: 30s } }", false, "active from 5m"),
        // What fires at once was never pending.
        ("{ alert: Gone, pending: { after: 5m, within: 1m } }", false, "active from 5m"),
        ("{ alert: Gone, pending: { after: 5m, within: 1m } }", false, "; Gone has no `for`: it fires at once"),
        ("{ alert: Slow, of: second, never: true }", true, "fired at 6m"),
        ("{ alert: Slow, of: second, fires: { within: 3m } }", false, "fired at 6m"),
        ("{ alert: Down, of: first, fires: { within: 1m }, resolves: { within: 2m } }", true, "resolved at 7m"),
        ("{ alert: Down, of: first, fires: { within: 1m }, resolves: { within: 1m } }", false, "resolved at 7m"),
        ("{ alert: Down, of: first, fires: { within: 1m }, resolves: { after: 2m } }", false, "resolved at 7m"),
        ("{ alert: Down, of: second, resolves: { within: 1m } }", true, "fired at 12m"),
        ("{ alert: Always, at: 1m, resolves: { within: 1m } }", false, "fires since -"),
        ("{ alert: Never, fires: { within: 1m } }", false, ""),
    ]);
}

#[test]
fn what_fires_since_before_the_start_fires() {
    check(&[
        ("{ alert: Always, never: true }", false, ", before the start, and still fires"),
        ("{ alert: Always, count: 0 }", false, "fired once; it fires since -"),
        ("{ alert: Always, count: 1 }", true, "before the start"),
        ("{ alert: Always, fires: { within: 1m } }", true, "fires since -"),
        ("{ alert: Always, fires: { within: 0s } }", true, "fires since -"),
        // It does not begin then.
        ("{ alert: Always, fires: { after: 1m, within: 5m } }", false, "fires since -"),
        ("{ alert: Always, resolves: { within: 5m } }", false, "and still fires"),
        ("{ alert: Always, at: 0s, fires: { within: 1m } }", true, "before the start"),
        // To an instant under way, and to a fault, it is no answer.
        ("{ alert: Always, at: 5m, fires: { within: 5m } }", false, "before 5m, and still fires"),
        ("{ alert: Always, of: first, fires: { within: 5m } }", false, "before first at 5m, and still fires"),
        ("{ alert: Always, of: first, never: true }", false, "before first at 5m, and still fires"),
        ("{ alert: Always, of: first, count: 0 }", false, "fired once; it fires since -"),
        // It waited before, and is no longer pending.
        ("{ alert: Waited, fires: { within: 1m } }", true, "fires since -"),
        ("{ alert: Waited, pending: { within: 1m } }", false, "active from -"),
        // What fires at a fault and was over before the end.
        ("{ alert: Gone, at: 6m, fires: { within: 1m } }", false, "fired at 12m"),
        ("{ alert: Gone, at: 6m, count: 2 }", true, "fired at 12m"),
        ("{ alert: Gone, at: 8m, count: 1 }", true, "fired at 12m"),
    ]);
}

#[test]
fn nothing_else_fires_can_be_said() {
    let plan_with = |rules: &str, expectation: &str| {
        let watch = Watch { rules: read_rules("rules.yml", rules).expect("sound rules").0, ..Watch::default() };
        let report =
            run(&Arc::new(plan(&[expectation])), Seed(1), Calendar::default(), Some(&watch)).expect("no limit");
        let verdict = &report.expectations[0];
        (verdict.met, verdict.seen.clone(), verdict.expectation.clone())
    };
    let (met, seen, sentence) = plan_with(RULES, "{ alert: \"*\", never: true }");
    assert_eq!((met, sentence.as_str()), (Some(false), "every alert never"));
    for part in ["Always fires since -", "Down fired at 5m", "Gone fired at 5m", "and 1 more"] {
        assert!(seen.contains(part), "{seen}");
    }
    let but_one = "{ alert: \"*\", never: true, except: [ Always, Waited, Down, Gone, Both ] }";
    let (met, seen, sentence) = plan_with(RULES, but_one);
    assert_eq!((met, sentence.as_str()), (Some(false), "every alert except Always, Waited, Down, Gone, Both never"));
    assert!(seen.starts_with("Slow fired at 6m"), "{seen}");
    let all = "{ alert: \"*\", never: true, except: [ Always, Waited, Down, Gone, Both, Slow ] }";
    assert_eq!(plan_with(RULES, all).0, Some(true));
    check(&[
        // Counted from where nothing fires any more but what always did.
        ("{ alert: \"*\", at: 14m, never: true, except: [ Always, Waited ] }", true, "none fires"),
        ("{ alert: \"*\", at: 14m, never: true }", false, "Always fires since -"),
        ("{ alert: \"*\", labels: { rule: b }, never: true }", false, "Both fired at 5m"),
        ("{ alert: \"*\", labels: { rule: c }, never: true }", true, "none fires"),
    ]);
    // More than a screen is not told.
    let many: String = (1..=9).map(|n| format!("      - {{ alert: A{n}, expr: vector(1) }}\n")).collect();
    let (met, seen, _) =
        plan_with(&format!("groups:\n  - name: g\n    rules:\n{many}"), "{ alert: \"*\", never: true }");
    assert_eq!(met, Some(false));
    assert!(seen.contains("A5 fires since") && !seen.contains("A6") && seen.ends_with("; and 4 more"), "{seen}");
}

#[test]
fn what_can_not_be_said_of_every_alert_is_refused_where_it_stands() {
    for (expectation, word, what) in [
        ("{ alert: \"*\", fires: { within: 1m } }", "fires", "`fires` of every alert"),
        ("{ alert: \"*\", never: true, resolves: { within: 1m } }", "resolves", "`resolves` of every alert"),
        ("{ alert: \"*\", count: 0 }", "count", "`count` of every alert"),
        ("{ alert: \"*\", pending: { within: 1m } }", "pending", "`pending` of every alert"),
        ("{ alert: A, never: true, except: [ B ] }", "except", "beside the name of one alert"),
        ("{ alert: \"*\" }", "{ alert: \"*\" }", "says nothing"),
        ("{ alert: \"*\", never: true, except: A }", "A", "`except`"),
    ] {
        let text = format!("{SCENARIO}  - {expectation}\n");
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        assert!(plan.is_none(), "{expectation}");
        let wrong = |one: &&document::Diagnostic| one.what.contains(what) && &text[one.place.range.clone()] == word;
        assert!(told.iter().any(|one| wrong(&one)), "{expectation}: {}", document::render(&told));
    }
}

#[test]
fn an_expectation_that_names_no_rule_is_not_met_unless_one_is_lenient() {
    let judged = |lenient: bool| {
        let rules = read_rules("rules.yml", RULES).expect("sound rules").0;
        let watch = Watch { rules, lenient, ..Watch::default() };
        let plan = Arc::new(plan(&["{ alert: Gne, never: true }", "{ alert: Zzzzzz, count: 0 }"]));
        let report = run(&plan, Seed(1), Calendar::default(), Some(&watch)).expect("no limit");
        report.expectations.iter().map(|it| (it.met, it.seen.clone())).collect::<Vec<_>>()
    };
    let near = "no rule alerts as `Gne`; did you mean `Gone`?".to_owned();
    let far = "no rule alerts as `Zzzzzz`".to_owned();
    assert_eq!(judged(false), [(Some(false), near.clone()), (Some(false), far.clone())]);
    assert_eq!(judged(true), [(None, near), (None, far)]);
}

#[test]
fn an_event_is_what_happened_and_not_that_the_scenario_says_so() {
    check(&[
        // Both are parts of the lines that tell of the faults.
        ("{ event: kill worker-1 }", false, "only tells of a fault (`event: { kind: fault-begins }` asks for that)"),
        ("{ event: fault second ends }", false, "`event: { kind: fault-ends }`"),
        ("{ event: worker-1 }", true, "\"worker-1 is killed\" at 5m"),
        ("{ event: { kind: fault-begins } }", true, "fault first: kill worker-1"),
        ("{ event: { kind: fault-ends }, of: second }", true, "fault second ends\" at 13m"),
    ]);
}

#[test]
fn a_query_is_compared_with_a_number_and_all_its_series_must_fit() {
    check(&[
        ("{ query: sum(up), at: 4m, is: \"== 5\" }", true, "5"),
        ("{ query: sum(up), at: 6m, is: \"== 5\" }", false, "4"),
        ("{ query: sum(up), at: 6m, is: \"!= 5\" }", true, "4"),
        ("{ query: sum(up), at: 6m, is: \">= 4\" }", true, "4"),
        ("{ query: sum(up), at: 6m, is: \"> 4\" }", false, "4"),
        ("{ query: sum(up), at: 6m, is: \"<= 4\" }", true, "4"),
        ("{ query: sum(up), at: 6m, is: \"< 4\" }", false, "4"),
        ("{ query: up, at: 4m, is: \"== 1\" }", true, "1, 1, 1, 1, 1"),
        ("{ query: up, at: 6m, is: \"== 1\" }", false, "0 (4 of 5 series fit)"),
        ("{ query: \"up > 1\", at: 4m, is: \"> 0\" }", false, "no series"),
        // A number on the left, and another expression on the right.
        ("{ query: scalar(sum(up)), at: 6m, is: \"< 5\" }", true, "4"),
        ("{ query: scalar(sum(up)), at: 6m, is: \"> 5\" }", false, "4"),
        ("{ query: sum(up), at: 6m, is: \"== scalar(count(up)) - 1\" }", true, "4"),
        ("{ query: sum(up), at: 6m, is: \"== scalar(count(up{job='kestra'}))\" }", false, "4"),
        // Nothing is like what is no number.
        ("{ query: vector(0) / 0, at: 6m, is: \"== NaN\" }", false, "NaN"),
        ("{ query: vector(0) / 0, at: 6m, is: \"!= 1\" }", true, "NaN"),
    ]);
}

#[test]
fn what_a_run_without_a_watch_cannot_judge_it_does_not_judge() {
    let plan = Arc::new(plan(&[
        "{ alert: Gone, count: 2 }",
        "{ query: up, at: 4m, is: \"== 1\" }",
        "{ event: worker-1 is killed, of: first, within: 0s }",
        "{ health: worker-1, status: refused, of: first }",
    ]));
    let report = run(&plan, Seed(1), Calendar::default(), None).expect("no limit");
    let met: Vec<Option<bool>> = report.expectations.iter().map(|verdict| verdict.met).collect();
    assert_eq!(met, [None, None, Some(true), Some(true)]);
}

#[test]
fn check_says_each_expectation_as_a_verdict_does() {
    let expectations = [
        "{ health: worker, status: refused, at: 6m, within: 30s }",
        "{ event: is killed, of: first, after: 1s, within: 2m }",
        "{ event: is killed, within: 2m }",
        "{ alert: Gone, labels: { a: b }, of: first, pending: { within: 1s }, fires: { after: 1m, within: 2m }, resolves: { within: 5m }, count: 3 }",
        "{ alert: Gone, at: 3m, never: true }",
        "{ query: sum(up), at: 4m, is: \">=5\" }",
        "{ alert: \"*\", at: 3m, labels: { a: b }, except: [ Gone, Down ], never: true }",
    ];
    let sentences = [
        "health of worker-1, worker-2 is refused at 6m within 30s",
        "event \"is killed\" of first after 1s within 2m",
        "event \"is killed\" within 2m",
        "alert Gone a=\"b\" (counted from first) pending within 1s fires after 1m within 2m resolves within 5m 3 times",
        "alert Gone (counted from 3m) never",
        "sum(up) >= 5 at 4m",
        "every alert except Gone, Down a=\"b\" (counted from 3m) never",
    ];
    let described = describe(&plan(&expectations));
    for (verdict, sentence) in verdicts(&expectations).iter().zip(sentences) {
        assert_eq!(verdict.expectation, sentence);
        assert!(described.contains(&format!("\n  expects {sentence}\n")), "{described}");
    }
}

#[test]
fn what_lies_beyond_the_end_of_the_run_is_warned_of_where_it_stands() {
    for (expectation, word, what) in [
        ("{ event: x, at: 15m1s }", "15m1s", "never seen"),
        ("{ event: x, of: second, within: 4m }", "4m", "for so long"),
        ("{ event: x, of: second, after: 4m }", "4m", "never seen"),
        ("{ event: x, within: 16m }", "16m", "for so long"),
        ("{ health: worker, status: UP, at: 14m59s, within: 2s }", "2s", "for so long"),
        ("{ health: worker, status: UP, at: 15m1s }", "15m1s", "never seen"),
        ("{ query: up, at: 15m1s, is: \"> 1\" }", "15m1s", "never asked"),
        ("{ alert: A, of: first, fires: { after: 9m, within: 2m } }", "2m", "for so long"),
        ("{ alert: A, of: first, fires: { after: 11m, within: 2m } }", "11m", "never seen"),
        ("{ alert: A, of: second, pending: { within: 3m1s } }", "3m1s", "for so long"),
    ] {
        let text = format!("{SCENARIO}  - {expectation}\n");
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        assert!(plan.is_some(), "{expectation}");
        let [one] = &told[..] else { panic!("{expectation}: {}", document::render(&told)) };
        assert_eq!(one.severity, Severity::Warning);
        assert_eq!(&text[one.place.range.clone()], word, "{expectation}");
        assert!(one.what.contains(what), "{expectation}: {}", one.what);
    }
    for within in [
        "{ event: x, at: 15m }",
        "{ event: x, of: second, within: 3m }",
        "{ alert: A, of: first, fires: { after: 8m, within: 2m }, resolves: { within: 20m } }",
        "{ query: up, at: 15m, is: \"> 1\" }",
    ] {
        let (_, told) = read("x.yaml", &format!("{SCENARIO}  - {within}\n"), &NoFiles);
        assert!(told.is_empty(), "{within}: {}", document::render(&told));
    }
}

fn report(text: &str, scraping: Scraping) -> Report {
    let (plan, told) = read("x.yaml", text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&told)));
    let rules = read_rules("rules.yml", RULES).expect("sound rules").0;
    let watch = Watch { rules, scraping, ..Watch::default() };
    run(&Arc::new(plan), Seed(1), Calendar::default(), Some(&watch)).expect("no limit")
}

#[test]
fn an_alert_that_only_waited_says_what_it_would_have_said_and_an_empty_label_is_none() {
    let alerts =
        report(&SCENARIO.replace("expect:", ""), Scraping::Every(Duration::seconds(15))).alerts.expect("alerts");
    let long: Vec<_> = alerts.iter().filter(|line| line.alert == "Long").collect();
    assert_eq!(long.len(), 2);
    for line in long {
        let instance = line.labels.iter().find(|(key, _)| key == "instance").map_or("", |(_, value)| value);
        assert_eq!((line.firing, &line.annotations[..]), (None, &[("says".to_owned(), format!("of {instance}"))][..]));
    }
    let keys = |rule: &str| -> Vec<&str> {
        let of = |line: &&AlertLine| line.labels.contains(&("rule".to_owned(), rule.to_owned()));
        let line = alerts.iter().find(of).expect("an alert");
        line.labels.iter().map(|(key, _)| key.as_str()).collect()
    };
    assert_eq!(keys("a"), ["instance", "job", "role", "rule"]);
    assert_eq!(keys("b"), ["instance", "job", "rule"]);
}

#[test]
fn a_prometheus_has_watched_for_ten_minutes_and_waits_for_an_answer_that_comes_in_time() {
    let long = "name: x\ncluster: { age: 1h }\nexpect:\n\
                - { query: \"count_over_time(up[30m])\", at: 0s, is: \">= 59\" }\n\
                - { query: \"count_over_time(up[30m])\", at: 0s, is: \"<= 61\" }\n";
    let watched = report(long, Scraping::Every(Duration::seconds(10)));
    assert!(!watched.failed(), "{}", watched.text());
    // Of 0.20 a request to a process with a webserver needs the database: while packets vanish it waits for up to 30 s, and fails.
    for (timeout, duration) in [("40s", "< 31"), ("20s", "== 20")] {
        let configuration = format!(
            "scrape_configs: [ {{ job_name: j, metrics_path: /prometheus, scrape_interval: 1m, scrape_timeout: {timeout}, \
             static_configs: [ {{ targets: [ \"standalone-1:8081\" ] }} ] }} ]\n"
        );
        let (configuration, _) = Configuration::read("prometheus.yml", &configuration).expect("a configuration");
        let stalled = format!(
            "name: x\nkestra: \"0.20\"\nduration: 10m\ntimeline: [ {{ at: 5m, database: stalled, for: 3m }} ]\nexpect:\n\
             - {{ query: \"min_over_time(up[3m])\", at: 8m, is: \"== 0\" }}\n\
             - {{ query: \"max_over_time(scrape_duration_seconds[3m])\", at: 8m, is: \"{duration}\" }}\n"
        );
        let report = report(&stalled, Scraping::Jobs(configuration.jobs));
        assert!(!report.failed(), "{}", report.text());
    }
}

#[test]
fn the_first_fault_is_the_first_in_time() {
    let told = |timeline: &str| {
        let (plan, _) = read("x.yaml", &format!("name: x\ntimeline: [ {timeline} ]\n"), &NoFiles);
        Anchor::first_fault(&plan.expect("a plan")).to_string()
    };
    let faults = "{ at: 7m, kill: standalone-1, name: b }, { at: 3m, kill: standalone-1, name: a }";
    assert_eq!(told(faults), "a at 3m");
    assert_eq!(told(""), "the start");
}

/// Knows one scenario, that others extend.
struct Base;

impl Loader for Base {
    fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
        Err("there are none".into())
    }
    fn scenario(&self, _: &str, name: &str) -> Result<Source, String> {
        Ok(Source { name: name.to_owned(), text: format!("{SCENARIO}  - {{ event: is killed }}\n") })
    }
}

#[test]
fn a_scenario_that_extends_another_expects_what_that_one_does_as_well() {
    let text = "extends: base\nexpect: [ { event: x, of: first } ]\ntimeline: [ { at: 1m, hang: worker-1 } ]\n";
    let (plan, told) = read("y.yaml", text, &Base);
    let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&told)));
    let sentences: Vec<String> = plan.expectations.iter().map(|it| it.sentence(&plan)).collect();
    assert_eq!(sentences, ["event \"is killed\"", "event \"x\" of first"]);
    assert_eq!(plan.timeline.len(), 3);
}

#[test]
fn an_event_is_also_known_by_its_kind_and_whom_it_happened_to() {
    check(&[
        ("{ event: { kind: killed, member: worker-1 }, within: 6m }", true, "worker-1 is killed\" at 5m"),
        ("{ event: { kind: killed, member: worker-2 }, within: 6m }", false, "at 12m, 6m too late"),
        ("{ event: { kind: killed, member: worker }, of: second }", true, "worker-2 is killed\" at 12m"),
        ("{ event: { kind: killed }, at: 6m }", true, "worker-2 is killed\" at 12m"),
        ("{ event: { kind: fault-begins }, within: 4m }", false, "at 5m, 1m too late"),
        ("{ event: { kind: fault-begins }, within: 5m }", true, "kill worker-1"),
        ("{ event: { kind: logger-set } }", false, "nothing like it"),
    ]);
    let plan = plan(&["{ event: { kind: disconnected, member: [ worker-1, worker-2 ] }, within: 6m }"]);
    assert_eq!(plan.expectations[0].sentence(&plan), "event disconnected of worker-1 or worker-2 within 6m");
}

#[test]
fn an_answer_that_comes_late_is_an_answer() {
    let text = "name: x\nduration: 8m\ncluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 1 } }\n\
        timeline: [ { at: 2m, database: { slow: 2x }, for: 2m }, { at: 5m, database: stalled, for: 2m } ]\nexpect:\n\
        - { health: [ webserver-1, worker-1 ], status: UP, at: 3m }\n\
        - { health: webserver-1, status: hangs, at: 5m, after: 10s }\n\
        - { health: webserver-1, status: UP, at: 6m50s }\n";
    let (plan, told) = read("x.yaml", text, &NoFiles);
    let plan = Arc::new(plan.unwrap_or_else(|| panic!("{}", document::render(&told))));
    let report = run(&plan, Seed(1), Calendar::default(), None).expect("no limit");
    let met: Vec<(Option<bool>, &str)> = report.expectations.iter().map(|it| (it.met, it.seen.as_str())).collect();
    assert_eq!(met[0].0, Some(true), "{met:?}");
    assert_eq!(met[1].0, Some(true), "{met:?}");
}

#[test]
fn names_and_labels_of_no_alert_are_told() {
    let rules = "groups: [ { name: g, rules: [ { alert: Down, expr: 'up == 0', labels: { team: a } }, { alert: Up, expr: 'up > 1' } ] } ]";
    let scenario = |expect: &str| {
        format!(
            "name: x\nduration: 10m\ncluster: {{ members: {{ executor: 1, worker: 2 }} }}\n\
             timeline: [ {{ at: 5m, kill: worker-1, for: 2m }} ]\nexpect: [ {{ {expect} }} ]\n"
        )
    };
    let judged = |expect: &str, lenient: bool| {
        let (plan, told) = read("x.yaml", &scenario(expect), &NoFiles);
        let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&told)));
        let watch =
            Watch { rules: read_rules("rules.yml", rules).expect("sound rules").0, lenient, ..Watch::default() };
        let report = run(&Arc::new(plan), Seed(1), Calendar::default(), Some(&watch)).expect("no limit");
        let verdict = report.expectations[0].clone();
        (verdict.met, verdict.seen, verdict.warning)
    };
    let every = "alert: \"*\", never: true, except: [ Down, Upp ]";
    let (met, seen, _) = judged(every, false);
    assert_eq!((met, seen.as_str()), (Some(false), "no rule alerts as `Upp`; did you mean `Up`?"));
    assert_eq!(judged(every, true).0, Some(true));
    // A value that no alert has, where there are others: whatever was expected.
    let other = "never active with these labels; it fires with {instance=\"worker-1:8081\"";
    for (more, met) in [("never: true", true), ("fires: {}", false)] {
        let (found, seen, warning) =
            judged(&format!("alert: Down, {more}, labels: {{ instance: \"wrker-1:8081\" }}"), false);
        assert_eq!((found, warning), (Some(met), None));
        assert!(seen.starts_with(other), "{seen}");
    }
    // A label that none can have, also of what never was active.
    let (_, _, warning) = judged("alert: Down, never: true, labels: { instnce: \"worker-1:8081\" }", false);
    let warning = warning.expect("a warning");
    assert_eq!(warning, "no alert Down can have a label `instnce`; did you mean `instance`?");
    assert!(judged("alert: Up, never: true, labels: { rle: worker }", false).2.is_some());
    for known in ["alert: Up, never: true, labels: { role: worker }", "alert: Down, never: true, labels: { team: b }"] {
        assert_eq!(judged(known, false).2, None, "{known}");
    }
}
