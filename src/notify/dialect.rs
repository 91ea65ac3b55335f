//! How the versions of Kestra, and of the plugins that ship with them, differ in what they send. Rows of data; the code asks
//! fields, never for a version.

use crate::pebble;

/// Where a `*Execution` task takes the execution from that it tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// The stored execution; the first of its failed task runs, whichever execution it is.
    FirstFailed,
    /// The stored execution; the last of its failed task runs, or of those that succeeded. Of the current execution it is
    /// the last task run: the notification itself, which runs and has not failed.
    LastOf,
    /// No store: the variables of the current execution, or of the trigger.
    Variables,
}

/// What a version does differently.
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The name of the profile it belongs to.
    pub name: &'static str,
    /// Its templates.
    pub pebble: &'static pebble::Dialect,
    /// Where the execution comes from.
    pub telling: Telling,
    /// Whether messages name the final task.
    pub final_task: bool,
    /// Whether the state that a trigger names decides which state of the execution is waited for; an ended one otherwise.
    pub waits_for_state: bool,
    /// Whether payloads for Slack and Discord must be JSON and are written anew; sent as they are otherwise.
    pub checks_json: bool,
    /// Whether bodies that are texts leave in ISO-8859-1: what that has not becomes `?`.
    pub latin1: bool,
    /// Whether `http.Request` names the charset of its body.
    pub names_charset: bool,
    /// Headers that its HTTP client adds.
    pub client_headers: &'static [(&'static str, &'static str)],
}

/// Apache's client, as the recorded servers of 1.3 and 2.0 use it.
const APACHE: &[(&str, &str)] =
    &[("Accept-Encoding", "gzip, x-gzip, deflate"), ("Connection", "keep-alive"), ("User-Agent", "Kestra")];

impl Dialect {
    /// The dialect of a profile, by the profile's name.
    pub fn named(name: &str) -> Option<Dialect> {
        let pebble = pebble::Dialect::named(name)?;
        let later = Dialect {
            name: pebble.name,
            pebble,
            telling: Telling::LastOf,
            final_task: true,
            waits_for_state: true,
            checks_json: true,
            latin1: true,
            names_charset: true,
            client_headers: APACHE,
        };
        match name {
            "0.20" => Some(Dialect {
                telling: Telling::FirstFailed,
                final_task: false,
                waits_for_state: false,
                checks_json: false,
                latin1: false,
                names_charset: false,
                client_headers: &[("connection", "keep-alive")],
                ..later
            }),
            "1.3" => Some(later),
            "2.0" => Some(Dialect { telling: Telling::Variables, ..later }),
            _ => None,
        }
    }
}
