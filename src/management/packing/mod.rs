//! gzip and deflate, as the recorded server picks them.
//!
//! Every Prometheus asks for gzip at each scrape. An exposition is packed by the [`Pattern`] of its lines, which is kept;
//! everything else by a library. Which bytes come out depends on the body alone, not on what was kept.

mod bits;
mod huffman;
mod matching;
mod pattern;

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::Request;
use pattern::Pattern;

/// Bodies from this size on are compressed (Micronaut's default; 419 bytes of /health never were).
const COMPRESSION_THRESHOLD: usize = 1024;

/// Bodies up to this size have a pattern, which is some four times as large.
const LONGEST_PATTERN: usize = 1 << 20;

/// The recorded server takes level 6. Every Prometheus asks for gzip at each scrape, and an exposition of 200 kB takes six
/// times as long with it as at this one, to be a third smaller.
const LEVEL: Compression = Compression::fast();

/// What stands before the body: no file name, no time, no word of the level, operating system 0, as the recorded server sends.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0];

/// What is kept of a member's expositions from one to the next, so that they are packed faster.
#[derive(Debug, Default)]
pub struct Packer {
    last: Mutex<Option<Arc<Pattern>>>,
}

impl Packer {
    /// A body in the form that a request asks for, and its name; none when it goes out as it is.
    pub(super) fn compress(&self, request: &Request, status: u16, body: &[u8]) -> Option<(&'static str, Vec<u8>)> {
        if status != 200 || body.len() < COMPRESSION_THRESHOLD {
            return None;
        }
        match Coding::asked(request)? {
            Coding::Gzip => Some(("gzip", self.gzip(body)?)),
            // Writing to a Vec cannot fail; should it, the body goes out as it is.
            Coding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), LEVEL);
                encoder.write_all(body).ok()?;
                Some(("deflate", encoder.finish().ok()?))
            }
        }
    }

    fn gzip(&self, body: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(body.len() / 6 + 1024);
        out.extend_from_slice(&GZIP_HEADER);
        // Only an exposition begins so.
        let has_pattern = body.starts_with(b"# ") && body.len() <= LONGEST_PATTERN;
        if !(has_pattern && self.weave(body, &mut out)) {
            deflate(body, &mut out)?;
        }
        let mut check = Crc::new();
        check.update(body);
        out.extend_from_slice(&check.sum().to_le_bytes());
        out.extend_from_slice(&check.amount().to_le_bytes());
        Some(out)
    }

    /// Packs a body by its pattern: the one that is kept when it is of it, else a new one. False, and nothing is written,
    /// when it has none.
    fn weave(&self, body: &[u8], out: &mut Vec<u8>) -> bool {
        // A pattern is whole or it is not there: nothing is poisoned.
        let kept = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if kept.is_some_and(|kept| kept.pack(body, out)) {
            return true;
        }
        let Some(new) = Pattern::of(body) else { return false };
        let packed = new.pack(body, out);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(new));
        packed
    }
}

/// Ways to compress that the recorded server knows; it knows neither br nor zstd.
enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// The one that it picks for a request.
    fn asked(request: &Request) -> Option<Coding> {
        let (mut any, mut gzip, mut deflate) = (None, None, None);
        for entry in request.list("accept-encoding") {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let quality = parameters.trim().strip_prefix("q=");
            let quality = quality.map_or(Some(1.0), |q| q.trim().parse().ok()).unwrap_or(0.0);
            match name.trim() {
                "*" => any = Some(quality),
                name if name.eq_ignore_ascii_case("gzip") => gzip = Some(quality),
                name if name.eq_ignore_ascii_case("deflate") => deflate = Some(quality),
                _ => {}
            }
        }
        let none = -1.0_f64;
        let (gzip, deflate) = (gzip.or(any).unwrap_or(none), deflate.or(any).unwrap_or(none));
        if gzip > 0.0 && gzip >= deflate { Some(Coding::Gzip) } else { (deflate > 0.0).then_some(Coding::Deflate) }
    }
}

thread_local! {
    /// What a thread compresses with: its tables, larger than most bodies, are made once and not for each answer.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(LEVEL, false));
}

