//! Which rules would go quiet on servers: their expressions select names or labels that nobody there has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::ServerLine;
use super::families::{by_event, of_plugins};
use super::server::{self, Server};
use crate::document;
use crate::monitor::{Rule, RuleSet};
use crate::profile::{Meter, Profile, Role};
use crate::promql::{AskedLabel, Expression, Labels, Part, PartKind};
use crate::report::RuleKind;
use crate::run::kept_out;

/// How a rule would stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It never has a value.
    Quiet,
    /// What it takes for missing is missing for ever.
    Always,
    /// A part of it never has a value.
    Partly,
    /// What it selects comes with an event that no server has seen yet.
    Waits,
    /// It asks nothing that a Kestra exposes itself.
    Unjudged,
    /// Everything is there.
    Well,
}

impl Standing {
    /// As a word.
    pub const fn name(self) -> &'static str {
        match self {
            Standing::Quiet => "quiet",
            Standing::Always => "always",
            Standing::Partly => "partly",
            Standing::Waits => "waits",
            Standing::Unjudged => "unjudged",
            Standing::Well => "well",
        }
    }
}

/// What would become of one rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleVerdict {
    /// Its name.
    pub rule: String,
    /// Its group.
    pub group: String,
    /// What it is.
    pub kind: RuleKind,
    /// How it would stand.
    pub standing: Standing,
    /// Why.
    pub told: String,
    /// It is known and does not count (`--allow`).
    pub allowed: bool,
}

/// What would become of all rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RulesReport {
    /// Who was asked.
    pub servers: Vec<ServerLine>,
    /// In the order of the rules.
    pub rules: Vec<RuleVerdict>,
}

impl RulesReport {
    /// Rules that stand so.
    pub fn count(&self, standing: Standing) -> usize {
        self.rules.iter().filter(|rule| rule.standing == standing).count()
    }

    /// Whether a rule is of no use any more, and that is not known.
    pub fn found(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.standing, Standing::Quiet | Standing::Always) && !rule.allowed)
    }
}

/// What a Prometheus writes by itself.
const OF_PROMETHEUS: &[&str] = &[
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "ALERTS",
    "ALERTS_FOR_STATE",
];

/// Rules that record what others read, one behind the other.
const DEPTH: usize = 20;

/// What a part of an expression can come to. None of a part that asks nobody.
enum Comes {
    /// A server has it.
    Has,
    /// It is not there yet.
    Waits(String),
    /// It cannot be there.
    Never(String),
    /// Somebody else has it, or nobody: not Kestra's.
    Foreign(String),
}

/// What is to be said of parts beside what the whole comes to.
#[derive(Default)]
struct Remarks {
    dead: BTreeSet<String>,
    always: BTreeSet<String>,
}

fn joined(all: BTreeSet<String>) -> String {
    all.into_iter().collect::<Vec<String>>().join("; ")
}

struct Judge<'a> {
    servers: &'a [Server],
    /// What is shown, by the name of the series.
    shown: BTreeMap<&'a str, Vec<Labels>>,
    /// Series of the versions that servers are of, by name, each with the version and its meter.
    known: BTreeMap<String, (&'static Profile, &'static Meter)>,
    /// Keys of labels of series in any version.
    keys: BTreeMap<String, BTreeSet<&'static str>>,
    records: BTreeMap<&'a str, &'a Expression>,
}

/// Judges the rules of a set. `allowed` says of which rules it is known that they are of no use.
pub fn judge_rules(set: &RuleSet, servers: &[Server], allowed: impl Fn(&str) -> bool) -> RulesReport {
    let judge = Judge::new(set, servers);
    let verdict = |rule: &str, group: &str, kind: RuleKind, (standing, told): (Standing, String)| RuleVerdict {
        rule: rule.to_owned(),
        group: group.to_owned(),
        kind,
        standing,
        told,
        allowed: allowed(rule),
    };
    let mut rules = Vec::new();
    for group in &set.groups {
        for rule in &group.rules {
            let kind = if matches!(rule, Rule::Alert(_)) { RuleKind::Alert } else { RuleKind::Record };
            let stands = judge.rule(std::iter::once(rule.expression()));
            rules.push(verdict(rule.name(), &group.name, kind, stands));
        }
    }
    for group in &set.grafana {
        for rule in &group.rules {
            rules.push(verdict(&rule.title, &group.name, RuleKind::Grafana, judge.rule(rule.expressions())));
        }
    }
    RulesReport { servers: server::lines(servers, &server::names(servers)), rules }
}

