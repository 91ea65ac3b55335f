//! The virtual Prometheus: rules that read each other, in any order and at any interval; and inputs that mean harm.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use mock_kestra::document;
use mock_kestra::monitor::{Configuration, Episode, Monitor, Setup, Target, Template, read_rules};
use mock_kestra::promql::{Expression, Grid, Value};
use mock_kestra::time::Duration;
use proptest::prelude::*;

const STEP: i64 = 15_000;

/// The scraped gauges `g` and `h`, and what the rules make of them: the life of every alert, and every sample there is.
type Outcome = (Vec<(String, Episode)>, Vec<String>);

fn watch(rules: &str, grids: &[Grid], values: &[(i32, i32)], in_turns: bool) -> Outcome {
    let monitor = watched(rules, grids, values, in_turns);
    let mut series: Vec<String> = monitor
        .database()
        .all()
        .iter()
        .filter(|series| !series.samples.is_empty())
        .map(|series| {
            let samples: Vec<(i64, u64)> =
                series.samples.iter().map(|(time, value)| (*time, value.to_bits())).collect();
            format!("{:?} {samples:?}", series.labels)
        })
        .collect();
    series.sort();
    (monitor.episodes(), series)
}

fn watched(rules: &str, grids: &[Grid], values: &[(i32, i32)], in_turns: bool) -> Monitor {
    let (rules, _) = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", document::render(&told)));
    let interval = Duration::seconds(15);
    let target = Target::new(&[("job", "j")], interval, interval);
    let also = vec![Expression::parse("{__name__!=\"\"}").expect("sound")];
    let mut monitor =
        Monitor::new(Setup { rules, targets: vec![target], evaluation_interval: interval, also, ..Setup::default() });
    for (step, (g, h)) in values.iter().enumerate() {
        let mut scrape = monitor.scrape(0, step as i64 * STEP);
        // Below zero there is no sample.
        for (name, value) in [("g", g), ("h", h)] {
            if *value >= 0 {
                scrape.sample(name, &[("a".to_owned(), "b".to_owned())], None, f64::from(*value));
            }
        }
        scrape.end(Some(2), Duration::milliseconds(5));
    }
    match in_turns {
        false => monitor.evaluate_all(grids),
        true => {
            let mut turns: Vec<(i64, usize)> = Vec::new();
            for (group, grid) in grids.iter().enumerate() {
                turns.extend(grid.times().map(|time| (time, group)));
            }
            turns.sort_unstable();
            turns.into_iter().for_each(|(time, group)| monitor.evaluate(group, time));
        }
    }
    monitor
}

/// A rule: recorded under a name of a few, or an alert; of a scraped gauge, of what others record, or of alerts.
fn rule() -> impl Strategy<Value = String> {
    let source = prop_oneof![
        4 => Just("g"), 2 => Just("h"), 2 => Just("r0"), 2 => Just("r1"), 1 => Just("r2"),
        1 => Just("ALERTS"), 1 => Just("{a=\"b\"}")
    ];
    (source, 0..4u8, 0..9i32, 0..4u8).prop_map(|(source, kind, threshold, hold)| match kind {
        0 | 1 => format!("      - {{ record: r{kind}, expr: 'max({source}) + 1' }}\n"),
        2 => format!("      - {{ record: r2, expr: '{source} > {threshold}', labels: {{ x: y }} }}\n"),
        _ => format!(
            "      - {{ alert: A{threshold}, expr: '{source} > {threshold}', for: {}s }}\n",
            u32::from(hold) * 15
        ),
    })
}

