//! The text of a recorded scenario: what was found, what it was taken from, and what nobody could know.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::flows::{Flow, Task, free, word};
use super::members::{PROBES, Topology, pollers};
use super::observed::Observed;
use super::times::{From, Taken};
use super::triggers::{Trigger, When};
use super::{Names, Recorded, Wording};
use crate::profile::{Profile, Role, Schedulables};
use crate::scenario::{DatabaseKind, limits, plain};
use crate::time::Duration;

type Object = Map<String, Value>;

/// The whole text.
pub(super) fn write(observed: &Observed, topology: &Topology, flows: &[Flow], wording: &Wording) -> Recorded {
    let (sound, odd): (Vec<&Flow>, Vec<&Flow>) =
        flows.iter().partition(|flow| is_namespace(&flow.namespace) && is_name(&flow.id));
    let named: Vec<Named> = sound.iter().take(limits::FLOWS).map(|flow| Named::new(flow, wording.names)).collect();
    let mut unknown = of_cluster(observed, topology, wording.names);
    let warnings = unknown.clone();
    let polled = pollers(observed, topology.profile);
    unknown.extend(of_flows(observed, topology, &sound, polled.is_none()));
    if !odd.is_empty() {
        unknown.push(format!("{} flows are left out: their names are none that Kestra takes", odd.len()));
    }
    if sound.len() > limits::FLOWS {
        unknown.push(format!("{} flows are left out, those that run most seldom", sound.len() - limits::FLOWS));
    }
    let mut text = head(topology, &unknown, wording);
    text += &format!("name: {}\n", plain(&json!(wording.name)));
    text += &format!("summary: {}\n", plain(&json!(summary(topology, named.len()))));
    text += &format!("kestra: \"{}\"\n", topology.profile.name());
    text += &format!("duration: {}\n", length(observed));
    if let Some(prefix) = &topology.prefix {
        let prefix = plain(&json!(wording.names.prefix(prefix)));
        text += &format!("configuration: {{ kestra: {{ metrics: {{ prefix: {prefix} }} }} }}\n");
    }
    text += &cluster(topology);
    text += &flow_lines(&named);
    text += if polled.iter().flatten().next().is_some() { "polled_by:\n" } else { "" };
    for it in polled.iter().flatten() {
        text += &format!("  - {{ path: {}, every: {} }}\n", it.path, span(it.every));
    }
    if polled.as_ref().is_some_and(Vec::is_empty) {
        text += "polled_by: []\n";
    }
    Recorded { text, summary: summary(topology, named.len()), warnings }
}

/// A flow under the names that are written.
struct Named<'a> {
    flow: &'a Flow,
    namespace: String,
    id: String,
    tasks: Vec<String>,
    triggers: Vec<String>,
    names: Names,
}

/// An id that was made from a type tells nothing that the type does not.
fn task_id(task: &Task, names: Names) -> String {
    match (task.told, names) {
        (false, Names::Replaced) => word(&names.kind(&task.kind)),
        _ => names.task(&task.id),
    }
}

fn trigger_id(it: &Trigger, names: Names) -> String {
    match (it.told, names) {
        (false, Names::Replaced) => word(&names.kind(&it.kind)),
        _ => names.trigger(&it.id),
    }
}

