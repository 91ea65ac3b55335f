//! Many runs on several threads.

use std::sync::Arc;

use crate::parallel::parallel;
use crate::random::Seed;
use crate::scenario::Plan;
use crate::simulator::LimitReached;

/// A run that gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{scenario} with seed {seed}: {why}")]
pub struct RunFailed {
    /// The scenario's name.
    pub scenario: String,
    /// The seed that gives the same failure again.
    pub seed: u64,
    /// Why: a limit that was reached, or what a panic said.
    pub why: String,
}

/// Runs each plan with its seed by `work`, on `jobs` threads; the results are in the order of `runs`. `done` is told how many
/// are finished.
///
/// # Errors
/// The first of the runs that reached a limit or panicked.
pub fn run_all<T: Send>(
    runs: &[(Arc<Plan>, Seed)],
    jobs: usize,
    work: impl Fn(&Arc<Plan>, Seed) -> Result<T, LimitReached> + Sync,
    done: impl FnMut(usize) + Send,
) -> Result<Vec<T>, RunFailed> {
    let failed = |index: usize, why: String| {
        let (scenario, seed) =
            runs.get(index).map_or_else(Default::default, |(plan, seed)| (plan.name.clone(), seed.0));
        RunFailed { scenario, seed, why }
    };
    let results = parallel(runs.len(), jobs, |index| work(&runs[index].0, runs[index].1), done);
    let results = results.map_err(|it| failed(it.index, it.why))?.into_iter().enumerate();
    results.map(|(index, result)| result.map_err(|limit| failed(index, limit.to_string()))).collect()
}

#[cfg(test)]
#[allow(clippy::panic, clippy::expect_used, reason = "a test that cannot go on panics")]
mod tests {
    use super::*;
    use crate::scenario::{NoFiles, read};
    use crate::time::Instant;

    fn runs(seeds: std::ops::RangeInclusive<u64>) -> Vec<(Arc<Plan>, Seed)> {
        let plan = Arc::new(read("x.yaml", "name: x\nduration: 1m\n", &NoFiles).0.expect("a plan"));
        seeds.map(|seed| (plan.clone(), Seed(seed))).collect()
    }

    #[test]
    fn a_run_that_panics_is_named_by_its_scenario_and_seed() {
        for jobs in [1, 2] {
            let work = |_: &Arc<Plan>, seed: Seed| if seed.0 == 4 { panic!("boom") } else { Ok(seed.0) };
            let failed = run_all(&runs(1..=6), jobs, work, |_| {}).expect_err("it panicked");
            assert_eq!(failed.to_string(), "x with seed 4: it panicked: boom");
            assert_eq!(run_all(&runs(5..=6), jobs, work, |_| {}), Ok(vec![5, 6]));
        }
    }

    #[test]
    fn a_run_that_reaches_a_limit_is_named_by_its_scenario_and_seed() {
        let limit = LimitReached { what: "the number of events", limit: 3, at: Instant::START };
        let work = |_: &Arc<Plan>, seed: Seed| if seed.0 == 2 { Err(limit.clone()) } else { Ok(()) };
        let failed = run_all(&runs(1..=6), 2, work, |_| {}).expect_err("a limit");
        assert_eq!(failed.to_string(), "x with seed 2: the number of events reached its limit of 3 at 0s");
    }
}
