//! A process as a state machine: what it does, what its ports do, and what happens to it next. Pure: it is told the time and
//! what comes, and says what follows from it; it knows neither the cluster nor the calendar.

use super::Port;
use super::event::ExitCause;
use crate::random::{Seed, name_key};
use crate::time::{Duration, Instant};

/// What a process does.
///
/// | state | cause | then | what follows |
/// |---|---|---|---|
/// | booting | come up | up | |
/// | booting | terminated | gone | it exits |
/// | up | terminated | stopping | it says so, takes nothing new; cut off when its grace period is over |
/// | up, stopping | doomed | the same, doomed | it takes no more messages |
/// | up, stopping | gives up | gone, or lingering where a version does so | it exits, or closes its ports |
/// | stopping | idle | stopping, closing | its ports close, it exits soon after |
/// | stopping | deaf, closed | the same | its ports do |
/// | lingering | terminated | the same | it exits three seconds later |
/// | booting, up, stopping, lingering | hangs, pauses | still | its threads do nothing; one that was told to stop is killed when its grace period is over |
/// | still | goes on, when nothing else holds it | as before | what came meanwhile comes now, in its order |
/// | still | terminated | still | the signal waits; whoever sent it kills when the grace period is over |
/// | still | comes up, gives up, deaf, closed, exits by itself | still | waits |
/// | any | exits | gone | also a still one, when it is killed |
///
/// What is not in the table changes nothing: a process that is told to stop twice stops once.
#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Starts up, its ports are closed.
    Booting,
    /// Works.
    Up(Fate),
    /// Was told to stop: takes nothing new, finishes what it has.
    Stopping(Shutdown, Fate),
    /// Gave up on its database with its ports closed, and lives on.
    Lingering,
    /// Stands still.
    Still(Box<Still>),
}

/// Whether the threads that read queues live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lives,
    /// They met a fatal error: it takes no more messages and will exit.
    Doomed,
}

/// A process that stands still.
#[derive(Clone, Debug, PartialEq)]
struct Still {
    /// What it goes on with.
    was: State,
    /// A fault holds it.
    hung: bool,
    /// A collection holds it until then.
    until: Option<Instant>,
    /// What came meanwhile.
    late: Vec<Cause>,
}

/// A shutdown under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Since when.
    pub since: Instant,
    /// Whether `POST /stop` asked for it, and not SIGTERM.
    pub by_endpoint: bool,
    /// It has nothing left to do and closes.
    closing: bool,
    /// What its ports do by now.
    port: Port,
}

/// What is always true of a process: its place, its version's ways, its draws.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nature {
    /// Kestra's termination grace period.
    pub(super) grace: Duration,
    /// SIGTERM closes its ports at once (0.20).
    pub(super) closes_at_once: bool,
    /// Tasks are cut off after ten seconds (2.0).
    pub(super) stops_by_force: bool,
    /// It closes its ports and lives on when it gives up (0.20).
    pub(super) lingers: bool,
    /// It has a database of its own.
    pub(super) has_database: bool,
    /// Its draws: seed, key of the member, number of the process.
    pub(super) draws: (Seed, u64, u32),
}

/// What comes to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// It has started up.
    ComesUp,
    /// SIGTERM, or `POST /stop`.
    Terminated {
        by_endpoint: bool,
    },
    /// No job is left in it.
    Idle,
    /// Its ports accept and close without an answer from now on.
    Deaf,
    /// Its ports are closed.
    Closed,
    /// A query of its queue threads failed for good.
    Doomed,
    /// It waited long enough for what it lost, unless it came back: then its patience is another one.
    GivesUp {
        patience: u32,
    },
    /// A fault makes it stand still, or no longer.
    Hangs,
    Unhangs,
    /// A collection makes it stand still until then.
    Pauses(Instant),
    /// And is over.
    PauseEnds,
    /// It ends by itself.
    Exits(ExitCause),
}

/// What follows for the cluster, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// After this long that comes to it.
    After(Duration, Cause),
    /// At this instant that comes to it.
    At(Instant, Cause),
    /// It shuts down: it says so.
    ShutsDown,
    /// What it does by itself changes its pace, and perhaps it is no controller any more.
    Slows,
    /// Perhaps it has nothing to do: then it is idle.
    MayBeIdle,
    /// It closes its ports and lives on.
    Lingers,
    /// It stands still.
    Stands,
    /// It goes on.
    GoesOn,
    /// It is gone.
    Gone(ExitCause),
}

/// The state of one process.
#[derive(Clone, Debug)]
pub(super) struct Course {
    state: State,
    nature: Nature,
    patience: u32,
}

impl Course {
    /// A process that starts up.
    pub(super) fn new(nature: Nature) -> Course {
        Course { state: State::Booting, nature, patience: 0 }
    }

