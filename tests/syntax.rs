//! What PromQL is read as: every expression of the tests as a golden tree, mistakes with their places, and promtool beside it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "it tells how much was compared")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use common::expressions;
use common::peers::peer;
use common::server::scratch;
use mock_kestra::document::{Diagnostic, render};
use mock_kestra::monitor::read_rules;
use mock_kestra::promql::{Expression, Semantics};

#[test]
fn every_expression_is_read_as_its_golden_tree() {
    let mut text = String::new();
    for expression in expressions::all() {
        let read = match Expression::parse(&expression) {
            Ok(read) => {
                let canonical = read.canonical();
                let again = Expression::parse(&canonical).map(|again| again.canonical());
                assert_eq!(again.as_ref(), Ok(&canonical), "{expression}");
                for part in read.parts() {
                    Expression::parse(&part).unwrap_or_else(|why| panic!("{expression}: {part}: {why}"));
                }
                canonical
            }
            Err(why) => format!("! {why}{}", why.advice.as_ref().map(|it| format!("; {it}")).unwrap_or_default()),
        };
        let _ = writeln!(text, "{}\n    {read}", expression.trim().replace('\n', "\n  "));
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("promql", text);
    });
}

#[test]
fn every_mistake_has_a_place_within_the_text() {
    let (mut mistakes, mut sound) = (0, 0);
    for (number, expression) in expressions::shipped().iter().chain(&expressions::evaluated()).enumerate() {
        for round in 0..4 {
            let text = expressions::mutated(expression, number as u64 * 4 + round);
            match Expression::parse(&text) {
                Ok(read) => {
                    sound += 1;
                    assert!(Expression::parse(&read.canonical()).is_ok(), "{text}: {}", read.canonical());
                    read.outline();
                }
                Err(error) => {
                    mistakes += 1;
                    assert!(text.get(error.span.clone()).is_some(), "{text}: {error:?}");
                    let before = error.to_string();
                    assert!(before.contains("(character "), "{before}");
                }
            }
        }
    }
    println!("{mistakes} mistakes, {sound} sound");
    assert!(mistakes > 800 && sound > 150, "{mistakes} mistakes, {sound} sound");
}

/// Rule files with mistakes in their expressions and anywhere.
fn mutated_files() -> impl Iterator<Item = (String, String)> {
    expressions::rule_files().into_iter().flat_map(|(name, text)| {
        let expressions = expressions::shipped();
        (0..150).map(move |number| {
            let mut mutated = text.clone();
            for (index, expression) in expressions.iter().enumerate() {
                // As it stands in the file: on one line, and one in three of them.
                if text.contains(expression.as_str()) && (index as u64 + number).is_multiple_of(3) {
                    let mistaken = expressions::mutated(expression, number * 100 + index as u64);
                    mutated = mutated.replacen(expression.as_str(), &mistaken, 1);
                }
            }
            (name.clone(), mutated)
        })
    })
}

#[test]
fn every_mistake_in_a_rule_file_is_shown_inside_its_expression() {
    let (mut refused, mut inside) = (0, 0);
    for (name, text) in mutated_files() {
        let diagnostics = match read_rules(&name, &text) {
            Ok((_, warnings)) => warnings,
            Err(diagnostics) => diagnostics,
        };
        for Diagnostic { place, what, .. } in diagnostics {
            assert!(place.source.text.get(place.range.clone()).is_some(), "{what}: {place:?}");
            if what.starts_with("`expr` cannot be evaluated") {
                refused += 1;
                inside += usize::from(place.source.name == name);
            }
        }
    }
    println!("{refused} mistakes, {inside} shown in the file itself");
    assert!(refused > 300 && inside * 10 > refused * 9, "{refused} mistakes, {inside} shown in the file itself");
}

