//! Entries of the timeline, and the same from a request.

use std::collections::{BTreeMap, BTreeSet};

use super::work::{flow_named, selector};
use super::{instant, positive, version};
use crate::document::{self, Entry, Field, Node, Object, Place, Reading, Value};
use crate::flow::{Flow, TriggerAction};
use crate::profile::{Profile, Quirk, Role};
use crate::scenario::faults::{Aim, ROWS, Row, Unit};
use crate::scenario::fields::{COMMANDS, WHEN};
use crate::scenario::limits;
use crate::scenario::threads::{QUEUE_WORDS, THREAD_WORDS};
use crate::scenario::{
    Amount, DatabaseFault, DatabaseKind, Fault, FaultKind, Lasts, MemberPlan, Plan, Queue, Target, Thread,
    TimelineEntry, units,
};
use crate::time::{Duration, Instant};

/// Reads an entry of the timeline. With `now` it comes from outside: where `at` is missing it is now.
pub(super) fn entry(node: &Node, plan: &Plan, now: Option<Instant>, reading: &mut Reading) -> Option<TimelineEntry> {
    let fields: Vec<Field> = WHEN.iter().copied().chain(ROWS.iter().map(Row::field)).collect();
    if !matches!(node.value, Value::Mapping(_)) {
        let what = format!("an entry of `timeline` must be a mapping, not {}", node.value.describe());
        let at = if now.is_none() { "at: 10m, " } else { "" };
        reading.error(&node.place, what, format!("write for example `{{ {at}kill: {} }}`", any_member(plan)));
        return None;
    }
    let object = reading.open(node, "an entry of `timeline`", &fields)?;
    let strange = unknown(&object, &fields, now.is_some(), reading);
    let row_of = |entry: &&Entry| ROWS.iter().find(|row| row.keyword == entry.key);
    let mut keywords = object.entries().iter().filter_map(|entry| Some((entry, row_of(&entry)?)));
    let Some((keyword, row)) = keywords.next() else {
        if !strange {
            let known: Vec<&str> = ROWS.iter().map(|row| row.keyword).collect();
            let advice = format!("add one of {}", known.join(", "));
            reading.error(&node.place, "this entry says nothing of what happens", advice);
        }
        return None;
    };
    if let Some((second, _)) = keywords.next() {
        let what = format!("`{}` and `{}` in one entry", keyword.key, second.key);
        reading.error(&second.place, what, "write an entry for each");
    }
    let fault = fault((keyword, row), &object, plan, reading);
    if let (Some(entry), false) = (object.entry("to"), row.aim == Aim::Role) {
        reading.error(&entry.place, format!("`{}` has no `to`", row.keyword), "leave it out: it belongs to `scale`");
    }
    let at = match (object.get("at"), now) {
        (Some(node), _) => instant(reading, node, "`at`"),
        (None, Some(now)) => Some(now),
        (None, None) => {
            reading.error(&node.place, "this entry has no `at`", "add `at: 10m`");
            None
        }
    };
    let lasts = object.get("for").and_then(|node| positive(reading, node, "`for`"));
    if let (Some(entry), Lasts::No) = (object.entry("for"), row.lasts) {
        let advice = if row.units.contains(&Unit::Pause) { "its length is `pause`" } else { "leave `for` out" };
        reading.error(&entry.place, format!("`{}` does not last", keyword.key), advice);
    }
    let (every, until) = repetition(&object, at, now, reading);
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
    let name = name.unwrap_or_else(|| fault.default_name(plan));
    Some(TimelineEntry { name, at: at?, fault, lasts, every, until })
}

/// Tells of keys that an entry does not have, if there are any; `asked`: it comes from outside.
fn unknown(object: &Object<'_>, fields: &[Field], asked: bool, reading: &mut Reading) -> bool {
    let known = || fields.iter().map(|field| field.key);
    let mut strange = object.entries().iter().filter(|entry| known().all(|it| it != entry.key)).peekable();
    let any = strange.peek().is_some();
    for Entry { key, place, .. } in strange {
        let what = || format!("`{key}` is no key of an entry of `timeline`");
        match key.as_str() {
            "duration" | "lasts" => reading.error(place, what(), "how long it lasts is `for`"),
            command if COMMANDS.iter().any(|field| field.key == command) => {
                let advice = match asked {
                    true => "it is a command, and has a request of its own",
                    false => "it is a command: write it as an entry of `commands`",
                };
                reading.error(place, what(), advice);
            }
            _ => reading.unknown(place, "key of an entry of `timeline`", key, known()),
        }
    }
    any
}

