//! What is wrong with executions, by the model's own truth: their states and times, beside those of the same cluster to which
//! nothing is done. No metric is asked.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::simulator::{Simulation, StateChange};
use crate::time::{Duration, Instant};

/// What becomes of executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Harm {
    /// They end badly, again and again.
    Fail,
    /// They do not end: not begun, queued, or running for ever.
    Hang,
    /// There are none, where there should be.
    Missing,
}

/// Harm of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Harmed {
    pub(super) harm: Harm,
    /// Of which flow, an index into the plan's.
    pub(super) flow: u32,
    /// Since when.
    pub(super) since: Instant,
    /// Until when it goes on, as far as the run shows it.
    pub(super) until: Instant,
    /// How many executions of it.
    pub(super) count: usize,
}

/// What became of one execution.
#[derive(Clone, Copy, Debug)]
struct Life {
    created: Instant,
    ended: Option<(Instant, bool)>,
}

/// What became of the executions of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives {
    flows: BTreeMap<u32, Vec<Life>>,
    end: Instant,
}

impl Lives {
    /// Those of a simulation that keeps all changes of executions.
    pub(super) fn of(simulation: &Simulation) -> Lives {
        let mut lives: BTreeMap<(u32, u64), Life> = BTreeMap::new();
        for &StateChange { at, flow, number, state } in simulation.changes().iter() {
            let life = lives.entry((flow, number)).or_insert(Life { created: at, ended: None });
            life.ended = state.is_terminated().then(|| (at, state.is_bad_end()));
        }
        // What was lost from the database never ended.
        let mut flows: BTreeMap<u32, Vec<Life>> = BTreeMap::new();
        for ((flow, _), life) in lives {
            flows.entry(flow).or_default().push(life);
        }
        Lives { flows, end: simulation.now() }
    }

    fn of_flow(&self, flow: u32) -> &[Life] {
        self.flows.get(&flow).map_or(&[], Vec::as_slice)
    }

    fn until(&self, life: &Life) -> Instant {
        life.ended.map_or(self.end, |(at, _)| at)
    }

    /// How long an execution of a flow takes at most; those too that have not ended.
    fn usual(&self, flow: u32) -> Duration {
        self.of_flow(flow).iter().map(|life| self.until(life).since(life.created)).max().unwrap_or_default()
    }

    /// All harm that lasts longer than a limit, by flow, beside the lives of the same cluster when it is well.
    pub(super) fn harm(&self, well: &Lives, limit: Duration) -> Vec<Harmed> {
        let mut all = Vec::new();
        for flow in well.flows.keys().copied() {
            // A flow that fails or waits too long without any fault says nothing.
            let fails = well.of_flow(flow).iter().any(|life| life.ended.is_some_and(|(_, bad)| bad));
            if fails || well.usual(flow) > limit {
                continue;
            }
            let found = [self.failing(flow, limit), self.hanging(well, flow, limit), self.missing(well, flow, limit)];
            all.extend(found.into_iter().flatten());
        }
        all.sort_by_key(|it| (it.since, it.flow, it.harm));
        all
    }

    /// Bad ends one after the other, none of them longer than the limit after the one before it.
    fn failing(&self, flow: u32, limit: Duration) -> Option<Harmed> {
        let bad = self.of_flow(flow).iter().filter_map(|life| life.ended.filter(|(_, bad)| *bad).map(|(at, _)| at));
        let mut bad: Vec<Instant> = bad.collect();
        bad.sort();
        let mut begin = 0;
        let mut found = None;
        for (at, instant) in bad.iter().enumerate() {
            if at > begin && instant.since(*bad.get(at - 1)?) > limit {
                begin = at;
            }
            let since = *bad.get(begin)?;
            if instant.since(since) > limit {
                found = Some((since, begin));
                break;
            }
        }
        let (since, begin) = found?;
        let spell = bad.iter().skip(begin).zip(bad.iter().skip(begin + 1)).take_while(|(a, b)| b.since(**a) <= limit);
        let rest: Vec<Instant> = spell.map(|(_, at)| *at).collect();
        let until = rest.last().copied().unwrap_or(since);
        Some(Harmed { harm: Harm::Fail, flow, since, until, count: 1 + rest.len() })
    }

    /// Executions that take longer than they ever do, by more than the limit.
    fn hanging(&self, well: &Lives, flow: u32, limit: Duration) -> Option<Harmed> {
        let usual = well.usual(flow);
        let long = self.of_flow(flow).iter().filter(|life| self.until(life).since(life.created) > usual + limit);
        let long: Vec<&Life> = long.collect();
        let since = long.iter().map(|life| life.created + usual).min()?;
        let until = long.iter().map(|life| self.until(life)).max()?;
        Some(Harmed { harm: Harm::Hang, flow, since, until, count: long.len() })
    }

    /// A time in which none comes, and several would have come.
    fn missing(&self, well: &Lives, flow: u32, limit: Duration) -> Option<Harmed> {
        let sorted = |lives: &[Life]| {
            let mut created: Vec<Instant> = lives.iter().map(|life| life.created).collect();
            created.sort();
            created
        };
        let (came, due) = (sorted(self.of_flow(flow)), sorted(well.of_flow(flow)));
        let ends = came.iter().copied().chain([self.end]);
        let begins = [*due.first()?].into_iter().chain(came.iter().copied());
        begins.zip(ends).find_map(|(from, to)| {
            let missed: Vec<Instant> = due.iter().copied().filter(|at| *at > from && *at < to).collect();
            let since = *missed.first()?;
            let lasts = to.since(since) > limit && missed.len() > 1;
            lasts.then_some(Harmed { harm: Harm::Missing, flow, since, until: to, count: missed.len() })
        })
    }
}
