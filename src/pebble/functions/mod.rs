//! The functions, in tables by what they are about.

mod calendar;
mod draws;
mod execution;
mod outside;
mod rendering;

use super::invoke::Row;

/// All functions.
pub const TABLES: &[&[Row]] = &[rendering::ROWS, outside::ROWS, execution::ROWS, draws::ROWS, calendar::ROWS];

/// Functions that the real engine has and this module has not.
pub const UNSUPPORTED: &[&str] = &[
    "http",
    "parent",
    "i18n",
    "randomPort",
    "fileSize",
    "fileExists",
    "isFileEmpty",
    "fromIon",
    "yaml",
    "encrypt",
    "decrypt",
    "isLastWorkingDay",
    "isDateAfter",
    "isDateBefore",
    "isDateBetween",
];
