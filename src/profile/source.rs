//! Where the value of a series comes from: a number, or a probe scaled and shifted.

use indexmap::IndexMap;
use serde::Deserialize;

use super::Probe;

/// `probe * factor + offset`, or `offset` alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    /// The probe, none for a constant.
    pub probe: Option<Probe>,
    /// What it is multiplied with.
    pub factor: f64,
    /// What is added.
    pub offset: f64,
}

/// The source of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// Of counters and gauges.
    Plain(Linear),
    /// Of timers, summaries and histograms.
    Timer {
        /// How many.
        count: Linear,
        /// How long in all.
        sum: Linear,
        /// The longest of the last minutes.
        max: Linear,
        /// Number of the shape of its histogram.
        shape: Option<usize>,
    },
}

impl Linear {
    /// A constant.
    pub const fn constant(value: f64) -> Linear {
        Linear { probe: None, factor: 0.0, offset: value }
    }

    fn parse(text: &str) -> Result<Linear, String> {
        let (scaled, offset) = match text.split_once(" + ") {
            Some((scaled, offset)) => (scaled, number(offset)?),
            None => (text, 0.0),
        };
        let (name, factor) = match scaled.split_once(" * ") {
            Some((name, factor)) => (name, number(factor)?),
            None => (scaled, 1.0),
        };
        if let Ok(value) = number(name) {
            return Ok(Linear::constant(value * factor + offset));
        }
        let probe = Probe::named(name.trim()).ok_or_else(|| format!("no probe is called {}", name.trim()))?;
        Ok(Linear { probe: Some(probe), factor, offset })
    }
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("{} is no number", text.trim()))
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum SourceFile {
    Number(f64),
    Text(String),
    Timer(TimerFile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimerFile {
    count: LinearFile,
    sum: LinearFile,
    max: LinearFile,
    shape: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum LinearFile {
    Number(f64),
    Text(String),
}

impl LinearFile {
    fn resolve(self) -> Result<Linear, String> {
        match self {
            LinearFile::Number(value) => Ok(Linear::constant(value)),
            LinearFile::Text(text) => Linear::parse(&text),
        }
    }
}

impl SourceFile {
    pub(super) fn resolve(self, shapes: &IndexMap<String, Vec<f64>>) -> Result<Source, String> {
        match self {
            SourceFile::Number(value) => Ok(Source::Plain(Linear::constant(value))),
            SourceFile::Text(text) => Linear::parse(&text).map(Source::Plain),
            SourceFile::Timer(TimerFile { count, sum, max, shape }) => {
                let shape = shape
                    .map(|name| shapes.get_index_of(&name).ok_or_else(|| format!("no shape is called {name}")))
                    .transpose()?;
                Ok(Source::Timer { count: count.resolve()?, sum: sum.resolve()?, max: max.resolve()?, shape })
            }
        }
    }
}
