//! The one session that is served, what it is asked, and what is remembered of its answers.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Semaphore, watch};

use super::alerts::Alerts;
use super::clock::{Clock, Deadline, Steps};
use super::connection::Encoded;
use super::control::LISTENERS;
use super::listener::{DoorSign, descriptors};
use super::own_metrics::OwnMetrics;
use super::post::Post;
use super::{Addresses, Options};
use crate::management::{self, Answer, Body, Outcome, Packer, Request};
use crate::run::{Refused, Session};
use crate::scenario::Plan;
use crate::simulator::{DatabaseView, LimitReached, Port};
use crate::time::{Duration, Instant};

/// Answers that are remembered for a member while nothing changes.
const REMEMBERED: usize = 16;

/// What all tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    /// What is served; it never changes.
    pub(super) plan: Arc<Plan>,
    pub(super) options: Options,
    pub(super) addresses: Addresses,
    pub(super) metrics: OwnMetrics,
    /// A number that grows whenever a port, a life, a database, the clock or the world itself changes.
    pub(super) changes: watch::Sender<u64>,
    /// Turns for looks at other instants.
    pub(super) looks: Arc<Semaphore>,
    /// One jump at a time.
    pub(super) jumping: Arc<Semaphore>,
    /// Who may listen to the journal.
    pub(super) listeners: Arc<Semaphore>,
    /// Connections to members, of all of them together.
    pub(super) connections: Arc<Semaphore>,
    /// By member.
    packers: Vec<Packer>,
    /// By member and port: how its door was left.
    pub(super) doors: Vec<[DoorSign; 2]>,
    /// How it goes with the server.
    pub(super) phase: watch::Sender<Phase>,
    world: Mutex<World>,
}

/// How it goes with a server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Phase {
    /// Somebody has asked it to stop.
    pub(super) stopped: bool,
    /// The model has panicked.
    pub(super) broken: bool,
    /// Somebody waits for its end.
    pub(super) awaited: bool,
}

impl Phase {
    /// Whether there is nothing left to serve for.
    pub(super) fn over(self) -> bool {
        self.stopped || self.broken && self.awaited
    }
}

/// The model has panicked: what it says since is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Real time for which the session follows the clock before others have their turn. What it has not gone through then it
/// never will: virtual time goes on from where it is.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(50);

/// When something happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// In so long of real time, or nobody knows.
    In(Option<std::time::Duration>),
    /// The session is behind the clock.
    Behind,
}

/// The session and its clock.
#[derive(Debug)]
pub(super) struct World {
    pub(super) session: Session,
    pub(super) clock: Clock,
    pub(super) limit: Option<LimitReached>,
    /// The machine is too slow for the speed: virtual time lags.
    pub(super) behind: bool,
    /// Virtual time that was due and was not gone through, since the start or the last reset.
    pub(super) lost: Duration,
    steps: Steps,
    /// How often it has begun anew.
    pub(super) resets: u64,
    /// Grows with whatever ends a jump: a pause, a reset.
    pub(super) jumps_ended: u64,
    /// Where a jump under way leads.
    pub(super) jump: Option<Instant>,
    /// Grows with each command and reset: what was remembered before is void.
    generation: u64,
    /// Of each member its port, its life and its database, as they were last.
    seen: Vec<(Port, u32, DatabaseView)>,
    remembered: Vec<Remembered>,
    pub(super) post: Post,
    pub(super) alerts: Alerts,
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

/// How far a jump is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// At its end, or where nothing moves any more.
    There,
    /// On its way.
    GoesOn,
    /// It waits for a receiver's answer.
    Waits,
}

/// The world while somebody holds it. A panic meanwhile breaks it for all.
pub(super) struct Held<'a> {
    world: MutexGuard<'a, World>,
    shared: &'a Shared,
}

impl Deref for Held<'_> {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.break_down();
        }
    }
}

