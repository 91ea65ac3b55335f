//! The lines of a member's own log. Whatever writes one calls [`Cluster::log`]: it asks the levels of the process, counts
//! for `logback_events_total` and, when somebody reads, keeps what the line is about. Words are made only for a reader.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::json;

use super::cluster::Cluster;
use super::context::Context;
use super::levels;
use super::log::Log;
use super::{Level, Process, Simulation, limits};
use crate::flow::State;
use crate::profile::{LineDate, LineForm, LineKind, Profile, Role};
use crate::random::name_key;
use crate::scenario::MemberPlan;
use crate::time::{Duration, Instant};

/// A line that a process wrote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogEvent {
    /// When.
    pub at: Instant,
    /// Whose, an index into the plan's members.
    pub member: usize,
    /// Which process of the member.
    pub life: u32,
    /// Of what kind it is.
    pub kind: LineKind,
    /// What it is about.
    pub about: LineAbout,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the placeholders of lines.txt")]
pub enum LineAbout {
    /// The process that writes it.
    Itself,
    /// An execution; how it ended, and after how long.
    Execution { flow: u32, number: u64, end: Option<(State, Duration)> },
    /// A task run, by its number and attempt, in a thread; how it ended.
    TaskRun { flow: u32, task: u32, number: u64, run: u32, attempt: u32, end: Option<(State, Duration)> },
    /// Another process, silent for so long.
    Process { member: usize, life: u32, silence: Duration },
    /// A trigger that waits since then.
    Trigger { flow: u32, index: u32, since: Instant },
    /// One of the things that break together.
    Broken(u32),
}

/// The lines that are kept, oldest first; old ones make room for new ones.
pub type Lines = Log<LogEvent>;

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

impl LogEvent {
    /// Whether it is counted by the number a process starts with.
    pub fn is_of_start(&self) -> bool {
        self.kind == LineKind::Starting || AT_START.iter().any(|(kind, _)| *kind == self.kind)
    }
}

fn level(form: &LineForm) -> Level {
    levels::named(form.level).flatten().unwrap_or(Level::Info)
}

/// Whether the levels of a process let a line through. Nobody has set one: what is INFO or more is written (a test holds
/// that of every line of every version).
fn lets_through(cx: &Context, process: &Process, profile: &Profile, form: &LineForm, event: &LogEvent) -> bool {
    if process.loggers().is_empty() {
        return level(form) >= Level::Info;
    }
    let logger = Words { cx, event, profile }.filled(form.logger);
    levels::effective(profile, process.loggers(), &logger).is_none_or(|least| level(form) >= least)
}

impl Cluster {
    /// A member's process writes a line, if it is there, its version has such a line and its level lets it through.
    pub(super) fn log(&mut self, cx: &mut Context, member: usize, kind: LineKind, about: LineAbout) {
        let it = &mut self.members[member];
        let (life, profile) = (it.life(), it.profile());
        let Some(form) = profile.line(kind) else { return };
        let Some(process) = &mut it.process else { return };
        let event = LogEvent { at: cx.now, member, life, kind, about };
        if !lets_through(cx, process, profile, form, &event) {
            return;
        }
        if !event.is_of_start() {
            process.logged.count(level(form));
        }
        if let Some(lines) = &mut cx.lines {
            // It drops its oldest, it is never full.
            let _ = lines.add(event);
        }
    }

    /// What a process writes as it starts up.
    pub(super) fn log_start(&mut self, cx: &mut Context, member: usize) {
        if cx.lines.is_some() {
            self.log(cx, member, LineKind::Starting, LineAbout::Itself);
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
                self.log(cx, member, *kind, LineAbout::Itself);
            }
        }
    }
}