proptest! {
    #![proptest_config(common::config(1_500))]

    /// Whatever rules read of each other, each over all its instants at once comes to the same as one instant after another.
    #[test]
    fn all_at_once_is_the_same_as_in_turns(
        groups in prop::collection::vec((prop::collection::vec(rule(), 1..4), 0..3i64, 1..4i64, 0..3i64), 1..4),
        values in prop::collection::vec((-2..10i32, -2..10i32), 1..40),
    ) {
        let mut text = String::from("groups:\n");
        let mut grids = Vec::new();
        for (index, (rules, phase, every, offset)) in groups.iter().enumerate() {
            let offset = offset * 20;
            text += &format!("  - name: g{index}\n    query_offset: {offset}s\n    rules:\n{}", rules.concat());
            // Some share their instants, some do not.
            let first = phase * 5_000;
            let step = every * STEP;
            grids.push(Grid { first, step, count: (values.len() as i64 * STEP / step) as usize + 1 });
        }
        prop_assert_eq!(watch(&text, &grids, &values, false), watch(&text, &grids, &values, true), "{}", text);
    }
}

proptest! {
    #![proptest_config(common::config(200))]

    /// What is sent does not hang on what is forgotten of alerts that are over; and in the end nothing of them is left.
    #[test]
    fn what_is_over_may_be_forgotten_at_any_time(
        values in prop::collection::vec((0..6i32, 0..6i32), 1..60),
        forgets in prop::collection::vec(any::<bool>(), 60),
    ) {
        let rules = "groups: [ { name: g, rules: [ { alert: A, expr: 'g > 2', for: 15s }, \
                     { alert: B, expr: 'h > 3', labels: { value: '{{ $value }}' }, keep_firing_for: 30s } ] } ]";
        let mut both = [(); 2].map(|()| sending(rules));
        // A quarter of an hour after the last has ended nobody speaks of it.
        let quiet = std::iter::repeat_n((0, 0), 70);
        for (step, values) in values.into_iter().chain(quiet).enumerate() {
            let sent = both.each_mut().map(|monitor| {
                scraped(monitor, step as i64 * STEP, values);
                monitor.evaluate(0, step as i64 * STEP);
                monitor.sent()
            });
            prop_assert_eq!(&sent[0], &sent[1], "at step {}", step);
            if forgets.get(step).is_none_or(|forgets| *forgets) {
                both[1].forget_ended();
            }
        }
        prop_assert!(both[1].episodes().is_empty(), "{:?}", both[1].episodes());
    }
}

/// A monitor that sends its alerts.
fn sending(rules: &str) -> Monitor {
    let (rules, _) = read_rules("rules.yml", rules).unwrap_or_else(|told| panic!("{}", document::render(&told)));
    let interval = Duration::seconds(15);
    let targets = vec![Target::new(&[("job", "j")], interval, interval)];
    Monitor::new(Setup { rules, targets, evaluation_interval: interval, sends: true, ..Setup::default() })
}

fn scraped(monitor: &mut Monitor, at: i64, (g, h): (i32, i32)) {
    let mut scrape = monitor.scrape(0, at);
    for (name, value) in [("g", g), ("h", h)] {
        scrape.sample(name, &[("a".to_owned(), "b".to_owned())], None, f64::from(value));
    }
    scrape.end(Some(2), Duration::milliseconds(5));
}

#[test]
fn a_recording_rule_after_its_reader_is_read_one_evaluation_late() {
    let text = |reader_first: bool| {
        let reader = "      - { alert: A, expr: r > 5 }\n";
        let writer = "      - { record: r, expr: g }\n";
        let rules = if reader_first { format!("{reader}{writer}") } else { format!("{writer}{reader}") };
        format!("groups:\n  - name: g\n    rules:\n{rules}")
    };
    let values = [(1, 0), (9, 0), (9, 0), (9, 0)];
    let grid = [Grid { first: 0, step: STEP, count: 4 }];
    let fires = |reader_first| watch(&text(reader_first), &grid, &values, false).0[0].1.firing;
    assert_eq!(fires(false), Some(STEP));
    assert_eq!(fires(true), Some(2 * STEP));
}

