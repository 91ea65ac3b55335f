//! From YAML text to a Plan, with everything that is wrong told at once.

use std::path::Path;
use std::sync::Arc;

use super::fields::{
    ARRIVALS, BEHAVIOUR, BOUNDS, CLUSTER, DISTRIBUTION, EXPECTATIONS, FAULTS, GC_PAUSE, LEAK, MEMBER, MEMBERS, POLLER,
    RATE_CHANGE, SCENARIO, TASK_DURATION, TASK_FAILURES, WHEN,
};
use super::{
    AlertExpectation, Arrivals, Behaviour, Bound, ClusterPlan, DatabaseFault, DatabaseKind, DurationDistribution,
    Expectation, Fault, MemberPlan, Plan, Poller, RateChange, Restart, TaskSelector, TimelineEntry, limits, units,
};
use crate::document::{self, Diagnostic, Entry, Field, Node, Object, Place, Reading, Source, Value};
use crate::flow::{self, Flow};
use crate::profile::{Profile, Role};
use crate::time::{Duration, Instant};

/// Reads what a scenario names: flow files, and scenarios it extends.
pub trait Loader {
    /// The text of a flow file, named relative to the file that names it; for a folder those of all its flows.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn flows(&self, from: &str, path: &str) -> Result<Vec<Source>, String>;

    /// The text of a scenario, by shipped name or path.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn scenario(&self, from: &str, name: &str) -> Result<Source, String>;
}

/// A loader for texts that name no other files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Loader for NoFiles {
    fn flows(&self, _: &str, _: &str) -> Result<Vec<Source>, String> {
        Err("files cannot be named here".into())
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("scenarios cannot be named here".into())
    }
}

/// Reads a scenario. With an error among the diagnostics there is no plan.
pub fn read(file_name: &str, text: &str, loader: &dyn Loader) -> (Option<Plan>, Vec<Diagnostic>) {
    let source = Arc::new(Source { name: file_name.to_owned(), text: text.to_owned() });
    let mut reading = Reading::default();
    let plan = load(&source, loader, &mut reading, 0).and_then(|node| plan(&node, loader, &mut reading));
    let failed = reading.failed();
    (plan.filter(|_| !failed), reading.finish())
}

/// Reads a fault from the body of a request, JSON or YAML: an entry of the timeline, in which `at` may be left out and
/// then is `now`.
///
/// # Errors
/// All that is wrong with it.
pub fn read_fault(body: &str, plan: &Plan, now: Instant) -> Result<TimelineEntry, Vec<Diagnostic>> {
    let source = Arc::new(Source { name: "body".into(), text: body.to_owned() });
    let (node, diagnostics) = document::parse(&source);
    let Some(node) = node else { return Err(diagnostics) };
    let mut reading = Reading::default();
    reading.extend(diagnostics);
    let entry = entry(&node, plan, Some(now), &mut reading);
    match entry {
        Some(entry) if !reading.failed() => Ok(entry),
        _ => Err(reading.finish()),
    }
}

/// The root of a file, laid over the one it extends.
fn load(source: &Arc<Source>, loader: &dyn Loader, reading: &mut Reading, depth: usize) -> Option<Node> {
    let (root, diagnostics) = document::parse(source);
    reading.extend(diagnostics);
    let mut root = root?;
    let Value::Mapping(entries) = &mut root.value else { return Some(root) };
    let Some(at) = entries.iter().position(|entry| entry.key == "extends") else { return Some(root) };
    let extends = entries.remove(at).value;
    let name = reading.text(&extends, "`extends`")?;
    if depth >= 8 {
        reading.error(&extends.place, "scenarios extend each other too deeply", "");
        return None;
    }
    let base = match loader.scenario(&source.name, name) {
        Ok(base) => load(&Arc::new(base), loader, reading, depth + 1)?,
        Err(why) => {
            reading.error(&extends.place, format!("cannot read the scenario `{name}`: {why}"), "");
            return None;
        }
    };
    let Value::Mapping(mut merged) = base.value else { return Some(root) };
    for entry in std::mem::take(entries) {
        match merged.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => match (&mut old.value.value, entry.value.value.clone()) {
                (Value::Sequence(old), Value::Sequence(new)) if APPENDED.contains(&entry.key.as_str()) => {
                    old.extend(new)
                }
                _ => *old = entry,
            },
            None => merged.push(entry),
        }
    }
    Some(Node { value: Value::Mapping(merged), place: root.place })
}

