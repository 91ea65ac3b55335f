//! Whole executions beside those of the real executors of 1.3.19 and 2.0.0 (tests/captures/core/end-to-end.*): the same flows,
//! run by the engine alone. Their final states, the states they went through, and the states of their tasks.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};

use mock_kestra::document::Source;
use mock_kestra::execution::trigger::{self, TaskRun, Upstream};
use mock_kestra::execution::{self, Command, Dialect, Does, Done, Event, Execution, Naming, Scratch, Tree, World};
use mock_kestra::flow::trigger::Dialect as Triggers;
use mock_kestra::flow::{Demand, Flow, Span, State};
use mock_kestra::pebble::{self, Host, Template};
use mock_kestra::scenario::{FlowFile, Loader, read};
use mock_kestra::time::{Calendar, Duration, Instant};
use serde_json::{Map, Value, json};

/// What of the recordings is not the engine's, and why: in all versions, or in one.
const NOT_HERE: &[(&str, &str, &str)] = &[
    ("", "company.up.pause-onpause", "a Pause that holds tasks runs as one plain task"),
    ("1.3", "company.up.paused-killed", "1.3.19 takes PAUSED out of the history of an execution that is killed"),
    ("", "company.up.sla-assert", "there it is asserted while the end of a task is stored, which shows in its state"),
    ("", "company.up.conc-queue", "who runs executions limits them"),
    ("", "company.up.conc-cancel", "who runs executions limits them"),
    ("", "company.up.conc-fail", "who runs executions limits them"),
    ("", "company.up.restart-me", "nobody restarts executions"),
];

/// Task runs that 1.3.19 creates and kills at once, of an execution that its SLA has ended, while `afterExecution` runs.
const KILLED_AT_ONCE: &[&str] = &["company.up.sla-fail", "company.up.sla-cancel"];

struct Version {
    flows: BTreeMap<String, Flow>,
    dialect: Dialect,
    triggers: Triggers,
    pebble: &'static pebble::Dialect,
    recorded: Vec<Value>,
}

struct One<'a>(&'a str);

impl Loader for One<'_> {
    fn flows(&self, _: &str, path: &str) -> Result<Vec<FlowFile>, String> {
        Ok(vec![Source { name: path.to_owned(), text: self.0.to_owned() }.into()])
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("there is none".to_owned())
    }
}

fn capture(name: &str) -> String {
    let path = format!("{}/tests/captures/core/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn version(name: &str, exact: &str) -> Version {
    let file: Value = serde_json::from_str(&capture(&format!("end-to-end.flows.{name}.json"))).expect("JSON");
    let mut flows = BTreeMap::new();
    for source in file["flows"].as_array().expect("flows") {
        let source = source.as_str().expect("a flow");
        let (plan, told) = read("x.yaml", &format!("name: x\nkestra: \"{name}\"\nflows: [ f.yaml ]\n"), &One(source));
        let Some(flow) = plan.and_then(|mut plan| plan.flows.pop()) else {
            // 2.0.0 refuses them too.
            assert!(source.contains("\"when\""), "{source}: {told:?}");
            continue;
        };
        if !["company.up", "company.child"].contains(&flow.namespace.as_str()) {
            continue;
        }
        flows.insert(format!("{}.{}", flow.namespace, flow.id), flow);
    }
    let new = name == "2.0";
    let dialect = Dialect {
        cancelled_counts: new,
        next_by_place: new,
        exit_unseen: new,
        pause_fails_plainly: false,
        kill_restarts: new,
        parents_named: new,
        parallel_fails: new,
        cut_goes_on: new,
    };
    let triggers = if new { Triggers::V2_0 } else { Triggers::V1_3 };
    let lines = capture(&format!("end-to-end.{exact}.jsonl"));
    let recorded = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    Version { flows, dialect, triggers, pebble: pebble::Dialect::named(name).expect("a dialect"), recorded }
}

/// The world of one execution.
struct Here<'a> {
    now: Instant,
    version: &'a Version,
    flow: &'a Flow,
    tree: &'a Tree,
}

