//! The process and its JVM as formulas of time: heap saw-tooth, collections, threads, processor time.
//!
//! Between two events allocation is steady, so eden fills in a straight line; a collection happens each time it is full.
//! Collections are counted by one number, `cycles`: its whole part is how many there were, its fraction how full eden is.

use super::integral::Integral;
use crate::profile::Role;
use crate::time::{Duration, Instant, SECOND};

/// What a role's process does when nothing happens (recorded from 1.3.19, 2 cores, -Xmx1g).
#[derive(Clone, Copy, Debug)]
struct Idle {
    /// Bytes allocated a second.
    allocation: f64,
    /// Processor seconds a second.
    cpu: f64,
    /// Live threads.
    threads: u32,
    /// Bytes of long-lived data.
    live: f64,
    /// Young collections of the start-up.
    collections: f64,
    /// Bytes allocated by then.
    allocated: f64,
    /// Loaded classes.
    classes: f64,
}

const fn idle(role: Role) -> Idle {
    let (allocation, cpu, threads, live, collections, allocated, classes) = match role {
        Role::Standalone => (3.0e6, 0.040, 45, 55.1e6, 11.0, 396.0e6, 18_018.0),
        Role::Webserver => (1.6e6, 0.022, 22, 52.4e6, 6.0, 261.0e6, 17_341.0),
        Role::Executor => (2.0e6, 0.030, 33, 48.8e6, 8.0, 319.0e6, 16_996.0),
        Role::Scheduler => (1.3e6, 0.022, 28, 44.0e6, 6.0, 312.0e6, 16_879.0),
        Role::Worker => (0.8e6, 0.018, 25, 43.8e6, 4.0, 267.0e6, 16_503.0),
        Role::Indexer | Role::Controller => (0.65e6, 0.016, 25, 39.2e6, 6.0, 261.0e6, 16_330.0),
    };
    Idle { allocation, cpu, threads, live, collections, allocated, classes }
}

/// Share of the heap that eden takes while the old generation is small (143 MB a collection at -Xmx1g).
const EDEN_SHARE: f64 = 0.133;
/// What is left of the free heap for eden when the old generation grows.
const EDEN_OF_FREE: f64 = 0.6;
/// Filled with long-lived data to this share the heap is full.
const FULL: f64 = 0.97;
/// What a container with room for twice the heap (MaxRAMPercentage=50) has for direct buffers, as a share of the heap: a
/// quarter of it is metaspace, code and threads.
const NATIVE: f64 = 0.75;
/// Seconds of a young collection when memory is plenty.
const PAUSE: f64 = 0.012;
/// A maximum is that of so long.
const SEEN: Duration = Duration::minutes(3);
/// Collections that are looked at for the longest: there are not more in the minutes of a maximum while memory is plenty.
const MOST_SEEN: f64 = 16.0;

/// Threads that come with work and go a minute after it: at least so many, and some more (recorded from 1.3.19: a standalone
/// goes from 45 to between 58 and 67, and back; an executor from 33 to 41, a webserver from 22 to 29).
const fn elastic(role: Role) -> (f64, f64) {
    match role {
        Role::Standalone => (9.0, 9.0),
        Role::Webserver => (3.0, 4.0),
        Role::Executor => (6.0, 3.0),
        Role::Worker => (0.0, 3.0),
        Role::Scheduler | Role::Indexer | Role::Controller => (0.0, 2.0),
    }
}

/// A thread with nothing to do is ended after this long.
const KEPT: Duration = Duration::minutes(1);

/// The threads of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Threads {
    pub(super) live: f64,
    pub(super) peak: f64,
    pub(super) started: f64,
}

/// The JVM of one process.
#[derive(Clone, Debug)]
pub(super) struct Jvm {
    role: Role,
    /// The key of what differs from one look, or collection, to the next.
    key: u64,
    idle: Idle,
    /// When something was done last, and how long something was done, a minute after each counted in.
    worked: Option<Instant>,
    busy: Duration,
    heap: f64,
    settled: Instant,
    /// Bytes allocated a second.
    allocation: f64,
    allocated: f64,
    cycles: f64,
    pauses: f64,
    old: Integral,
    native: Integral,
    cpu: Integral,
    cpu_lumps: f64,
    /// Long pauses of the last minutes, and the sum of all.
    late_pauses: Vec<(Instant, f64)>,
    long_pauses: f64,
}

impl Jvm {
    /// A process that has just started up.
    pub(super) fn new(role: Role, key: u64, heap: u64, now: Instant) -> Jvm {
        let idle = idle(role);
        Jvm {
            role,
            key,
            idle,
            worked: None,
            busy: Duration::ZERO,
            heap: heap as f64,
            settled: now,
            allocation: idle.allocation,
            allocated: idle.allocated,
            cycles: idle.collections,
            pauses: idle.collections * 2.0 * PAUSE,
            old: Integral::starting(now, 0.0),
            native: Integral::starting(now, 0.0),
            cpu: Integral::starting(now, idle.cpu),
            cpu_lumps: 14.0,
            late_pauses: Vec::new(),
            long_pauses: 0.0,
        }
    }