impl<'a> Named<'a> {
    fn new(flow: &'a Flow, names: Names) -> Named<'a> {
        let mut taken = BTreeSet::new();
        let mut id = |wanted: String| free(wanted, &mut taken);
        Named {
            flow,
            namespace: names.namespace(&flow.namespace),
            id: names.flow(&flow.id),
            tasks: flow.tasks.iter().map(|task| id(task_id(task, names))).collect(),
            triggers: flow.triggers.iter().map(|it| id(trigger_id(it, names))).collect(),
            names,
        }
    }

    fn name(&self) -> String {
        format!("{}.{}", self.namespace, self.id)
    }

    /// What else is known of it: types stand in it.
    fn remarks(&self) -> impl Iterator<Item = String> {
        let kinds = self.flow.tasks.iter().map(|it| &it.kind).chain(self.flow.triggers.iter().map(|it| &it.kind));
        let kinds: Vec<&String> = kinds.collect();
        let named = move |remark: &String| {
            kinds.iter().fold(remark.clone(), |remark, kind| remark.replace(kind.as_str(), &self.names.kind(kind)))
        };
        self.flow.remarks.iter().map(named)
    }
}

/// Whether Kestra takes it as a name: what a server shows may be anything.
fn is_name(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(inside) && text.len() <= 150
}

/// The same of a namespace.
fn is_namespace(text: &str) -> bool {
    is_name(text) && !text.contains(|c: char| c.is_ascii_uppercase())
}

/// A comment, on as many lines as it needs; what would end it is taken out.
fn comment(indent: &str, first: &str, text: &str) -> String {
    const WIDTH: usize = 110;
    let text: String =
        text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect();
    let (mut out, mut line) = (String::new(), format!("{indent}# {first}"));
    let mut begun = false;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if begun && line.len() + word.len() + 1 > WIDTH {
            out += &format!("{line}\n");
            line = format!("{indent}# {:width$}", "", width = first.len());
            begun = false;
        }
        line += if begun { " " } else { "" };
        line += word;
        begun = true;
    }
    out + &line + "\n"
}

fn head(topology: &Topology, unknown: &[String], wording: &Wording) -> String {
    let mut text = String::new();
    wording.from.iter().for_each(|line| text += &comment("", "", line));
    let mut builds: Vec<&str> = topology.members.iter().filter_map(|member| member.version.as_deref()).collect();
    builds.sort_unstable();
    builds.dedup();
    if !builds.is_empty() {
        text += &comment("", "", &format!("Builds: {}.", builds.join(", ")));
    }
    text += "#\n# What could not be known, and what stands in its place:\n";
    unknown.iter().for_each(|line| text += &comment("", "- ", line));
    text
}

/// So many of something.
pub(super) fn counted(count: f64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1.0 { "" } else { "s" })
}

fn summary(topology: &Topology, flows: usize) -> String {
    let roles: Vec<String> =
        topology.groups.iter().map(|group| counted(group.count as f64, group.role.name())).collect();
    let versions = topology.versions().join(" and ");
    format!("Kestra {versions} with {}, and {}", roles.join(", "), counted(flows as f64, "flow"))
}

/// As long as it was looked at, in whole minutes: not less than ten, not more than a day.
fn length(observed: &Observed) -> Duration {
    let minutes = if observed.at_once() { 60.0 } else { f64::round(observed.span() / 60.0) };
    Duration::minutes((minutes as u64).clamp(10, 24 * 60))
}

fn cluster(topology: &Topology) -> String {
    let database = match topology.database.unwrap_or(DatabaseKind::Postgresql) {
        DatabaseKind::Postgresql => "postgresql",
        DatabaseKind::Mysql => "mysql",
        DatabaseKind::H2 => "h2",
        DatabaseKind::H2File => "h2-file",
    };
    let mut text = format!("cluster:\n  database: {database}\n  members:\n");
    for group in &topology.groups {
        let mut object = Object::new();
        let mut put = |key: &str, value: Option<Value>| _ = value.map(|value| object.insert(key.to_owned(), value));
        put("count", (group.count > 1).then(|| json!(group.count)));
        put("threads", group.threads.map(|threads| json!(threads)));
        put("heap", group.heap.map(|bytes| json!(size(bytes))));
        put("version", (group.profile != topology.profile).then(|| json!(group.profile.name())));
        let value = if object.is_empty() { json!(1) } else { object.into() };
        text += &format!("    {}: {}\n", group.role.name(), plain(&value));
    }
    text
}