/// Lists that an extending scenario adds to.
const APPENDED: &[&str] = &["flows", "behaviour", "arrivals", "timeline", "expect"];

fn plan(root: &Node, loader: &dyn Loader, reading: &mut Reading) -> Option<Plan> {
    let object = reading.object(root, "a scenario", SCENARIO)?;
    let text = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
    };
    let name = text(reading, "name").unwrap_or_default();
    let summary = text(reading, "summary").unwrap_or_default();
    let versions: Vec<(&'static str, &'static str)> = Profile::NAMES.iter().map(|name| (*name, *name)).collect();
    let kestra = object.get("kestra").and_then(|node| reading.choice(node, "version of Kestra we know", &versions));
    let duration = object.get("duration").and_then(|node| duration(reading, node, "`duration`"));
    let duration = duration.unwrap_or(Duration::minutes(30));
    if duration.is_zero() || duration > limits::DURATION {
        let place = object.entry("duration").map_or(&root.place, |entry| &entry.value.place);
        reading.error(place, format!("a run of {duration} is not possible"), "write a duration up to 400d");
    }
    let start = object.get("start").and_then(|node| {
        reading.parsed(node, "`start`", |text| match text.parse::<jiff::Timestamp>() {
            Ok(date) => Ok(date),
            Err(_) => Err("write a date with its zone, such as 2026-01-05T08:00:00Z".into()),
        })
    });
    let cluster = cluster(object.get("cluster"), root, reading);
    let flows = flows(object.get("flows"), loader, reading);
    let mut plan = Plan {
        name,
        summary,
        kestra: kestra.unwrap_or("1.3").to_owned(),
        duration,
        start,
        cluster,
        flows,
        behaviour: Vec::new(),
        arrivals: Vec::new(),
        pollers: pollers(object.get("polled_by"), reading),
        timeline: Vec::new(),
        expectations: Vec::new(),
    };
    for node in items(reading, &object, "behaviour") {
        plan.behaviour.extend(behaviour(node, &plan, reading));
    }
    for node in items(reading, &object, "arrivals") {
        let arrivals = arrivals(node, &plan, reading);
        plan.arrivals.extend(arrivals);
    }
    for node in items(reading, &object, "timeline") {
        if let Some(mut entry) = entry(node, &plan, None, reading) {
            if entry.at > Instant::START + plan.duration {
                reading.warning(&node.place, format!("this is after the end of the run at {}", plan.duration), "");
            }
            unique_name(&mut entry, &plan);
            plan.timeline.push(entry);
        }
    }
    for node in items(reading, &object, "expect") {
        let expectation = expectation(node, &plan, reading);
        plan.expectations.extend(expectation);
    }
    Some(plan)
}

fn items<'n>(reading: &mut Reading, object: &Object<'n>, key: &str) -> &'n [Node] {
    object.get(key).map_or(&[], |node| reading.list(node, &format!("`{key}`")))
}

fn duration(reading: &mut Reading, node: &Node, what: &str) -> Option<Duration> {
    reading.parsed(node, what, str::parse)
}

fn positive(reading: &mut Reading, node: &Node, what: &str) -> Option<Duration> {
    let duration = duration(reading, node, what)?;
    if duration.is_zero() {
        reading.error(&node.place, format!("{what} is zero"), crate::time::DURATION_ADVICE);
        return None;
    }
    Some(duration)
}

fn instant(reading: &mut Reading, node: &Node, what: &str) -> Option<Instant> {
    let at = reading.parsed(node, what, units::read_time)?;
    if at < Instant::START {
        reading.error(&node.place, format!("{what} lies before the start"), "write a time from 0s on");
        return None;
    }
    Some(at)
}

// ---- the cluster

/// What a member is when nothing is said.
#[derive(Clone)]
struct Defaults {
    threads: u32,
    heap: u64,
    restart: Restart,
    grace: Duration,
    kestra: Option<String>,
}

