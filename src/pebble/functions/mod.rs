//! The functions, in tables by what they are about.

use super::invoke::Row;

/// All functions.
pub const TABLES: &[&[Row]] = &[];

/// Functions that the real engine has and this module has not.
pub const UNSUPPORTED: &[&str] = &["http", "parent", "i18n", "randomPort", "fileSize", "fileExists", "isFileEmpty"];
