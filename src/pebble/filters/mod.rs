//! The filters, in tables by what they are about.

mod collections;
pub mod dates;
mod digests;
mod numbers;
mod texts;

use super::invoke::Row;

/// All filters.
pub const TABLES: &[&[Row]] = &[texts::ROWS, collections::ROWS, numbers::ROWS, digests::ROWS, dates::ROWS];

/// Filters that the real engine has and this module has not.
pub const UNSUPPORTED: &[&str] =
    &["numberFormat", "toIon", "yaml", "nl2br", "regexMatch", "regexReplace", "regexExtract"];
