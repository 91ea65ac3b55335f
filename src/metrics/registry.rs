//! The meters of one process.
//!
//! A series has a source by formula (what its profile says it shows at start), and what events added; it shows the sum.
//! Everything constant of a line is written once for all processes that have it; a look writes numbers only.

use std::sync::Arc;

use indexmap::IndexMap;

use super::Look;
use super::layout::{Families, Layout, Metered};
use super::prototype::Prototype;
use super::selection::{Selection, series_of};
use super::series::{Series, Value};
use super::window::WindowMax;
use crate::profile::{Binder, Kind, Linear, MeterId, Profile, Role, Source};
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
    /// No help texts in Prometheus's text (`micronaut.metrics.export.prometheus.descriptions: false`).
    pub without_help: bool,
    /// What registers nothing (`micronaut.metrics.binders.NAME.enabled: false`).
    pub off: Vec<&'static Binder>,
}

impl Common {
    /// A dotted name as it is registered.
    pub(super) fn name(&self, meter: &str) -> String {
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

/// All meters of a process. A clone shares everything but the values.
#[derive(Clone, Debug)]
pub struct Registry {
    /// What it shares with all processes of its kind.
    pub(super) origin: Arc<Prototype>,
    /// What it registered since it began; a clone shares it until one of the two registers more.
    pub(super) own: Arc<Layout>,
    /// When the process began, and with it the windows of all maxima there were at start.
    born: Instant,
    /// By number of the series.
    pub(super) values: Vec<Value>,
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

    /// The same with what is configured for all of them. It costs little: what a process shows at start is built once for
    /// all of its kind.
    pub fn configured(profile: &'static Profile, role: Role, born: Instant, common: Common) -> Registry {
        Registry::like(Prototype::of(profile, role, &common), born)
    }

    /// A process like others.
    pub(super) fn like(origin: Arc<Prototype>, born: Instant) -> Registry {
        let values = vec![Value::default(); origin.layout.series.len()];
        Registry { origin, own: Arc::default(), born, values }
    }

    /// Registers what a process of a role shows at start, of the meters whose dotted name begins so; what is there stays.
    pub fn start(&mut self, role: Role, prefix: &str, now: Instant) {
        let catalogue = self.origin.catalogue.clone();
        for (id, meter) in self.profile().meters().filter(|(_, meter)| meter.origin().starts_with(prefix)) {
            let starts = meter.start.iter().enumerate().filter(|(_, start)| start.roles.contains(&role));
            for series in starts.flat_map(|(place, _)| catalogue.start(id, place)) {
                let labels = series.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                self.register(id, labels, || series.clone(), now);
            }
        }
    }

    /// Bytes of what a clone does not share: the values of all series.
    pub fn own_bytes(&self) -> usize {
        let maxima = self.values.iter().filter(|value| value.max.is_some()).count();
        self.values.len() * size_of::<Value>() + maxima * size_of::<WindowMax>()
    }

    /// The profile whose meters these are.
    pub fn profile(&self) -> &'static Profile {
        self.origin.catalogue.profile
    }

    /// The series with a number.
    pub(super) fn series_of(&self, number: u32) -> Option<&Series> {
        series_of(&self.origin.layout, &self.own, number)
    }

    /// What there is of a meter.
    fn metered(&self, id: MeterId) -> Option<&Metered> {
        self.own.metered(id).or_else(|| self.origin.layout.metered(id))
    }

    /// The series of a meter with these tags; registers it when it is new. None when the meter exists with another set of
    /// keys (the first one wins, as in the real registry), or when there are too many series.
    pub fn series(&mut self, meter: MeterId, tags: &[(&str, &str)], now: Instant) -> Option<SeriesId> {
        let origin = self.origin.clone();
        let labels = origin.catalogue.labels(tags);
        if origin.catalogue.is_off(meter, &labels) {
            return None;
        }
        let kind = self.profile().meter_of(meter)?.kind;
        let zero = Linear::constant(0.0);
        let source = match kind {
            Kind::Counter | Kind::Gauge => Source::Plain(zero),
            _ => Source::Timer { count: zero, sum: zero, max: zero, shape: None },
        };
        self.register(meter, labels.iter().copied(), || Arc::new(Series::new(&labels, kind, source)), now)
    }

    /// The series of a meter with these labels, which are in the order of their keys; `new` when there is none yet.
    fn register<'a>(
        &mut self,
        id: MeterId,
        labels: impl Iterator<Item = (&'a str, &'a str)> + Clone,
        new: impl FnOnce() -> Arc<Series>,
        now: Instant,
    ) -> Option<SeriesId> {
        let of = |number: &u32| self.series_of(*number).into_iter().flat_map(Series::values);
        if let Some(known) = self.metered(id) {
            let first = known.order.first().and_then(|number| self.series_of(*number))?;
            if !first.keys().eq(labels.clone().map(|(key, _)| key)) {
                return None;
            }
            let values = || labels.clone().map(|(_, value)| value);
            if let Ok(place) = known.order.binary_search_by(|other| of(other).cmp(values())) {
                return Some(SeriesId(known.order[place]));
            }
        }
        if self.values.len() >= MAX_SERIES {
            return None;
        }
        let series = new();
        let has_max = !matches!(series.kind, Kind::Counter | Kind::Gauge);
        Arc::make_mut(&mut self.own).insert(&self.origin, id, series);
        let max = has_max.then(|| Box::new(WindowMax::new(now)));
        self.values.push(Value { max, ..Value::default() });
        Some(SeriesId(self.values.len() as u32 - 1))
    }