impl World for Here<'_> {
    fn now(&self) -> Instant {
        self.now
    }
    fn share(&mut self, _: u32) -> f64 {
        0.5
    }
    fn render(&mut self, template: &str, execution: &Execution, run: u32) -> Result<String, String> {
        self.rendered(template, execution, Some(run))
    }
    fn work(&mut self, execution: &Execution, run: u32) -> Option<Done> {
        let task = self.flow.task(execution.run(run)?.node as usize)?;
        execution::work(&task.kind, &task.properties, None, &mut |text| self.rendered(text, execution, Some(run)))
    }
    fn result(&mut self, execution: &Execution) -> Result<Option<Map<String, Value>>, String> {
        let Some(declared) = self.flow.source["outputs"].as_array() else { return Ok(None) };
        execution::outputs(declared, &mut |text| self.rendered(text, execution, None)).map(Some)
    }
}

impl Here<'_> {
    fn rendered(&self, template: &str, execution: &Execution, run: Option<u32>) -> Result<String, String> {
        let date = |at: Instant| Calendar::default().date(at);
        let (values, nothing): (Vec<Option<String>>, _) =
            (execution.runs.iter().map(|run| execution.value_of(run)).collect(), Map::new());
        let runs: Vec<TaskRun<'_>> = (0..)
            .zip(&execution.runs)
            .zip(&values)
            .map(|((number, run), value)| TaskRun {
                task: &self.tree.nodes[run.node as usize].id,
                value: value.as_deref(),
                within: &[],
                state: run.state,
                outputs: execution.outputs.get(&number).map(|it| &**it),
                attempts: &[],
            })
            .collect();
        let upstream = Upstream {
            id: "e",
            namespace: &self.flow.namespace,
            flow: &self.flow.id,
            revision: 1,
            state: execution.state,
            labels: &[],
            inputs: &nothing,
            outputs: None,
            variables: None,
            trigger: None,
            task_runs: Some(&runs),
            kind: None,
            start: date(Instant::START),
            end: None,
            original: None,
        };
        let mut variables = trigger::variables(&upstream, self.version.triggers);
        variables.insert("flow".into(), json!({ "id": self.flow.id, "namespace": self.flow.namespace }));
        let (id, at) = (|run: u32| run.to_string(), |at: Instant| trigger::instant(date(at)));
        let naming = Naming { id: &id, date: &at };
        variables.extend(
            run.map(|run| execution.variables((self.tree, &self.version.dialect), run, &naming)).unwrap_or_default(),
        );
        let template = Template::parse(template, self.version.pebble).map_err(|error| error.to_string())?;
        template.render(&variables, &Host::at(date(self.now))).map_err(|error| error.to_string())
    }
}

/// An execution as the recordings show one.
#[derive(Debug, PartialEq)]
struct Shown {
    state: String,
    history: Vec<String>,
    tasks: Vec<String>,
    outputs: Value,
}

/// Its iterations run on when one of them has ended it; the record has those that ended before it did.
const ENDED_EARLY: &str = "company.up.loop-one-fails";

/// Runs a flow to its end, with workers that have all the threads they need; and the executions tried in its place.
fn run(version: &Version, flow: &Flow, kill: Option<Duration>) -> Vec<Shown> {
    go_on(version, flow, kill, None)
}

