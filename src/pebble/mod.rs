//! Kestra's templates on their own: `{{ trigger.state == 'FAILED' ? 'danger' : 'good' }}`.
//!
//! A text becomes tokens, these a tree, and a tree is rendered with the variables of an execution. Values keep Java's kinds,
//! because they show: `7 / 2` is 3, `1.0` prints as `1.0`, an `Integer` is in no list of `Long`s. Errors are worded as the
//! real engine words them. What is not implemented is refused by name, never guessed ([`Template::unsupported`]).
//!
//! Nothing here has a clock or draws of its own: all that comes from outside is in the [`Host`]. What a version of Kestra
//! does differently is a row of data, the [`Dialect`].

mod attribute;
mod context;
mod dates;
mod dialect;
mod error;
mod evaluate;
mod filters;
mod functions;
mod host;
mod invoke;
mod jq;
mod lexer;
pub mod limits;
mod operate;
mod parse;
mod print;
mod run;
mod secrets;
mod syntax;
mod tags;
mod usage;
pub mod value;

pub use dialect::{Dialect, Side};
pub use error::{Error, Kind};
pub use host::{ErrorLog, Host, Kv};
pub use secrets::Secrets;
pub use usage::Needs;
pub use value::Value;

use run::Run;
use syntax::Body;

/// The variables of a template, by name. `null` entries of maps are not there for a worker, as over Kestra's queue.
pub type Variables = serde_json::Map<String, serde_json::Value>;

/// A template that has been read.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    /// The source with its raw parts taken out, these parts, and the tree; nothing where the text is no template.
    read: Option<Read>,
    dialect: &'static Dialect,
}

#[derive(Clone, Debug)]
struct Read {
    text: String,
    raws: Vec<(String, String)>,
    body: Body,
}

impl Template {
    /// Reads a template. A text without `{` is none: it is itself.
    ///
    /// # Errors
    /// The real engine's words for what it cannot read; a limit of [`limits`].
    pub fn parse(source: &str, dialect: &'static Dialect) -> Result<Template, Error> {
        let mut template = Template { source: source.to_owned(), read: None, dialect };
        if source.contains('{') {
            let (text, raws) = run::protected(source);
            let body = run::tree(&text, dialect).map_err(|fault| Error::of(*fault, dialect))?;
            template.read = Some(Read { text, raws, body });
        }
        Ok(template)
    }
    /// Filters, functions, tests and other things used that the real engine has and this module has not, in order of
    /// their first use: `function http`.
    pub fn unsupported(&self) -> Vec<String> {
        self.read.as_ref().map_or_else(Vec::new, |read| usage::unsupported(&read.body, self.dialect))
    }
    /// What it must be given, lest it fail.
    pub fn needs(&self) -> Needs {
        self.read.as_ref().map_or_else(Needs::default, |read| usage::needs(&read.body, self.dialect))
    }
    /// Renders it to a text, as a property of a task is.
    ///
    /// # Errors
    /// What the real engine throws, in its words; a limit; what is not simulated. Secrets are masked.
    pub fn render(&self, variables: &Variables, host: &Host<'_>) -> Result<String, Error> {
        self.render_with(variables, &[], host)
    }
    /// The same with variables of Java's kinds, which come before those of JSON.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_with(
        &self,
        variables: &Variables,
        typed: &[(String, Value)],
        host: &Host<'_>,
    ) -> Result<String, Error> {
        let Some(read) = &self.read else { return Ok(self.source.clone()) };
        let mut run = Run::new(host, self.dialect, variables, typed);
        let rendered = run.render_tree(&read.text, &read.body).map_err(|fault| self.error(*fault, host))?;
        Ok(run::without_raw(&run::put_back(rendered, &read.raws)))
    }
    fn error(&self, fault: error::Fault, host: &Host<'_>) -> Error {
        Error::of(fault, self.dialect).masked(|text| host.secrets.mask_words(text))
    }
}

/// What Kestra's `If`, `runIf` and their like make of a rendered text: `false`, `0`, `-0` and blanks are not true.
pub fn truthy(text: &str) -> bool {
    !matches!(text.trim(), "" | "false" | "0" | "-0")
}
