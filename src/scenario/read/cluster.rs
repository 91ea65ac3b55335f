//! The members of a cluster.

use std::collections::BTreeMap;

use super::{duration, version};
use crate::document::{Entry, Node, Object, Reading, Value};
use crate::profile::{Profile, Quirk, Role};
use crate::scenario::fields::{CLUSTER, MEMBER, MEMBERS};
use crate::scenario::{ClusterPlan, DatabaseKind, MemberPlan, Restart, limits, units};
use crate::time::Duration;

/// What a member is when nothing is said.
#[derive(Clone)]
struct Defaults {
    threads: u32,
    heap: u64,
    restart: Restart,
    grace: Duration,
    kestra: Option<&'static Profile>,
}

/// The members of a role, and places where more of them may come.
struct Places {
    role: Role,
    count: u64,
    most: u64,
    defaults: Defaults,
}

impl Places {
    fn member(&self, number: u64) -> MemberPlan {
        let Places { role, defaults: Defaults { threads, heap, restart, grace, kestra }, .. } = *self;
        let name = format!("{}-{number}", role.name());
        MemberPlan { name, role, kestra, threads, heap, restart, grace, reserve: false }
    }
}

/// Adds the places that a timeline asks for.
fn with_asked(
    mut places: Vec<Places>,
    asked: &BTreeMap<&str, u64>,
    kestra: &'static Profile,
    defaults: &Defaults,
) -> Vec<Places> {
    for (name, most) in asked {
        let Some(role) = kestra.roles().find(|role| role.name() == *name) else { continue };
        match places.iter_mut().find(|it| it.role == role) {
            Some(it) => it.most = it.most.max(*most),
            None => places.push(Places { role, count: 0, most: *most, defaults: defaults.clone() }),
        }
    }
    places
}