    /// Something was done: so many bytes and processor seconds.
    pub(super) fn work(&mut self, bytes: f64, cpu: f64, now: Instant) {
        self.settle(now);
        self.busy = self.busy(now);
        self.worked = Some(now);
        let cycles = bytes / self.eden_capacity(now);
        self.allocated += bytes;
        self.cycles += cycles;
        self.pauses += cycles * self.pause(now);
        self.cpu_lumps += cpu;
    }

    /// From now on `running` jobs run in it, and `loops` says how busily it polls (1 is normal, 0 when it stands still).
    pub(super) fn load(&mut self, running: usize, loops: f64, now: Instant) {
        self.settle(now);
        self.allocation = self.idle.allocation * loops + 0.15e6 * running as f64;
        self.cpu.change(now, self.idle.cpu * loops + 0.01 * running as f64);
    }

    /// From now on this many bytes a second are never freed, in the heap and outside of it.
    pub(super) fn leak(&mut self, rate: f64, native: f64, now: Instant) {
        self.settle(now);
        self.old.change(now, rate);
        self.native.change(now, native);
    }

    /// The whole process stood still for a collection.
    pub(super) fn full_collection(&mut self, pause: Duration, now: Instant) {
        self.settle(now);
        self.cycles += 1.0;
        self.late_pauses.retain(|(at, _)| now.since(*at) < SEEN);
        self.late_pauses.push((now, pause.as_seconds_f64()));
        self.long_pauses += pause.as_seconds_f64();
    }

    /// When the heap will be full, or the container.
    pub(super) fn full_at(&self) -> Option<Instant> {
        let heap = self.old.reaches((self.heap * FULL - self.idle.live).max(0.0));
        heap.into_iter().chain(self.container_full_at()).min()
    }

    fn container_full_at(&self) -> Option<Instant> {
        self.native.reaches(self.heap * NATIVE)
    }

    /// Whether it is the container that is full.
    pub(super) fn fills_container(&self, now: Instant) -> bool {
        self.container_full_at().is_some_and(|at| at <= now)
    }

    /// Bytes of direct buffers that nobody frees.
    pub(super) fn native_used(&self, now: Instant) -> f64 {
        f64::floor(self.native.at(now).min(self.heap * NATIVE))
    }

    fn settle(&mut self, now: Instant) {
        let (allocated, cycles) = self.since_settled(now);
        self.pauses += cycles * self.pause(now);
        self.allocated += allocated;
        self.cycles += cycles;
        self.settled = now;
    }

    /// As it is now: whoever asks it several things of this instant reckons what has changed once.
    pub(super) fn seen(&self, now: Instant) -> Jvm {
        let mut seen = self.clone();
        seen.settle(now);
        seen
    }

    /// Bytes and collections since things last changed.
    fn since_settled(&self, now: Instant) -> (f64, f64) {
        if now == self.settled {
            return (0.0, 0.0);
        }
        let bytes = self.allocation * now.since(self.settled).as_seconds_f64();
        // Eden is constant as long as the old generation leaves room enough, then it shrinks in a straight line.
        let room = self.heap * (1.0 - EDEN_SHARE / EDEN_OF_FREE) - self.idle.live;
        let Some(kink) = self.old.reaches(room).map(|kink| kink.clamp(self.settled, now)) else {
            return (bytes, self.cycles_between(self.settled, now));
        };
        (bytes, self.cycles_between(self.settled, kink) + self.cycles_between(kink, now))
    }

    /// Collections in a span in which eden is constant or shrinks in a straight line.
    fn cycles_between(&self, from: Instant, to: Instant) -> f64 {
        let bytes = self.allocation * to.since(from).as_seconds_f64();
        let (before, after) = (self.eden_capacity(from), self.eden_capacity(to));
        // The integral of 1/capacity is a logarithm.
        if before - after > before * 1e-9 {
            bytes * libm::log(before / after) / (before - after)
        } else {
            bytes / before
        }
    }

    fn eden_capacity(&self, now: Instant) -> f64 {
        (self.heap * EDEN_SHARE).min(EDEN_OF_FREE * (self.heap - self.old(now))).max(1_048_576.0)
    }

    /// 0 while memory is plenty, 1 when the heap is full.
    fn pressure(&self, now: Instant) -> f64 {
        ((self.old(now) / self.heap - 0.85) / (FULL - 0.85)).clamp(0.0, 1.0)
    }

    fn pause(&self, now: Instant) -> f64 {
        PAUSE * (1.0 + 20.0 * self.pressure(now))
    }

