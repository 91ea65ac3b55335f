//! Inputs of executions: what is checked when one is created, who says so, and what is hidden of them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::executions::{CLUSTER, LOGS, at, flow, histories, of, tasks, told};
use common::server::{Local, plan, session};
use mock_kestra::document;
use mock_kestra::scenario::{NoFiles, read};
use mock_kestra::server::Options;
use serde_json::{Value, json};

const FIVE: &str = "inputs: [ { id: count, type: INT, max: 5 }, { id: day, type: SELECT, values: [ monday, sunday ], defaults: monday } ]";

fn serve(flows: &str) -> Local {
    Local::serve(session(plan(&format!("{CLUSTER}{flows}"))), |clock| clock.paused(), Options::default())
}

#[test]
fn the_api_refuses_inputs_in_the_servers_words() {
    let mock = serve(&flow("f", &format!("{FIVE}, tasks: [ {LOGS} ]")));
    for (inputs, status, words) in [
        (json!({}), 422, "Missing required input:count"),
        (json!({ "count": "x" }), 422, "Invalid value for input `count`. Cause: For input string: \"x\""),
        (json!({ "count": 9 }), 422, "Invalid value for input `count`. Cause: it must be less than `5`"),
        (json!({ "count": 1, "day": "friday" }), 422, "it must match the values `[monday, sunday]`"),
        (json!({ "count": "3", "other": 1 }), 201, ""),
    ] {
        let body = json!({ "flow": "f", "inputs": inputs }).to_string();
        let (found, told) = mock.ask("POST", "/api/executions", &body);
        assert_eq!(found, status, "{body}: {told}");
        assert!(told["detail"].as_str().unwrap_or_default().contains(words), "{body}: {told}");
    }
    let (_, all) = mock.ask("GET", "/api/executions", "");
    let shown: Vec<&Value> = all["executions"].as_array().unwrap().iter().map(|it| &it["inputs"]).collect();
    assert_eq!(shown, [&json!({ "count": 3, "day": "monday" })], "typed, with its defaults, and nothing else");
}

