//! In which namespace of Kubernetes the cluster is. No scenario says it, so that jobs must: what they restrict their discovery
//! to. It is one for all jobs, and a job that looks elsewhere finds nothing.

use crate::document::Severity;
use crate::monitor::{Discovery, Job, Kubernetes};

/// The namespace, where no job is restricted to others.
pub(super) const NAMESPACE: &str = "kestra";

/// Where the cluster is, for some jobs: where the chart is usually installed when one of them may look there; else in the
/// first that a job is restricted to, those that say Kestra before others.
pub(super) fn of(jobs: &[Job]) -> String {
    let restricted = |job: &'_ Job| -> Vec<String> { entries(job).flat_map(|it| it.namespaces.clone()).collect() };
    let all: Vec<(bool, String)> = jobs
        .iter()
        .flat_map(|job| restricted(job).into_iter().map(|it| (says_kestra(&job.name) || says_kestra(&it), it)))
        .collect();
    let named = |name: &str| all.iter().any(|(_, it)| it == name);
    if all.is_empty() || named(NAMESPACE) {
        return NAMESPACE.to_owned();
    }
    let first = all.iter().find(|(ours, _)| *ours).or(all.first());
    first.map_or(NAMESPACE.to_owned(), |(_, it)| it.clone())
}

fn says_kestra(text: &str) -> bool {
    text.to_lowercase().contains("kestra")
}

fn entries(job: &Job) -> impl Iterator<Item = &Kubernetes> {
    job.discoveries.iter().filter_map(|how| if let Discovery::Kubernetes(it) = how { Some(it) } else { None })
}

/// Whether discovery looks into a namespace. Of the Prometheus's own nobody knows which one it is: alone it is taken to be
/// that of the cluster.
pub(super) fn looks_into(of: &Kubernetes, namespace: &str) -> bool {
    of.namespaces.is_empty() || of.namespaces.iter().any(|it| it == namespace)
}

/// What is to be said of the namespaces of a job.
pub(super) fn told(job: &Job, namespace: &str) -> Vec<(Severity, String)> {
    let mut told = Vec::new();
    for it in entries(job).filter(|it| it.role != "node") {
        let (names, own) = (it.namespaces.join(", "), it.own_namespace);
        let taken = format!("the cluster is taken to be in the namespace {namespace}");
        if !looks_into(it, namespace) {
            let severity = if says_kestra(&job.name) { Severity::Warning } else { Severity::Note };
            told.push((severity, format!("{taken}; `namespaces` restricts discovery to {names}: it finds nothing")));
        } else if names.is_empty() && own {
            let what = "`own_namespace` looks into that of Prometheus only, which is not known here";
            told.push((Severity::Note, format!("{what}: {taken}, and Prometheus too")));
        } else if namespace != NAMESPACE && !names.is_empty() {
            told.push((Severity::Note, format!("{taken}, as `namespaces` says")));
        }
    }
    told.dedup();
    told
}
