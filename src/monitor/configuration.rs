//! What is taken from a `prometheus.yml`: who is scraped how often and under which labels, and which rules there are.

use std::sync::Arc;

use super::relabel::{self, Relabel, Set};
use super::scrape::Target;
use crate::document::{self, Diagnostic, Field, Kind, Node, Object, Reading, Source, Value};
use crate::time::Duration;

/// A configuration of Prometheus.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// How often groups are evaluated that say nothing else.
    pub evaluation_interval: Duration,
    /// Labels of everything that leaves this Prometheus; templates know them.
    pub external_labels: Vec<(String, String)>,
    /// Files of rules, with wildcards, relative to the configuration.
    pub rule_files: Vec<String>,
    /// What is scraped.
    pub jobs: Vec<Job>,
}

/// A job: targets that are scraped in the same way.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: String,
    interval: Duration,
    timeout: Duration,
    metrics_path: String,
    scheme: String,
    honor_labels: bool,
    sample_limit: usize,
    relabel: Arc<[Relabel]>,
    metric_relabel: Arc<[Relabel]>,
    params: Vec<(String, String)>,
    basic_auth: Option<(String, String)>,
    statics: Vec<(String, Vec<(String, String)>)>,
    /// How targets are discovered otherwise, if they are: for example `kubernetes_sd_configs`.
    pub discovery: Option<String>,
}

/// What service discovery finds: an address, and what it knows of it.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// Host and port.
    pub address: String,
    /// Labels that begin with `__meta_`.
    pub meta: Vec<(String, String)>,
}

/// Where a target is scraped.
#[derive(Clone, Debug)]
pub struct Located {
    /// Host and port.
    pub address: String,
    /// The path, with parameters.
    pub path: String,
    /// User and password it is asked with.
    pub basic_auth: Option<(String, String)>,
    /// How it is scraped.
    pub target: Target,
}

const DURATION: Kind = Kind::Pattern("^[0-9]");

const GLOBAL: &[Field] = &[
    Field::new("scrape_interval", DURATION, "15s", "How often targets are scraped."),
    Field::new("scrape_timeout", DURATION, "10s", "When a scrape is given up."),
    Field::new("evaluation_interval", DURATION, "15s", "How often rules are evaluated."),
    Field::new("external_labels", Kind::Any, "{ cluster: eu }", "Labels of all that leaves this Prometheus."),
];

const JOB: &[Field] = &[
    Field::required("job_name", Kind::Text, "kestra", "Its name."),
    Field::new("scrape_interval", DURATION, "15s", "How often."),
    Field::new("scrape_timeout", DURATION, "10s", "When a scrape is given up."),
    Field::new("metrics_path", Kind::Text, "/prometheus", "Where."),
    Field::new("scheme", Kind::Text, "http", "http or https."),
    Field::new("params", Kind::Any, "{ module: [ a ] }", "Of the request."),
    Field::new("honor_labels", Kind::Bool, "true", "Labels of the exposition win."),
    Field::new("sample_limit", Kind::Number, "5000", "A scrape with more samples fails."),
    Field::new(
        "static_configs",
        Kind::List(&Kind::Object(STATIC)),
        "[ { targets: [ \"worker-1:8081\" ] } ]",
        "Targets.",
    ),
    Field::new("basic_auth", Kind::Open(BASIC_AUTH), "{ username: a, password: b }", "Sent with each scrape."),
    Field::new("relabel_configs", Kind::Any, "[ { target_label: env, replacement: prod } ]", "Of targets."),
    Field::new("metric_relabel_configs", Kind::Any, "[ { regex: le, action: labeldrop } ]", "Of samples."),
];

const BASIC_AUTH: &[Field] = &[
    Field::new("username", Kind::Text, "prometheus", "The user."),
    Field::new("password", Kind::Text, "secret", "The password."),
];

const STATIC: &[Field] = &[
    Field::required("targets", Kind::List(&Kind::Text), "[ \"worker-1:8081\" ]", "Hosts and ports."),
    Field::new("labels", Kind::Any, "{ env: prod }", "Labels they get."),
];

const FILE: &[Field] = &[
    Field::new("global", Kind::Open(GLOBAL), "{ scrape_interval: 15s }", "For all jobs."),
    Field::new("rule_files", Kind::List(&Kind::Text), "[ rules.yml ]", "Files of rules."),
    Field::new("scrape_configs", Kind::List(&Kind::Open(JOB)), "[ { job_name: kestra } ]", "Jobs."),
];

