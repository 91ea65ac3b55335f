//! What a run found, as text and JSON: the event timeline, what is true at its end, and what Kestra's counters say of it.

use std::fmt::Write;

use serde::Serialize;

use crate::time::{Duration, Instant};

/// One run of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// Its summary.
    pub summary: String,
    /// The seed.
    pub seed: u64,
    /// The date of the scenario's start.
    pub start: String,
    /// How long it ran, in seconds of virtual time.
    #[serde(serialize_with = "seconds")]
    pub duration: Duration,
    /// What happened, in the order of time.
    pub timeline: Vec<Line>,
    /// What is true, and what the counters of the processes that run at the end say.
    pub closing: Vec<Figure>,
    /// The members at the end.
    pub members: Vec<MemberLine>,
    /// The expectations of the scenario.
    pub expectations: Vec<Verdict>,
    /// Events the model went through.
    pub events: u64,
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// When, in seconds since the scenario's start.
    #[serde(serialize_with = "instant")]
    pub at: Instant,
    /// What.
    pub text: String,
}

/// A number of the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What is counted.
    pub name: String,
    /// How many there are in truth.
    pub truth: u64,
    /// What the members' counters show, when one counts this.
    pub shown: Option<f64>,
    /// That counter.
    pub meter: Option<String>,
}

/// A member at the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberLine {
    /// Its name.
    pub name: String,
    /// What its port does: `open`, `refused`, `hangs`, `closing`.
    pub port: &'static str,
    /// Processes it had, the current one included.
    pub processes: u32,
    /// Jobs that run in it.
    pub running: usize,
    /// Jobs it holds and has not started.
    pub pending: usize,
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The expectation, in words.
    pub expectation: String,
    /// Whether it was met; none when `run` cannot judge it.
    pub met: Option<bool>,
    /// What was seen, or why it was not judged.
    pub seen: String,
}

impl Report {
    /// Whether an expectation was judged and not met.
    pub fn failed(&self) -> bool {
        self.expectations.iter().any(|verdict| verdict.met == Some(false))
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}: {}", self.scenario, self.summary)?;
        writeln!(out, "{} from {}, seed {}, {} events", self.duration, self.start, self.seed, self.events)?;
        writeln!(out, "\nTimeline")?;
        for line in &self.timeline {
            writeln!(out, "  {:>11}  {}", line.at.rounded().to_string(), line.text)?;
        }
        if self.timeline.is_empty() {
            writeln!(out, "  nothing to tell")?;
        }
        writeln!(out, "\nAt the end                       truth     shown  by")?;
        for figure in &self.closing {
            write!(out, "  {:<26} {:>9}", figure.name, figure.truth)?;
            match (&figure.shown, &figure.meter) {
                (Some(shown), Some(meter)) => writeln!(out, " {shown:>9}  {meter}")?,
                _ => writeln!(out)?,
            }
        }
        writeln!(out, "\nMembers                  port   processes   running   pending")?;
        for member in &self.members {
            let MemberLine { name, port, processes, running, pending } = member;
            writeln!(out, "  {name:<18} {port:>8} {processes:>11} {running:>9} {pending:>9}")?;
        }
        if !self.expectations.is_empty() {
            writeln!(out, "\nExpectations")?;
        }
        for Verdict { expectation, met, seen } in &self.expectations {
            let verdict = match met {
                Some(true) => "met",
                Some(false) => "NOT MET",
                None => "not judged",
            };
            writeln!(out, "  {verdict:<10}  {expectation}: {seen}")?;
        }
        Ok(())
    }
}

fn seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_seconds_f64())
}

fn instant<S: serde::Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_nanoseconds() as f64 / crate::time::SECOND as f64)
}
