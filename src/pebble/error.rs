//! What went wrong, in the words of the real engine.

use std::fmt;

/// The exceptions whose names decide how an error goes on.
pub mod class {
    /// What the renderer throws.
    pub const ILLEGAL: &str = "io.kestra.core.exceptions.IllegalVariableEvaluationException";
    /// The engine's own exception.
    pub const PEBBLE: &str = "io.pebbletemplates.pebble.error.PebbleException";
    /// What the lexer and the parser throw.
    pub const PARSER: &str = "io.pebbletemplates.pebble.error.ParserException";
    /// A name that a map has not.
    pub const ATTRIBUTE: &str = "io.pebbletemplates.pebble.error.AttributeNotFoundException";
    /// A variable that is not there.
    pub const ROOT: &str = "io.pebbletemplates.pebble.error.RootAttributeNotFoundException";
    /// Java's own exceptions.
    pub const RUNTIME: &str = "java.lang.RuntimeException";
    /// A value of another kind than is asked for.
    pub const CAST: &str = "java.lang.ClassCastException";
    /// An argument that makes no sense.
    pub const ARGUMENT: &str = "java.lang.IllegalArgumentException";
    /// Something that is null.
    pub const NULL: &str = "java.lang.NullPointerException";
    /// A text that is no number.
    pub const NUMBER: &str = "java.lang.NumberFormatException";
}

/// What kind of failure an [`Error`] tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The real engine fails with these words.
    Engine,
    /// A limit of this module: the real engine would go on, or fall over.
    Limit,
    /// What is not simulated: the real engine knows it.
    Unsupported,
}

/// A template that could not be read or rendered.
///
/// Displayed it is the message of the real exception, which is what a task logs. Secrets are masked in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    line: Option<usize>,
    chain: Vec<(&'static str, String)>,
}

impl Error {
    /// Whether the real engine fails like this, or only this module does.
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// The line of the template, from 1, where the engine tells one.
    #[cfg(feature = "internals")]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
    /// The exception and its causes, as a log shows them: `class: message <- class: message`.
    pub fn chain(&self) -> String {
        let links: Vec<String> = self.chain.iter().map(|(class, message)| format!("{class}: {message}")).collect();
        links.join(" <- ")
    }
    /// The class of the exception.
    #[cfg(feature = "internals")]
    pub fn class(&self) -> &str {
        self.chain.first().map_or("", |(class, _)| class)
    }
    /// The same error, its words passed through `mask`.
    pub(super) fn masked(mut self, mask: impl Fn(&str) -> String) -> Error {
        for (_, message) in &mut self.chain {
            *message = mask(message);
        }
        self
    }
    /// What the renderer makes of a fault.
    pub(super) fn of(fault: Fault, dialect: &super::Dialect) -> Error {
        let (kind, line) = (fault.kind, fault.line);
        Error { kind, line, chain: fault.thrown(dialect).links() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.chain.first().map_or("", |(_, message)| message))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("line", &self.line)
            .field("chain", &self.chain())
            .finish()
    }
}

impl std::error::Error for Error {}

/// An exception on its way up.
#[derive(Clone, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub class: &'static str,
    pub message: String,
    pub line: Option<usize>,
    /// The name that was not found, and the template it stands in.
    pub missing: Option<(String, String)>,
    pub cause: Option<Box<Fault>>,
}

/// Most evaluations have no fault: it is kept small in results.
pub type Found<T> = Result<T, Box<Fault>>;

impl Fault {
    /// An exception of Java's, which has a message only.
    pub fn java(class: &'static str, message: impl Into<String>) -> Box<Fault> {
        Box::new(Fault { kind: Kind::Engine, class, message: message.into(), line: None, missing: None, cause: None })
    }
    /// An exception of the engine's, which tells template and line.
    pub fn engine(class: &'static str, message: &str, template: &str, line: usize) -> Box<Fault> {
        let mut fault = Fault::java(class, format!("{message} ({template}:{line})"));
        fault.line = Some(line);
        fault
    }
    /// A value of one class where another is asked for.
    pub fn cast(from: &str, to: &str) -> Box<Fault> {
        let tail = match (bootstrap(from), bootstrap(to)) {
            (true, true) => format!("{from} and {to} are in module java.base of loader 'bootstrap'"),
            _ => format!("{from} and {to} are in different modules"),
        };
        Fault::java(class::CAST, format!("class {from} cannot be cast to class {to} ({tail})"))
    }
    /// A limit of this module.
    pub fn limit(message: impl Into<String>) -> Box<Fault> {
        let mut fault = Fault::java("mock-kestra", message);
        fault.kind = Kind::Limit;
        fault
    }
    /// What this module does not know how to do as the real engine does it.
    pub fn unsupported(message: impl Into<String>) -> Box<Fault> {
        let mut fault = Fault::java("mock-kestra", message);
        fault.kind = Kind::Unsupported;
        fault
    }
    /// The same fault with one below it.
    pub fn because(mut self: Box<Self>, cause: Box<Fault>) -> Box<Fault> {
        self.cause = Some(cause);
        self
    }
    /// Whether a name was not found: what `??` and `is defined` forgive.
    pub fn is_missing(&self) -> bool {
        self.missing.is_some()
    }
    /// Whether it is ours alone: no part of a template may wrap or forgive it.
    pub fn is_ours(&self) -> bool {
        self.kind != Kind::Engine
    }
    /// What the renderer throws when this reaches it.
    pub fn thrown(self, dialect: &super::Dialect) -> Fault {
        if self.is_ours() || self.class == class::ILLEGAL {
            return self;
        }
        let foreign = !self.class.starts_with("io.pebbletemplates.");
        if foreign && (!dialect.wraps_foreign || self.class.ends_with("Error")) {
            return self;
        }
        let line = self.line;
        let wrapped = |message: String, cause: Option<Box<Fault>>| Fault {
            kind: Kind::Engine,
            class: class::ILLEGAL,
            message,
            line,
            missing: None,
            cause,
        };
        match &self.missing {
            Some((name, template)) => {
                let line = self.line.unwrap_or(0);
                let message = format!("Unable to find `{name}` used in the expression `{template}` at line {line}");
                wrapped(message, dialect.missing_has_cause.then(|| Box::new(self)))
            }
            None => wrapped(format!("{}: {}", self.class, self.message), Some(Box::new(self))),
        }
    }
    /// Class and message of it and its causes.
    fn links(self) -> Vec<(&'static str, String)> {
        let mut links = Vec::new();
        let mut next = Some(Box::new(self));
        while let Some(fault) = next {
            links.push((fault.class, fault.message));
            next = fault.cause;
        }
        links
    }
}

/// Whether a class belongs to Java itself.
fn bootstrap(class: &str) -> bool {
    class.starts_with("java.")
}