impl Shared {
    pub(super) fn new(
        session: Session,
        (clock, post): (Clock, Post),
        options: Options,
        addresses: Addresses,
    ) -> Shared {
        let posts = options.alertmanager.is_some();
        let world = World::new(session, clock, post, posts);
        Shared {
            plan: world.session.plan().clone(),
            connections: Arc::new(Semaphore::new(descriptors(addresses.members.len()))),
            doors: addresses.members.iter().map(|_| <[DoorSign; 2]>::default()).collect(),
            packers: addresses.members.iter().map(|_| Packer::default()).collect(),
            options,
            addresses,
            metrics: OwnMetrics::new(),
            changes: watch::Sender::new(0),
            looks: Arc::new(Semaphore::new(2)),
            jumping: Arc::new(Semaphore::new(1)),
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            phase: watch::Sender::new(Phase::default()),
            world: Mutex::new(world),
        }
    }

    fn hold(&self) -> Result<Held<'_>, Broken> {
        match self.world.lock() {
            Ok(world) => Ok(Held { world, shared: self }),
            // A model that has panicked half-way through an event must not be shown.
            Err(_) => {
                self.break_down();
                Err(Broken)
            }
        }
    }

    fn break_down(&self) {
        let told = self.phase.send_if_modified(|phase| !std::mem::replace(&mut phase.broken, true));
        if told {
            self.tell();
        }
    }

    /// Wakes everybody who waits.
    pub(super) fn tell(&self) {
        self.changes.send_modify(|number| *number += 1);
    }

    /// Whether it goes on at all: long work must end when it does not.
    pub(super) fn serving(&self) -> bool {
        let phase = self.phase.borrow();
        !phase.stopped && !phase.broken
    }

    /// The world, caught up with the clock; while it is behind, as it is: whoever asks does not wait for more.
    pub(super) fn world(&self) -> Result<Held<'_>, Broken> {
        let mut world = self.hold()?;
        if !world.behind && world.catch_up(self.options.tick.as_nanoseconds()) {
            self.tell();
        }
        Ok(world)
    }

    /// Changes the world from outside, and tells everybody.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> Result<T, Broken> {
        let mut world = self.world()?;
        let result = change(&mut world);
        world.post_news();
        world.generation += 1;
        world.members_changed();
        drop(world);
        self.tell();
        Ok(result)
    }

    /// Moves time on a jump; those who wait are only told when something has changed for them.
    pub(super) fn step<T>(&self, step: impl FnOnce(&mut World) -> T) -> Result<T, Broken> {
        let mut world = self.hold()?;
        let result = step(&mut world);
        if world.members_changed() {
            self.tell();
        }
        Ok(result)
    }

    /// Catches up as far as it can, and says how long nothing will happen.
    pub(super) fn catch_up(&self) -> Result<Next, Broken> {
        let mut world = self.hold()?;
        if world.catch_up(self.options.tick.as_nanoseconds()) {
            self.tell();
        }
        if world.behind {
            return Ok(Next::Behind);
        }
        let next = [world.session.next_event(), world.clock.until()].into_iter().flatten().min();
        // What happens within a tick is seen at its end.
        let tick = self.options.tick.as_nanoseconds();
        Ok(Next::In(next.and_then(|next| world.clock.real_time_until(up_to_tick(next, tick)))))
    }

    /// Answers a request to a member. From a broken world there is no answer.
    pub(super) fn answer(&self, member: usize, request: &Request) -> Reply {
        self.try_answer(member, request).unwrap_or(Reply::Reset)
    }

    fn try_answer(&self, member: usize, request: &Request) -> Result<Reply, Broken> {
        let world = self.world()?;
        if let Some(encoded) = world.remembered(member, request) {
            return Ok(Reply::Send(encoded));
        }
        let draft = match management::draft(request, world.session.simulation(), member) {
            Ok(draft) => draft,
            Err(Outcome::Hang) => return Ok(Reply::Later(None)),
            Err(Outcome::Wait(at)) => return Ok(Reply::Later(world.clock.real_time_until(at))),
            Err(_) => return Ok(Reply::Reset),
        };
        let moment = world.moment();
        let command = draft.command().cloned();
        // Others need not wait while it is compressed.
        drop(world);
        let Some(packer) = self.packers.get(member) else { return Ok(Reply::Reset) };
        let encoded = Arc::new(Encoded::new(draft.finish(request, packer), request.http10));
        let Some(command) = command else {
            self.hold()?.remember(moment, member, request, &encoded);
            return Ok(Reply::Send(encoded));
        };
        let done = self.change(|world| world.session.command(command))?;
        Ok(Reply::Send(done.map_or_else(|why| Arc::new(Encoded::new(full(&why), request.http10)), |()| encoded)))
    }

    /// The session, for whoever embeds the server; the clock follows where it is moved to.
    pub(super) fn with_session<T>(&self, look: impl FnOnce(&mut Session) -> T) -> Result<T, Broken> {
        self.change(|world| {
            let before = world.session.now();
            let result = look(&mut world.session);
            let now = world.session.now();
            if now != before {
                world.clock.jump(now);
            }
            result
        })
    }

    /// An answer was given, or none.
    pub(super) fn answered(&self, member: usize, request: &Request, status: Result<u16, &str>) {
        let Some(it) = self.addresses.members.get(member) else { return };
        if let Ok(status) = status {
            self.metrics.answered(&it.name, status);
        }
        if let Some(log) = &self.options.log
            && let Ok(world) = self.hold()
        {
            let now = world.session.now();
            drop(world);
            log.tell(now, &it.name, request, status);
        }
    }

    /// What was no request was refused.
    pub(super) fn malformed(&self, member: usize, status: u16) {
        if let (Some(log), Some(it), Ok(world)) = (&self.options.log, self.addresses.members.get(member), self.hold()) {
            let now = world.session.now();
            drop(world);
            log.tell_malformed(now, &it.name, status);
        }
    }
}