impl Simulation {
    /// From now on the lines of the members' logs are kept, the last [`limits::LINES`] of them.
    pub fn keep_lines(&mut self) {
        if self.cx.lines.is_some() {
            return;
        }
        let mut lines = Lines::new(limits::LINES);
        lines.drop_oldest();
        self.cx.lines = Some(lines);
        for member in 0..self.cluster.members.len() {
            if self.cx.now > self.cx.born {
                return;
            }
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

    /// A line in words; none when it is known that there is one, but not what it says.
    pub fn line(&self, event: &LogEvent) -> Option<Line<'_>> {
        let profile = self.cluster.members.get(event.member)?.profile();
        let form = profile.line(event.kind)?;
        let words = Words { cx: &self.cx, event, profile };
        Some(Line {
            date: self.cx.calendar.date(event.at),
            form: profile.line_date(),
            member: &self.cx.plan.cluster.members.get(event.member)?.name,
            level: form.level,
            thread: words.filled(form.thread).into_owned(),
            logger: words.filled(form.logger).into_owned(),
            message: self.cx.secrets.mask(&words.filled(form.text?)),
        })
    }
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'s> {
    /// When.
    pub date: jiff::Timestamp,
    /// How the console writes that.
    pub form: LineDate,
    /// Whose.
    pub member: &'s str,
    /// `INFO`, for example.
    pub level: &'static str,
    /// The thread.
    pub thread: String,
    /// The logger, in full.
    pub logger: String,
    /// What it says.
    pub message: String,
}

/// Columns of a thread and of a logger: shorter ones are filled, longer ones lose their beginning.
const COLUMNS: (usize, usize) = (12, 36);

impl Line<'_> {
    /// As Kestra's console shows it, without the line feed. Kestra colours its lines also where no terminal is (recorded).
    pub fn console(&self, colours: bool) -> String {
        let date = self.date.to_zoned(TimeZone::UTC);
        let date = match self.form {
            LineDate::Full => date.strftime("%Y-%m-%d %H:%M:%S,%3f").to_string(),
            LineDate::Time => date.strftime("%H:%M:%S.%3f").to_string(),
        };
        let (thread, logger) = (column(&self.thread), column(&abbreviated(&self.logger)));
        if !colours {
            return format!("{date} {:<5} {thread} {logger} {}", self.level, self.message);
        }
        let colour = match self.level {
            "ERROR" => "1;31",
            "WARN" => "31",
            "INFO" => "34",
            _ => "39",
        };
        let paint = |colour: &str, text: &str| format!("\u{1b}[{colour}m{text}\u{1b}[0;39m");
        let level = paint(colour, &format!("{:<5}", self.level));
        format!("{date} {level} {} {} {}", paint("35", &thread), paint("36", &logger), self.message)
    }

    /// As a JSON object, without the line feed.
    pub fn json(&self) -> String {
        json!({
            "timestamp": self.date.to_string(), "member": self.member, "level": self.level, "thread": self.thread,
            "logger": self.logger, "message": self.message,
        })
        .to_string()
    }
}

fn column(text: &str) -> String {
    let (least, most) = COLUMNS;
    let skipped = text.chars().count().saturating_sub(most);
    format!("{:<least$}", text.chars().skip(skipped).collect::<String>())
}

/// A logger's name as logback shortens it: from the left, one part after the other to its first letter, until it fits; the
/// last part stays whole. A name that just fits loses its first part (recorded: `i.kestra.core.plugins.PluginScanner`).
fn abbreviated(name: &str) -> Cow<'_, str> {
    let (_, most) = COLUMNS;
    if name.chars().count() < most {
        return Cow::Borrowed(name);
    }
    let mut short = String::new();
    let mut rest = name;
    while let Some((part, behind)) = rest.split_once('.') {
        short.extend(part.chars().next());
        short.push('.');
        rest = behind;
        if short.chars().count() + rest.chars().count() <= most {
            break;
        }
    }
    Cow::Owned(short + rest)
}

/// What the placeholders of a line stand for.
struct Words<'a> {
    cx: &'a Context,
    event: &'a LogEvent,
    profile: &'a Profile,
}

