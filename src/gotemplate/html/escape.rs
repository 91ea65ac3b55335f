//! What becomes of a value in a page.

use super::super::parse::{Operand, Pipeline};
use super::super::{Value, alertmanager};
use super::attribute::may_be_named;
use super::place::{Place, Quote, State, UrlPart};

/// One escape after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gotemplate) enum Step {
    UrlFilter,
    UrlNormalized,
    UrlEscaped,
    Html,
    Raw,
    Attribute,
    Bare,
    Name,
    Dropped,
    /// The template's own `html`, in the place of one of ours.
    OwnHtml,
    /// Its own `urlquery`.
    OwnUrlquery,
}

/// What Go puts in the place of what could do harm.
const HARMLESS: &str = "ZgotmplZ";

/// How a value in this place is escaped, and whether the template's own escape at the end of the pipeline is one of them.
///
/// # Errors
/// What Go refuses, and what is not simulated.
pub(in crate::gotemplate) fn steps(place: Place, pipeline: &Pipeline) -> Result<(Vec<Step>, bool), String> {
    let mut own = None;
    let last = pipeline.commands.len().saturating_sub(1);
    for (index, command) in pipeline.commands.iter().enumerate() {
        let Some(Operand::Function(name)) = command.first() else { continue };
        let escape = match name.as_str() {
            "html" => Step::OwnHtml,
            "urlquery" => Step::OwnUrlquery,
            _ => continue,
        };
        let bare = place.state == State::Attribute && place.quote == Quote::Bare && escape == Step::OwnHtml;
        if index < last || bare {
            return Err(format!("predefined escaper {name:?} disallowed in template"));
        }
        own = Some(escape);
    }
    let mut steps = of(place)?;
    let mut replaced = false;
    for step in &mut steps {
        let same = match own {
            Some(Step::OwnHtml) => matches!(step, Step::Html | Step::Raw | Step::Attribute),
            Some(_) => matches!(step, Step::UrlEscaped | Step::UrlNormalized),
            None => false,
        };
        if let Some(own) = own.filter(|_| same) {
            *step = own;
            replaced = true;
        }
    }
    Ok((steps, replaced))
}

fn of(place: Place) -> Result<Vec<Step>, String> {
    let mut steps = match place.state {
        State::Url => match place.url {
            UrlPart::None => vec![Step::UrlFilter, Step::UrlNormalized],
            UrlPart::BeforeQuery => vec![Step::UrlNormalized],
            UrlPart::QueryOrFragment => vec![Step::UrlEscaped],
            UrlPart::Unknown => return Err("a value appears in an ambiguous context within a URL".into()),
        },
        State::Text => vec![Step::Html],
        State::Raw => vec![Step::Raw],
        State::Attribute => Vec::new(),
        State::AttributeName | State::Tag => vec![Step::Name],
        State::Comment => vec![Step::Dropped],
        State::AfterName | State::BeforeValue | State::Srcset | State::Style | State::Script | State::Content => {
            return Err(format!("a value in {} is not simulated", place.describe()));
        }
    };
    match place.quote {
        Quote::None => {}
        Quote::Bare => steps.push(Step::Bare),
        Quote::Double | Quote::Single => steps.push(Step::Attribute),
    }
    Ok(steps)
}

/// What a value vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gotemplate) enum Vouched {
    Nothing,
    Html,
    Url,
}

/// A value with all its escapes. `fills` says whether an empty one without quotes becomes a word.
///
/// # Errors
/// What is not simulated.
pub(in crate::gotemplate) fn escaped(value: &Value, steps: &[Step], fills: bool) -> Result<String, String> {
    let mut vouched = alertmanager::vouched(value);
    let mut text = match value {
        Value::Nil => String::new(),
        other => other.print(),
    };
    for step in steps {
        text = match step {
            Step::Bare if text.is_empty() && fills => HARMLESS.to_owned(),
            step => one(*step, &text, vouched)?,
        };
        vouched = Vouched::Nothing;
    }
    Ok(text)
}

fn one(step: Step, text: &str, vouched: Vouched) -> Result<String, String> {
    let html = vouched == Vouched::Html;
    if html && matches!(step, Step::Attribute | Step::Bare) && text.contains('<') {
        return Err("tags of safeHtml in an attribute are not simulated".into());
    }
    Ok(match step {
        Step::UrlFilter if vouched == Vouched::Url || is_safe(text) => text.to_owned(),
        Step::UrlFilter => format!("#{HARMLESS}"),
        Step::UrlNormalized => url(text, true),
        Step::UrlEscaped => url(text, vouched == Vouched::Url),
        Step::Html if html => text.to_owned(),
        Step::Html | Step::Raw | Step::Attribute => replaced(text, html),
        Step::Bare => bare(text, html),
        Step::Name => name(text),
        Step::Dropped => String::new(),
        Step::OwnHtml => super::super::builtin::escaped(text),
        Step::OwnUrlquery => super::super::builtin::encoded(text),
    })
}

/// For texts and attributes in quotes. What is HTML already keeps its entities.
fn replaced(text: &str, html: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out += "&#34;",
            '&' if !html => out += "&amp;",
            '\'' => out += "&#39;",
            '+' => out += "&#43;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            c => out.push(c),
        }
    }
    out
}

/// For attributes without quotes.
fn bare(text: &str, html: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out += "&#xfffd;",
            '&' if !html => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ' | '"' | '\'' | '+' | '=' | '`' => {
                out += &format!("&#{};", u32::from(c));
            }
            '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{ffff}' => out += &format!("&#x{:x};", u32::from(c)),
            c => out.push(c),
        }
    }
    out
}

fn is_safe(text: &str) -> bool {
    match text.split_once(':') {
        Some((protocol, _)) if !protocol.contains('/') => {
            ["http", "https", "mailto"].iter().any(|known| protocol.eq_ignore_ascii_case(known))
        }
        _ => true,
    }
}

/// An address, or (not `whole`) a part of its query.
fn url(text: &str, whole: bool) -> String {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut out = String::with_capacity(text.len());
    for (at, byte) in bytes.iter().enumerate() {
        let kept = match byte {
            b'!' | b'#' | b'$' | b'&' | b'*' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'[' | b']' => {
                whole
            }
            b'-' | b'.' | b'_' | b'~' => true,
            b'%' => whole && hex(at + 1) && hex(at + 2),
            byte => byte.is_ascii_alphanumeric(),
        };
        match kept {
            true => out.push(char::from(*byte)),
            false => out += &format!("%{byte:02x}"),
        }
    }
    out
}

/// A name of an attribute.
fn name(text: &str) -> String {
    let lower = text.to_lowercase();
    let fine = !lower.is_empty() && may_be_named(&lower) && lower.bytes().all(|c| c.is_ascii_alphanumeric());
    if fine { lower } else { HARMLESS.to_owned() }
}