/// No server of Kestra says this: a request that would change something is not done, because the session is full.
fn full(why: &Refused) -> Answer {
    let body = format!("mock-kestra: {why}; POST /api/reset to the control port begins anew\n");
    Answer {
        status: 503,
        reason: "Service Unavailable".to_owned(),
        headers: vec![
            ("content-type".to_owned(), "text/plain".to_owned()),
            ("content-length".to_owned(), body.len().to_string()),
            ("connection".to_owned(), "close".to_owned()),
        ],
        body: Body::Sized(body.into_bytes()),
        close: true,
        command: None,
    }
}

fn up_to_tick(at: Instant, tick: u64) -> Instant {
    let tick = tick.max(1) as i64;
    Instant::from_nanoseconds(at.as_nanoseconds().div_euclid(tick).saturating_add(1).saturating_mul(tick))
}

fn down_to_tick(at: Instant, tick: u64) -> Instant {
    let tick = tick.max(1) as i64;
    Instant::from_nanoseconds(at.as_nanoseconds().div_euclid(tick).saturating_mul(tick))
}

impl World {
    fn new(session: Session, mut clock: Clock, post: Post, posts: bool) -> World {
        let members = session.plan().cluster.members.len();
        let remembered = (0..members).map(|_| Remembered::default()).collect();
        // Nobody knows how long it is served.
        let mut session = session.endless().with_lines();
        session.keep_lived(Instant::START.since(session.now()));
        // A session that somebody has moved already goes on from there.
        let now = session.now().max(Instant::START);
        clock.jump(now);
        let (generation, resets, jumps_ended) = (0, 0, 0);
        let (limit, jump, seen) = (None, None, Vec::new());
        let (behind, lost, steps) = (false, Duration::ZERO, Steps::new());
        let mut world = World {
            session,
            clock,
            limit,
            behind,
            lost,
            steps,
            resets,
            jumps_ended,
            jump,
            generation,
            seen,
            remembered,
            post,
            alerts: Alerts { posts, ..Alerts::default() },
        };
        world.advance_to(now);
        world.open_post();
        // From here on: who looks at the time before goes it anew, and the start costs no clone.
        world.session.keep_checkpoints();
        world.members_changed();
        world
    }

    /// Moves the session to where the clock is, at a multiple of the tick while it runs. True when a member changed.
    fn catch_up(&mut self, tick: u64) -> bool {
        let now = self.clock.now();
        let shown = if self.clock.is_paused() || self.clock.arrives() { now } else { down_to_tick(now, tick) };
        self.follow(shown, tick);
        if !self.behind {
            self.clock.settle();
        }
        self.members_changed()
    }

