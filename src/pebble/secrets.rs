//! Secrets: what `secret()` finds, and what takes their values out of all that is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, PatternID};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

/// What stands for a secret.
const STARS: &str = "******";

/// Bytes of a value that is no part of an ordinary word any more. Values that are shorter are masked like all others where
/// values are shown; in sentences and names ([`Secrets::mask_words`]) only where they stand between marks, not within a word.
const WORD: usize = 4;

/// Secrets by key. They are never shown: neither in `Debug` nor in errors. To clone it costs no more than a few counts.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Option<Arc<BTreeMap<String, String>>>,
    /// How many there are that no template can ask for, and that are masked all the same.
    hidden: usize,
    /// All that is masked; each level is smaller than half of the one before, so that there are few of them, and a value is
    /// put into a new one only a few times.
    levels: Vec<Arc<Level>>,
}

impl Secrets {
    /// None at all.
    pub const NONE: Secrets = Secrets { values: None, hidden: 0, levels: Vec::new() };

    /// Secrets by key; Kestra's free edition knows them by their upper-cased key.
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Secrets {
        let values: BTreeMap<String, String> =
            values.into_iter().map(|(key, value)| (key.to_uppercase(), value)).collect();
        let mut secrets = Secrets::default();
        secrets.add(values.values().map(String::as_str));
        secrets.values = Some(Arc::new(values));
        secrets
    }

    /// From now on these values are masked too.
    pub fn hide(&mut self, values: impl IntoIterator<Item = String>) {
        let values: Vec<String> = values.into_iter().collect();
        self.hidden += self.add(values.iter().map(String::as_str));
    }

    /// The same secrets, and these values are masked too: for one text.
    pub fn and<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Secrets {
        let mut secrets = self.clone();
        let new = secrets.new_ones(values);
        if !new.is_empty() {
            secrets.levels.push(Arc::new(Level::new(new)));
        }
        secrets
    }

    /// Those of some values that are not masked yet, in order.
    fn new_ones<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Vec<Arc<str>> {
        let new = values.into_iter().filter(|value| !value.is_empty() && !self.hides(value));
        let mut new: Vec<Arc<str>> = new.map(Arc::from).collect();
        new.sort_unstable();
        new.dedup();
        new
    }

    /// Masks values; how many of them are new.
    fn add<'v>(&mut self, values: impl IntoIterator<Item = &'v str>) -> usize {
        let mut level = self.new_ones(values);
        let new = level.len();
        if new == 0 {
            return 0;
        }
        while let Some(last) = self.levels.pop_if(|last| last.values.len() < 2 * level.len()) {
            level.extend(last.values.iter().cloned());
            level.sort_unstable();
        }
        self.levels.push(Arc::new(Level::new(level)));
        new
    }

    /// Whether a value is masked.
    pub fn hides(&self, value: &str) -> bool {
        self.levels.iter().any(|level| level.values.binary_search_by(|it| it.as_ref().cmp(value)).is_ok())
    }

    /// How many values are masked that no key names.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// How many values are in each of the automata that a text goes through; the last is the newest.
    #[cfg(feature = "internals")]
    pub fn levels(&self) -> Vec<usize> {
        self.levels.iter().map(|level| level.values.len()).collect()
    }

    /// The secret of a key, however that is written.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.as_ref()?.get(&key.to_uppercase()).map(String::as_str)
    }

    /// A text with every secret in it replaced by stars, also one that is escaped in it: for what is all value, such as a body.
    /// Kestra's log has lines so, which knows no least length (source); ours have them as sentences.
    pub fn mask(&self, text: &str) -> String {
        self.replaced(text, |_| true)
    }

    /// A sentence or a name with the secrets in it replaced by stars. A short one is left where it may be part of a word.
    pub fn mask_words(&self, text: &str) -> String {
        // Marks or an end are on both sides.
        let mark = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && !c.is_whitespace());
        let apart = |range: &Range<usize>| {
            let (before, after) = (text.get(..range.start), text.get(range.end..));
            mark(before.and_then(|it| it.chars().next_back())) && mark(after.and_then(|it| it.chars().next()))
        };
        self.replaced(text, |range| range.len() >= WORD || apart(range))
    }

    fn replaced(&self, text: &str, takes: impl Fn(&Range<usize>) -> bool) -> String {
        let mut found: Vec<Range<usize>> = Vec::new();
        for level in &self.levels {
            level.find(text, &mut found, &takes);
        }
        if found.is_empty() {
            return text.to_owned();
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut masked = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            // What overlaps is one secret within or behind another one.
            if range.start >= end {
                masked.push_str(text.get(end..range.start).unwrap_or_default());
                masked.push_str(STARS);
            }
            end = end.max(range.end);
        }
        masked.push_str(text.get(end..).unwrap_or_default());
        masked
    }

    /// A value with every secret in it replaced by stars; of its keys as of names.
    pub fn mask_value(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => self.mask(text).into(),
            Json::Array(items) => items.iter().map(|item| self.mask_value(item)).collect(),
            Json::Object(map) => {
                Json::Object(map.iter().map(|(key, value)| (self.mask_words(key), self.mask_value(value))).collect())
            }
            Json::Number(number) => {
                let shown = number.to_string();
                let masked = self.mask(&shown);
                if masked == shown { value.clone() } else { masked.into() }
            }
            other => other.clone(),
        }
    }
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Secrets) -> bool {
        let all = |it: &Secrets| {
            let mut all: Vec<Arc<str>> = it.levels.iter().flat_map(|level| &level.values).cloned().collect();
            all.sort_unstable();
            all
        };
        self.values == other.values && self.hidden == other.hidden && all(self) == all(other)
    }
}

