//! Flows that mean harm: too many, too deep, that start themselves or each other for ever, templates and expressions that
//! explode elsewhere. Each is read or refused in time, and ends at a limit that has a name; nothing panics.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use mock_kestra::document::{self, Diagnostic, Severity, Source};
use mock_kestra::random::Seed;
use mock_kestra::run::run;
use mock_kestra::scenario::{FlowFile, Loader, NoFiles, Plan, read};
use mock_kestra::simulator::LimitReached;
use mock_kestra::time::Calendar;

/// Gives some files for whatever is asked.
struct Files(Vec<String>);

impl Loader for Files {
    fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
        let of = |(number, text): (usize, &String)| Source { name: format!("{number}.yml"), text: text.clone() }.into();
        Ok(self.0.iter().enumerate().map(of).collect())
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("there is none".to_owned())
    }
}

/// A scenario of some flow files: its plan, and what is told.
fn files(files: Vec<String>) -> (Option<Plan>, Vec<Diagnostic>) {
    read("x.yaml", "name: x\nduration: 10m\ncluster: { standalone: 1 }\nflows: [ all ]\n", &Files(files))
}

/// What is wrong with one file.
fn errors(file: &str) -> String {
    let (_, told) = files(vec![file.to_owned()]);
    let errors: Vec<Diagnostic> = told.into_iter().filter(|it| it.severity == Severity::Error).collect();
    document::render(&errors)
}

fn end(text: &str) -> Result<(), LimitReached> {
    let (plan, told) = read("x.yaml", text, &NoFiles);
    let plan = plan.unwrap_or_else(|| panic!("{}", document::render(&told)));
    run(&Arc::new(plan), Seed(1), Calendar::default(), None).map(drop)
}

const HEAD: &str = "name: x\nduration: 30m\ncluster: { standalone: 1 }\nflows:\n";

#[test]
fn ten_thousand_flows_are_read_and_one_more_is_too_many() {
    let flow = |number: usize| {
        format!(
            "id: f{number}\nnamespace: a.b\ntasks: [ {{ id: t, type: io.kestra.plugin.core.log.Log, message: x }} ]\n"
        )
    };
    let (plan, told) = files((0..10_000).map(flow).collect());
    assert_eq!(plan.map(|plan| plan.flows.len()), Some(10_000));
    assert!(told.iter().all(|it| it.severity != Severity::Error) && told.len() <= document::limits::DIAGNOSTICS + 1);
    let (plan, told) = files((0..=10_000).map(flow).collect());
    assert!(document::render(&told).contains("too many flows") || plan.is_some_and(|plan| plan.flows.len() == 10_000));
}

