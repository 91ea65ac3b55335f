//! What decides how Grafana reads a provisioning file and does not stand in it: its version, its environment, and the data
//! sources it was given.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::document::{self, Entry, Node, Source, Value};

/// A version of Grafana. `12` alone is the last 12 there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GrafanaVersion {
    major: u32,
    minor: u32,
}

impl GrafanaVersion {
    /// Before it two rules of a folder could not have one title (grafana/grafana pull request 102067).
    pub(super) const TITLES_REPEAT: GrafanaVersion = GrafanaVersion::of(12, 0);
    /// From it on `$value` is a number where one data source is asked (pull request 102301).
    pub(super) const VALUE_IS_A_NUMBER: GrafanaVersion = GrafanaVersion::of(12, 0);
    /// From it on files may say `keepFiringFor` and `missing_series_evals_to_resolve` (pull request 109699; also in 12.1.2).
    pub(super) const FILES_KEEP_FIRING: GrafanaVersion = GrafanaVersion::of(12, 2);
    /// From it on alerts of NoData and Error are over with the first evaluation that has data again.
    pub(super) const TROUBLE_ENDS_AT_ONCE: GrafanaVersion = GrafanaVersion::of(12, 4);
    /// From it on NoData and Error wait for the pending period too (pull request 117024, documentation of 13.0).
    pub(super) const TROUBLE_WAITS: GrafanaVersion = GrafanaVersion::of(13, 0);

    const fn of(major: u32, minor: u32) -> GrafanaVersion {
        GrafanaVersion { major, minor }
    }
}

impl Default for GrafanaVersion {
    fn default() -> GrafanaVersion {
        GrafanaVersion::of(13, u32::MAX)
    }
}

impl fmt::Display for GrafanaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            u32::MAX => write!(f, "{}", self.major),
            minor => write!(f, "{}.{minor}", self.major),
        }
    }
}

impl FromStr for GrafanaVersion {
    type Err = String;

    /// `13`, `12.4`, `v11.6.1`; what was before 9 had other alerts.
    fn from_str(text: &str) -> Result<GrafanaVersion, String> {
        let wrong = || "write a version of Grafana such as 13 or 12.4, from 9 on".to_owned();
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.').map(str::parse::<u32>);
        let major = parts.next().and_then(Result::ok).filter(|major| (9..1_000).contains(major)).ok_or_else(wrong)?;
        let minor = parts.next().map_or(Ok(u32::MAX), |minor| minor.map_err(|_| wrong()))?;
        match parts.all(|part| part.is_ok()) {
            true => Ok(GrafanaVersion { major, minor }),
            false => Err(wrong()),
        }
    }
}

/// The value of a variable of an environment; none for one that is not set.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What decides how a rule file is read and does not stand in it.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// Which Grafana reads it.
    pub grafana: GrafanaVersion,
    /// The environment variables of that Grafana; none for one that is not set. Without an environment `$NAME` is no
    /// variable: provisioning files have them, what an operator hands to Grafana's API has not.
    pub environment: Option<Environment<'a>>,
    /// Types of its data sources by uid, as [`data_sources`] finds them in provisioning files.
    pub data_sources: &'a BTreeMap<String, String>,
}

static NO_SOURCES: BTreeMap<String, String> = BTreeMap::new();

impl Default for Outside<'_> {
    /// The newest Grafana that is known, with an empty environment and without data sources.
    fn default() -> Self {
        Outside { grafana: GrafanaVersion::default(), environment: Some(&|_| None), data_sources: &NO_SOURCES }
    }
}

impl fmt::Debug for Outside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outside { grafana, data_sources, .. } = self;
        f.debug_struct("Outside").field("grafana", grafana).field("data_sources", data_sources).finish_non_exhaustive()
    }
}

