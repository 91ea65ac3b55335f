//! What happens, as values; their texts are made by one function. The journal keeps the last of them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::ExitCause;
use super::{Level, limits};
use crate::scenario::Plan;
use crate::time::{Duration, Instant};

/// Something that happened. Members are indices into the plan's.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A fault begins.
    FaultBegins {
        /// Its name.
        name: Arc<str>,
        /// What it does, in words.
        what: Arc<str>,
        /// How long it lasts, if it ends by itself.
        lasts: Option<Duration>,
    },
    /// A fault ends.
    FaultEnds {
        /// Its name.
        name: Arc<str>,
    },
    /// A process starts up.
    Starts {
        /// Whose.
        member: usize,
    },
    /// A process is up.
    ComesUp {
        /// Whose.
        member: usize,
    },
    /// A process shuts down after SIGTERM or `POST /stop`.
    ShutsDown {
        /// Whose.
        member: usize,
    },
    /// A process closes its ports and lives on.
    ClosesPorts {
        /// Whose.
        member: usize,
    },
    /// A process ends by itself.
    Exits {
        /// Whose.
        member: usize,
        /// Its exit code.
        code: u8,
        /// Why, in words.
        why: &'static str,
    },
    /// A process is killed.
    Killed {
        /// Whose.
        member: usize,
    },
    /// A worker has no controller any more.
    LosesController {
        /// Whose.
        member: usize,
    },
    /// The cluster misses the heartbeats of a process.
    Disconnected {
        /// Whose.
        member: usize,
        /// How long it was silent.
        silence: Duration,
    },
    /// The cluster gives a process up.
    Inactive {
        /// Whose.
        member: usize,
        /// Jobs of it that are handed out again, of a worker that had some.
        jobs: usize,
    },
    /// Somebody set a logger.
    LoggerSet {
        /// Whose.
        member: usize,
        /// The logger.
        logger: Arc<str>,
        /// Its level, none when it is that of its parent again.
        level: Option<Level>,
    },
}

impl Happening {
    pub(super) fn exits(member: usize, cause: ExitCause) -> Happening {
        Happening::Exits { member, code: cause.code(), why: cause.text() }
    }

    /// What kind it is, for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Happening::FaultBegins { .. } => "fault-begins",
            Happening::FaultEnds { .. } => "fault-ends",
            Happening::Starts { .. } => "starts",
            Happening::ComesUp { .. } => "comes-up",
            Happening::ShutsDown { .. } => "shuts-down",
            Happening::ClosesPorts { .. } => "closes-ports",
            Happening::Exits { .. } => "exits",
            Happening::Killed { .. } => "killed",
            Happening::LosesController { .. } => "loses-controller",
            Happening::Disconnected { .. } => "disconnected",
            Happening::Inactive { .. } => "inactive",
            Happening::LoggerSet { .. } => "logger-set",
        }
    }

    /// The member it happened to, if it is about one.
    pub const fn member(&self) -> Option<usize> {
        match self {
            Happening::FaultBegins { .. } | Happening::FaultEnds { .. } => None,
            Happening::Starts { member }
            | Happening::ComesUp { member }
            | Happening::ShutsDown { member }
            | Happening::ClosesPorts { member }
            | Happening::Exits { member, .. }
            | Happening::Killed { member }
            | Happening::LosesController { member }
            | Happening::Disconnected { member, .. }
            | Happening::Inactive { member, .. }
            | Happening::LoggerSet { member, .. } => Some(*member),
        }
    }

    /// One line for people, without a final dot.
    pub fn text(&self, plan: &Plan) -> String {
        let member = self.member().and_then(|member| plan.cluster.members.get(member));
        let who = member.map_or("", |member| member.name.as_str());
        match self {
            Happening::FaultBegins { name, what, lasts } => {
                let lasting = lasts.map(|lasts| format!(" for {lasts}")).unwrap_or_default();
                format!("fault {name}: {what}{lasting}")
            }
            Happening::FaultEnds { name } => format!("fault {name} ends"),
            Happening::Starts { .. } => format!("{who} starts"),
            Happening::ComesUp { .. } => format!("{who} is up"),
            Happening::ShutsDown { .. } => format!("{who} shuts down"),
            Happening::ClosesPorts { .. } => format!("{who} closes its ports: it lost its database"),
            Happening::Exits { code, why, .. } => format!("{who} exits with code {code}: {why}"),
            Happening::Killed { .. } => format!("{who} is killed"),
            Happening::LosesController { .. } => format!("{who} has no controller"),
            Happening::Disconnected { silence, .. } => {
                format!("{who} is DISCONNECTED: no heartbeat for {}", silence.rounded())
            }
            Happening::Inactive { jobs: 0, .. } => format!("{who} is INACTIVE"),
            Happening::Inactive { jobs, .. } => {
                let plural = if *jobs == 1 { "" } else { "s" };
                format!("{who} is INACTIVE: {jobs} job{plural} handed out again")
            }
            Happening::LoggerSet { logger, level, .. } => {
                let name = level.map_or("inherited".to_owned(), |level| format!("{level:?}").to_uppercase());
                format!("{who}: logger {logger} is {name} now")
            }
        }
    }
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// When.
    pub at: Instant,
    /// What.
    pub what: Happening,
}

impl JournalEntry {
    /// One line for people, without a final dot.
    pub fn text(&self, plan: &Plan) -> String {
        self.what.text(plan)
    }
}

