//! Log entries: the lines of executions and triggers that Kestra stores, not those of its processes. All of them are counted,
//! and go through a queue to an indexer; what they say is kept only where somebody reads them.

#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "what they say only the command line writes somewhere"))]

use super::cluster::Cluster;
use super::context::Context;
use super::lines::LineAbout;
use super::log::Log;
use super::meters::Class;
use super::queue::{Message, QueueKind};
use super::wording::clock;
use super::{Simulation, limits};
use crate::flow::{Demand, Sla, State};
use crate::profile::{LineKind, LineLevel, Profile};
use crate::random::name_key;
use crate::time::{Duration, Instant};

/// Entries that were written together.
#[derive(Clone, Debug)]
pub struct Entry {
    at: Instant,
    member: usize,
    profile: &'static Profile,
    /// How many.
    lines: u32,
    /// All that were written by then, these included.
    through: u64,
    flow: u32,
    about: EntryAbout,
}

/// What entries are about.
#[derive(Clone, Debug)]
pub(super) enum EntryAbout {
    /// An execution that somebody asked for.
    Asked { number: u64 },
    /// An execution, in the words of an executor.
    Execution { number: u64, said: Vec<(LineLevel, String)> },
    /// A Subflow whose execution is created, in the words of an executor.
    Child { number: u64, task: u32, run: u32, said: String },
    /// What an attempt of a task run writes itself: what is known of it, and whether it failed.
    TaskRun { number: u64, task: u32, run: u32, attempt: u32, said: Vec<(LineLevel, String)>, failed: bool },
    /// A worker begins with a trigger.
    TriggerStarted { index: u32 },
    /// A worker is done with a trigger: after how long, and whether it failed.
    TriggerEnded { index: u32, took: Duration, failed: bool },
}

/// An entry, as somebody sees it who looks it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntrySeen {
    /// When.
    pub at: Instant,
    /// Index of the flow in the plan.
    pub flow: usize,
    /// Id of the execution; none for a trigger.
    pub execution: Option<String>,
    /// Id of the task.
    pub task: Option<String>,
    /// Id of the task run.
    pub task_run: Option<String>,
    /// Which attempt, from 0 on.
    pub attempt: Option<u32>,
    /// Id of the trigger.
    pub trigger: Option<String>,
    /// Its level.
    pub level: LineLevel,
    /// The thread that wrote it.
    pub thread: String,
    /// What it says. Where nobody knows the words of a line it says so, in parentheses.
    pub message: String,
}

/// Lines that an evaluation of a polling trigger writes itself, beside those of its start and its end.
pub(super) fn polled(profile: &Profile, failed: bool) -> u32 {
    let entries = profile.log_entries();
    let all = if failed { entries.failed_poll } else { entries.poll };
    all.saturating_sub(2)
}

impl Cluster {
    /// A member's process writes entries of a flow; `about` is asked only where they are kept.
    pub(super) fn write_logs(
        &mut self,
        cx: &mut Context,
        member: usize,
        (flow, lines): (u32, u32),
        about: impl FnOnce(&Context) -> EntryAbout,
    ) {
        if lines == 0 {
            return;
        }
        cx.truth.log_lines += u64::from(lines);
        self.produce(cx, member, Class::LogEntry, lines);
        self.send(cx, QueueKind::LogEntry, Message::Logs(lines));
        if cx.entries.is_some() {
            let (at, through, profile) = (cx.now, cx.truth.log_lines, self.members[member].profile());
            let entry = Entry { at, member, profile, lines, through, flow, about: about(cx) };
            if let Some(entries) = &mut cx.entries {
                // It drops its oldest, it is never full.
                let _ = entries.add(entry);
            }
        }
    }

    /// The entries of a task run at the end of an attempt: `about` tells which, and how it ended.
    pub(super) fn write_own_logs(&mut self, cx: &mut Context, member: usize, lines: u32, about: &LineAbout) {
        let &LineAbout::TaskRun { flow, task, number, run, attempt, end } = about else { return };
        let failed = end.is_some_and(|(state, _)| state == State::Failed);
        self.write_logs(cx, member, (flow, lines), |cx| {
            let of = cx.plan.flows.get(flow as usize).and_then(|flow| flow.task(task as usize));
            let said = of.map(|of| cx.outbox.said((flow, number), run, of, failed)).unwrap_or_default();
            EntryAbout::TaskRun { number, task, run, attempt, said, failed }
        });
    }

