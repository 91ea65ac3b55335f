//! What someone reads of an exposition: found once for a process, then only values are asked for.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use super::Look;
use super::layout::{Families, Family, Layout};
use super::prototype::Prototype;
use super::registry::Registry;
use super::series::Series;
use crate::profile::{Probes, Source};

/// Metrics by the names of their lines, for example `http_server_requests_seconds_count`; or all there are.
#[derive(Clone, Debug, Default)]
pub struct Selection(Option<Arc<BTreeSet<String>>>);

impl Selection {
    /// Every line.
    pub const ALL: Selection = Selection(None);

    /// The lines of these names.
    pub fn of(names: Arc<BTreeSet<String>>) -> Selection {
        Selection(Some(names))
    }

    /// Which lines of a family are wanted: plain ones, buckets, counts, sums.
    fn wants_of(&self, family: &Family) -> [bool; 4] {
        let Some(names) = &self.0 else { return [true; 4] };
        let plain = family.text.names[0].as_str();
        let mut wanted = [false; 4];
        // All four begin alike.
        let from = (Bound::Included(plain), Bound::Unbounded);
        for name in names.range::<str, _>(from).take_while(|name| name.starts_with(plain)) {
            for (wanted, line) in wanted.iter_mut().zip(&family.text.names) {
                *wanted |= line == name;
            }
        }
        wanted
    }
}

/// The lines that a selection means in a process, in the order of the exposition. It holds until the process registers
/// another series.
#[derive(Clone, Debug)]
pub struct Selected {
    origin: Arc<Prototype>,
    own: Arc<Layout>,
    /// Families of the prototype that could have wanted lines.
    families: Arc<[u32]>,
    lines: Vec<Line>,
    /// What its lines ask for of a look.
    probes: Probes,
}

/// A line of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    series: u32,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Value,
    Maximum,
    Bucket(u16),
    Infinite,
    Count,
    Sum,
}

/// A line that a selection found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found<'a> {
    /// Its place in the selection before, if it was there.
    pub before: Option<usize>,
    /// Its name, for example `http_server_requests_seconds_count`.
    pub name: &'a str,
    /// Labels in the order of their keys.
    pub labels: &'a [(String, String)],
    /// The bound of a bucket, the value of its label `le`.
    pub le: Option<&'a str>,
}

impl Selected {
    /// Its lines, in the order of the exposition.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The probes that its lines ask for.
    pub fn probes(&self) -> Probes {
        self.probes
    }

    /// Whether it still means all lines it should of a process.
    pub fn is_of(&self, registry: &Registry) -> bool {
        Arc::ptr_eq(&self.origin, &registry.origin) && Arc::ptr_eq(&self.own, &registry.own)
    }

    fn series(&self, number: u32) -> Option<&Series> {
        series_of(&self.origin.layout, &self.own, number)
    }
}

/// The series with a number in two layouts.
pub(super) fn series_of<'a>(first: &'a Layout, own: &'a Layout, number: u32) -> Option<&'a Series> {
    let number = number as usize;
    let found = first.series.get(number).or_else(|| own.series.get(number - first.series.len()));
    found.map(|series| &**series)
}

