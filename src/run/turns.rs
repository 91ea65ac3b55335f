//! When the rules of a watch are evaluated: at the end, or on the way where nobody asks later for what was before. Then what
//! is kept of the samples does not grow with the length of the run.

use super::autoscale;
use super::watch::{Watch, Watching, milliseconds};
use crate::monitor::Monitor;
use crate::promql::Grid;
use crate::scenario::{Expectation, Plan};
use crate::time::{Calendar, Duration, Instant};

/// Rules are evaluated over this long at once, when they are evaluated on the way.
pub(super) const TURN: Duration = Duration::minutes(60);

/// In longer runs that nobody asks about at the end it is not told how near a rule came: its samples are not kept.
const TOLD: Duration = Duration::minutes(24 * 60);

/// How far back samples must be kept when rules are evaluated on the way; none when all must be kept to the end.
pub(super) fn kept(plan: &Plan, watch: &Watch, monitor: &Monitor) -> Option<Duration> {
    // Expectations about alerts and queries ask at the end, for values or for why there are none.
    let asked = |it: &Expectation| matches!(it, Expectation::Alert(_) | Expectation::Query { .. });
    let ends = plan.expectations.iter().any(asked) || (watch.nearest && plan.duration <= TOLD);
    match (ends && !watch.live) || !watch.also.is_empty() {
        true => None,
        false => monitor
            .reach()
            .zip(autoscale::reach(plan))
            .map(|(rules, scaling)| rules.max(scaling))
            .map(|reach| Duration::milliseconds(reach.unsigned_abs())),
    }
}

impl Watching {
    /// Evaluates all rules at all their instants that are left, up to an instant.
    pub(super) fn evaluate(&mut self, calendar: &Calendar, until: Instant) {
        let groups = self.evaluations.len();
        let grids = (0..groups).map(|group| self.grid(group, calendar, until));
        let all: Vec<Grid> =
            grids.chain((0..self.grafana.len()).map(|group| self.grafana_grid(group, calendar, until))).collect();
        let left = all.iter().zip(&mut self.done).map(|(grid, done)| {
            let before = std::mem::replace(done, grid.count.max(*done));
            Grid { first: grid.time(before), count: grid.count.saturating_sub(before), ..*grid }
        });
        let left: Vec<Grid> = left.collect();
        let (prometheus, grafana) = left.split_at(groups);
        self.monitor.evaluate_all(prometheus);
        for (group, grid) in grafana.iter().enumerate() {
            grid.times().for_each(|time| self.monitor.evaluate_grafana(group, time));
        }
        if let Some(paged) = &mut self.paged {
            paged.take(&self.monitor.sent());
        } else if let Some(outbox) = &mut self.outbox {
            outbox.take(self.monitor.sent());
        }
    }

    /// Evaluates what can be evaluated, and forgets what no evaluation will look at. An evaluation sees all samples up to its
    /// own instant: those that are still to come are of scrapes that have begun, or will.
    pub(super) fn evaluate_on_the_way(&mut self, calendar: &Calendar, now: Instant) {
        let Some(kept) = self.kept.filter(|_| now >= self.turn && self.outbox.is_none()) else { return };
        let begun = self.places.iter().map(|place| place.waiting_since.unwrap_or(place.next));
        let Some(settled) = begun.chain([now]).min() else { return };
        self.turn = now + self.window;
        self.evaluate(calendar, settled.before(Duration::milliseconds(1)));
        self.monitor.forget_before(milliseconds(calendar, settled.before(kept + Duration::milliseconds(1))));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::watch::advance;
    use super::*;
    use crate::monitor::read_rules;
    use crate::random::Seed;
    use crate::report::AlertLine;
    use crate::scenario::{NoFiles, read};
    use crate::simulator::Simulation;

    const SCENARIO: &str = "
name: x
duration: 40m
cluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 2 } }
flows: [ { id: f, namespace: n, tasks: [ { id: t, type: io.kestra.plugin.core.log.Log } ] } ]
behaviour: [ { task: t, duration: 20s, fails: 20% } ]
arrivals: [ { flow: n.f, rate: 20/min } ]
timeline: [ { at: 10m, hang: worker-1, for: 3m }, { at: 20m, kill: executor-1, for: 4m } ]
";

    const RULES: &str = "
