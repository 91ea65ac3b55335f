//! `export elasticsearch` and `serve --elasticsearch`: executions and log entries as documents.

use std::collections::VecDeque;
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
use crate::run::Session;
use crate::scenario::Plan;
use crate::server::{Indexer, NotWritten, Running, Store};
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

/// Real time that `serve` takes at its end for what is not written yet.
const LAST: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    one: load::One,
    /// Date of the scenario's end, instead of that of its start: with `now` all of it has happened lately
    #[arg(long, value_parser = super::start, conflicts_with = "start")]
    until: Option<jiff::Timestamp>,
    /// Where documents go: a file, or `-` for standard output
    #[arg(long, value_name = "FILE", default_value = "-", conflicts_with = "url")]
    out: PathBuf,
    /// Make the indices in this Elasticsearch or OpenSearch and write the documents into them; a user and a password may stand
    /// in it
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A header of every request, such as `Authorization: ApiKey ...`; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header, requires = "url")]
    headers: Vec<(String, String)>,
    /// What the names of the indices begin with
    #[arg(long, default_value = Documents::PREFIX, value_parser = prefix)]
    prefix: String,
    /// Write what makes the indices (INDEX.json, a body for `PUT /INDEX`) and the saved queries (query-NAME.json, and what each
    /// tells in queries.md) into this folder too
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
        let Some(plan) = self.one.plan(&mut Told::default()) else { return Exit::Input };
        let inputs = self.one.files();
        let files =
            self.files.iter().flat_map(|folder| files(&self.prefix).map(|(name, text)| (folder.join(name), text)));
        let files: Vec<(PathBuf, String)> = files.collect();
        let written = files.iter().map(|(path, _)| path).chain([&self.out]);
        let over = written.filter_map(|path| overwrites(path, &inputs)).next();
        // It may hold a password: it is not repeated.
        let store =
            self.url.as_deref().map(|url| url.parse::<Store>().map_err(|why| format!("--url: {why}"))).transpose();
        let store = match (over, store) {
            (None, Ok(store)) => store,
            (Some(why), _) | (_, Err(why)) => {
                complain(&format!("error: {why}\n"));
                return Exit::Input;
            }
        };
        if let Some(folder) = &self.files
            && let Err(why) = write_files(folder, &files)
        {
            return cannot(&why);
        }
        let sound = self.sound(plan);
        match &store {
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
        let until = self.until.and_then(begins);
        let calendar = until.map_or_else(|| self.one.calendar(&plan), Calendar::starting);
        let end = Instant::START + plan.duration;
        let session = Session::new(Arc::new(plan), self.one.seed, calendar).endless().with_entries();
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
        let (runtime, mut writing) = match (runtime, Writing::new(store.clone(), &self.headers)) {
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
                    writing.add(&std::mem::take(&mut waiting));
                    writing.write().await?;
                }
            }
            writing.add(&waiting);
            writing.write().await
        };
        let sent = runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop.wait() => None,
                sent = all => Some(sent),
            }
        });
        match sent {
            Some(Ok(())) if writing.refused > 0 => {
                cannot(&format!("{}: {} of {} documents are refused", writing.shown, writing.refused, sound.written))
            }
            Some(Ok(())) => sound.told(&writing.shown),
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

/// Names and texts of what makes the indices, of the saved queries, and of what tells of them.
fn files(prefix: &str) -> impl Iterator<Item = (String, String)> + use<'_> {
    let indices = INDICES.iter().map(move |index| (format!("{prefix}{}.json", index.name()), index.body().to_owned()));
    let queries = QUERIES.iter().map(|query| (format!("query-{}.json", query.name), query.body.to_owned()));
    let told = QUERIES.iter().map(|query| {
        let index = query.index.name();
        format!("- query-{}.json, of {prefix}{index}: {}\n", query.name, query.tells)
    });
    let make = INDICES.map(|index| {
        let name = index.name();
        format!("    curl -X PUT -H $JSON -d @{prefix}{name}.json $STORE/{prefix}{name}\n")
    });
    let told = format!(
        "Bodies of `PUT /INDEX` and of `POST /INDEX/_search`. Indices first: a bulk into none makes one with other mappings, of\n\
         which the queries cannot be asked.\n\n    STORE=http://127.0.0.1:9200 JSON=Content-Type:application/json\n{}    curl -X POST -H \
         Content-Type:application/x-ndjson --data-binary @bulk.ndjson $STORE/_bulk\n\n{}",
        make.concat(),
        told.collect::<String>()
    );
    indices.chain(queries).chain([("queries.md".to_owned(), told)])
}

