//! From a sound tree to a configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::super::relabel::{self, AlertRelabel};
use super::super::scrape::Limits;
use super::checks::{duration_of, get, is_pattern, items, names, text_of};
use super::job::{Discovery, Group, Job, Kubernetes, RULES};
use super::options::{MORE, SCRAPE};
use super::values::{check, flag, merged, number, size};
use super::{Configuration, Surrounds, options, path_parts};
use crate::document::{self, Entry, Node, Reading, Source, Value};
use crate::time::Duration;

/// Where a configuration stands, and what surrounds it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) folder: &'a Path,
    pub(super) surrounds: Option<&'a dyn Surrounds>,
}

/// What jobs take from `global` where they say nothing.
struct Global<'n> {
    node: Option<&'n Node>,
    interval: Duration,
    timeout: Duration,
}

/// Reads a file.
pub(super) fn file(
    root: &Node,
    file_name: &str,
    surrounds: Option<&dyn Surrounds>,
    reading: &mut Reading,
) -> Configuration {
    let around = Around { folder: Path::new(file_name).parent().unwrap_or(Path::new("")), surrounds };
    check(root, &options::FILE, reading);
    if reading.failed() {
        return Configuration::empty();
    }
    let node = get(root, "global");
    let of_global = |key: &str| node.and_then(|node| duration_of(node, key));
    let interval = of_global("scrape_interval").unwrap_or(Duration::minutes(1));
    let timeout = of_global("scrape_timeout").unwrap_or(Duration::seconds(10).min(interval));
    let global = Global { node, interval, timeout };
    let mut jobs: Vec<Job> = Vec::new();
    for node in items(root, "scrape_configs") {
        one_job(node, &global, around, &mut jobs, reading);
    }
    let mut files = Vec::new();
    items(root, "scrape_config_files").iter().for_each(|node| files.extend(more(node, around, reading)));
    for found in files {
        check(&found, &MORE, reading);
        if !reading.failed() {
            items(&found, "scrape_configs").iter().for_each(|node| one_job(node, &global, around, &mut jobs, reading));
        }
    }
    let labels = node.and_then(|node| get(node, "external_labels")).map(pairs).unwrap_or_default();
    let labels = labels.into_iter().map(|(key, value)| (key, expanded(&value, surrounds)));
    let alerting = get(root, "alerting");
    let first = alerting.and_then(|node| items(node, "alertmanagers").first());
    let mut lists = Vec::new();
    for of in [alerting, first].into_iter().flatten() {
        lists.extend(
            get(of, "alert_relabel_configs").map(|node| relabel::read(node, "`alert_relabel_configs`", reading)),
        );
    }
    Configuration {
        alert_relabel: AlertRelabel::new(lists),
        evaluation_interval: of_global("evaluation_interval").unwrap_or(Duration::minutes(1)),
        external_labels: labels.filter(|(_, value)| !value.is_empty()).collect(),
        rule_files: rule_files(root, around, reading),
        jobs,
    }
}

/// The jobs of a tree that has nothing but them, in a world of these intervals.
pub(super) fn jobs(nodes: &[Node], interval: Duration, around: Around<'_>, reading: &mut Reading) -> Vec<Job> {
    let global = Global { node: None, interval, timeout: Duration::seconds(10).min(interval) };
    let mut jobs = Vec::new();
    nodes.iter().for_each(|node| check(node, &SCRAPE, reading));
    if !reading.failed() {
        nodes.iter().for_each(|node| one_job(node, &global, around, &mut jobs, reading));
    }
    jobs
}

fn one_job(node: &Node, global: &Global<'_>, around: Around<'_>, jobs: &mut Vec<Job>, reading: &mut Reading) {
    names(node, global.node, reading);
    let Some(job) = job(node, global, around, reading) else { return };
    if jobs.iter().any(|other| other.name == job.name) {
        let place = get(node, "job_name").unwrap_or(node);
        reading.error(&place.place, format!("two jobs are called `{}`", job.name), "rename one of them");
    }
    jobs.push(job);
}

fn scalar(node: &Node) -> &str {
    match &node.value {
        Value::Scalar { text, .. } => text,
        _ => "",
    }
}

fn rule_files(root: &Node, around: Around<'_>, reading: &mut Reading) -> Vec<String> {
    let mut files = Vec::new();
    for node in items(root, "rule_files") {
        let path = scalar(node);
        let found = |surrounds: &dyn Surrounds| !surrounds.find(&beside(around.folder, path)).is_empty();
        if !is_pattern(path) {
            let what = format!("`{path}` is no path of rules");
            reading.error(&node.place, what, "a `*` may stand in the last part only");
        } else if sound_pattern(node, path, reading) && no_folders(node, path, around, reading) {
            files.push(path.to_owned());
        }
        let sound = path_parts(path).is_some();
        if path.is_empty() || sound && !path.contains('*') && around.surrounds.is_some_and(|it| !found(it)) {
            let what = format!("`{path}` does not point to an existing file");
            reading.error(&node.place, what, "write the path of a file of rules, as seen from the configuration");
        }
    }
    files
}

