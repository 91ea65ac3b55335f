//! A series of a registry: what it shows, and the text of its lines.

use std::ops::Range;

use super::Look;
use super::number::{integer, java_double};
use super::window::WindowMax;
use crate::profile::{Kind, Profile, Source, TextForm};
use crate::time::Instant;

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: Vec<(String, String)>,
    pub(super) source: Source,
    pub(super) kind: Kind,
    /// Of counters and gauges the value, of timers the sum.
    pub(super) added: f64,
    pub(super) recorded: u64,
    pub(super) max: WindowMax,
    /// Beginnings of the lines, one after another, and where each ends.
    pub(super) text: Vec<u8>,
    pub(super) ends: Vec<u32>,
    /// The beginning of the line of the maximum.
    pub(super) max_text: Vec<u8>,
}

impl Series {
    pub(super) fn new(
        name: &str,
        labels: Vec<(String, String)>,
        kind: Kind,
        source: Source,
        profile: &Profile,
        now: Instant,
    ) -> Series {
        let (mut text, mut ends, mut max_text) = (Vec::new(), Vec::new(), Vec::new());
        let form = profile.text();
        let mut line = |suffix: &str, le: Option<&str>| {
            beginning(name, suffix, &labels, le, form, &mut text);
            ends.push(text.len() as u32);
        };
        match source {
            Source::Plain(_) => line("", None),
            Source::Timer { shape, .. } => {
                if shape.is_some() {
                    for bound in profile.buckets() {
                        line("_bucket", Some(&bound_text(*bound)));
                    }
                    line("_bucket", Some("+Inf"));
                }
                line("_count", None);
                line("_sum", None);
                beginning(name, "_max", &labels, None, form, &mut max_text);
            }
        }
        Series { labels, source, kind, added: 0.0, recorded: 0, max: WindowMax::new(now), text, ends, max_text }
    }

    /// Of counters and gauges.
    pub(super) fn value(&self, look: &Look) -> f64 {
        match &self.source {
            Source::Plain(source) => {
                let value = look.value(source) + self.added;
                // What a formula says of whole things (bytes, threads, counts) is rounded down to them.
                let scaled = source.probe.is_some() && source.factor != 1.0;
                if self.kind == Kind::Counter || scaled { libm::floor(value) } else { value }
            }
            Source::Timer { .. } => 0.0,
        }
    }

    pub(super) fn count(&self, look: &Look) -> f64 {
        match &self.source {
            Source::Timer { count, .. } => libm::floor(look.value(count)) + self.recorded as f64,
            Source::Plain(_) => 0.0,
        }
    }

    pub(super) fn sum(&self, look: &Look) -> f64 {
        match &self.source {
            // Timers keep whole nanoseconds.
            Source::Timer { sum, .. } => libm::round((look.value(sum) + self.added) * 1e9) / 1e9,
            Source::Plain(_) => 0.0,
        }
    }

    pub(super) fn maximum(&self, look: &Look) -> f64 {
        match &self.source {
            Source::Timer { max, .. } => look.value(max).max(self.max.at(look.now)),
            Source::Plain(_) => 0.0,
        }
    }

    pub(super) fn render(&self, look: &Look, profile: &Profile, out: &mut Vec<u8>) {
        match self.source {
            Source::Plain(_) => {
                out.extend_from_slice(&self.text);
                java_double(self.value(look), out);
                out.push(b'\n');
            }
            Source::Timer { shape, .. } => {
                let total = self.count(look);
                let buckets = shape.map_or(&[][..], |shape| profile.shape(shape));
                let mut values = buckets.iter().map(|share| libm::floor(total * share)).chain([total, total]);
                let counts = self.ends.len() - 1;
                let mut begin = 0;
                let mut line = |end: u32, out: &mut Vec<u8>| {
                    let part: Range<usize> = begin..end as usize;
                    begin = end as usize;
                    out.extend_from_slice(&self.text[part]);
                };
                for end in &self.ends[..counts] {
                    line(*end, out);
                    let value = if counts == 1 { total } else { values.next().unwrap_or(total) };
                    match profile.text() {
                        TextForm::New => integer(value as i64, out),
                        TextForm::Old => java_double(value, out),
                    }
                    out.push(b'\n');
                }
                line(self.ends[counts], out);
                java_double(self.sum(look), out);
                out.push(b'\n');
            }
        }
    }
}

pub(super) fn bound_text(bound: f64) -> String {
    let mut text = Vec::new();
    java_double(bound, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The beginning of a line, up to the value. `le` stands last.
fn beginning(
    name: &str,
    suffix: &str,
    labels: &[(String, String)],
    le: Option<&str>,
    form: TextForm,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(le.map(|le| ("le", le)));
    let mut open = b'{';
    for (key, value) in labels {
        out.push(open);
        open = b',';
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"=\"");
        for byte in value.bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'"' => out.extend_from_slice(b"\\\""),
                b'\n' => out.extend_from_slice(b"\\n"),
                byte => out.push(byte),
            }
        }
        out.push(b'"');
    }
    if open == b',' {
        out.extend_from_slice(if form == TextForm::Old { b",}" } else { b"}" });
    }
    out.push(b' ');
}
