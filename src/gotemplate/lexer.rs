//! The pieces of a template: texts, and the words of actions. As Go cuts them, whatever is wrong with them.

/// A piece.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// What stands outside of actions.
    Outside(String),
    /// `{{`
    Left,
    /// `}}`
    Right,
    /// Blanks inside of an action.
    Blank,
    /// A name: a function or a keyword.
    Word(String),
    /// `.name` right after something, or a dot alone with an empty name.
    Field(String),
    /// With its `$`.
    Variable(String),
    /// A text in quotes.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// A character in quotes.
    Character(char),
    Open,
    Close,
    Pipe,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// Any other sign.
    Sign(char),
    /// What cannot be cut, and why.
    Bad(String),
}

impl Item {
    /// For messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Item::Outside(_) => "text".into(),
            Item::Left => "{{".into(),
            Item::Right => "}}".into(),
            Item::Blank => "blank".into(),
            Item::Word(text) | Item::Number(text) | Item::Variable(text) => text.clone(),
            Item::Field(name) => format!(".{name}"),
            Item::Text(text) => format!("{text:?}"),
            Item::Character(c) => format!("{c:?}"),
            Item::Open => "(".into(),
            Item::Close => ")".into(),
            Item::Pipe => "|".into(),
            Item::Declare => ":=".into(),
            Item::Assign => "=".into(),
            Item::Sign(c) => c.to_string(),
            Item::Bad(why) => why.clone(),
        }
    }
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Cuts a whole template: the pieces, and the byte where each begins. The last piece is a bad one when something cannot be cut.
pub(super) fn items(text: &str) -> (Vec<Item>, Vec<usize>) {
    let mut lexer = Lexer { length: text.len(), rest: text, items: Vec::new(), starts: Vec::new(), open: 0 };
    if let Err(why) = lexer.run() {
        lexer.push(Item::Bad(why));
    }
    (lexer.items, lexer.starts)
}

struct Lexer<'t> {
    length: usize,
    rest: &'t str,
    items: Vec<Item>,
    starts: Vec<usize>,
    /// Parentheses that are open.
    open: usize,
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl<'t> Lexer<'t> {
    /// Keeps a piece that begins here.
    fn push(&mut self, item: Item) {
        self.items.push(item);
        self.starts.push(self.length - self.rest.len());
    }

    fn run(&mut self) -> Result<(), String> {
        let mut trim = false;
        loop {
            let found = self.rest.find("{{");
            let mut outside = &self.rest[..found.unwrap_or(self.rest.len())];
            if trim {
                outside = outside.trim_start_matches(BLANKS);
            }
            let Some(at) = found else {
                self.outside(outside);
                return Ok(());
            };
            self.rest = &self.rest[at + 2..];
            if self.rest.starts_with('-') && self.rest[1..].starts_with(BLANKS) {
                outside = outside.trim_end_matches(BLANKS);
                self.rest = &self.rest[2..];
            }
            self.outside(outside);
            trim = match self.rest.strip_prefix("/*") {
                Some(comment) => {
                    let (_, after) = comment.split_once("*/").ok_or("unclosed comment")?;
                    self.rest = after;
                    self.right().ok_or("comment ends before closing delimiter")?
                }
                None => self.action()?,
            };
        }
    }

    fn outside(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(Item::Outside(text.to_owned()));
        }
    }

    /// The end of an action, when it stands here: whether blanks after it are left out.
    fn right(&mut self) -> Option<bool> {
        let trimmed = self.rest.strip_prefix(BLANKS).and_then(|rest| rest.strip_prefix("-}}"));
        let (rest, trim) = match trimmed {
            Some(rest) => (rest, true),
            None => (self.rest.strip_prefix("}}")?, false),
        };
        self.rest = rest;
        Some(trim)
    }

    /// An action up to its end: whether blanks after it are left out.
    fn action(&mut self) -> Result<bool, String> {
        self.push(Item::Left);
        self.open = 0;
        loop {
            if let Some(trim) = self.right() {
                if self.open > 0 {
                    return Err("unclosed left paren".into());
                }
                self.push(Item::Right);
                return Ok(trim);
            }
            let Some(first) = self.rest.chars().next() else { return Err("unclosed action".into()) };
            let (item, length) = self.item(first)?;
            self.push(item);
            self.rest = &self.rest[length..];
        }
    }

    fn item(&mut self, first: char) -> Result<(Item, usize), String> {
        let rest = self.rest;
        Ok(match first {
            c if BLANKS.contains(&c) => (Item::Blank, self.blanks()),
            '=' => (Item::Assign, 1),
            ':' if rest.starts_with(":=") => (Item::Declare, 2),
            ':' => return Err("expected :=".into()),
            '|' => (Item::Pipe, 1),
            '"' => {
                let end = quoted_end(rest, '"').ok_or("unterminated quoted string")?;
                (Item::Text(unquoted(&rest[1..end - 1], '"')?), end)
            }
            '\'' => {
                let end = quoted_end(rest, '\'').ok_or("unterminated character constant")?;
                let text = unquoted(&rest[1..end - 1], '\'')?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => (Item::Character(one), end),
                    _ => return Err(format!("malformed character constant: {}", &rest[..end])),
                }
            }
            '`' => {
                let end = rest[1..].find('`').ok_or("unterminated raw quoted string")?;
                (Item::Text(rest[1..=end].to_owned()), end + 2)
            }
            '$' => {
                let length = self.name(1)?;
                (Item::Variable(rest[..length].to_owned()), length)
            }
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let length = self.name(1)?;
                (Item::Field(rest[1..length].to_owned()), length)
            }
            '.' | '+' | '-' | '0'..='9' => {
                let length = number_end(rest).ok_or_else(|| format!("bad number syntax: {:?}", word(rest)))?;
                (Item::Number(rest[..length].to_owned()), length)
            }
            '(' => {
                self.open += 1;
                (Item::Open, 1)
            }
            ')' => {
                self.open = self.open.checked_sub(1).ok_or("unexpected right paren")?;
                (Item::Close, 1)
            }
            c if is_name(c) => {
                let length = self.name(0)?;
                (Item::Word(rest[..length].to_owned()), length)
            }
            c if c.is_ascii_graphic() => (Item::Sign(c), 1),
            c => return Err(format!("unrecognized character in action: {c:?}")),
        })
    }

    /// The length of blanks: the last of them may belong to the mark that ends the action.
    fn blanks(&self) -> usize {
        let length = self.rest.find(|c| !BLANKS.contains(&c)).unwrap_or(self.rest.len());
        match self.rest[length..].starts_with("-}}") && length > 1 {
            true => length - 1,
            false => length,
        }
    }

    /// Where the name that begins at `from` ends; something must follow that may follow a name.
    fn name(&self, from: usize) -> Result<usize, String> {
        let end = self.rest[from..].find(|c| !is_name(c)).map_or(self.rest.len(), |length| from + length);
        let after = &self.rest[end..];
        let ends = |c: char| BLANKS.contains(&c) || matches!(c, '.' | ',' | '|' | ':' | '(' | ')');
        match after.chars().next() {
            Some(c) if !ends(c) && !after.starts_with("}}") => Err(format!("bad character {c:?}")),
            _ => Ok(end),
        }
    }
}

