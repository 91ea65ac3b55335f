//! Inputs of executions that triggers start: which trigger looks at them, and what becomes of those that are refused.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::executions::{CLUSTER, LOGS, at, flow, histories, of, told};
use mock_kestra::document::{self, Source};
use mock_kestra::scenario::{FlowFile, Loader, NoFiles, read};
use serde_json::json;

const COUNT: &str = "inputs: [ { id: count, type: INT, max: 5 }, { id: day, type: STRING, defaults: monday } ]";
const NOTHING: &str = "  - { at: 1s, execute: other }\n";

fn scheduled(inputs: &str, gives: &str) -> String {
    let schedule = "id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\"";
    flow("f", &format!("{inputs}, triggers: [ {{ {schedule}{gives} }} ], tasks: [ {LOGS} ]"))
        + &flow("other", &format!("tasks: [ {LOGS} ]"))
}

#[test]
fn what_a_schedule_gives_is_taken_as_the_flow_declares_it() {
    for version in ["0.20", "1.3", "2.0"] {
        let simulation = at(version, &scheduled(COUNT, ", inputs: { count: \"3\" }"), NOTHING, 5);
        let all = simulation.executions();
        let all = of(&all, &simulation, "f");
        assert!(all.len() > 2, "{version}");
        assert_eq!(json!(all[0].inputs), json!({ "count": 3, "day": "monday" }), "{version}");
    }
}

#[test]
fn what_a_schedule_gives_and_the_flow_refuses_starts_by_the_version_nothing_or_what_is_failed() {
    // Where only a template decides, no version can say it when the flow is read.
    let gives = ", inputs: { count: \"{{ 4 + 5 }}\" }";
    for (version, failed) in [("0.20", false), ("1.3", true), ("2.0", false)] {
        let simulation = at(version, &scheduled(COUNT, gives), NOTHING, 5);
        let histories = histories(&simulation, "f");
        assert_eq!(histories.len() > 4, failed, "{version}: {histories:?}");
        assert!(histories.iter().all(|it| failed && it == "CREATED FAILED"), "{version}: {histories:?}");
        let told = told(&simulation);
        let once = told.iter().filter(|line| line.starts_with("schedule: refused of company.team.f: ")).count();
        assert_eq!(once, 1, "{version}: {told:?}");
        assert!(told.iter().any(|line| line.contains("it must be less than `5`")), "{version}: {told:?}");
    }
}

#[test]
fn a_schedule_that_lacks_what_the_flow_needs_is_told_of_by_the_version() {
    let needs = "inputs: [ { id: x, type: STRING } ]";
    let with_default = "inputs: [ { id: x, type: STRING }, { id: y, type: STRING, defaults: z } ]";
    for (version, inputs, gives, words, histories_of) in [
        // Nobody looks where neither the trigger nor a default gives any.
        ("0.20", needs, "", None, Some("CREATED RUNNING SUCCESS")),
        (
            "0.20",
            with_default,
            "",
            Some("can never fire: no execution starts: Invalid input for `x`, missing required"),
            None,
        ),
        (
            "0.20",
            "inputs: [ { id: x, type: STRING }, { id: y, type: STRING } ]",
            ", inputs: { y: z }",
            Some("can never fire: no execution starts: Invalid input for `x`, missing required"),
            None,
        ),
        (
            "1.3",
            needs,
            "",
            Some("makes an execution that is FAILED from the start: Missing required input:x"),
            Some("CREATED FAILED"),
        ),
        (
            "1.3",
            COUNT,
            ", inputs: { count: 9 }",
            Some("FAILED from the start: Invalid value for input `count`"),
            Some("CREATED FAILED"),
        ),
    ] {
        let flows = scheduled(inputs, gives);
        let (_, said) = read("x.yaml", &format!("kestra: \"{version}\"\n{CLUSTER}{flows}"), &NoFiles);
        let said = document::render(&said);
        assert_eq!(said.contains("the trigger `s`"), words.is_some(), "{version} {inputs}: {said}");
        assert!(said.contains(words.unwrap_or_default()), "{version} {inputs}: {said}");
        let simulation = at(version, &flows, NOTHING, 3);
        let histories = histories(&simulation, "f");
        assert_eq!(histories.first().map(String::as_str), histories_of, "{version} {inputs}: {histories:?}");
    }
}

struct File(&'static str);

impl Loader for File {
    fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
        Ok(vec![Source { name: "f.yml".to_owned(), text: self.0.to_owned() }.into()])
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("there is none".to_owned())
    }
}

