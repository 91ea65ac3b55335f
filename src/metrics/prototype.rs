//! What processes of one kind have in common: built once, shared by all of them.

use std::sync::{Arc, Mutex, PoisonError};

use super::catalogue::Catalogue;
use super::layout::Layout;
use super::registry::Common;
use crate::profile::{Profile, Role};

/// The registry of a process that has just started, without its values: it depends on nothing but version, role and what is
/// configured.
#[derive(Debug)]
pub(super) struct Prototype {
    pub(super) catalogue: Arc<Catalogue>,
    role: Role,
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
        let mut alike = known.iter().filter(|it| it.catalogue.is_of(profile, common)).peekable();
        let catalogue = alike.peek().map(|it| it.catalogue.clone());
        if let Some(found) = alike.find(|it| it.role == role) {
            return found.clone();
        }
        let catalogue = catalogue.unwrap_or_else(|| Arc::new(Catalogue::new(profile, common)));
        let layout = Layout::at_start(&catalogue, role);
        let built = Arc::new(Prototype { catalogue, role, layout });
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.push(built.clone());
        built
    }

    /// One that shows nothing at start.
    #[cfg(test)]
    pub(super) fn bare(profile: &'static Profile, role: Role, common: &Common) -> Arc<Prototype> {
        let catalogue = Arc::new(Catalogue::new(profile, common));
        Arc::new(Prototype { catalogue, role, layout: Layout::default() })
    }
}
