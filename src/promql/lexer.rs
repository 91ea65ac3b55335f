//! From a text to tokens. Each is made once, when the parser asks for it.

use super::error::SyntaxError;
use super::syntax::Span;

/// A piece of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) lexeme: Lexeme<'t>,
    pub(super) span: Span,
}

/// What a piece is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lexeme<'t> {
    /// A name or a keyword: which of them, only the parser knows.
    Word(&'t str),
    Number(f64),
    /// Milliseconds.
    Duration(i64),
    /// Without quotes and escapes.
    Text(String),
    Sign(&'static str),
    /// The end of the text; it lies behind the last token.
    End,
}

/// Longer signs first.
const SIGNS: &[&str] = &[
    "==", "!=", ">=", "<=", "=~", "!~", "</", ">/", "=", ">", "<", "+", "-", "*", "/", "%", "^", "(", ")", "{", "}",
    "[", "]", ",", "@",
];

/// What is written for it here.
const FOREIGN: &[(&str, &str)] = &[("&&", "and"), ("||", "or"), ("**", "^"), ("<>", "!="), ("!", "unless")];

/// Cuts a text.
pub(super) struct Lexer<'t> {
    text: &'t str,
    /// Where the next token is looked for.
    at: usize,
    /// Where the last one ended.
    end: usize,
    /// Between brackets a colon is a sign, else it is part of names.
    in_brackets: bool,
    /// How many tokens were made.
    #[cfg(test)]
    pub(super) made: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Lexer<'t> {
        Lexer {
            text,
            at: 0,
            end: 0,
            in_brackets: false,
            #[cfg(test)]
            made: 0,
        }
    }

    /// The next token; at the end [`Lexeme::End`], as often as it is asked for.
    pub(super) fn next(&mut self) -> Result<Token<'t>, SyntaxError> {
        #[cfg(test)]
        {
            self.made += 1;
        }
        self.skip();
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else {
            return Ok(Token { lexeme: Lexeme::End, span: self.end..self.end });
        };
        let start = self.at;
        let (lexeme, length) = match first {
            '"' | '\'' | '`' => text(rest, first, start)?,
            ':' if self.in_brackets => (Lexeme::Sign(":"), 1),
            c if starts_number(c, rest) => number(rest, start)?,
            c if c.is_ascii_alphabetic() || c == '_' || c == ':' => {
                let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == ':' && !self.in_brackets);
                let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
                (Lexeme::Word(&rest[..length]), length)
            }
            _ => match SIGNS.iter().find(|sign| sign.starts_with(first) && rest.starts_with(**sign)) {
                Some(sign) => (Lexeme::Sign(sign), sign.len()),
                None => return Err(stray(rest, first, start)),
            },
        };
        match lexeme {
            Lexeme::Sign("[") => self.in_brackets = true,
            Lexeme::Sign("]") => self.in_brackets = false,
            _ => {}
        }
        self.at = start + length;
        self.end = self.at;
        Ok(Token { lexeme, span: start..self.at })
    }

    /// White space and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.text[self.at..].trim_start_matches([' ', '\t', '\n', '\r']);
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                return;
            }
            self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
        }
    }
}

fn starts_number(first: char, rest: &str) -> bool {
    first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
}

fn stray(rest: &str, first: char, start: usize) -> SyntaxError {
    let error = SyntaxError::new(start..start + first.len_utf8(), format!("`{first}` is not expected"));
    match FOREIGN.iter().find(|(foreign, _)| rest.starts_with(foreign)) {
        Some((_, ours)) => error.with_advice(format!("write `{ours}`")),
        None if first == '\u{201c}' || first == '\u{201d}' => error.with_advice("write `\"`"),
        None => error,
    }
}

