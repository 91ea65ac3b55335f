//! What all processes of a version have in common, whatever they run: the texts of families, and the series that meters show
//! at start. Each is made when the first process needs it.

use std::sync::{Arc, OnceLock};

use super::layout::FamilyText;
use super::registry::Common;
use super::series::{Series, bound_text};
use crate::profile::{Kind, MeterId, Profile, Start};

/// What processes of one version and configuration share.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) profile: &'static Profile,
    pub(super) common: Common,
    /// Bounds of buckets as they are written.
    pub(super) bounds: Vec<String>,
    /// By number of the meter.
    meters: Vec<Shared>,
}

/// What is shared of a meter.
#[derive(Debug)]
struct Shared {
    names: OnceLock<Names>,
    /// By place in what the profile says of its start.
    start: Vec<OnceLock<Vec<Arc<Series>>>>,
}

/// The texts of a meter's families.
#[derive(Clone, Debug)]
pub(super) struct Names {
    text: Arc<FamilyText>,
    /// The family of its maximum, if it has one.
    maximum: Option<Arc<FamilyText>>,
}

impl Names {
    /// One after the other.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Arc<FamilyText>> {
        std::iter::once(&self.text).chain(&self.maximum)
    }
}

impl Catalogue {
    pub(super) fn new(profile: &'static Profile, common: &Common) -> Catalogue {
        let shared = |starts: usize| Shared {
            names: OnceLock::new(),
            start: std::iter::repeat_with(OnceLock::new).take(starts).collect(),
        };
        Catalogue {
            profile,
            common: common.clone(),
            bounds: profile.buckets().iter().map(|bound| bound_text(*bound)).collect(),
            meters: profile.meters().map(|(_, meter)| shared(meter.start.len())).collect(),
        }
    }

    /// Whether it is that of a version and configuration.
    pub(super) fn is_of(&self, profile: &Profile, common: &Common) -> bool {
        std::ptr::eq(self.profile, profile) && self.common == *common
    }

    /// The texts of a meter's families.
    pub(super) fn names(&self, id: MeterId) -> Option<&Names> {
        let shared = self.meters.get(id.0 as usize)?;
        let meter = self.profile.meter_of(id)?;
        Some(shared.names.get_or_init(|| {
            let name = meter.prometheus_name_of(&self.common.name(&meter.name));
            let has_max = !matches!(meter.kind, Kind::Counter | Kind::Gauge);
            // What is set hides the texts here only: /metrics goes on showing them.
            let help = if self.common.without_help { "" } else { meter.help.as_str() };
            let maximum = has_max.then(|| FamilyText::of_maximum(&name, help));
            Names { text: Arc::new(FamilyText::new(&name, help, meter.kind)), maximum: maximum.map(Arc::new) }
        }))
    }

    /// The series that a meter shows at start, of an entry of those that its profile has for it.
    pub(super) fn start(&self, id: MeterId, place: usize) -> &[Arc<Series>] {
        let shared = self.meters.get(id.0 as usize).and_then(|shared| shared.start.get(place));
        let meter = self.profile.meter_of(id);
        let (Some(shared), Some(meter)) = (shared, meter) else { return &[] };
        let Some(start) = meter.start.get(place) else { return &[] };
        shared.get_or_init(|| {
            let all = combinations(start).into_iter().map(|tags| self.labels(&tags));
            let on = all.filter(|labels| !self.is_off(id, labels));
            on.map(|labels| Arc::new(Series::new(&labels, meter.kind, start.source))).collect()
        })
    }

    /// Whether what registers a series of a meter is switched off.
    pub(super) fn is_off(&self, id: MeterId, labels: &[(&str, &str)]) -> bool {
        let off = &self.common.off;
        !off.is_empty()
            && self.profile.meter_of(id).is_some_and(|it| off.iter().any(|binder| binder.registers(&it.name, labels)))
    }

    /// The labels of a series with these tags, in the order of their keys. A tag of a meter wins over a common one.
    pub(super) fn labels<'a>(&'a self, tags: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut labels = tags.to_vec();
        let common = self.common.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        labels.extend(common.filter(|(key, _)| tags.iter().all(|(own, _)| own != key)));
        labels.sort_unstable_by_key(|(key, _)| *key);
        labels
    }
}

/// All combinations of tag values.
fn combinations(start: &Start) -> Vec<Vec<(&str, &str)>> {
    let mut all = vec![Vec::with_capacity(start.tags.len())];
    for (key, values) in &start.tags {
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
