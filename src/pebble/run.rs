//! One rendering: its variables, its budget, and how templates are rendered in templates.

use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::Regex;

use super::error::{Fault, Found, class};
use super::evaluate::Evaluator;
use super::limits::{DEPTH_MAX, OUTPUT_MAX, RENDER_DEPTH_MAX, RENDER_ROUNDS_MAX, STEPS_MAX, TEMPLATE_MAX, WALK_UNIT};
use super::syntax::Body;
use super::value::Value;
use super::{Dialect, Host, context, tags};

/// What `{% raw %}` protects, as the renderer finds it. A dot is no line break.
static RAW: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(\{%-*(?-u:\s)*raw(?-u:\s)*-*%\}([^\n\r\u{85}\u{2028}\u{2029}]*?)\{%-*(?-u:\s)*endraw(?-u:\s)*-*%\})")
        .ok()
});

/// A rendering under way.
pub struct Run<'h> {
    pub host: &'h Host<'h>,
    pub dialect: &'h Dialect,
    variables: &'h serde_json::Map<String, serde_json::Value>,
    typed: &'h [(String, Value)],
    found: IndexMap<String, Option<Value>>,
    steps: u64,
    depth: usize,
    renders: usize,
    written: usize,
    drawn: u64,
}

impl<'h> Run<'h> {
    /// A rendering with these variables; `typed` ones come first.
    pub fn new(
        host: &'h Host<'h>,
        dialect: &'h Dialect,
        variables: &'h serde_json::Map<String, serde_json::Value>,
        typed: &'h [(String, Value)],
    ) -> Run<'h> {
        let found = IndexMap::new();
        Run { host, dialect, variables, typed, found, steps: 0, depth: 0, renders: 0, written: 0, drawn: host.seed }
    }
    /// A variable by name.
    pub fn variable(&mut self, name: &str) -> Found<Option<Value>> {
        if let Some(found) = self.found.get(name) {
            return Ok(found.clone());
        }
        let typed = self.typed.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let value = match (typed, self.variables.get(name)) {
            (Some(value), _) => Some(value),
            (None, Some(json)) => Some(context::variable(name, json, self.dialect, self.host.side)?),
            (None, None) => None,
        };
        self.found.insert(name.to_owned(), value.clone());
        Ok(value)
    }
    /// The names of all variables.
    pub fn names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }
    /// Takes one step, and more for a large value that is walked.
    pub fn step(&mut self, walked: &Value) -> Found<()> {
        self.steps += 1 + walked.size().0 / WALK_UNIT;
        if self.steps > STEPS_MAX {
            return Err(Fault::limit(format!("the template takes more than {STEPS_MAX} steps")));
        }
        Ok(())
    }
    /// Counts bytes that are written.
    pub fn write(&mut self, bytes: usize) -> Found<()> {
        self.written = self.written.saturating_add(bytes);
        if self.written > OUTPUT_MAX {
            return Err(Fault::limit(format!("the template writes more than {OUTPUT_MAX} bytes")));
        }
        Ok(())
    }
    /// Goes one deeper into an evaluation.
    pub fn deeper(&mut self) -> Found<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::limit(format!("the template is evaluated more than {DEPTH_MAX} deep")));
        }
        Ok(())
    }
    /// And back.
    pub fn shallower(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
    /// The next draw: the same for the same seed.
    pub fn draw(&mut self) -> u64 {
        // SplitMix64: a counter, well stirred.
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.drawn;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Renders a text as a task's property is: once, or until it stays as it is.
    pub fn render(&mut self, template: &str, recursive: bool) -> Found<String> {
        if !template.contains('{') {
            return Ok(template.to_owned());
        }
        let mut text = self.render_once(template)?;
        if recursive {
            let mut before = template.to_owned();
            let mut rounds = 0;
            while text != before {
                rounds += 1;
                if rounds > RENDER_ROUNDS_MAX {
                    return Err(Fault::java(class::ILLEGAL, "Too many rendering attempts"));
                }
                let next = self.render_once(&text)?;
                before = std::mem::replace(&mut text, next);
            }
        }
        Ok(without_raw(&text))
    }
    fn render_once(&mut self, template: &str) -> Found<String> {
        let (text, raws) = protected(template);
        let body = tree(&text, self.dialect)?;
        let rendered = self.render_tree(&text, &body)?;
        Ok(put_back(rendered, &raws))
    }
    /// Renders a template that has been read.
    pub fn render_tree(&mut self, template: &str, body: &Body) -> Found<String> {
        let mut sink = String::new();
        Evaluator::new(self, template, body).body(body, &mut sink)?;
        Ok(sink)
    }
    /// A text that is rendered within a template, as the function `render` does it.
    pub fn render_within(&mut self, text: &str, recursive: bool, template: &str, line: usize) -> Found<String> {
        match self.dialect.render_depth {
            Some(max) if self.renders >= max => {
                let message = format!(
                    "Maximum render() nesting depth ({max}) exceeded at line {line} — check for circular render() \
                     calls in your template."
                );
                return Err(Fault::engine(class::PEBBLE, &message, template, line));
            }
            None if self.renders >= RENDER_DEPTH_MAX => {
                return Err(Fault::java("java.lang.StackOverflowError", "null"));
            }
            _ => {}
        }
        self.deeper()?;
        self.renders += 1;
        let rendered = self.render(text, recursive);
        self.renders -= 1;
        self.shallower();
        rendered.map_err(|fault| {
            let thrown = Box::new(fault.thrown(self.dialect));
            if thrown.class == class::ILLEGAL {
                Fault::java(class::PEBBLE, format!("{} (?:?)", thrown.message)).because(thrown)
            } else {
                thrown
            }
        })
    }
}

/// The tree of a template.
pub fn tree(template: &str, dialect: &Dialect) -> Found<Body> {
    if template.len() > TEMPLATE_MAX {
        return Err(Fault::limit(format!("the template is longer than {TEMPLATE_MAX} bytes")));
    }
    tags::parse(template, dialect)
}

/// A template with its raw parts replaced by marks, and these parts.
pub fn protected(template: &str) -> (String, Vec<(String, String)>) {
    let Some(raw) = RAW.as_ref().filter(|_| template.contains("endraw")) else {
        return (template.to_owned(), Vec::new());
    };
    let mut raws = Vec::new();
    let text = raw.replace_all(template, |found: &regex::Captures<'_>| {
        // As long as the random marks of the real engine, and as unlikely in a text.
        let mark = format!("7c0e5d3a-91b4-4f6e-8d21-{:012x}", raws.len());
        raws.push((mark.clone(), found[0].to_owned()));
        mark
    });
    (text.into_owned(), raws)
}

/// The raw parts where they were.
pub fn put_back(text: String, raws: &[(String, String)]) -> String {
    raws.iter().fold(text, |text, (mark, raw)| text.replace(mark, raw))
}

/// A text without the tags around what is raw.
pub fn without_raw(text: &str) -> String {
    match RAW.as_ref().filter(|_| text.contains("endraw")) {
        Some(raw) => raw.replace_all(text, "$2").into_owned(),
        None => text.to_owned(),
    }
}