/// Whether Go can read a pattern; otherwise it is told.
fn sound_pattern(node: &Node, path: &str, reading: &mut Reading) -> bool {
    let sound = path_parts(path).is_some();
    if !sound {
        let advice =
            "close each `[` by a `]` after what it may be, as in `[ab]*.yml`, or write `\\[` for the sign itself";
        reading.error(&node.place, format!("syntax error in the pattern `{path}`"), advice);
    }
    sound
}

/// Whether all that a path means can be read as files; otherwise it is told: Prometheus does not look into folders.
fn no_folders(node: &Node, path: &str, around: Around<'_>, reading: &mut Reading) -> bool {
    let Some(surrounds) = around.surrounds else { return true };
    let found = surrounds.find(&beside(around.folder, path));
    let folder = found.iter().find(|name| surrounds.is_folder(name));
    if let Some(name) = folder {
        let advice = format!("write `{}/*.yml` for the files in it", path.trim_end_matches('/'));
        reading.error(&node.place, format!("`{name}` is a folder, not a file"), advice);
    }
    folder.is_none()
}

fn beside(folder: &Path, path: &str) -> String {
    folder.join(path).display().to_string()
}

/// The trees of the files that an entry of `scrape_config_files` means.
fn more(node: &Node, around: Around<'_>, reading: &mut Reading) -> Vec<Node> {
    let path = scalar(node);
    let Some(surrounds) = around.surrounds else {
        reading.error(&node.place, format!("`{path}` cannot be read here"), "write its jobs into `scrape_configs`");
        return Vec::new();
    };
    if !is_pattern(path) {
        let what = format!("`{path}` is no path of scrape configurations");
        reading.error(&node.place, what, "a `*` may stand in the last part only");
        return Vec::new();
    }
    if !sound_pattern(node, path, reading) || !no_folders(node, path, around, reading) {
        return Vec::new();
    }
    let found = surrounds.find(&beside(around.folder, path));
    found.iter().filter_map(|name| tree(name, node, surrounds, reading)).collect()
}

/// The tree of a file that a configuration names.
fn tree(name: &str, node: &Node, surrounds: &dyn Surrounds, reading: &mut Reading) -> Option<Node> {
    match surrounds.read(name) {
        Ok(text) => {
            let source = Arc::new(Source { name: name.to_owned(), text });
            let (root, diagnostics) = document::parse(&source);
            reading.extend(diagnostics);
            root.as_ref().map(merged)
        }
        Err(why) => {
            reading.error(&node.place, format!("`{name}` cannot be read: {why}"), "");
            None
        }
    }
}

pub(super) fn pairs(node: &Node) -> Vec<(String, String)> {
    let Value::Mapping(entries) = &node.value else { return Vec::new() };
    entries.iter().map(|entry| (entry.key.clone(), scalar(&entry.value).to_owned())).collect()
}

/// `$NAME` and `${NAME}` are variables of the environment; `$$` is a dollar.
fn expanded(text: &str, surrounds: Option<&dyn Surrounds>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let name = if let Some(inside) = rest.strip_prefix('{') {
            let end = inside.find('}').unwrap_or(inside.len());
            rest = inside.get(end + 1..).unwrap_or("");
            &inside[..end]
        } else if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        } else {
            let end = rest.find(word).unwrap_or(rest.len());
            let name = &rest[..end];
            if name.is_empty() {
                out.push('$');
                continue;
            }
            rest = &rest[end..];
            name
        };
        out.push_str(&surrounds.and_then(|it| it.variable(name)).unwrap_or_default());
    }
    out + rest
}

