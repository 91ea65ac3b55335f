//! The meters of one process.
//!
//! A series has a source by formula (what its profile says it shows at start), and what events added; it shows the sum.
//! Everything constant of a line is written once, when the series is registered; a look writes numbers only.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::Look;
use super::number::java_double;
use super::series::{Series, bound_text};
use crate::profile::{Kind, Linear, MeterId, Profile, Role, Source};
use crate::time::Instant;

/// Series a process may have.
pub const MAX_SERIES: usize = 50_000;

/// A series of one registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesId(u32);

/// What is configured for all meters of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// Stands in place of `kestra` at the beginning of names (`kestra.metrics.prefix`).
    pub prefix: Option<String>,
    /// Tags that every series has (`micronaut.metrics.tags`).
    pub tags: Vec<(String, String)>,
}

impl Common {
    /// A dotted name as it is registered.
    fn name(&self, meter: &str) -> String {
        match (&self.prefix, meter.strip_prefix("kestra.")) {
            (Some(prefix), Some(rest)) => format!("{prefix}.{rest}"),
            _ => meter.to_owned(),
        }
    }
    /// The name in the profile of a registered one.
    fn meter(&self, name: &str) -> Option<String> {
        let Some(prefix) = &self.prefix else { return Some(name.to_owned()) };
        match name.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('.')) {
            Some(rest) => Some(format!("kestra.{rest}")),
            None => Some(name.to_owned()).filter(|name| !name.starts_with("kestra.")),
        }
    }
}

/// All meters of a process.
#[derive(Clone, Debug)]
pub struct Registry {
    profile: &'static Profile,
    common: Common,
    /// By number of the meter in the profile: what is registered of it.
    registered: Vec<Option<Registered>>,
    series: Vec<Series>,
    /// Families in the order of the exposition.
    families: BTreeMap<String, Family>,
}

/// A meter that has series.
#[derive(Clone, Debug)]
struct Registered {
    keys: Vec<String>,
    /// Label values, in the order of the keys, to series.
    by_values: IndexMap<Vec<String>, u32>,
}

/// A family of the exposition: a meter, or the maximum of one.
#[derive(Clone, Debug)]
struct Family {
    maximum: bool,
    header: Vec<u8>,
    /// Names of its lines: the plain one, and those of buckets, counts and sums.
    lines: [String; 4],
    /// In the order of the exposition: by label values.
    order: Vec<u32>,
}

/// One sample of a look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The name of the line, for example `http_server_requests_seconds_count`.
    pub name: &'a str,
    /// Labels in the order of their keys.
    pub labels: &'a [(String, String)],
    /// The bound of a bucket, in front of which it stands among the labels by its key `le`.
    pub le: Option<&'a str>,
    /// The value.
    pub value: f64,
}

/// What `/metrics/{name}` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Statistic and value, for example `COUNT`.
    pub measurements: Vec<(&'static str, f64)>,
    /// Keys that can still be chosen, and their values.
    pub tags: Vec<(String, Vec<String>)>,
    /// The help text.
    pub description: Option<String>,
    /// The base unit.
    pub base_unit: Option<String>,
}

impl Registry {
    /// The meters of a process that has just started.
    pub fn new(profile: &'static Profile, role: Role, born: Instant) -> Registry {
        Registry::configured(profile, role, born, Common::default())
    }

    /// The same with what is configured for all of them.
    pub fn configured(profile: &'static Profile, role: Role, born: Instant, common: Common) -> Registry {
        let registered = profile.meters().map(|_| None).collect();
        let mut registry = Registry { profile, common, registered, series: Vec::new(), families: BTreeMap::new() };
        registry.start(role, "", born);
        registry
    }

    /// Registers what a process of a role shows at start, of the meters whose dotted name begins so; what is there stays.
    pub fn start(&mut self, role: Role, prefix: &str, now: Instant) {
        for (id, meter) in self.profile.meters().filter(|(_, meter)| meter.origin().starts_with(prefix)) {
            for start in meter.start.iter().filter(|start| start.roles.contains(&role)) {
                for tags in combinations(&start.tags) {
                    self.register(id, &tags, start.source, now);
                }
            }
        }
    }

