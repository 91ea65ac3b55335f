//! Where the value of a series comes from: a number, or a probe scaled and shifted.

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

/// Why a text is no source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoLinear<'t> {
    /// No probe is called so.
    Probe(&'t str),
    /// No number.
    Number(&'t str),
}

impl Source {
    /// Whether it is more than a number.
    pub(super) fn moves(&self) -> bool {
        self.probes().next().is_some()
    }

    /// The probes that it asks for.
    pub fn probes(&self) -> impl Iterator<Item = Probe> {
        let all = match self {
            Source::Plain(it) => [it.probe, None, None],
            Source::Timer { count, sum, max, .. } => [count.probe, sum.probe, max.probe],
        };
        all.into_iter().flatten()
    }
}

impl Linear {
    /// A constant.
    pub const fn constant(value: f64) -> Linear {
        Linear { probe: None, factor: 0.0, offset: value }
    }

    /// Reads `polls * 1.3 + 43`, a part of it, or a number.
    pub(super) fn parse(text: &str) -> Result<Linear, NoLinear<'_>> {
        // Most are numbers.
        if let Ok(value) = number(text) {
            return Ok(Linear::constant(value));
        }
        let (scaled, offset) = match around(text, '+') {
            Some((scaled, offset)) => (scaled, number(offset)?),
            None => (text, 0.0),
        };
        let (name, factor) = match around(scaled, '*') {
            Some((name, factor)) => (name, number(factor)?),
            None => (scaled, 1.0),
        };
        if let Ok(value) = number(name) {
            return Ok(Linear::constant(value * factor + offset));
        }
        let probe = Probe::named(name.trim()).ok_or(NoLinear::Probe(name.trim()))?;
        Ok(Linear { probe: Some(probe), factor, offset })
    }
}

/// What stands before and behind a sign with a blank on each side.
fn around(text: &str, sign: char) -> Option<(&str, &str)> {
    let (before, behind) = text.split_once(sign)?;
    Some((before.strip_suffix(' ')?, behind.strip_prefix(' ')?))
}

fn number(text: &str) -> Result<f64, NoLinear<'_>> {
    text.trim().parse().map_err(|_| NoLinear::Number(text.trim()))
}
