//! The tables of a report for people: targets, alerts, rules.

use std::fmt::Write;

use super::rules::{RuleLine, RuleState};
use super::{AlertLine, Detail, MessageLine, Report, TargetLine};
use crate::time::Instant;

/// Rows of targets that failed, in a short report.
const TARGETS: usize = 12;
/// With so many lives of the same labels an alert flaps.
const FLAPS: usize = 3;
/// Quiet rules that have a row each, in a short report; more are named only.
const QUIET: usize = 12;

/// Targets of which a scrape failed.
pub(super) fn targets(targets: &[TargetLine], detail: Detail, out: &mut String) -> std::fmt::Result {
    let (failed, well): (Vec<&TargetLine>, Vec<&TargetLine>) = targets.iter().partition(|target| target.failed > 0);
    writeln!(out, "\nTargets")?;
    match (targets.len(), well.len()) {
        (0, _) => writeln!(out, "  none")?,
        (1, 1) => writeln!(out, "  the only one answered every scrape")?,
        (all, well) => writeln!(out, "  {well} of {all} answered every scrape")?,
    }
    let most = if detail == Detail::All { usize::MAX } else { TARGETS };
    for target in failed.iter().take(most) {
        let TargetLine { up, scrapes, failed, last_error, .. } = target;
        let state = if *up { "up" } else { "down" };
        write!(out, "  {}  {state}, {failed} of {scrapes} scrapes failed", target.url())?;
        match last_error {
            Some((at, why)) => writeln!(out, ", the last at {}: {why}", at.rounded())?,
            None => writeln!(out)?,
        }
    }
    match failed.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more that failed (--all)"),
    }
}

/// Targets of which a scrape failed in any of several runs with the same targets.
pub(super) fn targets_over_runs(reports: &[Report], detail: Detail, out: &mut String) -> std::fmt::Result {
    let count = reports.first().map_or(0, |report| report.targets.len());
    let runs_of = |index: usize| reports.iter().filter_map(move |it| Some((it, it.targets.get(index)?)));
    let failed: Vec<usize> = (0..count).filter(|it| runs_of(*it).any(|(_, line)| line.failed > 0)).collect();
    if failed.is_empty() {
        return Ok(());
    }
    writeln!(out, "Targets\n  {} of {count} answered every scrape of every run", count - failed.len())?;
    let most = if detail == Detail::All { usize::MAX } else { TARGETS };
    for index in failed.iter().take(most) {
        let bad: Vec<(&Report, &TargetLine)> = runs_of(*index).filter(|(_, line)| line.failed > 0).collect();
        let never = bad.iter().filter(|(_, line)| line.never_answered()).count();
        let Some((report, line)) = bad.first() else { continue };
        write!(out, "  {}  scrapes failed in {} of {} runs", line.url(), bad.len(), reports.len())?;
        if never > 0 {
            write!(out, ", all of them in {never}")?;
        }
        match &line.last_error {
            Some((at, why)) => writeln!(out, "; with seed {} the last at {}: {why}", report.seed, at.rounded())?,
            None => writeln!(out)?,
        }
    }
    match failed.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more that failed (--all)"),
    }
}

fn time(at: Option<Instant>) -> String {
    at.map_or("-".to_owned(), |at| at.rounded().to_string())
}

/// The lives of alerts.
pub(super) fn alerts(alerts: &[AlertLine], detail: Detail, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nAlerts                       pending      firing    resolved  value  labels")?;
    let alike = |one: &AlertLine, other: &AlertLine| one.alert == other.alert && one.labels == other.labels;
    for (index, line) in alerts.iter().enumerate() {
        let of_same = || alerts.iter().filter(|other| alike(line, other));
        let flaps = detail == Detail::Short && of_same().count() >= FLAPS;
        if flaps && alerts[..index].iter().any(|other| alike(line, other)) {
            continue;
        }
        let lives: Vec<&AlertLine> = if flaps { of_same().collect() } else { vec![line] };
        alert(&lives, out)?;
    }
    if alerts.is_empty() {
        writeln!(out, "  none was ever active")?;
    }
    Ok(())
}

