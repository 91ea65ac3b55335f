//! Messages between the model and the network: what is under way, how long time waits for it, and what is told of it.
//!
//! A task that tells somebody takes as long as its receiver really takes, at any speed and on a jump too. So while a message
//! is under way virtual time goes no faster than real time; at a speed of up to 1 nobody notices. But a receiver that keeps
//! silent stops time for [`PATIENCE`] only, and once: then time goes on without it, until the task itself gives up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::clock::Stopwatch;
use super::delivery::{Outcome, Way};
use super::world::{Shared, World};
use crate::notify::Message;
use crate::scenario::{Answering, RealAnswer};
use crate::simulator::{Command, Delivery, Sent, Simulation};
use crate::time::{Duration, Instant};

/// Messages that are under way at most; more of them are lost.
const UNDER_WAY: usize = 1_000;
/// Messages that are sent at the same time.
const AT_ONCE: usize = 256;
/// The same to one host: others have their turns whatever it does.
const TO_ONE_HOST: usize = 32;
/// How long time waits for a receiver.
const PATIENCE: Duration = Duration::seconds(5);
/// Time may be this far ahead, in ticks, when a message is sent: so much it is behind a clock that is not fast anyway.
const AHEAD: f64 = 2.0;
/// How long messages that are under way may still take when the server ends.
const LAST: std::time::Duration = std::time::Duration::from_secs(1);

/// Where lost messages are told, a line each.
#[derive(Clone)]
pub struct LostLog(Arc<dyn Fn(&str) + Send + Sync>);

impl LostLog {
    /// Hands each line, its final line feed included, to `write`.
    pub fn new(write: impl Fn(&str) + Send + Sync + 'static) -> LostLog {
        LostLog(Arc::new(write))
    }
}

impl fmt::Debug for LostLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LostLog")
    }
}

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Parcel {
    resets: u64,
    number: u64,
    host: String,
    message: Arc<Message>,
}

/// What is known of messages outside of the model.
#[derive(Debug)]
pub(super) struct Post {
    /// The way out, where messages are sent.
    out: Option<Out>,
    told: Option<LostLog>,
    tick: Duration,
    /// The number of the next message that is new.
    next: u64,
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Out {
    queue: mpsc::Sender<Parcel>,
    way: Arc<Way>,
    answering: Answering,
}

/// A message that is under way.
#[derive(Debug)]
struct Open {
    /// Where time may begin to follow.
    from: Instant,
    since: Stopwatch,
    host: String,
    /// It was told that it is lost.
    lost: bool,
}

impl Post {
    pub(super) fn new(
        out: Option<(mpsc::Sender<Parcel>, Arc<Way>, Answering)>,
        told: Option<LostLog>,
        tick: Duration,
    ) -> Post {
        let out = out.map(|(queue, way, answering)| Out { queue, way, answering });
        Post { out, told, tick, next: 0, open: BTreeMap::new() }
    }

    /// The way out takes this many messages.
    pub(super) fn queue() -> (mpsc::Sender<Parcel>, mpsc::Receiver<Parcel>) {
        mpsc::channel(UNDER_WAY)
    }

    /// Where time must not pass yet.
    fn hold(&self) -> Option<Instant> {
        if self.open.is_empty() {
            return None;
        }
        let (silent, waited): (Vec<_>, Vec<_>) =
            self.open.values().map(|open| (open, open.since.elapsed())).partition(|(_, elapsed)| *elapsed >= PATIENCE);
        // What the model has given up holds nothing up.
        let waited = waited.into_iter().filter(|(open, _)| !open.lost);
        let silent: BTreeSet<&str> = silent.iter().map(|(open, _)| open.host.as_str()).collect();
        let waited = waited.filter(|(open, _)| !silent.contains(open.host.as_str()));
        waited.map(|(open, elapsed)| open.from + elapsed).min()
    }

    fn tell(&self, simulation: &Simulation, sent: &Sent, why: &str) {
        if let Some(LostLog(write)) = &self.told {
            write(&line(simulation, sent, why));
        }
    }
}

/// What is told of a message that is lost.
fn line(simulation: &Simulation, sent: &Sent, why: &str) -> String {
    let flow = simulation.plan().flows.get(sent.flow as usize);
    let task = flow.and_then(|flow| flow.task(sent.task as usize)).map_or("", |task| task.id.as_str());
    let flow = flow.map(crate::flow::Flow::name).unwrap_or_default();
    let (channel, to) = (sent.channel().unwrap_or("nobody"), sent.to());
    let to = if to.is_empty() { to } else { format!(" at {}", to.escape_debug()) };
    // Whoever answers may send what moves a terminal's cursor.
    let why = why.trim_end().escape_debug();
    format!("{} notification lost: {task} of {flow} to {channel}{to}: {why}\n", sent.at.rounded())
}

impl World {
    /// Moves the session, no further than messages under way let it; at a limit the clock stops.
    pub(super) fn advance(&mut self, to: Instant) {
        while self.limit.is_none() {
            let bound = self.hold().map_or(to, |hold| hold.min(to));
            self.advance_to(bound);
            self.post_news();
            if self.session.now() >= bound {
                return;
            }
        }
    }

    /// Where time must not pass yet. One that is moved by hand waits on jumps only.
    fn hold(&self) -> Option<Instant> {
        let waits = self.jump.is_some() || !self.clock.is_by_hand();
        self.post.hold().filter(|_| waits)
    }

