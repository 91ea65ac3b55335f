//! Which members a job scrapes, and what is to be said of those it does not.

use super::locate::{Found, locate};
use super::watch::Remark;
use super::{kubernetes, namespace};
use crate::document::Severity;
use crate::management::Listener;
use crate::monitor::{Discovered, Discovery, Dropped, Job, Located};
use crate::promql::Labels;
use crate::scenario::{FaultKind, Plan, TimelineEntry};

/// The port of a member's metrics.
const MANAGEMENT: u32 = 8081;

/// What is to be said of jobs and targets.
pub(super) type Told = Vec<(Severity, String)>;

/// Targets, and the members that they are.
pub(super) type Members = Vec<(Found, Located)>;

/// What jobs come to.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Who is scraped.
    pub members: Members,
    /// What is to be said.
    pub told: Told,
    /// Members that a job does not scrape for a rule of relabelling.
    pub gone: Vec<Gone>,
}

/// A member that relabelling drops.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    /// Which one.
    pub member: usize,
    /// The job that does not scrape it.
    pub job: String,
    /// The rule, in words.
    pub rule: String,
    /// The labels that its samples would have.
    pub labels: Labels,
}

/// The targets of a job that are members, and what is to be said of it; where Kubernetes has them in a namespace.
pub(super) fn of_job(job: &Job, namespace: &str, plan: &Plan) -> Targets {
    let discovered: Vec<Discovered> = job.discoveries.iter().flat_map(|how| discover(how, namespace, plan)).collect();
    let (mut members, mut elsewhere) = (Vec::new(), Vec::new());
    let targets = job.targets(&discovered);
    for located in targets.located {
        match locate(&located.address, plan) {
            Some(found) => members.push((found.discovered_in(&discovered, &located.named), located)),
            None => elsewhere.push(located),
        }
    }
    // A configuration has jobs for everything there is; one that says Kestra is meant for it.
    let says_kestra = |text: &str| text.to_lowercase().contains("kestra");
    let meant = says_kestra(&job.name);
    let ours = meant || !members.is_empty() || elsewhere.iter().any(|it| says_kestra(&it.address));
    let (lost, elsewhere): (Vec<Located>, Vec<Located>) = elsewhere.into_iter().partition(|it| {
        let was_member = locate(&it.named, plan).is_some();
        // Nodes are found beside members; a prober is asked about somebody else.
        (was_member || ours && !found_by_cluster(job, &it.named, &discovered)) && !it.probes()
    });
    let addresses = |all: &[Located]| all.iter().map(|it| it.address.clone()).collect::<Vec<_>>().join(", ");
    let (lost_at, elsewhere_at) = (addresses(&lost), addresses(&elsewhere));
    let any_member = !members.is_empty();
    // Prometheus asks whom it is told to ask.
    members.extend(
        lost.into_iter().map(|located| (Found { members: Vec::new(), listener: None, discovered: false }, located)),
    );
    let mut told = Vec::new();
    let mut tell = |severity: Severity, what: String| told.push((severity, format!("job {}: {what}", job.name)));
    namespace::told(job, namespace).into_iter().for_each(|(severity, what)| tell(severity, what));
    for (address, why) in targets.wrong.iter().take(1) {
        tell(Severity::Warning, format!("{address} is no target: {why}"));
    }
    if !lost_at.is_empty() {
        tell(Severity::Warning, format!("no member is behind {lost_at}: every scrape of it fails"));
    }
    let gone = gone(job, &targets.dropped, &members, plan);
    // What Kubernetes finds beside members is nobody's concern here.
    if members.is_empty() && discovered.is_empty() && targets.dropped.is_empty() {
        told.push((Severity::Note, format!("job {} has no target in this scenario", job.name)));
        return Targets { members, told, gone };
    }
    // Kubernetes finds members for every job, also for those that want something else.
    let named = targets
        .dropped
        .iter()
        .any(|Dropped { address: it, .. }| locate(it, plan).is_some() && !found_by_cluster(job, it, &discovered));
    let severity = if members.is_empty() && (meant || named) { Severity::Warning } else { Severity::Note };
    for (rule, names) in by_rule(&gone, plan) {
        tell(severity, format!("{rule} drops {}", names.join(", ")));
    }
    if !elsewhere_at.is_empty() && any_member {
        tell(Severity::Warning, format!("no member is behind {elsewhere_at}"));
    }
    services(job, &members, plan, &mut tell);
    if members.is_empty() {
        told.push((severity, format!("job {} has no target in this scenario", job.name)));
    }
    Targets { members, told, gone }
}

/// The entries that let discovery tell a wrong port of members that no job has from discovery: nobody is misled by them.
pub(super) fn misled_by_nobody(targets: &Members, plan: &Plan) -> Vec<Remark> {
    let found = |member: &usize| targets.iter().any(|(it, _)| it.discovered && it.members.contains(member));
    let wrong = plan.timeline.iter().filter(|it| it.fault.kind == FaultKind::WrongPort);
    let idle = wrong.filter(|it| !it.fault.members().iter().any(found));
    let told = |it: &TimelineEntry| Remark {
        severity: Severity::Warning,
        told: format!(
            "the fault `{}` reaches no target: only discovery tells a wrong port, and no job finds it by that",
            it.name
        ),
    };
    idle.map(told).collect()
}