fn cluster(node: Option<&Node>, root: &Node, reading: &mut Reading) -> ClusterPlan {
    let mut plan = ClusterPlan {
        booting: false,
        age: Duration::minutes(10),
        database: DatabaseKind::Postgresql,
        members: Vec::new(),
    };
    let mut defaults = Defaults {
        threads: 8,
        heap: 1 << 30,
        restart: Restart::After(Duration::seconds(10)),
        grace: Duration::minutes(5),
        kestra: None,
    };
    let object = node.and_then(|node| reading.object(node, "`cluster`", CLUSTER));
    let Some(object) = object else {
        add_members(&mut plan.members, Role::Standalone, 1, &defaults);
        return plan;
    };
    let kinds = [("postgresql", DatabaseKind::Postgresql), ("mysql", DatabaseKind::Mysql), ("h2", DatabaseKind::H2)];
    if let Some(node) = object.get("database") {
        plan.database = reading.choice(node, "kind of database", &kinds).unwrap_or(plan.database);
    }
    if let Some(node) = object.get("start") {
        plan.booting = reading.choice(node, "way to start", &[("running", false), ("booting", true)]).unwrap_or(false);
    }
    if let Some(node) = object.get("age") {
        plan.age = duration(reading, node, "`age`").unwrap_or(plan.age);
        if plan.age > Duration::seconds(86_400) {
            reading.error(&node.place, format!("a cluster of {} is too old", plan.age), "write an age of at most 1d");
        }
        if plan.booting {
            reading.warning(&node.place, "a booting cluster has no age", "leave `age` out");
        }
    }
    if plan.booting {
        plan.age = Duration::ZERO;
    }
    member_settings(&object, &mut defaults, reading);
    match (object.entry("standalone"), object.entry("members")) {
        (Some(_), Some(members)) => {
            reading.error(&members.place, "a cluster is either `standalone` or has `members`", "keep one of them");
        }
        (Some(entry), None) => role_members(entry, Role::Standalone, &defaults, &mut plan.members, reading),
        (None, Some(members)) => {
            if let Some(roles) = reading.object(&members.value, "`members`", MEMBERS) {
                for entry in roles.entries() {
                    if let Some(role) = Role::ALL.into_iter().find(|role| role.name() == entry.key) {
                        role_members(entry, role, &defaults, &mut plan.members, reading);
                    }
                }
            }
            for part in [Role::Webserver, Role::Executor, Role::Scheduler, Role::Worker, Role::Indexer] {
                let nobody = !plan.members.iter().any(|member| member.role.runs(part));
                if nobody && !plan.members.is_empty() && !reading.failed() {
                    reading.warning(&members.place, format!("no member does the work of the role {}", part.name()), "");
                }
            }
        }
        (None, None) => add_members(&mut plan.members, Role::Standalone, 1, &defaults),
    }
    if plan.members.is_empty() && !reading.failed() {
        reading.error(&object.node.place, "the cluster has no members", "write for example `standalone: 1`");
    }
    if plan.members.len() > limits::MEMBERS {
        let place = node.map_or(&root.place, |node| &node.place);
        reading.error(place, format!("{} members", plan.members.len()), format!("at most {}", limits::MEMBERS));
    }
    plan
}

fn member_settings(object: &Object<'_>, defaults: &mut Defaults, reading: &mut Reading) {
    if let Some(node) = object.get("threads") {
        let threads = reading.count(node, "`threads`", 1..=4096);
        defaults.threads = threads.map_or(defaults.threads, |threads| threads as u32);
    }
    if let Some(node) = object.get("heap") {
        defaults.heap = reading.parsed(node, "`heap`", units::heap).unwrap_or(defaults.heap);
    }
    if let Some(node) = object.get("restart") {
        let restart = reading.parsed(node, "`restart`", |text| match text {
            "never" => Ok(Restart::Never),
            "kubernetes" => Ok(Restart::Kubernetes),
            text => text
                .parse()
                .map(Restart::After)
                .map_err(|_| "write never, kubernetes, or a time such as 10s".to_owned()),
        });
        defaults.restart = restart.unwrap_or(defaults.restart);
    }
    if let Some(node) = object.get("grace") {
        defaults.grace = duration(reading, node, "`grace`").unwrap_or(defaults.grace);
    }
    if let Some(node) = object.get("version") {
        let versions: Vec<(&'static str, &'static str)> = Profile::NAMES.iter().map(|name| (*name, *name)).collect();
        defaults.kestra = reading.choice(node, "version of Kestra we know", &versions).map(str::to_owned);
    }
}

