//! The pattern of an exposition: all that stands between its numbers.
//!
//! From one look at a process to the next only the numbers change. So what repeats in the rest is found once, and written in
//! the codes of one block of deflate once; to pack a text is to put its numbers in between. Only distances are not known
//! before, as the numbers between two places may be longer or shorter.

use std::ops::Range;

use super::bits::{Bits, MOST};
use super::huffman::{Codes, Counts, Word};
use super::matching::{Step, steps};

/// Bytes of the longest number: that of Java, `-2.2250738585072014E-308`.
const NUMBER: usize = 24;

/// What a number costs when codes are made: how often each byte comes in one.
const OF_A_NUMBER: [(u8, u32); 12] = [
    (b'0', 2),
    (b'.', 1),
    (b'1', 1),
    (b'2', 1),
    (b'3', 1),
    (b'4', 1),
    (b'5', 1),
    (b'6', 1),
    (b'7', 1),
    (b'8', 1),
    (b'9', 1),
    (b'E', 1),
];

/// What never changes of a text, one part after another; between two parts stands a number.
#[derive(Debug)]
pub(super) struct Parts {
    bytes: Vec<u8>,
    /// Where each part ends.
    ends: Vec<u32>,
}

impl Parts {
    /// The parts of a text; none when a number is too long. A number is what stands behind the last blank of a line that is
    /// no remark.
    fn of(text: &[u8]) -> Option<Parts> {
        let mut parts = Parts { bytes: Vec::with_capacity(text.len()), ends: Vec::new() };
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let number = line.strip_suffix(b"\n").filter(|line| !line.starts_with(b"#"));
            let blank = number.and_then(|line| line.iter().rposition(|byte| *byte == b' '));
            let (Some(blank), Some(number)) = (blank, number) else {
                parts.bytes.extend_from_slice(line);
                continue;
            };
            if number.len() - (blank + 1) > NUMBER {
                return None;
            }
            parts.bytes.extend_from_slice(&line[..=blank]);
            parts.ends.push(parts.bytes.len() as u32);
            parts.bytes.push(b'\n');
        }
        parts.ends.push(parts.bytes.len() as u32);
        Some(parts)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where a part stands.
    pub(super) fn range(&self, part: usize) -> Range<usize> {
        let start = if part == 0 { 0 } else { self.ends[part - 1] };
        start as usize..self.ends[part] as usize
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.ends.len()).map(|part| self.range(part))
    }

    /// Where each part begins in a text; none when it is made of others.
    fn starts(&self, text: &[u8]) -> Option<Vec<u32>> {
        let mut starts = Vec::with_capacity(self.ends.len());
        let mut rest = text;
        for range in self.ranges() {
            if !starts.is_empty() {
                let within = &rest[..rest.len().min(NUMBER + 1)];
                let end = within.iter().position(|byte| *byte <= b' ').filter(|end| within[*end] == b'\n')?;
                rest = &rest[end..];
            }
            starts.push((text.len() - rest.len()) as u32);
            rest = rest.strip_prefix(&self.bytes[range])?;
        }
        rest.is_empty().then_some(starts)
    }
}

/// How texts of the same parts are packed.
#[derive(Debug)]
pub(super) struct Pattern {
    parts: Parts,
    codes: Codes,
    /// How the block begins.
    head: (Vec<u8>, Word),
    pieces: Vec<Piece>,
    /// Where the pieces of each part end.
    ends: Vec<u32>,
}

/// Some bits, and perhaps a distance behind them: at most [`MOST`] in all.
#[derive(Debug)]
struct Piece {
    bits: u64,
    count: u32,
    /// The part that the distance leads to.
    source: u32,
    /// What is to be added to the distance between the beginnings of the two parts.
    shift: i32,
}

/// The source of a piece that ends without a distance.
const NO_DISTANCE: u32 = u32::MAX;
/// Bits of the longest distance.
const DISTANCE: u32 = 28;

impl Pattern {
    /// The pattern of a text; none when it has none.
    pub(super) fn of(text: &[u8]) -> Option<Pattern> {
        let parts = Parts::of(text)?;
        let steps = steps(&parts, NUMBER);
        let codes = Codes::of(&counted(&steps));
        let (mut pieces, mut ends) = (Pieces::default(), Vec::with_capacity(parts.ends.len()));
        for step in &steps {
            match *step {
                Step::Literal(byte) => pieces.add(codes.literal(byte), None),
                Step::Repeat { length, source, shift, .. } => pieces.add(codes.length(length), Some((source, shift))),
                Step::End => {
                    pieces.open = false;
                    ends.push(pieces.done.len() as u32);
                }
            }
        }
        let head = codes.head();
        Some(Pattern { parts, codes, head, pieces: pieces.done, ends })
    }

    /// Appends a text as a whole stream of deflate. False, and nothing is appended, when it is not of this pattern.
    pub(super) fn pack(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(starts) = self.parts.starts(text) else { return false };
        let (head, rest) = &self.head;
        out.extend_from_slice(head);
        // A byte of a number has at most fifteen bits.
        let room = self.pieces.len() * size_of::<u64>() + starts.len() * NUMBER * 2 + size_of::<u64>();
        let mut bits = Bits::behind(std::mem::take(out), *rest, room);
        let mut from = 0;
        for (part, (start, end)) in starts.iter().zip(&self.ends).enumerate() {
            for piece in &self.pieces[from..*end as usize] {
                bits.put(piece.bits, piece.count);
                if let Some(source) = starts.get(piece.source as usize) {
                    let distance = (*start as i32 - *source as i32 + piece.shift) as u32;
                    let (distance, count) = self.codes.distance(distance);
                    bits.put(distance, count);
                }
                bits.flush();
            }
            from = *end as usize;
            let behind = *start as usize + self.parts.range(part).len();
            let number = starts.get(part + 1).map_or(&[][..], |next| &text[behind..*next as usize]);
            for three in number.chunks(3) {
                for byte in three {
                    let (literal, count) = self.codes.literal(*byte);
                    bits.put(literal, count);
                }
                bits.flush();
            }
        }
        let (end, count) = self.codes.end();
        bits.put(end, count);
        *out = bits.bytes();
        true
    }
}

/// How often each symbol comes.
fn counted(steps: &[Step]) -> Counts {
    let mut counts = Counts::default();
    for step in steps {
        match *step {
            Step::Literal(byte) => counts.literal(byte, 1),
            Step::Repeat { length, distance, .. } => counts.repeat(length, distance),
            Step::End => OF_A_NUMBER.iter().for_each(|(byte, times)| counts.literal(*byte, *times)),
        }
    }
    counts
}

/// Pieces in the making.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    /// More may be added to the last one.
    open: bool,
}

impl Pieces {
    fn add(&mut self, (bits, count): Word, repeat: Option<(u32, i32)>) {
        let most = if repeat.is_some() { MOST - DISTANCE } else { MOST };
        let (source, shift) = repeat.unwrap_or((NO_DISTANCE, 0));
        match self.done.last_mut().filter(|last| self.open && last.count + count <= most) {
            Some(last) => {
                *last = Piece { bits: last.bits | bits << last.count, count: last.count + count, source, shift };
            }
            None => self.done.push(Piece { bits, count, source, shift }),
        }
        self.open = repeat.is_none();
    }
}