    /// Adds to a counter, or moves a gauge.
    #[inline]
    pub fn add(&mut self, series: SeriesId, amount: f64) {
        if let Some(value) = self.values.get_mut(series.0 as usize) {
            value.added += amount;
        }
    }

    /// Records an amount, for timers in seconds.
    pub fn record(&mut self, series: SeriesId, amount: f64, now: Instant) {
        if let Some(value) = self.values.get_mut(series.0 as usize) {
            value.recorded += 1;
            value.added += amount;
            value.max.get_or_insert_with(|| Box::new(WindowMax::new(self.born))).record(amount, now);
        }
    }

    /// Writes everything in the Prometheus text format, as recorded from Micrometer 1.15 with the 1.3 client.
    pub fn render(&self, look: &Look, out: &mut Vec<u8>) {
        out.reserve(256 * 1024);
        let form = self.profile().text();
        let first = &self.origin.layout;
        for family in Families::new(first, 0..first.families.len() as u32, &self.own) {
            let text = &*family.text;
            out.extend_from_slice(text.header());
            for number in &family.order {
                let (Some(series), Some(value)) = (self.series_of(*number), self.values.get(*number as usize)) else {
                    continue;
                };
                match text.maximum {
                    true => series.render_maximum(value, look, &text.names[0], form, out),
                    false => series.render(value, look, &text.names, &self.origin.catalogue, out),
                }
            }
        }
    }

