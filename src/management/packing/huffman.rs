//! Deflate's codes (RFC 1951, section 3.2).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::bits::Bits;

/// The longest code of literals, lengths and distances, in bits.
const LONGEST: u8 = 15;
/// The longest code of the lengths of codes.
const LONGEST_OF_LENGTHS: u8 = 7;

/// Literals, the end of a block, lengths.
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
/// The symbol that ends a block.
const END: usize = 256;
/// The symbol of the shortest length.
const FIRST_LENGTH: usize = 257;

/// The shortest length of each symbol.
const LENGTH_BASES: [u16; 29] =
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
/// Bits behind each symbol, which say how much longer it is.
const LENGTH_EXTRA: [u8; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
/// In which order a block says how long the codes of lengths of codes are.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Bits, and how many.
pub(super) type Word = (u64, u32);

/// How often each symbol comes; once at least, so that all have a code.
pub(super) struct Counts {
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
}

impl Default for Counts {
    fn default() -> Counts {
        Counts { literals: [1; LITERALS], distances: [1; DISTANCES] }
    }
}

impl Counts {
    pub(super) fn literal(&mut self, byte: u8, times: u32) {
        self.literals[usize::from(byte)] += times;
    }

    pub(super) fn repeat(&mut self, length: u32, distance: u32) {
        self.literals[FIRST_LENGTH + length_symbol(length)] += 1;
        self.distances[distance_symbol(distance).0] += 1;
    }
}

/// The codes of one block.
#[derive(Debug)]
pub(super) struct Codes {
    literals: [(u16, u8); LITERALS],
    distances: [(u16, u8); DISTANCES],
}

impl Codes {
    /// Codes for what comes so often.
    pub(super) fn of(counts: &Counts) -> Codes {
        let mut codes = Codes { literals: [(0, 0); LITERALS], distances: [(0, 0); DISTANCES] };
        assign(&mut codes.literals, &lengths(&counts.literals, LONGEST));
        assign(&mut codes.distances, &lengths(&counts.distances, LONGEST));
        codes
    }

    #[inline(always)]
    pub(super) fn literal(&self, byte: u8) -> Word {
        word(self.literals[usize::from(byte)])
    }

    pub(super) fn end(&self) -> Word {
        word(self.literals[END])
    }

    /// A length from 3 to 258: at most 20 bits.
    pub(super) fn length(&self, length: u32) -> Word {
        let symbol = length_symbol(length);
        let (bits, count) = word(self.literals[FIRST_LENGTH + symbol]);
        let more = u64::from(length - u32::from(LENGTH_BASES[symbol]));
        (bits | more << count, count + u32::from(LENGTH_EXTRA[symbol]))
    }

    /// A distance from 1 to 32,768: at most 28 bits.
    #[inline(always)]
    pub(super) fn distance(&self, distance: u32) -> Word {
        let (symbol, more, extra) = distance_symbol(distance);
        let (bits, count) = word(self.distances[symbol]);
        (bits | u64::from(more) << count, count + extra)
    }

    /// The beginning of the last block of a stream, which has these codes.
    pub(super) fn head(&self) -> (Vec<u8>, Word) {
        let all = || self.literals.iter().chain(&self.distances).map(|(_, length)| usize::from(*length));
        let mut counts = [0; ORDER.len()];
        all().for_each(|length| counts[length] += 1);
        let lengths = lengths(&counts, LONGEST_OF_LENGTHS);
        let mut codes = [(0, 0); ORDER.len()];
        assign(&mut codes, &lengths);
        let mut out = Bits::behind(Vec::new(), (0b101, 3), 2 * (LITERALS + DISTANCES));
        out.put((LITERALS - FIRST_LENGTH) as u64, 5);
        out.put((DISTANCES - 1) as u64, 5);
        out.put((ORDER.len() - 4) as u64, 4);
        out.flush();
        for symbol in ORDER {
            out.put(u64::from(lengths[symbol]), 3);
            out.flush();
        }
        for length in all() {
            let (bits, count) = word(codes[length]);
            out.put(bits, count);
            out.flush();
        }
        out.parts()
    }
}

fn word((bits, count): (u16, u8)) -> Word {
    (u64::from(bits), u32::from(count))
}

fn length_symbol(length: u32) -> usize {
    LENGTH_BASES.partition_point(|base| u32::from(*base) <= length).saturating_sub(1)
}

/// The symbol, and the number behind it with its bits: there are two symbols for each power of two.
#[inline(always)]
fn distance_symbol(distance: u32) -> (usize, u32, u32) {
    let from_zero = distance - 1;
    if from_zero < 4 {
        return (from_zero as usize, 0, 0);
    }
    let extra = 30 - from_zero.leading_zeros();
    let symbol = 2 * (extra + 1) + (from_zero >> extra & 1);
    (symbol as usize, from_zero & ((1 << extra) - 1), extra)
}

/// How long the code of each symbol is, none longer than a limit; 0 for those that never come.
fn lengths(counts: &[u32], limit: u8) -> Vec<u8> {
    let mut counts = counts.to_vec();
    loop {
        let lengths = unlimited(&counts);
        if lengths.iter().all(|length| *length <= limit) {
            return lengths;
        }
        // The flatter the counts, the flatter the tree: in the end all are 1.
        counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = count.div_ceil(2));
    }
}

/// Huffman's own lengths: the two that come least often are joined, again and again.
fn unlimited(counts: &[u32]) -> Vec<u8> {
    let present = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let mut waiting: BinaryHeap<_> = present.map(|(symbol, count)| Reverse((u64::from(*count), symbol))).collect();
    let mut parents = vec![0; counts.len()];
    while let (Some(Reverse((few, one))), Some(Reverse((more, other)))) = (waiting.pop(), waiting.pop()) {
        let joined = parents.len();
        parents.push(0);
        (parents[one], parents[other]) = (joined, joined);
        waiting.push(Reverse((few + more, joined)));
    }
    // A parent comes behind its children; the root has none.
    let mut depths = vec![0u8; parents.len()];
    for node in (0..parents.len()).rev().filter(|node| parents[*node] > 0) {
        depths[node] = depths[parents[node]].saturating_add(1);
    }
    depths.truncate(counts.len());
    depths
}

/// Gives each symbol its code, the bits in the order in which they are written.
fn assign(codes: &mut [(u16, u8)], lengths: &[u8]) {
    let mut next = 0u32;
    for length in 1..=LONGEST {
        next <<= 1;
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, own)| **own == length) {
            *code = ((next.reverse_bits() >> (32 - u32::from(length))) as u16, length);
            next += 1;
        }
    }
}
