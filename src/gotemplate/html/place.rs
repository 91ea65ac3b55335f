//! Where in a page a piece of a template stands, and where the texts between lead.

use super::attribute::holds;

/// A place in a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::gotemplate) struct Place {
    pub(super) state: State,
    pub(super) quote: Quote,
    pub(super) url: UrlPart,
    pub(super) attribute: Attribute,
    pub(super) element: Element,
}

/// What is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    #[default]
    Text,
    Tag,
    AttributeName,
    AfterName,
    BeforeValue,
    Comment,
    /// The text of `title` and `textarea`.
    Raw,
    Attribute,
    Url,
    Srcset,
    Style,
    Script,
    Content,
}

/// What ends the value of an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quote {
    #[default]
    None,
    Double,
    Single,
    /// A blank, or the end of the tag.
    Bare,
}

impl Quote {
    fn ends(self, c: char) -> bool {
        match self {
            Quote::None => false,
            Quote::Double => c == '"',
            Quote::Single => c == '\'',
            Quote::Bare => matches!(c, ' ' | '\t' | '\n' | '\u{c}' | '\r' | '>'),
        }
    }
}

/// How much of an address has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum UrlPart {
    #[default]
    None,
    BeforeQuery,
    QueryOrFragment,
    /// It depends on the branch taken.
    Unknown,
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attribute {
    #[default]
    Plain,
    Script,
    Style,
    Url,
    Srcset,
    /// `content` of `meta`.
    Content,
}

/// Elements whose text is not a page's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    #[default]
    Other,
    Script,
    Style,
    Textarea,
    Title,
    Meta,
}

const ELEMENTS: &[(&str, Element)] = &[
    ("script", Element::Script),
    ("style", Element::Style),
    ("textarea", Element::Textarea),
    ("title", Element::Title),
    ("meta", Element::Meta),
];

fn blank(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\n' | 0xc | b'\r')
}

fn blanks(text: &str) -> usize {
    text.bytes().position(|c| !blank(c)).unwrap_or(text.len())
}

impl Place {
    fn with(self, state: State) -> Place {
        Place { state, ..self }
    }

    /// Where a value stands that comes right here.
    pub(in crate::gotemplate) fn nudged(self) -> Place {
        match self.state {
            State::Tag => self.with(State::AttributeName),
            State::BeforeValue => {
                Place { state: value_of(self.attribute), quote: Quote::Bare, attribute: Attribute::Plain, ..self }
            }
            State::AfterName => Place { state: State::AttributeName, attribute: Attribute::Plain, ..self },
            _ => self,
        }
    }

    /// For messages.
    pub(super) fn describe(self) -> String {
        let state = match self.state {
            State::Text => "text",
            State::Tag => "a tag",
            State::AttributeName | State::AfterName => "the name of an attribute",
            State::BeforeValue | State::Attribute => "the value of an attribute",
            State::Comment => "a comment",
            State::Raw => "the text of title or textarea",
            State::Url => "an address",
            State::Srcset => "a srcset",
            State::Style => "a style",
            State::Script => "a script",
            State::Content => "the content of meta",
        };
        state.to_owned()
    }
}

fn value_of(attribute: Attribute) -> State {
    match attribute {
        Attribute::Plain => State::Attribute,
        Attribute::Script => State::Script,
        Attribute::Style => State::Style,
        Attribute::Url => State::Url,
        Attribute::Srcset => State::Srcset,
        Attribute::Content => State::Content,
    }
}