#[test]
fn a_limit_of_a_group_is_a_failure_and_forgets_the_alerts() {
    let rules = "groups: [ { name: g, limit: 1, rules: [ { alert: A, expr: '{__name__=~\"g|h\"} > 5' } ] } ]\n";
    let grid = [Grid { first: 0, step: STEP, count: 4 }];
    let (episodes, _) = watch(rules, &grid, &[(9, 0), (9, 9), (9, 0), (0, 0)], false);
    // With both there are two series for one alert: an error that changes nothing.
    assert_eq!(episodes.len(), 1);
    assert_eq!((episodes[0].1.firing, episodes[0].1.resolved), (Some(0), Some(3 * STEP)));
    let rule = "{ alert: A, expr: 'label_replace(g, \"k\", \"1\", \"\", \"\") > 5 or label_replace(h, \"k\", \"2\", \"\", \"\") > 5' }";
    let rules = format!("groups: [ {{ name: g, limit: 1, rules: [ {rule} ] }} ]\n");
    let monitor = watched(&rules, &grid, &[(9, 0), (9, 9), (9, 0), (0, 0)], false);
    let lives: Vec<_> = monitor.episodes().iter().map(|(_, it)| (it.firing, it.resolved)).collect();
    // What would have begun at the failure never was.
    assert_eq!(lives, [(Some(0), Some(STEP)), (Some(2 * STEP), Some(3 * STEP))]);
    assert_eq!(monitor.failures(), [("A".to_owned(), "exceeded limit of 1 with 2 alerts".to_owned())]);
    // One that is kept firing counts; one that is pending as well.
    let kept = rules.replace("{ alert: A,", "{ alert: A, keep_firing_for: 1m,");
    let monitor = watched(&kept, &grid, &[(9, 0), (0, 9), (0, 9), (0, 0)], false);
    let lives: Vec<_> = monitor.episodes().iter().map(|(_, it)| (it.firing, it.resolved)).collect();
    assert_eq!(lives, [(Some(0), Some(STEP)), (Some(2 * STEP), None)]);
    let pending = rules.replace("{ alert: A,", "{ alert: A, for: 1m,");
    let monitor = watched(&pending, &grid, &[(9, 9), (9, 9), (9, 0), (0, 0)], false);
    let lives: Vec<_> = monitor.episodes().iter().map(|(_, it)| (it.pending, it.firing, it.resolved)).collect();
    assert_eq!(lives, [(2 * STEP, None, Some(3 * STEP))]);
}

#[test]
fn a_recording_rule_over_its_limit_writes_nothing() {
    let rules = "groups: [ { name: g, limit: 1, rules: [ { record: r, expr: 'label_replace({__name__=~\"g|h\"}, \"k\", \"$1\", \"__name__\", \"(.*)\") > 0' } ] } ]\n";
    let grid = [Grid { first: 0, step: STEP, count: 3 }];
    let monitor = watched(rules, &grid, &[(1, 0), (2, 2), (3, 0)], false);
    let name = |series: &&mock_kestra::promql::Series| {
        series.labels.iter().any(|(key, value)| &**key == "__name__" && &**value == "r")
    };
    let all = monitor.database().all();
    let written: Vec<Vec<(i64, f64)>> = all.iter().filter(name).map(|series| series.samples.clone()).collect();
    // No marker either: what was written stays in sight.
    assert_eq!(written, [vec![(0, 1.0), (2 * STEP, 3.0)]]);
    assert_eq!(monitor.failures(), [("r".to_owned(), "exceeded limit of 1 with 2 series".to_owned())]);
}

#[test]
fn an_offset_of_a_group_moves_what_it_asks_and_what_it_writes() {
    let rules =
        "groups: [ { name: g, query_offset: 30s, rules: [ { record: r, expr: g }, { alert: A, expr: g > 5 } ] } ]\n";
    let grid = [Grid { first: 0, step: STEP, count: 6 }];
    let (episodes, series) = watch(rules, &grid, &[(1, 0), (9, 0), (9, 0), (2, 0), (2, 0), (2, 0)], false);
    let lives: Vec<_> = episodes.iter().map(|(_, it)| (it.firing, it.resolved)).collect();
    assert_eq!(lives, [(Some(3 * STEP), Some(5 * STEP))]);
    let of = |name: &str| series.iter().find(|it| it.contains(&format!("(\"__name__\", \"{name}\")"))).cloned();
    let samples = |values: &[f64]| {
        let pairs = values.iter().enumerate().map(|(index, value)| (index as i64 * STEP, value.to_bits()));
        format!("{:?}", pairs.collect::<Vec<_>>())
    };
    assert!(of("r").is_some_and(|it| it.ends_with(&samples(&[1.0, 9.0, 9.0, 2.0]))), "{series:?}");
}

