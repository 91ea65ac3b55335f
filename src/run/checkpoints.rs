//! Clones of a simulation along its way, so that a look at another instant costs the way from the nearest one before.

use std::sync::Arc;

use crate::simulator::{LimitReached, Simulation};
use crate::time::{Duration, Instant};

/// Checkpoints of a session.
const MAX_CHECKPOINTS: usize = 256;
/// Bytes of all checkpoints of a session, as they are estimated.
const MAX_BYTES: usize = 64 << 20;
/// Work between two checkpoints, until there are too many.
const FIRST_STRIDE: u64 = 4_096;
/// What the start of a process costs, in events.
const START_OF_PROCESS: u64 = 2;

/// Work that a slice of time should hold.
const SLICE_WORK: u64 = 512;
const SHORTEST_SLICE: Duration = Duration::milliseconds(1);
/// Short enough that a loop of crashes after a quiet day is met early.
const LONGEST_SLICE: Duration = Duration::minutes(1);

/// A simulation as it was.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    /// How many commands had been issued.
    pub(super) commands: usize,
    pub(super) simulation: Arc<Simulation>,
    work: u64,
    bytes: usize,
}

/// Checkpoints in the order of time, spread over the whole way.
#[derive(Clone, Debug)]
pub(super) struct Checkpoints {
    kept: Vec<Checkpoint>,
    stride: u64,
    /// Work before which none is kept: making the cluster anew costs no more.
    begin: u64,
    /// Where the last way was stopped, however near it is to another one: it must get on when it is gone again.
    stopped: Option<Checkpoint>,
}

impl Checkpoints {
    /// None yet, of a way that begins here.
    pub(super) fn from(simulation: &Simulation) -> Checkpoints {
        Checkpoints { kept: Vec::new(), stride: FIRST_STRIDE, begin: work(simulation), stopped: None }
    }

    /// None yet, as far apart as these, of a way that begins elsewhere.
    pub(super) fn going_on_from(&self, simulation: &Simulation) -> Checkpoints {
        Checkpoints { begin: work(simulation), stride: self.stride, kept: Vec::new(), stopped: None }
    }

    /// The last one that is not after an instant.
    pub(super) fn before(&self, at: Instant) -> Option<&Checkpoint> {
        let after = self.kept.partition_point(|it| it.simulation.now() <= at);
        let stopped = self.stopped.iter().filter(|it| it.simulation.now() <= at);
        self.kept[..after].last().into_iter().chain(stopped).max_by_key(|it| it.simulation.now())
    }

    /// Keeps where a way was stopped.
    pub(super) fn stopped_at(&mut self, simulation: &Simulation, commands: usize) {
        let (bytes, work) = (simulation.own_bytes(), work(simulation));
        self.stopped = Some(Checkpoint { commands, simulation: Arc::new(simulation.clone()), work, bytes });
    }

    /// Keeps a simulation when enough has happened since the one before it.
    pub(super) fn offer(&mut self, simulation: &Simulation, commands: usize) {
        let work = work(simulation);
        if self.far_enough(work) {
            let (bytes, simulation) = (simulation.own_bytes(), Arc::new(simulation.clone()));
            self.insert(Checkpoint { commands, simulation, work, bytes });
        }
    }

    /// Keeps what another way along the same instants has left.
    pub(super) fn merge(&mut self, other: Checkpoints) {
        self.stopped = other.stopped.or(self.stopped.take());
        for checkpoint in other.kept {
            if self.far_enough(checkpoint.work) {
                self.insert(checkpoint);
            }
        }
    }

    /// What lies after an instant is no longer true.
    pub(super) fn void_after(&mut self, at: Instant) {
        self.kept.retain(|it| it.simulation.now() <= at);
        self.stopped.take_if(|it| it.simulation.now() > at);
    }

    fn far_enough(&self, work: u64) -> bool {
        let next = self.kept.partition_point(|it| it.work <= work);
        let before = self.kept[..next].last().map_or(self.begin, |it| it.work);
        work.saturating_sub(before) >= self.stride && self.kept.get(next).is_none_or(|it| it.work - work >= self.stride)
    }

    fn insert(&mut self, checkpoint: Checkpoint) {
        let at = self.kept.partition_point(|it| it.work <= checkpoint.work);
        self.kept.insert(at, checkpoint);
        while self.kept.len() > 1 && (self.kept.len() > MAX_CHECKPOINTS || self.bytes() > MAX_BYTES) {
            self.stride = self.stride.saturating_mul(2);
            let (stride, mut last) = (self.stride, None::<u64>);
            self.kept.retain(|it| {
                let keep = last.is_none_or(|last| it.work - last >= stride);
                if keep {
                    last = Some(it.work);
                }
                keep
            });
        }
    }

    fn bytes(&self) -> usize {
        self.kept.iter().map(|it| it.bytes).sum()
    }
}

/// What a simulation has cost so far, in events.
fn work(simulation: &Simulation) -> u64 {
    let lives: u64 = simulation.members().iter().map(|member| u64::from(member.life())).sum();
    simulation.events() + lives * START_OF_PROCESS
}

