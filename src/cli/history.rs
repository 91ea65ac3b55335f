//! `export openmetrics`, `export tsdb`, `export remote-write`: the past of a cluster for another Prometheus.

mod blocks;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::Args;

use super::lab::overwrites;
use super::rules::{self, Rules};
use super::stop::Stop;
use super::told::Told;
use super::{Exit, complain, load, to_terminal, told_enough};
use crate::document::Severity;
use crate::history::{END, OpenMetrics, RemoteWrite};
use crate::monitor::Sink;
use crate::profile::Profile;
use crate::random::Seed;
use crate::run::{self, Scraping, Watch};
use crate::scenario::{Plan, limits};
use crate::server::{NotSent, RemoteWriter, Taker};
use crate::time::{Calendar, Duration, Instant};

pub(super) use blocks::Tsdb;

/// What every export of the past says at the end of its help.
pub(super) const MEANING: &str = "\
The scenario ends at --until: its timeline stands at the end of the past, and before its start the cluster has lived as long as
--from asks for. With `--ends-at 0s` the past ends where the scenario starts, as that of `serve --history` does. Samples are
those of a Prometheus that scrapes every member: labels, `up` and scrape_* series included. Where a series ends Prometheus
stores a marker: remote write carries it, OpenMetrics and with it blocks of promtool cannot (its `NaN` is the ordinary one), so
that a series is seen there for five minutes after its end.";

/// Virtual time from one look at what has come to the next: what waits in between is the memory it takes.
const STEP: Duration = Duration::seconds(5);

/// Samples from which on a request of remote write is sent.
const REQUEST: usize = 100_000;

/// Which past.
#[derive(Debug, Args)]
pub(super) struct History {
    /// Scenario, by shipped name or path
    scenario: String,
    #[command(flatten)]
    extras: load::Extras,
    /// Version of Kestra, instead of that of the scenario
    #[arg(long, value_parser = super::versions())]
    kestra: Option<&'static Profile>,
    /// Where the past begins: so long before --until, such as -24h, or a date
    #[arg(long, default_value = "-24h", value_parser = when, allow_hyphen_values = true)]
    from: When,
    /// Where it ends: a date, or `now`
    #[arg(long, default_value = "now", value_parser = super::start)]
    until: jiff::Timestamp,
    /// Instant of the scenario that is at --until [default: its end]
    #[arg(long, value_name = "DURATION")]
    ends_at: Option<Duration>,
    /// Members are scraped this often [default: 15s, or what --prometheus says]
    #[arg(long, value_parser = rules::interval)]
    every: Option<Duration>,
    /// A prometheus.yml, or ServiceMonitor and PodMonitor manifests: jobs, targets, relabelling and intervals are used
    #[arg(long, value_name = "FILE")]
    prometheus: Option<String>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
}

/// `--from`.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Before(Duration),
    Date(jiff::Timestamp),
}

pub(super) fn when(text: &str) -> Result<When, String> {
    let before = text.strip_prefix('-').map(str::parse);
    match before {
        Some(Ok(span)) => Ok(When::Before(span)),
        _ => text.parse().map(When::Date).map_err(|_| {
            "write how long before --until, such as -24h, or a date with its zone such as 2026-01-05T08:00:00Z"
                .to_owned()
        }),
    }
}

/// `serve --history`: how long a cluster has lived.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let span: Duration = text.parse()?;
    let fits = span <= limits::DURATION;
    if fits { Ok(span) } else { Err("write a duration up to 400d".to_owned()) }
}

/// A past that is sound: the plan has the age it needs.
#[derive(Debug)]
struct Sound {
    plan: Plan,
    watch: Watch,
    seed: Seed,
    calendar: Calendar,
    from: Instant,
    to: Instant,
    /// `from` in milliseconds since 1970.
    first: i64,
}

impl History {
    /// What is exported; what is wrong has been told.
    fn read(&self) -> Option<Sound> {
        let mut told = Told::default();
        let plan = load::plan_of(&self.scenario, &self.extras, self.kestra, &mut told)?;
        let watch = self.watch(&plan, &mut told)?;
        let sound = self.sound(plan, watch);
        sound.map_err(|why| complain(&format!("error: {why}\n"))).ok()
    }

