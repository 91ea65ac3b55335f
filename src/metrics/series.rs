//! A series of a registry: what it shows, and the text of its lines.

use std::ops::Range;
use std::sync::OnceLock;

use super::Look;
use super::catalogue::Catalogue;
use super::number::{integer, java_double};
use super::window::WindowMax;
use crate::profile::{Kind, Probe, Source, TextForm};
use crate::random::name_key;

/// What never changes of a series. Processes share it.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Vec<(String, String)>,
    pub(super) source: Source,
    pub(super) kind: Kind,
    /// The key of what differs from series to series when they are looked at; none when nothing does.
    sway: Option<u64>,
    /// Beginnings of its lines but that of the maximum; written when they are first asked for: who never renders never pays.
    text: OnceLock<Text>,
    /// The beginning of the line of the maximum.
    max_text: OnceLock<Box<[u8]>>,
}

/// Beginnings of lines, one after another, and where each ends.
#[derive(Debug)]
struct Text {
    bytes: Box<[u8]>,
    ends: Box<[u32]>,
}

/// What events made of a series in one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    /// Of counters and gauges the value, of timers the sum.
    pub(super) added: f64,
    pub(super) recorded: u64,
    /// None as long as nothing was recorded.
    pub(super) max: Option<Box<WindowMax>>,
}

impl Series {
    /// A series with these labels, which are in the order of their keys.
    pub(super) fn new(labels: &[(&str, &str)], kind: Kind, source: Source) -> Series {
        // Of what a process does by itself, only how long it takes on the whole is a formula.
        let sways = matches!(source, Source::Timer { max, .. }
            if matches!(max.probe, Some(Probe::PollPeak | Probe::SlowPollPeak | Probe::LogPollPeak)));
        let key = || labels.iter().fold(0u64, |key, (_, value)| name_key(value) ^ key.rotate_left(7));
        let sway = sways.then(key);
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Series { labels, source, kind, sway, text: OnceLock::new(), max_text: OnceLock::new() }
    }

    /// The keys of its labels.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|(key, _)| key.as_str())
    }

    /// The values of its labels, by which families are in order.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|(_, value)| value.as_str())
    }

    /// How many lines it has, that of the maximum among them.
    pub(super) fn lines(&self, bounds: usize) -> usize {
        match self.source {
            Source::Plain(_) => 1,
            Source::Timer { shape, .. } => 3 + shape.map_or(0, |_| bounds + 1),
        }
    }

    fn text(&self, names: &[String; 4], bounds: &[String], form: TextForm) -> &Text {
        self.text.get_or_init(|| {
            let [name, bucket, count, sum] = names;
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            let mut line = |name: &str, le: Option<&str>| {
                beginning(name, &self.labels, le, form, &mut bytes);
                ends.push(bytes.len() as u32);
            };
            match self.source {
                Source::Plain(_) => line(name, None),
                Source::Timer { shape, .. } => {
                    if shape.is_some() {
                        bounds.iter().for_each(|bound| line(bucket, Some(bound)));
                        line(bucket, Some("+Inf"));
                    }
                    line(count, None);
                    line(sum, None);
                }
            }
            Text { bytes: bytes.into(), ends: ends.into() }
        })
    }

    /// Of counters and gauges.
    pub(super) fn value(&self, of: &Value, look: &Look) -> f64 {
        match &self.source {
            Source::Plain(source) => {
                let value = look.value(source) + of.added;
                // What a formula says of whole things (bytes, threads, counts) is rounded down to them.
                let scaled = source.probe.is_some() && source.factor != 1.0;
                if self.kind == Kind::Counter || scaled { f64::floor(value) } else { value }
            }
            Source::Timer { .. } => 0.0,
        }
    }

    pub(super) fn count(&self, of: &Value, look: &Look) -> f64 {
        match &self.source {
            Source::Timer { count, .. } => f64::floor(look.value(count)) + of.recorded as f64,
            Source::Plain(_) => 0.0,
        }
    }

    pub(super) fn sum(&self, of: &Value, look: &Look) -> f64 {
        match &self.source {
            // Timers keep whole nanoseconds.
            Source::Timer { sum, .. } => f64::round((look.value(sum) + of.added) * 1e9) / 1e9,
            Source::Plain(_) => 0.0,
        }
    }

    pub(super) fn maximum(&self, of: &Value, look: &Look) -> f64 {
        match &self.source {
            Source::Timer { max, .. } => {
                let recorded = of.max.as_ref().map_or(0.0, |max| max.at(look.now));
                let sway = self.sway.map_or(1.0, |key| look.longest(key));
                (look.value(max) * sway).max(recorded)
            }
            Source::Plain(_) => 0.0,
        }
    }

    /// Writes the line of its maximum.
    pub(super) fn render_maximum(&self, of: &Value, look: &Look, name: &str, form: TextForm, out: &mut Vec<u8>) {
        out.extend_from_slice(self.max_text.get_or_init(|| {
            let mut bytes = Vec::new();
            beginning(name, &self.labels, None, form, &mut bytes);
            bytes.into()
        }));
        java_double(self.maximum(of, look), out);
        out.push(b'\n');
    }

    /// Writes its other lines; `names` are those of its family.
    pub(super) fn render(&self, of: &Value, look: &Look, names: &[String; 4], of_all: &Catalogue, out: &mut Vec<u8>) {
        let profile = of_all.profile;
        let Text { bytes, ends } = self.text(names, &of_all.bounds, profile.text());
        match self.source {
            Source::Plain(_) => {
                out.extend_from_slice(bytes);
                java_double(self.value(of, look), out);
                out.push(b'\n');
            }
            Source::Timer { shape, .. } => {
                let total = self.count(of, look);
                let buckets = shape.map_or(&[][..], |shape| profile.shape(shape));
                let mut values = buckets.iter().map(|share| f64::floor(total * share)).chain([total, total]);
                let counts = ends.len() - 1;
                let mut begin = 0;
                let mut line = |end: u32, out: &mut Vec<u8>| {
                    let part: Range<usize> = begin..end as usize;
                    begin = end as usize;
                    out.extend_from_slice(&bytes[part]);
                };
                for end in &ends[..counts] {
                    line(*end, out);
                    let value = if counts == 1 { total } else { values.next().unwrap_or(total) };
                    match profile.text() {
                        TextForm::New => integer(value as i64, out),
                        TextForm::Old => java_double(value, out),
                    }
                    out.push(b'\n');
                }
                line(ends[counts], out);
                java_double(self.sum(of, look), out);
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
fn beginning(name: &str, labels: &[(String, String)], le: Option<&str>, form: TextForm, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
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