/// Writes them into their folder.
fn write_files(folder: &Path, files: &[(PathBuf, String)]) -> Result<(), String> {
    let cannot = |path: &Path, error: &std::io::Error| format!("cannot write {}: {error}", path.display());
    fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
    files.iter().try_for_each(|(path, text)| fs::write(path, text).map_err(|error| cannot(path, &error)))
}

/// Writes documents into a store.
struct Writing {
    indexer: Indexer,
    /// Its address as it may be shown.
    shown: String,
    /// Requests that are not taken yet, each with the number of its documents.
    waiting: VecDeque<(Vec<u8>, usize)>,
    /// Documents that were refused.
    refused: usize,
}

impl Writing {
    fn new(store: Store, headers: &[(String, String)]) -> Result<Writing, String> {
        let shown = store.shown();
        Ok(Writing { indexer: Indexer::new(store, headers)?, shown, waiting: VecDeque::new(), refused: 0 })
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

    /// These are to be written too.
    fn add(&mut self, bulk: &Bulk) {
        if bulk.is_empty() {
            return;
        }
        let requests = bulk.requests(REQUEST.0, REQUEST.1).into_iter();
        self.waiting.extend(requests.map(|(request, documents)| (request.to_vec(), documents)));
    }

    /// Writes what waits. Documents that are refused are told, and do not hold up the rest; what nobody takes now goes on to
    /// wait.
    ///
    /// # Errors
    /// Nobody takes it, or a request is refused as a whole: that one is given up.
    async fn write(&mut self) -> Result<(), String> {
        while let Some((request, documents)) = self.waiting.front() {
            let shown = &self.shown;
            let mut tell = |why: &str| complain(&format!("{shown}: {why}\n"));
            match self.indexer.write(request, *documents, &mut tell).await {
                Ok(()) => {}
                Err(NotWritten::Refused(refused, why)) => {
                    self.refused += refused;
                    complain(&format!("warning: {shown}: {why}\n"));
                }
                Err(NotWritten::Whole(why)) => {
                    let why = format!("{shown}: {why}");
                    self.waiting.pop_front();
                    return Err(why);
                }
                Err(NotWritten::Gone(why)) => return Err(format!("{shown}: {why}")),
            }
            self.waiting.pop_front();
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
    store: Option<String>,
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
    /// How often the session had gone back to its beginning.
    restarts: u64,
}

impl Live {
    /// What is to be written, if anything is.
    ///
    /// # Errors
    /// The address or a header is none, or nothing can be sent from here; in words, without what is secret.
    pub(super) fn following(&self) -> Result<Option<Following>, String> {
        let Some(store) = &self.store else { return Ok(None) };
        let store: Store = store.parse().map_err(|why| format!("--elasticsearch: {why}"))?;
        let writing = Writing::new(store, &self.headers)?;
        let documents = Documents::new(&self.prefix);
        Ok(Some(Following { writing, prefix: self.prefix.clone(), documents, restarts: 0 }))
    }
}

impl Following {
    /// Writes what comes, and goes on trying where nobody takes it; ends when the indices cannot be made, and says why. None
    /// when the model has panicked.
    pub(super) async fn follow(&mut self, running: &Running) -> Option<String> {
        if let Err(why) = self.writing.make(&self.prefix).await {
            return Some(why);
        }
        loop {
            if let Err(why) = self.write(running).await? {
                complain(&format!("warning: {why}; it is tried again\n"));
            }
            tokio::time::sleep(LOOKS).await;
        }
    }

    /// Writes what came since the last look, once all that came before is written. None when the model has panicked.
    async fn write(&mut self, running: &Running) -> Option<Result<(), String>> {
        if let Err(why) = self.writing.write().await {
            return Some(Err(why));
        }
        let Following { documents, restarts, .. } = self;
        let look = |session: &mut Session| {
            if session.restarts() != *restarts {
                *restarts = session.restarts();
                documents.begin_anew();
            }
            documents.news(session.simulation())
        };
        let bulk = running.session(look).ok()?;
        tell_lost(documents);
        self.writing.add(&bulk);
        Some(self.writing.write().await)
    }

    /// The same at the end, within some seconds. None when the model has panicked.
    pub(super) async fn end(&mut self, running: &Running) -> Option<()> {
        let written = tokio::time::timeout(LAST, self.write(running)).await;
        let why = match written {
            Ok(written) => written?.err(),
            Err(_) => Some(format!("{} does not answer", self.writing.shown)),
        };
        if let Some(why) = why {
            let left: usize = self.writing.waiting.iter().map(|(_, documents)| documents).sum();
            complain(&format!("warning: {why}; {left} documents are not written\n"));
        }
        Some(())
    }
}
