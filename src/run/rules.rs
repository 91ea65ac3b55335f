//! How every rule stands at the end of a run: what it did, how near it came, or why it can do nothing.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::explain::words;
use super::known::{Known, Names, OF_ALERTS};
use super::lives;
use super::watch::{Watching, instant};
use super::why::{kept_out, meant};
use crate::monitor::{AnyRule, Episode, Group, Standing, Unselected};
use crate::profile::Profile;
use crate::promql::{AskedLabel, Expression, Grid, Part, PartKind, Row, Table};
use crate::report::{RuleKind, RuleLine, RuleState};
use crate::simulator::{Simulation, moves};
use crate::time::{Calendar, Duration, Instant};

/// The line of each rule, in the order of the rules; none when nobody wants to know.
pub(super) fn lines(watching: &Watching, simulation: &Simulation) -> Vec<RuleLine> {
    if !watching.tells_standings() {
        return Vec::new();
    }
    let judge = Rules { watching, simulation, calendar: simulation.calendar(), names: OnceCell::new() };
    watching.monitor.standings().iter().map(|standing| judge.line(standing)).collect()
}

/// When a rule is evaluated: all its instants, and how many of them lie before the start.
#[derive(Clone, Copy)]
struct Evaluations {
    whole: Grid,
    before: usize,
}

impl Evaluations {
    /// Those from the start on.
    fn told(self) -> Grid {
        let Evaluations { whole, before } = self;
        Grid { first: whole.time(before), count: whole.count - before, ..whole }
    }
}

struct Rules<'a> {
    watching: &'a Watching,
    simulation: &'a Simulation,
    calendar: Calendar,
    names: OnceCell<Names>,
}

fn did_you_mean(near: &str) -> String {
    format!("; did you mean `{near}`?")
}

