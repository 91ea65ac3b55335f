//! Dashboards of Grafana: their panels, what each asks of a Prometheus, and the variables that stand in for parts of it. What is
//! said here of Grafana is from the source of its versions 11 to 13 and of its Prometheus data source, if nothing else is said.

mod read;
mod span;
mod variables;

use crate::document::Place;
use crate::time::Duration;

pub use read::read;
pub use span::Span;
pub use variables::{Chosen, Filled, Options, fill, names};

/// Bounds of what is read.
pub mod limits {
    /// Panels of a dashboard, those of rows and repeated ones counted each.
    pub const PANELS: usize = 1_000;
    /// Queries of a panel.
    pub const QUERIES: usize = 100;
    /// Variables of a dashboard.
    pub const VARIABLES: usize = 100;
    /// Values of a variable: of more, the first are taken.
    pub const VALUES: usize = 1_000;
    /// Bytes of an expression in which variables were filled in.
    pub const EXPRESSION: usize = 1 << 20;
    /// How often a panel is repeated: of more values, the first are taken.
    pub const REPEATS: usize = 50;
}

/// A dashboard.
#[derive(Clone, Debug, PartialEq)]
pub struct Dashboard {
    /// Its title.
    pub title: String,
    /// Its panels, in the order of the file, rows left out.
    pub panels: Vec<Panel>,
    /// Its variables, in the order of the file.
    pub variables: Vec<Variable>,
}

/// A panel; annotations that ask a Prometheus are such, too.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Its title, which may have variables in it.
    pub title: String,
    /// The row it is in, if it is in one.
    pub row: Option<String>,
    /// Its kind, such as `timeseries`.
    pub kind: String,
    /// What it asks.
    pub queries: Vec<Query>,
    /// The variable of whose values it has a copy each.
    pub repeat: Option<String>,
    /// The shortest step that it allows.
    pub interval: Option<Duration>,
    /// How many points it draws at most; none where the file leaves it to the width of the screen.
    pub points: Option<u32>,
    /// Its unit, such as `percentunit`.
    pub unit: Option<String>,
    /// Why it asks nothing that can be judged here, if so.
    pub unjudged: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// One question of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What the panel calls it, `A` the first.
    pub name: String,
    /// Its expression, with variables in it.
    pub text: String,
    /// Where that stands.
    pub place: Place,
    /// It is switched off.
    pub hidden: bool,
    /// It is asked for the last instant alone.
    pub instant: bool,
    /// Its own shortest step; none where the file names a variable for it.
    pub interval: Option<Duration>,
    /// Who else than a Prometheus is asked, if so.
    pub other: Option<String>,
}

/// A variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where its values come from.
    pub from: From,
    /// Several values can be chosen at once.
    pub multi: bool,
    /// All values can be chosen at once.
    pub include_all: bool,
    /// What stands for all of them, where the file says it.
    pub all: Option<String>,
    /// What was chosen when the dashboard was stored.
    pub current: Vec<String>,
    /// Which of the values there are to choose from, as it is written: `/^prod-(.*)/`.
    pub regex: Option<String>,
    /// In which order they stand.
    pub sort: Option<Sort>,
    /// Where it stands.
    pub place: Place,
}

/// Where the values of a variable come from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// From a Prometheus: `label_values(up, job)`.
    Query(String),
    /// From the file: these.
    Listed(Vec<String>),
    /// From the file, as lengths of time.
    Intervals {
        /// These.
        values: Vec<String>,
        /// What `auto` comes to: so many steps of the time that is shown, and none shorter.
        auto: (u32, Duration),
    },
    /// It is written by whoever looks: this stands there at first.
    Text(String),
    /// It picks a data source: nothing of an expression.
    Source,
    /// From somewhere else, which is named.
    Other(String),
}

/// In which order the values of a variable stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: By,
    /// The last first.
    pub falling: bool,
}

/// By what values are put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Letter by letter.
    Text,
    /// By the first number in them.
    Number,
    /// Letter by letter, small and capital ones alike.
    AnyCase,
}

/// The value that stands for all values of a variable in the file.
pub(crate) const ALL: &str = "$__all";