fn flow_lines(flows: &[Named<'_>]) -> String {
    let mut text = if flows.is_empty() { String::new() } else { "flows:\n".to_owned() };
    for named in flows {
        let flow = named.flow;
        text += &comment("  ", "", &told(flow));
        named.remarks().for_each(|remark| text += &comment("  ", "", &remark));
        text += &format!("  - id: {}\n    namespace: {}\n", plain(&json!(named.id)), plain(&json!(named.namespace)));
        let triggers = flow.triggers.iter().zip(&named.triggers);
        let triggers: Vec<String> =
            triggers.map(|(it, id)| format!("      - {}\n", plain(&trigger(it, id, named.names)))).collect();
        if !triggers.is_empty() {
            text += &format!("    triggers:\n{}", triggers.concat());
        }
        text += "    tasks:\n";
        for (task, id) in flow.tasks.iter().zip(&named.tasks) {
            text += &format!("      - {}\n", plain(&json!({ "id": id, "type": named.names.kind(&task.kind) })));
        }
        if flow.tasks.is_empty() {
            text += "      # No task of it was seen on a worker: this one stands for it.\n";
            text += "      - { id: unknown, type: io.kestra.plugin.core.log.Log }\n";
        }
    }
    text += &list("behaviour", flows.iter().flat_map(behaviour));
    let arriving = flows.iter().filter_map(|it| Some((it, it.flow.arrivals?)));
    text + &list(
        "arrivals",
        arriving.map(|(it, rate)| (Vec::new(), json!({ "flow": it.name(), "rate": self::rate(rate) }))),
    )
}

/// A list with comments, if there is anything in it.
fn list(key: &str, items: impl Iterator<Item = (Vec<String>, Value)>) -> String {
    let lines: String = items
        .map(|(comments, item)| {
            let comments: String = comments.iter().map(|line| comment("  ", "", line)).collect();
            format!("{comments}  - {}\n", plain(&item))
        })
        .collect();
    if lines.is_empty() { lines } else { format!("{key}:\n{lines}") }
}

/// What was seen of a flow, in a sentence.
fn told(flow: &Flow) -> String {
    let (count, rate) = (f64::round(flow.executions.amount), rate(flow.executions.per_second));
    let executions = counted(count, "execution");
    let by = if flow.by_tasks { ", by the runs of a task: no executor was seen" } else { "" };
    let failed = if flow.ended > 0.0 {
        format!("; {} of {} failed", flow.failed, counted(flow.ended, "task run"))
    } else {
        String::new()
    };
    if count == 0.0 {
        format!("None of its executions was seen{failed}.")
    } else {
        format!("{executions} ({rate}){by}{failed}.")
    }
}

fn trigger(it: &Trigger, id: &str, names: Names) -> Value {
    let mut object = Object::new();
    let mut put = |key: &str, value: Value| _ = object.insert(key.to_owned(), value);
    put("id", json!(id));
    put("type", json!(names.kind(&it.kind)));
    match &it.when {
        When::Cron { cron, with_seconds, timezone } => {
            put("cron", json!(cron));
            if *with_seconds {
                put("withSeconds", json!(true));
            }
            timezone.iter().for_each(|zone| put("timezone", json!(zone)));
        }
        When::Every(interval) => put("interval", json!(interval.iso())),
        When::Messages => {}
    }
    object.into()
}

/// How the tasks and polling triggers of a flow behave.
fn behaviour(named: &Named<'_>) -> Vec<(Vec<String>, Value)> {
    let mut entries = Vec::new();
    let mut entry = |id: &str, taken: Option<Taken>, shares: &[(&str, Option<f64>)], comments: Vec<String>| {
        let mut object = Object::from_iter([("flow".to_owned(), json!(named.name())), ("task".to_owned(), json!(id))]);
        taken.iter().for_each(|it| _ = object.insert("duration".to_owned(), duration(*it)));
        for (key, share) in shares.iter().filter_map(|(key, share)| Some((key, (*share)?))) {
            object.insert((*key).to_owned(), percent(share));
        }
        if object.len() > 2 {
            entries.push((comments, object.into()));
        }
    };
    for (task, id) in named.flow.tasks.iter().zip(&named.tasks) {
        let warns = Some(task.warns).filter(|share| *share > 0.0);
        entry(id, task.taken, &[("fails", Some(task.fails)), ("warns", warns)], evidence(task));
    }
    for (it, id) in named.flow.triggers.iter().zip(&named.triggers) {
        if let Some((fires, taken)) = &it.polls {
            entry(id, *taken, &[("fires", Some(*fires))], Vec::new());
        }
    }
    for (it, id) in named.flow.triggers.iter().zip(&named.triggers) {
        if let Some(messages) = it.messages {
            let entry = json!({ "flow": named.name(), "task": id, "messages": rate(messages) });
            entries.push((Vec::new(), entry));
        }
    }
    entries
}

/// What a duration was taken from, where it is not the usual thing.
fn evidence(task: &Task) -> Vec<String> {
    let Some(taken) = task.taken else {
        return vec!["How long it takes is not known: none of its runs ended.".to_owned()];
    };
    let mut lines = match taken.from {
        From::Mean => vec![format!("The mean of {} runs: median and p99 are not known.", f64::round(task.runs))],
        From::Quantiles => vec!["Quantiles that the server has reckoned.".to_owned()],
        From::Buckets => vec!["From the buckets of a histogram.".to_owned()],
        From::Spread => Vec::new(),
    };
    if task.of_flow {
        lines.push("That of all tasks of the flow: this version does not tell it of a task.".to_owned());
    }
    if task.wait > 0.05 * taken.median {
        lines.push(format!("Waited {} for a thread on average, which is taken off.", span(task.wait)));
    }
    lines
}

fn duration(taken: Taken) -> Value {
    let (median, p99) = (span(taken.median), span(taken.p99));
    if median == p99 { json!(median) } else { json!({ "median": median, "p99": p99 }) }
}

/// A number with so many digits that count.
fn rounded(value: f64, digits: i32) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = libm::pow(10.0, f64::from(digits - 1) - f64::floor(libm::log10(value)));
    f64::round(value * scale) / scale
}

