//! What attributes hold: `attr.go` of `html/template`.

use super::place::Attribute;

/// Attributes that hold an address.
const URLS: &[&str] = &[
    "action",
    "archive",
    "background",
    "cite",
    "classid",
    "codebase",
    "data",
    "formaction",
    "href",
    "icon",
    "longdesc",
    "manifest",
    "poster",
    "profile",
    "src",
    "usemap",
    "xmlns",
];
/// Attributes that decide how a page is read: Go lets no value be their name.
const UNSAFE: &[&str] = &[
    "accept-charset",
    "async",
    "challenge",
    "charset",
    "content",
    "crossorigin",
    "defer",
    "enctype",
    "form",
    "formenctype",
    "formmethod",
    "formnovalidate",
    "http-equiv",
    "keytype",
    "language",
    "method",
    "novalidate",
    "pattern",
    "rel",
    "sandbox",
    "srcdoc",
    "type",
    "value",
];

/// What an attribute of this name, in small letters, holds.
pub(super) fn holds(name: &str) -> Attribute {
    let short = match (name.strip_prefix("data-"), name.split_once(':')) {
        (Some(rest), _) => rest,
        (None, Some(("xmlns", _))) => return Attribute::Url,
        (None, Some((_, rest))) => rest,
        (None, None) => name,
    };
    match short {
        "style" => Attribute::Style,
        "srcset" => Attribute::Srcset,
        "srclang" => Attribute::Plain,
        _ if URLS.contains(&short) => Attribute::Url,
        _ if UNSAFE.contains(&short) => Attribute::Plain,
        _ if short.starts_with("on") => Attribute::Script,
        _ if ["src", "uri", "url"].iter().any(|part| short.contains(part)) => Attribute::Url,
        _ => Attribute::Plain,
    }
}

/// Whether a value may be the name of an attribute.
pub(super) fn may_be_named(name: &str) -> bool {
    let short = name.strip_prefix("data-").unwrap_or(name);
    holds(name) == Attribute::Plain && !UNSAFE.contains(&short)
}