    /// An executor says that an execution does not keep to an entry of its `sla` (recorded: 0.20.7, log lines in the label
    /// `sql`).
    pub(super) fn write_violation(
        &mut self,
        cx: &mut Context,
        executor: usize,
        (flow, number): (u32, u64),
        (sla, age): (&Sla, Duration),
    ) {
        let lines = 1 + u32::from(sla.ends == Some(State::Failed));
        self.write_logs(cx, executor, (flow, lines), |_| {
            let what = match &sla.demand {
                Demand::MaxDuration(most) => {
                    format!("execution duration of {} exceed the maximum duration of {}.", age.iso(), most.iso())
                }
                Demand::Assertion(template) => format!("assertion is false: {template}."),
            };
            let violated = format!("SLA '{}' violated: {what}", sla.id);
            let mut said = vec![(LineLevel::Warn, violated.clone())];
            if lines > 1 {
                said.push((LineLevel::Error, format!("Execution failed due to {violated}")));
            }
            EntryAbout::Execution { number, said }
        });
    }
}

/// What stands in the place of words that nobody knows.
const UNKNOWN: &str = "(a line whose words mock-kestra does not know)";
const FAILURE: &str = "(what went wrong mock-kestra does not know)";

impl Simulation {
    /// From now on log entries are kept, the last 100,000 that were written together, and executions that end.
    pub(crate) fn keep_entries(&mut self) {
        #[cfg(feature = "cli")]
        self.executor.keep_for_store();
        let mut entries = Log::new(limits::ENTRIES);
        entries.drop_oldest();
        self.cx.entries.get_or_insert(entries);
    }

    /// The entries that are kept; none before [`Simulation::keep_entries`].
    pub(crate) fn entries(&self) -> Option<&Log<Entry>> {
        self.cx.entries.as_ref()
    }

    /// Whether an indexer has taken entries: they are in the repository, and not before.
    pub(crate) fn is_indexed(&self, entry: &Entry) -> bool {
        entry.through <= self.cx.truth.log_lines_indexed
    }

    /// Entries one by one, as they are stored; secrets are stars.
    pub(crate) fn seen_entries<'s>(&'s self, entry: &'s Entry) -> impl Iterator<Item = EntrySeen> + 's {
        let (lines, subject) = (self.words(entry), self.subject(entry));
        (0..entry.lines as usize).map(move |index| {
            let (level, message) = lines.line(index, entry.lines as usize);
            EntrySeen { level, message: self.cx.secrets.mask_words(message), ..subject.clone() }
        })
    }

    /// The id of a line of an entry: always the same for the same run.
    pub(crate) fn entry_id(&self, entry: &Entry, line: usize) -> String {
        let number = entry.through - u64::from(entry.lines) + line as u64;
        self.cx.seed.numbered(name_key("log entry"), number).id()
    }

    /// What an entry is about, without what it says.
    fn subject(&self, entry: &Entry) -> EntrySeen {
        let Entry { at, member, profile, flow, .. } = *entry;
        let model = self.cx.plan.flows.get(flow as usize);
        let execution = |number| Some(self.cx.id("execution", flow, number, 0));
        let task_run = |number, run| Some(self.cx.task_run_id(flow, number, run));
        let task = |task: u32| model?.task(task as usize).map(|task| task.id.clone());
        let trigger = |index: u32| model?.triggers.get(index as usize).map(|trigger| trigger.id.clone());
        let threads = self.cluster.members.get(member).map_or(1, |it| u64::from(it.plan().threads.max(1)));
        let thread = |kind, slot: u64| {
            // What executors say comes from the thread of their queue, where no line tells another one (recorded: 0.20.7).
            let queue = format!("{}_0", profile.answers().queue_thread);
            let form = profile.line(kind).map_or(queue.as_str(), |form| form.thread);
            form.replace("{slot}", &(slot % threads).to_string()).replace("{loop}", "1")
        };
        let none = EntrySeen {
            at,
            flow: flow as usize,
            execution: None,
            task: None,
            task_run: None,
            attempt: None,
            trigger: None,
            level: LineLevel::Info,
            thread: String::new(),
            message: String::new(),
        };
        match entry.about {
            EntryAbout::Asked { number } => {
                EntrySeen { execution: execution(number), thread: thread(LineKind::Request, 0), ..none }
            }
            EntryAbout::Execution { number, .. } => {
                EntrySeen { execution: execution(number), thread: thread(LineKind::FlowStarted, 0), ..none }
            }
            EntryAbout::Child { number, task: of, run, .. } => EntrySeen {
                execution: execution(number),
                task: model.and_then(|model| model.task(of as usize)).map(|task| task.id.clone()),
                task_run: task_run(number, run),
                attempt: Some(0),
                thread: thread(LineKind::FlowStarted, 0),
                ..none
            },
            EntryAbout::TaskRun { number, task: of, run, attempt, .. } => EntrySeen {
                execution: execution(number),
                task: task(of),
                task_run: task_run(number, run),
                attempt: Some(attempt.saturating_sub(1)),
                thread: thread(LineKind::Own, number),
                ..none
            },
            EntryAbout::TriggerStarted { index } | EntryAbout::TriggerEnded { index, .. } => {
                EntrySeen { trigger: trigger(index), thread: thread(LineKind::Own, u64::from(index)), ..none }
            }
        }
    }

