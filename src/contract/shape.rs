//! The shape of a JSON document: which members there are and of which type, whatever their values.

use std::collections::BTreeMap;

use serde_json::Value;

/// What may stand at a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// Nothing is known of it, or anything may stand there.
    Any,
    Boolean,
    Number,
    Text,
    /// All elements are alike.
    List(Box<Shape>),
    /// All members are alike, and may have any names.
    Map(Box<Shape>),
    /// Members by name; whether each was there in all objects that were seen.
    Object(BTreeMap<String, (Shape, bool)>),
}

/// Places of a document that are open, by their members' names with dots between, `*` for elements and members of maps.
#[derive(Clone, Copy, Debug)]
pub(super) enum Open {
    /// An object whose members are called by the installation.
    Map(&'static str),
    /// What plugins, tasks or states decide.
    Any(&'static str),
    /// An object of one of several kinds: any of its members may be missing.
    Loose(&'static str),
}

impl Shape {
    /// The shape of a value.
    pub(super) fn of(value: &Value, open: &[Open]) -> Shape {
        Shape::below(value, open, "", 0)
    }

    fn below(value: &Value, open: &[Open], at: &str, depth: usize) -> Shape {
        let here = |of: fn(&Open) -> Option<&'static str>| open.iter().filter_map(of).any(|place| place == at);
        if depth > DEPTH || here(|it| if let Open::Any(place) = it { Some(place) } else { None }) {
            return Shape::Any;
        }
        let map = here(|it| if let Open::Map(place) = it { Some(place) } else { None });
        let always = !here(|it| if let Open::Loose(place) = it { Some(place) } else { None });
        let inside = |value: &Value, name: &str| {
            let at = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            Shape::below(value, open, &at, depth + 1)
        };
        match value {
            Value::Null => Shape::Any,
            Value::Bool(_) => Shape::Boolean,
            Value::Number(_) => Shape::Number,
            Value::String(_) => Shape::Text,
            Value::Array(items) => {
                Shape::List(Box::new(items.iter().map(|it| inside(it, "*")).fold(Shape::Any, Shape::or)))
            }
            Value::Object(members) if map => {
                Shape::Map(Box::new(members.values().map(|it| inside(it, "*")).fold(Shape::Any, Shape::or)))
            }
            Value::Object(members) => {
                Shape::Object(members.iter().map(|(name, it)| (name.clone(), (inside(it, name), always))).collect())
            }
        }
    }

    /// What fits both.
    fn or(self, other: Shape) -> Shape {
        match (self, other) {
            (Shape::Any, it) | (it, Shape::Any) => it,
            (Shape::List(a), Shape::List(b)) => Shape::List(Box::new(a.or(*b))),
            (Shape::Map(a), Shape::Map(b)) => Shape::Map(Box::new(a.or(*b))),
            (Shape::Object(mut a), Shape::Object(b)) => {
                a.iter_mut().filter(|(name, _)| !b.contains_key(*name)).for_each(|(_, (_, always))| *always = false);
                for (name, (shape, always)) in b {
                    let merged = match a.remove(&name) {
                        Some((own, both)) => (own.or(shape), both && always),
                        None => (shape, false),
                    };
                    a.insert(name, merged);
                }
                Shape::Object(a)
            }
            // Of two types at one place the first stands: documents of a Kestra have none.
            (first, _) => first,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Shape::Any => "anything",
            Shape::Boolean => "a boolean",
            Shape::Number => "a number",
            Shape::Text => "a text",
            Shape::List(_) => "a list",
            Shape::Map(_) | Shape::Object(_) => "an object",
        }
    }

    /// What of a document differs from this shape, in words; nothing where one of the two does not tell.
    pub(super) fn differences(&self, seen: &Shape) -> Vec<String> {
        let mut all = Vec::new();
        self.differ(seen, "", &mut all);
        all
    }

    fn differ(&self, seen: &Shape, at: &str, all: &mut Vec<String>) {
        let within = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        match (self, seen) {
            (Shape::Any, _) | (_, Shape::Any) => {}
            (Shape::List(own), Shape::List(seen)) | (Shape::Map(own), Shape::Map(seen)) => {
                own.differ(seen, &within("*"), all);
            }
            (Shape::Object(own), Shape::Object(seen)) => {
                for (name, (shape, always)) in own {
                    match seen.get(name) {
                        Some((seen, _)) => shape.differ(seen, &within(name), all),
                        None if *always => all.push(format!("has no {}", within(name))),
                        None => {}
                    }
                }
                let more = seen.keys().filter(|name| !own.contains_key(*name));
                all.extend(more.map(|name| format!("has {} too", within(name))));
            }
            (own, seen) if own.name() != seen.name() => {
                let place = if at.is_empty() { "it" } else { at };
                all.push(format!("{place} is {}, in the profile {}", seen.name(), own.name()));
            }
            _ => {}
        }
    }
}

/// Deeper than this nobody looks.
const DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differ(own: Value, seen: Value, open: &[Open]) -> Vec<String> {
        Shape::of(&own, open).differences(&Shape::of(&seen, open))
    }

    #[test]
    fn members_and_types_are_compared_and_values_are_not() {
        let own = json!({ "name": "a", "details": { "jdbc": { "n": 1 } }, "list": [{ "a": 1, "b": null }] });
        assert_eq!(differ(own.clone(), own.clone(), &[]), Vec::<String>::new());
        let seen = json!({ "name": 1, "details": { "disk": {} }, "list": [{ "a": "x", "b": 1 }] });
        assert_eq!(
            differ(own, seen, &[]),
            [
                "has no details.jdbc",
                "has details.disk too",
                "list.*.a is a text, in the profile a number",
                "name is a number, in the profile a text"
            ]
        );
    }

    #[test]
    fn what_is_not_always_there_may_be_missing_and_an_empty_list_tells_nothing() {
        let own = json!([{ "a": 1, "b": 1 }, { "a": 1 }]);
        assert_eq!(differ(own.clone(), json!([{ "a": 2 }]), &[]), Vec::<String>::new());
        assert_eq!(differ(own.clone(), json!([]), &[]), Vec::<String>::new());
        assert_eq!(differ(own.clone(), json!([{ "b": 1 }]), &[]), ["has no *.a"]);
        assert_eq!(differ(own, json!({}), &[]), ["it is an object, in the profile a list"]);
    }

    #[test]
    fn names_of_an_open_place_are_the_installations_own() {
        let open = [Open::Map("all"), Open::Any("free")];
        let own = json!({ "all": { "x": { "n": 1 } }, "free": 1 });
        assert_eq!(differ(own.clone(), json!({ "all": { "y": { "n": 2 } }, "free": {} }), &open), Vec::<String>::new());
        assert_eq!(differ(own, json!({ "all": { "y": {} }, "free": {} }), &open), ["has no all.*.n"]);
        let loose = [Open::Loose("*")];
        assert_eq!(
            differ(json!([{ "a": 1, "b": 1 }]), json!([{ "b": "x" }]), &loose),
            ["*.b is a text, in the profile a number"]
        );
    }
}