impl Eq for Secrets {}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.values.iter().flat_map(|values| values.keys()).collect::<Vec<_>>();
        f.debug_struct("Secrets").field("keys", &keys).finish_non_exhaustive()
    }
}

/// Values that are looked for together, in one go through a text.
struct Level {
    /// In order, each once.
    values: Vec<Arc<str>>,
    /// None where they are too many bytes for one: then each is looked for by itself.
    automaton: Option<NFA>,
}

impl Level {
    fn new(values: Vec<Arc<str>>) -> Level {
        let forms = values.iter().flat_map(|value| forms(value));
        Level { automaton: NFA::new(forms).ok(), values }
    }

    /// Adds what of a text is a secret, as far as it is taken; no range is within another one of the same level.
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>, takes: impl Fn(&Range<usize>) -> bool) {
        let Some(automaton) = &self.automaton else {
            let forms = self.values.iter().flat_map(|value| forms(value));
            let all =
                forms.flat_map(|form| text.match_indices(&form).map(|(at, it)| at..at + it.len()).collect::<Vec<_>>());
            return found.extend(all.filter(takes));
        };
        let Ok(mut state) = automaton.start_state(Anchored::No) else { return };
        let first = found.len();
        for (at, byte) in text.bytes().enumerate() {
            state = automaton.next_state(Anchored::No, state, byte);
            if !automaton.is_match(state) {
                continue;
            }
            let range = |index: usize| {
                let pattern: PatternID = automaton.match_pattern(state, index);
                at + 1 - automaton.pattern_len(pattern)..at + 1
            };
            // The longest that ends here comes first; only of short ones, of which there are few, another one may be taken.
            let ends = automaton.match_len(state).min(WORD);
            let Some(range) = (0..ends).map(range).find(&takes) else { continue };
            while found.len() > first && found.last().is_some_and(|last| last.start >= range.start) {
                found.pop();
            }
            found.push(range);
        }
    }
}

/// How a value may stand in a text: as it is; in base64, which Kestra masks too (source), also within
/// something longer; escaped as in JSON, as in a URL, a
/// form, HTML. Each once.
fn forms(value: &str) -> Vec<String> {
    let json = |text: &str| {
        let quoted = Json::from(text).to_string();
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
    };
    let quoted = json(value);
    let ascii = |hex: fn(u16) -> String| -> String {
        let mut units = [0; 2];
        let one = |c: char| {
            if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut units).iter().map(|it| hex(*it)).collect() }
        };
        quoted.chars().map(one).collect()
    };
    let url = utf8_percent_encode(value, UNRESERVED).to_string();
    let mut forms = vec![
        value.to_owned(),
        STANDARD.encode(value),
        json(&quoted),
        ascii(|unit| format!("\\u{unit:04x}")),
        ascii(|unit| format!("\\u{unit:04X}")),
        quoted.clone(),
        url.replace("%20", "+"),
        url,
        value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;"),
    ];
    forms.extend(within_base64(value));
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// What is always there of a value within something longer in base64, as in `Basic` behind a name: three forms, by how many
/// bytes stand before it, each without the characters that its neighbours have a part in; each in both alphabets. None of a
/// short value: so few characters stand anywhere.
fn within_base64(value: &str) -> Vec<String> {
    if value.len() < WORD {
        return Vec::new();
    }
    let of = |before: usize| {
        let encoded = STANDARD_NO_PAD.encode([vec![0; before], value.as_bytes().to_vec()].concat());
        // A character holds six bits, a byte eight.
        let (start, end) = ((8 * before).div_ceil(6), 8 * (before + value.len()) / 6);
        let whole = encoded.get(start..end).unwrap_or_default().to_owned();
        [whole.replace('+', "-").replace('/', "_"), whole]
    };
    (0..3).flat_map(of).collect()
}

/// What stands in a URL as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
