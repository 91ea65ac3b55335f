//! Mails: over SMTP, and through SendGrid's API.

use serde_json::{Value, json};

use super::execution::{Story, story};
use super::http::{Content, post_plainly};
use super::message::{Accepts, Mail, Request, Transport};
use super::properties::{Properties, plain};
use super::{Draft, Error};

/// What a reader sees who reads no HTML.
const PLAIN: &str = "Please view this email in a modern email client";
/// How many people a mail may go to.
const MAX_ADDRESSES: usize = 1_000;

pub(super) fn send(properties: &Properties<'_>) -> Result<Draft, Error> {
    let html = properties.text("htmlTextContent")?;
    mail(properties, html)
}

pub(super) fn execution(properties: &Properties<'_>) -> Result<Draft, Error> {
    let html = html(&story(properties)?);
    mail(properties, Some(html))
}

/// Refuses what would be part of the mail and is not simulated.
fn whole(properties: &Properties<'_>) -> Result<(), Error> {
    for name in ["attachments", "embeddedImages"] {
        let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value.as_str() == Some("");
        if properties.value(name)?.is_some_and(|value| !empty(&value)) {
            return Err(Error::not_simulated(format!("{name} of mails: files of Kestra's storage")));
        }
    }
    Ok(())
}

fn mail(properties: &Properties<'_>, html: Option<String>) -> Result<Draft, Error> {
    whole(properties)?;
    let transport = match properties.text("transportStrategy")?.as_deref() {
        None | Some("SMTPS") => Transport::Smtps,
        Some("SMTP") => Transport::Smtp,
        Some("SMTP_TLS") => Transport::StartTls,
        Some("SMTP_OAUTH2") => return Err(Error::not_simulated("transportStrategy SMTP_OAUTH2")),
        Some(other) => {
            return Err(Error::failed(format!("transportStrategy: `{other}` is none of SMTPS, SMTP, SMTP_TLS")));
        }
    };
    let to = addresses(&properties.required("to")?)?;
    let default_port = match transport {
        Transport::Smtps => 465,
        Transport::Smtp => 25,
        Transport::StartTls => 587,
    };
    let mail = Mail {
        host: properties.required("host")?,
        port: properties.whole("port")?.unwrap_or(default_port),
        transport,
        username: properties.text("username")?,
        password: properties.text("password")?,
        session_timeout_ms: properties.whole("sessionTimeout")?.unwrap_or(10_000),
        verifies_identity: properties.flag("verifyServerIdentity", true)?,
        from: properties.required("from")?,
        cc: addresses(&properties.text("cc")?.unwrap_or_default())?,
        subject: properties.text("subject")?.unwrap_or_default(),
        html,
        text: properties.text("plainTextContent")?.unwrap_or_else(|| PLAIN.to_owned()),
        to,
    };
    let to = Some(mail.to.join("; "));
    Ok(Draft { to, request: Request::Mail(Box::new(mail)) })
}

/// Addresses between `;` (or `,`).
fn addresses(text: &str) -> Result<Vec<String>, Error> {
    let all: Vec<String> =
        text.split([';', ',']).map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
    if all.len() > MAX_ADDRESSES {
        return Err(Error::not_simulated(format!("a mail to more than {MAX_ADDRESSES} addresses")));
    }
    Ok(all)
}

/// The text of a mail about an execution: what Kestra's says, in plainer dress.
fn html(story: &Story) -> String {
    let colour = match story.state.as_str() {
        "SUCCESS" => "green",
        "WARNING" => "orange",
        _ => "red",
    };
    let title = format!("[{}] {}", escaped(&story.namespace), escaped(&story.flow));
    let state = escaped(&story.state);
    let mut body = format!("<p>{title} ➛ <span style=\"color: {colour};\">{state}</span></p>\n");
    if let Some(message) = &story.custom_message {
        body += &format!("<p>{}</p>\n", escaped(message));
    }
    let result = match &story.failed {
        Some(task) => format!("Failed on task <code>{}</code>", escaped(task)),
        None => "Succeeded".to_owned(),
    };
    body += &format!("<p>{result} after {}</p>\n", story.duration);
    if let Some(link) = &story.link {
        body += &format!("<p><a href=\"{}\" target=\"_blank\">See details</a></p>\n", escaped(link));
    }
    let names = ["Namespace", "Flow", "Execution", "Status", "Final task ID"];
    for (name, (_, value)) in names.iter().zip(story.facts()) {
        body += &format!("<p><strong>{name} :</strong> {}</p>\n", escaped(value));
    }
    for (name, value) in story.custom_fields.iter().flatten() {
        body += &format!("<p><strong>{} :</strong> {}</p>\n", escaped(name), escaped(&plain(value)));
    }
    format!(
        "<!doctype html>\n<html>\n<head><title>Flow {title} execution</title></head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) fn sendgrid_send(properties: &Properties<'_>) -> Result<Draft, Error> {
    let html = properties.text("htmlTextContent")?;
    let text = properties.text("textContent")?.unwrap_or_else(|| PLAIN.to_owned());
    sendgrid(properties, &text, html)
}

pub(super) fn sendgrid_execution(properties: &Properties<'_>) -> Result<Draft, Error> {
    let html = html(&story(properties)?);
    sendgrid(properties, PLAIN, Some(html))
}

fn sendgrid(properties: &Properties<'_>, text: &str, html: Option<String>) -> Result<Draft, Error> {
    whole(properties)?;
    let people = |list: &[String]| -> Value { list.iter().map(|one| json!({ "email": one })).collect() };
    let to = properties.list("to")?.unwrap_or_default();
    let from = json!({ "email": properties.required("from")? });
    let mut personal = json!({ "from": from, "to": people(&to), "subject": properties.text("subject")? });
    if let Some(cc) = properties.list("cc")? {
        personal["cc"] = people(&cc);
    }
    let mut content = vec![json!({ "type": "text/plain", "value": text })];
    content.extend(html.map(|html| json!({ "type": "text/html", "value": html })));
    let payload = json!({ "from": from, "personalizations": [personal], "content": content });
    let login = format!("Bearer {}", properties.required("sendgridApiKey")?);
    let url = "https://api.sendgrid.com/v3/mail/send".to_owned();
    let body = Content::Json(payload.to_string());
    let mut request = post_plainly(properties, url, &[("Authorization", login)], "application/json", body)?;
    if let Request::Http(http) = &mut request {
        http.accepts = Accepts::Success;
    }
    Ok(Draft { to: Some(to.join("; ")), request })
}
