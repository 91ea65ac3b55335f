//! Samples as Prometheus's remote write carries them, protocol 1.0: `WriteRequest { timeseries: 1 { labels: 1 { name: 1,
//! value: 2 }, samples: 2 { value: 1 (double), timestamp: 2 (int64, ms) } } }`, packed as a block of Snappy.
//!
//! The message is made by hand: the labels of a series are written once and copied into every request, which no derived code
//! would do.

use crate::monitor::Sink;
use crate::promql::{Labels, stale};

/// What is left of a NaN that is no marker of staleness: the one Prometheus keeps for all of them.
const ORDINARY_NAN: u64 = 0x7ff8_0000_0000_0001;

/// A request in the making: samples so far, series by series.
#[derive(Debug, Default)]
pub struct RemoteWrite {
    /// Samples before are left out, in milliseconds since 1970.
    from: i64,
    /// Samples that are left out because somebody has them already.
    skip: u64,
    /// Labels that are added where a series has none of that name.
    external: Vec<(String, String)>,
    /// By number.
    series: Vec<Series>,
    /// Series with samples.
    filled: Vec<u32>,
    /// Samples of the request.
    waiting: usize,
    /// Samples of all requests so far, and those that were skipped.
    taken: u64,
    packer: Packer,
}

/// A series: its labels and its samples, as they stand in the message.
#[derive(Debug, Default)]
struct Series {
    labels: Option<Box<[u8]>>,
    samples: Vec<u8>,
}

/// The message of the last request, and its packed form.
#[derive(Debug)]
struct Packer {
    message: Vec<u8>,
    packed: Vec<u8>,
    snappy: snap::raw::Encoder,
}

impl Default for Packer {
    fn default() -> Packer {
        Packer { message: Vec::new(), packed: Vec::new(), snappy: snap::raw::Encoder::new() }
    }
}

impl RemoteWrite {
    /// Takes samples from an instant on, but the first `skip` of them; with these labels of the Prometheus itself.
    pub fn new(from: i64, skip: u64, external: Vec<(String, String)>) -> RemoteWrite {
        RemoteWrite { from, skip, external, ..RemoteWrite::default() }
    }

    /// Samples that wait for the next request.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Samples that were handed over up to the last request, those included that were skipped.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The body of a request with all samples that wait; none when there are none.
    ///
    /// # Errors
    /// It is longer than a block of Snappy can be, in words.
    pub fn request(&mut self) -> Result<Option<&[u8]>, String> {
        if self.waiting == 0 {
            return Ok(None);
        }
        let Packer { message, packed, snappy } = &mut self.packer;
        message.clear();
        for place in self.filled.drain(..) {
            let Some(series) = self.series.get_mut(place as usize) else { continue };
            let labels = series.labels.as_deref().unwrap_or_default();
            message.push(1 << 3 | 2);
            varint(message, (labels.len() + series.samples.len()) as u64);
            message.extend_from_slice(labels);
            message.extend_from_slice(&series.samples);
            series.samples.clear();
        }
        self.taken += self.waiting as u64;
        self.waiting = 0;
        packed.resize(snap::raw::max_compress_len(message.len()), 0);
        let length = snappy.compress(message, packed).map_err(|error| error.to_string())?;
        Ok(packed.get(..length))
    }

    /// The labels of a series in the message, in the order of their names.
    fn labels(&self, labels: &Labels) -> Box<[u8]> {
        let mut all: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        let own = |name: &str| labels.iter().any(|(known, _)| &**known == name);
        let external = self.external.iter().filter(|(name, _)| !own(name));
        all.extend(external.map(|(name, value)| (name.as_str(), value.as_str())));
        all.sort_unstable();
        let (mut message, mut label) = (Vec::new(), Vec::new());
        // An empty label is none.
        for (name, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
            label.clear();
            field(&mut label, 1, name.as_bytes());
            field(&mut label, 2, value.as_bytes());
            field(&mut message, 1, &label);
        }
        message.into()
    }
}

impl Sink for RemoteWrite {
    fn sample(&mut self, series: u32, labels: &Labels, time: i64, value: f64) {
        if time < self.from {
            return;
        }
        if self.taken < self.skip {
            self.taken += 1;
            return;
        }
        let place = series as usize;
        if self.series.len() <= place {
            self.series.resize_with(place + 1, Series::default);
        }
        if self.series.get(place).is_some_and(|it| it.labels.is_none()) {
            let written = self.labels(labels);
            if let Some(it) = self.series.get_mut(place) {
                it.labels = Some(written);
            }
        }
        let Some(it) = self.series.get_mut(place) else { return };
        if it.samples.is_empty() {
            self.filled.push(series);
        }
        let bits = if value.is_nan() && !stale(value) { ORDINARY_NAN } else { value.to_bits() };
        // The length of a sample is below 128: one byte, known when the rest is.
        let mut one = [0u8; 22];
        one[0] = 2 << 3 | 2;
        one[2] = 1 << 3 | 1;
        one[3..11].copy_from_slice(&bits.to_le_bytes());
        one[11] = 2 << 3;
        let (mut left, mut length) = (time as u64, 12);
        while left >= 0x80 && length < 21 {
            one[length] = left as u8 | 0x80;
            (left, length) = (left >> 7, length + 1);
        }
        one[length] = left as u8;
        one[1] = length as u8 - 1;
        it.samples.extend_from_slice(&one[..=length]);
        self.waiting += 1;
    }
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// A field of bytes.
fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::NO_SAMPLE;

    #[test]
    fn a_request_has_the_bytes_of_the_protocol() {
        let labels: Labels = vec![("__name__".into(), "a".into()), ("z".into(), "y".into())].into();
        let external = vec![("e".to_owned(), "x".to_owned()), ("z".to_owned(), "never".to_owned())];
        let mut remote = RemoteWrite::new(1_000, 1, external);
        for (time, value) in [(999, 9.0), (1_000, 9.0), (1_001, 1.5), (1_002, NO_SAMPLE), (1_003, f64::NAN)] {
            remote.sample(4, &labels, time, value);
        }
        assert_eq!((remote.waiting(), remote.taken()), (3, 1));
        let packed = remote.request().expect("packed").expect("samples").to_vec();
        let message = snap::raw::Decoder::new().decompress_vec(&packed).expect("a block of Snappy");
        let mut expected = vec![0x0a, 76];
        expected.extend(b"\x0a\x0d\x0a\x08__name__\x12\x01a\x0a\x06\x0a\x01e\x12\x01x\x0a\x06\x0a\x01z\x12\x01y");
        for (bits, time) in [(1.5f64.to_bits(), 0xe9), (0x7ff0_0000_0000_0002, 0xea), (0x7ff8_0000_0000_0001, 0xeb)] {
            expected.extend([0x12, 12, 0x09]);
            expected.extend(bits.to_le_bytes());
            expected.extend([0x10, time, 0x07]);
        }
        expected[1] = expected.len() as u8 - 2;
        assert_eq!(message, expected);
        assert_eq!((remote.waiting(), remote.taken(), remote.request().expect("none")), (0, 4, None));
    }
}
