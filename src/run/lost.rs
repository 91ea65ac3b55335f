//! Which rule of relabelling keeps a series out: one that drops a target, or one that drops or changes samples.

use super::explain::words;
use super::targets::Gone;
use super::watch::Watching;
use crate::metrics::Selection;
use crate::monitor::Lost;
use crate::promql::{AskedLabel, Expression, Labels};
use crate::simulator::Simulation;

impl Watching {
    /// The rule of `metric_relabel_configs` for which a selector selects nothing, in words.
    pub(super) fn lost(&self, selector: &str) -> Option<String> {
        let Lost { rule, job, series, changed } = self.monitor.lost(&Expression::parse(selector).ok()?)?;
        let of = if series == 1 { "1 series".to_owned() } else { format!("{series} series") };
        Some(match changed {
            None => format!("{rule} of job {job} drops what `{selector}` selects, {of}"),
            Some(now) => {
                let name = now.iter().find(|(key, _)| &**key == "__name__").map_or("", |(_, name)| name);
                format!("{rule} of job {job} changes what `{selector}` selects, {of}: one is {name}{} now", words(&now))
            }
        })
    }

    /// The rule of `relabel_configs` that drops a member which shows a metric, in words.
    pub(super) fn gone_with(&self, name: &str, simulation: &Simulation) -> Option<String> {
        let selection = Selection::of(std::sync::Arc::new([name.to_owned()].into()));
        let shows = |gone: &&Gone| {
            let Some(registry) = simulation.members().get(gone.member).and_then(|it| it.registry()) else {
                return false;
            };
            let mut shown = false;
            registry.some_samples(&simulation.look(gone.member), &selection, |_| shown = true);
            shown
        };
        self.dropped(simulation, shows)
    }

    /// The rule of `relabel_configs` that drops a member whose series would have had a label that none has, in words.
    pub(super) fn gone_of(&self, name: &str, asked: &AskedLabel, simulation: &Simulation) -> Option<String> {
        let alone = Expression::parse(&asked.alone).ok()?;
        let fits = |gone: &&Gone| {
            // Of a label that targets do not have nothing is known.
            let has = gone.labels.iter().any(|(key, _)| **key == *asked.label);
            let own = [("__name__".into(), name.into())];
            let all: Labels = own.into_iter().chain(gone.labels.iter().cloned()).collect();
            has && alone.selects(&all)
        };
        self.dropped(simulation, fits)
    }

    /// The first rule that drops members like these, and all that it drops of them.
    fn dropped(&self, simulation: &Simulation, fits: impl Fn(&&Gone) -> bool) -> Option<String> {
        let gone: Vec<&Gone> = self.gone.iter().filter(fits).collect();
        let Gone { job, rule, .. } = gone.first()?;
        let members = &simulation.plan().cluster.members;
        let by = gone.iter().filter(|it| it.job == *job && it.rule == *rule);
        let names: Vec<&str> = by.filter_map(|it| Some(members.get(it.member)?.name.as_str())).collect();
        Some(format!("{rule} of job {job} drops {}", names.join(", ")))
    }
}