    /// Every sample of a look, in the order of the exposition.
    pub fn samples(&self, look: &Look, each: impl FnMut(Sample<'_>)) {
        self.some_samples(look, &Selection::ALL, each);
    }

    /// The samples of a look whose name is wanted, in the order of the exposition. Who asks often keeps a
    /// [`select`](Registry::select)ion.
    pub fn some_samples(&self, look: &Look, selection: &Selection, mut each: impl FnMut(Sample<'_>)) {
        self.walk(selection, &self.wanted_families(selection), |line, series, name, le| {
            each(Sample { name, labels: &series.labels, le, value: self.value(line, look) });
        });
    }

    /// The dotted names of all meters that have series, sorted.
    pub fn names(&self) -> Vec<String> {
        let named = self.profile().meters().filter(|(id, _)| self.metered(*id).is_some());
        let mut names: Vec<String> = named.map(|(_, meter)| self.origin.catalogue.common.name(&meter.name)).collect();
        names.sort_unstable();
        names
    }

    /// What `/metrics/{name}` shows, summed over the series that carry all of `tags`. None when there is no such meter, or
    /// no such series.
    pub fn measure(&self, name: &str, tags: &[(String, String)], look: &Look) -> Option<Measured> {
        let id = self.profile().meter(&self.origin.catalogue.common.meter(name)?)?;
        let meter = self.profile().meter_of(id)?;
        // In the order of their registration.
        let mut numbers = self.metered(id)?.order.clone();
        numbers.sort_unstable();
        let mut found = numbers
            .iter()
            .filter_map(|number| Some((self.series_of(*number)?, self.values.get(*number as usize)?)))
            .filter(|(series, _)| tags.iter().all(|tag| series.labels.contains(tag)))
            .peekable();
        found.peek()?;
        let (mut value, mut count, mut sum, mut max) = (0.0, 0.0, 0.0, 0.0f64);
        let mut rest: IndexMap<&str, Vec<String>> = IndexMap::new();
        for (series, of) in found {
            value += series.value(of, look);
            count += series.count(of, look);
            sum += series.sum(of, look);
            max = max.max(series.maximum(of, look));
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
        let meter = registry.profile().meter("kestra.worker.started.count").expect("a meter");
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
        let meter = registry.profile().meter("http.server.requests").expect("a meter");
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
    fn two_processes_of_a_kind_show_the_same_and_share_their_text() {
        let common = || Common {
            prefix: Some("acme".into()),
            tags: vec![("pod".to_owned(), "p-1".to_owned())],
            ..Common::default()
        };
        let of = |born| Registry::configured(Profile::default_profile(), Role::Worker, born, common());
        let now = Instant::START + Duration::minutes(5);
        let (first, second) = (of(Instant::START), of(now));
        assert_eq!(text(&first, now), text(&second, now));
        assert!(text(&first, now).contains("acme_worker_job_running{pod=\"p-1\"} 0.0"));
        assert!(Arc::ptr_eq(&first.origin, &second.origin));
        assert!(!text(&registry(), now).contains("acme"));
    }

    #[test]
    fn what_is_shown_at_start_is_what_would_be_registered_series_by_series() {
        let common = Common {
            prefix: Some("acme".into()),
            tags: vec![("id".to_owned(), "p-1".to_owned())],
            without_help: true,
            off: Binder::named("executor").into_iter().chain(Binder::named("jvm")).collect(),
        };
        for name in Profile::NAMES {
            let profile = Profile::named(name).expect("a version");
            for (role, common) in profile.roles().flat_map(|role| [(role, Common::default()), (role, common.clone())]) {
                let at_once = Registry::configured(profile, role, Instant::START, common.clone());
                let mut one_by_one = Registry::like(Prototype::bare(profile, role, &common), Instant::START);
                one_by_one.start(role, "", Instant::START);
                assert_eq!(text(&at_once, Instant::START), text(&one_by_one, Instant::START), "{name} {role:?}");
                assert_eq!((at_once.names(), at_once.lines()), (one_by_one.names(), one_by_one.lines()));
                // By number too, for those whose values are looked up by it.
                let labels = |registry: &Registry| -> Vec<Vec<(String, String)>> {
                    (0..registry.values.len() as u32)
                        .map(|it| registry.series_of(it).expect("a series").labels.clone())
                        .collect()
                };
                assert_eq!(labels(&at_once), labels(&one_by_one), "{name} {role:?}");
            }
        }
    }

    #[test]
    fn a_clone_is_independent_of_its_origin_and_both_of_the_next_process() {
        let (fresh, mut origin) = (text(&registry(), Instant::START), registry());
        let meter = origin.profile().meter("http.server.requests").expect("a meter");
        let shared = origin.series(meter, &[("uri", "/a")], Instant::START).expect("registered");
        origin.record(shared, 1.0, Instant::START);
        let mut clone = origin.clone();
        let then = text(&clone, Instant::START);
        assert_eq!(then, text(&origin, Instant::START));
        // Values part.
        origin.record(shared, 3.0, Instant::START);
        assert!(text(&origin, Instant::START).contains("http_server_requests_seconds_sum{uri=\"/a\"} 4.0"));
        assert_eq!(text(&clone, Instant::START), then);
        // So do series, also those of one number.
        let of_origin = origin.series(meter, &[("uri", "/b")], Instant::START);
        assert_eq!(text(&clone, Instant::START), then);
        let of_clone = clone.series(meter, &[("uri", "/0")], Instant::START);
        assert_eq!(of_origin, of_clone);
        assert!(!text(&clone, Instant::START).contains("/b"));
        assert!(!text(&origin, Instant::START).contains("/0"));
        assert_eq!(text(&registry(), Instant::START), fresh);
    }

    #[test]
    fn a_new_series_takes_its_place_among_those_that_were_there_at_start() {
        let mut registry = registry();
        let meter = registry.profile().meter("jvm.memory.used").expect("a meter");
        let tags = [("area", "heap"), ("id", "B")];
        let series = registry.series(meter, &tags, Instant::START).expect("registered");
        registry.add(series, 7.0);
        let text = text(&registry, Instant::START);
        let family: Vec<&str> = text.lines().filter(|line| line.starts_with("jvm_memory_used_bytes{")).collect();
        assert!(family.len() > 3 && family.is_sorted(), "{family:?}");
        assert!(family.contains(&"jvm_memory_used_bytes{area=\"heap\",id=\"B\"} 7.0"));
        assert_eq!(text.matches("# TYPE jvm_memory_used_bytes ").count(), 1);
    }

    #[test]
    fn there_is_a_limit_of_series() {
        let mut registry = registry();
        let meter = registry.profile().meter("http.server.requests").expect("a meter");
        let refused = (0..MAX_SERIES + 1)
            .filter(|n| registry.series(meter, &[("uri", &n.to_string())], Instant::START).is_none())
            .count();
        assert!(refused > 0 && registry.values.len() == MAX_SERIES);
    }
}
