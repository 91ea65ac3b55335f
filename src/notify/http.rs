//! Requests over HTTP: what all tasks that post have in common, and `http.Request`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::message::{Accepts, Body, Http, Request, basic};
use super::properties::{Properties, plain};
use super::{Draft, Error};

/// Kestra's `readIdleTimeout` where nothing is said: 5 min.
const IDLE_MS: u64 = 300_000;
/// The longest URL.
const MAX_URL: usize = 16 * 1024;
/// The largest body, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// What a form leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// Which body a task sends.
pub(super) enum Content {
    /// JSON that leaves in UTF-8 in all versions.
    Json(String),
    /// A text in the charset of the version.
    Text(String),
}

/// A POST of JSON, as most tasks send it.
pub(super) fn post(
    properties: &Properties<'_>,
    url: String,
    own: &[(&str, String)],
    content: Content,
) -> Result<Request, Error> {
    let mut http = bare(properties, url, own, "application/json", content)?;
    if properties.within("options", "proxy")?.is_some() {
        return Err(Error::not_simulated("options.proxy"));
    }
    let options = properties.within("options", "headers")?;
    for (name, value) in options.as_ref().and_then(Value::as_object).into_iter().flatten() {
        if http.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            // The real task adds its own to a map that cannot be changed.
            return Err(Error::failed("java.lang.UnsupportedOperationException"));
        }
        http.headers.push((name.clone(), plain(value)));
    }
    http.connect_timeout_ms = milliseconds(properties, "connectTimeout")?;
    if let Some(idle) = milliseconds(properties, "readIdleTimeout")? {
        http.idle_timeout_ms = idle;
    }
    checked(http)
}

/// The same for tasks that ignore `options`, or send something else than JSON.
pub(super) fn post_plainly(
    properties: &Properties<'_>,
    url: String,
    own: &[(&str, String)],
    kind: &str,
    content: Content,
) -> Result<Request, Error> {
    checked(bare(properties, url, own, kind, content)?)
}

fn bare(
    properties: &Properties<'_>,
    url: String,
    own: &[(&str, String)],
    kind: &str,
    content: Content,
) -> Result<Http, Error> {
    let dialect = properties.asked.dialect;
    let mut headers: Vec<(String, String)> =
        own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    headers.push(("Content-Type".to_owned(), kind.to_owned()));
    headers.extend(dialect.client_headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let body = match content {
        Content::Text(text) if dialect.latin1 => Body::Latin1(text),
        Content::Text(text) | Content::Json(text) => Body::Text(text),
    };
    Ok(Http {
        method: "POST".to_owned(),
        url,
        headers,
        body: Some(body),
        connect_timeout_ms: None,
        idle_timeout_ms: IDLE_MS,
        follows_redirects: true,
        accepts: Accepts::default(),
    })
}

fn checked(http: Http) -> Result<Request, Error> {
    let scheme = http.url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => {}
        Some(_) => return Err(Error::failed(format!("{}: only http and https are known", http.url))),
        None => return Err(Error::failed("URI with undefined scheme")),
    }
    if http.url.len() > MAX_URL {
        return Err(Error::not_simulated(format!("a URL of more than {MAX_URL} bytes")));
    }
    if http.body.as_ref().is_some_and(|body| body.text().len() > MAX_BODY) {
        return Err(Error::not_simulated(format!("a body of more than {MAX_BODY} bytes")));
    }
    Ok(Request::Http(http))
}

/// A duration of `options`, in milliseconds.
fn milliseconds(properties: &Properties<'_>, part: &str) -> Result<Option<u64>, Error> {
    let Some(value) = properties.within("options", part)? else { return Ok(None) };
    let text = plain(&value);
    let parsed = text.trim().parse::<jiff::SignedDuration>().ok().and_then(|it| u64::try_from(it.as_millis()).ok());
    let told = || Error::failed(format!("options.{part}: `{text}` is no duration, such as PT10S"));
    parsed.map(Some).ok_or_else(told)
}

/// Names and values as a form sends them.
pub(super) fn form<'t>(pairs: impl IntoIterator<Item = (&'t str, String)>) -> String {
    let one = |text: &str| utf8_percent_encode(text, FORM).to_string().replace("%20", "+");
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{}={}", one(name), one(&value))).collect();
    pairs.join("&")
}