    /// From here on messages are sent, where they are; what was before is nobody's news.
    pub(super) fn open_post(&mut self) {
        self.post.open.clear();
        self.post.next = self.session.simulation().sent().next();
        if self.post.out.is_some() {
            self.session.stop_at_messages();
        }
        self.take_over();
    }

    /// Messages are sent.
    fn take_over(&mut self) {
        if let Some(out) = &self.post.out
            && self.session.simulation().answering() != out.answering
        {
            // A session that is full has none to send any more: its receivers answer as the scenario says.
            let _ = self.session.command(Command::Receivers(out.answering));
        }
    }

    /// Sends what is new, and tells of what is lost.
    pub(super) fn post_news(&mut self) {
        self.take_over();
        self.tell_given_up();
        let sent = self.session.simulation().sent();
        if self.post.next == sent.next() {
            return;
        }
        let from = self.post.next.max(sent.dropped());
        self.post.next = sent.next();
        let news: Vec<(u64, Sent)> = (from..).zip(sent.since(from).cloned()).collect();
        for (number, sent) in news {
            match (&sent.delivery, &sent.message) {
                (Delivery::Waiting, Some(message)) => self.post_one(number, sent.at, message),
                (Delivery::Taken | Delivery::Waiting, _) => {}
                (lost, _) => self.post.tell(self.session.simulation(), &sent, lost.why().unwrap_or_default()),
            }
        }
    }

    fn post_one(&mut self, number: u64, at: Instant, message: &Arc<Message>) {
        // Of a saved session that is run again this was sent already.
        if self.session.has_answer(number) {
            return;
        }
        let Some(out) = &self.post.out else { return };
        let host = out.way.host(message);
        let parcel = Parcel { resets: self.resets, number, host: host.clone(), message: message.clone() };
        let refused = match self.post.open.len() < UNDER_WAY {
            _ if self.session.is_full() => {
                Some("this session takes no more answers: POST /api/reset begins anew".into())
            }
            true if out.queue.try_send(parcel).is_ok() => None,
            _ => Some(format!("more than {UNDER_WAY} messages are under way")),
        };
        let fast = self.jump.is_some() || self.clock.speed() > 1.0;
        let ahead = if fast { Duration::ZERO } else { self.post.tick.times(AHEAD) };
        let from = self.clock.now().min(at + ahead).max(at);
        self.post.open.insert(number, Open { from, since: Stopwatch::begin(), host, lost: false });
        if let Some(why) = refused {
            self.answered(self.resets, number, Outcome { status: None, fails: Some(format!("not sent: {why}")) });
        }
    }

    /// What came of a message, of which the model may have given up hope.
    fn answered(&mut self, resets: u64, number: u64, outcome: Outcome) {
        if resets != self.resets {
            return;
        }
        let Some(open) = self.post.open.remove(&number) else { return };
        let Outcome { status, fails } = outcome;
        let answer = RealAnswer { status, fails, took: open.since.elapsed() };
        let lost = answer.fails.clone().filter(|_| !open.lost);
        // It is known already that nobody waits any more, or that the session is full: the task has failed, or will.
        let _ = self.session.command(Command::Answer { message: number, answer });
        let simulation = self.session.simulation();
        if let (Some(why), Some(sent)) = (lost, simulation.sent().get(number)) {
            self.post.tell(simulation, sent, &why);
        }
    }

    /// Tells of messages whose tasks have failed meanwhile.
    fn tell_given_up(&mut self) {
        if self.post.open.is_empty() {
            return;
        }
        let simulation = self.session.simulation();
        for (number, open) in self.post.open.iter_mut().filter(|(_, open)| !open.lost) {
            let sent = simulation.sent().get(*number);
            if let Some(sent) = sent
                && let Delivery::Lost(why) = &sent.delivery
            {
                open.lost = true;
                if let Some(LostLog(write)) = &self.post.told {
                    write(&line(simulation, sent, why));
                }
            }
        }
    }
}

/// Sends messages until the server ends.
pub(super) async fn run(shared: Arc<Shared>, way: Arc<Way>, mut parcels: mpsc::Receiver<Parcel>) {
    let free = Arc::new(Semaphore::new(AT_ONCE));
    // One for each host to which something is under way.
    let mut turns: BTreeMap<String, Arc<Semaphore>> = BTreeMap::new();
    let mut sending = JoinSet::new();
    let mut resets = 0;
    while let Some(parcel) = parcels.recv().await {
        // Nobody hears any more what becomes of messages of a run that was reset: they make room.
        if parcel.resets != resets {
            sending.abort_all();
            resets = parcel.resets;
        }
        while sending.try_join_next().is_some() {}
        turns.retain(|_, turns| Arc::strong_count(turns) > 1);
        let one = || Arc::new(Semaphore::new(TO_ONE_HOST));
        let turns = turns.entry(parcel.host.clone()).or_insert_with(one).clone();
        let (shared, way, free) = (shared.clone(), way.clone(), free.clone());
        sending.spawn(async move {
            // Neither is ever closed.
            let (_turn, _free) = (turns.acquire().await, free.acquire().await);
            let outcome = way.send(&parcel.message).await;
            // A model that has panicked hears nothing any more.
            let _ = shared.change(|world| world.answered(parcel.resets, parcel.number, outcome));
        });
    }
}

/// Waits for messages that are under way, not long; tells how many are cut off.
pub(super) async fn close(shared: &Shared) {
    let left = || shared.world().map_or(0, |world| world.post.open.len());
    let all = async {
        while left() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(LAST, all).await.is_err()
        && let Some(LostLog(write)) = &shared.options.lost
    {
        write(&format!("{} notifications were still under way and are cut off\n", left()));
    }
}