    fn watch(&self, plan: &Plan, told: &mut Told) -> Option<Watch> {
        if self.prometheus.is_none() {
            let every = self.every.unwrap_or(Duration::seconds(15));
            return Some(Watch { scraping: Scraping::Every(every), ..Watch::default() });
        }
        let rules = Rules::of(Vec::new(), self.prometheus.clone()).scraped_each(self.every);
        let (watch, _) = rules.watch(told)?;
        // That there is no rule is nobody's concern here.
        for remark in watch.notes(plan).iter().filter(|it| !it.told.starts_with("there is no rule")) {
            let kind = if remark.severity == Severity::Note { "note" } else { "warning" };
            complain(&format!("{kind}: {}: {}\n", plan.name, remark.told));
        }
        Some(watch)
    }

    /// Lays the scenario's time on the calendar, and lets the cluster be as old as it must be.
    fn sound(&self, mut plan: Plan, watch: Watch) -> Result<Sound, String> {
        let until = jiff::Timestamp::from_second(self.until.as_second()).unwrap_or(self.until);
        let span = match self.from {
            When::Before(span) => span,
            When::Date(date) => {
                let seconds = until.as_second().saturating_sub(date.as_second());
                Duration::seconds(u64::try_from(seconds).map_err(|_| "--from is after --until".to_owned())?)
            }
        };
        let ends_at = self.ends_at.unwrap_or(plan.duration);
        if span.is_zero() || span > limits::DURATION || ends_at > limits::DURATION {
            return Err("a past is longer than nothing and no longer than 400d: write another --from".to_owned());
        }
        let to = Instant::START + ends_at;
        let mut from = to.before(span);
        if from < Instant::START && plan.cluster.booting {
            complain(&format!(
                "note: the cluster of {} boots at the scenario's start: its past begins there, {ends_at} before --until\n",
                plan.name
            ));
            from = Instant::START;
        }
        plan.cluster.age =
            if plan.cluster.booting { Duration::ZERO } else { plan.cluster.age.max(span.saturating_sub(ends_at)) };
        let start = jiff::Timestamp::from_nanosecond(until.as_nanosecond() - i128::from(to.as_nanoseconds()));
        let calendar = Calendar::starting(start.map_err(|_| "--until is too long ago".to_owned())?);
        let first = calendar.date(from).as_millisecond();
        Ok(Sound { plan, watch, seed: self.seed, calendar, from, to, first })
    }
}

/// A sink that is looked at while it is filled.
type Shared<S> = Arc<Mutex<S>>;

fn locked<S>(sink: &Shared<S>) -> MutexGuard<'_, S> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sound {
    fn past<S: Sink + Send + 'static>(&self, sink: S) -> (run::Past, Shared<S>) {
        let sink = Arc::new(Mutex::new(sink));
        let span = (self.from, self.to);
        let past = run::Past::new(&self.plan, self.seed, self.calendar, &self.watch, span, Box::new(sink.clone()));
        (past, sink)
    }

    /// Goes through all of it, unless it is stopped; after each step `look` does something with what has come, and is told when
    /// it was the last.
    fn go(&self, mut past: run::Past, stop: &Stop, mut look: impl FnMut(Instant, bool) -> Result<(), Exit>) -> Exit {
        let whole = self.to.since(self.from).as_seconds_f64().max(1.0);
        let mut shown = 0;
        loop {
            let more = match past.advance(STEP) {
                Ok(more) => more,
                Err(limit) => {
                    complain(&format!("error: {limit}\n"));
                    return Exit::Cannot;
                }
            };
            if stop.heard() {
                return Exit::Interrupted;
            }
            if let Err(exit) = look(past.now(), !more) {
                return exit;
            }
            let done = (past.now().since(self.from).as_seconds_f64() / whole * 100.0) as u32;
            if done > shown {
                shown = done;
                to_terminal(&format!("\r{done} % of the past "));
            }
            if !more {
                told_enough();
                return Exit::Ok;
            }
        }
    }
}

/// Tells that something cannot be done.
pub(super) fn cannot(why: &str) -> Exit {
    told_enough();
    complain(&format!("error: {why}\n"));
    Exit::Cannot
}

/// Tells what is left of what was interrupted.
pub(super) fn interrupted(left: &str) {
    told_enough();
    complain(&format!("interrupted: {left}\n"));
}

