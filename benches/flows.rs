//! What flows cost: alert flows in a cluster, reading many files, Flow triggers that hear of every transition, and secrets that
//! nobody may see. Each figure is time of the processor, not of the wall, and stands beside something measured in the same run.
//! `cargo bench --bench flows` prints one table; nothing here passes or fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a bench that cannot go on panics")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints it")]

mod common;

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant as Wall;

use common::row;
use jiff::tz::TimeZone;
use mock_kestra::document::{self, Source};
use mock_kestra::execution::trigger::{Among, Listeners, Surroundings, Upstream, Windows};
use mock_kestra::flow::State;
use mock_kestra::flow::trigger::Dialect;
use mock_kestra::pebble::{self, Host, Secrets};
use mock_kestra::random::Seed;
use mock_kestra::scenario::{FlowFile, Loader, NoFiles, Plan, read};
use mock_kestra::simulator::Simulation;
use mock_kestra::time::{Calendar, Duration, Instant};
use serde_json::Map;

fn main() {
    row("what", "figure".into(), "beside".into());
    virtual_speed();
    loading();
    transitions();
    masking();
}

/// Seconds that this process has had the processor for, in steps of 10 ms: what others do on a machine that is shared does not
/// count. Seconds on the wall where the system does not tell it.
fn processor(begun: Wall) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything, the 12th and 13th are the ticks in its own code and in the system's.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => (user + system) / 100.0,
        _ => begun.elapsed().as_secs_f64(),
    }
}

/// Seconds of the processor that some work takes, done again and again for a second and a half: an average.
fn cost(mut work: impl FnMut()) -> f64 {
    const LONG: f64 = 1.5;
    let wall = Wall::now();
    let begun = processor(wall);
    for times in 1.. {
        work();
        let spent = processor(wall) - begun;
        if spent >= LONG {
            return spent / f64::from(times);
        }
    }
    0.0
}

/// Gives the same files for whatever is asked.
struct Files(Vec<Source>);

impl Loader for Files {
    fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
        let copy = |file: &Source| Source { name: file.name.clone(), text: file.text.clone() }.into();
        Ok(self.0.iter().map(copy).collect())
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("there is none".to_owned())
    }
}

fn sound(text: &str, loader: &dyn Loader) -> Arc<Plan> {
    let (plan, told) = read("bench.yaml", text, loader);
    Arc::new(plan.unwrap_or_else(|| panic!("{}", document::render(&told))))
}

/// A flow of a team, as people write them.
fn team_flow(number: usize) -> String {
    let (team, more) = (number % 20, if number.is_multiple_of(2) { "allowFailure: true" } else { "timeout: PT10M" });
    format!(
        "id: flow-{number}
namespace: company.team{team}
description: Loads the table {number}, and tells of what it found.
labels:
  team: team{team}
  env: prod
inputs:
  - id: day
    type: STRING
    defaults: monday
variables:
  table: \"table_{number}\"
tasks:
  - id: load
    type: io.kestra.plugin.jdbc.postgresql.CopyIn
    url: \"jdbc:postgresql://db:5432/{{{{ vars.table }}}}\"
    retry:
      type: constant
      interval: PT5S
      maxAttempts: 3
  - id: check
    type: io.kestra.plugin.jdbc.postgresql.Query
    sql: |
      select count(*) from {{{{ vars.table }}}}
      where day = '{{{{ inputs.day }}}}'
    {more}
errors:
  - id: note
    type: io.kestra.plugin.core.log.Log
    message: \"{{{{ flow.id }}}} failed: {{{{ execution.id }}}}\"
"
    )
}

