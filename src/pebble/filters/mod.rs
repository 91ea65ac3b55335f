//! The filters, in tables by what they are about.

use super::invoke::Row;

/// All filters.
pub const TABLES: &[&[Row]] = &[];

/// Filters that the real engine has and this module has not.
pub const UNSUPPORTED: &[&str] = &["numberFormat", "toIon", "yaml", "nl2br"];
