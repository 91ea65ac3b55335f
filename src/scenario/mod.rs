//! Scenario files: what a user writes to say which cluster there is, what runs on it, what breaks and what must be seen.

mod any;
mod commands;
mod comparison;
mod describe;
mod expectation;
mod faults;
mod fields;
mod plan;
mod read;
mod receivers;
#[cfg(any(feature = "cli", feature = "internals"))]
mod reference;
mod scale;
mod settings;
mod short;
mod started;
mod threads;
mod units;
mod write;

pub use any::{any_entry, shape};
#[cfg(feature = "server")]
pub(crate) use commands::ends;
pub use commands::{Answering, Deed, LEVELS, Order, PlannedCommand, RealAnswer, TaskOf, Which, Whose, label_refused};
pub use comparison::*;
pub use describe::describe;
pub use expectation::*;
#[cfg(feature = "server")]
pub(crate) use faults::ROLES;
#[cfg(feature = "internals")]
pub use faults::faults_table;
#[cfg(feature = "server")]
pub use faults::{AIMS, fault_rows};
pub use faults::{Amount, DatabaseFault, Fault, FaultKind, Lasts, Target};
#[cfg(feature = "server")]
pub(crate) use fields::WHEN;
#[cfg(feature = "server")]
pub use fields::fault_schema;
pub use fields::schema;
#[cfg(feature = "server")]
pub(crate) use fields::{DURATION, ENDS};
pub use plan::*;
#[cfg(feature = "server")]
pub use read::fault_example;
pub use read::input_words;
pub use read::{FlowFile, Loader, NoFiles, beside, read, read_fault, trigger_dialect};
#[cfg(feature = "cli")]
pub use read::{expectation_places, refused_triggers};
#[cfg(feature = "server")]
pub use read::{missing_secrets, read_as};
pub use receivers::{Answer, ReceiverName, Secrets};
#[cfg(feature = "cli")]
pub use reference::expectations;
#[cfg(feature = "internals")]
pub use reference::expectations_markdown;
pub use scale::{Dial, Scale};
pub use settings::{Credentials, HealthSettings, Settings};
pub use short::{plain, write_short};
pub use started::{Started, started};
pub use threads::{Queue, Thread};
#[cfg(feature = "server")]
pub use units::read_time;
pub use write::write;

/// Bounds of a scenario.
pub mod limits {
    use crate::time::Duration;

    /// Members of a cluster.
    pub const MEMBERS: usize = 200;
    /// Flows.
    pub const FLOWS: usize = 10_000;
    /// The shortest time between two beginnings of a fault that repeats.
    pub const REPEAT: Duration = Duration::milliseconds(100);
    /// The shortest time between two requests of a poller.
    pub const POLL: Duration = Duration::milliseconds(100);
    /// The longest time for which a member is asked for its health each second.
    pub const PROBED: Duration = Duration::minutes(60);
    /// Rows that are left in the table of queues.
    pub const ROWS: u64 = 1_000_000_000;
    /// Triggers that a fault adds.
    pub const TRIGGERS: u64 = 10_000_000;
    /// The longest run.
    pub const DURATION: Duration = Duration::seconds(400 * 86_400);
}