/// `http.Request`.
pub(super) fn request(properties: &Properties<'_>) -> Result<Draft, Error> {
    let mut url = properties.required("uri")?.replace(' ', "%20");
    if let Some(params) = properties.map("params")? {
        let query = form(params.iter().map(|(name, value)| (name.as_str(), plain(value))));
        let joint = if url.contains('?') { '&' } else { '?' };
        if !query.is_empty() {
            url = format!("{url}{joint}{query}");
        }
    }
    for part in ["proxy", "ssl", "defaultCharset"] {
        if properties.within("options", part)?.is_some() {
            return Err(Error::not_simulated(format!("options.{part} of http.Request")));
        }
    }
    let method = properties.text("method")?.unwrap_or_else(|| "GET".to_owned()).to_uppercase();
    let content = request_content(properties)?;
    let mut headers = Vec::new();
    for (name, value) in properties.map("headers")?.into_iter().flatten() {
        headers.push((name, plain(&value)));
    }
    headers.extend(authorization(properties)?.map(|value| ("Authorization".to_owned(), value)));
    let says = |name: &str, headers: &[(String, String)]| headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
    if let Some((kind, _)) = &content
        && !says("content-type", &headers)
    {
        headers.push(("Content-Type".to_owned(), kind.clone()));
    }
    for (name, value) in properties.asked.dialect.client_headers {
        if !says(name, &headers) {
            headers.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    let follows = properties.within("options", "followRedirects")?;
    let request = checked(Http {
        method,
        url,
        headers,
        body: content.map(|(_, text)| Body::Text(text)),
        connect_timeout_ms: timeout(properties, "connectTimeout")?,
        idle_timeout_ms: timeout(properties, "readIdleTimeout")?.unwrap_or(IDLE_MS),
        follows_redirects: follows.is_none_or(|value| plain(&value) != "false"),
        accepts: accepts(properties)?,
    })?;
    Ok(Draft { to: None, request })
}

/// A time-out of `http.Request`: in `options.timeout`, in older versions in `options` itself.
fn timeout(properties: &Properties<'_>, part: &str) -> Result<Option<u64>, Error> {
    let nested = properties.within("options", "timeout")?.and_then(|map| map.get(part).map(plain));
    match nested.map(|text| (text.trim().parse::<jiff::SignedDuration>().ok(), text)) {
        Some((Some(duration), _)) => Ok(u64::try_from(duration.as_millis()).ok()),
        Some((None, text)) => {
            Err(Error::failed(format!("options.timeout.{part}: `{text}` is no duration, such as PT10S")))
        }
        None => milliseconds(properties, part),
    }
}

/// The content type and text of the body, or of the form.
fn request_content(properties: &Properties<'_>) -> Result<Option<(String, String)>, Error> {
    if let Some(fields) = properties.map("formData")? {
        if fields.values().any(Value::is_object)
            || properties.text("contentType")?.is_some_and(|it| it.starts_with("multipart"))
        {
            return Err(Error::not_simulated("formData in parts or with files"));
        }
        let form = form(fields.iter().map(|(name, value)| (name.as_str(), plain(value))));
        return Ok(Some(("application/x-www-form-urlencoded".to_owned(), form)));
    }
    let Some(text) = properties.text("body")? else { return Ok(None) };
    let kind = properties.text("contentType")?.unwrap_or_else(|| "application/json".to_owned());
    let named = properties.asked.dialect.names_charset && !kind.contains("charset");
    Ok(Some((if named { format!("{kind}; charset=UTF-8") } else { kind }, text)))
}

fn authorization(properties: &Properties<'_>) -> Result<Option<String>, Error> {
    let old = |part: &str| properties.within("options", part).map(|value| value.map(|value| plain(&value)));
    if let (Some(name), Some(password)) = (old("basicAuthUser")?, old("basicAuthPassword")?) {
        return Ok(Some(basic(&name, &password)));
    }
    let Some(auth) = properties.within("options", "auth")? else { return Ok(None) };
    let part = |name: &str| auth.get(name).map(plain).unwrap_or_default();
    match part("type").as_str() {
        "BASIC" => Ok(Some(basic(&part("username"), &part("password")))),
        "BEARER" => Ok(Some(format!("Bearer {}", part("token")))),
        other => Err(Error::not_simulated(format!("options.auth of type {other}"))),
    }
}

fn accepts(properties: &Properties<'_>) -> Result<Accepts, Error> {
    let allowed = properties.within("options", "allowFailed")?.is_some_and(|value| plain(&value) == "true");
    if allowed || properties.flag("allowFailed", false)? {
        return Ok(Accepts::Any);
    }
    let codes = properties.within("options", "allowedResponseCodes")?;
    let codes: Vec<u16> = codes
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|code| plain(code).parse().ok())
        .collect();
    Ok(if codes.is_empty() { Accepts::Below400 } else { Accepts::Also(codes) })
}
