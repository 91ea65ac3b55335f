//! A job: what its targets are, and how each is scraped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::super::relabel::{self, Relabel, Set, Stopped};
use super::super::scrape::{Limits, Target};
use crate::time::Duration;

/// A job: targets that are scraped in the same way.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: String,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) metrics_path: String,
    pub(super) scheme: String,
    pub(super) honor_labels: bool,
    pub(super) limits: Limits,
    pub(super) body_size_limit: u64,
    pub(super) target_limit: u64,
    pub(super) relabel: Arc<[Relabel]>,
    pub(super) metric_relabel: Arc<[Relabel]>,
    pub(super) params: BTreeMap<String, Vec<String>>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) protocols: Vec<String>,
    pub(super) fallback: bool,
    pub(super) groups: Vec<Group>,
    /// How targets are discovered beside those that are named.
    pub discoveries: Vec<Discovery>,
}

/// Targets that were named together, in the configuration or in a file.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) targets: Vec<String>,
    pub(super) labels: Vec<(String, String)>,
}

/// A way to find targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// `kubernetes_sd_configs`.
    Kubernetes(Kubernetes),
    /// `http_sd_configs`: what is asked is our own `/sd`.
    Http,
    /// `dns_sd_configs`.
    Dns {
        /// The names that are asked.
        names: Vec<String>,
        /// The type of records, in capitals.
        kind: String,
        /// The port of targets, where the records tell none.
        port: u32,
    },
}

/// An entry of `kubernetes_sd_configs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kubernetes {
    /// What is discovered: `pod`, `endpoints`, ...
    pub role: String,
    /// In which namespaces; all when there is none.
    pub namespaces: Vec<String>,
    /// In the namespace of the Prometheus itself too.
    pub own_namespace: bool,
    /// Kind of object, what its labels and what its fields must be.
    pub selectors: Vec<(String, String, String)>,
    /// Labels of the node come with pods and endpoints.
    pub node: bool,
}

/// What service discovery finds: an address, and what it knows of it.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// Host and port.
    pub address: String,
    /// Labels, most of which begin with `__meta_`.
    pub meta: Vec<(String, String)>,
}

/// Where a target is scraped, and how it is asked.
#[derive(Clone, Debug)]
pub struct Located {
    /// Host and port.
    pub address: String,
    /// The same before relabelling.
    pub named: String,
    /// `http`, or what else was configured.
    pub scheme: String,
    /// Path and query, escaped as Prometheus escapes them.
    pub path: String,
    /// Headers beside those that every scrape has, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The protocols it offers, in the order of preference; its own choice when there is none.
    pub protocols: Vec<String>,
    /// An answer of an unknown type is read as something all the same.
    pub fallback: bool,
    /// A longer body fails, in bytes; 0 is no limit.
    pub body_size_limit: u64,
    /// Why it is never scraped, in Prometheus's words, if so.
    pub forbidden: Option<String>,
    /// What becomes of an answer.
    pub target: Target,
}

/// The targets of a job.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Those that are scraped.
    pub located: Vec<Located>,
    /// Those that relabelling drops.
    pub dropped: Vec<Dropped>,
    /// Those that are none: the address, and why, in words.
    pub wrong: Vec<(String, String)>,
}

/// A target that a rule of relabelling drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its address, before relabelling.
    pub address: String,
    /// The number of the rule.
    pub rule: usize,
    /// The rule in words: what it does, what it looked at, and where it is written.
    pub words: String,
    /// The labels that its samples would have if nothing dropped it.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
}

/// Labels that say how often a target is scraped.
const SPANS: [&str; 2] = ["__scrape_interval__", "__scrape_timeout__"];

/// What the rules for the targets of a job stand in.
pub(super) const RULES: &str = "relabel_configs";

/// What comes of one address.
enum Fate {
    Located(Box<Located>),
    Dropped(Dropped),
    Wrong(String),
}

impl Job {
    /// The same job, scraped this often.
    pub fn every(self, interval: Duration) -> Job {
        Job { interval, timeout: self.timeout.min(interval), ..self }
    }

    /// The targets of a job: those it names, and those that were found. What is one target twice is one.
    pub fn targets(&self, found: &[Discovered]) -> Targets {
        let mut targets = Targets::default();
        let mut seen = BTreeSet::new();
        let named = self.groups.iter().flat_map(|group| group.targets.iter().map(|address| (address, &group.labels)));
        for (address, labels) in named.chain(found.iter().map(|it| (&it.address, &it.meta))) {
            match self.target(address, labels) {
                Fate::Located(located) => {
                    let same = (located.url(), located.target.describe(), located.target.interval.to_string());
                    if seen.insert(same) {
                        targets.located.push(*located);
                    }
                }
                Fate::Dropped(dropped) => targets.dropped.push(dropped),
                Fate::Wrong(why) => targets.wrong.push((address.clone(), why)),
            }
        }
        let (count, limit) = (targets.located.len() as u64, self.target_limit);
        if limit > 0 && count > limit {
            let why = format!("target_limit exceeded (number of targets: {count}, limit: {limit})");
            targets.located.iter_mut().for_each(|it| it.forbidden = Some(why.clone()));
        }
        targets
    }

    /// The labels of a target before it is relabelled.
    fn labels(&self, address: &str, labels: &[(String, String)]) -> Set {
        let (interval, timeout) = (self.interval.to_prometheus(), self.timeout.to_prometheus());
        let mut all: Set = Set::new();
        let mut set = |key: &str, value: &str| match value.is_empty() {
            true => {}
            false => _ = all.insert(key.into(), value.into()),
        };
        set("__metrics_path__", &self.metrics_path);
        set("__scheme__", &self.scheme);
        set("__scrape_interval__", &interval);
        set("__scrape_timeout__", &timeout);
        set("job", &self.name);
        for (key, values) in &self.params {
            set(&format!("__param_{key}"), values.first().map_or("", String::as_str));
        }
        labels.iter().for_each(|(key, value)| set(key, value));
        set("__address__", address);
        all
    }

