//! `export elasticsearch` and `serve --elasticsearch`: executions and log entries as documents.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::history::{Place, cannot, header, interrupted};
use super::lab::overwrites;
use super::stop::Stop;
use super::told::Told;
use super::{Exit, complain, load};
use crate::documents::{Bulk, Documents, INDICES, QUERIES};
use crate::profile::Profile;
use crate::random::Seed;
use crate::run::Session;
use crate::scenario::Plan;
use crate::server::{Indexer, Running, Store};
use crate::time::{Calendar, Duration, Instant};

/// What the help of the export says at its end.
pub(super) const MEANING: &str = "\
Indices PREFIXexecutions and PREFIXlogs, with the names, settings, mappings and fields of Kestra's own Elasticsearch repository
(the last open version of it): executions by their id, with their task runs (`taskRunList`, nested), states, histories and
durations in seconds, and log entries once an indexer has taken them. The same scenario, seed and start give the same documents
with the same ids: a second run changes nothing. Ids follow from the seed and the flows' names, so another scenario, version or
start writes over what is there: give each a --prefix of its own. The saved queries of --files are bodies of `_search`.";

/// Virtual time between two looks: a cluster that ends no more than a thousand executions a second loses none.
const STEP: Duration = Duration::seconds(1);

/// Documents of a request, as Kestra's indexer has them at most; and bytes.
const REQUEST: (usize, usize) = (500, 4 << 20);

/// Real time between two looks of `serve`: how long Kestra's indexer gathers at most.
const LOOKS: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Scenario, by shipped name or path
    scenario: String,
    #[command(flatten)]
    extras: load::Extras,
    /// Version of Kestra, instead of that of the scenario
    #[arg(long, value_parser = super::versions())]
    kestra: Option<&'static Profile>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Date of the scenario's start: a date, or `now` [default: that of the scenario, else 2026-01-05T08:00:00Z]
    #[arg(long, value_parser = super::start)]
    start: Option<jiff::Timestamp>,
    /// Date of the scenario's end, instead of that of its start: with `now` all of it has happened lately
    #[arg(long, value_parser = super::start, conflicts_with = "start")]
    until: Option<jiff::Timestamp>,
    /// Where documents go: a file, or `-` for standard output
    #[arg(long, value_name = "FILE", default_value = "-", conflicts_with = "url")]
    out: PathBuf,
    /// Make the indices in this Elasticsearch or OpenSearch and write the documents into them; a user and a password may stand
    /// in it
    #[arg(long, value_name = "URL")]
    url: Option<Store>,
    /// A header of every request, such as `Authorization: ApiKey ...`; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header, requires = "url")]
    headers: Vec<(String, String)>,
    /// What the names of the indices begin with
    #[arg(long, default_value = Documents::PREFIX, value_parser = prefix)]
    prefix: String,
    /// Write what makes the indices (INDEX.json, a body for `PUT /INDEX`) and the saved queries (query-NAME.json, and what each
    /// tells in README.md) into this folder too
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
}

/// The beginning of an index's name.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let fits = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || "_-.".contains(sign);
    match text.chars().all(fits) && !text.starts_with(['_', '-', '.']) && text.len() <= 200 {
        true => Ok(text.to_owned()),
        false => {
            Err("write small letters, digits and `_`, `-` or `.`, the first of them a letter or a digit".to_owned())
        }
    }
}

/// What is exported.
struct Sound {
    session: Session,
    end: Instant,
    documents: Documents,
    /// Documents that were written.
    written: usize,
}

impl Export {
    pub(super) fn run(&self) -> Exit {
        let Some(plan) = load::plan_of(&self.scenario, &self.extras, self.kestra, &mut Told::default()) else {
            return Exit::Input;
        };
        if let Some(why) = overwrites(&self.out, &[PathBuf::from(&self.scenario)]) {
            complain(&format!("error: {why}\n"));
            return Exit::Input;
        }
        if let Some(folder) = &self.files
            && let Err(why) = write_files(folder, &self.prefix)
        {
            return cannot(&why);
        }
        let sound = self.sound(plan);
        match &self.url {
            Some(store) => self.send(store, sound),
            None => self.write(sound),
        }
    }

