//! The dialect of Alertmanager: what a message's templates speak of, its functions, and the set of templates that its files
//! define. `template/template.go` of 0.25 and of 0.33.

mod clock;
mod defaults;
mod functions;
mod json;
mod span;
mod thing;
mod title;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use thing::{Data, Told};

use super::html;
use super::parse::{self, Nodes, Syntax};
use super::run::{Run, Tongue};
use super::{Value, html::Vouched};
use thing::Thing;

/// Whose behaviour is meant where the versions differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// 0.25, built with Go 1.19.
    V0_25,
    /// 0.33, built with Go 1.24 or newer.
    V0_33,
    /// 0.35: messages know the labels of routes.
    V0_35,
}

/// Steps that one message may take: a group may have thousands of alerts.
const MAX_STEPS: usize = 2_000_000;
/// The page of a mail that nobody has written: Alertmanager's own is not simulated.
const OWN_PAGE: &str = "email.default.html";

/// All templates that messages can call: Alertmanager's own, and those of the files that `templates` names.
#[derive(Clone, Debug)]
pub struct Templates {
    release: Release,
    defined: BTreeMap<String, Nodes>,
}

/// What is wrong with a file of templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The file.
    pub file: String,
    /// From 1; as is the column, which counts characters.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong, in Go's words.
    pub why: String,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.why)
    }
}

/// What reads the texts of one version.
fn syntax<'a>(release: Release, known: &'a dyn Fn(&str) -> bool) -> Syntax<'a> {
    Syntax { known, variables: &["$"], else_with: release > Release::V0_25 }
}

impl Templates {
    /// Reads files (name and text) in their order: a later one overrides what an earlier one defines.
    ///
    /// # Errors
    /// The first file that cannot be read, and where.
    pub fn new(release: Release, files: &[(String, String)]) -> Result<Templates, Malformed> {
        let mut all = Templates { release, defined: BTreeMap::new() };
        all.add("default.tmpl", &defaults::text(release))?;
        for (file, text) in files {
            all.add(file, text)?;
        }
        Ok(all)
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), Malformed> {
        let known = |name: &str| functions::known(name, self.release);
        let (nodes, defined) = parse::parse(text, &syntax(self.release, &known)).map_err(|wrong| {
            let before = text.get(..wrong.at).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            Malformed { file: file.to_owned(), line, column, why: wrong.why }
        })?;
        // What stands outside of all definitions is a template by the name of its file.
        let name = Path::new(file).file_name().map_or_else(|| file.to_owned(), |it| it.to_string_lossy().into_owned());
        for (name, nodes) in defined.into_iter().chain([(name, nodes)]) {
            // An empty one overrides nothing.
            if !parse::is_empty(&nodes) || !self.defined.contains_key(&name) {
                self.defined.insert(name, nodes);
            }
        }
        Ok(())
    }

    /// Whether there is a template of this name.
    pub fn defines(&self, name: &str) -> bool {
        self.defined.contains_key(name)
    }

    /// Whose templates they are.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Whether a text can be read as a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn reads(&self, text: &str) -> Result<(), String> {
        let known = |name: &str| functions::known(name, self.release);
        parse::parse(text, &syntax(self.release, &known)).map(|_| ()).map_err(|wrong| wrong.why)
    }

    /// What a text comes to.
    ///
    /// # Errors
    /// What Alertmanager would call an error of the template, and what is not simulated, by name.
    pub fn text(&self, text: &str, data: &Arc<Data>) -> Result<String, String> {
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        self.expanded(text, data, false)
    }

    /// What a text comes to as a page: values in it are escaped as `html/template` does.
    ///
    /// # Errors
    /// As [`Templates::text`].
    pub fn page(&self, text: &str, data: &Arc<Data>) -> Result<String, String> {
        if text.is_empty() {
            return Ok(String::new());
        }
        self.expanded(text, data, true)
    }

    fn expanded(&self, text: &str, data: &Arc<Data>, page: bool) -> Result<String, String> {
        let known = |name: &str| functions::known(name, self.release);
        let (nodes, defined) = parse::parse(text, &syntax(self.release, &known)).map_err(|wrong| wrong.why)?;
        let mut with;
        let all = match defined.is_empty() {
            true => &self.defined,
            false => {
                with = self.defined.clone();
                for (name, nodes) in defined {
                    if !parse::is_empty(&nodes) || !with.contains_key(&name) {
                        with.insert(name, nodes);
                    }
                }
                &with
            }
        };
        let root = Value::Object(Arc::new(Thing::Data(Arc::clone(data), self.release)));
        let variables = vec![("$".to_owned(), root.clone())];
        let speaks = Speaks { release: self.release, now: data.now };
        let result = match page {
            true => html::check(&nodes, all),
            false => Ok(()),
        };
        let result = result.and_then(|()| Run::of(&nodes, all, &speaks, (&root, variables), page));
        result.map_err(|why| match why.contains(OWN_PAGE) && why.contains("no ") {
            true => format!(
                "Alertmanager's own page of a mail ({OWN_PAGE}) is not simulated: write a template of that name, or `html: ...`"
            ),
            false => why,
        })
    }
}

/// What a value vouches for in a page.
pub(super) fn vouched(value: &Value) -> Vouched {
    match Thing::of(value) {
        Some(Thing::Html(_)) => Vouched::Html,
        Some(Thing::Url(_)) => Vouched::Url,
        _ => Vouched::Nothing,
    }
}

/// The language while a message is made.
struct Speaks {
    release: Release,
    /// Milliseconds since 1970.
    now: i64,
}

impl Tongue for Speaks {
    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        functions::call(name, arguments, self.release, self.now)
    }

    fn field(&self, of: Value, name: &str, arguments: &[Value]) -> Result<Value, String> {
        match (&of, Thing::of(&of)) {
            (_, Some(thing)) => thing.field(name, arguments, self.release),
            (Value::Nil, _) => Err(format!("nil data; no entry for key {name:?}")),
            _ => Err(format!("can't evaluate field {name} in type {}", of.type_name())),
        }
    }

    fn steps(&self) -> usize {
        MAX_STEPS
    }

    fn counts(&self) -> bool {
        self.release > Release::V0_25
    }

    fn fills(&self) -> bool {
        self.release > Release::V0_25
    }
}
