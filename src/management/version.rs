//! `/version`, and what every answer of a version carries.

use super::Context;
use super::reply::Reply;
use crate::profile::{Answers, ErrorForm};

/// The headers of answers in the form of problem documents.
const SECURITY: &[(&str, &str)] = &[
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
];

/// Headers of every answer that comes from a filter or an endpoint.
pub(super) fn headers(answers: &Answers) -> &'static [(&'static str, &'static str)] {
    if answers.errors == ErrorForm::Problem { SECURITY } else { &[] }
}

/// `GET /version`.
pub(super) fn get(context: &Context<'_>) -> super::Handled {
    let release = context.member.profile().release();
    let mut body = serde_json::json!({
        "version": format!("{}-oss", release.version),
        "commit": release.commit,
        "commitDate": release.commit_date,
        "type": context.member.role().server_type(),
    });
    if release.commit_date.is_empty()
        && let Some(members) = body.as_object_mut()
    {
        members.remove("commitDate");
    }
    Ok(Reply::json(body.to_string()))
}