fn role_members(entry: &Entry, role: Role, defaults: &Defaults, members: &mut Vec<MemberPlan>, reading: &mut Reading) {
    let most = limits::MEMBERS as u64;
    let mut defaults = defaults.clone();
    let count = match &entry.value.value {
        Value::Mapping(_) => {
            let Some(object) = reading.object(&entry.value, &format!("`{}`", entry.key), MEMBER) else { return };
            member_settings(&object, &mut defaults, reading);
            object.get("count").map_or(Some(1), |node| reading.count(node, "`count`", 0..=most))
        }
        _ => reading.count(&entry.value, &format!("`{}`", entry.key), 0..=most),
    };
    add_members(members, role, count.unwrap_or(0), &defaults);
}

fn add_members(members: &mut Vec<MemberPlan>, role: Role, count: u64, defaults: &Defaults) {
    for number in 1..=count {
        members.push(MemberPlan {
            name: format!("{}-{number}", role.name()),
            role,
            kestra: defaults.kestra.clone(),
            threads: defaults.threads,
            heap: defaults.heap,
            restart: defaults.restart,
            grace: defaults.grace,
        });
    }
}

// ---- flows and what they do

fn flows(node: Option<&Node>, loader: &dyn Loader, reading: &mut Reading) -> Vec<Flow> {
    let mut flows: Vec<(Flow, Place)> = Vec::new();
    let Some(node) = node else { return Vec::new() };
    let add = |flow: Flow, place: &Place, reading: &mut Reading, flows: &mut Vec<(Flow, Place)>| {
        if flows.iter().any(|(other, _)| other.id == flow.id && other.namespace == flow.namespace) {
            reading.error(place, format!("two flows are called {}.{}", flow.namespace, flow.id), "rename one of them");
        }
        if flows.len() < limits::FLOWS {
            flows.push((flow, place.clone()));
        } else {
            reading.error(place, "too many flows", format!("at most {}", limits::FLOWS));
        }
    };
    for item in reading.list(node, "`flows`") {
        let Value::Scalar { text: path, .. } = &item.value else {
            if let Some(flow) = flow::read(item, reading) {
                add(flow, &item.place, reading, &mut flows);
            }
            continue;
        };
        match loader.flows(&item.place.source.name, path) {
            Err(why) => reading.error(&item.place, format!("cannot read the flow file `{path}`: {why}"), ""),
            Ok(files) => {
                for file in files {
                    let (root, diagnostics) = document::parse(&Arc::new(file));
                    reading.extend(diagnostics);
                    if let Some(root) = root
                        && let Some(flow) = flow::read(&root, reading)
                    {
                        add(flow, &root.place, reading, &mut flows);
                    }
                }
            }
        }
    }
    flows.into_iter().map(|(flow, _)| flow).collect()
}

/// The index of the flow that a text names: namespace and id, or the id when there is only one.
fn flow_named(reading: &mut Reading, node: &Node, plan: &Plan) -> Option<usize> {
    let name = reading.text(node, "`flow`")?;
    let full = |flow: &Flow| format!("{}.{}", flow.namespace, flow.id);
    let matches = |flow: &Flow| flow.id == name || full(flow) == name;
    let found: Vec<usize> = plan.flows.iter().enumerate().filter(|(_, flow)| matches(flow)).map(|(at, _)| at).collect();
    match found.as_slice() {
        [one] => Some(*one),
        [] => {
            let names: Vec<String> = plan.flows.iter().flat_map(|flow| [flow.id.clone(), full(flow)]).collect();
            reading.unknown(&node.place, "flow of this scenario", name, names.iter().map(String::as_str));
            None
        }
        several => {
            let names: Vec<String> = several.iter().filter_map(|at| plan.flows.get(*at)).map(full).collect();
            reading.error(
                &node.place,
                format!("several flows have the id `{name}`"),
                format!("write one of {}", names.join(", ")),
            );
            None
        }
    }
}

fn selector(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> TaskSelector {
    let text = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
    };
    let select = TaskSelector {
        namespace: text(reading, "namespace"),
        flow: object.get("flow").and_then(|node| flow_named(reading, node, plan)).map(|flow| {
            let flow = &plan.flows[flow];
            format!("{}.{}", flow.namespace, flow.id)
        }),
        task: text(reading, "task"),
        kind: text(reading, "type"),
    };
    let tasks = || plan.flows.iter().flat_map(|flow| flow.tasks.iter().chain(&flow.errors));
    let triggers = || plan.flows.iter().flat_map(|flow| &flow.triggers);
    let known = |key: &str, value: &Option<String>, names: Vec<&str>, reading: &mut Reading| {
        if let (Some(value), Some(node)) = (value, object.get(key))
            && !names.contains(&value.as_str())
        {
            reading.unknown(
                &node.place,
                &format!("{} of these flows", if key == "task" { "task" } else { "type" }),
                value,
                names,
            );
        }
    };
    let ids = tasks().map(|task| task.id.as_str()).chain(triggers().map(|trigger| trigger.id.as_str())).collect();
    known("task", &select.task, ids, reading);
    let kinds = tasks().map(|task| task.kind.as_str()).chain(triggers().map(|trigger| trigger.kind.as_str())).collect();
    known("type", &select.kind, kinds, reading);
    select
}