/// How often an entry repeats, and until when.
fn repetition(
    object: &Object<'_>,
    at: Option<Instant>,
    now: Option<Instant>,
    reading: &mut Reading,
) -> (Option<Duration>, Option<Instant>) {
    let every = object.get("every").and_then(|node| positive(reading, node, "`every`"));
    if let (Some(entry), Some(short)) = (object.entry("every"), every.filter(|every| *every < limits::REPEAT)) {
        let advice = format!("write a time of {} or more", limits::REPEAT);
        reading.error(&entry.value.place, format!("a fault cannot repeat every {short}"), advice);
    }
    let until = object.get("until").and_then(|node| instant(reading, node, "`until`"));
    if let (Some(entry), Some(until), Some(at), None) = (object.entry("until"), until, at, now)
        && until < at
    {
        let what = format!("`until` is {until} since the start, before it begins at {at}");
        reading.error(&entry.value.place, what, "write a later time");
    }
    if let (Some(entry), None) = (object.entry("until"), object.entry("every")) {
        reading.error(&entry.place, "`until` without `every`", "add `every: 5m`, or write `for`");
    }
    (every, until)
}

/// Names of entries: no two have the same.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
    /// By name: the number that was put behind it last.
    numbers: BTreeMap<String, u64>,
}

impl Names {
    /// Makes the name of an entry unique among those before it.
    pub(super) fn unique(&mut self, entry: &mut TimelineEntry) {
        if self.taken.contains(&entry.name) {
            let number = self.numbers.entry(entry.name.clone()).or_insert(1);
            entry.name = loop {
                *number += 1;
                let name = format!("{}-{number}", entry.name);
                if !self.taken.contains(&name) {
                    break name;
                }
            };
        }
        self.taken.insert(entry.name.clone());
    }
}

