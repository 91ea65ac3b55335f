//! A session: one plan under way, what came from outside, and a look at any instant of it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::autoscale::{Scaling, is_autoscaled, unread};
use super::checkpoints::{Checkpoints, advance_in_slices};
use super::judge::Judge;
use super::lived::Lived;
use super::orders::{agenda, order};
use super::watch::{self, Watch, Watching};
use super::way::{Passed, Way};
use super::{closing, counted, member_line, rules};
use crate::monitor::Sink;
use crate::random::Seed;
use crate::report::{Line, Report};
use crate::scenario::{Answering, Order, Plan, PlannedCommand, TimelineEntry, write};
use crate::simulator::{Command, CommandError, LimitReached, Simulation};
use crate::time::{Calendar, Instant};

/// Bounds of a session.
pub mod limits {
    /// Commands from outside, those included that are still to come.
    pub const COMMANDS: usize = 100_000;
}

/// One plan under way. Same plan, seed, calendar and commands give the same bytes of every answer at every instant.
#[derive(Debug)]
pub struct Session {
    pub(super) plan: Arc<Plan>,
    seed: Seed,
    pub(super) calendar: Calendar,
    pub(super) simulation: Simulation,
    /// What came from outside, in the order it was done.
    pub(super) commands: Vec<Issued>,
    /// What is still to come, in the order of time.
    pub(super) agenda: VecDeque<Issued>,
    pub(super) watching: Option<Watching>,
    /// How it is watched anew after a restart: one that follows a clock.
    pub(super) live: Option<Arc<Watch>>,
    judge: Judge,
    pub(super) scaling: Option<Scaling>,
    keeps: Keeps,
    /// How often it went back to its beginning.
    restarts: u64,
    checkpoints: Option<Checkpoints>,
    /// What it has lived, when somebody wants a picture of it.
    pub(super) lived: Option<Lived>,
    /// Grows with every command, and with every beginning anew.
    pub(super) version: u64,
}

/// A command and its instant.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    pub(super) at: Instant,
    pub(super) command: Command,
    /// The scenario itself has it.
    pub(super) planned: bool,
}

/// Why a command is not done. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The session is full.
    #[error("this session has {} commands already, it takes no more", limits::COMMANDS)]
    TooMany,
    /// The cluster cannot do it.
    #[error(transparent)]
    Impossible(#[from] CommandError),
    /// It should have been done before.
    #[error("{at} is past, it is {now} now")]
    Past {
        /// When it should be done.
        at: Instant,
        /// The current instant.
        now: Instant,
    },
}

/// What is kept of a simulation for those who look at it.
#[derive(Clone, Copy, Debug, Default)]
struct Keeps {
    /// Old happenings make room for new ones.
    endless: bool,
    /// The members' logs.
    lines: bool,
    /// Log entries.
    entries: bool,
}

impl Keeps {
    /// A simulation that begins keeps that.
    fn begin(self, simulation: &mut Simulation) {
        if self.endless {
            simulation.forget_old_happenings();
        }
        if self.lines {
            simulation.keep_lines();
        }
        if self.entries {
            simulation.keep_entries();
        }
    }
}

impl Session {
    /// A cluster at the beginning of its life; nothing has moved yet.
    pub fn new(plan: Arc<Plan>, seed: Seed, calendar: Calendar) -> Session {
        let simulation = Simulation::new(plan.clone(), seed, calendar);
        Session {
            scaling: Scaling::of(&plan, &simulation),
            simulation,
            agenda: agenda(&plan),
            judge: Judge::new(&plan),
            keeps: Keeps::default(),
            restarts: 0,
            plan,
            seed,
            calendar,
            commands: Vec::new(),
            watching: None,
            live: None,
            checkpoints: None,
            lived: None,
            version: 0,
        }
    }

    /// The same, of which the Flow triggers of a flow are asked what they make of executions.
    #[must_use]
    pub(super) fn asking(mut self, flow: usize) -> Session {
        self.simulation.ask(flow);
        self
    }

    /// The same, watched by a Prometheus in virtual time. It has its turns only from where the session is now.
    #[must_use]
    pub fn watched(mut self, watch: &Watch) -> Session {
        self.watching = Some(Watching::new(watch, &self.plan, &self.simulation));
        self.live = watch.live.then(|| Arc::new(watch.clone()));
        // Autoscalers ask it too.
        if let Some(scaling) = &mut self.scaling {
            scaling.prometheus = None;
        }
        self
    }