    /// Something comes to it; see the table at [`State`].
    pub(super) fn on(&mut self, now: Instant, cause: Cause) -> Vec<Effect> {
        if let Cause::GivesUp { patience } = cause
            && patience != self.patience
        {
            return Vec::new();
        }
        if matches!(self.state, State::Still(_)) {
            return self.on_still(now, cause);
        }
        match (&mut self.state, cause) {
            (State::Booting, Cause::ComesUp) => self.state = State::Up(Fate::Lives),
            (State::Booting, Cause::Terminated { .. }) => return vec![Effect::Gone(ExitCause::Stopped)],
            (State::Up(fate), Cause::Terminated { by_endpoint }) => {
                let fate = *fate;
                return self.stop(now, by_endpoint, fate);
            }
            (State::Lingering, Cause::Terminated { .. }) => {
                return vec![Effect::After(Duration::seconds(3), Cause::Exits(ExitCause::Stopped))];
            }
            (State::Up(fate) | State::Stopping(_, fate), Cause::Doomed) => *fate = Fate::Doomed,
            (State::Up(_) | State::Stopping(..), Cause::GivesUp { .. }) => return self.give_up(),
            (State::Stopping(..), Cause::Idle) => return self.close(now),
            (State::Stopping(shutdown, _), Cause::Deaf) => shutdown.port = Port::Closing,
            (State::Stopping(shutdown, _), Cause::Closed) => shutdown.port = Port::Refused,
            (_, Cause::Hangs | Cause::Pauses(_)) => return self.stand(cause),
            (_, Cause::Exits(cause)) => return vec![Effect::Gone(cause)],
            _ => {}
        }
        Vec::new()
    }

    fn stand(&mut self, cause: Cause) -> Vec<Effect> {
        let until = if let Cause::Pauses(until) = cause { Some(until) } else { None };
        let grace = self.grace();
        let was = std::mem::replace(&mut self.state, State::Booting);
        let mut effects = vec![Effect::Stands];
        if let State::Stopping(shutdown, _) = &was {
            effects.push(Effect::At(shutdown.since + grace, Cause::Exits(ExitCause::Killed)));
        }
        self.state = State::Still(Box::new(Still { was, hung: until.is_none(), until, late: Vec::new() }));
        effects.extend(until.map(|until| Effect::At(until, Cause::PauseEnds)));
        effects
    }

    fn on_still(&mut self, now: Instant, cause: Cause) -> Vec<Effect> {
        let grace = self.grace();
        let State::Still(still) = &mut self.state else { return Vec::new() };
        match cause {
            Cause::Hangs => still.hung = true,
            Cause::Unhangs => still.hung = false,
            Cause::Pauses(until) => {
                still.until = Some(still.until.map_or(until, |before| before.max(until)));
                return vec![Effect::At(until, Cause::PauseEnds)];
            }
            Cause::PauseEnds => still.until = still.until.filter(|until| *until > now),
            // Its connections are cut whatever it does.
            Cause::Doomed => {
                if let State::Up(fate) | State::Stopping(_, fate) = &mut still.was {
                    *fate = Fate::Doomed;
                }
            }
            Cause::Exits(ExitCause::Killed) => return vec![Effect::Gone(ExitCause::Killed)],
            Cause::Terminated { .. } => {
                let waits = still.late.iter().any(|late| matches!(late, Cause::Terminated { .. }));
                if !waits {
                    still.late.push(cause);
                    return vec![Effect::After(grace, Cause::Exits(ExitCause::Killed))];
                }
            }
            Cause::Idle => {}
            Cause::ComesUp | Cause::Deaf | Cause::Closed | Cause::GivesUp { .. } | Cause::Exits(_) => {
                still.late.push(cause)
            }
        }
        if still.hung || still.until.is_some() {
            return Vec::new();
        }
        let late = std::mem::take(&mut still.late);
        self.state = std::mem::replace(&mut still.was, State::Booting);
        let mut effects = vec![Effect::GoesOn];
        for cause in late {
            match cause {
                // More follows from it than what the process itself does.
                Cause::ComesUp => effects.push(Effect::After(Duration::ZERO, Cause::ComesUp)),
                cause => effects.extend(self.on(now, cause)),
            }
        }
        effects
    }

    /// The time from SIGTERM to the end of a process that still has tasks. Tasks are cut off after ten seconds, and the
    /// process is gone three later (2.0 standalone/stop).
    fn grace(&self) -> Duration {
        match self.nature.stops_by_force {
            true => self.nature.grace.min(Duration::seconds(10)) + Duration::seconds(3),
            false => self.nature.grace,
        }
    }

