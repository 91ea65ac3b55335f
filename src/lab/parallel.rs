//! Many runs on several threads.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does `work` for each of `count` things on `jobs` threads, and gives the results in their order, whatever the threads did.
/// `done` is told how many are finished, one call at a time.
pub fn parallel<T: Send>(
    count: usize,
    jobs: usize,
    work: impl Fn(usize) -> T + Sync,
    done: impl FnMut(usize) + Send,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let told = Mutex::new((0, done));
    let one = || {
        let mut results = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return results;
            }
            results.push((index, work(index)));
            if let Ok(mut told) = told.lock() {
                told.0 += 1;
                let finished = told.0;
                (told.1)(finished);
            }
        }
    };
    let all: BTreeMap<usize, T> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.clamp(1, count.max(1))).map(|_| scope.spawn(one)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    });
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_come_in_order_on_any_number_of_threads() {
        for jobs in [0, 1, 3, 50] {
            let mut finished = Vec::new();
            let squares = super::parallel(20, jobs, |index| index * index, |done| finished.push(done));
            assert_eq!(squares, (0..20).map(|index| index * index).collect::<Vec<_>>());
            assert_eq!(finished, (1..=20).collect::<Vec<_>>());
        }
        assert!(super::parallel(0, 4, |index| index, |_| {}).is_empty());
    }
}
