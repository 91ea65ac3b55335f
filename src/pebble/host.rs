//! What a template asks of the world around it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::Side;

/// Secrets by key. They are never shown: neither in `Debug` nor in errors.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    values: BTreeMap<String, String>,
    /// How many there are that no template can ask for, and that are masked all the same.
    hidden: usize,
    /// All that is masked, the longest first: a secret within another one must not break the longer one apart.
    masked: BTreeSet<(Reverse<usize>, String)>,
}

impl Secrets {
    /// Secrets by key; Kestra's free edition knows them by their upper-cased key.
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Secrets {
        let mut secrets = Secrets::default();
        values.into_iter().for_each(|(key, value)| secrets.insert(key, value));
        secrets
    }
    fn insert(&mut self, key: String, value: String) {
        self.masks(value.clone());
        self.values.insert(key.to_uppercase(), value);
    }
    fn masks(&mut self, value: String) -> bool {
        !value.is_empty() && self.masked.insert((Reverse(value.len()), value))
    }
    /// From now on these values are masked too.
    pub fn hide(&mut self, values: impl IntoIterator<Item = String>) {
        for value in values {
            self.hidden += usize::from(self.masks(value));
        }
    }
    /// Whether a value is masked.
    pub fn hides(&self, value: &str) -> bool {
        self.masked.contains(&(Reverse(value.len()), value.to_owned()))
    }
    /// How many values are masked that no key names.
    pub fn hidden(&self) -> usize {
        self.hidden
    }
    /// The secret of a key, however that is written.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(&key.to_uppercase()).map(String::as_str)
    }
    /// A text with every secret in it replaced by stars.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (_, value) in &self.masked {
            if masked.contains(value.as_str()) {
                masked = masked.replace(value.as_str(), "******");
            }
        }
        masked
    }

    /// A value with every secret in its texts and keys replaced by stars.
    pub fn mask_value(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => self.mask(text).into(),
            Json::Array(items) => items.iter().map(|item| self.mask_value(item)).collect(),
            Json::Object(map) => {
                Json::Object(map.iter().map(|(key, value)| (self.mask(key), self.mask_value(value))).collect())
            }
            other => other.clone(),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("keys", &self.values.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// An entry of the log of an execution with the level ERROR, as `errorLogs()` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLog {
    /// The task that logged it.
    pub task_id: String,
    /// Its run.
    pub task_run_id: String,
    /// The attempt, from 0.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// The thread that logged it.
    pub thread: String,
    /// What it says.
    pub message: String,
}

/// Values of namespaces by namespace and key.
pub type Kv = BTreeMap<String, BTreeMap<String, serde_json::Value>>;

/// Everything that comes from outside. Nothing here has a clock of its own.
#[derive(Clone, Debug)]
pub struct Host<'h> {
    /// The time of `now()`.
    pub now: Timestamp,
    /// The zone of the server.
    pub zone: TimeZone,
    /// Who renders.
    pub side: Side,
    /// What `secret()` finds.
    pub secrets: &'h Secrets,
    /// What `kv()` finds.
    pub kv: &'h Kv,
    /// What `errorLogs()` finds: entries of this execution in order of time; the first 25 count.
    pub error_logs: &'h [ErrorLog],
    /// What `env()` finds.
    pub environment: &'h BTreeMap<String, String>,
    /// What `uuid()` and its like are drawn from: the same seed gives the same draws.
    pub seed: u64,
}

static NO_SECRETS: Secrets = Secrets { values: BTreeMap::new(), hidden: 0, masked: BTreeSet::new() };
static NO_KV: Kv = BTreeMap::new();
static NO_ENVIRONMENT: BTreeMap<String, String> = BTreeMap::new();

impl Host<'_> {
    /// A worker in UTC that knows the time and nothing else.
    pub fn at(now: Timestamp) -> Host<'static> {
        Host {
            now,
            zone: TimeZone::UTC,
            side: Side::Worker,
            secrets: &NO_SECRETS,
            kv: &NO_KV,
            error_logs: &[],
            environment: &NO_ENVIRONMENT,
            seed: 0,
        }
    }
}
