//! The form of a profile's file.

use indexmap::IndexMap;
use serde::Deserialize;

use super::{Kind, Liveness, Meter, Profile, Quirk, Release, Role, Start, TextForm, source};
use crate::time::Duration;

impl Profile {
    /// Reads a profile's file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Profile, String> {
        let file: File = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let seconds = Duration::seconds;
        let mut shapes = IndexMap::new();
        for (name, steps) in &file.shapes {
            let steps: Vec<(f64, f64)> = steps
                .iter()
                .map(|(bound, share)| {
                    Ok((bound.parse().map_err(|_| format!("shape {name}: {bound} is no bound"))?, *share))
                })
                .collect::<Result<_, String>>()?;
            let share =
                |bound: f64| steps.iter().rev().find(|(from, _)| *from <= bound).map_or(0.0, |(_, share)| *share);
            shapes.insert(name.clone(), file.buckets.iter().map(|bound| share(*bound)).collect());
        }
        let mut meters = IndexMap::new();
        for meter in file.meters {
            let roles = if meter.roles.is_empty() { Role::ALL.to_vec() } else { meter.roles };
            let start = meter.start.into_iter().map(|start| {
                let tags = start.tags.into_iter().map(|(key, values)| (key, values.list())).collect();
                let roles = if start.roles.is_empty() { roles.clone() } else { start.roles };
                let source = start.is.resolve(&shapes).map_err(|error| format!("meter {}: {error}", meter.name))?;
                Ok(Start { roles, tags, source })
            });
            let start: Vec<Start> = start.collect::<Result<_, String>>()?;
            let (name, kind, unit, help) = (meter.name, meter.kind, meter.unit, meter.help);
            let keys = match start.first() {
                Some(Start { tags, .. }) => tags.keys().cloned().collect(),
                None => meter.tags,
            };
            let known = Meter { name: name.clone(), kind, unit, help, start, keys, was: meter.was, model: meter.model };
            if meters.insert(name.clone(), known).is_some() {
                return Err(format!("meter {name} twice"));
            }
        }
        Ok(Profile {
            recorded: file.name.clone(),
            text: TextForm::New,
            name: file.name,
            release: file.release,
            liveness: Liveness {
                heartbeat: seconds(file.liveness.heartbeat),
                interval: seconds(file.liveness.interval),
                timeout: seconds(file.liveness.timeout),
                initial_delay: seconds(file.liveness.initial_delay),
            },
            quirks: file.quirks,
            buckets: file.buckets,
            shapes,
            meters,
        })
    }

    pub(super) fn empty() -> Profile {
        let release = Release { version: String::new(), commit: String::new(), commit_date: String::new() };
        let second = Duration::seconds(1);
        let liveness = Liveness { heartbeat: second, interval: second, timeout: second, initial_delay: second };
        Profile {
            name: String::new(),
            recorded: String::new(),
            text: TextForm::New,
            release,
            liveness,
            quirks: Vec::new(),
            buckets: Vec::new(),
            shapes: IndexMap::new(),
            meters: IndexMap::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    release: Release,
    liveness: LivenessFile,
    #[serde(default)]
    quirks: Vec<Quirk>,
    buckets: Vec<f64>,
    shapes: IndexMap<String, IndexMap<String, f64>>,
    meters: Vec<MeterFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LivenessFile {
    heartbeat: u64,
    interval: u64,
    timeout: u64,
    initial_delay: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeterFile {
    name: String,
    kind: Kind,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    help: String,
    #[serde(default)]
    roles: Vec<Role>,
    /// Of a meter without series at start: its keys, for the reader of the file.
    #[serde(default)]
    tags: Vec<String>,
    model: Option<String>,
    #[serde(default)]
    was: Vec<String>,
    #[serde(default)]
    start: Vec<StartFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartFile {
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    tags: IndexMap<String, Values>,
    is: source::SourceFile,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    Many(Vec<String>),
    One(String),
}

impl Values {
    fn list(self) -> Vec<String> {
        match self {
            Values::Many(values) => values,
            Values::One(value) => vec![value],
        }
    }
}