impl<'a> Judge<'a> {
    fn new(set: &'a RuleSet, servers: &'a [Server]) -> Judge<'a> {
        let mut shown: BTreeMap<&str, Vec<Labels>> = BTreeMap::new();
        for sample in servers.iter().flat_map(|server| server.exposition.samples()) {
            let mut labels: Vec<(Arc<str>, Arc<str>)> =
                sample.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect();
            labels.push(("__name__".into(), sample.name.as_str().into()));
            labels.sort();
            shown.entry(sample.name.as_str()).or_default().push(labels.into());
        }
        let (mut known, mut keys) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<&str>>::new());
        let own: Vec<&Profile> = servers.iter().map(Server::profile).collect();
        for profile in Profile::NAMES.iter().filter_map(|name| Profile::named(name).ok()) {
            for (_, meter) in profile.meters() {
                for series in server::lead(servers).into_iter().flat_map(|server| series_of(server, meter)) {
                    keys.entry(series.clone()).or_default().extend(meter.keys.iter().map(String::as_str));
                    if own.contains(&profile) {
                        known.entry(series).or_insert((profile, meter));
                    }
                }
            }
        }
        let rules = set.groups.iter().flat_map(|group| &group.rules);
        let records = rules.filter(|rule| matches!(rule, Rule::Record(_))).map(|it| (it.name(), it.expression()));
        Judge { servers, shown, known, keys, records: records.collect() }
    }

    fn rule<'e>(&self, expressions: impl Iterator<Item = &'e Expression>) -> (Standing, String) {
        let mut remarks = Remarks::default();
        let all: Vec<Comes> = expressions.filter_map(|it| self.part(&it.outline(), &mut remarks, 0)).collect();
        match all_of(all) {
            Some(Comes::Never(why)) => (Standing::Quiet, why),
            _ if !remarks.always.is_empty() => (Standing::Always, joined(remarks.always)),
            _ if !remarks.dead.is_empty() => (Standing::Partly, joined(remarks.dead)),
            Some(Comes::Waits(why)) => (Standing::Waits, why),
            Some(Comes::Foreign(why)) => (Standing::Unjudged, why),
            None => (Standing::Unjudged, "it asks for no series".to_owned()),
            Some(Comes::Has) => (Standing::Well, String::new()),
        }
    }

    /// What a part comes to, and what is to be said of parts of it.
    fn part(&self, part: &Part, remarks: &mut Remarks, depth: usize) -> Option<Comes> {
        match (&part.kind, part.parts.as_slice()) {
            (PartKind::Literal, _) => None,
            (PartKind::Selector { name, asked, .. }, _) => {
                Some(self.selector(part, name.as_deref(), asked, remarks, depth))
            }
            (PartKind::Set(op), [left, right]) if op != "and" => {
                let sides = (self.part(left, remarks, depth), self.part(right, remarks, depth));
                match op.as_str() {
                    "or" => either(left, right, sides, remarks),
                    _ => {
                        if let Some(Comes::Never(why)) = &sides.1 {
                            remarks.dead.insert(format!("`{}` takes nothing away: {why}", right.text));
                        }
                        sides.0
                    }
                }
            }
            (PartKind::Call(name), [of]) if name.starts_with("absent") => match self.part(of, remarks, depth)? {
                Comes::Never(why) => {
                    remarks.always.insert(format!("`{}` always holds: {why}", part.text));
                    Some(Comes::Has)
                }
                Comes::Foreign(why) => Some(Comes::Foreign(why)),
                _ => Some(Comes::Has),
            },
            (_, parts) => all_of(parts.iter().filter_map(|it| self.part(it, remarks, depth)).collect()),
        }
    }

    fn selector(
        &self,
        part: &Part,
        name: Option<&str>,
        asked: &[AskedLabel],
        remarks: &mut Remarks,
        depth: usize,
    ) -> Comes {
        let Some(name) = name else {
            let any = self.shown.values().flatten().any(|labels| part.selects(labels));
            return if any { Comes::Has } else { Comes::Foreign("it selects by a pattern of names".to_owned()) };
        };
        if let Some(rule) = self.records.get(name).filter(|_| depth < DEPTH) {
            return match self.part(&rule.outline(), remarks, depth + 1) {
                Some(Comes::Never(why)) => Comes::Never(format!("the rule that records `{name}` finds nothing: {why}")),
                other => other.unwrap_or(Comes::Has),
            };
        }
        if OF_PROMETHEUS.contains(&name) {
            return Comes::Foreign(format!("`{name}` is written by Prometheus itself"));
        }
        match self.shown.get(name) {
            Some(series) => self.among(name, series, asked),
            None => self.missing(name, asked),
        }
    }

    /// What is asked of labels, without those that a target has: Kestra knows nothing of these.
    fn own<'l>(&self, name: &str, series: &[Labels], asked: &'l [AskedLabel]) -> Vec<&'l AskedLabel> {
        let known = self.keys.get(name);
        let has = |key: &str| {
            known.is_some_and(|keys| keys.contains(key))
                || series.iter().any(|labels| labels.iter().any(|(own, _)| &**own == key))
        };
        asked.iter().filter(|asked| has(&asked.label)).collect()
    }

    /// Which of the series of a name are selected.
    fn among(&self, name: &str, series: &[Labels], asked: &[AskedLabel]) -> Comes {
        let mut left: Vec<&Labels> = series.iter().collect();
        for asked in self.own(name, series, asked) {
            let fits = fits(asked);
            let fits = |labels: &&Labels| fits(labels);
            if !series.iter().any(|labels| fits(&labels)) {
                return self.kept_out(name, series, asked);
            }
            left.retain(fits);
        }
        match left.is_empty() {
            true => Comes::Waits(format!("no series of `{name}` has all these labels at once now")),
            false => Comes::Has,
        }
    }

    /// A label keeps all series of a name out: for ever, where they have no such label or its values are those of the code.
    fn kept_out(&self, name: &str, series: &[Labels], asked: &AskedLabel) -> Comes {
        let value =
            |labels: &Labels| labels.iter().find(|(key, _)| **key == *asked.label).map(|(_, value)| value.to_string());
        let there: BTreeSet<String> = series.iter().filter_map(value).collect();
        let there: Vec<String> = there.into_iter().collect();
        let why = kept_out(name, series.len(), asked, &there);
        let meter = self.known.get(name).map(|(_, meter)| *meter);
        let fixed = meter.is_some_and(|meter| !by_event(meter));
        if there.is_empty() || fixed { Comes::Never(why) } else { Comes::Waits(why) }
    }

    /// No server shows a name.
    fn missing(&self, name: &str, asked: &[AskedLabel]) -> Comes {
        if let Some((profile, meter)) = self.known.get(name) {
            return self.not_there(name, profile, meter, asked);
        }
        let prefix = server::lead(self.servers).and_then(Server::prefix).unwrap_or("kestra");
        if of_plugins(name, prefix) {
            return Comes::Waits(format!("`{name}` is made by a plugin's task when it runs"));
        }
        if let Some(why) = self.elsewhere(name, prefix) {
            return Comes::Never(why);
        }
        let of_it = |series: &&String| {
            series.strip_prefix(name).is_some_and(|end| ["_count", "_sum", "_max", "_bucket", "_total"].contains(&end))
        };
        let series: Vec<&str> = self.known.keys().filter(of_it).map(String::as_str).collect();
        if !series.is_empty() {
            return Comes::Never(format!("there is no series called `{name}`: it is {}", series.join(", ")));
        }
        if name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('_')) {
            let all = self.known.keys().map(String::as_str).chain(self.shown.keys().copied());
            let meant =
                document::nearest(name, all).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Comes::Never(format!("no version of Kestra has a series called `{name}`{meant}"));
        }
        Comes::Foreign(format!("`{name}` is none of Kestra's series"))
    }

    /// A series that the version of a server has, and no server shows.
    fn not_there(&self, name: &str, profile: &Profile, meter: &Meter, asked: &[AskedLabel]) -> Comes {
        let none: Labels = Arc::from([(Arc::from("__name__"), Arc::from(name))]);
        let unknown = self
            .own(name, &[], asked)
            .into_iter()
            .find(|asked| !meter.keys.contains(&asked.label) && !fits(asked)(&none));
        if let Some(AskedLabel { label, .. }) = unknown {
            let keys = meter.keys.join(", ");
            return Comes::Never(format!("`{name}` has no label `{label}` in Kestra {profile}: its labels are {keys}"));
        }
        if by_event(meter) {
            return Comes::Waits(format!("`{name}` comes with its first event"));
        }
        let shows = |role: &Role| meter.start.iter().any(|start| start.roles.contains(role));
        let roles: Vec<&str> = profile.roles().filter(shows).map(Role::name).collect();
        let on = roles.join(", ");
        match self.servers.iter().any(|server| shows(&server.role())) {
            true => {
                Comes::Never(format!("no server shows `{name}`, which Kestra {profile} has on {on} from the start on"))
            }
            false => Comes::Waits(format!("only {on} show `{name}`, and none was asked")),
        }
    }

    /// What is to be said of a name that the version of no server has, and another version has.
    fn elsewhere(&self, name: &str, prefix: &str) -> Option<String> {
        let rest = |name: &str, from: &str| name.strip_prefix(from)?.strip_prefix('_').map(str::to_owned);
        let plain = rest(name, prefix).map_or(name.to_owned(), |rest| format!("kestra_{rest}"));
        let server = server::lead(self.servers)?;
        let (version, same) = server.profile().elsewhere(&plain)?;
        let same = same.map(|same| rest(&same, "kestra").map_or(same.clone(), |rest| format!("{prefix}_{rest}")));
        let same = same.map(|same| format!("; here `{same}` tells the same")).unwrap_or_default();
        Some(format!("Kestra {} has no `{name}`, {version} has{same}", server.profile()))
    }
}