impl Configuration {
    /// Reads a configuration. Keys that a watch has no use for (remote storage, alertmanagers, credentials, ...) are
    /// accepted unread.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(file_name: &str, text: &str) -> Result<(Configuration, Vec<Diagnostic>), Vec<Diagnostic>> {
        let source = Arc::new(Source { name: file_name.to_owned(), text: text.to_owned() });
        let (root, diagnostics) = document::parse(&source);
        let mut reading = Reading::default();
        reading.extend(diagnostics);
        let configuration = root.as_ref().and_then(|root| file(root, &mut reading));
        match (reading.failed(), configuration) {
            (false, Some(configuration)) => Ok((configuration, reading.finish())),
            _ => Err(reading.finish()),
        }
    }
}

fn duration(node: Option<&Node>, what: &str, reading: &mut Reading) -> Option<Duration> {
    let found = reading.parsed(node?, what, str::parse::<Duration>)?;
    match found < Duration::milliseconds(1) {
        true => {
            let place = node.map(|node| &node.place)?;
            reading.error(place, format!("{what} is no time at all"), "write for example 15s");
            None
        }
        false => Some(found),
    }
}

fn file(root: &Node, reading: &mut Reading) -> Option<Configuration> {
    let object = reading.open(root, "a configuration of Prometheus", FILE)?;
    let global = object.get("global").and_then(|node| reading.open(node, "`global`", GLOBAL));
    let of_global = |key: &str| global.and_then(|global| global.get(key));
    let minute = Duration::minutes(1);
    let interval = duration(of_global("scrape_interval"), "`scrape_interval`", reading).unwrap_or(minute);
    let timeout = duration(of_global("scrape_timeout"), "`scrape_timeout`", reading).unwrap_or(Duration::seconds(10));
    let evaluation_interval =
        duration(of_global("evaluation_interval"), "`evaluation_interval`", reading).unwrap_or(minute);
    let external_labels = of_global("external_labels").map(|node| pairs(node, "`external_labels`", reading));
    let mut rule_files = Vec::new();
    for node in object.get("rule_files").map(|node| reading.list(node, "`rule_files`")).unwrap_or_default() {
        rule_files.extend(reading.text(node, "a file of rules").map(str::to_owned));
    }
    let mut jobs: Vec<Job> = Vec::new();
    for node in object.get("scrape_configs").map(|node| reading.list(node, "`scrape_configs`")).unwrap_or_default() {
        let Some(job) = job(node, (interval, timeout), reading) else { continue };
        if jobs.iter().any(|other| other.name == job.name) {
            reading.error(&node.place, format!("two jobs are called `{}`", job.name), "rename one of them");
        }
        jobs.push(job);
    }
    Some(Configuration { evaluation_interval, external_labels: external_labels.unwrap_or_default(), rule_files, jobs })
}

/// The targets of `static_configs`, and their labels.
fn statics(object: &Object<'_>, reading: &mut Reading) -> Vec<(String, Vec<(String, String)>)> {
    let mut statics = Vec::new();
    for node in object.get("static_configs").map(|node| reading.list(node, "`static_configs`")).unwrap_or_default() {
        let Some(group) = reading.object(node, "an entry of `static_configs`", STATIC) else { continue };
        let labels = group.get("labels").map(|node| pairs(node, "`labels`", reading)).unwrap_or_default();
        for node in group.get("targets").map(|node| reading.list(node, "`targets`")).unwrap_or_default() {
            if let Some(address) = reading.text(node, "a target") {
                if address.contains('/') {
                    reading.error(&node.place, format!("`{address}` is no target"), "write HOST:PORT, without a path");
                }
                statics.push((address.to_owned(), labels.clone()));
            }
        }
    }
    statics
}