    fn old(&self, now: Instant) -> f64 {
        (self.idle.live + self.old.at(now)).min(self.heap * FULL)
    }

    /// Bytes of the old generation.
    pub(super) fn old_used(&self, now: Instant) -> f64 {
        f64::floor(self.old(now))
    }

    fn cycles(&self, now: Instant) -> f64 {
        self.cycles + self.since_settled(now).1
    }

    /// Bytes used in eden: whole regions of 1 MiB, as G1 counts.
    pub(super) fn eden_used(&self, now: Instant) -> f64 {
        let cycles = self.cycles(now);
        let filled = (cycles - f64::floor(cycles)) * self.eden_capacity(now);
        f64::floor(filled / 1_048_576.0) * 1_048_576.0
    }

    /// Bytes committed to eden.
    pub(super) fn eden_committed(&self, now: Instant) -> f64 {
        f64::ceil(self.eden_capacity(now) / 1_048_576.0) * 1_048_576.0
    }

    /// Bytes committed to the old generation.
    pub(super) fn old_committed(&self, now: Instant) -> f64 {
        (f64::ceil(self.old_used(now) * 1.1 / 1_048_576.0) * 1_048_576.0).min(self.heap)
    }

    /// Bytes used in the survivor space; it changes with each collection.
    pub(super) fn survivor_used(&self, now: Instant) -> f64 {
        let noise = crate::random::noise(0x5017, f64::floor(self.cycles(now)) as u64);
        f64::floor(self.heap * (0.003 + 0.005 * noise))
    }

    /// Young collections so far.
    pub(super) fn collections(&self, now: Instant) -> f64 {
        f64::floor(self.cycles(now))
    }

    /// Seconds spent in them.
    pub(super) fn collection_seconds(&self, now: Instant) -> f64 {
        let seconds = self.pauses + self.since_settled(now).1 * self.pause(now) + self.long_pauses;
        // The collector tells whole milliseconds.
        f64::floor(seconds * 1000.0) / 1000.0
    }

    /// The longest in the last three minutes, zero when there was none.
    pub(super) fn longest_collection(&self, now: Instant) -> f64 {
        let late = self.late_pauses.iter().filter(|(at, _)| now.since(*at) < SEEN).map(|(_, pause)| *pause);
        if let Some(longest) = late.reduce(f64::max) {
            return longest;
        }
        let recent = self.allocation / self.eden_capacity(now) * SEEN.as_seconds_f64();
        let last = self.cycles(now) as u64;
        let seen = (recent.min(MOST_SEEN) as u64).min(last);
        let longest = (0..seen).map(|back| self.stretch(last - back)).fold(0.0, f64::max);
        f64::round(self.pause(now) * longest * 1000.0) / 1000.0
    }

    /// How many times as long as the mean a collection took: a few take much longer than most.
    fn stretch(&self, collection: u64) -> f64 {
        let draw = crate::random::noise(self.key ^ 0x6c01, collection);
        0.35 + 0.22 * draw / (1.02 - draw)
    }

    /// How long something was done by now.
    fn busy(&self, now: Instant) -> Duration {
        self.worked.map_or(Duration::ZERO, |worked| self.busy + now.since(worked).min(KEPT))
    }

    /// Its threads, when its worker has made so many.
    pub(super) fn threads(&self, worker: usize, now: Instant) -> Threads {
        let (least, more) = elastic(self.role);
        let base = f64::from(self.idle.threads) + worker as f64;
        // They come and go each quarter of a minute.
        let slot = now.as_nanoseconds().div_euclid(15 * SECOND as i64) as u64;
        let draw = crate::random::noise(self.key ^ 0x7d2e, slot);
        let (extra, most) = match self.worked {
            Some(worked) if now.since(worked) < KEPT => (least + f64::floor(draw * more), least + more),
            Some(_) => (f64::floor(draw * 1.3), least + more),
            None => (f64::floor(draw * 1.3), 1.0),
        };
        // Recorded: another one each quarter of a minute in which something was done.
        let came = f64::floor(self.busy(now).as_seconds_f64() / 15.0);
        Threads { live: base + extra, peak: base + most, started: base + most + 1.0 + came }
    }

    /// Bytes allocated as of the last collection. Rounded to regions, so that it stands still between collections.
    pub(super) fn allocated(&self, now: Instant) -> f64 {
        let (bytes, cycles) = self.since_settled(now);
        let cycles = self.cycles + cycles;
        let in_eden = (cycles - f64::floor(cycles)) * self.eden_capacity(now);
        f64::round((self.allocated + bytes - in_eden).max(0.0) / 1_048_576.0) * 1_048_576.0
    }

    /// Bytes promoted to the old generation: what survived the start-up, and what leaks.
    pub(super) fn promoted(&self, now: Instant) -> f64 {
        f64::floor(self.idle.live * 0.5 + self.old.at(now) + self.allocated(now) * 0.003)
    }

