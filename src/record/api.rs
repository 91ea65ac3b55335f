//! The HTTP API of Prometheus: what is asked of it, and what its answers say.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use super::meters;
use super::observed::{Labels, Observed, Seen};
use crate::promql::Expression;

/// Points that one answer may have of a series: Prometheus refuses more.
const POINTS: i64 = 11_000;
/// Bytes that an answer should have, of some 30 bytes a sample.
const SAMPLES: i64 = 200_000;
/// Looks of a recording when nobody says how often.
const LOOKS: i64 = 1_000;
/// Prometheus scrapes each 15 s as it ships: looking more often shows nothing more.
const STEP: i64 = 15_000;

/// The series that are meant: matchers in braces, without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector(String);

impl std::str::FromStr for Selector {
    type Err = String;

    /// `{job="kestra"}`.
    fn from_str(text: &str) -> Result<Selector, String> {
        let advice = "write matchers in braces, such as {job=\"kestra\"}";
        let text = text.trim();
        let inside = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or(advice)?;
        let inside = inside.trim().trim_end_matches(',').trim_end();
        if inside.is_empty() {
            return Err(format!("it means every series there is: {advice}"));
        }
        // Names, ranges and other expressions that might stand there are none of which a range can be taken.
        let all = format!("{{__name__=~\".+\",{inside}}}");
        for query in [format!("last_over_time({all}[1m])"), all] {
            Expression::parse(&query).map_err(|_| format!("these are no matchers: {advice}"))?;
        }
        match inside.contains("__name__") {
            true => Err(format!("the names of series are none of its matchers: {advice}")),
            false => Ok(Selector(inside.to_owned())),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{{}}}", self.0)
    }
}

/// From when to when, and how often: milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Since 1970.
    pub from: i64,
    /// Since 1970.
    pub until: i64,
    /// From one look to the next.
    pub step: i64,
}

impl Window {
    /// A window with a step of its own, or the usual one for its length.
    ///
    /// # Errors
    /// It has no length, or no room for a step.
    pub fn new(from: i64, until: i64, step: Option<i64>) -> Result<Window, String> {
        let span = until - from;
        if span <= 0 {
            return Err("it ends before it begins".to_owned());
        }
        let usual = (span / LOOKS / STEP * STEP).max(STEP).min(span);
        let step = step.unwrap_or(usual);
        if step <= 0 || step > span {
            return Err("there is no room in it for one step".to_owned());
        }
        Ok(Window { from, until, step })
    }

    /// Its parts, of at most so many looks each.
    fn parts(self, looks: i64) -> Vec<Window> {
        let length = (looks.clamp(1, POINTS) - 1) * self.step;
        let mut parts = Vec::new();
        let mut from = self.from;
        while from <= self.until {
            let until = (from + length).min(self.until);
            parts.push(Window { from, until, ..self });
            from = until - (until - from) % self.step + self.step;
        }
        parts
    }

    /// The request for an expression.
    fn request(self, query: &str) -> String {
        let (from, until, step) = (seconds(self.from), seconds(self.until), seconds(self.step));
        format!("api/v1/query_range?query={}&start={from}&end={until}&step={step}", escaped(query))
    }
}

/// A text as a part of a query of a URL.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}

impl Selector {
    /// What asks who has series.
    pub fn instances(&self, window: Window) -> String {
        let step = ((window.until - window.from) / 20).max(1_000);
        Window { step, ..window }.request(&format!("count by (job, instance) ({{{}}})", self.0))
    }

    /// What asks for the labels of all series of a member.
    pub fn series(&self, window: Window, (job, instance): (&str, &str)) -> String {
        let all = format!("{{{},job={},instance={}}}", self.0, quoted(job), quoted(instance));
        let (from, until) = (seconds(window.from), seconds(window.until));
        format!("api/v1/series?match[]={}&start={from}&end={until}", escaped(&all))
    }

    /// What asks for the samples of the series that are of use, of names and how many series each has.
    pub fn samples(&self, window: Window, names: &BTreeMap<String, u64>) -> Vec<String> {
        let wanted = names.iter().filter(|(name, _)| meters::of(name).is_some());
        let requests = wanted.flat_map(|(name, series)| {
            let looks = SAMPLES / i64::try_from(*series).unwrap_or(SAMPLES).max(1);
            let query = format!("{name}{{{}}}", self.0);
            window.parts(looks.max(2)).into_iter().map(move |part| part.request(&query))
        });
        requests.collect()
    }
}