/// Happenings in their order. Copies share what is old, so that a copy of a simulation does not copy its past.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// All but the last are full.
    chunks: VecDeque<Arc<Vec<JournalEntry>>>,
    /// Happenings that are not kept any more.
    dropped: u64,
    endless: bool,
}

/// Happenings that are shared, or dropped, together.
const CHUNK: usize = 256;

impl Journal {
    /// From now on the oldest make room for the newest, instead of an end at the limit.
    pub(super) fn drop_oldest(&mut self) {
        self.endless = true;
    }

    /// Keeps a happening.
    ///
    /// # Errors
    /// There are too many: the limit.
    pub(super) fn add(&mut self, at: Instant, what: Happening) -> Result<(), u64> {
        if self.len() >= limits::JOURNAL {
            if !self.endless {
                return Err(limits::JOURNAL as u64);
            }
            self.dropped += self.chunks.pop_front().map_or(0, |chunk| chunk.len() as u64);
        }
        let entry = JournalEntry { at, what };
        match self.chunks.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(entry),
            None => self.chunks.push_back(Arc::new(vec![entry])),
        }
        Ok(())
    }

    /// Bytes that a copy takes for itself.
    pub(super) fn own_bytes(&self) -> usize {
        self.chunks.len() * size_of::<Arc<()>>() + CHUNK * size_of::<JournalEntry>()
    }

    /// Happenings that are kept.
    pub fn len(&self) -> usize {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        full + self.chunks.back().map_or(0, |chunk| chunk.len())
    }
    /// Whether nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
    /// Happenings that made room for later ones: the number of the first that is kept.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
    /// The number of the next happening.
    pub fn next(&self) -> u64 {
        self.dropped + self.len() as u64
    }
    /// Those that are kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &JournalEntry> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
    /// Those that are kept from a number on.
    pub fn since(&self, number: u64) -> impl Iterator<Item = &JournalEntry> {
        let skipped = number.saturating_sub(self.dropped).min(self.len() as u64) as usize;
        self.chunks.iter().skip(skipped / CHUNK).flat_map(|chunk| chunk.iter()).skip(skipped % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(count: usize, endless: bool) -> (Journal, Option<u64>) {
        let mut journal = Journal { endless, ..Journal::default() };
        let full = (0..count)
            .filter_map(|n| {
                journal.add(Instant::START + Duration::seconds(n as u64), Happening::Starts { member: n }).err()
            })
            .next();
        (journal, full)
    }

    #[test]
    fn the_kinds_are_those_that_a_scenario_can_expect() {
        let (member, name): (usize, Arc<str>) = (0, "x".into());
        let all = [
            Happening::FaultBegins { name: name.clone(), what: name.clone(), lasts: None },
            Happening::FaultEnds { name: name.clone() },
            Happening::Starts { member },
            Happening::ComesUp { member },
            Happening::ShutsDown { member },
            Happening::ClosesPorts { member },
            Happening::exits(member, ExitCause::Stopped),
            Happening::Killed { member },
            Happening::LosesController { member },
            Happening::Disconnected { member, silence: Duration::ZERO },
            Happening::Inactive { member, jobs: 0 },
            Happening::LoggerSet { member, logger: name, level: None },
        ];
        assert_eq!(all.each_ref().map(Happening::kind).as_slice(), crate::scenario::HAPPENINGS);
        assert_eq!(all.iter().filter(|it| it.member().is_none()).count(), 2);
    }

    fn numbers<'a>(entries: impl Iterator<Item = &'a JournalEntry>) -> Vec<usize> {
        entries.filter_map(|entry| entry.what.member()).collect()
    }

    #[test]
    fn it_gives_what_happened_since_a_number() {
        let (journal, _) = journal(600, false);
        assert_eq!((journal.len(), journal.next()), (600, 600));
        assert_eq!(numbers(journal.iter()), (0..600).collect::<Vec<_>>());
        for since in [0, 1, 255, 256, 257, 512, 599, 600, 700] {
            assert_eq!(numbers(journal.since(since as u64)), (since..600).collect::<Vec<_>>(), "{since}");
        }
    }

    #[test]
    fn at_its_limit_it_ends_or_drops_the_oldest() {
        let (stopped, full) = journal(limits::JOURNAL + 1, false);
        assert_eq!((full, stopped.len()), (Some(limits::JOURNAL as u64), limits::JOURNAL));
        let (ring, full) = journal(limits::JOURNAL + 1_000, true);
        assert_eq!(full, None);
        assert!(ring.len() <= limits::JOURNAL && ring.next() == limits::JOURNAL as u64 + 1_000);
        let first = ring.dropped() as usize;
        assert_eq!(numbers(ring.iter()), (first..limits::JOURNAL + 1_000).collect::<Vec<_>>());
        assert_eq!(numbers(ring.since(0)).first(), Some(&first));
    }

    #[test]
    fn a_copy_goes_its_own_way() {
        let (mut one, _) = journal(300, false);
        let mut other = one.clone();
        one.add(Instant::START, Happening::Killed { member: 1 }).expect("room");
        other.add(Instant::START, Happening::ComesUp { member: 2 }).expect("room");
        assert_eq!(one.iter().next_back().map(|it| it.what.kind()), Some("killed"));
        assert_eq!(other.iter().next_back().map(|it| it.what.kind()), Some("comes-up"));
    }
}
