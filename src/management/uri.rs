//! The request target, read as `java.net.URI` reads it: the recorded server answers its complaints with 500.

use super::error::{Error, Kind};
use crate::profile::DoubleSlash;

/// A target that can be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Path and query, as error bodies repeat it.
    pub href: &'a str,
    /// The raw path: routes are matched before decoding.
    pub path: &'a str,
    /// The raw query.
    pub query: &'a str,
}

/// Why a target is no URI (idle/wire: `//health`, `%zz`, `{`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// All of it is an authority, nothing is left for the path.
    Empty,
    /// A character that may not be there, in Java's words.
    Illegal(String),
}

impl Unreadable {
    /// What the server says to it.
    pub fn error(&self) -> Error {
        match self {
            Unreadable::Empty => Error::new(Kind::Framework, "URI cannot be empty", ""),
            Unreadable::Illegal(complaint) => Error::internal(complaint, "/"),
        }
    }
}

impl<'a> Target<'a> {
    /// Reads a target, also one in absolute form. A fragment is no part of the URI, but of what is routed (0.20, standalone/
    /// idle/paths).
    ///
    /// # Errors
    /// What is wrong with a target that is no URI.
    pub fn read(target: &'a str, double_slash: DoubleSlash) -> Result<Target<'a>, Unreadable> {
        let href = target.split_once("://").map_or(target, |(scheme, rest)| match rest.find('/') {
            _ if scheme.contains(['/', '?']) => target,
            Some(slash) => &rest[slash..],
            None => "/",
        });
        let (path, query) = href.split_once('?').unwrap_or((href, ""));
        let plain = |part: &'a str| part.split('#').next().unwrap_or(part);
        let host = |rest: &str| double_slash == DoubleSlash::Host && !rest.contains('/');
        if path.strip_prefix("//").is_some_and(host) {
            return Err(Unreadable::Empty);
        }
        let complaint = complain(plain(path), "path", ";/:@&=+$,", 0, href)
            .or_else(|| complain(plain(query), "query", ";/?:@&=+$,[]", path.chars().count() + 1, href));
        match complaint {
            Some(complaint) => Err(Unreadable::Illegal(complaint)),
            None => Ok(Target { href, path, query }),
        }
    }

    /// The values of a query parameter, decoded.
    pub fn parameters(&self, name: &str) -> impl Iterator<Item = String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(move |(key, _)| *key == name).map(|(_, value)| decode(&value.replace('+', " ")))
    }
}

/// Percent-decoded; bytes that are no UTF-8 become U+FFFD.
pub(super) fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What Java finds wrong with a part that starts at this index of the whole, if anything.
fn complain(part: &str, name: &str, reserved: &str, start: usize, whole: &str) -> Option<String> {
    let legal = |character: char| {
        let other = !character.is_ascii() && !character.is_control() && !character.is_whitespace();
        other || character.is_ascii_alphanumeric() || "-_.!~*'()".contains(character) || reserved.contains(character)
    };
    let mut characters = part.chars().enumerate();
    while let Some((index, character)) = characters.next() {
        let index = start + index;
        if character == '%' {
            let escaped = [characters.next(), characters.next()];
            if !escaped.iter().all(|digit| digit.is_some_and(|(_, digit)| digit.is_ascii_hexdigit())) {
                return Some(format!("Malformed escape pair at index {index}: {whole}"));
            }
        } else if !legal(character) {
            return Some(format!("Illegal character in {name} at index {index}: {whole}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_split_and_odd_ones_refused_with_the_place() {
        let target = Target::read("http://kestra-0:8081/metrics/x?tag=a%3Ab&tag=c:d+e", DoubleSlash::Host).unwrap();
        assert_eq!((target.path, target.href), ("/metrics/x", "/metrics/x?tag=a%3Ab&tag=c:d+e"));
        assert_eq!(target.parameters("tag").collect::<Vec<_>>(), ["a:b", "c:d e"]);
        for (text, complaint) in [
            ("/health/%zz", "Malformed escape pair at index 8: /health/%zz"),
            ("/nope{a}", "Illegal character in path at index 5: /nope{a}"),
            ("/a?b={", "Illegal character in query at index 5: /a?b={"),
            ("/%e", "Malformed escape pair at index 1: /%e"),
        ] {
            assert_eq!(Target::read(text, DoubleSlash::Host), Err(Unreadable::Illegal(complaint.to_owned())));
        }
        assert_eq!(Target::read("//health", DoubleSlash::Host), Err(Unreadable::Empty));
        assert_eq!(Target::read("//health", DoubleSlash::Path).map(|target| target.path), Ok("//health"));
    }
}