fn job(node: &Node, (interval, timeout): (Duration, Duration), reading: &mut Reading) -> Option<Job> {
    let object = reading.open(node, "a job", JOB)?;
    let name = reading.text(object.get("job_name")?, "`job_name`")?.to_owned();
    let own = duration(object.get("scrape_interval"), "`scrape_interval`", reading);
    let interval = own.unwrap_or(interval);
    let own = duration(object.get("scrape_timeout"), "`scrape_timeout`", reading);
    if let (Some(own), Some(node)) = (own, object.get("scrape_timeout"))
        && own > interval
    {
        reading.error(&node.place, "scrape timeout greater than scrape interval", format!("write {interval} or less"));
    }
    // A timeout of all that is longer than the interval of one is cut.
    let timeout = own.unwrap_or(timeout).min(interval);
    let text = |reading: &mut Reading, key: &str, default: &str| match object.get(key) {
        Some(node) => reading.text(node, &format!("`{key}`")).map(str::to_owned),
        None => Some(default.to_owned()),
    };
    let (metrics_path, scheme) = (text(reading, "metrics_path", "/metrics")?, text(reading, "scheme", "http")?);
    let relabel = |reading: &mut Reading, key: &str| match object.get(key) {
        Some(node) => relabel::read(node, &format!("`{key}`"), reading),
        None => Arc::from([]),
    };
    let honor_labels = object.get("honor_labels").and_then(|node| reading.boolean(node, "`honor_labels`"));
    let sample_limit = object.get("sample_limit").and_then(|node| reading.count(node, "`sample_limit`", 0..=1 << 40));
    let statics = statics(&object, reading);
    let mut params = Vec::new();
    if let Some(Node { value: Value::Mapping(entries), .. }) = object.get("params") {
        for entry in entries {
            for node in reading.list(&entry.value, "a parameter") {
                params.push((entry.key.clone(), reading.text(node, "a parameter")?.to_owned()));
            }
        }
    }
    let basic_auth = object.get("basic_auth").and_then(|node| {
        let auth = reading.open(node, "`basic_auth`", BASIC_AUTH)?;
        let text = |reading: &mut Reading, key: &str| {
            auth.get(key).and_then(|node| reading.text(node, &format!("`{key}`"))).map(str::to_owned)
        };
        Some((text(reading, "username").unwrap_or_default(), text(reading, "password").unwrap_or_default()))
    });
    let discovery = object.entries().iter().find(|entry| entry.key.ends_with("_sd_configs"));
    Some(Job {
        name,
        interval,
        timeout,
        metrics_path,
        scheme,
        honor_labels: honor_labels.unwrap_or(false),
        sample_limit: sample_limit.unwrap_or(0) as usize,
        relabel: relabel(reading, "relabel_configs"),
        metric_relabel: relabel(reading, "metric_relabel_configs"),
        params,
        basic_auth,
        statics,
        discovery: discovery.map(|entry| entry.key.clone()),
    })
}

fn pairs(node: &Node, what: &str, reading: &mut Reading) -> Vec<(String, String)> {
    let Value::Mapping(entries) = &node.value else {
        reading.error(&node.place, format!("{what} must be a mapping, not {}", node.value.describe()), "");
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), reading.text(&entry.value, "a label")?.to_owned())))
        .collect()
}

impl Job {
    /// The same job, scraped this often.
    pub fn every(self, interval: Duration) -> Job {
        Job { interval, timeout: self.timeout.min(interval), ..self }
    }

    /// The targets of a job: those it names, and with service discovery those that were found.
    pub fn targets(&self, found: &[Discovered]) -> Vec<Located> {
        let named = self.statics.iter().map(|(address, labels)| (address, labels));
        let found = found.iter().filter(|_| self.discovery.is_some()).map(|it| (&it.address, &it.meta));
        named.chain(found).filter_map(|(address, labels)| self.target(address, labels)).collect()
    }