/// What the form leaves out.
fn left_out(markers: u64) {
    if markers > 0 {
        complain(&format!(
            "left out: {markers} markers of staleness, which OpenMetrics cannot carry: a series is seen for 5m after its end\n"
        ));
    }
}

#[derive(Debug, Args)]
pub(super) struct OpenMetricsExport {
    #[command(flatten)]
    history: History,
    /// The file; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

/// Where text goes: standard output, or a file that is whole when it has its name.
pub(super) struct Place {
    pub(super) out: Box<dyn Write>,
    /// What is written, and what it is called when nothing is missing any more.
    aside: Option<(PathBuf, PathBuf)>,
}

impl Place {
    pub(super) fn at(path: &Path) -> std::io::Result<Place> {
        if path.as_os_str() == "-" {
            return Ok(Place { out: Box::new(std::io::stdout().lock()), aside: None });
        }
        // A device or a pipe has no other name.
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            return Ok(Place { out: Box::new(std::fs::File::options().write(true).open(path)?), aside: None });
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(".new");
        let file = std::fs::File::create(&aside)?;
        Ok(Place { out: Box::new(file), aside: Some((aside.into(), path.to_owned())) })
    }

    /// What is there of a text that is not finished.
    pub(super) fn left(&self, place: &str) -> String {
        match &self.aside {
            Some(_) => format!("nothing is written to {place}"),
            None => format!("what is written to {place} has no end"),
        }
    }

