//! What a template asks of the world around it.

use std::collections::BTreeMap;

use super::{Secrets, Side};
use jiff::Timestamp;
use jiff::tz::TimeZone;

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

static NO_SECRETS: Secrets = Secrets::NONE;
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