/// Writes a text of a template as Go does (without comments, `<` that begins no tag escaped): the place behind it.
pub(in crate::gotemplate) fn text(mut place: Place, text: &str, out: &mut String) -> Result<Place, String> {
    let (mut at, mut written) = (0, 0);
    while at < text.len() {
        let (next, read) = after(place, &text[at..])?;
        let end = at + read;
        if read == 0 && next == place {
            return Err(format!(
                "the page cannot be read on from {:?}",
                text[at..].chars().take(20).collect::<String>()
            ));
        }
        match place.state {
            State::Text | State::Raw => {
                let tag = text[at..end].rfind('<').filter(|_| next.state != place.state).map_or(end, |tag| at + tag);
                for (lone, _) in text[at..tag].match_indices('<') {
                    let lone = at + lone;
                    let doctype = text.as_bytes().get(lone..lone + 9);
                    if !doctype.is_some_and(|it| it.eq_ignore_ascii_case(b"<!DOCTYPE")) {
                        *out += &text[written..lone];
                        *out += "&lt;";
                        written = lone + 1;
                    }
                }
            }
            State::Comment => written = end,
            _ => {}
        }
        if place.state != next.state && next.state == State::Comment {
            *out += &text[written..end - "<!--".len()];
            written = end;
        }
        (place, at) = (next, end);
    }
    if place.state != State::Comment {
        *out += &text[written..];
    }
    Ok(place)
}

/// Where the beginning of a text leads, and how much of it was read.
fn after(place: Place, text: &str) -> Result<(Place, usize), String> {
    if place.quote == Quote::None {
        let special = special_end(place, text);
        if special == Some(0) {
            return Ok((Place::default(), 0));
        }
        return step(place, &text[..special.unwrap_or(text.len())]);
    }
    let end = text.find(|c| place.quote.ends(c));
    let value = &text[..end.unwrap_or(text.len())];
    if place.quote == Quote::Bare
        && let Some(c) = value.chars().find(|c| matches!(c, '"' | '\'' | '<' | '=' | '`'))
    {
        return Err(format!("{c:?} in the value of an attribute without quotes: {value:?}"));
    }
    match place.state {
        State::Style if value.contains('\\') => return Err("a backslash in a style is not simulated".into()),
        State::Script => return Err("a script in an attribute is not simulated".into()),
        _ => {}
    }
    match end {
        None => Ok((step(place, &decoded(place, value)?)?.0, text.len())),
        Some(end) => {
            let end = end + usize::from(place.quote != Quote::Bare);
            Ok((Place { state: State::Tag, element: place.element, ..Place::default() }, end))
        }
    }
}

/// A value of an attribute without its entities, as far as it matters where a query begins.
fn decoded(place: Place, value: &str) -> Result<String, String> {
    if !matches!(place.state, State::Url | State::Srcset) || !value.contains('&') {
        return Ok(value.to_owned());
    }
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out += before;
        let name = &after[..after.find(';').unwrap_or(0)];
        match name {
            "#35" | "#x23" | "#X23" | "num" | "#63" | "#x3f" | "#x3F" | "quest" => {
                out.push('?');
                rest = after;
            }
            _ if after.starts_with('#') => {
                return Err("an entity in an address before a value is not simulated".into());
            }
            "" | "amp" | "lt" | "gt" | "quot" | "apos" | "nbsp" => {
                out.push('&');
                rest = after;
            }
            _ if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#') => {
                return Err(format!("&{name}; in an address before a value is not simulated"));
            }
            _ => {
                out.push('&');
                rest = after;
            }
        }
    }
    // A number sign of an entity that was left is no fragment.
    Ok(out + rest)
}

/// Where the end tag of an element begins whose text is not a page's.
fn special_end(place: Place, text: &str) -> Option<usize> {
    let (name, _) = ELEMENTS.iter().find(|(_, element)| *element == place.element && *element != Element::Meta)?;
    text.match_indices("</").map(|(at, _)| at).find(|at| {
        let behind = text.as_bytes().get(at + 2..).unwrap_or_default();
        let named = behind.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()));
        named && behind.get(name.len()).is_some_and(|c| matches!(c, b'>' | b' ' | b'\t' | b'\n' | 0xc | b'/'))
    })
}