    /// The profile whose meters these are.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// The series of a meter with these tags; registers it when it is new. None when the meter exists with another set of
    /// keys (the first one wins, as in the real registry), or when there are too many series.
    pub fn series(&mut self, meter: MeterId, tags: &[(&str, &str)], now: Instant) -> Option<SeriesId> {
        let zero = Linear::constant(0.0);
        let source = match self.profile.meter_of(meter)?.kind {
            Kind::Counter | Kind::Gauge => Source::Plain(zero),
            _ => Source::Timer { count: zero, sum: zero, max: zero, shape: None },
        };
        self.register(meter, tags, source, now)
    }

    fn register(&mut self, id: MeterId, tags: &[(&str, &str)], source: Source, now: Instant) -> Option<SeriesId> {
        let meter = self.profile.meter_of(id)?;
        let mut tags = tags.to_vec();
        // A tag of a meter wins over a common one.
        let common = self.common.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let common: Vec<(&str, &str)> = common.filter(|(key, _)| tags.iter().all(|(own, _)| own != key)).collect();
        tags.extend(common);
        tags.sort_unstable_by_key(|(key, _)| *key);
        let registered = self.registered.get_mut(id.0 as usize)?;
        let registered = registered.get_or_insert_with(|| Registered {
            keys: tags.iter().map(|(key, _)| (*key).to_owned()).collect(),
            by_values: IndexMap::new(),
        });
        if !registered.keys.iter().map(String::as_str).eq(tags.iter().map(|(key, _)| *key)) {
            return None;
        }
        let values: Vec<String> = tags.iter().map(|(_, value)| (*value).to_owned()).collect();
        if let Some(known) = registered.by_values.get(&values) {
            return Some(SeriesId(*known));
        }
        if self.series.len() >= MAX_SERIES {
            return None;
        }
        let index = self.series.len() as u32;
        registered.by_values.insert(values, index);
        let name = meter.prometheus_name_of(&self.common.name(&meter.name));
        let labels = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.series.push(Series::new(&name, labels, meter.kind, source, self.profile, now));
        let has_max = !matches!(meter.kind, Kind::Counter | Kind::Gauge);
        for maximum in [false, true] {
            if maximum && !has_max {
                continue;
            }
            let shown = if maximum { format!("{name}_max") } else { name.clone() };
            // Families are in the order of their names, that of a counter without its `_total` (recorded).
            let key = shown.strip_suffix("_total").unwrap_or(&shown).to_owned();
            let family = self.families.entry(key).or_insert_with(|| Family {
                maximum,
                lines: ["", "_bucket", "_count", "_sum"].map(|suffix| format!("{shown}{suffix}")),
                header: header(&shown, &meter.help, if maximum { Kind::Gauge } else { meter.kind }),
                order: Vec::new(),
            });
            let series = &self.series;
            let values = |of: u32| series[of as usize].labels.iter().map(|(_, value)| value.as_str());
            let place = family.order.partition_point(|other| values(*other).lt(values(index)));
            family.order.insert(place, index);
        }
        Some(SeriesId(index))
    }

    /// Adds to a counter, or moves a gauge.
    pub fn add(&mut self, series: SeriesId, amount: f64) {
        if let Some(series) = self.series.get_mut(series.0 as usize) {
            series.added += amount;
        }
    }

    /// Records an amount, for timers in seconds.
    pub fn record(&mut self, series: SeriesId, amount: f64, now: Instant) {
        if let Some(series) = self.series.get_mut(series.0 as usize) {
            series.recorded += 1;
            series.added += amount;
            series.max.record(amount, now);
        }
    }

    /// Writes everything in the Prometheus text format, as recorded from Micrometer 1.15 with the 1.3 client.
    pub fn render(&self, look: &Look, out: &mut Vec<u8>) {
        out.reserve(160 * 1024);
        for family in self.families.values() {
            out.extend_from_slice(&family.header);
            for series in &family.order {
                let series = &self.series[*series as usize];
                if family.maximum {
                    out.extend_from_slice(&series.max_text);
                    java_double(series.maximum(look), out);
                    out.push(b'\n');
                } else {
                    series.render(look, self.profile, out);
                }
            }
        }
    }