#[test]
fn a_rule_file_shows_each_mistake_with_a_caret_in_its_expression() {
    let prometheus = r#"groups:
  - name: mistakes
    rules:
      - { alert: Plain, expr: up == = 1 }
      - alert: Quoted
        expr: "rate(up) > 0"
      - alert: Escaped
        expr: "up{job=\"kestra\"} adn up"
      - alert: Folded
        expr: >-
          sum(up)
          / count(rte(up[5m])) > 0.5
      - alert: Literal
        expr: |
          # how many
          sum(up) > 1 +
      - alert: Missing
        expr: limitk(1, up)
"#;
    let grafana = r#"apiVersion: 1
groups:
  - name: mistakes
    folder: tests
    interval: 1m
    rules:
      - uid: variables
        title: Variables
        condition: A
        data:
          - refId: A
            datasourceUid: prometheus
            relativeTimeRange: { from: 600, to: 0 }
            model: { instant: true, expr: "rate(up[$__rate_interval]) > x[$__range] > 1" }
"#;
    let mut told = String::new();
    for (name, text) in [("rules.yml", prometheus), ("grafana.yaml", grafana)] {
        told += &render(&read_rules(name, text).expect_err("mistakes"));
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("rule-mistakes", told);
    });
}

/// Where promtool says otherwise: a part of what one of both says of the expression, and why that is right.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("is not implemented", "what is not there is refused by name, whether it is behind a switch of Prometheus or not"),
    ("this text is no UTF-8", "labels are UTF-8: such a text would match nothing"),
    (
        "is no time: it is out of range",
        "after `@`, years beyond 33,000 are refused, so that reckoning with times cannot overflow",
    ),
];

/// What promtool refuses, by index.
fn refused_by_promtool(suite: &str, all: &[String]) -> BTreeMap<usize, String> {
    let mut text = String::from("groups:\n");
    for (index, expression) in all.iter().enumerate() {
        let expression = serde_json::Value::from(expression.as_str());
        let _ = writeln!(text, "- name: g{index}\n  rules: [ {{ record: r, expr: {expression} }} ]");
    }
    let file = scratch("syntax.yml");
    std::fs::write(&file, text).expect("written");
    let output = Command::new(peer(suite, "promtool")).args(["check", "rules"]).arg(&file).output().expect("promtool");
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let mut refused = BTreeMap::new();
    for line in told.lines() {
        let found = line.split_once("group \"g").and_then(|(_, rest)| rest.split_once('"'));
        if let Some((index, why)) = found {
            refused.insert(index.parse().expect("a number"), why.to_owned());
        }
    }
    assert!(refused.len() > 10, "{told}");
    refused
}

#[test]
#[ignore = "needs promtool of Debian unstable: .ci/peers fetches it"]
fn promtool_accepts_and_refuses_the_same() {
    accepts_and_refuses_the_same("unstable", Semantics::V3);
}

#[test]
#[ignore = "needs the newest promtool: .ci/peers builds it where Go is there"]
fn the_newest_promtool_accepts_and_refuses_the_same() {
    accepts_and_refuses_the_same("newest", Semantics::V3_16);
}

fn accepts_and_refuses_the_same(suite: &str, semantics: Semantics) {
    let mut all = expressions::all();
    all.extend(expressions::newest());
    all.extend(expressions::of_the_query().map(str::to_owned));
    for (number, expression) in all.clone().iter().enumerate() {
        all.extend((0..4).map(|round| expressions::mutated(expression, 50_000 + number as u64 * 4 + round)));
    }
    // An empty one is no rule.
    all.retain(|expression| !expression.trim().is_empty());
    let refused = refused_by_promtool(suite, &all);
    let mut wrong = Vec::new();
    for (index, expression) in all.iter().enumerate() {
        let ours = Expression::parse(expression).map_err(|why| why.to_string());
        let ours = ours.and_then(|read| match read.newer().into_iter().find(|newer| newer.since > semantics) {
            Some(newer) => Err(format!("{} refuses {}", newer.refused_by, newer.what)),
            None => Ok(read),
        });
        let excepted = |said: &str| EXCEPTIONS.iter().any(|(part, _)| said.contains(part));
        match (refused.get(&index), ours) {
            (None, Err(why)) if !excepted(&why) => wrong.push(format!("{expression}: we refuse it: {why}")),
            (Some(why), Ok(_)) if !excepted(why) => wrong.push(format!("{expression}: promtool refuses it: {why}")),
            _ => {}
        }
    }
    println!("{} expressions, of which promtool refuses {}", all.len(), refused.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}