fn job(node: &Node, global: &Global<'_>, around: Around<'_>, reading: &mut Reading) -> Option<Job> {
    let name = text_of(node, "job_name")?.to_owned();
    let interval = duration_of(node, "scrape_interval").unwrap_or(global.interval);
    let own = duration_of(node, "scrape_timeout");
    if let (Some(own), Some(at)) = (own, get(node, "scrape_timeout"))
        && own > interval
    {
        let advice = format!("write {interval} or less");
        reading.error(&at.place, "the scrape timeout is greater than the scrape interval", advice);
    }
    let entry = |key: &str| match &node.value {
        Value::Mapping(entries) => entries.iter().find(|entry: &&Entry| entry.key == key),
        _ => None,
    };
    // An empty value is a value: it takes the default away.
    let text = |key: &str, default: &str| match entry(key) {
        Some(entry) => scalar(&entry.value).to_owned(),
        None => default.to_owned(),
    };
    let list = |key: &str, reading: &mut Reading| match get(node, key) {
        Some(node) => relabel::read(node, &format!("`{key}`"), reading),
        None => Arc::from([]),
    };
    // A limit of 0 is none of its own.
    let own_or_global = |key: &str| [Some(node), global.node].into_iter().flatten().find_map(|it| count(it, key));
    let bytes = |it: &Node| text_of(it, "body_size_limit").and_then(size).filter(|it| *it > 0);
    let protocols = [Some(node), global.node].into_iter().flatten().map(|it| items(it, "scrape_protocols"));
    let protocols = protocols.filter(|it| !it.is_empty()).map(|it| it.iter().map(|it| scalar(it).to_owned()).collect());
    let job = Job {
        name,
        interval,
        timeout: own.unwrap_or(global.timeout.min(interval)),
        metrics_path: text("metrics_path", "/metrics"),
        scheme: text("scheme", "http"),
        honor_labels: text_of(node, "honor_labels").and_then(flag).unwrap_or(false),
        limits: Limits {
            samples: own_or_global("sample_limit").unwrap_or(0) as usize,
            labels: own_or_global("label_limit").unwrap_or(0) as usize,
            name_length: own_or_global("label_name_length_limit").unwrap_or(0) as usize,
            value_length: own_or_global("label_value_length_limit").unwrap_or(0) as usize,
        },
        body_size_limit: bytes(node).or_else(|| global.node.and_then(bytes)).unwrap_or(0),
        target_limit: own_or_global("target_limit").unwrap_or(0),
        relabel: list("relabel_configs", reading),
        metric_relabel: list("metric_relabel_configs", reading),
        params: params(node),
        headers: headers(node, around, reading),
        protocols: protocols.into_iter().next().unwrap_or_default(),
        fallback: text_of(node, "fallback_scrape_protocol").is_some(),
        groups: groups(node, around, reading),
        discoveries: discoveries(node),
    };
    wrong_targets(node, &job, reading);
    Some(job)
}

fn count(node: &Node, key: &str) -> Option<u64> {
    text_of(node, key).and_then(number).map(|it| it as u64).filter(|it| *it > 0)
}

/// What Prometheus finds wrong with targets that are named, after relabelling.
fn wrong_targets(node: &Node, job: &Job, reading: &mut Reading) {
    if job.timeout > job.interval {
        // It is told of the job: its targets have no fault of their own.
        return;
    }
    let targets = items(node, "static_configs").iter().flat_map(|group| items(group, "targets"));
    let named: Vec<&Node> = targets.collect();
    for (address, why) in job.targets(&[]).wrong {
        if let Some(node) = named.iter().find(|node| scalar(node) == address) {
            let advice = if why.contains(RULES) { "change that rule" } else { "write HOST:PORT" };
            reading.error(&node.place, format!("`{address}` is no target: {why}"), advice);
        }
    }
}

fn params(node: &Node) -> BTreeMap<String, Vec<String>> {
    let Some(Node { value: Value::Mapping(entries), .. }) = get(node, "params") else { return BTreeMap::new() };
    let values = |node: &Node| match &node.value {
        Value::Sequence(items) => items.iter().map(|it| scalar(it).to_owned()).collect(),
        _ => Vec::new(),
    };
    entries.iter().map(|entry| (entry.key.clone(), values(&entry.value))).collect()
}

/// A text that stands in the configuration or in a file beside it.
fn secret(node: &Node, key: &str, in_file: &str, around: Around<'_>, reading: &mut Reading) -> Option<String> {
    if let Some(text) = text_of(node, key) {
        return Some(text.to_owned());
    }
    let path = text_of(node, in_file)?;
    let text = match around.surrounds {
        Some(surrounds) => surrounds.read(&beside(around.folder, path)),
        None => Err("files are not read here".to_owned()),
    };
    match text {
        Ok(text) => Some(text.trim().to_owned()),
        Err(why) => {
            let place = &get(node, in_file).unwrap_or(node).place;
            let what = format!("`{in_file}` names `{path}`, which cannot be read: {why}");
            reading.error(place, what, format!("write `{key}` for the test, or put the file there"));
            None
        }
    }
}