#[test]
fn an_expression_that_fails_now_and_then_fails_only_then() {
    // Two series match one: an error while both are there.
    let rules = "groups: [ { name: g, rules: [ { alert: A, expr: '{__name__=~\"g|h\"} == on (a) g' } ] } ]\n";
    let grid = [Grid { first: 0, step: STEP, count: 4 }];
    let (episodes, _) = watch(rules, &grid, &[(3, -1), (3, 3), (3, -1), (-1, -1)], false);
    let lives: Vec<_> = episodes.iter().map(|(_, it)| (it.firing, it.resolved)).collect();
    assert_eq!(lives, [(Some(0), Some(3 * STEP))], "an error leaves all as it was");
}

#[test]
fn every_escape_in_a_label_comes_through() {
    for value in ["\\", "\"", "\n", "\t", "é", "日本", "{}", "a=\"b\"", "$1", "", "\u{0}", "`"] {
        let interval = Duration::seconds(15);
        let target = Target::new(&[("job", "j")], interval, interval);
        let text = format!("x{{a={}}}", serde_json::Value::from(value).to_string().replace("\\u0000", "\\x00"));
        let expression = Expression::parse(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let also = vec![expression.clone()];
        let mut monitor = Monitor::new(Setup { targets: vec![target], also, ..Setup::default() });
        let mut scrape = monitor.scrape(0, 0);
        scrape.sample("x", &[("a".to_owned(), value.to_owned())], None, 1.0);
        scrape.end(Some(1), interval);
        match monitor.ask(&expression, 0) {
            Ok(Value::Vector(found)) => assert_eq!(found.len(), 1, "{value:?}"),
            other => panic!("{value:?}: {other:?}"),
        }
    }
}

#[test]
fn what_explodes_elsewhere_is_answered_or_refused_in_bounded_memory() {
    // Catastrophic for backtracking engines.
    let hostile = format!("x{{a=~\"{}\"}}", "(a+)+".repeat(20));
    let expression = Expression::parse(&hostile).expect("it is a regular expression");
    let interval = Duration::seconds(15);
    let setup = Setup {
        targets: vec![Target::new(&[], interval, interval)],
        also: vec![expression.clone()],
        ..Setup::default()
    };
    let mut monitor = Monitor::new(setup);
    let mut scrape = monitor.scrape(0, 0);
    scrape.sample("x", &[("a".to_owned(), "a".repeat(5_000) + "!")], None, 1.0);
    scrape.end(Some(1), interval);
    assert!(matches!(monitor.ask(&expression, 0), Ok(Value::Vector(found)) if found.is_empty()));
    for (text, part) in [
        ("x{a=~\"(a{1000}){1000}\"}".to_owned(), ""),
        (format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)), "nested"),
        (format!("1{}", " + 1".repeat(20_000)), "longer"),
        ("x[5m:0s]".to_owned(), ""),
        (format!("label_replace(x, \"a\", \"b\", \"c\", \"{}\")", "(((((a{99}){99}){99}){99}){99})"), ""),
    ] {
        if let Err(why) = Expression::parse(&text).map_err(String::from).and_then(|it| monitor.ask(&it, 0)) {
            assert!(why.contains(part) && why.len() < 1_000, "{why}");
        }
    }
    // A subquery of a year each millisecond.
    let greedy = Expression::parse("max_over_time(vector(1)[1y:1ms])").expect("sound");
    let told = monitor.ask(&greedy, 0).expect_err("too much");
    assert!(told.contains("more than 20000000000 steps"), "{told}");
    // Templates that do not end, or would grow without bounds.
    for text in [
        "{{ define \"t\" }}{{ template \"t\" . }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}",
        &"{{ if true }}".repeat(5_000),
    ] {
        let labels = Vec::new().into();
        let context = mock_kestra::monitor::Context {
            labels: &labels,
            value: 1.0,
            grafana: None,
            external_labels: &[],
            query: &|_| Ok(Vec::new()),
        };
        assert!(Template::parse(text).and_then(|it| it.expand(&context)).is_err());
    }
}