    /// Every sample of a look, in the order of the exposition.
    pub fn samples(&self, look: &Look, each: impl FnMut(Sample<'_>)) {
        self.some_samples(look, |_| true, each);
    }

    /// The samples of a look whose name is wanted, in the order of the exposition. Returns how many there are in all.
    pub fn some_samples(&self, look: &Look, wanted: impl Fn(&str) -> bool, mut each: impl FnMut(Sample<'_>)) -> usize {
        let mut count = 0;
        for family in self.families.values() {
            let [name, bucket, total, sum] = &family.lines;
            let first = family.order.first().map(|series| &self.series[*series as usize]);
            // Lines of a series that are not its maximum.
            let lines = if family.maximum { 1 } else { first.map_or(0, |series| series.ends.len()) };
            count += lines * family.order.len();
            let plain = family.maximum || first.is_some_and(|series| matches!(series.source, Source::Plain(_)));
            let some = if plain { wanted(name) } else { wanted(bucket) || wanted(total) || wanted(sum) };
            if !some {
                continue;
            }
            for index in &family.order {
                let series = &self.series[*index as usize];
                let mut sample = |name: &str, le: Option<&str>, value: f64| {
                    if wanted(name) {
                        each(Sample { name, labels: &series.labels, le, value });
                    }
                };
                match series.source {
                    _ if family.maximum => sample(name, None, series.maximum(look)),
                    Source::Plain(_) => sample(name, None, series.value(look)),
                    Source::Timer { shape, .. } => {
                        let all = series.count(look);
                        if let Some(shape) = shape.filter(|_| wanted(bucket)) {
                            for (bound, share) in self.profile.buckets().iter().zip(self.profile.shape(shape)) {
                                sample(bucket, Some(&bound_text(*bound)), libm::floor(all * share));
                            }
                            sample(bucket, Some("+Inf"), all);
                        }
                        sample(total, None, all);
                        sample(sum, None, series.sum(look));
                    }
                }
            }
        }
        count
    }

    /// The dotted names of all meters that have series, sorted.
    pub fn names(&self) -> Vec<String> {
        let named = self.profile.meters().filter(|(id, _)| self.registered[id.0 as usize].is_some());
        let mut names: Vec<String> = named.map(|(_, meter)| self.common.name(&meter.name)).collect();
        names.sort_unstable();
        names
    }

    /// What `/metrics/{name}` shows, summed over the series that carry all of `tags`. None when there is no such meter, or
    /// no such series.
    pub fn measure(&self, name: &str, tags: &[(String, String)], look: &Look) -> Option<Measured> {
        let id = self.profile.meter(&self.common.meter(name)?)?;
        let meter = self.profile.meter_of(id)?;
        let registered = self.registered[id.0 as usize].as_ref()?;
        let mut found = registered
            .by_values
            .values()
            .map(|index| &self.series[*index as usize])
            .filter(|series| tags.iter().all(|tag| series.labels.contains(tag)))
            .peekable();
        found.peek()?;
        let (mut value, mut count, mut sum, mut max) = (0.0, 0.0, 0.0, 0.0f64);
        let mut rest: IndexMap<&str, Vec<String>> = IndexMap::new();
        for series in found {
            value += series.value(look);
            count += series.count(look);
            sum += series.sum(look);
            max = max.max(series.maximum(look));
            for (key, value) in &series.labels {
                if tags.iter().any(|(chosen, _)| chosen == key) {
                    continue;
                }
                let values = rest.entry(key).or_default();
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
        }
        let measurements = match meter.kind {
            Kind::Counter => vec![("COUNT", value)],
            Kind::Gauge => vec![("VALUE", value)],
            Kind::Timer | Kind::Histogram => vec![("COUNT", count), ("TOTAL_TIME", sum), ("MAX", max)],
            Kind::Summary => vec![("COUNT", count), ("TOTAL", sum), ("MAX", max)],
        };
        let unit = match meter.kind {
            Kind::Timer | Kind::Histogram => "seconds",
            _ => &meter.unit,
        };
        Some(Measured {
            measurements,
            tags: rest.into_iter().map(|(key, values)| (key.to_owned(), values)).collect(),
            description: Some(meter.help.clone()).filter(|help| !help.is_empty()),
            base_unit: Some(unit.to_owned()).filter(|unit| !unit.is_empty()),
        })
    }
}

/// All combinations of tag values.
fn combinations(tags: &IndexMap<String, Vec<String>>) -> Vec<Vec<(&str, &str)>> {
    let mut all = vec![Vec::new()];
    for (key, values) in tags {
        all = all
            .into_iter()
            .flat_map(|tags: Vec<(&str, &str)>| {
                values.iter().map(move |value| {
                    let mut tags = tags.clone();
                    tags.push((key.as_str(), value.as_str()));
                    tags
                })
            })
            .collect();
    }
    all
}

/// `# HELP` and `# TYPE`; a family without help text has two spaces there (recorded).
fn header(name: &str, help: &str, kind: Kind) -> Vec<u8> {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Timer | Kind::Summary => "summary",
        Kind::Histogram => "histogram",
    };
    let help = if help.is_empty() { " ".to_owned() } else { help.replace('\\', "\\\\").replace('\n', "\\n") };
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    fn registry() -> Registry {
        Registry::new(Profile::default_profile(), Role::Standalone, Instant::START)
    }

    fn text(registry: &Registry, now: Instant) -> String {
        let mut out = Vec::new();
        registry.render(&Look::at(now), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_first_set_of_keys_wins_and_a_later_one_is_dropped() {
        let mut registry = registry();
        let meter = registry.profile.meter("kestra.worker.started.count").expect("a meter");
        let first =
            registry.series(meter, &[("task_type", "a"), ("flow_id", "f")], Instant::START).expect("registered");
        assert_eq!(registry.series(meter, &[("flow_id", "f")], Instant::START), None);
        // The order in which keys are given does not matter.
        let again = registry.series(meter, &[("flow_id", "f"), ("task_type", "a")], Instant::START);
        assert_eq!(again, Some(first));
        registry.add(first, 1.0);
        assert!(
            text(&registry, Instant::START)
                .contains("kestra_worker_started_count_total{flow_id=\"f\",task_type=\"a\"} 1.0\n")
        );
    }

    #[test]
    fn a_timer_counts_sums_and_remembers_its_maximum_for_some_minutes() {
        let mut registry = registry();
        let meter = registry.profile.meter("http.server.requests").expect("a meter");
        assert!(!text(&registry, Instant::START).contains("http_server_requests"), "not before its first event");
        let series = registry.series(meter, &[("uri", "/\"x\"")], Instant::START).expect("registered");
        registry.record(series, 0.25, Instant::START);
        registry.record(series, 0.125, Instant::START);
        let now = text(&registry, Instant::START);
        for line in [
            "# HELP http_server_requests_seconds  \n# TYPE http_server_requests_seconds summary\n",
            "http_server_requests_seconds_count{uri=\"/\\\"x\\\"\"} 2\n",
            "http_server_requests_seconds_sum{uri=\"/\\\"x\\\"\"} 0.375\n",
            "http_server_requests_seconds_max{uri=\"/\\\"x\\\"\"} 0.25\n",
        ] {
            assert!(now.contains(line), "{line} in {now}");
        }
        assert!(text(&registry, Instant::START + Duration::minutes(4)).contains("_max{uri=\"/\\\"x\\\"\"} 0.0\n"));
    }

    #[test]
    fn there_is_a_limit_of_series() {
        let mut registry = registry();
        let meter = registry.profile.meter("http.server.requests").expect("a meter");
        let refused = (0..MAX_SERIES + 1)
            .filter(|n| registry.series(meter, &[("uri", &n.to_string())], Instant::START).is_none())
            .count();
        assert!(refused > 0 && registry.series.len() == MAX_SERIES);
    }
}