/// Moves a simulation in slices of time that hold about as much work each; `each` sees it after every slice. False when
/// `each` wanted no more. Where it stops at messages it may end earlier.
pub(super) fn advance_in_slices(
    simulation: &mut Simulation,
    to: Instant,
    mut each: impl FnMut(&Simulation) -> bool,
) -> Result<bool, LimitReached> {
    let mut slice = Duration::seconds(1);
    while simulation.now() < to {
        let before = work(simulation);
        let next = to.min(simulation.now() + slice);
        simulation.advance(next)?;
        if simulation.now() < next {
            // A message waits for its answer.
            return Ok(true);
        }
        let done = work(simulation) - before;
        if done > 2 * SLICE_WORK {
            slice = slice.times(0.5).max(SHORTEST_SLICE);
        } else if done < SLICE_WORK / 2 {
            slice = slice.times(2.0).min(LONGEST_SLICE);
        }
        if !each(simulation) {
            return Ok(false);
        }
    }
    // What happens at this very instant too.
    simulation.advance(to)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;
    use crate::scenario::{NoFiles, read};
    use crate::time::Calendar;

    fn busy() -> Simulation {
        let text = "name: busy\ncluster: { members: { webserver: 1, executor: 1, scheduler: 1, worker: 1 } }\n\
                    flows: [ { id: f, namespace: n, tasks: [ { id: t, type: a.B } ] } ]\n\
                    behaviour: [ { task: t, duration: 100ms } ]\narrivals: [ { flow: f, rate: 5/s } ]\n";
        let plan = Arc::new(read("busy.yaml", text, &NoFiles).0.expect("a plan"));
        Simulation::new(plan, Seed(1), Calendar::default())
    }

    #[test]
    fn however_long_the_way_checkpoints_are_few_and_spread_over_all_of_it() {
        let mut simulation = busy();
        let mut kept = Checkpoints { stride: 16, ..Checkpoints::from(&simulation) };
        let end = Instant::START + Duration::minutes(20);
        advance_in_slices(&mut simulation, end, |simulation| {
            kept.offer(simulation, 0);
            true
        })
        .expect("no limit");
        let works: Vec<u64> = kept.kept.iter().map(|it| it.work).collect();
        assert!(kept.kept.len() <= MAX_CHECKPOINTS && kept.bytes() <= MAX_BYTES, "{works:?}");
        assert!(kept.kept.len() > 8, "{works:?}");
        assert!(works.windows(2).all(|pair| pair[1] - pair[0] >= kept.stride), "{works:?}");
        let widest = works.windows(2).map(|pair| pair[1] - pair[0]).max().expect("several");
        assert!(widest < 4 * kept.stride.max(2 * SLICE_WORK), "{works:?}");
        // The last one is near the end, the first near the beginning.
        assert!(work(&simulation) - works[works.len() - 1] < 4 * kept.stride, "{works:?}");
        assert_eq!(kept.before(simulation.now()).map(|it| it.work), works.last().copied());
        let half = Instant::START + Duration::minutes(10);
        kept.void_after(half);
        assert!(kept.kept.iter().all(|it| it.simulation.now() <= half) && !kept.kept.is_empty());
    }

    #[test]
    fn a_way_that_was_stopped_goes_on_from_there_until_something_is_changed() {
        let mut simulation = busy();
        let mut kept = Checkpoints { stride: u64::MAX, ..Checkpoints::from(&simulation) };
        let minute = |n| Instant::START + Duration::minutes(n);
        simulation.advance(minute(1)).expect("no limit");
        kept.stopped_at(&simulation, 3);
        assert!(kept.kept.is_empty() && kept.before(minute(0)).is_none());
        let mut learned = Checkpoints::from(&simulation);
        learned.merge(kept);
        let found = learned.before(minute(9)).expect("it is there");
        assert_eq!((found.simulation.now(), found.commands), (minute(1), 3));
        learned.void_after(minute(1));
        assert!(learned.before(minute(9)).is_some());
        learned.void_after(minute(0));
        assert!(learned.before(minute(9)).is_none());
    }

    #[test]
    fn slices_change_nothing() {
        let (mut sliced, mut whole) = (busy(), busy());
        let end = Instant::START + Duration::minutes(3);
        assert_eq!(advance_in_slices(&mut sliced, end, |_| true), Ok(true));
        whole.advance(end).expect("no limit");
        for simulation in [&mut sliced, &mut whole] {
            assert_eq!(simulation.now(), end);
        }
        let text = |simulation: &Simulation| {
            let mut out = Vec::new();
            for (index, member) in simulation.members().iter().enumerate() {
                member.registry().into_iter().for_each(|it| it.render(&simulation.look(index), &mut out));
            }
            out
        };
        assert_eq!(text(&sliced), text(&whole));
        assert_eq!(advance_in_slices(&mut sliced, end + Duration::minutes(9), |_| false), Ok(false));
        assert!(sliced.now() < end + Duration::minutes(9));
    }
}
