//! Samples as text of OpenMetrics with timestamps, as `promtool tsdb create-blocks-from openmetrics` reads it.
//!
//! Samples come in the order of time, not family by family as the standard asks: so memory does not grow with the length of
//! the history, and promtool only asks that those of one series are in order. There is no `# TYPE`: without one promtool takes
//! every name as it is. Markers of staleness cannot be carried: the form has one `NaN`, and promtool reads every `NaN` as the
//! ordinary one.

use std::collections::BTreeMap;
use std::io::Write;

use crate::monitor::Sink;
use crate::promql::{Labels, stale};

/// Text of samples, window by window of time.
#[derive(Debug)]
pub struct OpenMetrics {
    /// Samples before are left out, in milliseconds since 1970.
    from: i64,
    /// How long a window is, in milliseconds.
    window: i64,
    /// By number of the series: the line up to the value.
    beginnings: Vec<Option<Box<[u8]>>>,
    /// By number of the window since 1970.
    texts: BTreeMap<i64, Vec<u8>>,
    /// The last time, and how it is written.
    time: (i64, String),
    samples: u64,
    markers: u64,
}

impl OpenMetrics {
    /// Takes samples from an instant on, all into one text.
    pub fn new(from: i64) -> OpenMetrics {
        OpenMetrics::windows(from, i64::MAX)
    }

    /// The same with a text for each window of so many milliseconds, counted from 1970.
    pub fn windows(from: i64, window: i64) -> OpenMetrics {
        OpenMetrics {
            from,
            window: window.max(1),
            beginnings: Vec::new(),
            texts: BTreeMap::new(),
            time: (i64::MIN, String::new()),
            samples: 0,
            markers: 0,
        }
    }

    /// What has been written since, by the number of the window.
    pub fn take(&mut self) -> BTreeMap<i64, Vec<u8>> {
        std::mem::take(&mut self.texts)
    }

    /// Samples so far.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Markers of staleness that were left out so far.
    pub fn markers(&self) -> u64 {
        self.markers
    }
}

/// The last line of every text.
pub(crate) const END: &str = "# EOF\n";

impl Sink for OpenMetrics {
    fn sample(&mut self, series: u32, labels: &Labels, time: i64, value: f64) {
        if time < self.from {
            return;
        }
        if stale(value) {
            self.markers += 1;
            return;
        }
        let place = series as usize;
        if self.beginnings.len() <= place {
            self.beginnings.resize(place + 1, None);
        }
        let Some(known) = self.beginnings.get_mut(place) else { return };
        let beginning = known.get_or_insert_with(|| beginning(labels));
        if self.time.0 != time {
            self.time = (time, format!(" {}\n", seconds(time)));
        }
        let text = self.texts.entry(time.div_euclid(self.window)).or_default();
        text.extend_from_slice(beginning);
        number(value, text);
        text.extend_from_slice(self.time.1.as_bytes());
        self.samples += 1;
    }
}

/// A line up to its value: `name{label="value"} `. A name that only newer forms know stands in quotes among the labels.
fn beginning(labels: &Labels) -> Box<[u8]> {
    let name = labels.iter().find(|(key, _)| &**key == "__name__").map_or("", |(_, name)| &**name);
    let plain = |name: &str, colons: bool| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
        !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let (before, quoted) = if plain(name, true) { (name, None) } else { ("", Some(quoted(name))) };
    let label = |(key, value): (&str, &str)| match plain(key, false) {
        true => format!("{key}={}", self::quoted(value)),
        false => format!("{}={}", self::quoted(key), self::quoted(value)),
    };
    let own = labels.iter().filter(|(key, _)| &**key != "__name__").map(|(key, value)| (&**key, &**value));
    let parts: Vec<String> = quoted.into_iter().chain(own.map(label)).collect();
    let braces = if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) };
    format!("{before}{braces} ").into_bytes().into()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A value, with as many digits as it takes to read the same one again.
fn number(value: f64, text: &mut Vec<u8>) {
    let plain: &[u8] = match value {
        _ if value.is_nan() => b"NaN",
        f64::INFINITY => b"+Inf",
        f64::NEG_INFINITY => b"-Inf",
        _ => return text.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
    };
    text.extend_from_slice(plain);
}

/// A time in seconds. Promtool multiplies the nearest double by 1000 and cuts off what is behind the point: where that would
/// come to a millisecond less, the next double is written.
fn seconds(time: i64) -> String {
    let plain = format!("{}.{:03}", time.div_euclid(1000), time.rem_euclid(1000));
    let mut near = time as f64 / 1000.0;
    let whole = |near: f64| (near * 1000.0) as i64;
    if time < 0 || whole(near) == time {
        return if time < 0 { format!("{near}") } else { plain };
    }
    near = near.next_up();
    let mut out = Vec::new();
    let _ = write!(out, "{near}");
    String::from_utf8(out).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::NO_SAMPLE;

    fn labels(all: &[(&str, &str)]) -> Labels {
        all.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect::<Vec<_>>().into()
    }

    #[test]
    fn a_line_has_labels_with_what_is_special_escaped_and_markers_are_counted_and_left_out() {
        let mut text = OpenMetrics::new(1_000);
        let of = labels(&[("__name__", "a_total"), ("job", "k"), ("x", "1\\2\"3\n4")]);
        text.sample(3, &of, 999, 1.0);
        text.sample(3, &of, 1_500, 1.0);
        text.sample(0, &labels(&[("__name__", "b")]), 1_500, f64::NAN);
        text.sample(3, &of, 1_501, NO_SAMPLE);
        text.sample(1, &labels(&[("__name__", "c.d"), ("e-f", "")]), 2_000, f64::NEG_INFINITY);
        text.sample(3, &of, 2_000, 1.0e-7);
        let all = text.take();
        assert_eq!(
            String::from_utf8_lossy(&all[&0]),
            "a_total{job=\"k\",x=\"1\\\\2\\\"3\\n4\"} 1.0 1.500\nb NaN 1.500\n{\"c.d\",\"e-f\"=\"\"} -Inf 2.000\n\
             a_total{job=\"k\",x=\"1\\\\2\\\"3\\n4\"} 1e-7 2.000\n"
        );
        assert_eq!((text.samples(), text.markers(), text.take().len()), (4, 1, 0));
    }

    #[test]
    fn every_millisecond_is_the_same_after_it_was_cut_off() {
        let mut longer = 0;
        for time in (0..100_000).map(|n| 1_767_600_000_000 + n * 37).chain(0..10_000) {
            let text = seconds(time);
            assert_eq!((text.parse::<f64>().expect("a number") * 1000.0) as i64, time, "{text}");
            longer += usize::from(!text.ends_with(&format!(".{:03}", time % 1000)));
        }
        assert!(longer > 0, "some are not what they look like: {longer}");
    }

    #[test]
    fn each_window_has_its_own_text() {
        let mut text = OpenMetrics::windows(0, 1_000);
        let of = labels(&[("__name__", "a")]);
        [500, 999, 1_000, 3_100].iter().for_each(|time| text.sample(0, &of, *time, 1.0));
        assert_eq!(text.take().into_keys().collect::<Vec<i64>>(), [0, 1, 3]);
    }
}