groups:
  - name: a
    rules:
      - { record: failed, expr: 'sum by (instance) (rate(kestra_executor_execution_end_count_total{state=\"FAILED\"}[5m]))' }
      - { alert: Down, expr: up == 0, for: 1m, annotations: { text: '{{ $labels.instance }}' } }
      - { alert: Failing, expr: 'sum(failed offset 2m) > 0.03', keep_firing_for: 2m }
      - { alert: Often, expr: 'max_over_time(sum(failed)[10m:1m]) > 0.05 or vector(2) < 1' }
  - name: b
    interval: 40s
    rules:
      - { alert: Late, expr: 'ALERTS{alertname=\"Down\"} == 1 and on () failed > 0', for: 40s }
      - { alert: Twice, expr: 'up == 0 or ignoring (x) label_replace(up == 0, \"x\", \"\", \"\", \"\")' }
";

    /// The life of every alert, rules that failed, and samples that were left at the end.
    fn outcome(
        scenario: &str,
        rules: &str,
        window: Option<Duration>,
    ) -> (Vec<AlertLine>, Vec<(String, String)>, usize) {
        let plan = Arc::new(read("x.yaml", scenario, &NoFiles).0.expect("a plan"));
        let rules = read_rules("r.yml", rules).unwrap_or_else(|told| panic!("{}", crate::document::render(&told))).0;
        let mut simulation = Simulation::new(plan.clone(), Seed(3), Calendar::default());
        let mut watching = Watching::new(&Watch { rules, ..Watch::default() }, &plan, &simulation);
        match window {
            Some(window) => (watching.window, watching.turn) = (window, watching.turn.before(TURN) + window),
            None => watching.kept = None,
        }
        let end = Instant::START + plan.duration;
        advance(&mut simulation, Some(&mut watching), end, &mut |it, to| it.advance(to)).expect("no limit is reached");
        watching.evaluate(&simulation.calendar(), end);
        let left = watching.monitor.database().all().iter().map(|series| series.samples.len()).sum();
        (watching.alerts(&simulation.calendar()), watching.failures(), left)
    }

    #[test]
    fn rules_evaluated_on_the_way_come_to_the_same_as_at_the_end_and_old_samples_are_forgotten() {
        let (alerts, failures, all) = outcome(SCENARIO, RULES, None);
        for name in ["Down", "Failing", "Often", "Late"] {
            assert!(alerts.iter().any(|line| line.alert == name && line.firing.is_some()), "{name} fires");
        }
        for window in [Duration::seconds(15), Duration::seconds(100), Duration::minutes(17)] {
            let on_the_way = outcome(SCENARIO, RULES, Some(window));
            assert_eq!((&on_the_way.0, &on_the_way.1), (&alerts, &failures), "{window}");
            assert!(on_the_way.2 < all, "{} samples of {all} are left", on_the_way.2);
        }
        // What is kept does not grow with time.
        let longer = SCENARIO.replace("duration: 40m", "duration: 4h");
        assert!(outcome(&longer, RULES, Some(Duration::minutes(5))).2 < all);
    }

    #[test]
    fn who_asks_at_the_end_or_looks_into_the_future_keeps_every_sample() {
        let future = "groups: [ { name: a, rules: [ { alert: A, expr: 'up offset -5m == 0' } ] } ]";
        let asked = SCENARIO.to_owned() + "expect: [ { alert: Down, fires: { after: 1m } } ]";
        for (scenario, rules) in [(SCENARIO, future), (&asked, RULES)] {
            let turns = outcome(scenario, rules, Some(Duration::minutes(1)));
            assert_eq!(turns, outcome(scenario, rules, None));
        }
    }
}
