//! A stream of bits, as deflate has it: the first one is the lowest of the first byte.

/// Bits that one [`Bits::put`] after the other may add before they are [flushed](Bits::flush).
pub(super) const MOST: u32 = 56;

/// Where bits are written to.
pub(super) struct Bits {
    /// Zeros behind what is written.
    bytes: Vec<u8>,
    /// Bytes that are whole.
    whole: usize,
    rest: u64,
    /// Bits of the rest: fewer than eight once they are flushed.
    count: u32,
}

impl Bits {
    /// A stream that goes on behind these bytes and some bits, and has room for so many bytes more.
    pub(super) fn behind(mut bytes: Vec<u8>, (rest, count): (u64, u32), room: usize) -> Bits {
        let whole = bytes.len();
        bytes.resize(whole + room + size_of::<u64>(), 0);
        Bits { bytes, whole, rest, count }
    }

    /// Adds the lowest bits of a number, which has no others.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        self.rest |= bits << self.count;
        self.count += count;
    }

    /// Makes room for [`MOST`] bits more.
    #[inline(always)]
    pub(super) fn flush(&mut self) {
        if let Some(room) = self.bytes[self.whole..].first_chunk_mut() {
            *room = self.rest.to_le_bytes();
        }
        self.whole += (self.count >> 3) as usize;
        self.rest >>= self.count & !7;
        self.count &= 7;
    }

    /// The whole bytes, and the bits behind them.
    pub(super) fn parts(mut self) -> (Vec<u8>, (u64, u32)) {
        self.flush();
        self.bytes.truncate(self.whole);
        (self.bytes, (self.rest, self.count))
    }

    /// All bytes, the last one filled up with zeros.
    pub(super) fn bytes(mut self) -> Vec<u8> {
        self.flush();
        self.bytes.truncate(self.whole + usize::from(self.count > 0));
        self.bytes
    }
}