/// Seconds since 1970, as Prometheus reads them.
fn seconds(milliseconds: i64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// A text in quotes, as PromQL reads it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A series of an answer, its samples by milliseconds since 1970.
type Row = (Labels, Vec<(i64, f64)>);

/// What stands at `data` in an answer.
fn data(status: u16, body: &[u8], pointer: &str) -> Result<Vec<Json>, String> {
    let other = || match status {
        200 => "this is no answer of a Prometheus".to_owned(),
        _ => format!("it answers {status}, and not as a Prometheus does"),
    };
    let mut answer: Json = serde_json::from_slice(body).map_err(|_| other())?;
    let text = |key: &str| answer.get(key).and_then(Json::as_str);
    match text("status") {
        Some("success") => {}
        Some("error") => {
            return Err(format!("it answers {status}: {}", text("error").unwrap_or("it does not say why")));
        }
        _ => return Err(other()),
    }
    match answer.pointer_mut(pointer).map(Json::take) {
        Some(Json::Array(items)) => Ok(items),
        _ => Err(other()),
    }
}

/// The series of an answer to a query, with their samples.
///
/// # Errors
/// What Prometheus says is wrong, or that it is no answer of a Prometheus.
pub fn rows(status: u16, body: &[u8]) -> Result<Vec<Row>, String> {
    let rows = data(status, body, "/data/result")?;
    rows.iter().map(|row| row_of(row).ok_or_else(|| "this is no answer of a Prometheus".to_owned())).collect()
}

/// The labels of series of an answer.
///
/// # Errors
/// As those of [`rows`].
pub fn series(status: u16, body: &[u8]) -> Result<Vec<Labels>, String> {
    let items = data(status, body, "/data")?;
    items.iter().map(|item| labels_of(item).ok_or_else(|| "this is no answer of a Prometheus".to_owned())).collect()
}

fn labels_of(item: &Json) -> Option<Labels> {
    item.as_object()?.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn row_of(row: &Json) -> Option<Row> {
    let labels = labels_of(row.get("metric")?)?;
    let sample = |it: &Json| {
        let at = it.get(0)?.as_f64()?;
        Some((f64::round(at * 1000.0) as i64, number(it.get(1)?.as_str()?)?))
    };
    Some((labels, row.get("values")?.as_array()?.iter().map(sample).collect::<Option<_>>()?))
}

/// A number as Prometheus writes it into JSON.
fn number(text: &str) -> Option<f64> {
    text.trim_start_matches('+').parse().ok()
}

fn label<'a>(labels: &'a [(String, String)], key: &str) -> &'a str {
    labels.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

/// What a Prometheus has told so far.
#[derive(Debug, Default)]
pub struct Told {
    observed: Observed,
    /// Members by job and instance.
    places: BTreeMap<(String, String), usize>,
    /// How many series there are of a name.
    series: BTreeMap<String, u64>,
}

impl Told {
    /// The labels of series.
    pub fn shows(&mut self, all: &[Labels]) {
        for labels in all {
            let (name, member) = (label(labels, "__name__"), self.place(labels));
            self.observed.members[member].shows(name, labels);
            *self.series.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Samples of some of them.
    pub fn samples(&mut self, rows: &[Row]) {
        for (labels, samples) in rows {
            let member = self.place(labels);
            self.observed.members[member].sample(label(labels, "__name__"), labels, samples);
        }
    }

    /// Who has series, by job and instance.
    pub fn instances(rows: &[Row]) -> Vec<(String, String)> {
        rows.iter().map(|(labels, _)| (label(labels, "job").to_owned(), label(labels, "instance").to_owned())).collect()
    }

    fn place(&mut self, labels: &[(String, String)]) -> usize {
        let members = &mut self.observed.members;
        let (job, instance) = (label(labels, "job"), label(labels, "instance"));
        *self.places.entry((job.to_owned(), instance.to_owned())).or_insert_with(|| {
            members.push(Seen::new(if instance.is_empty() { job } else { instance }));
            members.len() - 1
        })
    }

    /// How many series there are of a name.
    pub fn series(&self) -> &BTreeMap<String, u64> {
        &self.series
    }

    /// All that was told.
    pub fn done(self) -> Observed {
        Observed { one_clock: true, ..self.observed }
    }

    /// What was seen so far.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_matchers_in_braces() {
        let read = |text: &str| text.parse::<Selector>();
        assert_eq!(read(r#" { job="kestra", } "#), Ok(Selector(r#"job="kestra""#.to_owned())));
        for text in [
            "{}",
            "kestra",
            r#"up{job="a"}"#,
            r#"{job="a"}[5m]"#,
            "{job=}",
            r#"{job="a"} or {job="b"}"#,
            r#"{__name__="up"}"#,
            "{{}}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_is_asked_in_parts_that_meet() {
        let window = Window::new(0, 100_000, Some(10_000)).expect("a window");
        let parts: Vec<(i64, i64)> = window.parts(4).iter().map(|part| (part.from, part.until)).collect();
        assert_eq!(parts, [(0, 30_000), (40_000, 70_000), (80_000, 100_000)]);
        let long = Window::new(0, 40_000_000, Some(1_000)).expect("a window");
        assert!(long.parts(i64::MAX).iter().all(|part| (part.until - part.from) / part.step < POINTS));
        assert_eq!(Window::new(0, 21_600_000, None).map(|it| it.step), Ok(15_000));
        assert_eq!(Window::new(0, 86_400_000, None).map(|it| it.step), Ok(75_000));
        assert!(Window::new(5, 5, None).is_err() && Window::new(0, 10, Some(11)).is_err());
    }

    #[test]
    fn answers_are_read_and_errors_told() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"k","instance":"a:1"},"values":[[1.5,"1"],[2,"+Inf"]]}]}}"#;
        let read = rows(200, body).expect("rows");
        assert_eq!(read[0].1, [(1_500, 1.0), (2_000, f64::INFINITY)]);
        let error = br#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}"#;
        assert_eq!(rows(400, error), Err("it answers 400: exceeded maximum resolution".to_owned()));
        assert_eq!(rows(200, b"<html>"), Err("this is no answer of a Prometheus".to_owned()));
        assert_eq!(rows(404, b"nope"), Err("it answers 404, and not as a Prometheus does".to_owned()));
        let query = r#"a{b="c d"}"#;
        assert_eq!(
            Window { from: 0, until: 1_500, step: 500 }.request(query),
            "api/v1/query_range?query=a%7Bb%3D%22c%20d%22%7D&start=0.000&end=1.500&step=0.500"
        );
    }
}