    fn sound(&self, plan: Plan) -> Sound {
        let begins = |until: jiff::Timestamp| {
            let nanoseconds = until.as_nanosecond() - i128::from(plan.duration.as_nanoseconds());
            // Whole seconds, so that dates are easy to read.
            jiff::Timestamp::from_second((nanoseconds / 1_000_000_000) as i64).ok()
        };
        let start = self.until.and_then(begins).or(self.start).or(plan.start);
        let calendar = start.map_or(Calendar::default(), Calendar::starting);
        let end = Instant::START + plan.duration;
        let session = Session::new(Arc::new(plan), self.seed, calendar).endless().with_entries();
        Sound { session, end, documents: Documents::new(&self.prefix), written: 0 }
    }

    fn write(&self, mut sound: Sound) -> Exit {
        let to_stdout = self.out.as_os_str() == "-";
        let place = if to_stdout { "standard output".to_owned() } else { self.out.display().to_string() };
        let mut to = match Place::at(&self.out) {
            Ok(to) => to,
            Err(error) => return cannot(&format!("cannot write to {place}: {error}")),
        };
        let stop = Stop::listen();
        while let Some(bulk) = sound.next() {
            let bulk = match bulk {
                Ok(bulk) => bulk,
                Err(why) => return cannot(&why),
            };
            if stop.heard() {
                interrupted(&to.left(&place));
                return Exit::Interrupted;
            }
            if let Err(error) = to.out.write_all(bulk.text()).and_then(|()| to.out.flush()) {
                // Whoever reads it may leave early.
                let gone = to_stdout && error.kind() == ErrorKind::BrokenPipe;
                return if gone { Exit::Ok } else { cannot(&format!("cannot write to {place}: {error}")) };
            }
        }
        match to.finish() {
            Ok(()) => sound.told(&place),
            Err(error) => cannot(&format!("cannot write to {place}: {error}")),
        }
    }

    fn send(&self, store: &Store, mut sound: Sound) -> Exit {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (runtime, mut writing) = match (runtime, Writing::new(store, &self.headers)) {
            (Ok(runtime), Ok(writing)) => (runtime, writing),
            (Err(error), _) => return cannot(&format!("cannot start: {error}")),
            (_, Err(why)) => {
                complain(&format!("error: {why}\n"));
                return Exit::Input;
            }
        };
        let stop = Stop::listen();
        let all = async {
            writing.make(&self.prefix).await?;
            let mut waiting = Bulk::default();
            while let Some(bulk) = sound.next() {
                waiting.append(bulk?);
                if waiting.len() >= REQUEST.0 {
                    writing.write(&std::mem::take(&mut waiting)).await?;
                }
            }
            writing.write(&waiting).await
        };
        let sent = runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop.wait() => None,
                sent = all => Some(sent),
            }
        });
        match sent {
            Some(Ok(())) => sound.told(&store.shown()),
            Some(Err(why)) => cannot(&why),
            None => {
                interrupted(&format!("{} has not got all of it; the same again writes all of it", store.shown()));
                Exit::Interrupted
            }
        }
    }
}

impl Sound {
    /// What comes in the next step; none at the end.
    fn next(&mut self) -> Option<Result<Bulk, String>> {
        let now = self.session.now();
        if now >= self.end {
            return None;
        }
        if let Err(limit) = self.session.advance(self.end.min(now + STEP)) {
            return Some(Err(limit.to_string()));
        }
        let last = self.session.now() >= self.end;
        let simulation = self.session.simulation();
        let bulk = if last { self.documents.news(simulation) } else { self.documents.ended(simulation) };
        self.written += bulk.len();
        Some(Ok(bulk))
    }

    /// Tells how much it was.
    fn told(&mut self, place: &str) -> Exit {
        tell_lost(&mut self.documents);
        complain(&format!("{place}: {} documents\n", self.written));
        Exit::Ok
    }
}

/// Tells of documents that are lost, if any are.
fn tell_lost(documents: &mut Documents) {
    let lost = documents.lost();
    if lost > 0 {
        complain(&format!("warning: {lost} documents came faster than they were written, and are lost\n"));
    }
}

