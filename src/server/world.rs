//! The one simulation that is served, what it is asked, and what is remembered of its answers.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Semaphore, watch};

use super::clock::Clock;
use super::connection::Encoded;
use super::own_metrics::OwnMetrics;
use super::{Addresses, Options};
use crate::management::{self, Outcome, Request};
use crate::random::Seed;
use crate::scenario::Plan;
use crate::simulator::{Command, DatabaseView, LimitReached, Port, Simulation};
use crate::time::{Calendar, Instant};

/// Answers that are remembered for a member while nothing changes.
const REMEMBERED: usize = 16;
/// Commands of a session that can be replayed.
pub(super) const MAX_COMMANDS: usize = 100_000;

/// What all tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Arc<Plan>,
    pub(super) seed: Seed,
    pub(super) calendar: Calendar,
    pub(super) options: Options,
    pub(super) addresses: Addresses,
    pub(super) metrics: OwnMetrics,
    /// A number that grows whenever a port, a life, a database, the clock or the world itself changes.
    pub(super) changes: watch::Sender<u64>,
    /// Turns for looks at other instants.
    pub(super) looks: Arc<Semaphore>,
    world: Mutex<World>,
}

/// The simulation, its clock, and the session so far.
#[derive(Debug)]
pub(super) struct World {
    pub(super) simulation: Simulation,
    pub(super) clock: Clock,
    /// What came from outside, and when: with it the session can be run again.
    pub(super) commands: Vec<(Instant, Command)>,
    pub(super) limit: Option<LimitReached>,
    /// Grows with each command and reset: what was remembered before is void.
    pub(super) generation: u64,
    /// Of each member its port, its life and its database, as they were last.
    seen: Vec<(Port, u32, DatabaseView)>,
    remembered: Vec<Remembered>,
}

/// Answers of one member at one instant.
#[derive(Debug, Default)]
struct Remembered {
    at: Instant,
    generation: u64,
    answers: Vec<(Request, Arc<Encoded>)>,
}

/// What a connection does about a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// Sends this.
    Send(Arc<Encoded>),
    /// Asks again after so long in real time, or when something changes.
    Later(Option<std::time::Duration>),
    /// Closes without an answer.
    Reset,
}

impl Shared {
    pub(super) fn new(
        plan: Arc<Plan>,
        seed: Seed,
        calendar: Calendar,
        options: Options,
        addresses: Addresses,
    ) -> Shared {
        let clock = Clock::new(options.speed, options.paused, Instant::START);
        let world = World::new(plan.clone(), seed, calendar, clock);
        let metrics = OwnMetrics::new();
        Shared {
            plan,
            seed,
            calendar,
            options,
            addresses,
            metrics,
            changes: watch::Sender::new(0),
            looks: Arc::new(Semaphore::new(2)),
            world: Mutex::new(world),
        }
    }

    /// The world, caught up with the clock.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        // A panic elsewhere leaves a world that is still worth showing.
        let mut world = self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if world.catch_up(self.options.tick.as_nanoseconds()) {
            self.changes.send_modify(|number| *number += 1);
        }
        world
    }

    /// Changes the world from outside, and tells everybody.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world();
        let result = change(&mut world);
        world.generation += 1;
        world.members_changed();
        drop(world);
        self.changes.send_modify(|number| *number += 1);
        result
    }

    /// Catches up, and says how long nothing will happen.
    pub(super) fn catch_up(&self) -> Option<std::time::Duration> {
        let world = self.world();
        let next = [world.simulation.next_event(), world.clock.until()].into_iter().flatten().min()?;
        // What happens within a tick is seen at its end.
        world.clock.real_time_until(up_to_tick(next, self.options.tick.as_nanoseconds()))
    }

    /// Answers a request to a member.
    pub(super) fn answer(&self, member: usize, request: &Request) -> Reply {
        let mut world = self.world();
        if let Some(encoded) = world.remembered(member, request) {
            return Reply::Send(encoded);
        }
        match management::answer(request, &world.simulation, member) {
            Outcome::Refused | Outcome::Reset => Reply::Reset,
            Outcome::Hang => Reply::Later(None),
            Outcome::Wait(at) => Reply::Later(world.clock.real_time_until(at)),
            Outcome::Answer(answer) => {
                let command = answer.command.clone();
                let encoded = Arc::new(Encoded::new(*answer, request.http10));
                match command {
                    Some(command) => {
                        drop(world);
                        self.change(|world| world.command(command));
                    }
                    None => world.remember(member, request, &encoded),
                }
                Reply::Send(encoded)
            }
        }
    }
}