/// The same, of an execution that runs a Loop for a value.
fn go_on(version: &Version, flow: &Flow, kill: Option<Duration>, mut of_loop: Option<Execution>) -> Vec<Shown> {
    let tree = Tree::new(flow);
    let mut all = Vec::new();
    let (mut attempt, mut begun, mut at) = (0, Instant::START, Instant::START);
    loop {
        let mut execution = of_loop.take().unwrap_or_else(|| Execution::new(attempt, begun));
        let mut iterations = Vec::new();
        let mut history = vec![State::Created.name().to_owned()];
        history.extend(execution.goes_on().then(|| State::Running.name().to_owned()));
        let mut again = None;
        let mut plan: BTreeSet<(Instant, u32, u32)> = BTreeSet::new();
        let mut events: Vec<Event> = Vec::new();
        let push = |plan: &mut BTreeSet<_>, events: &mut Vec<Event>, at: Instant, event| {
            plan.insert((at, events.len() as u32, 0));
            events.push(event);
        };
        push(&mut plan, &mut events, at, Event::Begin);
        if let Some(kill) = kill {
            push(&mut plan, &mut events, at + kill, Event::Kill);
        }
        for sla in &flow.slas {
            if let (Demand::MaxDuration(duration), Some(state)) = (&sla.demand, sla.ends) {
                push(&mut plan, &mut events, at + *duration, Event::Cut { state });
            }
        }
        let mut world = Here { now: at, version, flow, tree: &tree };
        let mut coming: BTreeMap<u32, Map<String, Value>> = BTreeMap::new();
        let (mut gone, mut scratch) = (false, Scratch::default());
        while let Some((now, number, _)) = plan.pop_first() {
            world.now = now;
            let how = (&tree, &version.dialect);
            let event = events[number as usize];
            if let Event::Ended { run, .. } = event
                && let Some(outputs) = coming.remove(&run).filter(|it| !it.is_empty())
            {
                execution.outputs.insert(run, outputs.into());
            }
            let mut commands = Vec::new();
            execution.next(how, event, &mut world, &mut scratch, &mut commands);
            for command in commands {
                assert!(!gone, "nothing comes after the end");
                match command {
                    Command::State(state) => history.push(state.name().to_owned()),
                    Command::Start { run, .. } => {
                        let it = *execution.run(run).expect("a task run");
                        let (lasts, state, outputs) = work(&world, &execution, run);
                        coming.insert(run, outputs);
                        let attempt = it.attempt;
                        push(&mut plan, &mut events, now, Event::Started { run, attempt });
                        push(&mut plan, &mut events, now + lasts, Event::Ended { run, attempt, state });
                    }
                    Command::Retry { run, after } | Command::Wait { run, after } | Command::Rest { run, after } => {
                        push(&mut plan, &mut events, now + after, Event::Due { run });
                    }
                    Command::Child { run } => {
                        let node = execution.run(run).expect("a task run").node as usize;
                        let Does::Subflow(subflow) = &tree.nodes[node].does else { panic!("no Subflow") };
                        let child = version.flows.get(&format!("{}.{}", subflow.namespace, subflow.flow));
                        let state = child.map(|child| last_state(&self::run(version, child, None)));
                        if state.is_some() {
                            push(&mut plan, &mut events, now, Event::Child { run, state: Some(State::Created) });
                        }
                        push(&mut plan, &mut events, now, Event::Child { run, state });
                    }
                    Command::Kill { run } => {
                        let attempt = execution.run(run).expect("a task run").attempt;
                        push(&mut plan, &mut events, now, Event::Ended { run, attempt, state: State::Killed });
                    }
                    Command::Iterate { run, index, state } => {
                        let of = execution.iteration((run, index), state, now, Map::new()).expect("a value");
                        let shown = go_on(version, flow, None, Some(of));
                        push(&mut plan, &mut events, now, Event::Iterated { run, state: last_state(&shown) });
                        iterations.extend(shown);
                    }
                    Command::Again { after } => again = Some(after),
                    Command::Gone => gone = true,
                    Command::End(_)
                    | Command::Cut(_)
                    | Command::Violated { .. }
                    | Command::Enter { .. }
                    | Command::Leave { .. }
                    | Command::Resumed => {}
                }
            }
            at = now;
        }
        assert!(gone, "{}.{} has not ended: {execution:?}", flow.namespace, flow.id);
        let tasks = execution.runs.iter().map(|run| {
            let value = execution.value_of(run).map_or(String::new(), |value| format!("[{value}]"));
            let attempts = if run.attempt > 1 { format!("x{}", run.attempt) } else { String::new() };
            format!("{}{value}={}{attempts}", tree.nodes[run.node as usize].id, run.shown().name())
        });
        let state = execution.state.name().to_owned();
        let outputs = execution.result.as_deref().map_or(Value::Null, |it| it.clone().into());
        all.push(Shown { state, history, tasks: tasks.collect(), outputs });
        all.extend(iterations);
        match again {
            None => return all,
            Some(after) => {
                if attempt == 0 {
                    begun = Instant::START;
                }
                (attempt, at) = (attempt + 1, at + after);
            }
        }
    }
}

fn last_state(shown: &[Shown]) -> State {
    let state = &shown.last().expect("an execution").state;
    State::ALL.into_iter().find(|it| it.name() == state).expect("a state")
}

