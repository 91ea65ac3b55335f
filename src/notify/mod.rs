//! Notifications: a task that tells people becomes a request, as data.
//!
//! A task's type and its own properties, the variables of its template and what the store knows of executions go in; out comes
//! a [`Message`], or the words with which the task fails. Nothing here opens a socket: who runs a model records the message,
//! who serves one delivers it. What versions of Kestra do differently is a row of data, the [`Dialect`].

mod alerts;
mod chats;
mod dialect;
mod error;
mod execution;
mod http;
mod incidents;
mod kinds;
mod mail;
mod markup;
mod message;
mod properties;

pub use dialect::Dialect;
#[cfg(feature = "internals")]
pub use dialect::Telling;
pub use error::{Error, Kind};
pub use execution::Execution;
#[cfg(feature = "internals")]
pub use kinds::TaskType;
pub use kinds::{CHANNELS, task_type};
#[cfg(feature = "internals")]
pub use message::{Accepts, Body};
#[cfg(any(feature = "internals", feature = "server"))]
pub use message::{Http, Mail, Transport};
pub use message::{Message, Request};

use crate::pebble::{self, Host, Template, Variables};
use properties::Properties;

/// Everything that a notification task is worked out from.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The type of the task, in any of its names.
    pub kind: &'a str,
    /// The task's own properties, as its flow writes them (plugin defaults included).
    pub properties: &'a Variables,
    /// The variables of its templates.
    pub context: &'a Variables,
    /// What templates ask of the world.
    pub host: &'a Host<'a>,
    /// The version.
    pub dialect: &'a Dialect,
    /// `kestra.url`, for links to the page of an execution.
    pub kestra_url: Option<&'a str>,
    /// What the store knows of an execution.
    pub executions: &'a dyn Fn(&str) -> Option<Execution>,
}

/// The message that a notification task sends.
///
/// # Errors
/// In the real task's words where it fails; [`Kind::NotYet`] and [`Kind::NotInState`] where it would look again later; [`Kind::NotSimulated`] for what
/// is not simulated, a type that is none of [`task_type`] among it. Secrets are masked.
pub fn message(asked: &Asked<'_>) -> Result<Message, Error> {
    let secrets = asked.host.secrets;
    let built = task_type(asked.kind)
        .ok_or_else(|| Error::not_simulated(format!("{} is no notification task", asked.kind)))
        .and_then(|kind| Ok((kind, (kind.build)(&Properties { asked })?)));
    match built {
        Ok((kind, draft)) => Ok(Message::new(kind.channel, draft.to, draft.request, secrets)),
        Err(error) => Err(error.masked(|text| secrets.mask_words(text))),
    }
}

/// Whether a task sends something: a type that is known, with properties that say what. Without any, as scenarios name
/// tasks for short, it is a plain task; so is a request that only fetches.
pub fn sends(kind: &str, properties: &Variables) -> bool {
    let has = |key: &str| properties.contains_key(key);
    match task_type(kind) {
        Some(kind) if kind.channel == "http" => has("uri") && (has("body") || has("formData")),
        Some(kind) => properties.keys().any(|key| kind.has(key)),
        None => false,
    }
}

/// What the templates of a task ask that is not simulated, by name, each once: such a task sends nothing here.
pub fn not_simulated(properties: &Variables, dialect: &'static pebble::Dialect) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut texts: Vec<&serde_json::Value> = properties.values().collect();
    while let Some(value) = texts.pop() {
        match value {
            // What cannot be read at all fails when the task runs, in the real engine's words.
            serde_json::Value::String(text) => {
                found.extend(Template::parse(text, dialect).map(|it| it.unsupported()).unwrap_or_default());
            }
            serde_json::Value::Array(items) => texts.extend(items),
            serde_json::Value::Object(map) => texts.extend(map.values()),
            _ => {}
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Hosts of services that only the type of a task names.
#[cfg(any(feature = "internals", feature = "server"))]
pub const SERVICES: &[&str] =
    &["api.line.me", "api.sendgrid.com", "api.telegram.org", "api.x.com", "graph.facebook.com"];

/// A message before its secrets are masked.
struct Draft {
    to: Option<String>,
    request: Request,
}
