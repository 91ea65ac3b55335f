//! Diagnostics: where, what is wrong, what to write instead.

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A text that is read, and what to call it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The file's name, as the user knows it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A piece of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of which text.
    pub source: Arc<Source>,
    /// Bytes from and to.
    pub range: Range<usize>,
}

impl Place {
    /// What of it is on its first line.
    pub fn first_line(&self) -> Place {
        let Range { start, end } = self.range;
        let line_end = self.source.text[start..].find('\n').map_or(end, |at| start + at);
        Place { range: start..end.min(line_end), source: self.source.clone() }
    }

    /// Line and column, both from 1; columns count characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.range.start).unwrap_or(&self.source.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing can be done with the document.
    Error,
    /// Probably not what was meant, or without an effect here: a verdict may lack it, and `--strict` fails on it.
    Warning,
    /// Good to know; nothing has to be done.
    Note,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What is wrong, a short sentence without a final dot.
    pub what: String,
    /// What to write instead.
    pub advice: Option<String>,
    /// Warnings that it tells: itself, when it is one; those that are not shown, when it tells how many these are.
    pub warnings: usize,
}

/// The candidate most like `word`, if one is like it at all.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let length = lower.chars().count();
    // A difference of length is a part of every distance.
    let near = |candidate: &&str| {
        let shorter = candidate.len().min(word.len());
        candidate.chars().count().abs_diff(length) <= 1 + shorter / 4
    };
    candidates
        .into_iter()
        .filter(near)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            let shorter = candidate.len().min(word.len());
            *distance <= 1 + shorter / 4 && *distance < shorter
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words that are told where none is like the one that is not known.
const LISTED: usize = 24;

/// What to write instead of a word that is not known: the candidate most like it, or which there are.
pub fn instead<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    // A number is no misspelling of another one.
    if word.parse::<f64>().is_err()
        && let Some(candidate) = nearest(word, known.clone())
    {
        return format!("did you mean `{candidate}`?");
    }
    let known: Vec<&str> = known.into_iter().collect();
    let more = match known.len().saturating_sub(LISTED) {
        // One more takes no more room than to say so.
        0 | 1 => String::new(),
        more => format!(" and {more} more"),
    };
    let listed = if more.is_empty() { &known[..] } else { &known[..LISTED] };
    match known.is_empty() {
        true => "there is none".to_owned(),
        false => format!("known are {}{more}", listed.join(", ")),
    }
}

/// All diagnostics as text: file, line and column, the line itself, what is wrong, what to write instead.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let renderer = Renderer::plain();
    let mut text = String::new();
    for diagnostic in diagnostics {
        let Diagnostic { severity, place, what, advice, .. } = diagnostic;
        let level = match severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        // Only the lines around it, so that a large file costs nothing.
        let source = place.source.text.as_str();
        let start = place.range.start.min(source.len());
        let first = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let last = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let end = place.range.end.clamp(start, last);
        let (line, _) = place.line_and_column();
        let snippet = Snippet::source(&source[first..last])
            .line_start(line)
            .path(place.source.name.as_str())
            .annotation(AnnotationKind::Primary.span(start - first..end - first));
        let mut group = level.primary_title(what.as_str()).element(snippet);
        if let Some(advice) = advice {
            group = group.element(Level::HELP.message(advice.as_str()));
        }
        text.push_str(&renderer.render(&[group]));
        text.push_str("\n\n");
    }
    text
}
