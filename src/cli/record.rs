//! `record`: a scenario of a cluster that is there.

mod scrape;
mod stored;

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::access::{Access, Failed};
use super::history::{Place, When, when};
use super::{Exit, complain};
use crate::record::{self, Names, NotRecorded, Observed, Recorded, Wording};
use crate::time::Duration;
use stored::Stored;

/// What stands at the end of the long help.
pub(super) const MEANING: &str = "\
Examples:
  mock-kestra record http://kestra-0:8081 http://kestra-1:8081 --for 30m -o kestra.yaml
  mock-kestra record --prometheus http://prometheus:9090 --match '{job=\"kestra\"}' --from -6h -o kestra.yaml
  mock-kestra check kestra.yaml && mock-kestra test kestra.yaml --rules rules.yml

Without --for each port is asked once, and rates are those since the process began: durations are means then. Ctrl-C ends a
recording early, and what was seen until then is written. What could not be known stands in the comments of the file, beside
what stands in its place. Asked are /prometheus, /version, /info, /health, /scheduler and /worker, which changes nothing there.
Of /scheduler only ids, types, cron expressions and intervals are taken, of /worker only ids and types: no other property of a
flow gets into the file, and no address, user or password.

--anonymize makes words of their digests: the same name gives the same word in every run, so that files can be laid side by
side, and a namespace stays within the one above it. Who guesses a name can tell whether he guessed right.";

#[derive(Debug, Args)]
pub(super) struct Record {
    /// Management ports of the members, such as http://kestra-0:8081, with what is set as endpoints.all.path behind it
    #[arg(value_name = "URL", required_unless_present = "prometheus", conflicts_with = "prometheus")]
    urls: Vec<String>,
    /// Look at the ports for so long, and not once only
    #[arg(long = "for", value_name = "DURATION", value_parser = span, conflicts_with = "prometheus")]
    lasts: Option<Duration>,
    /// From one look to the next [default: 15s; of a Prometheus as many as make 1,000 looks, not less than 15s]
    #[arg(long, value_name = "DURATION", value_parser = super::rules::interval)]
    every: Option<Duration>,
    /// Ask a Prometheus instead, for what it has stored of the cluster
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// The series of the cluster in it
    #[arg(long = "match", value_name = "MATCHERS", default_value = "{job=\"kestra\"}", conflicts_with = "urls")]
    matchers: record::api::Selector,
    /// From when on: so long before --until, such as -6h, or a date
    #[arg(long, default_value = "-6h", value_parser = when, allow_hyphen_values = true, conflicts_with = "urls")]
    from: When,
    /// Up to when: a date, or `now`
    #[arg(long, default_value = "now", value_parser = super::start, conflicts_with = "urls")]
    until: jiff::Timestamp,
    #[command(flatten)]
    access: Access,
    /// Replace the names of namespaces, flows, tasks, triggers and instances, always in the same way
    #[arg(long)]
    anonymize: bool,
    /// What the scenario is called
    #[arg(long, default_value = "recorded", value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// The scenario file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The longest recording.
const LONGEST: Duration = Duration::seconds(7 * 86_400);

fn span(text: &str) -> Result<Duration, String> {
    let span: Duration = text.parse()?;
    let fits = !span.is_zero() && span <= LONGEST;
    if fits { Ok(span) } else { Err("write a duration up to 7d".to_owned()) }
}

impl Record {
    pub(super) fn run(&self) -> Exit {
        match self.recorded().and_then(|recorded| self.write(&recorded)) {
            Ok(()) => Exit::Ok,
            Err((exit, why)) => {
                complain(&format!("error: {why}\n"));
                exit
            }
        }
    }

    fn recorded(&self) -> Result<Recorded, Failed> {
        self.place_is_there()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| (Exit::Cannot, format!("cannot start: {error}")))?;
        let (observed, from) = match &self.prometheus {
            Some(url) => {
                let outside = self.access.server("--prometheus", url)?;
                let stored = Stored::new(outside, self.matchers.clone(), self.window()?);
                (runtime.block_on(stored.observe())?, stored.told())
            }
            None => {
                let ports = self.access.ports(&self.urls)?;
                let looks = scrape::Looks::new(self.lasts, self.every).map_err(|why| (Exit::Input, why))?;
                runtime.block_on(scrape::observe(ports, looks))?
            }
        };
        self.scenario(&observed, from)
    }

    fn scenario(&self, observed: &Observed, from: Vec<String>) -> Result<Recorded, Failed> {
        let names = if self.anonymize { Names::Replaced } else { Names::Kept };
        let wording = Wording { name: self.name.clone(), names, from };
        let recorded = record::scenario(observed, &wording).map_err(|why| {
            let hint = match why {
                NotRecorded::NoKestra(_) => ": the management port is 8081 as it ships, not 8080",
                _ => "",
            };
            (Exit::Cannot, format!("{why}{hint}"))
        })?;
        recorded.warnings.iter().for_each(|warning| complain(&format!("note: {warning}\n")));
        Ok(recorded)
    }

    /// The part of the past that is asked for.
    fn window(&self) -> Result<record::api::Window, Failed> {
        let until = self.until.as_millisecond();
        let from = match self.from {
            When::Before(span) => until.saturating_sub(span.as_milliseconds() as i64),
            When::Date(date) => date.as_millisecond(),
        };
        let step = self.every.map(|every| every.as_milliseconds() as i64);
        record::api::Window::new(from, until, step)
            .map_err(|why| (Exit::Input, format!("--from, --until, --every: {why}")))
    }

    /// A long recording should not fail at its end for a folder that is not there.
    fn place_is_there(&self) -> Result<(), Failed> {
        let Some(out) = &self.out else { return Ok(()) };
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let what = match (folder.is_dir(), out.is_dir()) {
            (false, _) => format!("there is no folder {}", folder.display()),
            (_, true) => format!("{} is a folder", out.display()),
            (true, false) => {
                // It is made, and goes again.
                let made = Place::at(out).map(drop);
                return made.map_err(|why| (Exit::Cannot, format!("cannot write to {}: {why}", out.display())));
            }
        };
        Err((Exit::Input, format!("--out: {what}")))
    }

    /// Writes all of it, or nothing.
    fn write(&self, recorded: &Recorded) -> Result<(), Failed> {
        let Some(out) = &self.out else {
            super::print(&recorded.text);
            complain(&format!("{}\n", recorded.summary));
            return Ok(());
        };
        let written = Place::at(out).and_then(|mut place| {
            place.out.write_all(super::plain(&recorded.text).as_bytes())?;
            place.out.flush()?;
            place.finish()
        });
        written.map_err(|error| (Exit::Cannot, format!("cannot write to {}: {error}", out.display())))?;
        complain(&format!("{}: {}\n", out.display(), recorded.summary));
        Ok(())
    }
}