    /// Moves the session to an instant, or as far as it gets while others can wait; the clock goes on from there.
    fn follow(&mut self, shown: Instant, tick: u64) {
        self.behind = false;
        // Whoever moves a clock by hand finds what it has moved to.
        if self.clock.is_by_hand() {
            self.advance(shown);
            return;
        }
        let patience = Deadline::after(PATIENCE);
        let mut steps = self.steps;
        while self.session.now() < shown && self.limit.is_none() {
            let now = self.session.now();
            if patience.is_over() {
                self.behind = true;
                self.lost += shown.since(now);
                self.clock.jump(now);
                break;
            }
            let next = |step: Duration| down_to_tick(now + step, tick).max(up_to_tick(now, tick)).min(shown);
            let goal = steps.take(|step| {
                let goal = next(step);
                self.advance(goal);
                goal
            });
            if self.session.now() < goal {
                // It waits for a message, and so does the clock.
                self.clock.jump(self.session.now());
                break;
            }
        }
        self.steps = steps;
    }

    /// Moves the session, up to a message that waits; at a limit the clock stops.
    pub(super) fn advance_to(&mut self, to: Instant) {
        if self.limit.is_none()
            && let Err(limit) = self.session.advance(to)
        {
            self.clock.pause();
            self.clock.jump(limit.at);
            self.limit = Some(limit);
        }
        self.alerts_news();
    }

    /// Takes one step of a jump, not further than `to`.
    pub(super) fn jump_on(&mut self, to: Instant, step: Duration) -> Way {
        let now = self.session.now();
        let next = to.min(now + step).max(now);
        self.jump = Some(to);
        self.behind = false;
        self.clock.jump(next);
        self.advance(next);
        let now = self.session.now();
        self.clock.jump(now);
        let there = now >= to || self.limit.is_some();
        self.jump = self.jump.filter(|_| !there);
        match there {
            true => Way::There,
            false if now < next => Way::Waits,
            false => Way::GoesOn,
        }
    }

    /// Whether a request that waits must ask again: a port, a process or its database is not what it was.
    fn members_changed(&mut self) -> bool {
        let simulation = self.session.simulation();
        let members = || simulation.members().iter().enumerate();
        let seen = || members().map(|(index, member)| (member.port(), member.life(), simulation.database(index)));
        let changed = !self.seen.iter().copied().eq(seen());
        if changed {
            self.seen = seen().collect();
        }
        changed
    }

    /// Stands still from now on; a jump ends.
    pub(super) fn pause(&mut self) {
        self.go_on_from_here();
        self.clock.pause();
        self.end_jumps();
    }

    /// The clock is where the session is.
    fn go_on_from_here(&mut self) {
        if std::mem::take(&mut self.behind) {
            self.clock.jump(self.session.now());
        }
    }

    /// None is under way from here on, though the work of one may still have to find out.
    fn end_jumps(&mut self) {
        self.jumps_ended += 1;
        self.jump = None;
    }

    /// Back to the exact start; a jump ends.
    pub(super) fn reset(&mut self) {
        self.before_reset();
        self.session.restart();
        self.clock.begin_anew();
        self.limit = None;
        (self.behind, self.lost) = (false, Duration::ZERO);
        self.end_jumps();
        self.resets += 1;
        self.advance_to(Instant::START);
        self.open_post();
        self.session.keep_checkpoints();
    }

    fn remembered(&self, member: usize, request: &Request) -> Option<Arc<Encoded>> {
        let remembered = self.remembered.get(member)?;
        if remembered.at != self.session.now() || remembered.generation != self.generation {
            return None;
        }
        // All but when it arrived: an answer may depend on any header.
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

    /// What tells whether an answer still holds: the instant, and a number that grows with each command.
    fn moment(&self) -> (Instant, u64) {
        (self.session.now(), self.generation)
    }

    /// Remembers an answer that was made at a moment, when it is still that.
    fn remember(&mut self, moment: (Instant, u64), member: usize, request: &Request, encoded: &Arc<Encoded>) {
        let same = moment == self.moment();
        let Some(remembered) = self.remembered.get_mut(member).filter(|_| same) else { return };
        let (at, generation) = moment;
        if remembered.at != at || remembered.generation != generation {
            *remembered = Remembered { at, generation, answers: Vec::new() };
        }
        if remembered.answers.len() < REMEMBERED {
            remembered.answers.push((request.clone(), encoded.clone()));
        }
    }
}
