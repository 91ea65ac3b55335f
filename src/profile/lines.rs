//! The log lines of a version: which there are, from whom, with which words. What no recording and no source tells is not
//! here, and is not written.

use super::words::words;

words! {
    /// Something of which a process writes a line.
    LineKind {
        /// It starts up.
        Starting = "starting",
        /// Its ports are open.
        Running = "running",
        /// Where its health is told.
        HealthAt = "health-at",
        /// A worker takes jobs.
        WorkerStarted = "worker-started",
        /// A scheduler works.
        SchedulerStarted = "scheduler-started",
        /// An indexer works.
        IndexerStarted = "indexer-started",
        /// An executor works.
        ExecutorStarted = "executor-started",
        /// A webserver works.
        WebserverStarted = "webserver-started",
        /// It is told to stop.
        ShutdownSignal = "shutdown-signal",
        /// It begins to stop.
        ShutdownInitiated = "shutdown-initiated",
        /// It has stopped.
        ShutdownCompleted = "shutdown-completed",
        /// An executor begins an execution.
        FlowStarted = "flow-started",
        /// An execution has ended.
        FlowEnded = "flow-ended",
        /// A worker begins a task run.
        TaskStarted = "task-started",
        /// A task run has ended.
        TaskEnded = "task-ended",
        /// A request to a webserver has been answered.
        Request = "request",
        /// A connection to the database is broken.
        ConnectionLost = "connection-lost",
        /// A thread that reads a queue met an error that its process does not survive.
        QueueFatal = "queue-fatal",
        /// No heartbeat came for too long.
        Silent = "silent",
        /// A process that is silent is given up.
        WrittenOff = "written-off",
        /// The jobs of a process that was given up are handed out again.
        Restarts = "restarts",
        /// One of them is.
        Resubmitted = "resubmitted",
        /// A trigger waits for an execution that is not there.
        Blocked = "blocked",
        /// A loop of the scheduler took longer than it may.
        Overloaded = "overloaded",
        /// A trigger has started an execution.
        Scheduled = "scheduled",
        /// A task says something of its own: its level and its words are the task's.
        Own = "own",
        /// A process has told that it is alive.
        Heartbeat = "heartbeat",
        /// A loop of the scheduler has found triggers due.
        SchedulerLoop = "scheduler-loop",
        /// Those of them that it evaluates.
        SchedulerEvaluates = "scheduler-evaluates",
        /// A Schedule was evaluated.
        TriggerEvaluated = "trigger-evaluated",
        /// A polling trigger is sent to a worker.
        TriggerSent = "trigger-sent",
    }
}

impl LineKind {
    /// All of them.
    #[cfg(feature = "internals")]
    pub fn all() -> impl Iterator<Item = LineKind> {
        LineKind::WORDS.iter().map(|(_, kind)| *kind)
    }
}

/// How the console writes the time of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineDate {
    /// `2026-11-25 02:33:17,198`.
    Full,
    /// `02:33:17.198`.
    Time,
}

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LineLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl LineLevel {
    /// All of them, the finest first.
    pub const ALL: [LineLevel; 5] =
        [LineLevel::Trace, LineLevel::Debug, LineLevel::Info, LineLevel::Warn, LineLevel::Error];

    /// As logback writes it.
    pub const fn name(self) -> &'static str {
        match self {
            LineLevel::Trace => "TRACE",
            LineLevel::Debug => "DEBUG",
            LineLevel::Info => "INFO",
            LineLevel::Warn => "WARN",
            LineLevel::Error => "ERROR",
        }
    }

    /// That of a name, in any case.
    pub fn named(name: &str) -> Option<LineLevel> {
        LineLevel::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

/// A line: its words with placeholders in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineForm {
    /// Its level.
    pub level: LineLevel,
    /// Whether `logback_events_total` counts it. Not what goes through the fluent interface of SLF4J up to 0.20 (recorded:
    /// 50 tasks started, 49 ended, none counted), and no task's own line of any version (recorded: 56 Log tasks).
    pub counted: bool,
    /// Its thread, perhaps with placeholders.
    pub thread: &'static str,
    /// Its logger, perhaps with placeholders.
    pub logger: &'static str,
    /// A logger that must let the level through besides its own: Kestra asks that one before it makes the line.
    pub gate: Option<&'static str>,
    /// What it says.
    pub text: &'static str,
}