/// A number or a duration: the longest run of what may be part of one.
fn number(rest: &str, start: usize) -> Result<(Lexeme<'_>, usize), SyntaxError> {
    let bytes = rest.as_bytes();
    let hex = rest.starts_with("0x") || rest.starts_with("0X");
    let part = |at: usize| {
        let sign = at > 0 && !hex && matches!(bytes[at], b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E');
        bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'_' | b'.') || sign
    };
    let length = (0..bytes.len()).find(|at| !part(*at)).unwrap_or(bytes.len());
    let run = &rest[..length];
    let span = start..start + length;
    if run.ends_with(DURATION_END) && !hex {
        return duration(run, span).map(|milliseconds| (Lexeme::Duration(milliseconds), length));
    }
    match value(run) {
        Some(number) => Ok((Lexeme::Number(number), length)),
        None => Err(SyntaxError::new(span, format!("`{run}` is neither a number nor a duration"))
            .with_advice("write a number like `1.5` or a duration like `1h30m`")),
    }
}

const DURATION_END: fn(char) -> bool = |c| matches!(c, 'y' | 'w' | 'd' | 'h' | 'm' | 's');

/// A number as Go reads it: decimal, hexadecimal, octal with a leading zero; underscores between digits.
fn value(run: &str) -> Option<f64> {
    let bytes = run.as_bytes();
    let hex = run.starts_with("0x") || run.starts_with("0X");
    let is_digit = if hex { u8::is_ascii_hexdigit } else { u8::is_ascii_digit };
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(is_digit);
    for at in run.match_indices('_').map(|(at, _)| at) {
        let begins = hex && at == 2;
        if !(digit(at.checked_sub(1)) || begins) || !digit(Some(at + 1)) {
            return None;
        }
    }
    let plain = run.replace('_', "");
    if let Some(digits) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).ok().map(|number| number as f64);
    }
    let octal = plain.strip_prefix('0').filter(|rest| rest.bytes().all(|byte| matches!(byte, b'0'..=b'7')));
    // What does not fit into 64 bits is decimal again.
    if let Some(number) = octal.and_then(|digits| i64::from_str_radix(digits, 8).ok()) {
        return Some(number as f64);
    }
    // Other words for numbers are not written with a digit first.
    let known = plain.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    plain.parse().ok().filter(|number: &f64| known && number.is_finite())
}

/// Units, the longest first, and their milliseconds.
const UNITS: &[(&str, i64)] = &[
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Milliseconds of the longest time there is: more nanoseconds do not fit into 64 bits.
pub(super) const MAX_DURATION: i64 = i64::MAX / 1_000_000;

/// A duration: each unit at most once, the longest first.
pub(super) fn duration(run: &str, span: Span) -> Result<i64, SyntaxError> {
    let bad = |span: Span| {
        Err(SyntaxError::new(span, format!("`{run}` is no duration"))
            .with_advice("write each unit once, the longest first: `1d12h`, `1h30m`, `500ms`"))
    };
    let (mut total, mut units, mut rest) = (0i64, UNITS, run);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let after = &rest[digits..];
        let length = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let Some(place) = units.iter().position(|(unit, _)| *unit == &after[..length]) else { return bad(span) };
        if digits == 0 {
            return bad(span);
        }
        let sum =
            rest[..digits].parse::<i64>().ok().and_then(|count| count.checked_mul(units[place].1)?.checked_add(total));
        total = match sum.filter(|sum| *sum <= MAX_DURATION) {
            Some(sum) => sum,
            None => return Err(SyntaxError::new(span, format!("`{run}` is no time: it is out of range"))),
        };
        units = &units[place + 1..];
        rest = &after[length..];
    }
    Ok(total)
}

