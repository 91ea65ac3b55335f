//! What repeats within the parts of a text (LZ77).

use super::pattern::Parts;

/// As far as deflate looks back, in bytes.
const WINDOW: usize = 32_768;
/// Deflate knows three; they are seldom worth it.
const SHORTEST: usize = 4;
const LONGEST: usize = 258;
/// Places that are tried for each repetition.
const TRIES: usize = 8;
/// Bits of a hash.
const HASH: u32 = 15;
/// What a place is linked to when there is nothing before it.
const NOWHERE: u32 = u32::MAX;

/// A step through the constant bytes.
pub(super) enum Step {
    /// This byte.
    Literal(u8),
    /// Bytes that came before, all in one part.
    Repeat {
        length: u32,
        /// The part that has them.
        source: u32,
        /// Where they are repeated, from the beginning of the part under way, less where they stand in theirs.
        shift: i32,
        /// How far back they are when a number in between has none.
        distance: u32,
    },
    /// The part is over.
    End,
}

/// The steps through all parts. What lies between two places is never more than deflate's window, however long the numbers
/// in between are, up to `number` bytes.
pub(super) fn steps(parts: &Parts, number: usize) -> Vec<Step> {
    let bytes = parts.bytes();
    let mut found = Found { last: vec![NOWHERE; 1 << HASH], before: vec![NOWHERE; bytes.len()] };
    let mut part_of = vec![0u32; bytes.len()];
    let mut steps = Vec::with_capacity(bytes.len() / 8);
    for (part, range) in parts.ranges().enumerate() {
        part_of[range.clone()].fill(part as u32);
        let mut at = range.start;
        while at < range.end {
            let mut best = (SHORTEST - 1, 0);
            for source in found.candidates(bytes, at, range.end) {
                let own = part_of[source] as usize;
                if at - source + (part - own) * number > WINDOW {
                    break;
                }
                let most = (range.end - at).min(LONGEST).min(parts.range(own).end - source);
                // It must be longer than what there is: its last byte is asked first.
                if best.0 < most && bytes[source + best.0] == bytes[at + best.0] {
                    let length = common(&bytes[at..at + most], &bytes[source..source + most]);
                    best = if length > best.0 { (length, source) } else { best };
                }
            }
            let (length, source) = best;
            let length = if length < SHORTEST {
                steps.push(Step::Literal(bytes[at]));
                1
            } else {
                let own = part_of[source];
                let shift = (at - range.start) as i32 - (source - parts.range(own as usize).start) as i32;
                steps.push(Step::Repeat { length: length as u32, source: own, shift, distance: (at - source) as u32 });
                length
            };
            (at..at + length).for_each(|place| found.add(bytes, place, range.end));
            at += length;
        }
        steps.push(Step::End);
    }
    steps
}

/// Where bytes have been.
struct Found {
    /// By hash of the next bytes: the last place.
    last: Vec<u32>,
    /// By place: the one before it with the same hash.
    before: Vec<u32>,
}

impl Found {
    /// The hash of the bytes at a place, when there are enough before an end.
    fn slot(bytes: &[u8], at: usize, end: usize) -> Option<usize> {
        let word = u32::from_le_bytes(*bytes[at..end].first_chunk::<SHORTEST>()?);
        Some((word.wrapping_mul(0x9E37_79B1) >> (32 - HASH)) as usize)
    }

    fn add(&mut self, bytes: &[u8], at: usize, end: usize) {
        if let Some(slot) = Found::slot(bytes, at, end) {
            self.before[at] = std::mem::replace(&mut self.last[slot], at as u32);
        }
    }

    /// Places that may have the same bytes, the nearest first.
    fn candidates(&self, bytes: &[u8], at: usize, end: usize) -> impl Iterator<Item = usize> {
        let place = |place: u32| (place != NOWHERE).then_some(place as usize);
        let first = Found::slot(bytes, at, end).and_then(|slot| place(self.last[slot]));
        std::iter::successors(first, move |source| place(self.before[*source])).take(TRIES)
    }
}

/// How many bytes are the same at the beginning of two texts of one length.
fn common(one: &[u8], other: &[u8]) -> usize {
    let (ones, others) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    for (index, (one, other)) in ones.iter().zip(others).enumerate() {
        let differs = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if differs != 0 {
            return index * 8 + differs.trailing_zeros() as usize / 8;
        }
    }
    let whole = ones.len() * 8;
    whole + one[whole..].iter().zip(&other[whole..]).take_while(|(one, other)| one == other).count()
}
