//! Which members a job scrapes, and what is to be said of those it does not.

use super::kubernetes;
use super::locate::{Found, locate};
use crate::document::Severity;
use crate::management::Listener;
use crate::monitor::{Discovered, Discovery, Job, Located};
use crate::scenario::Plan;

/// The port of a member's metrics.
const MANAGEMENT: u32 = 8081;

/// What is to be said of jobs and targets.
pub(super) type Told = Vec<(Severity, String)>;

/// Targets, and the members that they are.
pub(super) type Members = Vec<(Found, Located)>;

/// The targets of a job that are members, and what is to be said of it.
pub(super) fn of_job(job: &Job, plan: &Plan) -> (Members, Told) {
    let discovered: Vec<Discovered> = job.discoveries.iter().flat_map(|how| discover(how, plan)).collect();
    let (mut members, mut elsewhere) = (Vec::new(), Vec::new());
    let targets = job.targets(&discovered);
    for located in targets.located {
        match locate(&located.address, plan) {
            Some(found) => members.push((found, located)),
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
    members.extend(lost.into_iter().map(|located| (Found { members: Vec::new(), listener: None }, located)));
    let mut told = Vec::new();
    let mut tell = |severity: Severity, what: String| told.push((severity, format!("job {}: {what}", job.name)));
    for (address, why) in targets.wrong.iter().take(1) {
        tell(Severity::Warning, format!("{address} is no target: {why}"));
    }
    if !lost_at.is_empty() {
        tell(Severity::Warning, format!("no member is behind {lost_at}: every scrape of it fails"));
    }
    let why = dropped(&targets.dropped, &members, plan);
    // What Kubernetes finds beside members is nobody's concern here.
    if members.is_empty() && discovered.is_empty() && targets.dropped.is_empty() {
        told.push((Severity::Note, format!("job {} has no target in this scenario", job.name)));
        return (members, told);
    }
    // Kubernetes finds members for every job, also for those that want something else.
    let named =
        targets.dropped.iter().any(|(it, _)| locate(it, plan).is_some() && !found_by_cluster(job, it, &discovered));
    let severity = if members.is_empty() && (meant || named) { Severity::Warning } else { Severity::Note };
    for (names, rule) in &why {
        tell(severity, format!("{rule} drops {}", names.join(", ")));
    }
    if !elsewhere_at.is_empty() && any_member {
        tell(Severity::Warning, format!("no member is behind {elsewhere_at}"));
    }
    services(job, &members, plan, &mut tell);
    if members.is_empty() {
        told.push((severity, format!("job {} has no target in this scenario", job.name)));
    }
    (members, told)
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
fn dropped(dropped: &[(String, String)], members: &[(Found, Located)], plan: &Plan) -> Vec<(Vec<String>, String)> {
    let mut rules: Vec<(Vec<String>, String)> = Vec::new();
    for (index, member) in plan.cluster.members.iter().enumerate() {
        let is = |address: &str| locate(address, plan).is_some_and(|found| found.members == [index]);
        if members.iter().any(|(found, _)| found.members.contains(&index)) {
            continue;
        }
        // The number of a rule is the first one in its words.
        let number = |rule: &str| -> usize {
            let digits: String =
                rule.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or(0)
        };
        let furthest = dropped.iter().filter(|(address, _)| is(address)).max_by_key(|(_, rule)| number(rule));
        let Some((_, rule)) = furthest else { continue };
        match rules.iter_mut().find(|(_, it)| it == rule) {
            Some((names, _)) => names.push(member.name.clone()),
            None => rules.push((vec![member.name.clone()], rule.clone())),
        }
    }
    rules
}

/// What service discovery finds of the members.
fn discover(how: &Discovery, plan: &Plan) -> Vec<Discovered> {
    match how {
        Discovery::Kubernetes(of) => kubernetes::discover(of, plan),
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