/// The data sources that a file provisions (`datasources: [ { uid: .., type: .. } ]`): uid and type. Of a file that is none,
/// or cannot be read, there are none; nothing is said of it here. One without a uid has the one that Grafana makes of its
/// name (`safeUIDFromName` of `pkg/services/provisioning/datasources`).
pub fn data_sources(text: &str) -> Vec<(String, String)> {
    if !text.contains("datasources") {
        return Vec::new();
    }
    let source = std::sync::Arc::new(Source { name: String::new(), text: text.to_owned() });
    let (roots, _) = document::parse_all(&source);
    let of = |node: &Node| {
        let uid = words(node, "uid").filter(|uid| !uid.is_empty()).map(str::to_owned);
        let uid = uid.or_else(|| Some(uid_of(words(node, "name")?)))?;
        Some((uid, words(node, "type")?.to_owned()))
    };
    let lists = roots.iter().filter_map(|root| child(root, "datasources"));
    lists
        .flat_map(|list| if let Value::Sequence(all) = &list.value { all.as_slice() } else { &[] })
        .filter_map(of)
        .collect()
}

/// The uid of a data source that has a name only.
fn uid_of(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    hash.iter().take(8).fold("P".to_owned(), |uid, byte| uid + &format!("{byte:02X}"))
}

/// Whether a JSON file of a folder is one that provisions something, a manifest or a rule file, and no dashboard. One that
/// cannot be read is one when it names such a key.
pub fn provisions(text: &str) -> bool {
    const KEYS: &[&str] = &["apiVersion", "groups", "kind"];
    let source = std::sync::Arc::new(Source { name: String::new(), text: text.to_owned() });
    let (roots, _) = document::parse_all(&source);
    match roots.first() {
        // Grafana writes its dashboards as manifests too.
        Some(root) if words(root, "kind") == Some("Dashboard") => false,
        Some(root) => KEYS.iter().any(|key| child(root, key).is_some()),
        None => KEYS.iter().any(|key| text.contains(&format!("\"{key}\""))),
    }
}

/// The value of a key, whatever it is.
pub(super) fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Mapping(entries) = &node.value else { return None };
    entries.iter().find(|entry: &&Entry| entry.key == key).map(|entry| &entry.value)
}

/// The text of a key, when it has one.
pub(super) fn words<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    child(node, key).and_then(Node::text)
}

/// A text with its variables replaced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Interpolated {
    pub(super) text: String,
    /// Variables that were asked for and are not set.
    pub(super) unset: Vec<String>,
    /// `$__file{..}` and others that are not read here.
    pub(super) provider: Option<String>,
}

/// What provisioning makes of a text: `$$` is a dollar, `$NAME` and `${NAME}` are variables of the environment, empty when
/// unset, and what they hold is read in the same way once more. Source: `pkg/services/provisioning/values`,
/// `pkg/setting/expanders.go`, and `os.Expand` of Go.
pub(super) fn interpolate(text: &str, environment: Environment<'_>) -> Interpolated {
    let mut done = Interpolated::default();
    for (index, part) in text.split("$$").enumerate() {
        if index > 0 {
            done.text.push('$');
        }
        let mut of = |name: &str| {
            environment(name).unwrap_or_else(|| {
                if !done.unset.iter().any(|known| known == name) {
                    done.unset.push(name.to_owned());
                }
                String::new()
            })
        };
        let (first, provider) = braced(part, &mut of);
        let second = expanded(&first, &mut of);
        done.text.push_str(&second);
        done.provider = done.provider.or(provider);
    }
    done
}

/// The first pass: `${NAME}` and `$__env{NAME}`; and another provider, if one is named.
fn braced(text: &str, of: &mut dyn FnMut(&str) -> String) -> (String, Option<String>) {
    let (mut out, mut provider, mut rest) = (String::new(), None, text);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let word = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let inside = after[word..].strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let name = &after[..word];
        match inside.filter(|(inside, _)| !inside.is_empty()) {
            Some((inside, behind)) if name.is_empty() || name == "__env" => {
                out.push_str(&of(inside));
                rest = behind;
                continue;
            }
            Some(_) if name.starts_with("__") => provider = Some(name.to_owned()),
            _ => {}
        }
        out.push('$');
        rest = after;
    }
    out.push_str(rest);
    (out, provider)
}

