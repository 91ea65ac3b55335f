//! Which member the target of somebody's Prometheus is.

use super::kubernetes;
use crate::management::Listener;
use crate::monitor::Discovered;
use crate::scenario::Plan;

/// A port of a member, or of several that one name stands before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Indices of the members. Of several each connection reaches one.
    pub(super) members: Vec<usize>,
    /// What listens there; none when nothing does.
    pub(super) listener: Option<Listener>,
    /// Service discovery names it, and not the configuration: where nobody is, it is no target.
    pub(super) discovered: bool,
}

impl Found {
    /// The same, with whether discovery names it so.
    pub(super) fn discovered_in(self, all: &[Discovered], named: &str) -> Found {
        Found { discovered: all.iter().any(|it| it.address == named), ..self }
    }
}

const MANAGEMENT: u32 = 8081;
const APPLICATION: u32 = 8080;

/// Words that may stand behind the name of the one member of a cluster: a Service, or a container of Compose, is called so.
const BEHIND: &[&str] = &["app", "headless", "management", "metrics", "server", "service", "svc"];

/// Finds the member behind an address: by its name; by a host name that ends in it (`kestra-worker-1.kestra.svc`); by the
/// address of its pod; by the ports that `serve` takes, when the host is this machine; and when the cluster has one member, by a
/// host name that ends in Kestra. A name that ends in a role stands before all members of it, as a Service does; that of the
/// chart's Service before those that it selects. Whatever else has a role in it (`worker-7`, `my-worker-db`) is nobody: were it
/// somebody, a slip of the pen would be up.
pub(super) fn locate(address: &str, plan: &Plan) -> Option<Found> {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u32>().ok()?),
        None => (address, 80),
    };
    let members = &plan.cluster.members;
    if is_this_machine(host) {
        let at = |base: u32| port.checked_sub(base).filter(|by| by % 10 == 0).map(|by| (by / 10) as usize);
        let (member, listener) = match (at(MANAGEMENT), at(APPLICATION)) {
            (Some(member), _) => (member, Listener::Management),
            (_, Some(member)) => (member, Listener::Application),
            _ => return None,
        };
        return (member < members.len()).then(|| Found {
            members: vec![member],
            listener: Some(listener),
            discovered: false,
        });
    }
    let short = host.split('.').next().unwrap_or(host);
    let words = |name: &str| -> Vec<String> { name.split(['-', '_']).map(str::to_lowercase).collect() };
    let all = words(short);
    let ends_in = |name: &str| all.ends_with(&words(name));
    let of_role: Vec<usize> = (0..members.len()).filter(|index| ends_in(members[*index].role.name())).collect();
    let one = members
        .iter()
        .position(|member| member.name == host)
        .or_else(|| (0..members.len()).find(|member| kubernetes::pod_ip(*member) == host))
        // Of two names that it ends in, the longer one is meant.
        .or_else(|| {
            (0..members.len()).filter(|it| ends_in(&members[*it].name)).max_by_key(|it| members[*it].name.len())
        });
    let extra = |word: &String| BEHIND.contains(&word.as_str()) || word.parse::<u32>().is_ok();
    let says_kestra = || all.iter().rev().find(|word| !extra(word)).is_some_and(|word| word == "kestra");
    let found = match one {
        Some(member) => vec![member],
        None if !of_role.is_empty() => of_role,
        None if members.len() == 1 && says_kestra() => vec![0],
        None if short == kubernetes::service_name(plan) => kubernetes::serving(plan),
        None => Vec::new(),
    };
    let listener = match port {
        MANAGEMENT => Some(Listener::Management),
        APPLICATION => Some(Listener::Application),
        _ => None,
    };
    (!found.is_empty()).then_some(Found { members: found, listener, discovered: false })
}

fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "host.docker.internal" | "0.0.0.0")
}

/// What becomes of a connection to an address behind which nobody is, in Prometheus's words.
pub(super) fn nobody(address: &str) -> String {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    if is_this_machine(host) {
        return "connect: connection refused".to_owned();
    }
    match host.trim_matches(['[', ']']).parse::<std::net::IpAddr>() {
        Ok(_) => "connect: no route to host".to_owned(),
        Err(_) => format!("dial tcp: lookup {host}: no such host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{NoFiles, read};

    fn member(address: &str, cluster: &str) -> Option<String> {
        let text = format!("name: x\ncluster: {{ {cluster} }}\n");
        let plan = read("x.yaml", &text, &NoFiles).0.expect("a plan");
        let Found { members, listener, .. } = locate(address, &plan)?;
        let port = match listener {
            Some(Listener::Management) => "management",
            Some(Listener::Application) => "application",
            None => "nothing",
        };
        let names: Vec<&str> = members.iter().map(|it| plan.cluster.members[*it].name.as_str()).collect();
        Some(format!("{} {port}", names.join("+")))
    }

    #[test]
    fn hosts_are_found_by_name_role_and_port() {
        let cluster = "members: { webserver: 1, executor: 1, worker: 2 }";
        for (address, expected) in [
            ("worker-1:8081", Some("worker-1 management")),
            ("worker-2:8080", Some("worker-2 application")),
            ("worker-2:9999", Some("worker-2 nothing")),
            ("kestra-worker-2.kestra.svc.cluster.local:8081", Some("worker-2 management")),
            ("kestra-executor:8081", Some("executor-1 management")),
            ("kestra-worker:8081", Some("worker-1+worker-2 management")),
            ("kestra:8080", Some("webserver-1 application")),
            ("kestra.kestra.svc.cluster.local:8081", Some("webserver-1 management")),
            ("10.42.0.12:8081", Some("worker-1 management")),
            ("10.42.0.99:8081", None),
            ("localhost:8091", Some("executor-1 management")),
            ("127.0.0.1:8110", Some("worker-2 application")),
            ("localhost:8121", None),
            ("localhost:8086", None),
            ("node-exporter:9100", None),
            ("executor-1", Some("executor-1 nothing")),
            ("x:y", None),
            ("executor:8081", Some("executor-1 management")),
            ("worker.kestra.svc:8081", Some("worker-1+worker-2 management")),
            ("release-kestra-worker:8081", Some("worker-1+worker-2 management")),
            // A role with another number, or within another name, is nobody.
            ("webserver-2:8081", None),
            ("webserver-2.kestra.svc:8081", None),
            ("kestra-executor-7.kestra.svc:8081", None),
            ("worker-3:8081", None),
            ("worker-0:8081", None),
            ("worker-12:8081", None),
            ("my-worker-db:8081", None),
            ("worker-old:8081", None),
            ("worker-1-old:8081", None),
            ("kestra-nobody:8081", None),
        ] {
            assert_eq!(member(address, cluster).as_deref(), expected, "{address}");
        }
        assert_eq!(member("kestra:8081", "standalone: 1").as_deref(), Some("standalone-1 management"));
        assert_eq!(member("my-kestra-service:8081", "standalone: 1").as_deref(), Some("standalone-1 management"));
        assert_eq!(member("kestra-1:8081", "standalone: 1").as_deref(), Some("standalone-1 management"));
        for address in ["kestra-worker:8081", "kestra-postgres:5432", "standalone-2:8081"] {
            assert_eq!(member(address, "standalone: 1"), None, "{address}");
        }
        assert_eq!(member("db:5432", "standalone: 1"), None);
    }
}