/// Seconds as a scenario writes them.
fn span(seconds: f64) -> String {
    let whole = Duration::from_seconds_f64(rounded(seconds, if seconds < 0.1 { 3 } else { 4 }));
    let whole = if whole >= Duration::milliseconds(100) { whole.rounded() } else { whole };
    // Whoever takes no time at all takes this long.
    whole.max(Duration::microseconds(100)).to_string()
}

/// Executions by the unit in which they are a number that people read.
fn rate(per_second: f64) -> String {
    let units = [("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
    let (unit, seconds) = units.into_iter().find(|(_, seconds)| per_second * seconds >= 0.5).unwrap_or(units[2]);
    format!("{}/{unit}", rounded(per_second * seconds, 4))
}

fn percent(share: f64) -> Value {
    let percent = f64::round(share * 10_000.0) / 100.0;
    if percent == 0.0 { json!(0) } else { json!(format!("{percent}%")) }
}

/// Bytes in the largest unit of which they are a whole number.
fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.into_iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    unit.map_or(format!("{bytes}B"), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// What is not known of the cluster, or not as simple as the file says it. Names of members are replaced where names are.
fn of_cluster(observed: &Observed, topology: &Topology, names: Names) -> Vec<String> {
    let mut lines = of_versions(observed, topology, names);
    let list = |of: &[String]| of.iter().map(|name| names.instance(name)).collect::<Vec<_>>().join(", ");
    for member in topology.members.iter().filter(|member| !member.perhaps.is_empty()) {
        let others: Vec<&str> = member.perhaps.iter().map(|role| role.name()).collect();
        let instance = names.instance(&member.instance);
        lines.push(format!("{instance} shows what {} shows, and {} too", member.role.name(), others.join(" and ")));
    }
    for group in &topology.groups {
        let differ = topology.of_role(group.role).any(|it| it.threads != group.threads || it.heap != group.heap);
        if differ {
            lines.push(format!(
                "members of the role {} have different threads or heaps: those of most of them stand here",
                group.role.name()
            ));
        }
    }
    if !topology.gone.is_empty() {
        lines.push(format!("these were there once and not at the end, and are left out: {}", list(&topology.gone)));
    }
    if !topology.foreign.is_empty() {
        lines.push(format!("these show no series of Kestra, and are left out: {}", list(&topology.foreign)));
    }
    let anew: usize = observed.members.iter().map(|member| member.restarts().len()).sum();
    if anew > 0 {
        lines.push(format!("processes began anew ({}): no `timeline` tells of it here", counted(anew as f64, "time")));
    }
    let missed: u64 = observed.members.iter().map(|member| member.missed).sum();
    if missed > 0 {
        lines.push(format!(
            "not answered: {} at members; what was counted then may be missing",
            counted(missed as f64, "look")
        ));
    }
    lines
}

/// What is not known of its versions.
fn of_versions(observed: &Observed, topology: &Topology, names: Names) -> Vec<String> {
    let mut lines = Vec::new();
    let versions = topology.versions();
    if versions.len() > 1 {
        let of = |version: &str| topology.members.iter().filter(|it| it.profile.name() == version).count();
        let counts: Vec<String> = versions.iter().map(|version| format!("{} of {version}", of(version))).collect();
        lines.push(format!(
            "the members have different versions ({}): the cluster has {}, a role that of most of its members",
            counts.join(", "),
            topology.profile.name()
        ));
    }
    for member in topology.members.iter().filter(|member| !member.certain).take(1) {
        lines.push(match &member.version {
            Some(version) => {
                format!("of Kestra {version} there is no profile: {} shows the same names", member.profile.name())
            }
            None => {
                format!("the version is {} by its series; other versions show the same ones", member.profile.name())
            }
        });
    }
    for seen in observed.members.iter().filter(|seen| seen.versions.len() > 1) {
        lines.push(format!(
            "{} became another version while it was looked at ({}): no `timeline` tells of it here, the last one stands here, and \
             what changed its name with it may be missing",
            names.instance(&seen.instance),
            seen.versions.join(", then ")
        ));
    }
    lines
}

/// What is not known of what runs, and in general.
fn of_flows(observed: &Observed, topology: &Topology, flows: &[&Flow], unpolled: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |when: bool, line: &str| {
        if when {
            lines.push(line.to_owned());
        }
    };
    let has = |role: Role| topology.groups.iter().any(|group| group.role.runs(role));
    let profiles = || topology.members.iter().map(|member| member.profile);
    let listed = observed.members.iter().any(|member| member.triggers.is_some());
    let means = flows.iter().flat_map(|flow| &flow.tasks).filter_map(|task| task.taken).any(|it| it.from == From::Mean);
    let spread =
        flows.iter().flat_map(|flow| &flow.tasks).filter_map(|task| task.taken).any(|it| it.from == From::Spread);
    say(observed.at_once(), "there was one look only: rates are those since each process began");
    say(topology.database.is_none(), "nothing tells the database: it is taken for PostgreSQL");
    say(true, "who starts a process again when it ends, and its grace period, are told nowhere: the usual ones");
    say(!has(Role::Executor), "no executor was seen: executions are counted by what else there is");
    say(!has(Role::Worker), "no worker was seen: which tasks run is not known");
    say(!has(Role::Scheduler) || !listed, "no /scheduler was seen: triggers are those that counters give away");
    say(
        listed && profiles().any(due_only),
        "/scheduler of 2.0 lists no Schedule: those that counters give away are here",
    );
    say(means, "durations are means only where the file says so: one look, or too few runs from look to look");
    say(
        spread,
        "durations with a p99 fit best how far the sums of durations spread from look to look; metrics have no quantiles",
    );
    say(
        !flows.is_empty(),
        "of flows metrics tell the types of tasks that workers run: no flowable tasks, inputs, conditions, `errors`, retries, Flow triggers and webhooks; tasks stand one after another, their ids are those seen in /worker, or made from their types",
    );
    say(
        flows.iter().any(|flow| flow.arrivals.is_some()),
        "executions that no scheduler started are `arrivals` over the API, also those of webhooks, Flow triggers and subflows",
    );
    say(unpolled, "members count no requests: pollers are the usual ones");
    let probed =
        pollers(observed, topology.profile).is_some_and(|all| all.iter().any(|it| it.path == "/health/liveness"));
    say(probed, &format!("{PROBES} counts /health/liveness and /health/readiness as one: taken to be asked alike"));
    lines
}

fn due_only(profile: &'static Profile) -> bool {
    profile.answers().schedulables == Schedulables::Due
}