/// A text in quotes.
fn text(rest: &str, quote: char, start: usize) -> Result<(Lexeme<'_>, usize), SyntaxError> {
    let unterminated = |length: usize| SyntaxError::new(start..start + length, "this text is not closed");
    let inside = &rest[1..];
    if quote == '`' {
        let length = inside.find('`').ok_or_else(|| unterminated(rest.len()))?;
        return Ok((Lexeme::Text(inside[..length].to_owned()), length + 2));
    }
    // Escapes may write single bytes.
    let mut bytes = Vec::new();
    let mut left = inside;
    loop {
        let at = rest.len() - left.len();
        let Some(next) = left.chars().next().filter(|c| *c != '\n') else {
            return Err(unterminated(at).with_advice(format!("end it with `{quote}`")));
        };
        left = &left[next.len_utf8()..];
        match next {
            '\\' => left = escape(left, quote, start + at, &mut bytes)?,
            _ if next == quote => break,
            _ => bytes.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    let length = rest.len() - left.len();
    match String::from_utf8(bytes) {
        Ok(text) => Ok((Lexeme::Text(text), length)),
        Err(_) => Err(SyntaxError::new(start..start + length, "this text is no UTF-8")),
    }
}

const ESCAPES: &[(char, u8)] =
    &[('a', 7), ('b', 8), ('f', 12), ('n', b'\n'), ('r', b'\r'), ('t', b'\t'), ('v', 11), ('\\', b'\\')];

/// Reads what follows a backslash at `at`; gives what is left.
fn escape<'t>(left: &'t str, quote: char, at: usize, bytes: &mut Vec<u8>) -> Result<&'t str, SyntaxError> {
    let letter = left.chars().next().unwrap_or('\n');
    let length = letter.len_utf8().min(left.len());
    let bad = |length: usize| {
        let written = left.get(..length).unwrap_or("");
        Err(SyntaxError::new(at..at + 1 + written.len(), format!("`\\{written}` is no escape sequence"))
            .with_advice("write a backslash as `\\\\`, or the text between backquotes"))
    };
    if letter == quote {
        bytes.push(quote as u8);
        return Ok(&left[1..]);
    }
    if let Some((_, byte)) = ESCAPES.iter().find(|(known, _)| *known == letter) {
        bytes.push(*byte);
        return Ok(&left[1..]);
    }
    let (from, digits, radix) = match letter {
        '0'..='7' => (0, 3, 8),
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        _ => return bad(length),
    };
    let number = left.get(from..from + digits).filter(|text| !text.starts_with('+'));
    let Some(number) = number.and_then(|text| u32::from_str_radix(text, radix).ok()) else { return bad(length) };
    let end = from + digits;
    match (letter, u8::try_from(number), char::from_u32(number)) {
        ('u' | 'U', _, Some(c)) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        ('x' | '0'..='7', Ok(byte), _) => bytes.push(byte),
        _ => return bad(end),
    }
    Ok(&left[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of a text, or what is wrong with it.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut lexer = Lexer::new(text);
        let mut words = Vec::new();
        let found = loop {
            match lexer.next() {
                Ok(Token { lexeme: Lexeme::End, .. }) => break words.join(" "),
                Ok(Token { lexeme, span }) => {
                    assert!(text.get(span.clone()).is_some_and(|piece| !piece.is_empty()), "{text}: {span:?}");
                    words.push(match lexeme {
                        Lexeme::Word(word) => word.to_owned(),
                        Lexeme::Number(number) => format!("{number:?}"),
                        Lexeme::Duration(milliseconds) => format!("{milliseconds}ms"),
                        Lexeme::Text(text) => format!("{text:?}"),
                        Lexeme::Sign(sign) => sign.to_owned(),
                        Lexeme::End => String::new(),
                    });
                }
                Err(error) => break format!("{} {:?}", error.message, error.span),
            }
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_and_signs_are_told_apart() {
        check("", "");
        check("a:b + :c_1", "a:b + :c_1");
        check("x>=2!=y", "x >= 2.0 != y");
        check("x{a=~\"b\",c!~'d'}", "x { a =~ \"b\" , c !~ \"d\" }");
        check("x[5m:1m]", "x [ 300000ms : 60000ms ]");
        check("x[5m:] a:b", "x [ 300000ms : ] a:b");
        check("x # y\n\t+ z # end", "x + z");
        check("x # y\r+ z", "x + z");
        check("x ö", "`ö` is not expected 2..4");
        check("x && y", "`&` is not expected 2..3");
        check("x ! y", "`!` is not expected 2..3");
        check("x\u{c}", "`\u{c}` is not expected 1..2");
        check(".", "`.` is not expected 0..1");
    }

    #[test]
    fn numbers_are_those_of_go() {
        for (text, number) in [
            ("0", 0.0),
            ("00", 0.0),
            ("1.5", 1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1e3),
            ("1E+3", 1e3),
            ("1.5e-3", 1.5e-3),
            ("0x1F", 31.0),
            ("0X_1f", 31.0),
            ("010", 8.0),
            ("09", 9.0),
            ("010.5", 10.5),
            ("1_000", 1000.0),
            ("1_0.5", 10.5),
            ("1_0e1_0", 1e11),
            ("0_10", 8.0),
            ("0x_FF_F", 4095.0),
            ("99999999999999999999", 1e20),
            ("0777777777777777777777777", 777777777777777777777777.0),
        ] {
            check(text, &format!("{number:?}"));
        }
        check("0x1e+5", "30.0 + 5.0");
        check("1-2", "1.0 - 2.0");
        for bad in [
            "1__0",
            "1._5",
            "1e_5",
            "1_",
            "0x",
            "0b1",
            "1e",
            "1e+",
            "1.2.3",
            "0x1.8",
            "5x",
            "1e400",
            "0xg",
            "1inf",
            "0xFFFFFFFFFFFFFFFFF",
        ] {
            check(bad, &format!("`{bad}` is neither a number nor a duration 0..{}", bad.len()));
        }
    }

    #[test]
    fn durations_have_each_unit_once() {
        check("1h30m", "5400000ms");
        check(
            "1y2w3d4h5m6s7ms",
            "33022506007ms"
                .replace(
                    "33022506007",
                    &(365 * 86_400_000i64 + 14 * 86_400_000 + 3 * 86_400_000 + 4 * 3_600_000 + 306_000 + 7).to_string(),
                )
                .as_str(),
        );
        check("0s", "0ms");
        check("292y", "9208512000000ms");
        for bad in ["5m1h", "1h1h", "5mm", "1.5m", "1_0m", "1hs"] {
            check(bad, &format!("`{bad}` is no duration 0..{}", bad.len()));
        }
        check("5m30", "`5m30` is neither a number nor a duration 0..4");
        check("300y", "`300y` is no time: it is out of range 0..4");
        check("99999999999999999999s", "`99999999999999999999s` is no time: it is out of range 0..21");
    }

    #[test]
    fn texts_have_the_escapes_of_go() {
        check(r#""a" 'b' `c`"#, r#""a" "b" "c""#);
        check(r#"'\'' "\"" `\d`"#, r#""'" "\"" "\\d""#);
        check(r#""\n\t\\""#, r#""\n\t\\""#);
        check(r#""\x41\101\u00e9\U0001F600""#, "\"AAé😀\"");
        check(r#""\xc3\xa9""#, "\"é\"");
        check("`a\nb`", "\"a\\nb\"");
        check(r#""\xff""#, "this text is no UTF-8 0..6");
        check(r#""a\qb""#, r"`\q` is no escape sequence 2..4");
        check(r#""\'""#, r"`\'` is no escape sequence 1..3");
        check(r#""\400""#, r"`\400` is no escape sequence 1..5");
        check(r#""\ud800""#, r"`\ud800` is no escape sequence 1..7");
        check(r#""\u+0e9""#, r"`\u` is no escape sequence 1..3");
        check("\"\\é\"", "`\\é` is no escape sequence 1..4");
        check("\"\\", "`\\` is no escape sequence 1..2");
        check("x \"abc", "this text is not closed 2..6");
        check("\"a\nb\"", "this text is not closed 0..2");
        check("`abc", "this text is not closed 0..4");
    }
}