#[test]
fn two_zero_refuses_the_flow_of_a_trigger_that_lacks_what_it_needs() {
    let missing = "id: f\nnamespace: company.team\ninputs: [ { id: a, type: INT }, { id: b, type: STRING } ]\n\
                   triggers:\n  - { id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"@daily\" }\n\
                   \x20 - { id: w, type: io.kestra.plugin.core.trigger.Webhook, key: k, inputs: { a: x, b: \"\" } }\n\
                   tasks: [ { id: l, type: io.kestra.plugin.core.log.Log, message: hi } ]\n";
    let words = "Invalid Flow: Missing inputs for Schedule Trigger 's', missing inputs: 'a | b', \
                 Invalid value for input 'a' supplied by Webhook Trigger 'w': `x` is not a valid INT value";
    for (version, refused) in [("1.3", false), ("2.0", true)] {
        let text = format!("kestra: \"{version}\"\nname: x\ncluster: {{ standalone: 1 }}\nflows: [ f.yml ]\n");
        let (plan, said) = read("x.yaml", &text, &File(missing));
        assert_eq!(plan.is_some_and(|plan| plan.left_out == ["f.yml"]), refused, "{version}");
        assert_eq!(document::render(&said).contains(words), refused, "{}", document::render(&said));
    }
}

#[test]
fn a_flow_trigger_gives_what_it_gives_as_recorded() {
    // company.alerts.l-bad-input-type and l-missing-input of end-to-end: SUCCESS, `{"n":"abc"}`, none.
    let listens = "id: t, type: io.kestra.plugin.core.trigger.Flow";
    for (inputs, gives, has) in [
        ("inputs: [ { id: n, type: INT } ]", ", inputs: { n: abc }", json!({ "n": "abc" })),
        ("inputs: [ { id: need, type: STRING } ]", "", json!({})),
    ] {
        let watches = flow("f", &format!("{inputs}, triggers: [ {{ {listens}{gives} }} ], tasks: [ {LOGS} ]"));
        let flows = watches + &flow("other", &format!("tasks: [ {LOGS} ]"));
        for version in ["1.3", "2.0"] {
            let simulation = at(version, &flows, NOTHING, 3);
            let all = simulation.executions();
            let all = of(&all, &simulation, "f");
            assert_eq!(all.len(), 1, "{version}");
            assert_eq!((json!(all[0].inputs), all[0].state.name()), (has.clone(), "SUCCESS"), "{version}");
        }
    }
}

fn called(version: &str, inputs: &str, gives: &str, body: &str) -> String {
    let hook = "id: w, type: io.kestra.plugin.core.trigger.Webhook, key: k";
    let flows = flow("f", &format!("{inputs}, triggers: [ {{ {hook}{gives} }} ], tasks: [ {LOGS} ]"));
    format!(
        "kestra: \"{version}\"\n{CLUSTER}{flows}behaviour: [ {{ task: w, outputs: {{ body: {body} }} }} ]\n\
         arrivals: [ {{ flow: f, rate: 6/min, over: webhook }} ]\n"
    )
}

#[test]
fn what_a_webhook_gives_is_looked_at_where_it_gives_any() {
    use std::sync::Arc;

    use mock_kestra::random::Seed;
    use mock_kestra::run::Session;
    use mock_kestra::time::{Calendar, Duration, Instant};

    for (gives, body, inputs, words) in [
        (", inputs: { count: \"{{ trigger.body.n }}\" }", "{ n: 3 }", Some(json!({ "count": 3, "day": "monday" })), ""),
        (", inputs: { count: \"{{ trigger.body.n }}\" }", "{ n: 9 }", None, "it must be less than `5`"),
        (", inputs: { count: \"{{ trigger.body.m }}\" }", "{ n: 9 }", None, "arrivals: refused of company.team.f: "),
        ("", "{ n: 3 }", Some(json!({})), ""),
    ] {
        // 2.0 refuses the flow of a webhook that lacks what it needs.
        for version in if gives.is_empty() { &["1.3"][..] } else { &["1.3", "2.0"] } {
            let text = called(version, COUNT, gives, body);
            let (plan, said) = read("x.yaml", &text, &NoFiles);
            let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&said)));
            let mut session = Session::new(Arc::new(plan), Seed(1), Calendar::default()).endless();
            session.advance(Instant::START + Duration::minutes(2)).expect("no limit");
            let simulation = session.simulation();
            let all = simulation.executions();
            let shown = of(&all, simulation, "f").first().map(|it| json!(it.inputs));
            assert_eq!(shown, inputs, "{version} {gives} {body}: {:?}", told(simulation));
            assert!(words.is_empty() || told(simulation).iter().any(|line| line.contains(words)), "{words}");
        }
    }
    let (plan, said) = read("x.yaml", &called("0.20", COUNT, ", inputs: { count: 1 }", "{ }"), &NoFiles);
    let said = document::render(&said);
    assert!(plan.is_none() && said.contains("a Webhook has no `inputs` there"), "{said}");
    let (_, said) = read("x.yaml", &called("1.3", COUNT, ", inputs: { count: 9, dy: x }", "{ }"), &NoFiles);
    let said = document::render(&said);
    assert!(said.contains("can never fire: no execution starts: Invalid value for input `count`"), "{said}");
    assert!(said.contains("did you mean `day`?"), "{said}");
}

