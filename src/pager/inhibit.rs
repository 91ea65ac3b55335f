//! Which alerts keep others quiet.

use rustc_hash::FxHashMap;

use super::{InhibitRule, LabelSet, Version};

/// What a rule remembers of the alerts that match its source.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// By the values of `equal`: the alerts there were, in the order of their coming.
    by_equal: FxHashMap<Vec<String>, Vec<usize>>,
    /// The same: the only one that 0.33 looks at, the one that was to end last when it was posted.
    only: FxHashMap<Vec<String>, usize>,
}

impl InhibitRule {
    fn values(&self, labels: &LabelSet) -> Vec<String> {
        self.equal.iter().map(|name| labels.get(name).cloned().unwrap_or_default()).collect()
    }
    fn is_source(&self, labels: &LabelSet) -> bool {
        self.source.iter().all(|matcher| matcher.matches(labels))
    }
    fn is_target(&self, labels: &LabelSet) -> bool {
        self.target.iter().all(|matcher| matcher.matches(labels))
    }
}

impl Sources {
    /// An alert was posted; `ends` says when any alert ends.
    pub(super) fn posted(&mut self, rule: &InhibitRule, alert: usize, labels: &LabelSet, ends: impl Fn(usize) -> i64) {
        if !rule.is_source(labels) {
            return;
        }
        let values = rule.values(labels);
        let all = self.by_equal.entry(values.clone()).or_default();
        if !all.contains(&alert) {
            all.push(alert);
        }
        let only = self.only.entry(values).or_insert(alert);
        if *only != alert && ends(*only) <= ends(alert) {
            *only = alert;
        }
    }

    /// The alert that keeps another one quiet, by this rule. An alert that matches both sides is not kept quiet by one that
    /// does so too.
    pub(super) fn inhibitor(
        &self,
        rule: &InhibitRule,
        labels: &LabelSet,
        version: Version,
        fires: impl Fn(usize) -> bool,
        labels_of: impl Fn(usize) -> std::sync::Arc<LabelSet>,
    ) -> Option<usize> {
        if !rule.is_target(labels) {
            return None;
        }
        let both = rule.is_source(labels);
        let values = rule.values(labels);
        let speaks = |alert: &usize| fires(*alert) && !(both && rule.is_target(&labels_of(*alert)));
        match version {
            Version::V0_25 | Version::V0_35 => self.by_equal.get(&values)?.iter().copied().find(|alert| speaks(alert)),
            Version::V0_33 => self.only.get(&values).copied().filter(speaks),
        }
    }
}