/// The second pass, `os.ExpandEnv`.
fn expanded(text: &str, of: &mut dyn FnMut(&str) -> String) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let word = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        rest = match after.chars().next() {
            Some('{') => match after[1..].split_once('}') {
                // `${}` and a brace that is not closed are eaten.
                Some(("", behind)) => behind,
                Some((name, behind)) => {
                    out.push_str(&of(name));
                    behind
                }
                None => &after[1..],
            },
            Some(special) if special.is_ascii_digit() || "*#@!?-".contains(special) => {
                out.push_str(&of(&after[..1]));
                &after[1..]
            }
            Some(_) if word > 0 => {
                out.push_str(&of(&after[..word]));
                &after[word..]
            }
            _ => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of `pkg/services/provisioning/values/values_test.go`, of the issues 70484 and 78118, and of Go's `os.Expand`.
    #[test]
    fn variables_are_replaced_as_provisioning_does() {
        let environment = |name: &str| match name {
            "INT" => Some("1".to_owned()),
            "STRING" => Some("test".to_owned()),
            "INDIRECT" => Some("<$STRING>".to_owned()),
            "DOLLARS" => Some("a$$b".to_owned()),
            _ => None,
        };
        for (text, expected, unset) in [
            ("plain", "plain", vec![]),
            ("$INT and ${STRING}", "1 and test", vec![]),
            ("$__env{STRING}", "test", vec![]),
            ("$STRING_x", "", vec!["STRING_x"]),
            ("${NONE}-$NONE", "-", vec!["NONE"]),
            ("{{ $$labels.instance }} $$values", "{{ $labels.instance }} $values", vec![]),
            ("{{ $labels.name }}", "{{ .name }}", vec!["labels"]),
            ("\"$3\" $$3", "\"\" $3", vec!["3"]),
            ("$INDIRECT", "<$STRING>", vec![]),
            ("${INDIRECT}", "<test>", vec![]),
            ("a$ b$, $", "a$ b$, $", vec![]),
            ("${} ${ x", "  x", vec![]),
            ("$$$INT", "$1", vec![]),
            ("é$STRINGé", "étesté", vec![]),
        ] {
            let found = interpolate(text, &environment);
            assert_eq!(
                (found.text.as_str(), found.unset),
                (expected, unset.iter().map(|it| it.to_string()).collect()),
                "{text}"
            );
            assert_eq!(found.provider, None, "{text}");
        }
        assert_eq!(interpolate("$__file{/etc/x}", &environment).provider, Some("__file".to_owned()));
    }

    #[test]
    fn versions_are_ordered() {
        let of = |text: &str| text.parse::<GrafanaVersion>().expect(text);
        assert!(of("12.4") < of("12") && of("12") < of("13.0") && of("v13.0.2") < GrafanaVersion::default());
        assert!(of("11.6") < GrafanaVersion::TITLES_REPEAT && of("12") > GrafanaVersion::FILES_KEEP_FIRING);
        assert_eq!((of("13").to_string(), of("12.4.1").to_string()), ("13".to_owned(), "12.4".to_owned()));
        for wrong in ["", "8", "x", "13.x", "13.1.y", "1e3"] {
            assert!(wrong.parse::<GrafanaVersion>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn data_sources_are_found_where_they_are_provisioned() {
        let text =
            "apiVersion: 1\ndatasources:\n  - { name: L, uid: abc, type: loki }\n  - { name: P, type: prometheus }\n";
        // The uid that dashboards of Grafana's own tutorials have for a data source called Prometheus.
        let text = text.replace("name: P,", "name: Prometheus,");
        let made = ("PBFA97CFB590B2093".to_owned(), "prometheus".to_owned());
        assert_eq!(data_sources(&text), [("abc".to_owned(), "loki".to_owned()), made]);
        assert_eq!(data_sources("datasources: 3"), []);
        assert_eq!(data_sources("{"), []);
    }
}