/// All lines of a version.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) date: LineDate,
    /// What stands before `executions` in a path of the API: `main/`, or nothing.
    pub(super) tenant: &'static str,
    /// A worker's id is a UUID, while others have ids as Kestra makes them.
    pub(super) worker_uuids: bool,
    forms: [Option<LineForm>; LineKind::WORDS.len()],
}

impl Lines {
    /// Those of a `lines.txt`: `date full` or `date time`, perhaps `tenant main/` and `workers uuid`, then a line each with kind, level, thread, logger and text
    /// between tabs. `INFO uncounted` is a level that `logback_events_total` does not see; `a.B if c.D` is the logger `a.B` of
    /// a line that is made only where `c.D` lets its level through. A line with `#` is a comment.
    ///
    /// # Errors
    /// What is wrong, with the number of the line.
    pub(super) fn read(text: &'static str) -> Result<Lines, String> {
        let forms = [None; LineKind::WORDS.len()];
        let mut lines = Lines { date: LineDate::Full, tenant: "", worker_uuids: false, forms };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let told = |what: &str| format!("line {}: {what}", number + 1);
            let fields: Vec<&'static str> = line.split('\t').collect();
            match fields[..] {
                ["date", "full"] => lines.date = LineDate::Full,
                ["date", "time"] => lines.date = LineDate::Time,
                ["tenant", tenant] => lines.tenant = tenant,
                ["workers", "uuid"] => lines.worker_uuids = true,
                [name, level, thread, logger, text] => {
                    let place = LineKind::WORDS.iter().position(|(word, _)| *word == name);
                    let Some(form) = place.and_then(|place| lines.forms.get_mut(place)) else {
                        return Err(told(&format!("`{name}` is no kind of line")));
                    };
                    let (level, counted) = match level.strip_suffix(" uncounted") {
                        Some(level) => (level, false),
                        None => (level, true),
                    };
                    let level = LineLevel::named(level).ok_or_else(|| told(&format!("`{level}` is no level")))?;
                    let (logger, gate) = match logger.split_once(" if ") {
                        Some((logger, gate)) => (logger, Some(gate)),
                        None => (logger, None),
                    };
                    *form = Some(LineForm { level, counted, thread, logger, gate, text });
                }
                _ => return Err(told("no kind, level, thread, logger and text between tabs")),
            }
        }
        Ok(lines)
    }

    pub(super) fn form(&self, kind: LineKind) -> Option<&LineForm> {
        self.forms.get(kind as usize)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        let told = |text| Lines::read(text).map(|_| ());
        assert_eq!(told("# x\ndate\ttime\nblocked\tWARN uncounted\ta\tb if d\tc\n"), Ok(()));
        assert_eq!(told("date\tfull\nnope\tWARN\ta\tb\tc\n"), Err("line 2: `nope` is no kind of line".to_owned()));
        assert_eq!(told("blocked\tLOUD\ta\tb\tc\n"), Err("line 1: `LOUD` is no level".to_owned()));
        let shape = "line 1: no kind, level, thread, logger and text between tabs";
        assert_eq!(told("blocked\tWARN\ta\tb\n"), Err(shape.to_owned()));
    }

    #[test]
    fn a_kind_stands_at_the_place_of_its_word() {
        for (place, (_, kind)) in LineKind::WORDS.iter().enumerate() {
            assert_eq!(*kind as usize, place);
        }
    }
}
