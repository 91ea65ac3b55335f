//! Executions and log entries as documents, as Kestra's indexer writes them into Elasticsearch or OpenSearch: index names,
//! mappings and fields of the last open version that had that repository, in the form of its JSON mapper (source of 0.4 to 0.7);
//! what came later stands beside it as recorded (0.20.7: log entries in the label `sql`; 2.0: standalone/stop). It knows no
//! socket and no file.

mod bulk;
mod execution;
mod index;
mod log;

use rustc_hash::FxHashMap;
use serde_json::Value as Json;

pub use bulk::Bulk;
pub use index::{INDICES, Index, QUERIES};

use crate::simulator::{ExecutionSeen, Simulation};
use crate::time::Instant;

/// What was written of a cluster, so that only news are written.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    /// Goes before the names of the indices.
    prefix: String,
    /// Executions that have not ended, by their id: what of them tells whether anything has changed.
    live: FxHashMap<String, Sight>,
    /// From which turn on ended executions are new.
    turn: u64,
    /// The number of the next log entry.
    entry: u64,
    /// Documents that nobody can write any more: more came between two looks than a simulation keeps.
    lost: u64,
}

/// What of an execution changes whenever anything of it does: its states, and those of its task runs.
type Sight = (usize, usize, usize);

fn sight(it: &ExecutionSeen) -> Sight {
    let states = it.task_runs.iter().map(|run| run.history.len()).sum();
    (it.history.len(), it.task_runs.len(), states)
}

impl Documents {
    /// Nothing is written yet; the names of the indices begin with `prefix`, by default [`Documents::PREFIX`].
    pub fn new(prefix: &str) -> Documents {
        Documents { prefix: prefix.to_owned(), ..Documents::default() }
    }

    /// What Kestra puts before the names of its indices, if nobody says otherwise.
    pub const PREFIX: &str = "kestra_";

    /// Time has gone back to the beginning: everything comes anew, with the same ids where the same happens.
    pub fn begin_anew(&mut self) {
        *self = Documents { prefix: std::mem::take(&mut self.prefix), ..Documents::default() };
    }

    /// What has come since the last look: executions that have changed, and log entries that an indexer has taken. Where time
    /// has gone back [`Documents::begin_anew`] is to be said before.
    pub fn news(&mut self, simulation: &Simulation) -> Bulk {
        let mut bulk = self.ended(simulation);
        self.still_live(simulation, &mut bulk);
        bulk
    }

    /// The same without executions that have not ended: for whoever looks often, and at those once at the end.
    pub fn ended(&mut self, simulation: &Simulation) -> Bulk {
        let mut bulk = Bulk::default();
        let (ended, lost, turn) = simulation.ended_since(self.turn);
        self.turn = turn;
        self.lost += lost;
        for it in &ended {
            self.live.remove(&it.id);
            bulk.add(&self.prefix, Index::Executions, &it.id, &execution::document(it, simulation));
        }
        self.entries(simulation, &mut bulk);
        bulk
    }

    fn still_live(&mut self, simulation: &Simulation, bulk: &mut Bulk) {
        let now: FxHashMap<String, Sight> = simulation
            .live_executions()
            .iter()
            .map(|it| {
                let sight = sight(it);
                if self.live.get(&it.id) != Some(&sight) {
                    bulk.add(&self.prefix, Index::Executions, &it.id, &execution::document(it, simulation));
                }
                (it.id.clone(), sight)
            })
            .collect();
        self.live = now;
    }

    fn entries(&mut self, simulation: &Simulation, bulk: &mut Bulk) {
        let Some(entries) = simulation.entries() else { return };
        self.lost += entries.dropped().saturating_sub(self.entry);
        self.entry = self.entry.max(entries.dropped());
        let first = self.entry;
        for entry in entries.since(first).take_while(|entry| simulation.is_indexed(entry)) {
            self.entry += 1;
            for (line, seen) in simulation.seen_entries(entry).enumerate() {
                let id = simulation.entry_id(entry, line);
                bulk.add(&self.prefix, Index::Logs, &id, &log::document(&seen, simulation));
            }
        }
    }

    /// Documents that were lost since somebody asked.
    pub fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

/// A date as Java prints an instant, in microseconds.
fn date(simulation: &Simulation, at: Instant) -> Json {
    simulation.calendar().date(at).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().into()
}
