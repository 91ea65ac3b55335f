//! Versions that nobody recorded: a recorded neighbour, and what is known to differ.

use serde::Deserialize;

use super::{Profile, Quirk, TextForm};

const VARIANTS: &str = include_str!("variants.yaml");

/// One entry of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    name: String,
    of: String,
    version: String,
    #[serde(default)]
    text: TextForm,
    #[serde(default)]
    without: Vec<String>,
    /// `/version` does not tell the date of the commit.
    #[serde(default)]
    without_commit_date: bool,
    #[serde(default)]
    quirks_without: Vec<Quirk>,
}

/// Makes the profile of this name out of that of its neighbour, which `recorded` finds.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn derive(name: &str, recorded: impl Fn(&str) -> Result<Profile, String>) -> Result<Profile, String> {
    let variants: Vec<Variant> = serde_saphyr::from_str(VARIANTS).map_err(|error| error.to_string())?;
    let variant = variants.into_iter().find(|variant| variant.name == name);
    let variant = variant.ok_or_else(|| format!("no variant is called {name}"))?;
    let mut profile = recorded(&variant.of)?;
    profile.name = variant.name;
    profile.text = variant.text;
    profile.release.version = variant.version;
    if variant.without_commit_date {
        profile.release.commit_date.clear();
    }
    profile.quirks.retain(|quirk| !variant.quirks_without.contains(quirk));
    for without in &variant.without {
        let (name, value) = match without.split_once('{') {
            Some((name, value)) => (name, Some(value.trim_end_matches('}'))),
            None => (without.as_str(), None),
        };
        let unknown = || format!("{without} is none of {}", variant.of);
        match value {
            None => _ = profile.meters.shift_remove(name).ok_or_else(unknown)?,
            Some(value) => {
                let meter = profile.meters.get_mut(name).ok_or_else(unknown)?;
                for start in &mut meter.start {
                    start.tags.values_mut().for_each(|values| values.retain(|known| !known.starts_with(value)));
                }
                meter.start.retain(|start| start.tags.values().all(|values| !values.is_empty()));
            }
        }
    }
    Ok(profile)
}
