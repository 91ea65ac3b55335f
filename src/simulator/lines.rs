//! The lines of a member's own log. Whatever writes one calls [`Cluster::log`]: it asks the levels of the process, counts
//! for `logback_events_total` and, when somebody reads, keeps what the line is about. Words are made only for a reader.

use std::sync::Arc;

use super::cluster::Cluster;
use super::context::Context;
use super::event::Event;
use super::grid::next_on_grid;
use super::log::Log;
use super::wording::{Line, Words};
use super::{Level, Simulation, levels, limits};
use crate::flow::{State, Task};
use crate::profile::{LineForm, LineKind, LineLevel, Profile, Role};
use crate::random::noise;
use crate::time::{Duration, Instant};

/// A line that a process wrote.
#[derive(Clone, Debug)]
pub struct LogEvent {
    /// When.
    pub at: Instant,
    /// Whose, an index into the plan's members.
    pub member: usize,
    /// Which process of the member.
    pub life: u32,
    /// Of what kind it is.
    pub kind: LineKind,
    /// Its level.
    pub level: LineLevel,
    /// Whether `logback_events_total` has counted it since the process was up.
    pub counted: bool,
    /// The version that wrote it.
    pub(super) profile: &'static Profile,
    /// What it is about.
    pub(super) about: LineAbout,
}

/// What a line is about.
#[derive(Clone, Debug)]
pub(super) enum LineAbout {
    /// The process that writes it.
    Itself,
    /// An execution; how it ended, and after how long.
    Execution { flow: u32, number: u64, end: Option<(State, Duration)> },
    /// A task run, by its number and attempt, in a thread; how it ended.
    TaskRun { flow: u32, task: u32, number: u64, run: u32, attempt: u32, end: Option<(State, Duration)> },
    /// What a task run says itself, in whatever attempt.
    Own { flow: u32, task: u32, number: u64, run: u32, words: Arc<str> },
    /// Another process, silent for so long.
    Process { member: usize, life: u32, silence: Duration },
    /// A trigger, and the instant that it is about; the execution that it starts.
    Trigger { flow: u32, index: u32, since: Instant, number: Option<u64> },
    /// A loop of the scheduler that found so many triggers due.
    Due(u32),
    /// A loop of the scheduler that evaluated so many triggers, and how long it took.
    Loop { triggers: u64, took: Duration },
    /// A request that starts an execution, or asks for it.
    Request { flow: u32, number: u64, route: usize, took: Duration },
    /// One of the things that break together.
    Broken(u32),
}

/// The lines that are kept of each member, oldest first: old ones make room for new ones of the same member.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    members: Vec<Log<LogEvent>>,
}

impl Lines {
    /// Those of a member; none when it has written nothing.
    pub fn of(&self, member: usize) -> Option<&Log<LogEvent>> {
        self.members.get(member)
    }

    /// Those of all members, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &LogEvent> {
        self.members.iter().flat_map(|lines| lines.iter())
    }

    /// Bytes that a copy takes for itself.
    pub(super) fn own_bytes(&self) -> usize {
        self.members.iter().map(Log::own_bytes).sum()
    }

    fn add(&mut self, event: LogEvent) {
        while self.members.len() <= event.member {
            let mut lines = Log::new(limits::LINES);
            lines.drop_oldest();
            self.members.push(lines);
        }
        if let Some(lines) = self.members.get_mut(event.member) {
            // It drops its oldest, it is never full.
            let _ = lines.add(event);
        }
    }
}

/// Lines that a process has written by the time it is up: they are part of the numbers that `logback_events_total` starts
/// with (recorded), and are not counted again.
const AT_START: &[(LineKind, Option<Role>)] = &[
    (LineKind::Running, None),
    (LineKind::HealthAt, None),
    (LineKind::ExecutorStarted, Some(Role::Executor)),
    (LineKind::SchedulerStarted, Some(Role::Scheduler)),
    (LineKind::IndexerStarted, Some(Role::Indexer)),
    (LineKind::WebserverStarted, Some(Role::Webserver)),
    (LineKind::WorkerStarted, Some(Role::Worker)),
];

impl From<LineLevel> for Level {
    fn from(level: LineLevel) -> Level {
        match level {
            LineLevel::Trace => Level::Trace,
            LineLevel::Debug => Level::Debug,
            LineLevel::Info => Level::Info,
            LineLevel::Warn => Level::Warn,
            LineLevel::Error => Level::Error,
        }
    }
}

/// Whether the levels of a process let a line through. Nobody has set one: what is INFO or more is written (a test holds
/// that of every line of every version but the tasks' own).
fn lets_through(cx: &Context, cluster: &Cluster, form: &LineForm, event: &LogEvent) -> bool {
    let Some(process) = cluster.members.get(event.member).and_then(|it| it.process.as_ref()) else { return false };
    if process.loggers().is_empty() && event.kind != LineKind::Own {
        return event.level >= LineLevel::Info;
    }
    let lets = |logger: &str| {
        levels::effective(event.profile, process.loggers(), logger)
            .is_none_or(|least| Level::from(event.level) >= least)
    };
    // Up to 0.20 the logger of a task's own line is asked of nobody: its gate stands for it.
    let own = event.kind == LineKind::Own && form.gate.is_some();
    form.gate.is_none_or(lets) && (own || lets(&Words { cx, cluster, event }.filled(form.logger)))
}

impl Cluster {
    /// A member's process writes a line, if it is there, its version has such a line and its level lets it through.
    pub(super) fn log(&mut self, cx: &mut Context, member: usize, kind: LineKind, about: LineAbout) {
        let Some(form) = self.members[member].profile().line(kind) else { return };
        // Nobody has set a level, and nobody reads: it is counted, and no more.
        if cx.lines.is_none()
            && let Some(process) = &mut self.members[member].process
            && process.loggers().is_empty()
        {
            if form.counted && form.level >= LineLevel::Info {
                process.logged.count(form.level);
            }
            return;
        }
        self.write(cx, member, (kind, form.level, form.counted), about);
    }