impl Rules<'_> {
    fn line(&self, standing: &Standing<'_>) -> RuleLine {
        let seen = |episode: &&Episode| episode.resolved.is_none_or(|at| self.instant(at) >= Instant::START);
        let lives: Vec<&Episode> = standing.episodes.iter().filter(seen).collect();
        let times = lives.iter().filter(|episode| episode.firing.is_some()).count();
        let (state, told) = self.state(standing, &lives, times);
        RuleLine {
            rule: standing.rule.name().to_owned(),
            group: standing.group.to_owned(),
            kind: match standing.rule {
                AnyRule::Alert(_) => RuleKind::Alert,
                AnyRule::Record(_) => RuleKind::Record,
                AnyRule::Grafana(_) => RuleKind::Grafana,
            },
            state,
            times,
            told,
            leans: self.watching.monitor.leans_on_filter(&standing.rule),
            doubts: match state {
                RuleState::Failed | RuleState::Dead => Vec::new(),
                _ => self.doubts(standing),
            },
        }
    }

    /// What of a rule does nothing: sides of its expression that read what nobody knows, and what lies before all samples.
    fn doubts(&self, standing: &Standing<'_>) -> Vec<String> {
        let (rule, grid) = (standing.rule.name(), self.grid(standing));
        let span = self.simulation.now().since(self.watching.begin);
        let mut doubts = Vec::new();
        for expression in standing.rule.expressions() {
            for Unselected { name, others, .. } in self.watching.monitor.dead_branches(expression) {
                let Some(name) = name.filter(|_| others == 0 && self.watching.has_targets()) else { continue };
                // All others come with an event, or another scenario shows them.
                let known = self.names(grid).of(&name);
                if let Known::Unknown(meant) = &known {
                    let why = meant.as_ref().map_or_else(|| format!(": {known}"), |(near, _)| did_you_mean(near));
                    doubts.push(format!("part of {rule} is dead: there is no series called `{name}`{why}"));
                }
            }
            doubts.extend(self.absent(expression, grid).map(|why| format!("part of {rule} always holds: {why}")));
            doubts.extend(self.short_ranges(rule, expression));
            for (text, back) in expression.offsets() {
                let back = Duration::milliseconds(back.unsigned_abs());
                if back > span {
                    doubts.push(format!("part of {rule} is dead: `{text}`: the run has no samples {back} back"));
                }
            }
        }
        let mut told = BTreeSet::new();
        doubts.retain(|doubt| told.insert(doubt.clone()));
        doubts
    }

    /// What is absent because it was misspelt, most probably.
    fn absent(&self, expression: &Expression, grid: Grid) -> impl Iterator<Item = String> {
        let absent = self.watching.monitor.absent(expression).into_iter();
        absent.filter(|_| self.watching.has_targets()).filter_map(move |Unselected { name, others, label, .. }| {
            let name = name?;
            if let Some((asked, there)) = label {
                // What is absent may be a flow or a member that is not there yet: those of the configuration are known.
                let misspelt = matches!(&*asked.label, "job" | "role") && meant(&asked, &there).is_some();
                return misspelt.then(|| kept_out(&name, others, &asked, &there));
            }
            match self.names(grid).of(&name) {
                Known::Unknown(Some((near, _))) => {
                    Some(format!("there is no series called `{name}`{}", did_you_mean(&near)))
                }
                _ => None,
            }
        })
    }

    /// Ranges of what is scraped that hold one sample at most, or now and then, where two are needed.
    fn short_ranges(&self, rule: &str, expression: &Expression) -> impl Iterator<Item = String> {
        let every = self.watching.shortest_interval();
        expression.of_two_samples().into_iter().filter_map(move |(text, name, range)| {
            let (every, range) = (every?, Duration::milliseconds(range.unsigned_abs()));
            // What a rule writes comes as often as its group is evaluated.
            let scraped = |name: &str| !OF_ALERTS.contains(&name) && self.watching.recording(name).is_none();
            if range >= every.times(2.0) || !name.is_some_and(|name| scraped(&name)) {
                return None;
            }
            let (what, holds) = match range > every {
                true => ("comes and goes", "now and then only"),
                false => ("is dead", "never"),
            };
            let why = format!("needs two samples, which [{range}] holds {holds} where a scrape comes every {every}");
            Some(format!("part of {rule} {what}: `{text}` {why}: write at least [{}]", every.times(4.0)))
        })
    }

    /// All names of the run.
    fn names(&self, grid: Grid) -> &Names {
        // What was there earlier only is a meter of a version, whose names are known anyway.
        let last = Grid { first: grid.last(), count: grid.count.min(1), ..grid };
        self.names.get_or_init(|| Names::of_run(self.simulation, self.watching, last))
    }

    fn state(&self, standing: &Standing<'_>, lives: &[&Episode], times: usize) -> (RuleState, String) {
        let fired = || self.fired(lives, times);
        if let Some(why) = standing.failure {
            let fired = if times > 0 { format!("; fired {}", fired()) } else { String::new() };
            return (RuleState::Failed, format!("{why}{fired}"));
        }
        // Of what Grafana makes an alert because there is no data, the reason is what counts.
        let of_itself = lives.iter().any(|episode| episode.reason.is_none());
        if of_itself {
            return match (times, lives.iter().find(|episode| episode.reason.is_none())) {
                (1.., _) => (RuleState::Fired, fired()),
                (0, episode) => {
                    let from = episode.map(|episode| format!("from {}", self.told(episode.pending)));
                    (RuleState::Pending, from.unwrap_or_default())
                }
            };
        }
        if let (AnyRule::Record(_), true) = (standing.rule, standing.wrote) {
            return (RuleState::Recorded, String::new());
        }
        if let AnyRule::Grafana(rule) = standing.rule
            && rule.paused
        {
            return (RuleState::Quiet, "it is paused".to_owned());
        }
        let troubled = match times {
            0 => String::new(),
            _ => format!("; fired {} for want of data, or of an error", fired()),
        };
        let grid = self.grid(standing);
        let unselected = self.unselected(standing.rule).map(|unselected| self.why(&unselected, grid));
        match unselected {
            Some((RuleState::Dead, why)) => (RuleState::Dead, why + &troubled),
            _ if times > 0 => (RuleState::Fired, fired()),
            Some((state, why)) => (state, why),
            None => {
                let before = self.over_before(standing).filter(|(fired, _)| *fired).as_ref().map(lives::sentence);
                let told: Vec<String> = before.into_iter().chain(self.nearest(standing)).collect();
                (RuleState::Quiet, told.join("; "))
            }
        }
    }

    /// What its alerts were before the start only.
    fn over_before(&self, standing: &Standing<'_>) -> Option<(bool, String)> {
        let of_itself = standing.episodes.iter().filter(|episode| episode.reason.is_none());
        lives::over_before(of_itself.map(|episode| {
            let at = |time: Option<i64>| time.map(|time| self.instant(time));
            (self.instant(episode.pending), at(episode.firing), at(episode.resolved))
        }))
    }

    /// When its alerts fired, and how often.
    fn fired(&self, lives: &[&Episode], times: usize) -> String {
        let first = lives.iter().filter_map(|episode| Some((episode.firing?, episode.resolved))).min_by_key(|it| it.0);
        let Some((firing, resolved)) = first else { return String::new() };
        let at = match self.instant(firing) < Instant::START {
            true => format!("since {}, before the start", self.told(firing)),
            false => format!("at {}", self.told(firing)),
        };
        match (times, resolved) {
            (1, Some(resolved)) => format!("{at}, until {}", self.told(resolved)),
            (1, None) => format!("{at}, and still does"),
            _ => format!("{times} times, first {at}"),
        }
    }

    /// The first of its selectors without which it can do nothing; of Grafana's rules only when none of its queries can
    /// have a value.
    fn unselected(&self, rule: AnyRule<'_>) -> Option<Unselected> {
        let each: Option<Vec<Unselected>> =
            rule.expressions().into_iter().map(|it| self.watching.monitor.unselected(it)).collect();
        each?.into_iter().next()
    }

    /// Why a selector selects nothing, and whether it only waits for something to happen.
    fn why(&self, unselected: &Unselected, grid: Grid) -> (RuleState, String) {
        let Unselected { name, text, others, label } = unselected;
        if let Some(why) = self.watching.lost(text) {
            return (RuleState::Dead, why);
        }
        let Some(name) = name else { return (RuleState::Dead, format!("no series is like `{text}`")) };
        if *others > 0 {
            return self.why_label(name, text, *others, label.as_ref());
        }
        if let Some(why) = self.watching.gone_with(name, self.simulation) {
            return (RuleState::Dead, format!("there is no series called `{name}`: {why}"));
        }
        if !self.watching.has_targets() {
            return (RuleState::Dead, format!("there is no series called `{name}`: nothing is scraped"));
        }
        match self.names(grid).of(name) {
            // It comes with its first event, on a real server too.
            known @ Known::NotRaised(_) => (RuleState::Quiet, format!("`{name}`: {known}")),
            known @ Known::Unknown(Some(_)) => {
                (RuleState::Dead, format!("there is no series called `{name}`; {known}"))
            }
            known => (RuleState::Dead, format!("there is no series called `{name}`: {known}")),
        }
    }

    /// Why no series of a name is selected, though there are some.
    fn why_label(
        &self,
        name: &str,
        text: &str,
        others: usize,
        label: Option<&(AskedLabel, Vec<String>)>,
    ) -> (RuleState, String) {
        let Some((asked, there)) = label else {
            return (RuleState::Dead, format!("`{name}` has {others} series, none is like `{text}`"));
        };
        let why = kept_out(name, others, asked, there);
        if let Some(gone) = self.watching.gone_of(name, asked, self.simulation) {
            return (RuleState::Dead, format!("{why}; {gone}"));
        }
        // A meter that events raise may get such a series yet, but none with a label that its target would have to have.
        let possible = self.watching.monitor.some_target_has(asked) != Some(false);
        let waits = !there.is_empty() && possible && meant(asked, there).is_none() && self.rises(name);
        (if waits { RuleState::Quiet } else { RuleState::Dead }, why)
    }

    /// Whether events raise a metric: it gets series with their labels when they happen.
    fn rises(&self, name: &str) -> bool {
        let plan = self.simulation.plan();
        let meters = plan.versions().into_iter().flat_map(Profile::meters);
        let prefix = plan.settings.metrics_prefix.as_deref();
        meters.map(|(_, meter)| meter).filter(|meter| moves(meter)).any(|meter| {
            let called = match (prefix, meter.name.strip_prefix("kestra.")) {
                (Some(prefix), Some(rest)) => meter.prometheus_name_of(&format!("{prefix}.{rest}")),
                _ => meter.prometheus_name(),
            };
            name.strip_prefix(&called).is_some_and(|suffix| meter.suffixes().contains(&suffix))
        })
    }

    /// How near a rule came to having a value, when that is a matter of one threshold.
    fn nearest(&self, standing: &Standing<'_>) -> Option<String> {
        if !self.watching.tells_nearest() || self.watching.kept.is_some() {
            return None;
        }
        let group = self.watching.monitor.groups().get(standing.at);
        match standing.rule {
            AnyRule::Alert(rule) => {
                self.near(&rule.expression.outline(), self.evaluations(standing), group.map_or(0, Group::offset))
            }
            AnyRule::Record(_) | AnyRule::Grafana(_) => None,
        }
    }

    /// The same of a part; its group asks so many milliseconds before each evaluation.
    fn near(&self, part: &Part, at: Evaluations, offset: i64) -> Option<String> {
        let grid = at.told();
        let asked = Evaluations { whole: Grid { first: at.whole.first - offset, ..at.whole }, ..at };
        match (&part.kind, part.parts.as_slice()) {
            (PartKind::Filter { op, difference, .. }, [_, right]) if right.kind == PartKind::Literal => {
                let limit: f64 = right.text.parse().ok()?;
                // The less the nearer.
                let by = |value: f64| match op.as_bytes().first() {
                    Some(b'>') => -value,
                    Some(b'<') => value,
                    _ => value.abs(),
                };
                let rows = self.rows(difference, asked);
                let values =
                    rows.iter().flat_map(|row| (0..grid.count).filter_map(move |at| Some((row, at, row.at(at)?))));
                let numbers = values.filter(|(_, _, value)| !value.is_nan());
                let (row, at, value) = numbers.min_by(|a, b| by(a.2).total_cmp(&by(b.2)))?;
                let of = if row.labels.is_empty() { String::new() } else { format!(" of {}", words(&row.labels)) };
                let value = f64::round((value + limit) * 1e6) / 1e6;
                Some(format!("nearest to {op} {} is {value} at {}{of}", right.text, self.told(grid.time(at))))
            }
            // The side that is never there keeps it quiet.
            (PartKind::Set(op), [left, right]) if op != "or" => {
                let empty = |part: &&Part| part.kind != PartKind::Literal && self.rows(&part.text, asked).is_empty();
                let sides = if op == "and" { vec![left, right] } else { vec![left] };
                sides.into_iter().find(empty).and_then(|part| self.near(part, at, offset))
            }
            _ => None,
        }
    }

    /// The rows of an expression at the instants from the start on. It is asked for all instants, of which most is known from
    /// when the rule was evaluated; where it fails before the start, it may not fail later.
    fn rows(&self, text: &str, at: Evaluations) -> Vec<Row> {
        let Ok(expression) = Expression::parse(text) else { return Vec::new() };
        let ask = |grid: Grid, before: usize| match self.watching.ask_over(&expression, grid) {
            Ok(Table::Rows(rows)) => Some(rows.into_iter().filter_map(|row| row.since(before)).collect()),
            Ok(Table::Scalar(values)) => Row { labels: Vec::new().into(), values }.since(before).map(|row| vec![row]),
            _ => None,
        };
        ask(at.whole, at.before).or_else(|| ask(at.told(), 0)).unwrap_or_default()
    }

    /// Its evaluations from the start on.
    fn grid(&self, standing: &Standing<'_>) -> Grid {
        self.evaluations(standing).told()
    }

    fn evaluations(&self, standing: &Standing<'_>) -> Evaluations {
        let end = self.simulation.now();
        let whole = match standing.rule {
            AnyRule::Grafana(_) => self.watching.grafana_grid(standing.at, &self.calendar, end),
            _ => self.watching.grid(standing.at, &self.calendar, end),
        };
        let before = whole.times().take_while(|time| self.instant(*time) < Instant::START).count();
        Evaluations { whole, before }
    }

    fn instant(&self, time: i64) -> Instant {
        instant(&self.calendar, time)
    }

    fn told(&self, time: i64) -> String {
        self.instant(time).rounded().to_string()
    }
}
