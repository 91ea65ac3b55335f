//! What is wrong with an expression.

use std::fmt;
use std::ops::Range;

/// Up to this length a word may be a misspelling.
const MAX_WORD: usize = 40;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Bytes of the expression, from and to.
    pub span: Range<usize>,
    /// What is wrong, a short sentence without a final dot.
    pub message: String,
    /// What to write instead.
    pub advice: Option<String>,
    /// The character at which it begins, from 1.
    character: usize,
}

impl SyntaxError {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> SyntaxError {
        SyntaxError { span, message: message.into(), advice: None, character: 0 }
    }

    pub(super) fn with_advice(self, advice: impl Into<String>) -> SyntaxError {
        SyntaxError { advice: Some(advice.into()), ..self }
    }

    /// With `did you mean`, when one of the candidates is like the word.
    pub(super) fn with_nearest(self, word: &str, candidates: impl Iterator<Item = &'static str>) -> SyntaxError {
        // A long word is like none, and would take long to compare.
        if word.len() > MAX_WORD {
            return self;
        }
        let lower = word.to_ascii_lowercase();
        let near = candidates
            .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
            .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len().min(word.len()))
            .min_by_key(|(distance, _)| *distance);
        match near {
            Some((_, candidate)) => self.with_advice(format!("did you mean `{candidate}`?")),
            None => self,
        }
    }

    /// With the character it begins at.
    pub(super) fn within(self, text: &str) -> SyntaxError {
        let before = text.get(..self.span.start).unwrap_or(text);
        SyntaxError { character: before.chars().count() + 1, ..self }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (character {})", self.message, self.character)
    }
}

impl std::error::Error for SyntaxError {}

impl From<SyntaxError> for String {
    fn from(error: SyntaxError) -> String {
        error.to_string()
    }
}