    /// All of it is written.
    pub(super) fn finish(&mut self) -> std::io::Result<()> {
        self.aside.take().map_or(Ok(()), |(aside, path)| std::fs::rename(aside, path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((aside, _)) = &self.aside {
            let _ = std::fs::remove_file(aside);
        }
    }
}

impl OpenMetricsExport {
    pub(super) fn run(&self) -> Exit {
        let Some(sound) = self.history.read() else { return Exit::Input };
        let inputs: Vec<PathBuf> = [Some(&self.history.scenario), self.history.prometheus.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::from)
            .collect();
        if let Some(why) = overwrites(&self.out, &inputs) {
            complain(&format!("error: {why}\n"));
            return Exit::Input;
        }
        let stop = Stop::listen();
        let to_stdout = self.out.as_os_str() == "-";
        let place = if to_stdout { "standard output".to_owned() } else { self.out.display().to_string() };
        let mut to = match Place::at(&self.out) {
            Ok(to) => to,
            Err(error) => return cannot(&format!("cannot write to {place}: {error}")),
        };
        let (past, sink) = sound.past(OpenMetrics::new(sound.first));
        let mut gone = false;
        let exit = sound.go(past, &stop, |_, last| {
            let texts = locked(&sink).take();
            let end = if last { END } else { "" };
            let written = texts.values().try_for_each(|text| to.out.write_all(text));
            let written = written.and_then(|()| to.out.write_all(end.as_bytes())).and_then(|()| to.out.flush());
            let written = written.and_then(|()| if last { to.finish() } else { Ok(()) });
            written.map_err(|error| {
                // Whoever reads it may leave early.
                gone = to_stdout && error.kind() == std::io::ErrorKind::BrokenPipe;
                if gone { Exit::Ok } else { cannot(&format!("cannot write to {place}: {error}")) }
            })
        });
        match exit {
            Exit::Ok if !gone => {
                left_out(locked(&sink).markers());
                complain(&format!("{place}: {} samples\n", locked(&sink).samples()));
            }
            Exit::Interrupted => interrupted(&to.left(&place)),
            _ => {}
        }
        exit
    }
}

#[derive(Debug, Args)]
pub(super) struct Remote {
    #[command(flatten)]
    history: History,
    /// Who takes it, such as http://127.0.0.1:9090/api/v1/write; a user and a password may stand in it
    #[arg(long, value_name = "URL")]
    url: Taker,
    /// A header of every request, such as `X-Scope-OrgID: team` or `Authorization: Bearer ...`; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Leave out so many samples that were taken before: a failed export tells how many
    #[arg(long, value_name = "SAMPLES", default_value_t = 0)]
    skip: u64,
}

/// The past of a cluster that is served: up to the start of its scenario, of a Prometheus that scrapes each 15 s.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// The scenario.
    pub(super) scenario: &'static str,
    /// Version of Kestra, instead of that of the scenario.
    pub(super) kestra: Option<&'static Profile>,
    /// The seed.
    pub(super) seed: Seed,
    /// How long it is.
    pub(super) span: Duration,
    /// The date of the scenario's start.
    pub(super) until: jiff::Timestamp,
}

impl Past {
    /// Gives it to whoever takes remote write; how that went is told.
    pub(super) fn give(self, url: Taker) -> Exit {
        let history = History {
            scenario: self.scenario.to_owned(),
            extras: load::Extras::default(),
            kestra: self.kestra,
            from: When::Before(self.span),
            until: self.until,
            ends_at: Some(Duration::ZERO),
            every: None,
            prometheus: None,
            seed: self.seed,
        };
        // Whoever serves it hears of the end.
        Remote { history, url, headers: Vec::new(), skip: 0 }.run_until(&Stop::never())
    }
}

pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| "write NAME: VALUE".to_owned())?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl Remote {
    pub(super) fn run(&self) -> Exit {
        self.run_until(&Stop::listen())
    }

    fn run_until(&self, stop: &Stop) -> Exit {
        let Some(sound) = self.history.read() else { return Exit::Input };
        let mut writer = match RemoteWriter::new(self.url.clone(), &self.headers) {
            Ok(writer) => writer,
            Err(why) => {
                complain(&format!("error: {why}\n"));
                return Exit::Input;
            }
        };
        let to = self.url.shown();
        let external = sound.watch.external_labels.clone();
        let (past, sink) = sound.past(RemoteWrite::new(sound.first, self.skip, external));
        let (mut taken, mut requests) = (self.skip, 0u64);
        let exit = sound.go(past, stop, |_, last| {
            let mut sink = locked(&sink);
            if sink.waiting() < REQUEST && !last {
                return Ok(());
            }
            let Some(body) = sink.request().map_err(|why| cannot(&why))? else { return Ok(()) };
            let sent = writer.send(body, &mut |why| complain(&format!("{to}: {why}\n")), stop.wait());
            sent.map_err(|not| match not {
                NotSent::Stopped => Exit::Interrupted,
                NotSent::Failed(why) => self.failed(&to, &why, taken),
            })?;
            taken = sink.taken();
            requests += 1;
            Ok(())
        });
        let own = taken - self.skip.min(taken);
        let whole = locked(&sink).taken();
        match exit {
            Exit::Ok if whole < self.skip => {
                complain(&format!(
                    "error: --skip {}: this past has {whole} samples in all; nothing was sent: say the same again with which a part \
                     of it was taken, and the --skip that was told then\n",
                    self.skip
                ));
                return Exit::Input;
            }
            Exit::Ok => complain(&format!("{to}: {own} samples in {requests} requests\n")),
            Exit::Interrupted => {
                interrupted(&format!("{to} has taken {own} samples in {requests} requests, and not all of them"));
                self.how_to_go_on(taken);
            }
            _ => {}
        }
        exit
    }

    /// Tells why it went no further, and how it can go on.
    fn failed(&self, to: &str, why: &str, taken: u64) -> Exit {
        let exit = cannot(&format!("{to}: {why}"));
        if why.starts_with("401") || why.starts_with("403") {
            complain("hint: --header 'Authorization: ...', or a user and a password in the URL\n");
        }
        if why.contains("out of bounds") || why.contains("out of order") {
            complain(
                "hint: a Prometheus that has newer samples takes old ones with storage.tsdb.out_of_order_time_window only\n",
            );
        }
        self.how_to_go_on(taken);
        exit
    }

    fn how_to_go_on(&self, taken: u64) {
        if taken == 0 {
            return;
        }
        let until = self.history.until.as_second();
        let until = jiff::Timestamp::from_second(until).unwrap_or(self.history.until);
        // One that was drawn would be drawn anew.
        let seed = match self.history.seed {
            Seed(1) => String::new(),
            Seed(seed) => format!("--seed {seed} "),
        };
        complain(&format!(
            "{taken} samples were taken: to go on, say the same again with {seed}--until {until} --skip {taken}\n"
        ));
    }
}
