//! Forms in which what a Prometheus has stored is carried to another one: sinks of samples. They know no file and no socket.

mod openmetrics;
mod remote;

pub(crate) use openmetrics::END;
pub use openmetrics::OpenMetrics;
pub use remote::RemoteWrite;
