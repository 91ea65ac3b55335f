//! Whether a page stands, whatever branch is taken: Go looks at that before it runs a template.

use std::collections::BTreeMap;

use super::super::parse::{Action, Nodes, Pipeline, Range};
use super::escape;
use super::place::{Place, State, UrlPart, text};

/// Calls of templates inside of each other.
const MAX_DEPTH: usize = 50;
/// Pieces that are looked at.
const MAX_STEPS: usize = 200_000;

/// Looks through a page.
///
/// # Errors
/// What Go refuses, and what is not simulated.
pub(in crate::gotemplate) fn check(nodes: &Nodes, defined: &BTreeMap<String, Nodes>) -> Result<(), String> {
    let mut look =
        Look { defined, known: BTreeMap::new(), assumed: BTreeMap::new(), loops: Vec::new(), depth: 0, steps: 0 };
    match look.all(nodes, Some(Place::default()))? {
        None | Some(Place { state: State::Text, .. }) => Ok(()),
        Some(place) => Err(format!("the page ends in {}", place.describe())),
    }
}

/// None behind a `break` or `continue`.
type Reached = Option<Place>;

struct Look<'a> {
    defined: &'a BTreeMap<String, Nodes>,
    /// Where templates lead, by where they begin.
    known: BTreeMap<(&'a str, Place), Reached>,
    /// Those being looked at, and whether one called itself.
    assumed: BTreeMap<(&'a str, Place), bool>,
    /// Of each loop around: the places of its `break` and `continue`.
    loops: Vec<Vec<Place>>,
    depth: usize,
    steps: usize,
}

fn join(a: Reached, b: Reached) -> Result<Reached, String> {
    let (Some(one), Some(other)) = (a, b) else { return Ok(a.or(b)) };
    if one == other {
        return Ok(a);
    }
    let unknown = |place| Place { url: UrlPart::Unknown, ..place };
    if unknown(one) == unknown(other) {
        return Ok(Some(unknown(one)));
    }
    Err(format!("branches of the page end in different places: {} and {}", one.describe(), other.describe()))
}

impl<'a> Look<'a> {
    fn all(&mut self, nodes: &'a [Action], mut place: Reached) -> Result<Reached, String> {
        for node in nodes {
            let Some(at) = place else { break };
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(format!("the page has more than {MAX_STEPS} pieces"));
            }
            place = self.one(node, at)?;
        }
        Ok(place)
    }

    fn one(&mut self, node: &'a Action, place: Place) -> Result<Reached, String> {
        match node {
            Action::Text(it) => text(place, it, &mut String::new()).map(Some),
            Action::Print(pipeline) => Self::print(pipeline, place).map(Some),
            Action::If(_, then, otherwise) | Action::With(_, then, otherwise) => {
                let then = self.all(then, Some(place))?;
                join(then, self.all(otherwise, Some(place))?)
            }
            Action::Range(range) => self.range(range, place),
            Action::Break | Action::Continue => {
                if let Some(inner) = self.loops.last_mut() {
                    inner.push(place);
                }
                Ok(None)
            }
            Action::Template(name, _) => self.template(name, place),
        }
    }

    fn print(pipeline: &Pipeline, place: Place) -> Result<Place, String> {
        if pipeline.variable.is_some() {
            return Ok(place);
        }
        let place = place.nudged();
        escape::steps(place, pipeline)?;
        Ok(place)
    }

    fn range(&mut self, range: &'a Range, place: Place) -> Result<Reached, String> {
        self.loops.push(Vec::new());
        let mut body = self.all(&range.body, Some(place))?;
        for left in self.loops.pop().unwrap_or_default() {
            body = join(body, Some(left))?;
        }
        // The second round begins where the first ended.
        if body.is_some() {
            self.loops.push(Vec::new());
            let again = self.all(&range.body, body)?;
            let left = self.loops.pop().unwrap_or_default();
            body = join(body, again)?;
            for left in left {
                body = join(body, Some(left))?;
            }
        }
        join(body, self.all(&range.otherwise, Some(place))?)
    }

    fn template(&mut self, name: &'a str, place: Place) -> Result<Reached, String> {
        let nodes = self.defined.get(name).ok_or_else(|| format!("no such template {name:?}"))?;
        let key = (name, place);
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        // One that calls itself is taken to end where it began, which is looked at when it has been read.
        if let Some(called) = self.assumed.get_mut(&key) {
            *called = true;
            return Ok(Some(place));
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("exceeded maximum template depth".into());
        }
        self.assumed.insert(key, false);
        let loops = std::mem::take(&mut self.loops);
        let end = self.all(nodes, Some(place))?;
        self.loops = loops;
        self.depth -= 1;
        if self.assumed.remove(&key) == Some(true) && end != Some(place) {
            return Err(format!("template {name:?} calls itself and ends in another place than it begins"));
        }
        self.known.insert(key, end);
        Ok(end)
    }
}