    /// What is known of the words of entries.
    fn words(&self, entry: &Entry) -> Words {
        let of_trigger = |index: u32, what: &str| {
            let flow = self.cx.plan.flows.get(entry.flow as usize);
            let trigger = flow.and_then(|flow| flow.triggers.get(index as usize));
            let (Some(flow), Some(trigger)) = (flow, trigger) else { return String::new() };
            let tenant = &entry.profile.log_entries().tenant;
            let place =
                format!("{tenant}[namespace: {}] [flow: {}] [trigger: {}]", flow.namespace, flow.id, trigger.id);
            format!("{place} Type {} {what}", trigger.kind)
        };
        let (first, last, failed) = match &entry.about {
            EntryAbout::Asked { .. } => (Vec::new(), Vec::new(), false),
            EntryAbout::Execution { said, .. } => (said.clone(), Vec::new(), false),
            EntryAbout::Child { said, .. } => (vec![(LineLevel::Info, said.clone())], Vec::new(), false),
            EntryAbout::TaskRun { said, failed, .. } => {
                // A failure is told last.
                let is_error = |it: &&(LineLevel, String)| it.0 == LineLevel::Error;
                let (errors, first) = (said.iter().filter(is_error), said.iter().filter(|it| !is_error(it)));
                let errors: Vec<_> = errors.cloned().collect();
                let untold = *failed && errors.is_empty();
                (first.cloned().collect(), errors, untold)
            }
            EntryAbout::TriggerStarted { index } => {
                (vec![(LineLevel::Info, of_trigger(*index, "started"))], Vec::new(), false)
            }
            EntryAbout::TriggerEnded { index, took, failed } => {
                let end = of_trigger(*index, &format!("completed in {}", clock(*took)));
                (Vec::new(), vec![(LineLevel::Info, end)], *failed)
            }
        };
        let mut last = last;
        if failed {
            last.insert(0, (LineLevel::Error, FAILURE.to_owned()));
        }
        Words { first, last }
    }
}

/// Lines of an entry of which words are known: at its beginning, and at its end.
struct Words {
    first: Vec<(LineLevel, String)>,
    last: Vec<(LineLevel, String)>,
}

impl Words {
    /// One of so many lines. What does not fit is left out, the first before the last.
    fn line(&self, index: usize, lines: usize) -> (LineLevel, &str) {
        let behind = lines - index;
        let known = match self.last.len().checked_sub(behind) {
            Some(at) => self.last.get(at),
            None => self.first.get(index),
        };
        known.map_or((LineLevel::Info, UNKNOWN), |(level, words)| (*level, words.as_str()))
    }
}

/// The words of an executor that creates the execution of a Subflow (recorded: 0.20.7; source of 1.3).
pub(super) fn child_said(cx: &Context, (flow, number): (u32, u64)) -> String {
    let of = cx.plan.flows.get(flow as usize);
    let (id, namespace) = of.map_or(("", ""), |flow| (flow.id.as_str(), flow.namespace.as_str()));
    let execution = cx.id("execution", flow, number, 0);
    format!("Created new execution [[link execution=\"{execution}\" flowId=\"{id}\" namespace=\"{namespace}\"]]")
}