fn behaviour(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Behaviour> {
    let object = reading.object(node, "an entry of `behaviour`", BEHAVIOUR)?;
    let select = selector(&object, plan, reading);
    let share = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.parsed(node, &format!("`{key}`"), units::share))
    };
    let chosen = plan.flows.iter().any(|flow| {
        let namespace = select.namespace.as_ref().is_none_or(|wanted| {
            flow.namespace.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        let of_flow = select.flow.as_ref().is_none_or(|wanted| *wanted == format!("{}.{}", flow.namespace, flow.id));
        namespace && of_flow
    });
    if !chosen && !plan.flows.is_empty() {
        reading.warning(&node.place, "this selects no task", "");
    }
    Some(Behaviour {
        duration: object.get("duration").and_then(|node| distribution(node, reading)),
        fails: share(reading, "fails"),
        warns: share(reading, "warns"),
        fires: share(reading, "fires"),
        logs: object.get("logs").and_then(|node| reading.count(node, "`logs`", 0..=10_000)).map(|logs| logs as u32),
        select,
    })
}

fn distribution(node: &Node, reading: &mut Reading) -> Option<DurationDistribution> {
    let Value::Mapping(_) = &node.value else {
        let fixed = duration(reading, node, "`duration`")?;
        return Some(DurationDistribution { median: fixed, p99: fixed });
    };
    let object = reading.object(node, "`duration`", DISTRIBUTION)?;
    let median = duration(reading, object.get("median")?, "`median`")?;
    let p99 = object.get("p99").map_or(Some(median), |node| duration(reading, node, "`p99`"))?;
    if p99 < median {
        let place = object.get("p99").map_or(&node.place, |node| &node.place);
        reading.error(
            place,
            format!("`p99` is {p99}, less than the median {median}"),
            "one in a hundred takes longer than p99",
        );
    }
    Some(DurationDistribution { median, p99 })
}

fn arrivals(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Arrivals> {
    let object = reading.object(node, "an entry of `arrivals`", ARRIVALS)?;
    let flow = object.get("flow").and_then(|node| flow_named(reading, node, plan));
    let rate = object.get("rate").and_then(|node| reading.parsed(node, "`rate`", units::read_rate));
    let ways = [("api", false), ("webhook", true)];
    let webhook = object.get("over").and_then(|node| reading.choice(node, "way to create an execution", &ways));
    Some(Arrivals { flow: flow?, rate: rate?, webhook: webhook.unwrap_or(false) })
}

fn pollers(node: Option<&Node>, reading: &mut Reading) -> Vec<Poller> {
    let Some(node) = node else {
        let every = |path: &str, seconds| Poller { path: path.into(), every: Duration::seconds(seconds) };
        return vec![every("/prometheus", 15), every("/health/liveness", 5), every("/health/readiness", 5)];
    };
    let mut pollers = Vec::new();
    for node in reading.list(node, "`polled_by`") {
        let Some(object) = reading.object(node, "an entry of `polled_by`", POLLER) else { continue };
        let path = object.get("path").and_then(|node| {
            reading.parsed(node, "`path`", |text| {
                text.starts_with('/')
                    .then(|| text.to_owned())
                    .ok_or_else(|| "begin with a slash: /prometheus".to_owned())
            })
        });
        let every = object.get("every").and_then(|node| positive(reading, node, "`every`"));
        if let (Some(path), Some(every)) = (path, every) {
            pollers.push(Poller { path, every });
        }
    }
    pollers
}

// ---- faults

/// Reads an entry of the timeline. With `now` it comes from outside: `at` may be missing and is ignored.
fn entry(node: &Node, plan: &Plan, now: Option<Instant>, reading: &mut Reading) -> Option<TimelineEntry> {
    let fields: Vec<Field> = WHEN.iter().chain(FAULTS).copied().collect();
    let object = reading.object(node, "an entry of `timeline`", &fields)?;
    let mut keywords = object.entries().iter().filter(|entry| FAULTS.iter().any(|fault| fault.key == entry.key));
    let known = || FAULTS.iter().map(|fault| fault.key).collect::<Vec<_>>().join(", ");
    let Some(keyword) = keywords.next() else {
        if object.entries().iter().all(|entry| fields.iter().any(|field| field.key == entry.key)) {
            reading.error(&node.place, "this entry says nothing of what happens", format!("add one of {}", known()));
        }
        return None;
    };
    if let Some(second) = keywords.next() {
        reading.error(
            &second.place,
            format!("`{}` and `{}` in one entry", keyword.key, second.key),
            "write an entry for each",
        );
    }
    let fault = fault(keyword, plan, reading);
    let at = match (object.get("at"), now) {
        (_, Some(now)) => Some(now),
        (Some(node), None) => instant(reading, node, "`at`"),
        (None, None) => {
            reading.error(&node.place, "this entry has no `at`", "add `at: 10m`");
            None
        }
    };
    let lasts = object.get("for").and_then(|node| positive(reading, node, "`for`"));
    if let (Some(entry), true) = (object.entry("for"), matches!(keyword.key.as_str(), "start" | "restart" | "gc-pause"))
    {
        let advice = if keyword.key == "gc-pause" { "its length is `pause`" } else { "leave `for` out" };
        reading.error(&entry.place, format!("`{}` does not last", keyword.key), advice);
    }
    let every = object.get("every").and_then(|node| positive(reading, node, "`every`"));
    let until = object.get("until").and_then(|node| instant(reading, node, "`until`"));
    if let (Some(entry), None) = (object.entry("until"), object.entry("every")) {
        reading.error(&entry.place, "`until` without `every`", "add `every: 5m`, or write `for`");
    }
    if let (Some(every), Some(lasts)) = (every, lasts)
        && lasts >= every
    {
        let place = object.entry("every").map_or(&node.place, |entry| &entry.place);
        reading.warning(place, format!("it begins every {every} and lasts {lasts}: it never ends"), "");
    }
    let name = object.get("name").and_then(|node| {
        reading.parsed(node, "`name`", |text| {
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let ok = !text.is_empty() && text.len() <= 100 && text.chars().all(good);
            ok.then(|| text.to_owned()).ok_or_else(|| "use letters, digits, `-`, `_` and `.`".to_owned())
        })
    });
    let fault = fault?;
    let name = name.unwrap_or_else(|| default_name(&keyword.key, &fault, plan));
    Some(TimelineEntry { name, at: at?, fault, lasts, every, until })
}

fn default_name(keyword: &str, fault: &Fault, plan: &Plan) -> String {
    let target = match fault {
        Fault::Kill(members)
        | Fault::Stop(members)
        | Fault::Start(members)
        | Fault::Restart(members)
        | Fault::Hang(members)
        | Fault::DiskFull(members)
        | Fault::Deadlock(members)
        | Fault::HeapLeak { members, .. }
        | Fault::GcPause { members, .. } => match members.as_slice() {
            [one] => plan.cluster.members.get(*one).map(|member| member.name.clone()),
            _ => None,
        },
        Fault::Database(DatabaseFault::Refused) => Some("refused".into()),
        Fault::Database(DatabaseFault::Stalled) => Some("stalled".into()),
        Fault::Database(DatabaseFault::ShutDown) => Some("shut-down".into()),
        Fault::Database(DatabaseFault::Slow(_)) => Some("slow".into()),
        Fault::Arrivals { flow, .. } => flow.and_then(|flow| plan.flows.get(flow)).map(|flow| flow.id.clone()),
        Fault::TaskDuration { select, .. } | Fault::TaskFailures { select, .. } => select.task.clone(),
    };
    target.map_or(keyword.to_owned(), |target| format!("{keyword}-{target}"))
}

/// Makes a name unique among the entries before it.
fn unique_name(entry: &mut TimelineEntry, plan: &Plan) {
    let taken = |name: &str| plan.timeline.iter().any(|other| other.name == name);
    if taken(&entry.name) {
        let free = (2..).map(|n| format!("{}-{n}", entry.name)).find(|name| !taken(name));
        entry.name = free.unwrap_or_default();
    }
}

fn fault(keyword: &Entry, plan: &Plan, reading: &mut Reading) -> Option<Fault> {
    let node = &keyword.value;
    let what = format!("`{}`", keyword.key);
    let object = |reading: &mut Reading, fields: &[Field]| reading.object(node, &what, fields);
    match keyword.key.as_str() {
        "kill" => targets(node, plan, reading).map(Fault::Kill),
        "stop" => targets(node, plan, reading).map(Fault::Stop),
        "start" => targets(node, plan, reading).map(Fault::Start),
        "restart" => targets(node, plan, reading).map(Fault::Restart),
        "hang" => targets(node, plan, reading).map(Fault::Hang),
        "disk-full" => targets(node, plan, reading).map(Fault::DiskFull),
        "deadlock" => targets(node, plan, reading).map(Fault::Deadlock),
        "database" => database(node, reading).map(Fault::Database),
        "arrivals" => {
            let object = object(reading, RATE_CHANGE)?;
            let flow = match object.get("flow") {
                Some(node) => Some(flow_named(reading, node, plan)?),
                None => None,
            };
            let rate = object.get("rate").and_then(|node| reading.parsed(node, "`rate`", units::read_rate));
            let times = object.get("times").and_then(|node| reading.parsed(node, "`times`", units::times));
            match (object.get("rate"), object.get("times")) {
                (Some(_), None) => rate.map(RateChange::Rate),
                (None, Some(_)) => times.map(RateChange::Times),
                _ => {
                    reading.error(
                        &node.place,
                        "`arrivals` needs either `rate` or `times`",
                        "write for example `{ times: 4x }`",
                    );
                    None
                }
            }
            .map(|change| Fault::Arrivals { flow, change })
        }
        "task-duration" => {
            let object = object(reading, TASK_DURATION)?;
            let select = selector(&object, plan, reading);
            let times = reading.parsed(object.get("times")?, "`times`", units::times)?;
            Some(Fault::TaskDuration { select, times })
        }
        "task-failures" => {
            let object = object(reading, TASK_FAILURES)?;
            let select = selector(&object, plan, reading);
            let share = reading.parsed(object.get("share")?, "`share`", units::share)?;
            Some(Fault::TaskFailures { select, share })
        }
        "heap-leak" => {
            let object = object(reading, LEAK)?;
            let members = targets(object.get("member")?, plan, reading);
            let rate = reading.parsed(object.get("rate")?, "`rate`", units::byte_rate)?;
            Some(Fault::HeapLeak { members: members?, rate })
        }
        "gc-pause" => {
            let object = object(reading, GC_PAUSE)?;
            let members = targets(object.get("member")?, plan, reading);
            let pause = positive(reading, object.get("pause")?, "`pause`")?;
            Some(Fault::GcPause { members: members?, pause })
        }
        _ => None,
    }
}

fn database(node: &Node, reading: &mut Reading) -> Option<DatabaseFault> {
    const STATES: &[(&str, DatabaseFault)] = &[
        ("refused", DatabaseFault::Refused),
        ("unreachable", DatabaseFault::Refused),
        ("stalled", DatabaseFault::Stalled),
        ("hanging", DatabaseFault::Stalled),
        ("shut-down", DatabaseFault::ShutDown),
    ];
    if let Value::Mapping(_) = &node.value {
        let slow = Field::required("slow", document::Kind::Any, "10x", "");
        let object = reading.object(node, "`database`", &[slow])?;
        return reading.parsed(object.get("slow")?, "`slow`", units::times).map(DatabaseFault::Slow);
    }
    let text = reading.text(node, "`database`")?;
    // `slow: 10x` in quotes is what people write as well.
    if let Some(times) = text.strip_prefix("slow").map(|rest| rest.trim_start_matches([':', ' '])) {
        return reading.parsed(node, "`database`", |_| units::times(times)).map(DatabaseFault::Slow);
    }
    let found = STATES.iter().find(|(word, _)| *word == text).map(|(_, fault)| *fault);
    if found.is_none() {
        let words = STATES.iter().map(|(word, _)| *word).chain(["{ slow: 10x }"]);
        reading.unknown(&node.place, "state of a database", text, words);
    }
    found
}

/// Members by name, all of a role, or a list of these.
fn targets(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Vec<usize>> {
    let nodes = match &node.value {
        Value::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut members = Vec::new();
    for node in nodes {
        let name = reading.text(node, "a member")?;
        let of = |member: &MemberPlan| member.name == name || member.role.name() == name || name == "all";
        let found: Vec<usize> =
            plan.cluster.members.iter().enumerate().filter(|(_, member)| of(member)).map(|(at, _)| at).collect();
        if found.is_empty() {
            let mut names: Vec<&str> = plan.cluster.members.iter().map(|member| member.name.as_str()).collect();
            names.extend(plan.cluster.members.iter().map(|member| member.role.name()));
            names.dedup();
            reading.unknown(&node.place, "member of this cluster", name, names);
            return None;
        }
        members.extend(found.into_iter().filter(|member| !members.contains(member)).collect::<Vec<_>>());
    }
    if members.is_empty() {
        reading.error(&node.place, "no member is named", "write for example worker-1");
        return None;
    }
    Some(members)
}

// ---- expectations

fn expectation(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Expectation> {
    let Value::Mapping(entries) = &node.value else {
        reading.object(node, "an expectation", EXPECTATIONS[0].1);
        return None;
    };
    let kind = EXPECTATIONS.iter().find(|(key, _)| entries.iter().any(|entry| entry.key == *key));
    let Some((key, fields)) = kind else {
        let known = EXPECTATIONS.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
        reading.error(&node.place, "this says nothing of what is expected", format!("begin with one of {known}"));
        return None;
    };
    let object = reading.object(node, "an expectation", fields)?;
    let at = object.get("at").and_then(|node| instant(reading, node, "`at`"));
    let within = object.get("within").and_then(|node| duration(reading, node, "`within`"));
    let text = |reading: &mut Reading, key: &str| {
        object.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
    };
    match *key {
        "health" => {
            let named = targets(object.get("health")?, plan, reading)?;
            let statuses = [("UP", "UP"), ("DOWN", "DOWN"), ("refused", "refused"), ("hangs", "hangs")];
            let status = reading.choice(object.get("status")?, "status", &statuses)?;
            Some(Expectation::Health { member: *named.first()?, status: status.to_owned(), at: at?, within })
        }
        "query" => {
            Some(Expectation::Query { expr: text(reading, "query")?, at: at?, comparison: text(reading, "is")? })
        }
        "event" => Some(Expectation::Event { text: text(reading, "event")?, at, within }),
        _ => {
            let of = object.get("of").and_then(|node| {
                let name = reading.text(node, "`of`")?;
                let names: Vec<&str> = plan.timeline.iter().map(|entry| entry.name.as_str()).collect();
                if !names.contains(&name) {
                    reading.unknown(&node.place, "entry of the timeline", name, names);
                }
                Some(name.to_owned())
            });
            let labels = object.get("labels").map(|node| labels(node, reading)).unwrap_or_default();
            let bound = |reading: &mut Reading, key: &str| {
                let object = reading.object(object.get(key)?, &format!("`{key}`"), BOUNDS)?;
                let time = |reading: &mut Reading, key: &str| {
                    object.get(key).and_then(|node| duration(reading, node, &format!("`{key}`")))
                };
                Some(Bound { after: time(reading, "after"), within: time(reading, "within") })
            };
            let count = object.get("count").and_then(|node| reading.count(node, "`count`", 0..=1_000_000));
            Some(Expectation::Alert(AlertExpectation {
                alert: text(reading, "alert")?,
                labels,
                of,
                fires: bound(reading, "fires"),
                resolves: bound(reading, "resolves"),
                pending: bound(reading, "pending"),
                never: object.get("never").and_then(|node| reading.boolean(node, "`never`")).unwrap_or(false),
                count: count.map(|count| count as u32),
            }))
        }
    }
}

fn labels(node: &Node, reading: &mut Reading) -> Vec<(String, String)> {
    let Value::Mapping(entries) = &node.value else {
        reading.error(
            &node.place,
            format!("`labels` must be a mapping, not {}", node.value.describe()),
            "write for example `{ instance: \"worker-1:8081\" }`",
        );
        return Vec::new();
    };
    let text = |entry: &Entry| match &entry.value.value {
        Value::Scalar { text, .. } => Some((entry.key.clone(), text.clone())),
        _ => None,
    };
    entries.iter().filter_map(text).collect()
}

/// Where a path named in a file leads, seen from that file.
pub fn beside(file: &str, path: &str) -> std::path::PathBuf {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    folder.join(path)
}
