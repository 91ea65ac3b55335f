//! Templates of pages, as Go's `html/template` escapes them: what is put in is escaped as its place in the page asks for.
//!
//! Texts, attributes and addresses are escaped as Go does. Values inside of scripts, styles, `srcset` and `content` are not
//! simulated and refused by name, as is a script at all. That a page stands is looked at before it runs, as Go does: every
//! branch must end in the same place.

mod attribute;
mod check;
mod escape;
mod place;

pub(super) use check::check;
pub(super) use escape::{Vouched, escaped, steps};
pub(super) use place::{Place, text};