fn up_to_tick(at: Instant, tick: u64) -> Instant {
    let tick = tick.max(1) as i64;
    Instant::from_nanoseconds(at.as_nanoseconds().div_euclid(tick).saturating_add(1).saturating_mul(tick))
}

impl World {
    fn new(plan: Arc<Plan>, seed: Seed, calendar: Calendar, clock: Clock) -> World {
        let members = plan.cluster.members.len();
        let mut simulation = Simulation::new(plan, seed, calendar);
        let limit = simulation.advance(Instant::START).err();
        let remembered = (0..members).map(|_| Remembered::default()).collect();
        let mut world =
            World { simulation, clock, commands: Vec::new(), limit, generation: 0, seen: Vec::new(), remembered };
        world.members_changed();
        world
    }

    /// Moves the simulation to where the clock is, at a multiple of the tick while it runs. True when a member changed.
    fn catch_up(&mut self, tick: u64) -> bool {
        self.clock.settle();
        let now = self.clock.now();
        let tick = tick.max(1) as i64;
        let shown = match self.clock.paused() {
            true => now,
            false => Instant::from_nanoseconds(now.as_nanoseconds().div_euclid(tick).saturating_mul(tick)),
        };
        self.advance(shown);
        self.members_changed()
    }

    /// Moves the simulation; at a limit the clock stops.
    pub(super) fn advance(&mut self, to: Instant) {
        if self.limit.is_none()
            && let Err(limit) = self.simulation.advance(to)
        {
            self.clock.pause();
            self.clock.jump(limit.at);
            self.limit = Some(limit);
        }
    }

    /// Whether a request that waits must ask again: a port, a process or its database is not what it was.
    fn members_changed(&mut self) -> bool {
        let simulation = &self.simulation;
        let members = || simulation.members().iter().enumerate();
        let seen = || members().map(|(index, member)| (member.port(), member.life(), simulation.database(index)));
        let changed = !self.seen.iter().copied().eq(seen());
        if changed {
            self.seen = seen().collect();
        }
        changed
    }

    /// Does something from outside, and keeps it for a replay.
    pub(super) fn command(&mut self, command: Command) {
        if self.commands.len() < MAX_COMMANDS {
            let at = self.simulation.now();
            if self.simulation.command(command.clone()).is_ok() {
                self.commands.push((at, command));
            }
        }
    }

    /// Back to the exact start.
    pub(super) fn reset(&mut self, plan: &Arc<Plan>, seed: Seed, calendar: Calendar) {
        let mut clock = self.clock;
        clock.jump(Instant::START);
        let generation = self.generation;
        *self = World::new(plan.clone(), seed, calendar, clock);
        self.generation = generation + 1;
    }

    fn remembered(&self, member: usize, request: &Request) -> Option<Arc<Encoded>> {
        let remembered = self.remembered.get(member)?;
        if remembered.at != self.simulation.now() || remembered.generation != self.generation {
            return None;
        }
        let same = |known: &Request| {
            known.listener == request.listener
                && known.method == request.method
                && known.target == request.target
                && known.http10 == request.http10
                && known.headers == request.headers
                && known.body == request.body
        };
        remembered.answers.iter().find(|(known, _)| same(known)).map(|(_, encoded)| encoded.clone())
    }

    fn remember(&mut self, member: usize, request: &Request, encoded: &Arc<Encoded>) {
        let (now, generation) = (self.simulation.now(), self.generation);
        let Some(remembered) = self.remembered.get_mut(member) else { return };
        if remembered.at != now || remembered.generation != generation {
            *remembered = Remembered { at: now, generation, answers: Vec::new() };
        }
        if remembered.answers.len() < REMEMBERED {
            remembered.answers.push((request.clone(), encoded.clone()));
        }
    }
}