#[test]
fn a_file_that_is_very_deep_or_grows_by_aliases_is_refused_by_a_limit_or_read_as_it_is() {
    let mut deep = "id: f\nnamespace: a.b\ntasks:\n".to_owned();
    for level in 0..200 {
        let pad = " ".repeat(level * 2);
        deep += &format!("{pad}- id: t{level}\n{pad}  type: io.kestra.plugin.core.flow.Sequential\n{pad}  tasks:\n");
    }
    deep += &format!("{}- {{ id: last, type: io.kestra.plugin.core.log.Log }}\n", " ".repeat(400));
    assert!(errors(&deep).contains("deep"), "{}", errors(&deep));
    let flow = format!(
        "id: f\nnamespace: a.b\nvariables: {{ v: {}1{} }}\ntasks: []\n",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    assert!(errors(&flow).contains("recursion limit"), "{}", errors(&flow));
    // Kestra does not follow aliases of a flow: a billion laughs are ten words.
    let mut bomb =
        "id: f\nnamespace: a.b\nvariables:\n  l0: &l0 [ lol, lol, lol, lol, lol, lol, lol, lol, lol ]\n".to_owned();
    for level in 1..12 {
        let uses = vec![format!("*l{}", level - 1); 9].join(", ");
        bomb += &format!("  l{level}: &l{level} [ {uses} ]\n");
    }
    bomb += "tasks: [ { id: t, type: io.kestra.plugin.core.log.Log, message: x } ]\n";
    let (plan, told) = files(vec![bomb.clone()]);
    let size = plan.map_or(0, |plan| plan.flows.first().map_or(0, |flow| flow.source.to_string().len()));
    assert!(size < 10_000, "{size}: {}", document::render(&told));
    // In a scenario, which follows them, they are counted.
    let scenario = format!("name: x\nlaughs:\n{}", bomb.split_once("variables:\n").expect("variables").1);
    let (plan, told) = read("x.yaml", &scenario, &NoFiles);
    assert!(
        plan.is_none() && document::render(&told).contains("more than 1000000 values"),
        "{}",
        document::render(&told)
    );
}

#[test]
fn flows_that_start_themselves_or_each_other_stop_at_a_limit_with_a_name() {
    let subflow = |id: &str, of: &str| {
        format!("{{ id: {id}, type: io.kestra.plugin.core.flow.Subflow, namespace: a.b, flowId: {of}, wait: false }}")
    };
    let flow = |id: &str, of: &str| {
        format!("  - {{ id: {id}, namespace: a.b, tasks: [ {}, {} ] }}\n", subflow("one", of), subflow("two", of))
    };
    // Kestra refuses a flow that names itself, not two that name each other.
    let (there, back) = (flow("again", "other"), flow("other", "again"));
    let again = format!("{HEAD}{there}{back}commands: [ {{ at: 1m, execute: again }} ]\n");
    let listener = |id: &str, trigger: &str| {
        let trigger =
            |id: &str| format!("{{ id: {id}, type: io.kestra.plugin.core.trigger.Flow, states: [ {trigger} ] }}");
        format!(
            "  - id: {id}\n    namespace: a.b\n    triggers: [ {}, {} ]\n    \
             tasks: [ {{ id: t, type: io.kestra.plugin.core.execution.Fail }} ]\n",
            trigger("x"),
            trigger("y")
        )
    };
    let ring = format!(
        "{HEAD}  - {{ id: bad, namespace: a.b, tasks: [ {{ id: t, type: io.kestra.plugin.core.execution.Fail }} ] }}\n{}{}\
         commands: [ {{ at: 1m, execute: bad }} ]\n",
        listener("a", "RUNNING, FAILED"),
        listener("b", "RUNNING, FAILED")
    );
    let waits = again.replace("wait: false", "wait: true");
    for text in [again, waits, ring] {
        let reached = end(&text).expect_err("it never ends by itself");
        assert_eq!(reached.limit, 100_000, "{reached}");
        assert!(reached.to_string().contains("that others started"), "{reached}");
    }
}

#[test]
fn templates_that_never_end_are_told_of_or_make_their_task_fail() {
    let scenario = |message: &str| {
        format!(
            "{HEAD}  - id: f\n    namespace: a.b\n    variables: {{ a: \"{{{{ render(vars.a) }}}}\" }}\n    tasks:\n      \
             - {{ id: t, type: io.kestra.plugin.slack.SlackIncomingWebhook, url: \"http://x\", messageText: \"{message}\" }}\n\
             commands: [ {{ at: 1m, execute: f }} ]\n"
        )
    };
    for message in [
        "{{ render(vars.a) }}",
        "{% for a in range(0, 99999) %}{% for b in range(0, 99999) %}x{% endfor %}{% endfor %}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(1) }}",
        "{{ range(0, 999999999) }}",
        "{{ ((((((((1)))))))) ~ 'x' | replace({'x': 'xx'}) }}",
    ] {
        let text = scenario(message);
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        let Some(plan) = plan else { panic!("{message}: {}", document::render(&told)) };
        let report = run(&Arc::new(plan), Seed(1), Calendar::default(), None).expect("no limit of the run");
        assert_eq!(report.notifications.len(), 1, "{message}: {report:?}");
    }
    // So deep that it is refused where it is read, or fails where it is rendered.
    let deep = scenario(&format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)));
    let (plan, _) = read("x.yaml", &deep, &NoFiles);
    if let Some(plan) = plan {
        let report = run(&Arc::new(plan), Seed(1), Calendar::default(), None).expect("no limit of the run");
        assert!(report.notifications.iter().all(|it| !it.taken), "{:?}", report.notifications);
    }
}

#[test]
fn regular_expressions_that_explode_elsewhere_take_no_time() {
    let filter = |value: &str| {
        format!(
            "  - id: f\n    namespace: a.alerts\n    tasks: [ {{ id: t, type: io.kestra.plugin.core.log.Log, message: x }} ]\n    \
             triggers:\n      - id: t\n        type: io.kestra.plugin.core.trigger.Flow\n        preconditions:\n          \
             id: p\n          where: [ {{ id: w, filters: [ {{ field: FLOW_ID, type: REGEX, value: '{value}' }} ] }} ]\n"
        )
    };
    let long = "a".repeat(90);
    for value in ["(a+)+b", "(a|a)*b", "(a*)*b", "a{1,1000}{1,1000}b", "(.*)*(.*)*(.*)*b"] {
        let text = format!(
            "{HEAD}  - {{ id: {long}, namespace: a.b, tasks: [ {{ id: t, type: io.kestra.plugin.core.log.Log, message: x }} ] }}\n{}\
             commands: [ {{ at: 1m, execute: {long} }} ]\nexpect: [ {{ execution: {{ flow: f, never: true }} }} ]\n",
            filter(value)
        );
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        let Some(plan) = plan else { panic!("{value}: {}", document::render(&told)) };
        let report = run(&Arc::new(plan), Seed(1), Calendar::default(), None).expect("no limit");
        assert_eq!(report.expectations[0].met, Some(true), "{value}");
    }
}