/// The headers of a scrape that a job brings.
fn headers(node: &Node, around: Around<'_>, reading: &mut Reading) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    if let Some(auth) = get(node, "basic_auth") {
        let user = secret(auth, "username", "username_file", around, reading).unwrap_or_default();
        let password = secret(auth, "password", "password_file", around, reading).unwrap_or_default();
        let both = BASE64_STANDARD.encode(format!("{user}:{password}"));
        headers.push(("authorization".to_owned(), format!("Basic {both}")));
    }
    let bearer = secret(node, "bearer_token", "bearer_token_file", around, reading);
    headers.extend(bearer.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
    if let Some(auth) = get(node, "authorization") {
        let kind = text_of(auth, "type").unwrap_or("Bearer").trim();
        let credentials = secret(auth, "credentials", "credentials_file", around, reading);
        headers.extend(credentials.map(|it| ("authorization".to_owned(), format!("{kind} {it}"))));
    }
    if let Some(Node { value: Value::Mapping(entries), .. }) = get(node, "http_headers") {
        for entry in entries {
            let values = items(&entry.value, "values").iter().chain(items(&entry.value, "secrets"));
            headers.extend(values.map(|it| (entry.key.to_lowercase(), scalar(it).to_owned())));
            for file in items(&entry.value, "files") {
                let read = around.surrounds.map(|it| it.read(&beside(around.folder, scalar(file))));
                match read {
                    Some(Ok(text)) => headers.push((entry.key.to_lowercase(), text.trim().to_owned())),
                    _ => reading.error(&file.place, format!("`{}` cannot be read", scalar(file)), "write `values`"),
                }
            }
        }
    }
    if let (Some(tls), Some(surrounds)) = (get(node, "tls_config"), around.surrounds) {
        for key in ["cert_file", "key_file"] {
            let path = text_of(tls, key).map(|path| beside(around.folder, path));
            if let (Some(Err(why)), Some(at)) = (path.map(|path| surrounds.read(&path)), get(tls, key)) {
                reading.error(&at.place, format!("`{}` cannot be read: {why}", scalar(at)), "put the file there");
            }
        }
    }
    headers
}

/// Targets that are named: in the configuration, and in the files of `file_sd_configs`.
fn groups(node: &Node, around: Around<'_>, reading: &mut Reading) -> Vec<Group> {
    let group = |node: &Node, from: Option<&str>| Group {
        targets: items(node, "targets").iter().map(|it| scalar(it).to_owned()).collect(),
        labels: get(node, "labels")
            .map(pairs)
            .unwrap_or_default()
            .into_iter()
            .chain(from.map(|from| ("__meta_filepath".to_owned(), from.to_owned())))
            .collect(),
    };
    let mut groups: Vec<Group> = items(node, "static_configs").iter().map(|node| group(node, None)).collect();
    for file in items(node, "file_sd_configs").iter().flat_map(|node| items(node, "files")) {
        if !sound_pattern(file, scalar(file), reading) || !no_folders(file, scalar(file), around, reading) {
            continue;
        }
        let path = beside(around.folder, scalar(file));
        let found = around.surrounds.map(|it| it.find(&path)).unwrap_or_default();
        if found.is_empty() {
            let what = format!("there is no file `{}`: no target is found in it", scalar(file));
            reading.warning(&file.place, what, "put it there, or name targets with `static_configs`");
        }
        for name in found {
            let Some(tree) = around.surrounds.and_then(|it| tree(&name, file, it, reading)) else { continue };
            for node in reading.list(&tree, "a file of targets") {
                check(node, options::target_group(), reading);
                groups.push(group(node, Some(&name)));
            }
        }
    }
    groups
}

fn discoveries(node: &Node) -> Vec<Discovery> {
    let texts =
        |node: &Node, key: &str| -> Vec<String> { items(node, key).iter().map(|it| scalar(it).to_owned()).collect() };
    let text = |node: &Node, key: &str| text_of(node, key).unwrap_or("").to_owned();
    let inside = |node: &Node, section: &str, key: &str| {
        get(node, section).and_then(|it| text_of(it, key)).and_then(flag).unwrap_or(false)
    };
    let mut found: Vec<Discovery> = items(node, "http_sd_configs").iter().map(|_| Discovery::Http).collect();
    found.extend(items(node, "dns_sd_configs").iter().map(|it| Discovery::Dns {
        names: texts(it, "names"),
        kind: text_of(it, "type").unwrap_or("SRV").to_uppercase(),
        port: count(it, "port").and_then(|port| u32::try_from(port).ok()).unwrap_or(0),
    }));
    found.extend(items(node, "kubernetes_sd_configs").iter().map(|it| {
        let selector = |it: &Node| (text(it, "role"), text(it, "label"), text(it, "field"));
        Discovery::Kubernetes(Kubernetes {
            role: text(it, "role"),
            namespaces: get(it, "namespaces").map(|it| texts(it, "names")).unwrap_or_default(),
            own_namespace: inside(it, "namespaces", "own_namespace"),
            selectors: items(it, "selectors").iter().map(selector).collect(),
            node: inside(it, "attach_metadata", "node"),
        })
    }));
    found
}
