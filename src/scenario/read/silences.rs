//! What Alertmanager keeps quiet.

use super::{duration, instant};
use crate::document::{Node, Reading};
use crate::pager;
use crate::scenario::Silence;
use crate::scenario::fields::SILENCE;
use crate::time::{Duration, Instant};

/// Reads an entry of `silences`.
pub(super) fn silence(node: &Node, reading: &mut Reading) -> Option<Silence> {
    let object = reading.object(node, "an entry of `silences`", SILENCE)?;
    let matchers = object.get("matchers").and_then(|node| reading.parsed(node, "`matchers`", pager::matchers));
    let from = object.get("from").map_or(Some(Instant::START), |node| instant(reading, node, "`from`"));
    let lasts = object.get("for").map_or(Some(Duration::MAX), |node| duration(reading, node, "`for`"));
    Some(Silence { matchers: matchers?, from: from?, lasts: lasts? })
}