/// How long a worker needs for a task, and what comes of it.
fn work(world: &Here<'_>, execution: &Execution, run: u32) -> (Duration, State, Map<String, Value>) {
    let task = world.flow.task(execution.run(run).expect("a task run").node as usize).expect("a task");
    let lasts = task.sleep.as_ref().and_then(Span::written).unwrap_or(Duration::milliseconds(1));
    if let Some(timeout) = task.timeout.as_ref().and_then(Span::written).filter(|timeout| *timeout < lasts) {
        return (timeout, State::Failed, Map::new());
    }
    let mut render = |text: &str| world.rendered(text, execution, Some(run));
    let done = execution::work(&task.kind, &task.properties, None, &mut render).unwrap_or_default();
    // Nobody listens at one address there, and the other answers 500.
    let fails = done.error.is_some() || done.words.is_some() || task.kind.ends_with(".Request");
    // Of two tasks at the same time the one that fails is heard last, as it was, but for one that fails by its condition.
    let lasts = match task.properties.contains_key("condition") {
        true if fails => Duration::microseconds(1),
        _ if fails => lasts + Duration::microseconds(1),
        _ => lasts,
    };
    (lasts, if fails { State::Failed } else { State::Success }, done.outputs)
}

/// A recorded execution; the attempts of what was not tried again are left out.
fn shown(row: &Value) -> Shown {
    let list = |key: &str| -> Vec<String> {
        let list = row[key].as_array().cloned().unwrap_or_default();
        list.iter().map(|it| it.as_str().expect("a text").split('(').next().expect("a state").to_owned()).collect()
    };
    Shown {
        state: row["state"].as_str().expect("a state").to_owned(),
        history: list("history"),
        tasks: list("tasks"),
        outputs: row["outputs"].clone(),
    }
}

fn compare(name: &str, exact: &str) -> (usize, usize) {
    let version = version(name, exact);
    let (mut wrong, mut compared) = (Vec::new(), BTreeSet::new());
    for (flow, model) in &version.flows {
        let mut recorded: Vec<Shown> = version
            .recorded
            .iter()
            .filter(|row| row["flow"] == flow.as_str() && row.get("upstream").is_none())
            .map(shown)
            .collect();
        let child = version.recorded.iter().find(|row| row["flow"] == flow.as_str() && row.get("upstream").is_some());
        if recorded.is_empty() {
            recorded.extend(child.map(shown));
        }
        let left_out = |(of, here, _): &(&str, &str, &str)| here == flow && (of.is_empty() || *of == name);
        if recorded.is_empty() || NOT_HERE.iter().any(left_out) {
            continue;
        }
        if name == "1.3" && KILLED_AT_ONCE.contains(&flow.as_str()) {
            recorded.iter_mut().for_each(|it| it.tasks.retain(|task| task != "z=KILLED"));
        }
        let killed = ["company.up.killed", "company.up.paused-killed"].contains(&flow.as_str());
        let kill = killed.then_some(Duration::milliseconds(1500));
        let mut here = run(&version, model, kill);
        if flow == ENDED_EARLY {
            here.truncate(recorded.len());
        }
        compared.insert(flow.clone());
        // In an order of their own where they ran at the same time.
        type Sorted = (String, Vec<String>, BTreeSet<String>, Value);
        let sorted = |all: &[Shown]| -> Vec<Sorted> {
            let one = |it: &Shown| {
                (it.state.clone(), it.history.clone(), it.tasks.iter().cloned().collect(), it.outputs.clone())
            };
            all.iter().map(one).collect()
        };
        let mut here_sorted = sorted(&here);
        // What flows put out was recorded of 1.3.19; of 2.0.0 what their triggers had of it.
        if name == "2.0" {
            here_sorted.iter_mut().for_each(|it| it.3 = Value::Null);
        }
        if here_sorted != sorted(&recorded) {
            wrong.push(format!("{flow}\n  recorded {recorded:?}\n  here     {here:?}"));
        }
    }
    assert!(wrong.is_empty(), "{exact}: {} of {}:\n{}", wrong.len(), compared.len(), wrong.join("\n"));
    (compared.len(), version.flows.len())
}

#[test]
fn executions_of_1_3_go_as_recorded() {
    let (compared, _) = compare("1.3", "1.3.19");
    assert!(compared >= 80, "{compared}");
}

#[test]
fn executions_of_2_0_go_as_recorded() {
    let (compared, _) = compare("2.0", "2.0.0");
    assert!(compared >= 70, "{compared}");
}