    fn target(&self, address: &str, labels: &[(String, String)]) -> Fate {
        let mut all = self.labels(address, labels);
        let before = all.clone();
        if let Err(stopped) = relabel::apply(&self.relabel, &mut all) {
            return match stopped {
                Stopped::Drops(rule) => Fate::Dropped(self.dropped(address, rule, before)),
                Stopped::TooLong(_) => Fate::Wrong(stopped.too_long(RULES).unwrap_or_default()),
            };
        }
        let of = |key: &str| all.get(key).map_or(String::new(), |value| value.to_string());
        let named = address.to_owned();
        let address = of("__address__");
        if address.is_empty() {
            return Fate::Wrong("no address".to_owned());
        }
        if address.contains('/') {
            return Fate::Wrong(format!("\"{address}\" is not a valid hostname"));
        }
        let span = |key: &str, what: &str| match Duration::from_prometheus(&of(key)) {
            Ok(span) if span.is_zero() => Err(format!("scrape {what} cannot be 0")),
            Ok(span) => Ok(span),
            Err(_) => Err(format!("error parsing scrape {what}: not a valid duration string: \"{}\"", of(key))),
        };
        let (interval, timeout) = match span("__scrape_interval__", "interval")
            .and_then(|it| Ok((it, span("__scrape_timeout__", "timeout")?)))
        {
            Ok(spans) => spans,
            Err(why) => return Fate::Wrong(why + &self.blame(&before, &SPANS)),
        };
        if timeout > interval {
            let (timeout, interval) = (of("__scrape_timeout__"), of("__scrape_interval__"));
            let why = format!("scrape timeout cannot be greater than scrape interval (\"{timeout}\" > \"{interval}\")");
            return Fate::Wrong(why + &self.blame(&before, &SPANS));
        }
        let path = format!("{}{}", escaped_path(&of("__metrics_path__")), self.query(&all));
        // A URL is the same whatever the case of its scheme.
        let scheme = of("__scheme__").to_lowercase();
        all.entry("instance".into()).or_insert_with(|| address.as_str().into());
        let kept: Vec<(&str, &str)> =
            all.iter().filter(|(key, _)| !key.starts_with("__")).map(|(key, value)| (&**key, &**value)).collect();
        let target = Target::new(&kept, interval, timeout).with_rules(
            self.honor_labels,
            self.limits,
            self.metric_relabel.clone(),
        );
        Fate::Located(Box::new(Located {
            address,
            named,
            scheme,
            path,
            headers: self.headers.clone(),
            protocols: self.protocols.clone(),
            fallback: self.fallback,
            body_size_limit: self.body_size_limit,
            forbidden: None,
            target,
        }))
    }

    /// A target that the rule of this number drops, with the labels it had before all rules.
    fn dropped(&self, address: &str, rule: usize, before: Set) -> Dropped {
        // What the rule saw is what those before it had made.
        let mut seen = before;
        let _ = relabel::apply(&self.relabel[..rule], &mut seen);
        let words = self.relabel[rule].describe(RULES, rule, &seen);
        // What the rules that keep it would have made of it.
        self.relabel[rule..].iter().for_each(|rule| _ = rule.apply(&mut seen));
        seen.entry("instance".into()).or_insert_with(|| address.into());
        seen.retain(|name, _| !name.starts_with("__"));
        Dropped { address: address.to_owned(), rule, words, labels: seen.into_iter().collect() }
    }

    /// The last rule that changes one of these labels, in words that go on behind others; nothing when none does.
    fn blame(&self, before: &Set, keys: &[&str]) -> String {
        let mut labels = before.clone();
        let mut found = String::new();
        for (index, rule) in self.relabel.iter().enumerate() {
            let earlier = labels.clone();
            let _ = relabel::apply(std::slice::from_ref(rule), &mut labels);
            for key in keys.iter().filter(|key| labels.get(**key) != earlier.get(**key)) {
                let value = labels.get(*key).map_or("", |value| value);
                found = format!("; {RULES}[{index}] sets {key} to \"{value}\"");
            }
        }
        found
    }

    /// The query: parameters of the job, the first value of each as relabelling left it, in the order of their names.
    fn query(&self, labels: &Set) -> String {
        let mut all = self.params.clone();
        for (key, value) in labels {
            let Some(name) = key.strip_prefix("__param_") else { continue };
            match all.entry(name.to_owned()).or_default().first_mut() {
                Some(first) => *first = value.to_string(),
                None => all.entry(name.to_owned()).or_default().push(value.to_string()),
            }
        }
        let pairs: Vec<String> = all
            .iter()
            .flat_map(|(key, values)| {
                values.iter().map(move |it| format!("{}={}", query_escaped(key), query_escaped(it)))
            })
            .collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

impl Located {
    /// Whether it is asked about another address: that of a prober, such as the blackbox exporter.
    pub fn probes(&self) -> bool {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|pair| pair.starts_with("target="))
    }

    /// The address that is asked, as Prometheus shows it.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.address, self.path)
    }
}

/// A path as Go writes it in a URL: what is no part of a path is escaped, so that a `?` begins no query.
fn escaped_path(path: &str) -> String {
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    slash.to_owned() + &escaped(path, b"$&+,/:;=@")
}

fn query_escaped(text: &str) -> String {
    escaped(text, b" ").replace(' ', "+")
}

fn escaped(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || kept.contains(&byte) {
            true => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            false => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}