/// The names of a meter's series on a server.
fn series_of(server: &Server, meter: &Meter) -> Vec<String> {
    let name = server.name_of(meter);
    meter.suffixes().iter().map(|suffix| format!("{name}{suffix}")).collect()
}

/// Whether a series has what is asked of one label.
fn fits(asked: &AskedLabel) -> impl Fn(&Labels) -> bool {
    let alone = Expression::parse(&asked.alone).ok();
    move |labels| alone.as_ref().is_some_and(|alone| alone.selects(labels))
}

/// What parts come to that all must be there.
fn all_of(parts: Vec<Comes>) -> Option<Comes> {
    let rank = |comes: &Comes| match comes {
        Comes::Never(_) => 0,
        Comes::Waits(_) => 1,
        Comes::Has => 2,
        Comes::Foreign(_) => 3,
    };
    parts.into_iter().min_by_key(rank)
}

/// What `or` comes to.
fn either(left: &Part, right: &Part, sides: (Option<Comes>, Option<Comes>), remarks: &mut Remarks) -> Option<Comes> {
    let mut dead = |part: &Part, why: &str| remarks.dead.insert(format!("`{}` has nothing: {why}", part.text));
    match sides {
        (Some(Comes::Never(a)), Some(Comes::Never(b))) if a == b => Some(Comes::Never(a)),
        (Some(Comes::Never(a)), Some(Comes::Never(b))) => Some(Comes::Never(format!("{a}; {b}"))),
        (Some(Comes::Never(why)), other) => {
            dead(left, &why);
            other
        }
        (other, Some(Comes::Never(why))) => {
            dead(right, &why);
            other
        }
        (Some(Comes::Has), _) | (_, Some(Comes::Has)) => Some(Comes::Has),
        (Some(Comes::Waits(why)), _) | (_, Some(Comes::Waits(why))) => Some(Comes::Waits(why)),
        (left, right) => left.or(right),
    }
}
