//! Executions, as Kestra runs them: a flow as a tree of tasks, an execution as a tree of task runs. Pure: it knows no
//! cluster, no clock and no chance; whoever drives it says what happened, and is told what to do.

mod dialect;
mod engine;
mod group;
mod iterate;
mod orders;
mod replay;
mod result;
mod retry;
mod rules;
mod step;
mod tree;
pub mod trigger;
mod variables;
mod work;

pub use dialect::Dialect;
pub use engine::{Command, Event, Execution, Scratch, TaskRun, World};
pub use iterate::Broken;
#[cfg(feature = "internals")]
pub use iterate::{Item, Iteration};
pub use result::outputs;
pub use retry::pause;
#[cfg(feature = "internals")]
pub use rules::{Part, Scope, allowed, fold};
#[cfg(feature = "internals")]
pub use tree::Node;
pub use tree::{Does, Tree};
pub use variables::Naming;
pub use work::{Done, Reads, Render, Toggle, deep_map, messages, needed, work};