    fn stop(&mut self, now: Instant, by_endpoint: bool, fate: Fate) -> Vec<Effect> {
        let mut effects = Vec::new();
        let port = match (self.nature.closes_at_once, by_endpoint) {
            (true, true) => {
                effects.push(Effect::After(Duration::milliseconds(500), Cause::Deaf));
                Port::Open
            }
            (true, false) => Port::Closing,
            (false, _) => Port::Open,
        };
        self.state = State::Stopping(Shutdown { since: now, by_endpoint, closing: false, port }, fate);
        let cut_off = Effect::After(self.grace(), Cause::Exits(ExitCause::Forced));
        effects.extend([Effect::ShutsDown, Effect::Slows, cut_off, Effect::MayBeIdle]);
        effects
    }

    /// Nothing is left to do: the ports close, then it exits.
    fn close(&mut self, now: Instant) -> Vec<Effect> {
        let Nature { closes_at_once: at_once, stops_by_force: by_force, draws: (seed, key, life), .. } = self.nature;
        let State::Stopping(shutdown, _) = &mut self.state else { return Vec::new() };
        if shutdown.closing {
            return Vec::new();
        }
        shutdown.closing = true;
        let mut draws = seed.numbered(key ^ name_key("close"), u64::from(life));
        // Recorded: SIGTERM closes at once when nothing runs, and exits after 1.7 to 3.2 s; after `/stop` the ports stay
        // open for some 2 s, exit after 2.6 s; once tasks had to be waited for, it is gone within a second.
        let waited = now.since(shutdown.since) > Duration::seconds(1);
        let (closed, gone) = match (shutdown.by_endpoint, waited) {
            // Of a process that had nothing to do there is no recording.
            _ if by_force => (3_000, 3_000),
            // Recorded from 0.20.7: exit 1.5 s after SIGTERM, 2 s after the last task, 4 s after `/stop`.
            (true, _) if at_once => (1_600, 4_000),
            (false, true) if at_once => (100, 2_000),
            (false, false) if at_once => (100, 1_400 + draws.below(300)),
            (true, _) => (2_100, 2_600),
            (false, true) => (500, 1_000),
            (false, false) => (100, 1_700 + draws.below(1_500)),
        };
        if !shutdown.by_endpoint && !by_force {
            shutdown.port = Port::Closing;
        }
        vec![
            Effect::After(Duration::milliseconds(closed), Cause::Closed),
            Effect::After(Duration::milliseconds(gone), Cause::Exits(ExitCause::Stopped)),
        ]
    }

    fn give_up(&mut self) -> Vec<Effect> {
        if !self.nature.has_database {
            return vec![Effect::Gone(ExitCause::NoController)];
        }
        if !self.nature.lingers {
            return vec![Effect::Gone(ExitCause::DatabaseLost)];
        }
        self.state = State::Lingering;
        vec![Effect::Lingers]
    }

    /// What it does, or goes on with.
    fn core(&self) -> &State {
        match &self.state {
            State::Still(still) => &still.was,
            state => state,
        }
    }

    /// What its ports do.
    pub(super) fn port(&self) -> Port {
        let port = match self.core() {
            State::Booting => Port::Refused,
            State::Up(_) => Port::Open,
            State::Stopping(shutdown, _) => shutdown.port,
            State::Lingering | State::Still(_) => Port::Closing,
        };
        match &self.state {
            State::Still(still) if still.hung && port == Port::Open => Port::Frozen,
            _ => port,
        }
    }

    /// Until when a collection holds up all answers.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        if let State::Still(still) = &self.state { still.until } else { None }
    }

    /// The shutdown under way, once it has heard of it.
    pub(super) fn shutdown(&self) -> Option<Shutdown> {
        if let State::Stopping(shutdown, _) = self.core() { Some(*shutdown) } else { None }
    }

    /// Whether its threads run at all.
    pub(super) fn moves(&self) -> bool {
        matches!(self.state, State::Up(_) | State::Stopping(..) | State::Lingering)
    }

    /// Whether it has come up, whatever became of it then.
    pub(super) fn came_up(&self) -> bool {
        !matches!(self.core(), State::Booting)
    }

    /// Whether it is up and moves: nobody told it to stop.
    pub(super) fn up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Whether it takes messages.
    pub(super) fn works(&self) -> bool {
        matches!(self.state, State::Up(Fate::Lives))
    }

    /// Whether it met a fatal error and will exit.
    pub(super) fn doomed(&self) -> bool {
        matches!(self.core(), State::Up(Fate::Doomed) | State::Stopping(_, Fate::Doomed) | State::Lingering)
    }

    /// What it waits for is there again, or is lost anew: it will not give up when it would have.
    pub(super) fn new_patience(&mut self) -> u32 {
        self.patience += 1;
        self.patience
    }

    /// With which patience it waits now.
    pub(super) fn patience(&self) -> u32 {
        self.patience
    }
}

#[cfg(test)]
mod tests;
