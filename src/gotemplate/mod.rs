//! Go's template language, as Prometheus, Grafana and Alertmanager use it.
//!
//! The language itself (pieces, syntax, the run, values, Go's own functions) knows no dialect: what a template can speak of and
//! which functions it has a [`run::Tongue`] tells. The dialects are [`prometheus`] (rules of Prometheus and of Grafana) and
//! [`alertmanager`] (messages, with `html/template`'s escaping in [`html`]).

pub mod alertmanager;
mod builtin;
mod format;
mod html;
mod lexer;
mod number;
mod parse;
pub mod prometheus;
mod run;
mod tree;
mod value;

use value::Value;