#[test]
fn a_body_that_is_wrong_is_told_with_the_form_of_its_own_request() {
    let mock = serve(&flow("f", &format!("tasks: [ {LOGS} ]")));
    let (_, told) = mock.ask("POST", "/api/executions/none/resume", r#"{"inputs":[1]}"#);
    assert!(told.to_string().contains("approved") && !told.to_string().contains("monday"), "{told}");
    let (_, told) = mock.ask("POST", "/api/executions", r#"{"flow": "f", "inputs":[1]}"#);
    assert!(told.to_string().contains("monday"), "{told}");
}

#[test]
fn a_scenario_that_gives_wrong_inputs_is_told_where_and_what_to_write() {
    let flows = flow("f", &format!("{FIVE}, tasks: [ {LOGS} ]"));
    for (version, entry, sound, words) in [
        ("1.3", "execute: f", false, "Missing required input:count"),
        ("0.20", "execute: f", false, "Invalid input for `count`, missing required input, but received `null`"),
        ("1.3", "execute: f, inputs: { count: 7 }", false, "it must be less than `5`"),
        ("1.3", "execute: f, inputs: { count: 1, dai: x }", true, "did you mean `day`?"),
        ("1.3", "execute: f, inputs: { count: 1, day: sunday }", true, ""),
    ] {
        let text = format!("kestra: \"{version}\"\n{CLUSTER}{flows}commands: [ {{ at: 1m, {entry} }} ]\n");
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        let told = document::render(&told);
        assert_eq!(plan.is_some(), sound, "{entry}: {told}");
        assert!(told.contains(words), "{entry}: {told}");
        assert!(words.is_empty() || told.contains("x.yaml:7:"), "{entry}: {told}");
    }
    let text = format!("{CLUSTER}{flows}arrivals: [ {{ flow: f, rate: 1/min }} ]\n");
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    let told = document::render(&told);
    assert!(plan.is_some() && told.contains("warning") && told.contains("Missing required input:count"), "{told}");
}

#[test]
fn what_only_a_template_decides_is_told_when_the_execution_is_asked_for() {
    let inputs = "inputs: [ { id: n, type: INT, defaults: \"{{ kv('none') }}\" } ]";
    let flows = flow("f", &format!("{inputs}, tasks: [ {LOGS} ]"));
    let simulation = at("1.3", &flows, "  - { at: 1m, execute: f }\n", 3);
    assert!(histories(&simulation, "f").is_empty());
    let journal = told(&simulation);
    assert!(journal.iter().any(|line| line.starts_with("execute: refused of company.team.f: ")), "{journal:?}");
}

#[test]
fn a_subflow_whose_inputs_are_refused_fails_and_starts_nothing() {
    let subflow = |inputs: &str| {
        format!(
            "tasks: [ {{ id: sub, type: io.kestra.plugin.core.flow.Subflow, namespace: company.team, flowId: child, inputs: {inputs} }} ], \
             errors: [ {{ id: e, type: a.B }} ]"
        )
    };
    let child = flow("child", &format!("{FIVE}, tasks: [ {LOGS} ]"));
    for (inputs, parent, children) in [
        ("{ count: \"{{ 2 + 7 }}\" }", "sub=FAILED e=SUCCESS", 0),
        ("{ }", "sub=FAILED e=SUCCESS", 0),
        ("{ count: \"{{ 2 + 2 }}\" }", "sub=SUCCESS", 1),
    ] {
        let simulation =
            at("1.3", &(flow("parent", &subflow(inputs)) + &child), "  - { at: 1m, execute: parent }\n", 5);
        let all = simulation.executions();
        assert_eq!(tasks(of(&all, &simulation, "parent")[0]), parent, "{inputs}");
        assert_eq!(of(&all, &simulation, "child").len(), children, "{inputs}");
        let why = told(&simulation)
            .iter()
            .any(|line| line.contains("the task sub of company.team.parent fails: ") && line.contains("count"));
        assert_eq!(why, children == 0, "{inputs}: {:?}", told(&simulation));
    }
}

#[test]
fn an_input_that_depends_on_others_is_asked_for_only_where_they_say_so() {
    let inputs = "inputs: [ { id: env, type: STRING }, { id: reason, type: STRING, dependsOn: { inputs: [ env ], condition: \"{{ inputs.env == 'prod' }}\" } } ]";
    let says = "{ id: i, type: io.kestra.plugin.core.flow.If, condition: \"{{ inputs.reason is defined }}\", then: [ { id: yes, type: a.B } ], else: [ { id: no, type: a.B } ] }";
    let flows = flow("f", &format!("{inputs}, tasks: [ {says} ]"));
    let commands = "  - { at: 1m, execute: f, inputs: { env: dev, reason: x } }\n  - { at: 2m, execute: f, inputs: { env: prod, reason: x } }\n\
                    \x20 - { at: 3m, execute: f, inputs: { env: prod } }\n";
    let simulation = at("1.3", &flows, commands, 5);
    let runs: Vec<String> = simulation.executions().iter().map(tasks).collect();
    assert_eq!(runs, ["i=SUCCESS no=SUCCESS", "i=SUCCESS yes=SUCCESS"]);
    assert!(
        told(&simulation).contains(&"execute: refused of company.team.f: Missing required input:reason".to_owned())
    );
}

#[test]
fn the_value_of_a_secret_input_is_never_shown() {
    let inputs = "inputs: [ { id: token, type: SECRET }, { id: n, type: INT } ]";
    let fails = "{ id: a, type: io.kestra.plugin.core.execution.Assert, conditions: [ \"false\" ], errorMessage: \"{{ inputs.token }}\" }";
    let says = "{ id: i, type: io.kestra.plugin.core.flow.If, condition: \"{{ inputs.token == 'hunter2-s3cret' }}\", then: [ { id: yes, type: a.B } ] }";
    let flows = flow("f", &format!("{inputs}, labels: {{ a: b }}, tasks: [ {says}, {fails} ]"));
    let commands =
        "  - { at: 1m, execute: f, inputs: { token: hunter2-s3cret, n: 1 }, labels: { t: \"hunter2-s3cret\" } }\n";
    let simulation = at("1.3", &flows, commands, 5);
    let all = simulation.executions();
    assert_eq!(all[0].inputs["token"], "******");
    assert_eq!(tasks(&all[0]), "i=SUCCESS yes=SUCCESS a=FAILED", "a template sees it");
    let shown = format!("{all:?} {:?}", told(&simulation));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn nor_is_what_a_pause_is_given_what_is_in_a_list_and_what_is_refused() {
    let pause = "{ id: p, type: io.kestra.plugin.core.flow.Pause, onResume: [ { id: token, type: SECRET } ] }";
    let fails = |text: &str| {
        format!(
            "{{ id: a, type: io.kestra.plugin.core.execution.Assert, conditions: [ \"false\" ], errorMessage: \"{text}\" }}"
        )
    };
    let of_pause = flow("f", &format!("tasks: [ {pause}, {} ]", fails("{{ outputs.p.onResume.token }}")));
    let commands = "  - { at: 1m, execute: f }\n  - { at: 2m, resume: f, inputs: { token: hunter2-s3cret } }\n";
    let list = "inputs: [ { id: all, type: ARRAY, itemType: SECRET } ]";
    let of_list = flow("f", &format!("{list}, tasks: [ {} ]", fails("{{ inputs.all[1] }}")));
    let listed = "  - { at: 1m, execute: f, inputs: { all: [ first-s3cret, other-s3cret ] } }\n";
    for (flows, commands, ended) in [(of_pause, commands, "p=SUCCESS a=FAILED"), (of_list, listed, "a=FAILED")] {
        let simulation = at("1.3", &flows, commands, 5);
        let all = simulation.executions();
        assert_eq!(tasks(&all[0]), ended);
        let shown = format!("{all:?} {:?}", told(&simulation));
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    // 0.20 says what it was given.
    let refused = "inputs: [ { id: a, type: STRING, defaults: \"{{ 'x' }}\" }, \
                   { id: token, type: SECRET, validator: \"[a-z]+\", dependsOn: { inputs: [ a ] } } ]";
    let flows = flow("f", &format!("{refused}, tasks: [ {{ id: t, type: a.B }} ]"));
    let simulation = at("0.20", &flows, "  - { at: 1m, execute: f, inputs: { token: HUNTER2-S3CRET } }\n", 5);
    let shown = format!("{:?}", told(&simulation));
    assert!(shown.contains("******") && !shown.contains("S3CRET"), "{shown}");
}

#[test]
fn a_validator_that_nobody_here_can_read_is_named() {
    let inputs = "inputs: [ { id: pw, type: STRING, validator: \"^(?=.*[0-9]).{8,}$\" }, { id: em, type: EMAIL }, \
                  { id: y, type: YAML }, { id: n, type: STRING, validator: \"\\\\p{javaLowerCase}+\" } ]";
    let flows = flow("f", &format!("{inputs}, tasks: [ {{ id: t, type: a.B }} ]"));
    let text = format!("name: x\ncluster: {{ standalone: 1 }}\nflows:\n{flows}");
    let (plan, told) = read("x.yaml", &text, &NoFiles);
    assert!(plan.is_some());
    let inputs: Vec<&str> =
        told.iter().filter(|it| it.what.contains("of the input")).map(|it| it.what.as_str()).collect();
    assert_eq!(
        inputs,
        ["not simulated: the `validator` of the input `n`: what Java alone knows of patterns"],
        "{told:?}"
    );
}

#[test]
fn each_version_knows_its_types_of_inputs_and_refuses_others_in_its_words() {
    let all = [
        "STRING",
        "INT",
        "FLOAT",
        "BOOLEAN",
        "SELECT",
        "MULTISELECT",
        "ARRAY",
        "JSON",
        "YAML",
        "FILE",
        "URI",
        "DATE",
        "TIME",
        "DATETIME",
        "DURATION",
        "SECRET",
        "EMAIL",
        "ENUM",
        "BOOL",
        "FORM",
        "OBJECT",
        "TABLE",
    ];
    let of_flow = |kind: &str| {
        let more = match kind {
            "ARRAY" => ", itemType: STRING",
            "SELECT" | "MULTISELECT" | "ENUM" => ", values: [ a ]",
            _ => "",
        };
        flow("f", &format!("inputs: [ {{ id: x, type: {kind}, required: false{more} }} ], tasks: [ {LOGS} ]"))
    };
    for (version, unknown) in
        [("0.20", &["BOOL", "FORM", "OBJECT", "TABLE"][..]), ("1.3", &["FORM", "OBJECT", "TABLE"]), ("2.0", &[])]
    {
        for kind in all {
            let (plan, said) = read("x.yaml", &format!("kestra: \"{version}\"\n{CLUSTER}{}", of_flow(kind)), &NoFiles);
            let said = document::render(&said);
            let words = format!("Kestra {version} refuses the flow: Invalid type: {kind}");
            assert_eq!(said.contains(&words), unknown.contains(&kind), "{version} {kind}: {said}");
            assert_eq!(plan.is_none(), unknown.contains(&kind), "{version} {kind}: {said}");
            let open = format!("what the type {kind} asks of the input `x`");
            assert_eq!(said.contains(&open), matches!(kind, "FORM" | "OBJECT" | "TABLE"), "{version} {kind}: {said}");
        }
    }
}
