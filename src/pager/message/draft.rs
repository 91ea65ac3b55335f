//! A message under way: an entry of a receiver with what it is to speak of.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::{FIRING, defaults};
use crate::gotemplate::alertmanager::{Data, Templates};
use crate::pager::{Notification, Version};

/// A message under way.
pub(super) struct Draft<'a> {
    pub(super) kind: &'static str,
    pub(super) settings: &'a Map<String, Json>,
    pub(super) notification: &'a Notification,
    /// Alerts that `max_alerts` left out.
    pub(super) left_out: usize,
    pub(super) data: Arc<Data>,
    pub(super) templates: &'a Templates,
    pub(super) version: Version,
}

/// A scalar as a text.
pub(super) fn scalar(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Bool(it) => Some(Cow::Owned(it.to_string())),
        Json::Number(it) => Some(Cow::Owned(it.to_string())),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

impl Draft<'_> {
    /// What the entry says of a field, or what its kind does.
    pub(super) fn raw(&self, field: &str) -> Cow<'_, str> {
        let said = self.settings.get(field).and_then(scalar);
        said.unwrap_or(Cow::Borrowed(defaults::of(self.kind, field, self.version)))
    }

    /// A field's text, its template expanded.
    pub(super) fn text(&self, field: &str) -> Result<String, String> {
        self.expanded(field, &self.raw(field))
    }

    /// A field's page.
    pub(super) fn page(&self, field: &str) -> Result<String, String> {
        self.templates.page(&self.raw(field), &self.data).map_err(|why| format!("{field}: {why}"))
    }

    /// What a template of the user comes to; `field` is for messages.
    pub(super) fn expanded(&self, field: &str, template: &str) -> Result<String, String> {
        self.templates.text(template, &self.data).map_err(|why| format!("{field}: {why}"))
    }

    /// A text inside of something that the entry lists; an empty one where it says none.
    pub(super) fn of(&self, entry: &Json, field: &str) -> Result<String, String> {
        let said = entry.get(field).and_then(scalar).unwrap_or_default();
        self.expanded(field, &said)
    }

    pub(super) fn flag(&self, field: &str) -> bool {
        self.settings.get(field).and_then(Json::as_bool).unwrap_or(false)
    }

    pub(super) fn list(&self, field: &str) -> &[Json] {
        self.settings.get(field).and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn map(&self, field: &str) -> impl Iterator<Item = (&String, &Json)> {
        self.settings.get(field).and_then(Json::as_object).into_iter().flatten()
    }

    pub(super) fn firing(&self) -> bool {
        self.data.status == FIRING
    }

    /// What kinds tell a group by that allow no long names: the SHA-256 of its key.
    pub(super) fn key_hash(&self) -> String {
        let mut out = String::new();
        for byte in Sha256::digest(self.notification.group_key.as_bytes()) {
            let _ = write!(out, "{byte:02x}");
        }
        out
    }

    /// A text of at most so many characters, and a note where it was longer.
    pub(super) fn cut(&self, what: &str, text: String, most: usize, notes: &mut Vec<String>) -> String {
        if text.chars().count() <= most {
            return text;
        }
        notes.push(format!("{what} was longer than {most} characters and is cut, as {} allows no more", self.kind));
        text.chars().take(most - 1).chain(['…']).collect()
    }
}

/// Puts a text where Go's `omitempty` leaves no empty one.
pub(super) fn put(into: &mut Map<String, Json>, name: &str, text: String) {
    if !text.is_empty() {
        into.insert(name.to_owned(), Json::String(text));
    }
}

/// An object as a map.
pub(super) fn object(of: Json) -> Map<String, Json> {
    match of {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}