#[test]
fn the_values_of_secret_inputs_are_masked_whatever_gives_them() {
    let secret = "inputs: [ { id: token, type: SECRET } ]";
    let fails = "{ id: a, type: io.kestra.plugin.core.execution.Assert, conditions: [ \"false\" ], errorMessage: \"{{ inputs.token }}\" }";
    let cron = "id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\"";
    let listens = "id: t, type: io.kestra.plugin.core.trigger.Flow";
    for trigger in [cron, listens] {
        let gives =
            format!("triggers: [ {{ {trigger}, inputs: {{ token: \"hunter2-{{{{ 'S3CRET' | lower }}}}\" }} }} ]");
        let flows = flow("f", &format!("{secret}, {gives}, tasks: [ {fails} ]"))
            + &flow("other", &format!("tasks: [ {LOGS} ]"));
        let simulation = at("1.3", &flows, NOTHING, 4);
        let all = simulation.executions();
        let all = of(&all, &simulation, "f");
        assert_eq!(all.first().map(|it| json!(it.inputs)), Some(json!({ "token": "******" })), "{trigger}");
        let shown = format!("{all:?} {:?}", told(&simulation));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn a_flow_in_a_scenario_is_judged_by_the_version_that_runs_it_whichever_the_file_names() {
    use mock_kestra::profile::Profile;
    use mock_kestra::scenario::read_as;

    let flows = scheduled("inputs: [ { id: a, type: INT } ]", ", inputs: { a: x }");
    for (version, refused, words) in [
        (
            "0.20",
            false,
            "can never fire: no execution starts: Invalid input for `a`, For input string: \"x\", but received `x`",
        ),
        ("1.3", false, "FAILED from the start: Invalid value for input `a`. Cause: For input string: \"x\""),
        (
            "2.0",
            true,
            "Kestra 2.0 refuses the flow: Invalid Flow: Invalid value for input 'a' supplied by Schedule Trigger 's': `x` is not a valid INT value",
        ),
    ] {
        let own = format!("kestra: \"{version}\"\n{CLUSTER}{flows}");
        let other = format!("kestra: \"1.3\"\n{CLUSTER}{flows}");
        let kestra = Profile::named(version).expect("a version");
        for (plan, told) in [read("x.yaml", &own, &NoFiles), read_as("x.yaml", &other, &NoFiles, kestra)] {
            let told = document::render(&told);
            assert_eq!(plan.is_none(), refused, "{version}: {told}");
            assert!(told.contains(words), "{version}: {told}");
        }
    }
}

#[test]
fn a_webhook_that_gives_a_secret_input_starts_nothing() {
    use std::sync::Arc;

    use mock_kestra::random::Seed;
    use mock_kestra::run::Session;
    use mock_kestra::time::{Calendar, Duration, Instant};

    let secret = "inputs: [ { id: token, type: SECRET, required: false }, { id: n, type: INT, required: false } ]";
    let cast = "class java.lang.String cannot be cast to class java.util.Map";
    for (gives, starts) in [
        (", inputs: { token: \"{{ trigger.body.t }}\" }", false),
        (", inputs: { token: plain, n: 3 }", false),
        (", inputs: { token: null, n: 3 }", true),
        (", inputs: { n: 3 }", true),
    ] {
        for version in ["1.3", "2.0"] {
            let (plan, said) = read("x.yaml", &called(version, secret, gives, "{ t: hush }"), &NoFiles);
            let said = document::render(&said);
            assert_eq!(said.contains(cast), !starts, "{version} {gives}: {said}");
            let mut session = Session::new(Arc::new(plan.expect("it is read")), Seed(1), Calendar::default()).endless();
            session.advance(Instant::START + Duration::minutes(2)).expect("no limit");
            let simulation = session.simulation();
            assert_eq!(!simulation.executions().is_empty(), starts, "{version} {gives}");
            assert_eq!(told(simulation).iter().any(|line| line.contains(cast)), !starts, "{:?}", told(simulation));
        }
    }
}
