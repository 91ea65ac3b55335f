//! Which version and which role a server speaks for, by the series that it exposes.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Profile, Role};

/// What the series of a server speak for.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognised {
    /// The newest of the versions that explain them best.
    pub profile: &'static Profile,
    /// Roles of that version that explain them equally well; at least one.
    pub roles: Vec<Role>,
    /// No other version explains them as well.
    pub certain: bool,
}

/// Of all series of a role at start so many, in percent, must be there: else it is another program.
const ENOUGH: usize = 50;

/// A series: its name, and the labels that tell the series of its meter apart at start, in order of their keys.
type Series = (String, Vec<(String, String)>);

/// The version and the roles that fit the series of a server, each a name such as `kestra_worker_job_running` or
/// `jvm_gc_pause_seconds_count` and its labels; none where they are not those of a Kestra.
///
/// What a role shows at start never goes away (recorded in all versions), so that each of these series that is missing
/// speaks against it; a name that a version does not have at all speaks against the version.
pub fn recognise<'a, L>(series: impl IntoIterator<Item = (&'a str, L)>) -> Option<Recognised>
where
    L: IntoIterator<Item = (&'a str, &'a str)>,
{
    let mut seen: FxHashMap<&str, Vec<Vec<(&str, &str)>>> = FxHashMap::default();
    for (name, labels) in series {
        seen.entry(name).or_default().push(labels.into_iter().collect());
    }
    let mut best: Vec<(Score, &'static Profile, Role)> = Vec::new();
    for name in Profile::NAMES {
        let Ok(profile) = Profile::named(name) else { continue };
        let foreign = seen.keys().filter(|name| !profile.series().contains(**name)).count();
        let found = told_apart(profile, &seen);
        for role in profile.roles() {
            let Some(score) = score(profile, role, &found, foreign) else { continue };
            let ahead = best.first().map(|(before, ..)| score.cmp(before));
            if ahead.is_none_or(|order| order.is_gt()) {
                best.clear();
            }
            if ahead.is_none_or(|order| order.is_ge()) {
                best.push((score, profile, role));
            }
        }
    }
    let (_, profile, _) = *best.last()?;
    let roles = best.iter().filter(|(_, other, _)| *other == profile).map(|(.., role)| *role).collect();
    Some(Recognised { profile, roles, certain: best.iter().all(|(_, other, _)| *other == profile) })
}

/// What was seen of the meters of a version that show something at start, each with no more than the labels that it has
/// there: others are a user's or those of whoever scraped it.
fn told_apart(profile: &Profile, seen: &FxHashMap<&str, Vec<Vec<(&str, &str)>>>) -> FxHashSet<Series> {
    let mut found = FxHashSet::default();
    for (_, meter) in profile.meters() {
        let keys: BTreeSet<&str> =
            meter.start.iter().flat_map(|start| &start.tags).map(|(key, _)| key.as_str()).collect();
        for name in meter.series().filter(|_| !meter.start.is_empty()) {
            for labels in seen.get(name.as_str()).into_iter().flatten() {
                let own = labels.iter().filter(|(key, value)| keys.contains(key) && !value.is_empty());
                let mut own: Vec<_> = own.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
                own.sort();
                found.insert((name.clone(), own));
            }
        }
    }
    found
}

/// The higher, the better; what speaks against comes before what speaks for.
type Score = (Reverse<usize>, usize);

fn score(profile: &Profile, role: Role, found: &FxHashSet<Series>, foreign: usize) -> Option<Score> {
    let all = profile.series_at_start(role);
    let own = all.iter().any(|series| series.0.starts_with("kestra_") && found.contains(series));
    // Which queries are slow enough to be told differs with the database and the day.
    let steady = |series: &&Series| !series.1.iter().any(|(key, _)| key == "sql");
    let start: Vec<&Series> = all.iter().filter(steady).collect();
    let there = start.iter().filter(|series| found.contains(**series)).count();
    let enough = own && there * 100 >= start.len() * ENOUGH;
    enough.then(|| (Reverse(start.len() - there + foreign), there))
}

impl Profile {
    /// The series that a process of a role shows at start.
    fn series_at_start(&self, role: Role) -> FxHashSet<Series> {
        let mut series = FxHashSet::default();
        for (_, meter) in self.meters() {
            for start in meter.start.iter().filter(|start| start.roles.contains(&role)) {
                let mut all: Vec<Vec<(String, String)>> = vec![Vec::new()];
                for (key, values) in &start.tags {
                    let with = |labels: &Vec<(String, String)>, value: &String| {
                        let more = (!value.is_empty()).then(|| (key.clone(), value.clone()));
                        labels.iter().cloned().chain(more).collect()
                    };
                    all = all.iter().flat_map(|labels| values.iter().map(move |value| with(labels, value))).collect();
                }
                for mut labels in all {
                    labels.sort();
                    series.extend(meter.series().map(|name| (name, labels.clone())));
                }
            }
        }
        series
    }
}
