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

/// A line: its words with placeholders in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineForm {
    /// `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERROR`.
    pub level: &'static str,
    /// Its thread, perhaps with placeholders.
    pub thread: &'static str,
    /// Its logger, perhaps with placeholders.
    pub logger: &'static str,
    /// What it says. None: that there is a line is known, its words are not.
    pub text: Option<&'static str>,
}

/// All lines of a version.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) date: LineDate,
    forms: [Option<LineForm>; LineKind::WORDS.len()],
}

const LEVELS: [&str; 5] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];

impl Lines {
    /// Those of a `lines.txt`: `date full` or `date time`, then a line each with kind, level, thread, logger and text
    /// between tabs.
    ///
    /// # Errors
    /// What is wrong, with the number of the line.
    pub(super) fn read(text: &'static str) -> Result<Lines, String> {
        let mut lines = Lines { date: LineDate::Full, forms: [None; LineKind::WORDS.len()] };
        for (number, line) in text.lines().enumerate() {
            let fields: Vec<&'static str> = line.split('\t').collect();
            match fields[..] {
                ["date", "full"] => lines.date = LineDate::Full,
                ["date", "time"] => lines.date = LineDate::Time,
                [name, level, thread, logger, text] if LEVELS.contains(&level) => {
                    let place = LineKind::WORDS.iter().position(|(word, _)| *word == name);
                    let Some(form) = place.and_then(|place| lines.forms.get_mut(place)) else {
                        return Err(format!("line {}: `{name}` is no kind of line", number + 1));
                    };
                    *form = Some(LineForm { level, thread, logger, text: (text != "-").then_some(text) });
                }
                _ => return Err(format!("line {}: no kind, level, thread, logger and text between tabs", number + 1)),
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
        assert_eq!(told("date\ttime\nblocked\tWARN\ta\tb\tc\n"), Ok(()));
        assert_eq!(told("date\tfull\nnope\tWARN\ta\tb\tc\n"), Err("line 2: `nope` is no kind of line".to_owned()));
        let shape = "line 1: no kind, level, thread, logger and text between tabs";
        assert_eq!(told("blocked\tLOUD\ta\tb\tc\n"), Err(shape.to_owned()));
    }

    #[test]
    fn a_kind_stands_at_the_place_of_its_word() {
        for (place, (_, kind)) in LineKind::WORDS.iter().enumerate() {
            assert_eq!(*kind as usize, place);
        }
    }
}