/// Appends a body as deflate, by the library; none should it not be able to.
fn deflate(body: &[u8], out: &mut Vec<u8>) -> Option<()> {
    DEFLATE.with_borrow_mut(|deflate| {
        deflate.reset();
        loop {
            let rest = body.get(usize::try_from(deflate.total_in()).ok()?..)?;
            match deflate.compress_vec(rest, out, FlushCompress::Finish).ok()? {
                Status::StreamEnd => return Some(()),
                Status::Ok | Status::BufError => out.reserve(body.len() / 7 + 1024),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::MultiGzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut unpacked = Vec::new();
        MultiGzDecoder::new(packed).read_to_end(&mut unpacked).expect("gzip");
        unpacked
    }

    #[test]
    fn gzip_unpacks_to_the_same_bytes_one_body_after_another() {
        // Numbers that look like chance (xorshift).
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let packer = Packer::default();
        for kind in (0..400).map(|index| index % 4) {
            let length = (next() % 120_000) as usize;
            // One byte again and again, few bytes, lines with numbers, and what cannot be made smaller.
            let body: Vec<u8> = match kind {
                0 => vec![b'a'; length],
                1 => (0..length).map(|_| b"ab\n{"[(next() % 4) as usize]).collect(),
                2 => (0..length / 20)
                    .flat_map(|_| format!("name_total{{a=\"b\"}} {}.0\n", next() % 1000).into_bytes())
                    .collect(),
                _ => (0..length).map(|_| next() as u8).collect(),
            };
            let packed = packer.gzip(&body).expect("packed");
            assert_eq!(packed[..10], GZIP_HEADER);
            assert!(unpacked(&packed) == body, "{} bytes of kind {kind}", body.len());
        }
    }

    /// What lines may look like: those of expositions, with numbers short and too long, and others.
    fn line() -> impl Strategy<Value = String> {
        let number =
            prop_oneof!["[0-9]{1,3}\\.[0-9]", "-?[0-9]\\.[0-9]{1,17}E-?[0-9]{1,3}", "NaN|\\+Inf", "[0-9]{20,30}", ""];
        prop_oneof![
            8 => ("[a-c]{1,3}", "(\\{[a-c]=\"[a-d ]{0,40}\"\\})?", number)
                .prop_map(|(name, labels, number)| format!("{name}{labels} {number}\n")),
            1 => "# (HELP|TYPE) [a-c]{1,3} [ -~]{0,60}\n",
            1 => "[ -~\u{e9}\t\r]{0,30}\n",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]
        #[test]
        fn a_pattern_unpacks_to_the_same_bytes_and_depends_on_the_body_alone(
            lines in prop::collection::vec(line(), 1..400),
            others in prop::collection::vec(("[0-9.E+-]{0,26}", any::<prop::sample::Index>()), 0..20),
            repeated in 1usize..40,
            end in "[a-z 0-9]{0,5}",
        ) {
            let times = repeated.min(1 + 4000 / lines.len());
            let mut lines: Vec<String> = lines.iter().cycle().take(lines.len() * times).cloned().collect();
            let packer = Packer::default();
            let text = |lines: &[String]| format!("# HELP\n{}{end}", lines.concat()).into_bytes();
            let first = text(&lines);
            prop_assert!(unpacked(&packer.gzip(&first).expect("packed")) == first);
            for (number, at) in &others {
                let line = at.get_mut(&mut lines);
                if let Some(space) = line.rfind(' ').filter(|_| !line.starts_with('#')) {
                    line.truncate(space + 1);
                    *line += number;
                    line.push('\n');
                }
            }
            let second = text(&lines);
            let packed = packer.gzip(&second).expect("packed");
            prop_assert!(unpacked(&packed) == second);
            prop_assert_eq!(packed, Packer::default().gzip(&second).expect("packed"));
        }
    }

    #[test]
    fn a_recorded_exposition_is_packed_as_well_as_by_the_library() {
        let text = include_str!("../../../tests/captures/1.3/standalone/GET_prometheus.http");
        let body = text.split_once("\r\n\r\n").map_or(text, |(_, body)| body).as_bytes();
        let at = body.iter().position(|byte| *byte == b'#').expect("an exposition");
        let body = &body[at..];
        let packed = Packer::default().gzip(body).expect("packed");
        let mut by_library = Vec::new();
        deflate(body, &mut by_library).expect("packed");
        assert!(unpacked(&packed) == body);
        let (own, other) = (packed.len(), by_library.len());
        assert!(own * 100 < other * 110, "{own} bytes beside {other}");
    }
}