fn step(place: Place, text: &str) -> Result<(Place, usize), String> {
    let all = text.len();
    Ok(match place.state {
        State::Text => in_text(place, text),
        State::Tag => in_tag(place, text)?,
        State::AttributeName => match name_end(text)? {
            end if end == all => (place, end),
            end => (place.with(State::AfterName), end),
        },
        State::AfterName => match text.as_bytes().get(blanks(text)) {
            None => (place, all),
            Some(b'=') => (place.with(State::BeforeValue), blanks(text) + 1),
            Some(_) => (place.with(State::Tag), blanks(text)),
        },
        State::BeforeValue => {
            let from = blanks(text);
            let Some(first) = text.as_bytes().get(from) else { return Ok((place, all)) };
            let (quote, end) = match first {
                b'\'' => (Quote::Single, from + 1),
                b'"' => (Quote::Double, from + 1),
                _ => (Quote::Bare, from),
            };
            (Place { state: value_of(place.attribute), quote, ..place }, end)
        }
        State::Comment => match text.find("-->") {
            Some(end) => (Place::default(), end + 3),
            None => (place, all),
        },
        State::Url | State::Srcset => {
            let url = match place.url {
                _ if text.contains(['#', '?']) => UrlPart::QueryOrFragment,
                UrlPart::None if blanks(text) != all => UrlPart::BeforeQuery,
                url => url,
            };
            (Place { url, ..place }, all)
        }
        State::Style if ["//", "/*", "\\"].iter().any(|part| text.contains(part)) => {
            return Err("a style with comments, addresses or backslashes is not simulated".into());
        }
        State::Script => return Err("a script in a page is not simulated".into()),
        State::Raw | State::Attribute | State::Style | State::Content => (place, all),
    })
}

fn in_text(place: Place, text: &str) -> (Place, usize) {
    let mut from = 0;
    while let Some(at) = text[from..].find('<').map(|at| from + at) {
        if text[at..].starts_with("<!--") {
            return (Place { state: State::Comment, ..Place::default() }, at + 4);
        }
        let closes = text[at + 1..].starts_with('/');
        let begin = at + 1 + usize::from(closes);
        let end = tag_end(text, begin);
        if end > begin {
            let name = text[begin..end].to_ascii_lowercase();
            let element = ELEMENTS.iter().find(|(known, _)| *known == name && !closes).map(|(_, element)| *element);
            return (Place { state: State::Tag, element: element.unwrap_or_default(), ..Place::default() }, end);
        }
        from = begin;
    }
    (place, text.len())
}

/// Where the name of a tag ends.
fn tag_end(text: &str, begin: usize) -> usize {
    let bytes = text.as_bytes();
    if !bytes.get(begin).is_some_and(u8::is_ascii_alphabetic) {
        return begin;
    }
    let mut at = begin + 1;
    while let Some(c) = bytes.get(at) {
        let joined = matches!(c, b':' | b'-') && bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        match c.is_ascii_alphanumeric() {
            true => at += 1,
            false if joined => at += 2,
            false => break,
        }
    }
    at
}

/// Where the name of an attribute ends.
fn name_end(text: &str) -> Result<usize, String> {
    for (at, c) in text.char_indices() {
        match c {
            ' ' | '\t' | '\n' | '\u{c}' | '\r' | '=' | '>' => return Ok(at),
            '\'' | '"' | '<' => return Err(format!("{c:?} in the name of an attribute")),
            _ => {}
        }
    }
    Ok(text.len())
}

fn in_tag(place: Place, text: &str) -> Result<(Place, usize), String> {
    let from = blanks(text);
    let rest = &text[from..];
    if rest.is_empty() {
        return Ok((place, text.len()));
    }
    if rest.starts_with('>') {
        let (state, element) = match place.element {
            Element::Other | Element::Meta => (State::Text, Element::Other),
            Element::Script => return Err("a script in a page is not simulated".into()),
            Element::Style => (State::Style, Element::Style),
            Element::Textarea | Element::Title => (State::Raw, place.element),
        };
        return Ok((Place { state, element, ..Place::default() }, from + 1));
    }
    let length = name_end(rest)?;
    if length == 0 {
        return Err(format!("a name of an attribute or the end of the tag is missing before {rest:?}"));
    }
    let name = rest[..length].to_lowercase();
    let attribute = match (place.element, name.as_str()) {
        (Element::Meta, "content") => Attribute::Content,
        _ => holds(&name),
    };
    let state = if length == rest.len() { State::AttributeName } else { State::AfterName };
    Ok((Place { state, attribute, element: place.element, ..Place::default() }, from + length))
}