/// What is shown of a text that is no number.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !is_name(c) && !matches!(c, '.' | '+' | '-')).unwrap_or(text.len());
    &text[..end]
}

/// Where a text in quotes ends.
fn quoted_end(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

const ESCAPES: &[(char, u8)] =
    &[('a', 7), ('b', 8), ('f', 12), ('n', b'\n'), ('r', b'\r'), ('t', b'\t'), ('v', 11), ('\\', b'\\')];

/// The text without its escapes.
fn unquoted(text: &str, quote: char) -> Result<String, String> {
    let wrong = || format!("invalid syntax in {quote}{text}{quote}");
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let letter = rest.chars().next().ok_or_else(wrong)?;
        let known = ESCAPES.iter().find(|(known, _)| *known == letter).map(|(_, byte)| *byte);
        if let Some(byte) = known.or_else(|| (letter == quote).then_some(quote as u8)) {
            bytes.push(byte);
            rest = &rest[1..];
            continue;
        }
        let (from, digits, radix) = match letter {
            '0'..='7' => (0, 3, 8),
            'x' => (1, 2, 16),
            'u' => (1, 4, 16),
            'U' => (1, 8, 16),
            _ => return Err(wrong()),
        };
        let written = rest.get(from..from + digits).filter(|text| !text.starts_with('+')).ok_or_else(wrong)?;
        let number = u32::from_str_radix(written, radix).map_err(|_| wrong())?;
        match (letter, u8::try_from(number), char::from_u32(number)) {
            ('u' | 'U', _, Some(c)) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            ('x' | '0'..='7', Ok(byte), _) => bytes.push(byte),
            _ => return Err(wrong()),
        }
        rest = &rest[from + digits..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// Where a number ends; none when it runs into something else.
fn number_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let run = |at: usize, known: fn(u8) -> bool| {
        bytes[at..].iter().position(|byte| !known(*byte) && *byte != b'_').map_or(bytes.len(), |length| at + length)
    };
    let digits: fn(u8) -> bool = match (bytes.get(at), bytes.get(at + 1).map(u8::to_ascii_lowercase)) {
        (Some(b'0'), Some(b'x')) => |byte| byte.is_ascii_hexdigit(),
        (Some(b'0'), Some(b'o')) => |byte| matches!(byte, b'0'..=b'7'),
        (Some(b'0'), Some(b'b')) => |byte| matches!(byte, b'0' | b'1'),
        _ => |byte| byte.is_ascii_digit(),
    };
    let decimal = !matches!(bytes.get(at + 1).map(u8::to_ascii_lowercase), Some(b'x' | b'o' | b'b'))
        || bytes.get(at) != Some(&b'0');
    at = run(if decimal { at } else { at + 2 }, digits);
    if bytes.get(at) == Some(&b'.') {
        at = run(at + 1, digits);
    }
    let power = bytes.get(at).map(u8::to_ascii_lowercase);
    if power == Some(b'e') && decimal || power == Some(b'p') && !decimal {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = run(at, |byte| byte.is_ascii_digit());
    }
    if bytes.get(at) == Some(&b'i') {
        at += 1;
    }
    let after = text[at..].chars().next();
    // What follows a sign would be the other half of a complex number.
    (!after.is_some_and(|c| is_name(c) || matches!(c, '+' | '-'))).then_some(at)
}