impl Registry {
    /// The lines that a selection means; `each` is told every one of them in their order. `before` is what the same selection
    /// meant before, in this process or in one like it: lines that were among them need not be learnt again.
    pub fn select(
        &self,
        selection: &Selection,
        before: Option<&Selected>,
        mut each: impl FnMut(Found<'_>),
    ) -> Selected {
        let before = before.filter(|it| Arc::ptr_eq(&it.origin, &self.origin));
        let families = before.map_or_else(|| self.wanted_families(selection), |before| before.families.clone());
        let (origin, own, probes) = (self.origin.clone(), self.own.clone(), Probes::default());
        let mut selected = Selected { origin, own, families, lines: Vec::new(), probes };
        let known = before.map_or(&[][..], |before| &before.lines);
        selected.lines.reserve(known.len());
        let mut place = 0;
        self.walk(selection, &selected.families, |line, series, name, le| {
            // Both are in the order of the exposition: what is gone is passed over, what is left keeps its place.
            let of_then = |place: usize| before.zip(known.get(place)).and_then(|(it, line)| it.series(line.series));
            let is = |then: Option<&Series>, now: Option<&Series>| match (then, now) {
                (Some(then), Some(now)) => std::ptr::eq(then, now),
                _ => false,
            };
            while place < known.len() && !is(of_then(place), self.series_of(known[place].series)) {
                place += 1;
            }
            let again =
                known.get(place).is_some_and(|known| known.part == line.part) && is(of_then(place), Some(series));
            each(Found { before: again.then_some(place), name, labels: &series.labels, le });
            place += usize::from(again);
            selected.lines.push(line);
            selected.probes.extend(series.source.probes());
        });
        selected
    }

    /// How many lines the exposition has.
    pub fn lines(&self) -> usize {
        self.origin.layout.lines + self.own.lines
    }

    /// The value of a line at a look.
    pub fn value(&self, line: Line, look: &Look) -> f64 {
        let number = line.series as usize;
        let (Some(series), Some(value)) = (self.series_of(line.series), self.values.get(number)) else { return 0.0 };
        match line.part {
            Part::Value => series.value(value, look),
            Part::Maximum => series.maximum(value, look),
            Part::Infinite | Part::Count => series.count(value, look),
            Part::Sum => series.sum(value, look),
            Part::Bucket(bucket) => {
                let Source::Timer { shape: Some(shape), .. } = series.source else { return 0.0 };
                let share = self.origin.catalogue.profile.shape(shape).get(usize::from(bucket)).copied().unwrap_or(0.0);
                f64::floor(series.count(value, look) * share)
            }
        }
    }

    /// The names of all lines of the exposition, in its order: each once for each family that has such lines.
    pub fn line_names(&self, mut each: impl FnMut(&str)) {
        let first = &self.origin.layout;
        for family in Families::new(first, 0..first.families.len() as u32, &self.own) {
            // By kind of line: plain, bucket, count, sum.
            let mut there = [false; 4];
            for series in family.order.iter().filter_map(|number| self.series_of(*number)) {
                match series.source {
                    _ if family.text.maximum => there[0] = true,
                    Source::Plain(_) => there[0] = true,
                    Source::Timer { shape, .. } => {
                        there[1] |= shape.is_some();
                        (there[2], there[3]) = (true, true);
                    }
                }
            }
            family.text.names.iter().zip(there).filter(|(_, there)| *there).for_each(|(name, _)| each(name));
        }
    }

    /// The families of the prototype that could have wanted lines.
    pub(super) fn wanted_families(&self, selection: &Selection) -> Arc<[u32]> {
        let layout = &self.origin.layout;
        match &selection.0 {
            None => (0..layout.families.len() as u32).collect(),
            Some(names) => {
                let found: BTreeSet<u32> = names.iter().flat_map(|name| layout.families_of(name)).collect();
                found.into_iter().collect()
            }
        }
    }

    /// Every line of some families of the prototype, and of what was registered since, whose name is wanted: with its series,
    /// its name and the bound of a bucket.
    pub(super) fn walk(
        &self,
        selection: &Selection,
        families: &[u32],
        mut each: impl FnMut(Line, &Series, &str, Option<&str>),
    ) {
        for family in Families::new(&self.origin.layout, families.iter().copied(), &self.own) {
            let wanted = selection.wants_of(family);
            if !wanted.contains(&true) {
                continue;
            }
            for number in &family.order {
                let Some(series) = self.series_of(*number) else { continue };
                // By kind of line: plain, bucket, count, sum.
                let mut line = |kind: usize, part: Part, le: Option<&str>| {
                    if wanted[kind] {
                        each(Line { series: *number, part }, series, &family.text.names[kind], le);
                    }
                };
                match series.source {
                    _ if family.text.maximum => line(0, Part::Maximum, None),
                    Source::Plain(_) => line(0, Part::Value, None),
                    Source::Timer { shape, .. } => {
                        if let Some(shape) = shape {
                            let shares = self.origin.catalogue.profile.shape(shape);
                            for (at, (bound, _)) in self.origin.catalogue.bounds.iter().zip(shares).enumerate() {
                                line(1, Part::Bucket(at as u16), Some(bound));
                            }
                            line(1, Part::Infinite, Some("+Inf"));
                        }
                        line(2, Part::Count, None);
                        line(3, Part::Sum, None);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::Common;
    use crate::profile::{MeterId, Profile, Role};
    use crate::time::Instant;

    /// Lines by name, labels, bound and bits of their value.
    type Seen = Vec<(String, Vec<(String, String)>, Option<String>, u64)>;

    fn registers() -> impl Strategy<Value = Vec<(u32, u8, u8)>> {
        prop::collection::vec((0..200u32, 0..3u8, 0..6u8), 0..40)
    }

    /// A process that registers some series and records something of each.
    fn grow(registry: &mut Registry, what: &[(u32, u8, u8)]) {
        for (meter, keys, value) in what {
            let value = format!("v{value}");
            let tags: Vec<(&str, &str)> = ["a", "b"][..usize::from(*keys)].iter().map(|key| (*key, &*value)).collect();
            if let Some(series) = registry.series(MeterId(*meter), &tags, Instant::START) {
                registry.record(series, f64::from(*meter) + 0.5, Instant::START);
            }
        }
    }

    fn seen(registry: &Registry, selection: &Selection) -> Seen {
        let mut all = Seen::new();
        registry.some_samples(&Look::at(Instant::START), selection, |it| {
            all.push((it.name.to_owned(), it.labels.to_vec(), it.le.map(str::to_owned), it.value.to_bits()));
        });
        all
    }

    /// What is found line by line, and which of the lines were there before.
    fn found(
        registry: &Registry,
        selection: &Selection,
        before: Option<&Selected>,
    ) -> (Selected, Seen, Vec<Option<usize>>) {
        let (mut all, mut places) = (Seen::new(), Vec::new());
        let selected = registry.select(selection, before, |it| {
            all.push((it.name.to_owned(), it.labels.to_vec(), it.le.map(str::to_owned), 0));
            places.push(it.before);
        });
        for (line, seen) in selected.lines().iter().zip(&mut all) {
            seen.3 = registry.value(*line, &Look::at(Instant::START)).to_bits();
        }
        (selected, all, places)
    }

    proptest! {
        #![proptest_config(crate::random::cases(64))]
        #[test]
        fn a_selection_sees_what_a_full_walk_filtered_by_name_sees(
            profile in prop::sample::select(vec!["0.18", "1.3", "2.0"]),
            role in prop::sample::select(Role::ALL.to_vec()),
            first in registers(),
            then in registers(),
            every in 1..60usize,
        ) {
            let profile = Profile::named(profile).expect("a profile");
            let mut registry = Registry::configured(profile, role, Instant::START, Common::default());
            grow(&mut registry, &first);
            let mut names: BTreeSet<String> =
                seen(&registry, &Selection::ALL).into_iter().map(|it| it.0).step_by(every).collect();
            names.insert("http_server_requests_seconds_sum".into());
            names.insert("nobody_has_this".into());
            let selection = Selection::of(Arc::new(names.clone()));
            let (mut before, mut known) = (None, Seen::new());
            for more in [&[][..], &then[..]] {
                grow(&mut registry, more);
                let mut expected = seen(&registry, &Selection::ALL);
                prop_assert_eq!(registry.lines(), expected.len());
                let mut lines = BTreeSet::new();
                registry.line_names(|name| _ = lines.insert(name.to_owned()));
                prop_assert_eq!(lines, expected.iter().map(|it| it.0.clone()).collect::<BTreeSet<_>>());
                expected.retain(|it| names.contains(&it.0));
                prop_assert_eq!(&seen(&registry, &selection), &expected);
                let (selected, all, places) = found(&registry, &selection, before.as_ref());
                prop_assert_eq!(&all, &expected);
                prop_assert!(selected.is_of(&registry));
                // A process only ever registers more: all lines that were there are there again.
                prop_assert_eq!(places.iter().flatten().copied().collect::<Vec<_>>(), (0..known.len()).collect::<Vec<_>>());
                for (place, line) in places.iter().zip(&all) {
                    if let Some(place) = place {
                        prop_assert_eq!(&known[*place].1, &line.1);
                        prop_assert_eq!((&known[*place].0, &known[*place].2), (&line.0, &line.2));
                    }
                }
                (before, known) = (Some(selected), all);
            }
            // The next process of the kind has what they all have at start, and nothing of this one's.
            let mut next = Registry::configured(profile, role, Instant::START, Common::default());
            grow(&mut next, &then);
            let (_, all, places) = found(&next, &selection, before.as_ref());
            prop_assert_eq!(&all, &found(&next, &selection, None).1);
            for (place, line) in places.iter().zip(&all) {
                if let Some(place) = place {
                    prop_assert_eq!((&known[*place].0, &known[*place].1), (&line.0, &line.1));
                }
            }
        }
    }
}
