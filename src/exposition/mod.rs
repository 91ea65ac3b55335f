//! Prometheus's text format (version 0.0.4), as Micrometer writes it, read with all that a label value may hold.
//!
//! Strict where a reader of numbers would go wrong in silence: a line that is cut, a value that is none, a family that is
//! described twice. Two readers that are to be had misread what a Kestra says (commas, `=` and `}` within label values).

mod line;

use std::fmt;

use rustc_hash::FxHashMap;

use line::{Line, described, read_line};

/// All that a server exposes at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    /// In the order of the text.
    pub families: Vec<Family>,
}

/// The samples of one name, and what is said of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// As `# TYPE` and `# HELP` write it.
    pub name: String,
    /// `Untyped` where no line tells it.
    pub kind: Kind,
    /// None where no line tells it; empty where that line has no text.
    pub help: Option<String>,
    /// In the order of the text.
    pub samples: Vec<Sample>,
}

/// What a family is, by its `# TYPE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Count, sum and perhaps quantiles.
    Summary,
    /// Buckets, count and sum.
    Histogram,
    /// Nobody says.
    #[default]
    Untyped,
}

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name of its family, or that with `_count`, `_sum` or `_bucket`.
    pub name: String,
    /// In the order of the text.
    pub labels: Vec<(String, String)>,
    /// Any number of IEEE 754.
    pub value: f64,
}

/// Why a text is no exposition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for Unread {}

impl Kind {
    /// The words of `# TYPE`, and what they mean.
    pub const WORDS: [(&str, Kind); 5] = [
        ("counter", Kind::Counter),
        ("gauge", Kind::Gauge),
        ("summary", Kind::Summary),
        ("histogram", Kind::Histogram),
        ("untyped", Kind::Untyped),
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        Kind::WORDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// What its samples may add to the name of the family.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Kind::Counter | Kind::Gauge | Kind::Untyped => &[""],
            Kind::Summary => &["", "_count", "_sum"],
            Kind::Histogram => &["_bucket", "_count", "_sum"],
        }
    }
}

impl Sample {
    /// Keys and values of its labels.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of a label; none when it has no such label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }
}

impl Exposition {
    /// A family by its name.
    #[cfg(any(test, feature = "internals"))]
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// All samples.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.iter().flat_map(|family| &family.samples)
    }
}

/// Reads a text.
///
/// # Errors
/// It is none of this format, or it is cut: its last line has no end.
pub fn read(text: &str) -> Result<Exposition, Unread> {
    let mut reading = Reading::default();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let at = |(column, what): (usize, String)| Unread { line: number + 1, column, what };
        let Some(line) = line.strip_suffix('\n') else {
            return Err(at((line.chars().count() + 1, "the text ends within a line: it was cut off".to_owned())));
        };
        match read_line(line).map_err(at)? {
            Line::Nothing => {}
            Line::Help(name, help) => reading.help(name, help).map_err(at)?,
            Line::Kind(name, kind) => reading.kind(name, kind).map_err(at)?,
            Line::Sample(sample) => reading.sample(sample),
        }
    }
    Ok(reading.done)
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    done: Exposition,
    /// Families by name.
    places: FxHashMap<String, usize>,
    /// The one of the last line.
    last: Option<usize>,
}

impl Reading {
    fn family(&mut self, name: &str) -> &mut Family {
        let place = self.places.get(name).copied().unwrap_or_else(|| {
            self.places.insert(name.to_owned(), self.done.families.len());
            self.done.families.push(Family { name: name.to_owned(), ..Family::default() });
            self.done.families.len() - 1
        });
        self.last = Some(place);
        &mut self.done.families[place]
    }

    fn help(&mut self, name: &str, help: String) -> Result<(), (usize, String)> {
        let family = self.family(name);
        if family.help.is_some() {
            return Err(described(name, "help"));
        }
        family.help = Some(help);
        Ok(())
    }

    fn kind(&mut self, name: &str, kind: Kind) -> Result<(), (usize, String)> {
        let family = self.family(name);
        if family.kind != Kind::Untyped || !family.samples.is_empty() {
            return Err(described(name, "type"));
        }
        family.kind = kind;
        Ok(())
    }

    /// A sample is of the family above it when its name is that of the family, and stands alone otherwise.
    fn sample(&mut self, sample: Sample) {
        let place = self.last.filter(|place| {
            let family = &self.done.families[*place];
            sample.name.strip_prefix(&family.name).is_some_and(|end| family.kind.suffixes().contains(&end))
        });
        match place {
            Some(place) => self.done.families[place].samples.push(sample),
            None => {
                let name = sample.name.clone();
                self.family(&name).samples.push(sample);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP jobs \\\\ and \\n \"jobs\"\n# TYPE jobs gauge\njobs{a=\"x, y=\\\"}\",b=\"\"} 1.5E3\njobs NaN 17\n\
                        # a remark\n# TYPE took_seconds summary\ntook_seconds{quantile=\"0.5\",} 2\ntook_seconds_count 3\n\
                        took_seconds_sum +Inf\nother -1\n";

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn a_label_value_may_hold_anything() {
        let read = read(TEXT).unwrap();
        let names: Vec<&str> = read.families.iter().map(|family| family.name.as_str()).collect();
        assert_eq!(names, ["jobs", "took_seconds", "other"]);
        let jobs = read.family("jobs").unwrap();
        assert_eq!(jobs.help.as_deref(), Some("\\ and \n \"jobs\""));
        assert_eq!(jobs.samples[0].label("a"), Some("x, y=\"}"));
        assert_eq!(jobs.samples[0].label("b"), Some(""));
        assert_eq!(jobs.samples[0].value, 1500.0);
        assert!(jobs.samples[1].value.is_nan());
        assert_eq!(read.families[1].kind, Kind::Summary);
        assert_eq!(read.families[1].samples.len(), 3);
        assert_eq!(read.families[2].kind, Kind::Untyped);
        assert_eq!(read.samples().count(), 6);
    }

    #[test]
    fn what_is_none_is_told_by_line_and_column() {
        assert_eq!(error("a 1\nb 2"), "line 2, column 4: the text ends within a line: it was cut off");
        assert_eq!(error("a{b=\"c\n"), "line 1, column 7: the value of `b` has no end: write `\"` there");
        assert_eq!(error("a{b=c} 1\n"), "line 1, column 5: the value of `b` does not begin with `\"`");
        assert_eq!(error("a{b=\"\\x\"} 1\n"), "line 1, column 6: only `\\\\`, `\\\"` and `\\n` can follow a `\\`");
        assert_eq!(error("a{b=\"1\" c=\"2\"} 1\n"), "line 1, column 9: after a label stands `,` or `}`");
        assert_eq!(error("a{b=\"1\",b=\"2\"} 1\n"), "line 1, column 9: the label `b` is there twice");
        assert_eq!(error("a one\n"), "line 1, column 3: `one` is no number");
        assert_eq!(error("a 1 2 3\n"), "line 1, column 5: `2 3` is no time in milliseconds");
        assert_eq!(error("a\n"), "line 1, column 2: a sample has a value after its name");
        assert_eq!(error("<html>\n"), "line 1, column 1: a line begins with the name of a metric or with `#`");
        assert_eq!(
            error("# TYPE a guage\n"),
            "line 1, column 10: `guage` is no type; one of counter, gauge, summary, histogram, untyped"
        );
        assert_eq!(
            error("# TYPE a gauge\n# TYPE a gauge\n"),
            "line 2, column 1: the type of `a` is told too late or twice"
        );
    }
}