    /// The same, watched by a Prometheus that has begun then, if not before: it scrapes everything, and hands it to a sink.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(super) fn handing_all_to(mut self, watch: &Watch, begin: Instant, sink: Box<dyn Sink + Send>) -> Session {
        let mut watching = Watching::from(watch, &self.plan, &self.simulation, begin);
        watching.only_hand_to(sink);
        self.watching = Some(watching);
        if let Some(scaling) = &mut self.scaling {
            scaling.prometheus = None;
        }
        self
    }

    /// The same, with all turns of its watch on a grid from the start on.
    #[must_use]
    pub(super) fn on_grid(mut self) -> Session {
        if let Some(watching) = &mut self.watching {
            watching.on_grid();
        }
        self
    }

    /// The same, handing what its watch scrapes to somebody else too.
    #[must_use]
    pub(super) fn handing_to(mut self, sink: Option<Box<dyn Sink + Send>>) -> Session {
        if let (Some(watching), Some(sink)) = (&mut self.watching, sink) {
            watching.hand_to(sink);
        }
        self
    }

    /// The same for as long as it may be: what happened long ago is forgotten, instead of an end when there is too much of it.
    #[must_use]
    pub fn endless(mut self) -> Session {
        self.keeps.endless = true;
        self.keeps.begin(&mut self.simulation);
        self
    }

    /// The same, keeping the lines of the members' logs: [`Simulation::lines`]. To be said at the beginning.
    #[must_use]
    pub fn with_lines(mut self) -> Session {
        self.keeps.lines = true;
        self.keeps.begin(&mut self.simulation);
        self
    }

    /// The same, keeping log entries: [`Simulation::entries`]. To be said at the beginning.
    #[cfg(feature = "cli")]
    #[must_use]
    pub(crate) fn with_entries(mut self) -> Session {
        self.keeps.entries = true;
        self.keeps.begin(&mut self.simulation);
        self
    }

    /// How often it went back to its beginning.
    #[cfg(feature = "cli")]
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// The same, for the tests of documents.
    #[cfg(all(feature = "cli", feature = "internals"))]
    #[must_use]
    pub fn for_documents(self) -> Session {
        self.endless().with_entries()
    }

    /// The cluster at its beginning.
    fn beginning(&self) -> Simulation {
        let mut simulation = Simulation::new(self.plan.clone(), self.seed, self.calendar);
        self.keeps.begin(&mut simulation);
        simulation
    }

    /// The same, keeping checkpoints from here on: [`Session::at`] is quick then, and moving a little slower.
    #[must_use]
    pub fn with_checkpoints(mut self) -> Session {
        self.keep_checkpoints();
        self
    }

    /// Keeps checkpoints from here on, if it does not yet.
    pub fn keep_checkpoints(&mut self) {
        self.checkpoints.get_or_insert_with(|| Checkpoints::from(&self.simulation));
    }

    /// Back to the beginning: what came from outside is forgotten, and so is what was watched and kept. Rules
    /// that follow the clock begin anew.
    pub fn restart(&mut self) {
        let anew = Session::new(self.plan.clone(), self.seed, self.calendar);
        let mut anew = Session { keeps: self.keeps, restarts: self.restarts + 1, ..anew };
        anew.keeps.begin(&mut anew.simulation);
        let anew = match &self.live {
            Some(watch) => anew.watched(watch),
            None => anew,
        };
        let looked_on = self.lived.is_some();
        *self = Session { version: self.version + 1, ..anew };
        if looked_on {
            self.keep_lived(Instant::START.since(self.simulation.born()));
        }
    }

    /// Moves to `to`, through all events up to and including it, and through what is planned. An instant in the past
    /// changes nothing. After [`Session::stop_at_messages`] it may end earlier.
    ///
    /// # Errors
    /// A limit of the simulation was reached; the current instant is that of it, and nothing moves any more.
    pub fn advance(&mut self, to: Instant) -> Result<(), LimitReached> {
        loop {
            let planned = self.agenda.front().map(|planned| planned.at);
            let scaling = self.scaling.as_ref().and_then(Scaling::next);
            let next = planned.into_iter().chain(self.judge.next()).chain(scaling).min();
            let Some(at) = next.filter(|at| *at <= to) else { break };
            self.go(at)?;
            if self.simulation.now() < at {
                return Ok(());
            }
            // What comes from outside at this instant came after it: a saved session keeps that order.
            if scaling.is_some_and(|turn| turn <= at) {
                self.scale()?;
            }
            // Who looks at an instant sees what is done at it.
            match self.agenda.pop_front_if(|planned| planned.at <= at) {
                Some(issued) => self.issue(issued)?,
                None if self.judge.next().is_some_and(|look| look <= at) => self.judge.look(&self.simulation),
                None => {}
            }
        }
        self.go(to)
    }

    fn go(&mut self, to: Instant) -> Result<(), LimitReached> {
        let commands = self.commands.len();
        let (checkpoints, lived) = (&mut self.checkpoints, &mut self.lived);
        let sliced = checkpoints.is_some();
        let watching = self.watching.as_mut().or_else(|| self.scaling.as_mut()?.prometheus.as_mut());
        watch::advance(&mut self.simulation, watching, to, &mut |simulation, to| {
            let mut each = |simulation: &Simulation| {
                if let Some(checkpoints) = checkpoints.as_mut() {
                    checkpoints.offer(simulation, commands);
                }
                true
            };
            match lived {
                Some(lived) => lived.follow(simulation, to, &mut each).map(|_| ()),
                None if sliced => advance_in_slices(simulation, to, each).map(|_| ()),
                None => simulation.advance(to),
            }
        })
    }

    /// What autoscalers decide now. A session that is run again decides the same: it is not kept as from outside.
    fn scale(&mut self) -> Result<(), LimitReached> {
        let Some(scaling) = &mut self.scaling else { return Ok(()) };
        let entries = scaling.turns(&self.simulation, self.watching.as_ref(), self.calendar);
        // What was known of later instants did not know of it.
        if !entries.is_empty() {
            self.changed();
        }
        for entry in entries {
            if self.is_full() {
                break;
            }
            self.issue(Issued { at: entry.at, command: Command::Inject(entry), planned: true })?;
        }
        Ok(())
    }

    /// Does something, and all that follows at this very instant: what comes next finds it done.
    fn issue(&mut self, issued: Issued) -> Result<(), LimitReached> {
        // Of a plan a member may be asked that is not there then: nobody hears it.
        let _ = self.simulation.command(issued.command.clone());
        let now = self.simulation.now();
        self.commands.push(Issued { at: now, ..issued });
        self.simulation.advance(now)
    }

    /// Does something from outside at the current instant, and keeps it, so that the session can be run again. What was
    /// known of later instants is void.
    ///
    /// # Errors
    /// Why it is not done.
    pub fn command(&mut self, command: Command) -> Result<(), Refused> {
        self.check(&command)?;
        self.changed();
        // A limit that is reached by it is told by whoever advances next.
        let _ = self.issue(Issued { at: self.simulation.now(), command, planned: false });
        Ok(())
    }

    /// Injects a fault at its `at`: now, or when it comes.
    ///
    /// # Errors
    /// Its instant is past, or it cannot be done.
    pub fn inject(&mut self, entry: TimelineEntry) -> Result<(), Refused> {
        let (at, now) = (entry.at, self.simulation.now());
        if at < now {
            return Err(Refused::Past { at, now });
        }
        let command = Command::Inject(entry);
        if at == now {
            return self.command(command);
        }
        self.check(&command)?;
        self.changed();
        let after = self.agenda.partition_point(|planned| planned.at <= at);
        self.agenda.insert(after, Issued { at, command, planned: false });
        Ok(())
    }

    /// Ends the fault of this name, or takes it back when it was injected and is still to come.
    ///
    /// # Errors
    /// There is none.
    pub fn clear(&mut self, name: &str) -> Result<(), Refused> {
        let planned = self.agenda.iter().position(|it| !it.planned && injected(it).is_some_and(|it| it.name == name));
        match planned {
            Some(index) if !self.in_force(name) => {
                self.changed();
                self.agenda.remove(index);
                Ok(())
            }
            _ => self.command(Command::Clear(name.to_owned())),
        }
    }

    fn in_force(&self, name: &str) -> bool {
        self.simulation.faults().iter().any(|fault| fault.entry.name == name)
    }

    fn changed(&mut self) {
        self.version += 1;
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.void_after(self.simulation.now());
        }
    }

    fn check(&self, command: &Command) -> Result<(), Refused> {
        if self.is_full() {
            return Err(Refused::TooMany);
        }
        Ok(self.simulation.check(command)?)
    }

    /// Whether it takes no more commands.
    pub fn is_full(&self) -> bool {
        self.commands.len() + self.agenda.len() >= limits::COMMANDS
    }

    /// A name that no fault of this session has had, made from the one that is wanted.
    pub fn free_name(&self, wanted: &str) -> String {
        let all: BTreeSet<&str> = self.faults().map(|(entry, _)| entry.name.as_str()).collect();
        let taken = |name: &str| all.contains(name) || is_autoscaled(&self.plan, name);
        if !taken(wanted) {
            return wanted.to_owned();
        }
        (2..).map(|number| format!("{wanted}-{number}")).find(|name| !taken(name)).unwrap_or_default()
    }

    /// All faults of this session, whatever became of them, each with whether the scenario has it; the others were injected
    /// from outside.
    pub fn faults(&self) -> impl Iterator<Item = (&TimelineEntry, bool)> {
        let of_file = self.plan.timeline.iter().map(|entry| (entry, true));
        // Of an autoscaler only its last word counts.
        let last = |entry: &TimelineEntry| {
            let scaled = || self.commands.iter().rev().filter_map(injected).find(|it| it.name == entry.name);
            !is_autoscaled(&self.plan, &entry.name) || scaled().is_some_and(|it| std::ptr::eq(it, entry))
        };
        let injected = self.commands.iter().chain(&self.agenda).filter_map(|it| Some((injected(it)?, it.planned)));
        of_file.chain(injected.filter(move |(entry, _)| last(entry)))
    }

    /// Faults that were injected from outside and are still to come.
    pub fn planned(&self) -> impl Iterator<Item = &TimelineEntry> {
        self.agenda.iter().filter(|it| !it.planned).filter_map(injected)
    }

    /// From now on [`Session::advance`] ends at each instant at which a message is sent that waits for an answer from
    /// outside: for whoever sends them.
    pub fn stop_at_messages(&mut self) {
        self.simulation.stop_at_messages(true);
    }

    /// Whether the scenario itself has the answer to a message, as a saved session has it.
    pub fn has_answer(&self, message: u64) -> bool {
        self.agenda.iter().any(|it| matches!(it.command, Command::Answer { message: it, .. } if it == message))
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
    /// The seed.
    pub fn seed(&self) -> Seed {
        self.seed
    }
    /// Which date the scenario's start is.
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }
    /// The current instant.
    pub fn now(&self) -> Instant {
        self.simulation.now()
    }
    /// When something happens next, if anything will.
    pub fn next_event(&self) -> Option<Instant> {
        let scaling = self.scaling.as_ref().and_then(Scaling::next);
        let planned = self.agenda.front().map(|planned| planned.at);
        let watching = self.watching.as_ref().and_then(|it| it.next_turn(&self.calendar));
        self.simulation.next_event().into_iter().chain(planned).chain(scaling).chain(watching).min()
    }
    /// The cluster at the current instant.
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }
    /// Commands from outside so far.
    pub fn commands(&self) -> usize {
        self.commands.iter().filter(|it| !it.planned).count()
    }

    /// The cluster at any instant, past or to come, as this session has made it.
    ///
    /// # Errors
    /// A limit of the simulation is reached before.
    pub fn at(&self, instant: Instant) -> Result<Simulation, LimitReached> {
        // Nobody asks it to stop.
        self.way_to(instant).go(&|| true).map(|found| found.simulation)
    }

    /// The way to an instant from the nearest checkpoint before it. It can be gone while the session itself moves on.
    pub fn way_to(&self, instant: Instant) -> Way {
        let known = self.checkpoints.as_ref().and_then(|it| it.before(instant));
        let now = self.simulation.now();
        let (from, done) = match known {
            // The session itself is nearer.
            _ if now <= instant && known.is_none_or(|it| it.simulation.now() <= now) => {
                (Arc::new(self.simulation.clone()), self.commands.len())
            }
            Some(checkpoint) => (checkpoint.simulation.clone(), checkpoint.commands),
            None => (Arc::new(self.beginning()), 0),
        };
        // What nobody has sent yet nobody has answered: what is to come is seen as the scenario has it.
        let foreseen = (instant > now && self.simulation.answering() != Answering::Scenario).then(|| Issued {
            at: now,
            command: Command::Receivers(Answering::Scenario),
            planned: false,
        });
        let kept = self.checkpoints.as_ref().filter(|_| foreseen.is_none());
        let all = self.commands.iter().chain(&foreseen).chain(&self.agenda);
        Way {
            done,
            commands: all.skip(done).take_while(|it| it.at <= instant).cloned().collect(),
            to: instant,
            passed: kept.map(|it| it.going_on_from(&from)),
            version: self.version,
            from,
        }
    }

    /// Keeps what a way has found, when nothing came from outside meanwhile.
    pub fn learn(&mut self, found: Passed) {
        if let (Some(checkpoints), Some(passed)) = (&mut self.checkpoints, found.checkpoints)
            && found.version == self.version
        {
            checkpoints.merge(passed);
        }
    }

    /// What the session came to, where it is now. Evaluates the rules of its watch, which is over with it.
    pub fn report(mut self) -> Report {
        let end = self.simulation.now();
        if let Some(watching) = &mut self.watching {
            watching.evaluate(&self.calendar, end);
            if let Some(paged) = &mut watching.paged {
                paged.advance(&self.calendar, end);
            }
        }
        let (plan, simulation, watching) = (&self.plan, &self.simulation, self.watching.as_ref());
        let alerts = watching.map(|watching| watching.alerts(&self.calendar));
        let paging = watching.and_then(|it| Some(it.paged.as_ref()?.told(&self.calendar)));
        let expectations = self.judge.verdicts(simulation, watching.zip(alerts.as_deref()), paging.as_ref());
        Report {
            notifications: counted::messages(simulation),
            scenario: plan.name.clone(),
            summary: plan.summary.clone(),
            seed: self.seed.0,
            start: self.calendar.start().to_string(),
            duration: end.since(Instant::START),
            timeline: simulation.journal().iter().map(|it| Line::of(it, plan)).collect(),
            closing: closing(simulation),
            members: simulation.members().iter().map(member_line).collect(),
            paging,
            expectations,
            failed_rules: watching.map(Watching::failures).unwrap_or_default(),
            rules: watching.map(|watching| rules::lines(watching, simulation)).unwrap_or_default(),
            targets: watching.map(|watching| watching.targets(&self.calendar)).unwrap_or_default(),
            alerts: alerts.map(|alerts| alerts.into_iter().filter(|it| it.ends_after(Instant::START)).collect()),
            doubts: unread(plan, self.scaling.as_ref(), watching, simulation),
            events: simulation.events(),
        }
    }

    /// What its watch has found, with all rules evaluated up to now.
    pub(super) fn into_watching(mut self) -> Option<Watching> {
        let end = self.simulation.now();
        if let Some(watching) = &mut self.watching {
            watching.evaluate(&self.calendar, end);
        }
        self.watching
    }

    /// The text of a scenario that, run with the same seed, does again what this session did and has still to do: faults
    /// stand in its timeline, all else in `commands`. What the scenario expects is left out.
    pub fn save(&self) -> String {
        let mut plan = Plan { start: Some(self.calendar.start()), ..Plan::clone(&self.plan) };
        // At one instant the timeline comes first: a fault that came after another command must follow it there.
        let mut last_command = None;
        for issued in self.commands.iter().chain(&self.agenda) {
            let at = issued.at;
            match (&issued.command, issued.planned) {
                (_, true) => last_command = Some(at),
                // Autoscalers have their turns between the timeline and commands.
                (Command::Inject(entry), false) if last_command != Some(at) && self.plan.autoscale.is_empty() => {
                    plan.timeline.push(TimelineEntry { at, ..entry.clone() });
                }
                (command, false) => {
                    last_command = Some(at);
                    plan.commands.push(PlannedCommand { at, order: order(command) });
                }
            }
        }
        // Nobody has answered what was sent since.
        if self.simulation.answering() != Answering::Scenario {
            plan.commands.push(PlannedCommand { at: self.now(), order: Order::Receivers(Answering::Scenario) });
        }
        // An entry with a later instant stays behind those of the file: their order only matters at one instant.
        plan.duration = plan.duration.max(self.now().since(Instant::START));
        let names: Vec<String> = plan.secrets.names().map(|name| format!("SECRET_{}", name.escape_debug())).collect();
        let secrets = match names.is_empty() {
            true => String::new(),
            false => format!(
                "# Secrets are not in it: without {} in the environment, in base64 each, or `secrets` added here, other answers \
                 come.\n",
                names.join(", ")
            ),
        };
        format!(
            "# What was done with the scenario {}, saved at {}. The same answers come with --seed {}.\n{secrets}{}",
            plan.name.escape_debug(),
            self.now(),
            self.seed.0,
            write(&plan)
        )
    }
}

/// The fault that a command injects.
pub(super) fn injected(issued: &Issued) -> Option<&TimelineEntry> {
    match &issued.command {
        Command::Inject(entry) => Some(entry),
        _ => None,
    }
}
