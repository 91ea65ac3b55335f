//! The words of a line, and how Kestra's logs show it: on a console, and as JSON.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::cluster::Cluster;
use super::context::Context;
use super::lines::{LineAbout, LogEvent};
use super::meters::ROUTES;
use crate::flow::{Flow, State, Task, TriggerAction};
use crate::profile::{LineDate, LineKind, LineLevel, Role};
use crate::random::{Stream, name_key};
use crate::scenario::MemberPlan;
use crate::time::{Duration, Instant};

/// A line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'s> {
    /// When.
    pub date: Timestamp,
    /// How the console writes that.
    pub form: LineDate,
    /// Whose.
    pub member: &'s str,
    /// Its level.
    pub level: LineLevel,
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
            return format!("{date} {:<5} {thread} {logger} {}", self.level.name(), self.message);
        }
        let colour = match self.level {
            LineLevel::Error => "1;31",
            LineLevel::Warn => "31",
            LineLevel::Info => "34",
            LineLevel::Debug | LineLevel::Trace => "39",
        };
        let paint = |colour: &str, text: &str| format!("\u{1b}[{colour}m{text}\u{1b}[0;39m");
        let level = paint(colour, &format!("{:<5}", self.level.name()));
        format!("{date} {level} {} {} {}", paint("35", &thread), paint("36", &logger), self.message)
    }

    /// As Kestra writes it where its log is set to JSON: one line of the Elastic Common Schema, in the order of its encoder
    /// for logback, without the line feed. What belongs to one of several logs in one stream names its member too, as the
    /// encoder does that has a `serviceNodeName`.
    pub fn json(&self, names_member: bool) -> String {
        let date = self.date.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let text = |text: &str| Value::from(text).to_string();
        let node = if names_member { format!("\"service.node.name\":{},", text(self.member)) } else { String::new() };
        let level = format!("{:>width$}", text(self.level.name()), width = "\"ERROR\"".len());
        format!(
            "{{\"@timestamp\":\"{date}\",\"log.level\":{level},\"message\":{},\"ecs.version\": \"1.2.0\",{node}\
             \"process.thread.name\":{},\"log.logger\":{}}}",
            text(&self.message),
            text(&self.thread),
            text(&self.logger),
        )
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
pub(super) struct Words<'a> {
    pub(super) cx: &'a Context,
    pub(super) cluster: &'a Cluster,
    pub(super) event: &'a LogEvent,
}