/// Reads the cluster of a scenario for this version of Kestra. `asked` is how many members of a role its timeline asks for.
pub(super) fn cluster(
    node: Option<&Node>,
    root: &Node,
    kestra: &'static Profile,
    asked: &BTreeMap<&str, u64>,
    reading: &mut Reading,
) -> ClusterPlan {
    let mut plan = ClusterPlan {
        booting: false,
        age: Duration::minutes(10),
        database: DatabaseKind::Postgresql,
        kafka: false,
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
    let mut places = Vec::new();
    match &object {
        Some(object) => {
            cluster_settings(object, &mut plan, reading);
            member_settings(object, &mut defaults, reading);
            places = all_places(object, kestra, &defaults, reading);
        }
        None => places.push(Places { role: Role::Standalone, count: 1, most: 1, defaults: defaults.clone() }),
    }
    for it in &places {
        plan.members.extend((1..=it.count).map(|number| it.member(number)));
    }
    if let Some(object) = object.filter(|_| plan.members.is_empty() && !reading.failed()) {
        reading.error(&object.node.place, "the cluster has no members", "write for example `standalone: 1`");
    }
    // Places that are free at first come last: numbers of members, and so their ports, do not depend on them.
    for it in with_asked(places, asked, kestra, &defaults) {
        // What is asked for beyond all limits is told where it is asked for.
        let left = limits::MEMBERS.saturating_sub(plan.members.len()) as u64;
        let free = (it.count + 1..=it.most.min(it.count + left))
            .map(|number| MemberPlan { reserve: true, ..it.member(number) });
        plan.members.extend(free);
    }
    if plan.members.len() > limits::MEMBERS {
        let place = node.map_or(&root.place, |node| &node.place);
        reading.error(place, format!("{} members", plan.members.len()), format!("at most {}", limits::MEMBERS));
    }
    plan
}

/// What is said of the cluster as a whole.
fn cluster_settings(object: &Object<'_>, plan: &mut ClusterPlan, reading: &mut Reading) {
    let kinds = [
        ("postgresql", DatabaseKind::Postgresql),
        ("mysql", DatabaseKind::Mysql),
        ("h2", DatabaseKind::H2),
        ("h2-file", DatabaseKind::H2File),
    ];
    if let Some(node) = object.get("database") {
        plan.database = reading.choice(node, "kind of database", &kinds).unwrap_or(plan.database);
    }
    if let Some(node) = object.get("queue") {
        plan.kafka = reading.choice(node, "kind of queue", &[("jdbc", false), ("kafka", true)]).unwrap_or(false);
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
}

/// The members of all roles.
fn all_places(
    object: &Object<'_>,
    kestra: &'static Profile,
    defaults: &Defaults,
    reading: &mut Reading,
) -> Vec<Places> {
    match (object.entry("standalone"), object.entry("members")) {
        (Some(_), Some(members)) => {
            reading.error(&members.place, "a cluster is either `standalone` or has `members`", "keep one of them");
            Vec::new()
        }
        (Some(entry), None) => of_role(entry, Role::Standalone, defaults, reading).into_iter().collect(),
        (None, Some(members)) => several_roles(members, kestra, defaults, reading),
        (None, None) => vec![Places { role: Role::Standalone, count: 1, most: 1, defaults: defaults.clone() }],
    }
}

/// Members by their roles.
fn several_roles(members: &Entry, kestra: &'static Profile, defaults: &Defaults, reading: &mut Reading) -> Vec<Places> {
    let roles = reading.object(&members.value, "`members`", MEMBERS);
    let mut all = Vec::new();
    for entry in roles.iter().flat_map(|roles| roles.entries()) {
        let Some(role) = Role::ALL.into_iter().find(|role| role.name() == entry.key) else { continue };
        let Some(places) = of_role(entry, role, defaults, reading) else { continue };
        if let Some(unfit) = places.member(1).unfit(kestra).filter(|_| places.most > 0) {
            let has = |name: &&str| Profile::named(name).is_ok_and(|it| it.roles().any(|it| it == role));
            let versions: Vec<&str> = Profile::NAMES.iter().copied().filter(has).collect();
            let advice = format!("leave it out, or write a version that has it: {}", versions.join(", "));
            reading.error(&entry.place, unfit, advice);
        }
        all.push(places);
    }
    warn_of_missing_roles(members, kestra, &all, reading);
    all
}

/// Tells of work that nobody does.
fn warn_of_missing_roles(members: &Entry, kestra: &'static Profile, all: &[Places], reading: &mut Reading) {
    let all: Vec<MemberPlan> = all.iter().filter(|it| it.count > 0).map(|it| it.member(1)).collect();
    let controls = |member: &MemberPlan| member.profile(kestra).has(Quirk::Controller);
    let controlled = all.iter().any(|member| member.role == Role::Worker && controls(member));
    let parts = [Role::Webserver, Role::Executor, Role::Scheduler, Role::Worker, Role::Indexer];
    for part in parts.into_iter().chain(controlled.then_some(Role::Controller)) {
        let runs = |member: &MemberPlan| (part != Role::Controller || controls(member)) && member.role.runs(part);
        if !all.iter().any(runs) && !all.is_empty() && !reading.failed() {
            reading.warning(&members.place, format!("no member does the work of the role {}", part.name()), "");
        }
    }
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
        defaults.kestra = version(reading, Some(node), node);
    }
}

/// What an entry says of the members of a role.
fn of_role(entry: &Entry, role: Role, defaults: &Defaults, reading: &mut Reading) -> Option<Places> {
    let most = limits::MEMBERS as u64;
    let mut defaults = defaults.clone();
    let (mut count, mut places) = (Some(1), None);
    match &entry.value.value {
        Value::Mapping(_) => {
            let object = reading.object(&entry.value, &format!("`{}`", entry.key), MEMBER)?;
            member_settings(&object, &mut defaults, reading);
            if let Some(node) = object.get("count") {
                count = reading.count(node, "`count`", 0..=most);
            }
            if let Some(node) = object.get("most") {
                places = reading.count(node, "`most`", count.unwrap_or(0)..=most);
            }
        }
        _ => count = reading.count(&entry.value, &format!("`{}`", entry.key), 0..=most),
    }
    let count = count.unwrap_or(0);
    Some(Places { role, count, most: places.unwrap_or(count).max(count), defaults })
}
