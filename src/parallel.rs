//! Work on several threads, of which none can get lost: all results are there, or an error says which has none.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Work that gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("number {index} of the work: {why}")]
pub struct WorkFailed {
    /// Which of the work, from 0.
    pub index: usize,
    /// Why: what the panic said.
    pub why: String,
}

/// Does `work` for each of `count` things on `jobs` threads, and gives the results in their order, whatever the threads did.
/// `done` is told how many are finished, one call at a time.
///
/// # Errors
/// The first thing whose work panicked: what comes after it is not begun.
pub fn parallel<T: Send>(
    count: usize,
    jobs: usize,
    work: impl Fn(usize) -> T + Sync,
    done: impl FnMut(usize) + Send,
) -> Result<Vec<T>, WorkFailed> {
    let next = AtomicUsize::new(0);
    let told = Mutex::new((0, done));
    let finished: Mutex<Vec<(usize, Result<T, String>)>> = Mutex::new(Vec::new());
    let one = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            // Nothing is used again that a panic could have left half made: `work` has no state of its own, and `done` is
            // not called after it panicked, as no work is begun then.
            let result = catch_unwind(AssertUnwindSafe(|| {
                let result = work(index);
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.0 += 1;
                let so_far = told.0;
                (told.1)(so_far);
                result
            }));
            if result.is_err() {
                // All before it are begun already: so the first to panic is always found, on any number of threads.
                next.store(count, Ordering::Relaxed);
            }
            let result = result.map_err(|panic| message(panic.as_ref()));
            finished.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    std::thread::scope(|scope| {
        // Where the system gives fewer threads, fewer do the same work.
        for _ in 1..jobs.min(count) {
            if std::thread::Builder::new().spawn_scoped(scope, one).is_err() {
                break;
            }
        }
        one();
    });
    let mut finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    finished.sort_by_key(|(index, _)| *index);
    let mut results = Vec::with_capacity(count);
    for (index, result) in finished {
        results.push(result.map_err(|why| WorkFailed { index, why })?);
    }
    match results.len() == count {
        true => Ok(results),
        false => Err(WorkFailed { index: results.len(), why: "it gave no result".to_owned() }),
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
#[allow(clippy::panic, clippy::expect_used, reason = "a test that cannot go on panics")]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_on_any_number_of_threads() {
        for jobs in [0, 1, 3, 50] {
            let mut finished = Vec::new();
            let squares = parallel(20, jobs, |index| index * index, |done| finished.push(done));
            assert_eq!(squares, Ok((0..20).map(|index| index * index).collect::<Vec<_>>()));
            assert_eq!(finished, (1..=20).collect::<Vec<_>>());
        }
        assert_eq!(parallel(0, 4, |index| index, |_| {}), Ok(Vec::new()));
    }

    #[test]
    fn a_panic_is_handed_on_with_its_place_and_message_on_any_number_of_threads() {
        for jobs in [1, 2, 3, 50] {
            let work = |index: usize| match index {
                7 | 11 => panic!("boom {index}"),
                index => index,
            };
            let failed = parallel(20, jobs, work, |_| {}).expect_err("it panicked");
            assert_eq!(failed, WorkFailed { index: 7, why: "it panicked: boom 7".to_owned() }, "{jobs} threads");
        }
        let without = parallel(2, 1, |_| std::panic::panic_any(5), |_| {});
        assert_eq!(
            without,
            Err(WorkFailed { index: 0, why: "it panicked: without a message".to_owned() }) as Result<Vec<()>, _>
        );
    }

    #[test]
    fn after_a_panic_no_more_work_is_begun() {
        let begun = AtomicUsize::new(0);
        let work = |index: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            assert!(index != 7, "boom");
        };
        assert!(parallel(1_000, 1, work, |_| {}).is_err());
        assert_eq!(begun.into_inner(), 8);
    }

    #[test]
    fn a_panic_of_who_is_told_loses_no_result_either() {
        for jobs in [1, 4] {
            let failed =
                parallel(9, jobs, |index| index, |done| assert!(done < 3, "nobody listens")).expect_err("it panicked");
            assert!(failed.why.contains("nobody listens"), "{failed}");
        }
    }
}