/// What rules drop: each, and whom.
fn by_rule<'p>(gone: &'p [Gone], plan: &'p Plan) -> Vec<(&'p str, Vec<&'p str>)> {
    let mut rules: Vec<(&str, Vec<&str>)> = Vec::new();
    for Gone { member, rule, .. } in gone {
        let name = plan.cluster.members[*member].name.as_str();
        match rules.iter_mut().find(|(it, _)| it == rule) {
            Some((_, names)) => names.push(name),
            None => rules.push((rule, vec![name])),
        }
    }
    rules
}

/// What is to be said of Services: whom they leave out, and that one name stands before several members.
fn services(job: &Job, members: &[(Found, Located)], plan: &Plan, tell: &mut impl FnMut(Severity, String)) {
    let endpoints = |how: &Discovery| matches!(how, Discovery::Kubernetes(it) if it.role.starts_with("endpoint"));
    if job.discoveries.iter().any(endpoints) {
        let beyond: Vec<&str> = names(plan, |index| !kubernetes::serving(plan).contains(&index));
        let name = kubernetes::service_name(plan);
        if !beyond.is_empty() {
            let what = format!("the chart's Service `{name}` does not select {}", beyond.join(", "));
            tell(Severity::Note, format!("{what}: discovery by pods finds them (a PodMonitor)"));
        }
    }
    for (found, located) in members.iter().filter(|(found, _)| found.members.len() > 1) {
        let behind = names(plan, |index| found.members.contains(&index)).join(", ");
        let what = format!("{} stands before {behind}: a connection reaches one of them", located.address);
        tell(Severity::Note, format!("{what} by chance and stays with it until it breaks, as with a Service"));
    }
}

/// Whether Kubernetes has found an address, and not somebody who names members.
fn found_by_cluster(job: &Job, address: &str, discovered: &[Discovered]) -> bool {
    let kubernetes = job.discoveries.iter().any(|how| matches!(how, Discovery::Kubernetes(_)));
    kubernetes && discovered.iter().any(|it| it.address == address)
}

fn names(plan: &Plan, fits: impl Fn(usize) -> bool) -> Vec<&str> {
    let members = plan.cluster.members.iter().enumerate();
    members.filter(|(index, _)| fits(*index)).map(|(_, member)| member.name.as_str()).collect()
}

/// Members that relabelling drops altogether, by the rule that does it to the address nearest to being kept: that which comes
/// furthest.
fn gone(job: &Job, dropped: &[Dropped], members: &[(Found, Located)], plan: &Plan) -> Vec<Gone> {
    let of = |member: usize| {
        let is = |address: &str| locate(address, plan).is_some_and(|found| found.members == [member]);
        if members.iter().any(|(found, _)| found.members.contains(&member)) {
            return None;
        }
        let Dropped { words, labels, .. } = dropped.iter().filter(|it| is(&it.address)).max_by_key(|it| it.rule)?;
        Some(Gone { member, job: job.name.clone(), rule: words.clone(), labels: labels.clone().into() })
    };
    (0..plan.cluster.members.len()).filter_map(of).collect()
}

/// What service discovery finds of the members.
fn discover(how: &Discovery, namespace: &str, plan: &Plan) -> Vec<Discovered> {
    match how {
        Discovery::Kubernetes(of) => kubernetes::discover(of, namespace, plan),
        Discovery::Http => {
            plan.cluster.members.iter().map(|member| http(&member.name, member.role.name(), plan)).collect()
        }
        Discovery::Dns { names, kind, port } => names.iter().flat_map(|name| dns(name, kind, *port, plan)).collect(),
    }
}

/// What our own `/sd` tells of a member.
fn http(name: &str, role: &str, plan: &Plan) -> Discovered {
    let address = format!("{name}:{MANAGEMENT}");
    let path = plan.settings.at("/prometheus");
    let pairs =
        [("__metrics_path__", path.as_str()), ("job", "kestra"), ("instance", address.as_str()), ("role", role)];
    let meta = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Discovered { address, meta }
}

/// The records of a name: the addresses of all members that it stands before.
fn dns(name: &str, kind: &str, port: u32, plan: &Plan) -> Vec<Discovered> {
    if !matches!(kind, "A" | "SRV") {
        return Vec::new();
    }
    // The name of a SRV record says its service and protocol first.
    let host = name.trim_start_matches('_').trim_end_matches('.');
    let host = if kind == "SRV" && name.starts_with('_') { host.splitn(3, '.').nth(2).unwrap_or(host) } else { host };
    let port = if kind == "SRV" { MANAGEMENT } else { port };
    let found = locate(&format!("{host}:{port}"), plan);
    let found = found.filter(|it| it.listener != Some(Listener::Application) || kind == "A");
    let one = |member: usize| {
        let (ip, member_name) = (kubernetes::pod_ip(member), &plan.cluster.members[member].name);
        let (address, target) = match kind {
            "SRV" => (format!("{member_name}.{host}:{port}"), format!("{member_name}.{host}.")),
            _ => (format!("{ip}:{port}"), String::new()),
        };
        let mut meta = vec![("__meta_dns_name".to_owned(), name.to_owned())];
        if kind == "SRV" {
            meta.push(("__meta_dns_srv_record_target".to_owned(), target));
            meta.push(("__meta_dns_srv_record_port".to_owned(), port.to_string()));
        }
        Discovered { address, meta }
    };
    found.map(|it| it.members.into_iter().map(one).collect()).unwrap_or_default()
}