impl Words<'_> {
    fn filled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains('{') {
            return Cow::Borrowed(text);
        }
        let mut filled = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, behind)) = behind.split_once('}') else { break };
            filled.push_str(&self.value(name));
            rest = behind;
        }
        Cow::Owned(filled + rest)
    }

    fn value(&self, name: &str) -> String {
        let release = self.profile.release();
        let of_itself = match name {
            "version" => Some(release.version.clone()),
            "commit" => Some(release.commit.clone()),
            "built" => Some(release.commit_date.chars().take("2026-05-21T14:21".len()).collect()),
            "threads" => self.member(self.event.member).map(|it| it.threads.to_string()),
            "role" => self.member(self.event.member).map(|it| it.role.name().to_owned()),
            _ => None,
        };
        of_itself.or_else(|| self.of_subject(name)).unwrap_or_default()
    }

    fn member(&self, member: usize) -> Option<&MemberPlan> {
        self.cx.plan.cluster.members.get(member)
    }

    fn of_subject(&self, name: &str) -> Option<String> {
        match self.event.about {
            LineAbout::Itself => (name == "host").then(|| self.member(self.event.member).map(|it| it.name.clone()))?,
            LineAbout::Execution { flow, number, end } => self.of_execution(name, (flow, number), end),
            LineAbout::TaskRun { flow, task, number, run, attempt, end } => match name {
                "task" => self.task(flow, task).map(|task| task.id.clone()),
                "type" => {
                    let kind = &self.task(flow, task)?.kind;
                    Some(kind.rsplit('.').next().unwrap_or(kind).to_owned())
                }
                "taskrun" => Some(self.cx.id("task run", flow, number, (run << 8) | attempt)),
                "slot" => Some((number % self.member(self.event.member)?.threads.max(1) as u64).to_string()),
                _ => self.of_execution(name, (flow, number), end),
            },
            LineAbout::Process { member, life, silence } => match name {
                "id" => {
                    let key = name_key("service") ^ name_key(&self.member(member)?.name);
                    Some(self.cx.seed.numbered(key, u64::from(life)).id())
                }
                "service" => self.member(member).map(|it| it.role.name().to_uppercase()),
                "host" => self.member(member).map(|it| it.name.clone()),
                "ms" => Some(silence.as_milliseconds().to_string()),
                _ => None,
            },
            LineAbout::Trigger { flow, index, since } => match name {
                "trigger" => Some(self.cx.plan.flows.get(flow as usize)?.triggers.get(index as usize)?.id.clone()),
                "since" => Some(self.cx.calendar.date(since).to_string()),
                "execution" => Some(self.cx.id("missing execution", flow, u64::from(index), 0)),
                _ => self.of_execution(name, (flow, 0), None),
            },
            LineAbout::Broken(number) => match name {
                "queue" => Some("WorkerTaskResult".to_owned()),
                "hash" => {
                    let key = name_key("connection") ^ self.event.at.as_nanoseconds() as u64;
                    let hash = self.cx.seed.numbered(key, u64::from(number)).below(1 << 31);
                    let mut text = String::new();
                    let _ = write!(text, "{hash:x}");
                    Some(text)
                }
                // Threads of queues have such numbers (1.3: 39 to 82).
                "number" => Some((40 + number).to_string()),
                _ => None,
            },
        }
    }

    fn of_execution(&self, name: &str, (flow, number): (u32, u64), end: Option<(State, Duration)>) -> Option<String> {
        let it = self.cx.plan.flows.get(flow as usize)?;
        match name {
            "namespace" => Some(it.namespace.clone()),
            "flow" => Some(it.id.clone()),
            "execution" => Some(self.cx.id("execution", flow, number, 0)),
            "state" => end.map(|(state, _)| state.name().to_owned()),
            "took" => end.map(|(_, took)| clock(took)),
            _ => None,
        }
    }

    fn task(&self, flow: u32, task: u32) -> Option<&crate::flow::Task> {
        self.cx.plan.flows.get(flow as usize)?.task(task as usize)
    }
}

/// `00:00:20.104`.
fn clock(took: Duration) -> String {
    let ms = took.as_milliseconds();
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1000)
}