/// The fault that a keyword of an entry names.
fn fault(
    (keyword, row): (&Entry, &'static Row),
    entry: &Object<'_>,
    plan: &Plan,
    reading: &mut Reading,
) -> Option<Fault> {
    let node = &keyword.value;
    let (kind, members) = (row.kind, |members| Target::Members(members));
    if row.aim == Aim::Database {
        return database(node, reading).map(Fault::of_database);
    }
    if row.aim == Aim::Role {
        return scale(row, node, entry, plan, reading);
    }
    if row.aim == Aim::Queue {
        let queue = word(node, &format!("`{}`", row.keyword), "queue", QUEUE_WORDS, Queue::named, reading)?;
        return fitting(node, Fault { kind, target: Target::Queue(queue), amount: Amount::None }, plan, reading);
    }
    if row.fields.is_empty() {
        let target = members(targets(node, plan, reading)?);
        return fitting(node, Fault { kind, target, amount: Amount::None }, plan, reading);
    }
    let object = reading.object(node, &format!("`{}`", row.keyword), row.fields)?;
    let target = match row.aim {
        Aim::Members => object.get("member").and_then(|node| targets(node, plan, reading)).map(members),
        Aim::Flow => match object.get("flow") {
            Some(node) => flow_named(reading, node, plan).map(|flow| Target::Flow(Some(flow))),
            None => Some(Target::Flow(None)),
        },
        Aim::Tasks => Some(Target::Tasks(selector(&object, plan, reading))),
        Aim::Tables => Some(Target::Database),
        Aim::Database | Aim::Queue | Aim::Role => None,
        Aim::Receiver => {
            let name = object.get("to").and_then(|node| reading.parsed(node, "`to`", str::parse));
            name.map(Target::Receiver)
        }
    };
    let amount = amount(&object, row, reading);
    fitting(node, Fault { kind, target: target?, amount: amount? }, plan, reading)
}

/// The versions that have something.
fn versions(has: impl Fn(&Profile) -> bool) -> String {
    let names = Profile::NAMES.iter().copied();
    names.filter(|name| Profile::named(name).is_ok_and(&has)).collect::<Vec<_>>().join(", ")
}

/// A role with its article.
fn a(role: Role) -> String {
    let article = if role.name().starts_with(['e', 'i']) { "an" } else { "a" };
    format!("{article} {}", role.name())
}

/// Whether it is done to the queue of triggers that wait for several executions.
fn of_conditions(fault: &Fault) -> bool {
    let queue = Queue::MultipleConditionEvent;
    fault.kind == FaultKind::ConditionEvents
        || fault.target == Target::Queue(queue)
        || fault.amount == Amount::Thread(Thread::Queue(queue))
}

/// A fault, if each of its members has what it is done to.
fn fitting(node: &Node, fault: Fault, plan: &Plan, reading: &mut Reading) -> Option<Fault> {
    let cluster = &plan.cluster;
    if fault.kind == FaultKind::ConnectionLeak && matches!(cluster.database, DatabaseKind::H2 | DatabaseKind::H2File) {
        let what = "the database of this cluster is H2, which has no slots for connections";
        reading.error(&node.place, what, "write `database: postgresql` in `cluster`");
        return None;
    }
    if matches!(fault.kind, FaultKind::QueueRows | FaultKind::ConditionEvents) && cluster.kafka {
        let what = "the queues of this cluster are Kafka's: no table holds them";
        reading.error(&node.place, what, "leave `queue: kafka` out of `cluster`");
        return None;
    }
    if !plan.kestra.has(Quirk::ConditionEvents) && of_conditions(&fault) {
        let what = "this version has no queue of its own for triggers that wait for several executions";
        let has = versions(|it| it.has(Quirk::ConditionEvents));
        reading.error(&node.place, what, format!("write a version that has it: {has}"));
        return None;
    }
    scheduled(node, &fault, plan, reading);
    for member in fault.members().iter().filter_map(|member| plan.cluster.members.get(*member)) {
        let (name, role) = (&member.name, member.role);
        match fault.amount {
            Amount::Thread(thread) if !thread.runs_in(role) => {
                let what = format!("{name} is {}: it has no thread `{}`", a(role), thread.word());
                let has = THREAD_WORDS.iter().filter(|word| Thread::named(word).is_some_and(|it| it.runs_in(role)));
                let has: Vec<&str> = has.copied().collect();
                reading.error(&node.place, what, format!("it has: {}", has.join(", ")));
                return None;
            }
            Amount::Version(version) if !version.roles().any(|it| it == role) => {
                let has = versions(|it| it.roles().any(|it| it == role));
                let what = format!("Kestra {} has no {}, which {name} is", version.name(), role.name());
                reading.error(&node.place, what, format!("write a version that has it: {has}"));
                return None;
            }
            _ => {}
        }
        if fault.kind == FaultKind::TriggerLoad && !role.runs(Role::Scheduler) {
            let what = format!("{name} is {}: it evaluates no triggers", a(role));
            reading.error(&node.place, what, "name a scheduler or a standalone");
            return None;
        }
        if fault.kind == FaultKind::SlowIndexer && !role.runs(Role::Indexer) {
            let what = format!("{name} is {}: it indexes nothing", a(role));
            reading.error(&node.place, what, "name an indexer, a webserver or a standalone");
            return None;
        }
        let without_database = role == Role::Worker && member.profile(plan.kestra).has(Quirk::Controller);
        if matches!(fault.kind, FaultKind::QueryFails | FaultKind::ConnectionLeak) && without_database {
            let what = format!("{name} asks no database: workers of its version are given their jobs by a controller");
            reading.error(&node.place, what, "name another member");
            return None;
        }
    }
    Some(fault)
}

/// Tells what of schedules a fault has nothing to do with.
fn scheduled(node: &Node, fault: &Fault, plan: &Plan, reading: &mut Reading) {
    let Target::Flow(flow) = fault.target else { return };
    if !matches!(fault.kind, FaultKind::PausedBackfill | FaultKind::ScheduledTwice) {
        return;
    }
    let is_schedule = |flow: &Flow| flow.triggers.iter().any(|it| matches!(it.action, TriggerAction::Schedule(_)));
    let mut meant = plan.flows.iter().enumerate().filter(|(at, _)| flow.is_none_or(|flow| flow == *at));
    if !meant.any(|(_, flow)| is_schedule(flow)) {
        let what = format!("`{}` does nothing: no flow of it has a Schedule", fault.kind.keyword());
        reading.warning(&node.place, what, "name a flow that has one");
    }
    let evaluates = |role: Role| matches!(role, Role::Scheduler | Role::Standalone);
    let schedulers = plan.cluster.members.iter().filter(|it| evaluates(it.role)).count();
    if fault.kind == FaultKind::ScheduledTwice && schedulers < 2 {
        let what = "`scheduled-twice` does nothing: only one member evaluates triggers";
        reading.warning(&node.place, what, "write `scheduler: 2` in `members`");
    }
}

/// One word of a few.
fn word<T>(
    node: &Node,
    at: &str,
    what: &str,
    words: &[&str],
    named: fn(&str) -> Option<T>,
    reading: &mut Reading,
) -> Option<T> {
    let text = reading.text(node, at)?;
    let found = named(text);
    if found.is_none() {
        reading.unknown(&node.place, what, text, words.iter().copied());
    }
    found
}

/// The one amount of a fault that has one.
fn amount(object: &Object<'_>, row: &Row, reading: &mut Reading) -> Option<Amount> {
    if row.units.is_empty() {
        return Some(Amount::None);
    }
    let mut given = row.units.iter().filter_map(|unit| Some((*unit, object.get(unit.key())?)));
    let (unit, node) = match (given.next(), given.next()) {
        (Some(first), None) => first,
        // One that must be there is missed by the table of fields.
        _ if row.units.len() == 1 => return None,
        _ => {
            let keys: Vec<String> = row.units.iter().map(|unit| format!("`{}`", unit.key())).collect();
            let what = format!("`{}` needs either {}", row.keyword, keys.join(" or "));
            let last = row.fields.last().map_or("", |field| field.example);
            let key = row.units.last().map_or("", |unit| unit.key());
            reading.error(&object.node.place, what, format!("write for example `{{ {key}: {last} }}`"));
            return None;
        }
    };
    let what = format!("`{}`", unit.key());
    match unit {
        Unit::Rate => reading.parsed(node, &what, units::read_rate).map(Amount::Rate),
        Unit::Times => reading.parsed(node, &what, units::times).map(Amount::Times),
        Unit::Share => reading.parsed(node, &what, units::share).map(Amount::Share),
        Unit::Leak => reading.parsed(node, &what, units::byte_rate).map(Amount::Leak),
        Unit::Pause => positive(reading, node, &what).map(Amount::Pause),
        Unit::Takes => positive(reading, node, &what).map(Amount::Takes),
        Unit::Rows => reading.count(node, &what, 1..=limits::ROWS).map(Amount::Rows),
        Unit::Triggers => reading.count(node, &what, 1..=limits::TRIGGERS).map(Amount::Triggers),
        Unit::Version => version(reading, Some(node), node).map(Amount::Version),
        Unit::Answers => reading.parsed(node, &what, str::parse).map(Amount::Answers),
        Unit::Members => count(node, reading).map(Amount::Members),
        Unit::Thread => word(node, &what, "thread", THREAD_WORDS, Thread::named, reading).map(Amount::Thread),
        Unit::Slow => reading.parsed(node, &what, units::times).map(|times| Amount::Manner(DatabaseFault::Slow(times))),
    }
}

fn count(node: &Node, reading: &mut Reading) -> Option<u32> {
    reading.count(node, "`to`", 0..=limits::MEMBERS as u64).and_then(|count| u32::try_from(count).ok())
}

/// So many members of a role.
fn scale(row: &Row, node: &Node, entry: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Option<Fault> {
    let roles: Vec<(&str, Role)> = Role::ALL.iter().map(|role| (role.name(), *role)).collect();
    let role = reading.choice(node, "role", &roles);
    let Some(to) = entry.get(Unit::Members.key()) else {
        let what = format!("`{}` does not say how many there are from then on", row.keyword);
        reading.error(&node.place, what, format!("add `to`, for example `{}: {}`", row.keyword, row.example));
        return None;
    };
    let (role, count) = (role?, count(to, reading)?);
    let places = plan.cluster.members.iter().filter(|member| member.role == role).count();
    if places < count as usize {
        let what = format!("this cluster has places for {places} of the role {}", role.name());
        let advice = format!("say in the scenario how many there may be: `{}: {{ most: {count} }}`", role.name());
        reading.error(&to.place, what, advice);
        return None;
    }
    Some(Fault { kind: row.kind, target: Target::Role(role), amount: Amount::Members(count) })
}

/// By role, how many members entries of `timeline` and `autoscale` ask for at most; what cannot be read is told when it is
/// its turn.
pub(super) fn asked_for<'n>(root: &Object<'n>) -> BTreeMap<&'n str, u64> {
    let mut most = BTreeMap::new();
    let lists = [("timeline", "scale", Unit::Members.key()), ("autoscale", "role", "max")];
    let nodes = lists.into_iter().filter_map(|(list, role, count)| match &root.get(list)?.value {
        Value::Sequence(nodes) => Some(nodes.iter().map(move |node| (node, role, count))),
        _ => None,
    });
    for (node, role, count) in nodes.flatten() {
        let Value::Mapping(entries) = &node.value else { continue };
        let text = |key: &str| match &entries.iter().find(|entry| entry.key == key)?.value.value {
            Value::Scalar { text, .. } => Some(text.as_str()),
            _ => None,
        };
        if let (Some(role), Some(Ok(to))) = (text(role), text(count).map(str::parse::<u64>)) {
            let most = most.entry(role).or_insert(0);
            *most = to.min(limits::MEMBERS as u64).max(*most);
        }
    }
    most
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
        let factor = |_: &str| units::times(times).map_err(|_| "write `{ slow: 10x }`, for example".to_owned());
        return reading.parsed(node, "`database`", factor).map(DatabaseFault::Slow);
    }
    let found = STATES.iter().find(|(word, _)| *word == text).map(|(_, fault)| *fault);
    if found.is_none() {
        let words = STATES.iter().map(|(word, _)| *word).chain(["{ slow: 10x }"]);
        reading.unknown(&node.place, "state of a database", text, words);
    }
    found
}

