//! The members of a cluster.

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

/// Reads the cluster of a scenario for this version of Kestra.
pub(super) fn cluster(
    node: Option<&Node>,
    root: &Node,
    kestra: &'static Profile,
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
    let Some(object) = object else {
        add_members(&mut plan.members, Role::Standalone, 1, &defaults);
        return plan;
    };
    cluster_settings(&object, &mut plan, reading);
    member_settings(&object, &mut defaults, reading);
    match (object.entry("standalone"), object.entry("members")) {
        (Some(_), Some(members)) => {
            reading.error(&members.place, "a cluster is either `standalone` or has `members`", "keep one of them");
        }
        (Some(entry), None) => role_members(entry, Role::Standalone, &defaults, &mut plan.members, reading),
        (None, Some(members)) => several_roles(members, kestra, &defaults, &mut plan.members, reading),
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

/// Members by their roles.
fn several_roles(
    members: &Entry,
    kestra: &'static Profile,
    defaults: &Defaults,
    all: &mut Vec<MemberPlan>,
    reading: &mut Reading,
) {
    let roles = reading.object(&members.value, "`members`", MEMBERS);
    for entry in roles.iter().flat_map(|roles| roles.entries()) {
        let Some(role) = Role::ALL.into_iter().find(|role| role.name() == entry.key) else { continue };
        let before = all.len();
        role_members(entry, role, defaults, all, reading);
        if let Some(unfit) = all[before..].iter().find_map(|member| member.unfit(kestra)) {
            let has = |name: &&str| Profile::named(name).is_ok_and(|it| it.roles().any(|it| it == role));
            let versions: Vec<&str> = Profile::NAMES.iter().copied().filter(has).collect();
            let advice = format!("leave it out, or write a version that has it: {}", versions.join(", "));
            reading.error(&entry.place, unfit, advice);
        }
    }
    warn_of_missing_roles(members, kestra, all, reading);
}

/// Tells of work that nobody does.
fn warn_of_missing_roles(members: &Entry, kestra: &'static Profile, all: &[MemberPlan], reading: &mut Reading) {
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
            kestra: defaults.kestra,
            threads: defaults.threads,
            heap: defaults.heap,
            restart: defaults.restart,
            grace: defaults.grace,
        });
    }
}