impl Words<'_> {
    /// A text with its placeholders filled in.
    pub(super) fn filled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !text.contains('{') {
            return Cow::Borrowed(text);
        }
        let mut filled = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, behind)) = behind.split_once('}') else { break };
            filled.push_str(&self.value(name).unwrap_or_default());
            rest = behind;
        }
        Cow::Owned(filled + rest)
    }

    fn value(&self, name: &str) -> Option<String> {
        let release = self.event.profile.release();
        match name {
            "version" => Some(release.version.clone()),
            "commit" => Some(release.commit.clone()),
            "built" => Some(release.commit_date.chars().take("2026-05-21T14:21".len()).collect()),
            "threads" => self.plan(self.event.member).map(|it| it.threads.to_string()),
            "role" => self.plan(self.event.member).map(|it| it.role.name().to_owned()),
            // The loops of a server take turns; which one is free next nobody can say.
            "loop" => Some((1 + self.event.at.as_nanoseconds() / 1_000_000 % 2).to_string()),
            "now" => {
                let date = self.cx.calendar.date(self.event.at);
                Some(zoned(Timestamp::from_second(date.as_second()).unwrap_or(date)) + "[Etc/UTC]")
            }
            _ => self.of_runner(name).or_else(|| self.of_subject(name)),
        }
    }

    /// The thread that starts a part of a process: in one of everything, they are numbered (recorded).
    fn of_runner(&self, name: &str) -> Option<String> {
        let number = name.strip_prefix("runner")?;
        Some(match self.plan(self.event.member)?.role {
            Role::Standalone => format!("standalone-runner_{number}"),
            Role::Webserver if self.event.kind == LineKind::IndexerStarted => "webserver-indexer_0".to_owned(),
            role => role.name().to_owned(),
        })
    }

    fn plan(&self, member: usize) -> Option<&MemberPlan> {
        self.cluster.members.get(member).map(|it| it.plan())
    }

    fn of_subject(&self, name: &str) -> Option<String> {
        match &self.event.about {
            LineAbout::Itself => self.of_process(name, (self.event.member, self.event.life), Duration::milliseconds(2)),
            &LineAbout::Process { member, life, silence } => self.of_process(name, (member, life), silence),
            &LineAbout::Execution { flow, number, end } => self.of_execution(name, (flow, number), end),
            &LineAbout::TaskRun { flow, task, number, run, end, .. } => {
                self.of_task_run(name, (flow, number), (task, run), end)
            }
            LineAbout::Own { words, .. } if name == "message" => Some(words.to_string()),
            &LineAbout::Own { flow, task, number, run, .. } => {
                self.of_task_run(name, (flow, number), (task, run), None)
            }
            &LineAbout::Trigger { flow, index, since, number } => self.of_trigger(name, (flow, index), since, number),
            LineAbout::Due(due) => match name {
                "due" => Some(due.to_string()),
                "flows" => Some(self.cx.plan.flows.len().to_string()),
                _ => None,
            },
            LineAbout::Loop { triggers, took } => match name {
                "ms" => Some(took.as_milliseconds().to_string()),
                "triggers" => Some(triggers.to_string()),
                _ => None,
            },
            &LineAbout::Request { flow, number, route, took } => self.of_request(name, (flow, number), route, took),
            &LineAbout::Broken(place) => self.of_connection(name, place),
        }
    }

    fn of_process(&self, name: &str, (member, life): (usize, u32), silence: Duration) -> Option<String> {
        let it = self.plan(member)?;
        match name {
            "host" => Some(it.name.clone()),
            "id" => {
                let mut draws = self.cx.seed.numbered(name_key("service") ^ name_key(&it.name), u64::from(life));
                let uuid = it.role.runs(Role::Worker) && self.event.profile.names_workers_by_uuid();
                Some(if uuid { uuid_of(&mut draws) } else { draws.id() })
            }
            // One of everything is several services; the one that has jobs is told of.
            "service" if it.role == Role::Standalone => Some(Role::Worker.server_type().to_owned()),
            "service" => Some(it.role.server_type().to_owned()),
            "ms" => Some(silence.as_milliseconds().to_string()),
            _ => None,
        }
    }

    fn of_task_run(
        &self,
        name: &str,
        execution: (u32, u64),
        (task, run): (u32, u32),
        end: Option<(State, Duration)>,
    ) -> Option<String> {
        let (flow, number) = execution;
        match name {
            "task" => self.task(flow, task).map(|task| task.id.clone()),
            "type" => self.task(flow, task).map(|it| it.kind.rsplit('.').next().unwrap_or(&it.kind).to_owned()),
            "taskrun" => Some(self.cx.task_run_id(flow, number, run)),
            "slot" => Some((number % self.plan(self.event.member)?.threads.max(1) as u64).to_string()),
            _ => self.of_execution(name, execution, end),
        }
    }

    fn of_trigger(&self, name: &str, (flow, index): (u32, u32), since: Instant, number: Option<u64>) -> Option<String> {
        let it = self.cx.plan.flows.get(flow as usize)?.triggers.get(index as usize)?;
        match name {
            "trigger" => Some(it.id.clone()),
            "type" => Some(it.kind.clone()),
            "since" => Some(instant(self.cx.calendar.date(since))),
            "date" => Some(zoned(self.cx.calendar.date(since))),
            // Recorded: the loop starts what a Schedule asks for, a queue thread what a worker has found.
            "scheduling" if matches!(it.action, TriggerAction::Poll { .. }) => {
                Some("jdbc-queue-WorkerTriggerResult_0".to_owned())
            }
            "scheduling" => Some("pool-8-thread-1".to_owned()),
            "execution" if number.is_none() => Some(self.cx.id("missing execution", flow, u64::from(index), 0)),
            _ => self.of_execution(name, (flow, number.unwrap_or_default()), None),
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

    fn of_request(&self, name: &str, (flow, number): (u32, u64), route: usize, took: Duration) -> Option<String> {
        let (method, _, uri) = ROUTES.get(route)?;
        match name {
            "date" => {
                let date = self.cx.calendar.date(self.event.at).to_zoned(TimeZone::UTC);
                Some(date.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
            }
            "method" => Some((*method).to_owned()),
            "ms" => Some(took.as_milliseconds().to_string()),
            "path" => {
                let tenant = self.event.profile.tenant_path();
                let flow_of = self.cx.plan.flows.get(flow as usize)?;
                let path = uri.replace("{tenant}/", tenant).replace("{namespace}", &flow_of.namespace);
                let path = path.replace("{id}", &flow_of.id).replace("{/path}", "");
                let execution = self.cx.id("execution", flow, number, 0);
                Some(path.replace("{executionId}", &execution).replace("{key}", webhook_key(flow_of)))
            }
            _ => None,
        }
    }

    fn of_connection(&self, name: &str, place: u32) -> Option<String> {
        match name {
            // A queue that a process of this role reads (recorded); which thread meets it first nobody can say.
            "queue" => Some(
                match self.plan(self.event.member)?.role {
                    Role::Worker => "WorkerJob",
                    Role::Scheduler => "WorkerTriggerResult",
                    Role::Indexer => "LogEntry",
                    Role::Webserver => "Execution",
                    Role::Standalone | Role::Executor | Role::Controller => "WorkerTaskResult",
                }
                .to_owned(),
            ),
            "event" if self.plan(self.event.member)?.role == Role::Webserver => Some("FollowExecutionEvent".to_owned()),
            "event" => Some("ExecutionEvent".to_owned()),
            "hash" => {
                let key = name_key("connection") ^ self.event.at.as_nanoseconds() as u64;
                Some(format!("{:x}", self.cx.seed.numbered(key, u64::from(place)).below(1 << 31)))
            }
            // Threads of queues have such numbers (1.3: 39 to 82).
            "number" => Some((40 + place).to_string()),
            _ => None,
        }
    }

    fn task(&self, flow: u32, task: u32) -> Option<&Task> {
        self.cx.plan.flows.get(flow as usize)?.task(task as usize)
    }
}

/// The key of a flow's webhook, as the file says it.
fn webhook_key(flow: &Flow) -> &str {
    let triggers = flow.source.get("triggers").and_then(Value::as_array);
    triggers.into_iter().flatten().find_map(|trigger| trigger.get("key")?.as_str()).unwrap_or_default()
}

/// A random UUID, as Java makes them.
fn uuid_of(draws: &mut Stream) -> String {
    let mut part = |bits: u32| draws.below(1 << bits);
    let (a, b, c, d, e) = (part(32), part(16), part(12), part(14), part(48));
    format!("{a:08x}-{b:04x}-{:04x}-{:04x}-{e:012x}", 0x4000 | c, 0x8000 | d)
}

/// What stands behind the point of a second, as Java writes it: as many groups of three digits as it needs.
fn fraction(nanoseconds: i32) -> &'static str {
    match nanoseconds {
        0 => "",
        _ if nanoseconds % 1_000_000 == 0 => "%.3f",
        _ if nanoseconds % 1_000 == 0 => "%.6f",
        _ => "%.9f",
    }
}

/// An instant as Java writes it.
fn instant(date: Timestamp) -> String {
    let date = date.to_zoned(TimeZone::UTC);
    date.strftime(&format!("%Y-%m-%dT%H:%M:%S{}Z", fraction(date.subsec_nanosecond()))).to_string()
}

/// A date with a zone as Java writes it, to milliseconds: no seconds where they are none.
fn zoned(date: Timestamp) -> String {
    let milliseconds = date.as_nanosecond().div_euclid(1_000_000) * 1_000_000;
    let date = Timestamp::from_nanosecond(milliseconds).unwrap_or(date).to_zoned(TimeZone::UTC);
    let nanoseconds = date.subsec_nanosecond();
    if date.second() == 0 && nanoseconds == 0 {
        return date.strftime("%Y-%m-%dT%H:%MZ").to_string();
    }
    date.strftime(&format!("%Y-%m-%dT%H:%M:%S{}Z", fraction(nanoseconds))).to_string()
}

/// `00:00:20.104`.
pub(super) fn clock(took: Duration) -> String {
    let ms = took.as_milliseconds();
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1000)
}