/// The name of a member to write for example.
fn any_member(plan: &Plan) -> &str {
    plan.cluster.members.last().map_or("worker-1", |member| &member.name)
}

/// Members by name, all of a role, or a list of these.
pub(super) fn targets(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Vec<usize>> {
    let nodes = match &node.value {
        Value::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut members = Vec::new();
    for node in nodes {
        let Value::Scalar { text: name, .. } = &node.value else {
            let what = format!("a member must be a text, not {}", node.value.describe());
            reading.error(&node.place, what, format!("write for example `{}`", any_member(plan)));
            return None;
        };
        let of = |member: &MemberPlan| member.name == *name || member.role.name() == name || name == "all";
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
        reading.error(&node.place, "no member is named", format!("write for example `{}`", any_member(plan)));
        return None;
    }
    Some(members)
}

/// Tells of upgrades to the version that all these members have by then.
pub(super) fn upgraded_to_the_same(plan: &Plan, places: &[Place], reading: &mut Reading) {
    let mut versions: Vec<&'static Profile> =
        plan.cluster.members.iter().map(|member| member.profile(plan.kestra)).collect();
    let mut entries: Vec<(&TimelineEntry, &Place)> = plan.timeline.iter().zip(places).collect();
    entries.sort_by_key(|(entry, _)| entry.at);
    for (entry, place) in entries {
        let Amount::Version(to) = entry.fault.amount else { continue };
        let members = entry.fault.target.members();
        if !members.is_empty() && members.iter().all(|member| versions.get(*member) == Some(&to)) {
            let what =
                format!("{} runs Kestra {} by then: it is only restarted", entry.fault.target.words(plan), to.name());
            reading.warning(place, what, "name another version in `to`, or write `restart`");
        }
        for member in members {
            if let Some(version) = versions.get_mut(*member) {
                *version = to;
            }
        }
    }
}