/// An alert flow of one of a few forms that hears of one namespace.
fn alert_flow(number: usize) -> String {
    let team = number % 20;
    let trigger = match number % 3 {
        0 => format!(
            "    states: [ FAILED, WARNING ]
    conditions:
      - {{ type: io.kestra.plugin.core.condition.ExecutionNamespace, namespace: company.team{team}, prefix: true }}
"
        ),
        1 => format!(
            "    conditions:
      - {{ type: io.kestra.plugin.core.condition.ExecutionStatus, in: [ FAILED ] }}
      - {{ type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: company.team{team}, flowId: flow-{number} }}
"
        ),
        _ => format!(
            "    states: [ FAILED ]
    preconditions:
      id: team
      where: [ {{ id: w, filters: [ {{ field: NAMESPACE, type: EQUAL_TO, value: company.team{team} }} ] }} ]
"
        ),
    };
    format!(
        "id: alert-{number}
namespace: company.alerts
tasks:
  - id: tell
    type: io.kestra.plugin.slack.SlackIncomingWebhook
    url: https://hooks.slack.com/services/x
    payload: |
      {{ \"text\": \"{{{{ trigger.namespace }}}}.{{{{ trigger.flowId }}}} is {{{{ trigger.state }}}}\" }}
triggers:
  - id: failed
    type: io.kestra.plugin.core.trigger.Flow
{trigger}"
    )
}

/// An alert flow that hears of whatever has a label.
fn label_flow(number: usize) -> String {
    format!(
        "id: alert-{number}
namespace: company.alerts
tasks: [ {{ id: tell, type: io.kestra.plugin.core.log.Log, message: x }} ]
triggers:
  - id: failed
    type: io.kestra.plugin.core.trigger.Flow
    conditions:
      - {{ type: io.kestra.plugin.core.condition.ExecutionLabels, labels: {{ team: team{number} }} }}
"
    )
}

fn files(count: usize, make: fn(usize) -> String, name: &str) -> Vec<Source> {
    (0..count).map(|number| Source { name: format!("{name}-{number}.yml"), text: make(number) }).collect()
}

/// The ten members of the scenario healthy-cluster, with flows of their own.
fn cluster(flows: &str, more: &str, loader: &dyn Loader) -> Arc<Plan> {
    let text = format!(
        "name: x\nduration: 30m\ncluster:\n  members: {{ webserver: 2, executor: 2, scheduler: 1, indexer: 2, \
         worker: {{ count: 3, threads: 8 }} }}\nflows: {flows}\n{more}"
    );
    sound(&text, loader)
}

fn speed(plan: &Arc<Plan>, hours: u64) -> (f64, Simulation) {
    let mut last = None;
    let seconds = cost(|| {
        let mut simulation = Simulation::new(plan.clone(), Seed(1), Calendar::default());
        simulation.advance(Instant::START + Duration::minutes(60 * hours)).expect("no limit");
        last = Some(simulation);
    });
    ((hours * 3600 + 600) as f64 / seconds, last.expect("a run"))
}

fn virtual_speed() {
    let usual = sound(include_str!("../scenarios/healthy-cluster.yaml"), &NoFiles);
    let (beside, _) = speed(&usual, 4);
    let mut flows = files(200, team_flow, "flow");
    flows.extend(files(40, alert_flow, "alert"));
    let mut more = "behaviour:\n  - { task: load, duration: { median: 6s, p99: 25s }, fails: 2% }\n  \
                    - { task: check, duration: { median: 1s, p99: 4s }, fails: 1% }\narrivals:\n"
        .to_owned();
    for flow in 0..200 {
        writeln!(more, "  - {{ flow: company.team{}.flow-{flow}, rate: 18/h }}", flow % 20).expect("a text");
    }
    let alerts = cluster("[ all ]", &more, &Files(flows));
    let (figure, simulation) = speed(&alerts, 4);
    row(
        "10 members, 200 flows, 40 alert flows, 60 executions/min",
        format!("{figure:.0}x"),
        format!(
            "{:.2} of the ten members with three flows ({beside:.0}x); {} messages, {} executions",
            figure / beside,
            simulation.sent().iter().count(),
            simulation.truth().created
        ),
    );
}

fn loading() {
    const FLOWS: usize = 10_000;
    let mut flows = files(FLOWS - 1_000, team_flow, "flow");
    flows.extend(files(1_000, alert_flow, "alert"));
    let bytes: usize = flows.iter().map(|file| file.text.len()).sum();
    let files = Files(flows);
    let ours = cost(|| drop(black_box(cluster("[ all ]", "", &files))));
    let tree = cost(|| {
        for file in &files.0 {
            black_box(serde_saphyr::from_str::<serde_json::Value>(&file.text).expect("YAML"));
        }
    });
    row(
        &format!("{FLOWS} flow files read into a plan"),
        format!("{:.0} ms", ours * 1e3),
        format!("{:.2} times another reader of YAML ({:.0} ms) on {} KiB", ours / tree, tree * 1e3, bytes / 1024),
    );
}

/// What a transition costs that nobody is started by, in microseconds: its namespace, its state, so many flows of a kind.
fn transition(namespace: &str, state: State, count: usize, make: fn(usize) -> String) -> f64 {
    const TIMES: u32 = 20_000;
    let plan = cluster("[ all ]", "", &Files(files(count, make, "alert")));
    let templates = pebble::Dialect::named("1.3").expect("a dialect");
    let listeners = Listeners::new(&plan.flows, Dialect::V1_3, templates, TimeZone::UTC);
    let (none, now) = (Map::new(), "2026-01-05T08:00:00Z".parse().expect("a date"));
    let host = Host::at(now);
    let around = Surroundings { base: &none, host: &host };
    let labels = [("team".to_owned(), "none".to_owned())];
    let upstream = Upstream {
        id: "x",
        namespace,
        flow: "ingest",
        revision: 1,
        state,
        labels: &labels,
        inputs: &none,
        outputs: None,
        variables: None,
        trigger: None,
        task_runs: Some(&[]),
        kind: None,
        start: now,
        end: None,
        original: None,
    };
    let mut windows = Windows::default();
    let seconds = cost(|| {
        for _ in 0..TIMES {
            black_box(listeners.transition(&mut windows, &upstream, now, &around, Among::All));
        }
    });
    seconds / f64::from(TIMES) * 1e6
}

fn transitions() {
    type Make = fn(usize) -> String;
    let rows: [(&str, &str, State, Make); 3] = [
        ("of a namespace that none hears of", "other", State::Failed, alert_flow),
        ("into a state that none hears of", "company.team3", State::Running, alert_flow),
        ("that has a label that none hears of", "company.team3", State::Failed, label_flow),
    ];
    for (what, namespace, state, make) in rows {
        let (one, many) = (transition(namespace, state, 1, make), transition(namespace, state, 1_000, make));
        row(
            &format!("1,000 Flow triggers: {what}"),
            format!("{many:.3} us"),
            format!("{:.2} times one trigger ({one:.3} us)", many / one),
        );
    }
}

/// What it costs to take the secrets out of a text: many of them beside one, and beside a text that nobody masks.
fn masking() {
    const MANY: usize = 10_000;
    let secret = |at: usize| format!("secret-{at}-of-many");
    let all = || {
        let mut all = Secrets::default();
        (0..MANY).for_each(|at| all.hide([secret(at)]));
        all
    };
    let hidden = cost(|| drop(black_box(all())));
    let (one, many) = (Secrets::new([("S".to_owned(), secret(0))]), all());
    // A body of an alert, with a secret among its words.
    let line =
        "the flow ingest of company.team3 is FAILED at 2026-01-05T08:00:00Z, look at the execution 4kIoYHBg8j6V, ";
    let text = format!("{}{}", line.repeat(40), secret(77));
    let copied = cost(|| (0..1_000).for_each(|_| drop(black_box(black_box(&text).clone())))) / 1_000.0;
    let masked = |secrets: &Secrets| cost(|| (0..100).for_each(|_| drop(black_box(secrets.mask(&text))))) / 100.0;
    let (none, one, many) = (masked(&Secrets::default()), masked(&one), masked(&many));
    assert!(all().mask(&text).ends_with("******"), "it is masked");
    row(
        &format!("{MANY} secrets, told one by one"),
        format!("{:.0} ms", hidden * 1e3),
        format!("{:.1} us each", hidden / MANY as f64 * 1e6),
    );
    row(
        &format!("{} bytes masked of {MANY} secrets", text.len()),
        format!("{:.1} us", many * 1e6),
        format!(
            "{:.1} times one secret ({:.1} us); without secrets {:.2} us, a copy {:.2} us",
            many / one,
            one * 1e6,
            none * 1e6,
            copied * 1e6
        ),
    );
}
