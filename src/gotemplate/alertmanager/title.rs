//! `title`: capitals at the beginning of words, small letters behind them, with the words that x/text's `cases` sees.

/// What a character means for where words end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Part of a word.
    Letter,
    /// Between two letters part of their word: a point, an apostrophe, a colon.
    Middle,
    /// Never part of a word.
    Break,
}

fn kind(c: char) -> Kind {
    match c {
        '\'' | '.' | ':' | '\u{b7}' | '\u{387}' | '\u{55f}' | '\u{5f4}' | '\u{2018}' | '\u{2019}' | '\u{2024}'
        | '\u{2027}' | '\u{fe13}' | '\u{fe52}' | '\u{fe55}' | '\u{ff07}' | '\u{ff0e}' | '\u{ff1a}' => Kind::Middle,
        '_' => Kind::Letter,
        // Chinese and Japanese signs stand for themselves.
        '\u{2e80}'..='\u{312f}' | '\u{3190}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => {
            Kind::Break
        }
        c if c.is_alphanumeric() => Kind::Letter,
        _ => Kind::Break,
    }
}

/// A text with its words capitalized.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    let mut after_middle = false;
    for c in text.chars() {
        let kind = kind(c);
        if after_middle && kind == Kind::Middle {
            inside = false;
        }
        after_middle = kind == Kind::Middle;
        match c.is_lowercase() || c.is_uppercase() {
            true if inside => out.extend(c.to_lowercase()),
            true => {
                let mut upper = c.to_uppercase();
                out.extend(upper.next());
                out.extend(upper.flat_map(char::to_lowercase));
                inside = true;
            }
            false => {
                out.push(c);
                inside &= kind != Kind::Break;
            }
        }
    }
    out
}
