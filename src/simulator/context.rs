//! What all parts of a simulation share: the plan, the time, what will happen and what has happened. A part that is handed
//! this can be run without the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::behaviour::FlowModel;
use super::changes::{Changes, StateChange};
use super::database::Database;
use super::entries::Entry;
use super::event::{Event, EventQueue};
use super::happening::{Happening, Journal, JournalEntry};
use super::lines::Lines;
use super::listening::Reason;
use super::log::Log;
use super::outbox::Outbox;
use super::truth::Truth;
use super::{LimitReached, limits};
use crate::flow::State;
use crate::pebble;
use crate::profile::Profile;
use crate::random::{Seed, name_key, noise};
use crate::scenario::{Answer, Plan, ReceiverName};
use crate::time::{Calendar, Duration, Instant};

/// The world of a run.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) plan: Arc<Plan>,
    pub(super) seed: Seed,
    pub(super) calendar: Calendar,
    /// The version of the cluster's protocol between its members.
    pub(super) profile: &'static Profile,
    pub(super) born: Instant,
    pub(super) now: Instant,
    pub(super) events: EventQueue,
    pub(super) database: Database,
    pub(super) flows: Vec<FlowModel>,
    pub(super) truth: Truth,
    pub(super) journal: Journal,
    /// Lines of the members' logs, when somebody reads them.
    pub(super) lines: Option<Lines>,
    /// Log entries, when somebody reads them.
    pub(super) entries: Option<Log<Entry>>,
    pub(super) changes: Changes,
    pub(super) outbox: Outbox,
    /// What templates may ask for.
    pub(super) secrets: Arc<pebble::Secrets>,
    /// The flow of which is asked what its Flow triggers make of executions, and their answers.
    pub(super) asked: Option<usize>,
    pub(super) reasons: Log<Reason>,
    /// What receivers answer: the last one that means a message counts.
    pub(super) receivers: Vec<(ReceiverName, Answer)>,
    pub(super) limit: Option<LimitReached>,
    /// How long a loop of the scheduler takes beyond the usual.
    pub(super) loop_takes: Duration,
    /// Task runs that were killed before a worker began them: flow and number of the execution, and the task run. Whoever
    /// gets their job drops it.
    pub(super) killed: BTreeSet<(u32, u64, u32)>,
    messages: u64,
}

/// The secrets of a plan, as templates ask for them.
fn secrets(plan: &Plan) -> pebble::Secrets {
    let value = |name: &str| Some((name.to_owned(), plan.secrets.get(name)?.to_owned()));
    pebble::Secrets::new(plan.secrets.names().filter_map(value))
}

impl Context {
    pub(super) fn new(plan: Arc<Plan>, seed: Seed, calendar: Calendar) -> Context {
        let born = Instant::START.before(plan.cluster.age);
        Context {
            seed,
            calendar,
            profile: plan.kestra,
            born,
            now: born,
            events: EventQueue::default(),
            database: Database::default(),
            flows: plan.flows.iter().map(|flow| FlowModel::new(&plan, flow)).collect(),
            truth: Truth::default(),
            journal: Journal::new(limits::JOURNAL),
            lines: None,
            entries: None,
            changes: Changes::new(&plan),
            outbox: Outbox::new(),
            secrets: Arc::new(secrets(&plan)),
            asked: None,
            reasons: Log::new(limits::REASONS),
            receivers: plan.receivers.clone(),
            limit: None,
            loop_takes: Duration::ZERO,
            killed: BTreeSet::new(),
            messages: 0,
            plan,
        }
    }

    /// Plans an event.
    pub(super) fn after(&mut self, delay: Duration, event: Event) {
        self.events.push(self.now + delay, event);
    }

    /// Something happened, that people want to know of.
    pub(super) fn tell(&mut self, happening: Happening) {
        if let Err(limit) = self.journal.add(JournalEntry { at: self.now, what: happening }) {
            self.reached("the number of journal lines", limit);
        }
    }

    /// An execution comes into a state.
    pub(super) fn changed(&mut self, flow: u32, number: u64, state: State) {
        if let Err(limit) = self.changes.add(StateChange { at: self.now, flow, number, state }) {
            self.reached("the number of changes of executions that are expected", limit);
        }
    }

    /// A trigger that is asked about answers.
    pub(super) fn reasons(&mut self, reason: Reason) {
        let reason = Reason { why: self.secrets.mask_words(&reason.why), ..reason };
        if let Err(limit) = self.reasons.add(reason) {
            self.reached("the number of executions and dates that the flow hears of", limit);
        }
    }

    /// A limit is reached: nothing moves any more.
    pub(super) fn reached(&mut self, what: &'static str, limit: u64) {
        self.limit.get_or_insert(LimitReached { what, limit, at: self.now });
    }

    /// How many times as long as normal a query takes; what nobody waits for takes its normal time.
    pub(super) fn slowdown(&self) -> f64 {
        self.database.slowdown().unwrap_or(1.0)
    }

    /// A factor from `least` on, up to `spread` more, another one for each message.
    pub(super) fn spread(&mut self, key: u64, least: f64, spread: f64) -> f64 {
        self.messages += 1;
        least + spread * noise(key, self.messages)
    }

    /// Messages handled so far.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// The number of a flow's next execution.
    pub(super) fn next_number(&mut self, flow: u32) -> u64 {
        self.flows.get_mut(flow as usize).map_or(0, FlowModel::next_number)
    }

    /// The key of a flow's draws.
    pub(super) fn flow_key(&self, flow: u32) -> u64 {
        self.flows.get(flow as usize).map_or(0, |flow| flow.key)
    }

    /// An id of something of a flow.
    pub(super) fn id(&self, what: &str, flow: u32, number: u64, part: u32) -> String {
        let key = name_key(what) ^ self.flow_key(flow);
        self.seed.numbered(key, number ^ (u64::from(part) << 40)).id()
    }

    /// The id of a task run: all its attempts have it (recorded: log entries of 0.20.7).
    pub(super) fn task_run_id(&self, flow: u32, number: u64, run: u32) -> String {
        self.id("task run", flow, number, run)
    }
}