/// Writes what makes the indices, and the saved queries.
fn write_files(folder: &Path, prefix: &str) -> Result<(), String> {
    let cannot = |path: &Path, error: &std::io::Error| format!("cannot write {}: {error}", path.display());
    fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
    let indices = INDICES.iter().map(|index| (format!("{prefix}{}.json", index.name()), index.body()));
    let queries = QUERIES.iter().map(|query| (format!("query-{}.json", query.name), query.body));
    let told = QUERIES.iter().map(|query| {
        let index = query.index.name();
        format!("- query-{}.json, of {prefix}{index}: {}\n", query.name, query.tells)
    });
    let load =
        INDICES.map(|index| format!("    curl -X PUT $JSON -d @{prefix}{0}.json $STORE/{prefix}{0}\n", index.name()));
    let told = format!(
        "Bodies of `PUT /INDEX` and of `POST /INDEX/_search`. Indices first: a bulk into none makes one with other mappings, of\n\
         which the queries cannot be asked.\n\n    STORE=http://127.0.0.1:9200 JSON='-H Content-Type:application/json'\n{}    curl \
         -X POST -H Content-Type:application/x-ndjson --data-binary @bulk.ndjson $STORE/_bulk\n\n{}",
        load.concat(),
        told.collect::<String>()
    );
    let files = indices.chain(queries).map(|(name, text)| (name, text.to_owned()));
    for (name, text) in files.chain([("README.md".to_owned(), told)]) {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| cannot(&path, &error))?;
    }
    Ok(())
}

/// Writes documents into a store.
struct Writing {
    indexer: Indexer,
    /// Its address as it may be shown.
    shown: String,
}

impl Writing {
    fn new(store: &Store, headers: &[(String, String)]) -> Result<Writing, String> {
        Ok(Writing { indexer: Indexer::new(store.clone(), headers)?, shown: store.shown() })
    }

    async fn make(&mut self, prefix: &str) -> Result<(), String> {
        for index in INDICES {
            let shown = &self.shown;
            let mut tell = |why: &str| complain(&format!("{shown}: {why}\n"));
            let made = self.indexer.make(&format!("{prefix}{}", index.name()), index.body(), &mut tell).await;
            made.map_err(|why| format!("{}: {why}", self.shown))?;
        }
        Ok(())
    }

    async fn write(&mut self, bulk: &Bulk) -> Result<(), String> {
        if bulk.is_empty() {
            return Ok(());
        }
        let shown = &self.shown;
        let mut tell = |why: &str| complain(&format!("{shown}: {why}\n"));
        for (request, documents) in bulk.requests(REQUEST.0, REQUEST.1) {
            let written = self.indexer.write(request, documents, &mut tell).await;
            written.map_err(|why| format!("{shown}: {why}"))?;
        }
        Ok(())
    }
}

/// `serve --elasticsearch`.
#[derive(Debug, Args)]
pub(super) struct Live {
    /// Make the indices of Kestra's executions and log entries in this Elasticsearch or OpenSearch, and write into them what
    /// comes, once a second; a user and a password may stand in it
    #[arg(long = "elasticsearch", value_name = "URL")]
    store: Option<Store>,
    /// A header of every request to it, such as `Authorization: ApiKey ...`; may be given several times
    #[arg(long = "elasticsearch-header", value_name = "NAME: VALUE", value_parser = header, requires = "store")]
    headers: Vec<(String, String)>,
    /// What the names of its indices begin with
    #[arg(long = "elasticsearch-prefix", default_value = Documents::PREFIX, value_parser = prefix)]
    prefix: String,
}

/// What of a served cluster is written into a store.
pub(super) struct Following {
    writing: Writing,
    prefix: String,
    documents: Documents,
}

impl Live {
    /// What is to be written, if anything is.
    ///
    /// # Errors
    /// A header is none, or nothing can be sent from here; in words.
    pub(super) fn following(&self) -> Result<Option<Following>, String> {
        let Some(store) = &self.store else { return Ok(None) };
        let writing = Writing::new(store, &self.headers)?;
        Ok(Some(Following { writing, prefix: self.prefix.clone(), documents: Documents::new(&self.prefix) }))
    }
}

impl Following {
    /// Writes what comes, as long as it can; then why it cannot. None when the model has panicked.
    pub(super) async fn follow(&mut self, running: &Running) -> Option<String> {
        if let Err(why) = self.writing.make(&self.prefix).await {
            return Some(why);
        }
        loop {
            if let Err(why) = self.write(running).await? {
                return Some(why);
            }
            tokio::time::sleep(LOOKS).await;
        }
    }

    /// Writes what came since the last look. None when the model has panicked.
    pub(super) async fn write(&mut self, running: &Running) -> Option<Result<(), String>> {
        let documents = &mut self.documents;
        let bulk = running.session(|session| documents.news(session.simulation())).ok()?;
        tell_lost(documents);
        Some(self.writing.write(&bulk).await)
    }
}