    /// The long way: levels are asked, and what is written is kept for a reader.
    fn write(&mut self, cx: &mut Context, member: usize, what: (LineKind, LineLevel, bool), about: LineAbout) {
        let ((kind, level, counted), it) = (what, &self.members[member]);
        let (life, profile) = (it.life(), it.profile());
        let event = LogEvent { at: cx.now, member, life, kind, level, counted, profile, about };
        if !profile.line(kind).is_some_and(|form| lets_through(cx, self, form, &event)) {
            return;
        }
        if let Some(process) = self.members[member].process.as_mut().filter(|_| counted) {
            process.logged.count(level);
        }
        if let Some(lines) = &mut cx.lines {
            lines.add(event);
        }
    }

    /// A line of the start.
    fn log_at_start(&mut self, cx: &mut Context, member: usize, kind: LineKind) {
        if let Some(form) = self.members[member].profile().line(kind) {
            self.write(cx, member, (kind, form.level, false), LineAbout::Itself);
        }
    }

    /// What a process writes as it starts up.
    pub(super) fn log_start(&mut self, cx: &mut Context, member: usize) {
        if cx.lines.is_some() {
            self.log_at_start(cx, member, LineKind::Starting);
        }
    }

    /// What a process has written once it is up.
    pub(super) fn log_up(&mut self, cx: &mut Context, member: usize) {
        if cx.lines.is_none() {
            return;
        }
        let role = self.members[member].role();
        for (kind, part) in AT_START {
            if part.is_none_or(|part| role.runs(part)) {
                self.log_at_start(cx, member, *kind);
            }
        }
    }

    /// What a task run has said itself by its end. No meter sees it (recorded), so nobody needs it who does not read.
    pub(super) fn log_own(&mut self, cx: &mut Context, member: usize, about: &LineAbout) {
        let &LineAbout::TaskRun { flow, task, number, run, end, .. } = about else { return };
        if cx.lines.is_none() {
            return;
        }
        let plan = cx.plan.clone();
        let Some(of) = plan.flows.get(flow as usize).and_then(|flow| flow.task(task as usize)) else { return };
        let failed = end.is_some_and(|(state, _)| state == State::Failed);
        let least = constant(of, "logLevel").and_then(LineLevel::named).unwrap_or(LineLevel::Trace);
        for (level, words) in cx.outbox.said((flow, number), run, of, failed) {
            if level >= least {
                let about = LineAbout::Own { flow, task, number, run, words: words.into() };
                self.write(cx, member, (LineKind::Own, level, false), about);
            }
        }
    }

    /// Whether a process would write that it is alive.
    fn beats(&self, member: usize) -> bool {
        let it = &self.members[member];
        let Some(process) = it.process.as_ref().filter(|process| !process.loggers().is_empty()) else { return false };
        it.profile().line(LineKind::Heartbeat).is_some_and(|form| {
            levels::effective(it.profile(), process.loggers(), form.logger)
                .is_some_and(|least| least <= form.level.into())
        })
    }

    /// Plans the next line that tells that a process is alive: where its level lets it through, and nowhere else.
    pub(super) fn plan_heartbeat(&self, cx: &mut Context, member: usize) {
        if self.beats(member) {
            let it = &self.members[member];
            let every = it.profile().liveness().heartbeat;
            let at = next_on_grid(cx.now, every, noise(it.key() ^ 0xbea7, u64::from(it.life())));
            cx.events.push(at, Event::Heartbeat { member: member as u32, life: it.life() });
        }
    }

    /// A process tells that it is alive, if it is still that one.
    pub(super) fn heartbeat(&mut self, cx: &mut Context, member: usize, life: u32) {
        if self.members[member].life() != life || !self.beats(member) {
            return;
        }
        if self.members[member].moves() && self.members[member].came_up() && self.can_report(cx, member) {
            self.log(cx, member, LineKind::Heartbeat, LineAbout::Itself);
        }
        self.plan_heartbeat(cx, member);
    }
}

/// A property of a task that is a text without a template.
pub(super) fn constant<'t>(task: &'t Task, key: &str) -> Option<&'t str> {
    task.properties.get(key)?.as_str().filter(|text| !text.contains('{'))
}

impl Simulation {
    /// From now on the lines of the members' logs are kept, the last 10,000 of each.
    pub fn keep_lines(&mut self) {
        if self.cx.lines.is_some() {
            return;
        }
        self.cx.lines = Some(Lines::default());
        if self.cx.now > self.cx.born {
            return;
        }
        for member in 0..self.cluster.members.len() {
            self.cluster.log_start(&mut self.cx, member);
            if self.cluster.members[member].came_up() {
                self.cluster.log_up(&mut self.cx, member);
            }
        }
    }

    /// The lines that are kept; none before [`Simulation::keep_lines`].
    pub fn lines(&self) -> Option<&Lines> {
        self.cx.lines.as_ref()
    }

    /// A line in words.
    pub fn line(&self, event: &LogEvent) -> Option<Line<'_>> {
        let form = event.profile.line(event.kind)?;
        let words = Words { cx: &self.cx, cluster: &self.cluster, event };
        Some(Line {
            date: self.cx.calendar.date(event.at),
            form: event.profile.line_date(),
            member: self.cluster.members.get(event.member)?.name(),
            level: event.level,
            thread: words.filled(form.thread).into_owned(),
            logger: words.filled(form.logger).into_owned(),
            message: self.cx.secrets.mask_words(&words.filled(form.text)),
        })
    }
}