#[test]
fn a_number_that_is_no_time_is_refused() {
    for time in [
        "offset 1e999",
        "offset -1e999",
        "offset +Inf",
        "offset NaN",
        "[1e999]",
        "[1h:1e400]",
        "@ 1e999",
        // No number either, for Prometheus.
        "+ 1e999",
        "OFFSET 1e13",
    ] {
        assert!(Expression::parse(&format!("x {time}")).is_err(), "{time}");
    }
    for fine in ["x offset 1e3", "x{a=\"offset 1e999\"}", "x offset -1.5e+3", "sum by (offset) (x) > Inf", "x[300:1e1]"]
    {
        assert!(Expression::parse(fine).is_ok(), "{fine}: {:?}", Expression::parse(fine).err());
    }
}

proptest! {
    #![proptest_config(common::config(2_000))]

    /// Whatever a text holds, reading it ends with an answer or an error, and what was read can be evaluated.
    #[test]
    fn no_text_makes_it_panic(
        words in prop::collection::vec(
            prop_oneof![
                Just("sum"), Just("rate"), Just("by"), Just("("), Just(")"), Just("["), Just("]"), Just("{"), Just("}"), Just("5m"),
                Just("x"), Just("a"), Just("="), Just("=~"), Just("\""), Just("'"), Just(","), Just("+"), Just("-"), Just("=="), Just("and"),
                Just("on"), Just("offset"), Just("@"), Just("1"), Just("1e999"), Just("Inf"), Just(":"), Just("group_left"), Just("bool"), Just("{{"),
                Just("}}"), Just("$value"), Just("|"), Just("humanize"), Just("if"), Just("end"), Just("range"), Just("."), Just("\\"), Just("日")
            ],
            0..14,
        ),
    ) {
        let text = words.join(" ");
        if let Ok(expression) = Expression::parse(&text) {
            expression.outline();
            let monitor = Monitor::new(Setup { also: vec![expression.clone()], ..Setup::default() });
            let _ = monitor.ask(&expression, 0);
        }
        let labels = Vec::new().into();
        let context = mock_kestra::monitor::Context { labels: &labels, value: 1.0, grafana: None, external_labels: &[], query: &|_| Ok(Vec::new()) };
        let _ = Template::parse(&text).and_then(|it| it.expand(&context));
        let _ = read_rules("rules.yml", &text);
        let _ = Configuration::read("prometheus.yml", &text);
    }
}

#[test]
fn no_rule_sees_what_comes_after_its_evaluation() {
    let of = |expression: &str| format!("groups: [ {{ name: g, rules: [ {{ alert: A, expr: '{expression}' }} ] }} ]\n");
    // `g` is 1 and falls to 0 at the eleventh scrape.
    let values: Vec<(i32, i32)> = (0..30).map(|step| (i32::from(step < 10), -1)).collect();
    let grid = [Grid { first: 7_000, step: STEP, count: 29 }];
    let begins = |expression: &str| {
        let (episodes, _) = watch(&of(expression), &grid, &values, false);
        assert_eq!(episodes, watch(&of(expression), &grid, &values, true).0, "{expression}");
        episodes.first().map(|(_, episode)| episode.pending)
    };
    let plain = begins("g == 0");
    assert_eq!(plain, Some(157_000));
    // What lies ahead is the newest there is.
    for expression in ["g offset -1m == 0", "g offset -4m == 0", "g @ 157 == 0", "min_over_time(g[2m] offset -1m) == 0"]
    {
        assert_eq!(begins(expression), plain, "{expression}");
    }
    assert_eq!(begins("g offset 1m == 0"), Some(217_000));
    // Nothing is as near as this looks for it.
    assert_eq!(begins("g offset -5m == 0"), None);
}