    /// Concurrent phases so far: marking begins when the old generation is large.
    pub(super) fn concurrent(&self, now: Instant) -> f64 {
        6.0 + 2.0 * f64::floor((self.cycles(now) - self.idle.collections) / 6.0).max(0.0)
    }

    /// Processor seconds used.
    pub(super) fn cpu_seconds(&self, now: Instant) -> f64 {
        self.cpu.at(now) + self.cpu_lumps + self.collection_seconds(now)
    }

    /// Processors in use.
    pub(super) fn cpu_rate(&self, now: Instant) -> f64 {
        let collecting = self.allocation / self.eden_capacity(now) * self.pause(now);
        self.cpu.rate() + collecting + self.pressure(now) * self.pressure(now)
    }

    /// Classes loaded by now: some more are loaded in the first minutes.
    pub(super) fn classes(&self, now: Instant, started: Instant) -> f64 {
        let age = now.since(started).as_seconds_f64();
        f64::floor(self.idle.classes + 900.0 * (1.0 - libm::exp(-age / 240.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn second(n: u64) -> Instant {
        Instant::START + Duration::seconds(n)
    }

    fn jvm() -> Jvm {
        let mut jvm = Jvm::new(Role::Standalone, 7, GIB, second(0));
        jvm.load(0, 1.0, second(0));
        jvm
    }

    #[test]
    fn a_long_collection_shows_in_the_sum_the_count_and_the_maximum() {
        let (calm, mut paused) = (jvm(), jvm());
        paused.full_collection(Duration::seconds(8), second(60));
        let (at, later) = (second(61), second(60 + 181));
        assert_eq!(paused.longest_collection(at), 8.0);
        assert_eq!(paused.collections(at) - calm.collections(at), 1.0);
        assert!((paused.collection_seconds(at) - calm.collection_seconds(at) - 8.0).abs() < 0.002);
        assert!(paused.longest_collection(later) < 1.0, "it is forgotten after three minutes");
    }

    #[test]
    fn maxima_and_threads_move_and_what_counts_never_falls() {
        let mut jvm = jvm();
        let (mut maxima, mut live, mut last) = (Vec::new(), Vec::new(), [0.0f64; 5]);
        for n in 0..180 {
            let now = second(n * 10);
            jvm.work(2.0e6, 0.01, now);
            let threads = jvm.threads(4, now);
            maxima.push(jvm.longest_collection(now).to_bits());
            live.push(threads.live as u64);
            assert!(threads.live <= threads.peak && threads.peak < threads.started);
            let counts =
                [threads.peak, threads.started, jvm.collections(now), jvm.collection_seconds(now), jvm.allocated(now)];
            assert!(counts.iter().zip(&last).all(|(now, before)| now >= before), "{last:?} then {counts:?}");
            last = counts;
        }
        for values in [&mut maxima, &mut live] {
            values.dedup();
            assert!(values.len() > 8, "it moves: {values:?}");
        }
        let quiet = jvm.threads(4, second(1_790 + 61)).live;
        assert!(quiet <= 45.0 + 4.0 + 1.0, "threads go a minute after the last work: {quiet}");
    }

    #[test]
    fn a_leak_fills_the_heap_at_the_time_it_tells_and_collections_come_faster() {
        let mut leaking = jvm();
        leaking.leak(1.0e6, 0.0, second(0));
        let full = leaking.full_at().expect("it fills");
        assert!((full.since(second(0)).as_seconds_f64() - (GIB as f64 * FULL - 55.1e6) / 1.0e6).abs() < 0.001);
        let nearly = full.before(Duration::seconds(20));
        assert!(leaking.old_used(nearly) > 0.95 * GIB as f64);
        let calm = jvm();
        assert!(leaking.collections(nearly) > calm.collections(nearly));
        assert!(leaking.cpu_rate(nearly) > calm.cpu_rate(nearly));
        assert_eq!(calm.full_at(), None);
    }

    #[test]
    fn long_collections_add_up_and_the_longest_of_three_minutes_is_the_maximum() {
        let (calm, mut paused) = (jvm(), jvm());
        for (at, pause) in [(60, 8), (120, 3)] {
            paused.full_collection(Duration::seconds(pause), second(at));
        }
        let now = second(125);
        assert!((paused.collection_seconds(now) - calm.collection_seconds(now) - 11.0).abs() < 0.002);
        assert_eq!(paused.collections(now) - calm.collections(now), 2.0);
        let maxima = [125, 239, 241, 299].map(|at| paused.longest_collection(second(at)));
        assert_eq!(maxima, [8.0, 8.0, 3.0, 3.0]);
        assert!(paused.longest_collection(second(301)) < 1.0);
    }
}