/// One row for one or more lives: the first that fired, else the first.
fn alert(lives: &[&AlertLine], out: &mut String) -> std::fmt::Result {
    let fired: Vec<&&AlertLine> = lives.iter().filter(|line| line.firing.is_some()).collect();
    let Some(line) = fired.first().copied().or(lives.first()) else { return Ok(()) };
    // An alert without `for` is never pending.
    let pending = Some(line.pending).filter(|pending| line.firing != Some(*pending));
    let labels: Vec<String> = line.labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    let value = f64::round(line.value * 1000.0) / 1000.0;
    let (pending, firing, resolved) = (time(pending), time(line.firing), time(line.resolved));
    let mut more = line.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    if let Some((why, since)) = line.kept {
        more += &format!(" (kept by KeepLast: {why} since {})", since.rounded());
    }
    if lives.len() > 1 {
        let last = lives.iter().map(|line| line.firing.unwrap_or(line.pending)).max();
        let fires = match fired.len() {
            0 => format!("pending {} times", lives.len()),
            count if count == lives.len() => format!("fires {count} times"),
            count => format!("fires {count} times, pending {} times", lives.len()),
        };
        more += &format!("; {fires}, the last from {}", time(last));
    }
    let (name, labels) = (&line.alert, labels.join(", ") + &more);
    writeln!(out, "  {name:<24} {pending:>9} {firing:>11} {resolved:>11} {value:>6}  {labels}")?;
    for (key, text) in line.annotations.iter().filter(|_| line.firing.is_some()) {
        writeln!(out, "    {key}: {}", text.trim().replace('\n', "\n      "))?;
    }
    Ok(())
}

/// The width of a column of names: what the longest needs, within reason.
pub(super) fn width<'n>(names: impl Iterator<Item = &'n str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0).clamp(24, 48)
}

/// How every rule stands: what is wrong first, what is quiet last.
pub(super) fn rules(rules: &[RuleLine], detail: Detail, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nRules")?;
    if rules.is_empty() {
        return writeln!(out, "  none");
    }
    let mut sorted: Vec<&RuleLine> = rules.iter().collect();
    sorted.sort_by_key(|line| line.state);
    let quiet: Vec<&RuleLine> = sorted.iter().filter(|line| line.state == RuleState::Quiet).copied().collect();
    let in_short = detail == Detail::Short && quiet.len() > QUIET;
    let shown = || sorted.iter().filter(|line| !(in_short && line.state == RuleState::Quiet));
    let width = width(shown().map(|line| line.rule.as_str()));
    for RuleLine { rule, state, told, .. } in shown() {
        writeln!(out, "{}", format!("  {:<9} {rule:<width$}  {told}", state.name()).trim_end())?;
    }
    if in_short {
        let names: Vec<&str> = quiet.iter().map(|line| line.rule.as_str()).collect();
        wrapped(&format!("  {:<9} ", format!("{} quiet", quiet.len())), &names, out)?;
    }
    Ok(())
}

/// Names in lines that are not too long; all but the first line begin below the first name.
fn wrapped(head: &str, names: &[&str], out: &mut String) -> std::fmt::Result {
    const WIDTH: usize = 110;
    let (mut line, indent) = (head.to_owned(), " ".repeat(head.chars().count()));
    for (index, name) in names.iter().enumerate() {
        let comma = if index + 1 < names.len() { ", " } else { "" };
        if line.chars().count() + name.chars().count() > WIDTH && line.len() > indent.len() {
            writeln!(out, "{}", line.trim_end())?;
            line.clone_from(&indent);
        }
        line += name;
        line += comma;
    }
    writeln!(out, "{}", line.trim_end())
}

/// Rows of messages that fit on a screen.
const MESSAGES: usize = 20;

/// What notification tasks sent, or could not send.
pub(super) fn notifications(all: &[MessageLine], detail: Detail, out: &mut String) -> std::fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nNotifications")?;
    let shown = if detail == Detail::All { all.len() } else { MESSAGES };
    for line in all.iter().take(shown) {
        let MessageLine { at, flow, task, channel, to, why, .. } = line;
        let (at, channel) = (at.rounded().to_string(), channel.unwrap_or("-"));
        let became = match why.as_ref().and_then(|why| why.lines().next()) {
            Some(why) => format!("LOST: {why}"),
            None => to.clone(),
        };
        writeln!(out, "  {at:>11}  {channel:<10}  {task} of {flow}  {became}")?;
    }
    match all.len().saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more: `--format json` has them all"),
    }
}
