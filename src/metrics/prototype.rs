//! What processes of one kind have in common: built once, shared by all of them.

use std::sync::{Arc, Mutex, PoisonError};

use super::layout::{FamilyText, Layout, Metered};
use super::registry::{Common, Registry};
use super::series::bound_text;
use crate::profile::{Kind, MeterId, Profile, Role};
use crate::time::Instant;

/// The registry of a process that has just started, without its values: it depends on nothing but version, role and what is
/// configured.
#[derive(Debug)]
pub(super) struct Prototype {
    pub(super) profile: &'static Profile,
    role: Role,
    pub(super) common: Common,
    /// Bounds of buckets as they are written.
    pub(super) bounds: Vec<String>,
    pub(super) layout: Layout,
}

/// Prototypes that are remembered. A test suite of all versions and roles makes some eighty.
const REMEMBERED: usize = 128;

impl Prototype {
    /// The prototype of a kind of process.
    ///
    /// It is remembered for the next process of the kind. That is no state anyone could see: a prototype never changes, and
    /// one that is built anew says the same, so neither the order of calls nor what was forgotten makes a difference.
    pub(super) fn of(profile: &'static Profile, role: Role, common: &Common) -> Arc<Prototype> {
        static KNOWN: Mutex<Vec<Arc<Prototype>>> = Mutex::new(Vec::new());
        // What a panic leaves behind is whole: a push.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |it: &&Arc<Prototype>| std::ptr::eq(it.profile, profile) && it.role == role && it.common == *common;
        if let Some(found) = known.iter().find(same) {
            return found.clone();
        }
        let built = Arc::new(Prototype::build(profile, role, common));
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.push(built.clone());
        built
    }

    fn build(profile: &'static Profile, role: Role, common: &Common) -> Prototype {
        let bounds: Vec<String> = profile.buckets().iter().map(|bound| bound_text(*bound)).collect();
        let of = |layout| Prototype { profile, role, common: common.clone(), bounds: bounds.clone(), layout };
        let mut registry = Registry::like(Arc::new(of(Layout::default())), Instant::START);
        registry.start(role, "", Instant::START);
        of(Arc::unwrap_or_clone(registry.own))
    }

    /// What a meter without series begins with: the texts of its families.
    pub(super) fn names(&self, id: MeterId) -> Metered {
        let unknown = || (String::new(), "", Kind::Gauge);
        let (name, help, kind) = self.profile.meter_of(id).map_or_else(unknown, |meter| {
            (meter.prometheus_name_of(&self.common.name(&meter.name)), meter.help.as_str(), meter.kind)
        });
        // What is set hides the texts here only: /metrics goes on showing them.
        let help = if self.common.without_help { "" } else { help };
        let has_max = !matches!(kind, Kind::Counter | Kind::Gauge);
        let maximum = has_max.then(|| FamilyText::new(&format!("{name}_max"), help, Kind::Gauge, true));
        Metered {
            id,
            text: Arc::new(FamilyText::new(&name, help, kind, false)),
            maximum: maximum.map(Arc::new),
            order: Vec::new(),
        }
    }
}