    /// One target, unless relabelling drops it.
    fn target(&self, address: &str, labels: &[(String, String)]) -> Option<Located> {
        let mut all: Set = Set::new();
        let mut set = |key: &str, value: &str| all.insert(key.into(), value.into());
        for (key, value) in [
            ("__address__", address),
            ("__metrics_path__", self.metrics_path.as_str()),
            ("__scheme__", self.scheme.as_str()),
            ("__scrape_interval__", self.interval.to_string().as_str()),
            ("__scrape_timeout__", self.timeout.to_string().as_str()),
            ("job", self.name.as_str()),
        ] {
            set(key, value);
        }
        for (key, value) in &self.params {
            set(&format!("__param_{key}"), value);
        }
        for (key, value) in labels {
            set(key, value);
        }
        if !relabel::apply(&self.relabel, &mut all) {
            return None;
        }
        let of = |key: &str| all.get(key).map_or(String::new(), |value| value.to_string());
        let address = of("__address__");
        if address.is_empty() {
            return None;
        }
        let interval = of("__scrape_interval__").parse().unwrap_or(self.interval);
        let timeout = of("__scrape_timeout__").parse().unwrap_or(self.timeout).min(interval);
        let parameters: Vec<String> =
            all.iter().filter_map(|(key, value)| Some(format!("{}={value}", key.strip_prefix("__param_")?))).collect();
        let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
        let path = format!("{}{query}", of("__metrics_path__"));
        all.entry("instance".into()).or_insert_with(|| address.as_str().into());
        let kept: Vec<(&str, &str)> =
            all.iter().filter(|(key, _)| !key.starts_with("__")).map(|(key, value)| (&**key, &**value)).collect();
        let target = Target::new(&kept, interval, timeout).with_rules(
            self.honor_labels,
            self.sample_limit,
            self.metric_relabel.clone(),
        );
        Some(Located { address, path, basic_auth: self.basic_auth.clone(), target })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_made_and_relabelled() {
        let text = "global: { scrape_interval: 30s, evaluation_interval: 20s, external_labels: { dc: eu } }\n\
            remote_write: [ { url: \"http://x\" } ]\nrule_files: [ \"rules/*.yml\" ]\nscrape_configs:\n\
            - job_name: kestra\n  metrics_path: /prometheus\n  static_configs: [ { targets: [ \"worker-1:8081\", \"node:9100\" ], labels: { env: prod } } ]\n\
            \x20 relabel_configs: [ { source_labels: [ __address__ ], regex: \"node.*\", action: drop }, { source_labels: [ __address__ ], regex: \"(.*):.*\", target_label: pod } ]\n\
            - job_name: found\n  scrape_interval: 5s\n  kubernetes_sd_configs: [ { role: pod } ]\n  params: { a: [ b ] }\n";
        let (configuration, told) = Configuration::read("prometheus.yml", text).expect("sound");
        assert!(told.is_empty());
        assert_eq!(configuration.evaluation_interval, Duration::seconds(20));
        assert_eq!(configuration.rule_files, ["rules/*.yml"]);
        let one = configuration.jobs[0].targets(&[]);
        assert_eq!(one.len(), 1);
        assert_eq!((one[0].address.as_str(), one[0].path.as_str()), ("worker-1:8081", "/prometheus"));
        assert_eq!(
            one[0].target.describe(),
            "env=\"prod\", instance=\"worker-1:8081\", job=\"kestra\", pod=\"worker-1\""
        );
        assert_eq!((one[0].target.interval, one[0].target.timeout), (Duration::seconds(30), Duration::seconds(10)));
        let found = [Discovered { address: "executor-1:8081".into(), meta: vec![("__meta_x".into(), "y".into())] }];
        let two = configuration.jobs[1].targets(&found);
        assert_eq!(two[0].path, "/metrics?a=b");
        assert_eq!(two[0].target.timeout, Duration::seconds(5), "never longer than the interval");
        assert!(configuration.jobs[0].targets(&found).len() == 1, "only those with discovery find anything");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, parts) in [
            ("scrape_configs: [ { job_nam: x } ]\n", vec!["prometheus.yml:1:", "has no `job_name`"]),
            (
                "scrape_configs: [ { job_name: x, scrape_interval: 5s, scrape_timeout: 9s } ]\n",
                vec!["scrape timeout greater"],
            ),
            (
                "scrape_configs: [ { job_name: x, static_configs: [ { targets: [ \"http://x/\" ] } ] } ]\n",
                vec!["is no target"],
            ),
            ("scrape_configs: [ { job_name: x }, { job_name: x } ]\n", vec!["two jobs"]),
            ("global: { scrape_interval: soon }\n", vec!["soon"]),
            (
                "scrape_configs: [ { job_name: x, relabel_configs: [ { action: kep } ] } ]\n",
                vec!["did you mean `keep`?"],
            ),
            (
                "scrape_configs: [ { job_name: x, relabel_configs: [ { regex: \"(\", target_label: a } ] } ]\n",
                vec!["no regular expression"],
            ),
        ] {
            let told = document::render(&Configuration::read("prometheus.yml", text).expect_err(text));
            for part in parts {
                assert!(told.contains(part), "{part} in {told}");
            }
        }
    }
}
