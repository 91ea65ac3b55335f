//! What a server is asked for: only what reads, and changes nothing on a real one.

use crate::profile::{Method, Port, Profile};

/// A path that no server has: how it says so.
pub(super) const UNKNOWN: &str = "/nope";

/// Stand-ins for the variables of paths. A logger that is asked for and does not exist would come into being: this one does
/// on every Kestra. Sources of properties have no name that is everywhere.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("/health/{selector}", &["/health/liveness", "/health/readiness"]),
    ("/metrics/{name}", &["/metrics/jvm.memory.used"]),
    ("/loggers/{name}", &["/loggers/io.kestra"]),
];

/// The paths of a management port that are asked for, beside `/prometheus`: those of every version that ships, so that what
/// a version gained and lost is seen; and one that nobody has. What a POST does is not asked for, only looked up in `/routes`.
pub fn paths() -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    let versions = Profile::NAMES.iter().filter_map(|name| Profile::named(name).ok());
    for endpoint in versions.flat_map(Profile::endpoints) {
        let asked = endpoint.method == Method::Get
            && endpoint.port == Port::Management
            && !endpoint.kafka
            && endpoint.path != "/prometheus";
        if !asked {
            continue;
        }
        let examples = EXAMPLES.iter().find(|(path, _)| *path == endpoint.path).map(|(_, examples)| *examples);
        let plain = [endpoint.path.as_str()];
        let all = examples.unwrap_or(if endpoint.path.contains('{') { &[] } else { &plain });
        for path in all {
            if !paths.iter().any(|known| known == path) {
                paths.push((*path).to_owned());
            }
        }
    }
    paths.sort_unstable();
    paths.push(UNKNOWN.to_owned());
    paths
}
