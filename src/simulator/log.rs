//! What came one after the other, and is looked at later: the last of it is kept. Copies share what is old, so that a copy of
//! a simulation does not copy its past.

use std::collections::VecDeque;
use std::sync::Arc;

/// Entries in their order.
#[derive(Clone, Debug)]
pub struct Log<T> {
    /// All but the last are full.
    chunks: VecDeque<Arc<Vec<T>>>,
    /// Entries that are not kept any more.
    dropped: u64,
    /// Entries that are kept at most.
    limit: usize,
    endless: bool,
}

/// Entries that are shared, or dropped, together.
const CHUNK: usize = 256;

impl<T: Clone> Log<T> {
    /// An empty one that keeps so many at most.
    pub(super) fn new(limit: usize) -> Log<T> {
        Log { chunks: VecDeque::new(), dropped: 0, limit, endless: false }
    }

    /// From now on the oldest make room for the newest, instead of an end at the limit.
    pub(super) fn drop_oldest(&mut self) {
        self.endless = true;
    }

    /// Keeps an entry.
    ///
    /// # Errors
    /// There are too many: the limit.
    pub(super) fn add(&mut self, entry: T) -> Result<(), u64> {
        if self.len() >= self.limit {
            if !self.endless {
                return Err(self.limit as u64);
            }
            self.dropped += self.chunks.pop_front().map_or(0, |chunk| chunk.len() as u64);
        }
        match self.chunks.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(entry),
            None => self.chunks.push_back(Arc::new(vec![entry])),
        }
        Ok(())
    }

    /// Where the entry of a number stands, if it was not dropped: its chunk, and its place there. All chunks but the last
    /// are full, and none is dropped in part.
    fn place(&self, number: u64) -> Option<(usize, usize)> {
        let at = number.checked_sub(self.dropped)? as usize;
        Some((at / CHUNK, at % CHUNK))
    }

    /// The entry of a number, if it is kept.
    pub fn get(&self, number: u64) -> Option<&T> {
        let (chunk, at) = self.place(number)?;
        self.chunks.get(chunk)?.get(at)
    }

    /// Changes the entry of a number, if it is kept.
    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut T)) {
        let Some((chunk, at)) = self.place(number) else { return };
        if let Some(entry) = self.chunks.get_mut(chunk).and_then(|chunk| Arc::make_mut(chunk).get_mut(at)) {
            change(entry);
        }
    }

    /// Bytes that a copy takes for itself.
    pub(super) fn own_bytes(&self) -> usize {
        self.chunks.len() * size_of::<Arc<()>>() + CHUNK.min(self.len()) * size_of::<T>()
    }

    /// Entries that are kept.
    pub fn len(&self) -> usize {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        full + self.chunks.back().map_or(0, |chunk| chunk.len())
    }
    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
    /// Entries that made room for later ones: the number of the first that is kept.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
    /// The number of the next entry.
    pub fn next(&self) -> u64 {
        self.dropped + self.len() as u64
    }
    /// Those that are kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
    /// Those that are kept from a number on.
    pub fn since(&self, number: u64) -> impl Iterator<Item = &T> {
        let skipped = number.saturating_sub(self.dropped).min(self.len() as u64) as usize;
        self.chunks.iter().skip(skipped / CHUNK).flat_map(|chunk| chunk.iter()).skip(skipped % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1_000;

    fn log(count: usize, endless: bool) -> (Log<usize>, Option<u64>) {
        let mut log = Log { endless, ..Log::new(LIMIT) };
        let full = (0..count).filter_map(|n| log.add(n).err()).next();
        (log, full)
    }

    fn numbers<'a>(entries: impl Iterator<Item = &'a usize>) -> Vec<usize> {
        entries.copied().collect()
    }

    #[test]
    fn it_gives_what_came_since_a_number() {
        let (log, _) = log(600, false);
        assert_eq!((log.len(), log.next()), (600, 600));
        assert_eq!(numbers(log.iter()), (0..600).collect::<Vec<_>>());
        for since in [0, 1, 255, 256, 257, 512, 599, 600, 700] {
            assert_eq!(numbers(log.since(since as u64)), (since..600).collect::<Vec<_>>(), "{since}");
        }
    }

    #[test]
    fn at_its_limit_it_ends_or_drops_the_oldest() {
        let (stopped, full) = log(LIMIT + 1, false);
        assert_eq!((full, stopped.len()), (Some(LIMIT as u64), LIMIT));
        let (ring, full) = log(LIMIT + 1_000, true);
        assert_eq!(full, None);
        assert!(ring.len() <= LIMIT && ring.next() == LIMIT as u64 + 1_000);
        let first = ring.dropped() as usize;
        assert_eq!(numbers(ring.iter()), (first..LIMIT + 1_000).collect::<Vec<_>>());
        assert_eq!(numbers(ring.since(0)).first(), Some(&first));
    }

    #[test]
    fn an_entry_that_is_kept_is_changed_by_its_number_in_one_copy() {
        let (mut log, _) = log(LIMIT + 300, true);
        let before = log.clone();
        let (first, last) = (log.dropped(), log.next() - 1);
        for number in [0, first, first + 300, last, last + 1] {
            log.change(number, |entry| *entry += 1_000_000);
        }
        assert_eq!([first - 1, last + 1].map(|number| log.get(number)), [None, None]);
        assert_eq!(log.get(last), Some(&(last as usize + 1_000_000)));
        let changed = numbers(log.iter()).iter().filter(|entry| **entry >= 1_000_000).count();
        assert_eq!((changed, numbers(log.since(last))), (3, vec![last as usize + 1_000_000]));
        assert_eq!(numbers(before.iter()), (first as usize..=last as usize).collect::<Vec<_>>());
    }

    #[test]
    fn a_copy_goes_its_own_way() {
        let (mut one, _) = log(300, false);
        let mut other = one.clone();
        one.add(1).expect("room");
        other.add(2).expect("room");
        assert_eq!((one.iter().next_back(), other.iter().next_back()), (Some(&1), Some(&2)));
    }
}
