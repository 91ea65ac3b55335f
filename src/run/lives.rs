//! What is said of the lives of an alert, wherever they are told.

use super::watch::Watching;
use crate::report::AlertLine;
use crate::time::{Calendar, Duration, Instant};

/// When an alert began to be pending, fired, and ended.
pub(super) type Times = (Instant, Option<Instant>, Option<Instant>);

impl AlertLine {
    pub(super) fn times(&self) -> Times {
        (self.pending, self.firing, self.resolved)
    }
}

/// What lives of an alert came to that were over before the start, which counts nowhere: whether one fired, and when, in words
/// that go on from "fired" or "pending".
pub(super) fn over_before(lives: impl Iterator<Item = Times>) -> Option<(bool, String)> {
    let lives: Vec<Times> = lives.collect();
    let fired: Vec<&Times> = lives.iter().filter(|(_, firing, _)| firing.is_some()).collect();
    let of = if fired.is_empty() { lives.iter().collect() } else { fired.clone() };
    let (pending, firing, resolved) = *of.first().copied()?;
    let until = resolved.map(|at| format!(" until {}", at.rounded())).unwrap_or_default();
    let span = format!("from {}{until}", firing.unwrap_or(pending).rounded());
    let told = match of.len() {
        1 => format!("before the start, {span}"),
        many => format!("{many} times before the start, first {span}"),
    };
    Some((!fired.is_empty(), told))
}

/// The same as a whole sentence.
pub(super) fn sentence((fired, told): &(bool, String)) -> String {
    format!("{} {told}", if *fired { "fired" } else { "pending" })
}

/// What an alert was before the start, when that was over by then, in words.
pub(super) fn before_start(watching: &Watching, calendar: &Calendar, alert: &str) -> Option<String> {
    let all = watching.alerts(calendar);
    let over = all.iter().filter(|line| line.alert == alert && !line.ends_after(Instant::START));
    over_before(over.map(AlertLine::times)).as_ref().map(sentence)
}

/// Why an alert that was pending did not fire. What is gone at the evaluation at which it would have fired has been seen for
/// less than its `for`, though that much time has passed.
pub(super) fn too_short(line: &AlertLine, hold: Duration, end: Instant) -> String {
    let (from, held) = (line.pending.rounded(), line.resolved.unwrap_or(end).since(line.pending));
    let told = match line.resolved {
        Some(gone) if held >= hold => {
            format!("its condition was gone at {}, the evaluation at which it would have fired", gone.rounded())
        }
        None if held >= hold => format!("the run ends before the evaluation at which its {hold} are over"),
        Some(_) => format!("it held for {}, of the {hold} it must", held.rounded()),
        None => format!("it held for {} and still does, of the {hold} it must", held.rounded()),
    };
    format!("only pending, from {from}: {told}")
}
