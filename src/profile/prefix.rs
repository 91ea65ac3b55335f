//! What a server has in place of `kestra` at the beginning of its own meters: `kestra.metrics.prefix`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Profile;

/// What stands there as it ships.
const PREFIX: &str = "kestra";

/// So many meters must have the same beginning for it to be a prefix.
const VOTES: usize = 3;

/// What stands in place of `kestra` at the beginning of its own meters, by the names of its families; none when it has none
/// of them.
pub fn prefix<'f>(families: impl Iterator<Item = &'f str> + Clone) -> Option<String> {
    if families.clone().any(|family| family.starts_with("kestra_")) {
        return Some(PREFIX.to_owned());
    }
    let ends: BTreeSet<String> = Profile::NAMES
        .iter()
        .filter_map(|name| Profile::named(name).ok())
        .flat_map(Profile::meters)
        .filter(|(_, meter)| meter.name.starts_with("kestra."))
        .filter_map(|(_, meter)| meter.prometheus_name().strip_prefix(PREFIX).map(str::to_owned))
        .collect();
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for family in families {
        // The longest end that fits leaves the shortest beginning.
        let fits = ends.iter().filter_map(|end| family.strip_suffix(end.as_str()).filter(|it| !it.is_empty()));
        if let Some(beginning) = fits.min_by_key(|it| it.len()) {
            *votes.entry(beginning).or_default() += 1;
        }
    }
    let (beginning, count) = votes.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= VOTES).then(|| beginning.to_owned())
}

/// A name as profiles know it: with `kestra` in place of a prefix.
pub fn plain<'n>(name: &'n str, prefix: Option<&str>) -> Cow<'n, str> {
    let Some(prefix) = prefix.filter(|prefix| *prefix != PREFIX) else { return Cow::Borrowed(name) };
    let rest = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    rest.map_or(Cow::Borrowed(name), |rest| Cow::Owned(format!("{PREFIX}_{rest}")))
}
