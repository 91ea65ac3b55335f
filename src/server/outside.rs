//! What asks other servers: a real Kestra's ports, or a Prometheus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration as Real;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::delivery::{client, told};
use super::sending::Authority;

/// Bytes of an answer that are read; an exposition of a large Kestra has some ten million.
const LONGEST: usize = 64 << 20;

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// `Authorization: Basic`, as a Kestra wants it.
    Basic {
        /// A name, or an address of mail.
        user: String,
        /// What nobody else shall read.
        password: String,
    },
    /// `Authorization: Bearer`, as what stands before a Prometheus often wants it.
    Bearer(String),
}

/// Without what is secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

/// How servers are asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking {
    /// Who asks; else what the address holds.
    pub(crate) credentials: Option<Credentials>,
    /// Authorities that are believed beside the usual ones.
    pub(crate) authorities: Arc<[Authority]>,
    /// What is asked is answered within this, or counts as not answered.
    pub(crate) within: Real,
}

/// A server at an address.
#[derive(Clone)]
pub(crate) struct Outside {
    client: reqwest::Client,
    /// Without user and password, and with a `/` at its end.
    base: Url,
    headers: HeaderMap,
}

/// The address only: the headers hold what is secret.
impl fmt::Debug for Outside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Outside").field(&self.base.as_str()).finish()
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Of HTTP.
    pub(crate) status: u16,
    /// Names in small letters, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Unpacked.
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer, in words that name the address and nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered(String);

impl fmt::Display for Unanswered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Reply {
    /// The first header of a name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl Outside {
    /// A server by its address, such as `http://kestra:8081` or `https://name:password@host/behind/a/path`.
    ///
    /// # Errors
    /// It is no address of HTTP, or nothing can be sent from here; in words, without what is secret.
    pub(crate) fn new(base: &str, asking: &Asking) -> Result<Outside, String> {
        let mut base = address(base, "http://127.0.0.1:8081")?;
        let in_address = (!base.username().is_empty() || base.password().is_some()).then(|| Credentials::Basic {
            user: plain(base.username()),
            password: plain(base.password().unwrap_or_default()),
        });
        // Neither fails for an address with a host.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        let mut headers = HeaderMap::new();
        if let Some(credentials) = asking.credentials.as_ref().or(in_address.as_ref()) {
            headers.insert(AUTHORIZATION, authorization(credentials)?);
        }
        Ok(Outside { client: client(asking.within, &asking.authorities)?, base, headers })
    }

    /// Its address as it may be shown.
    pub(crate) fn shown(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Host and port, as Prometheus names an instance.
    pub(crate) fn instance(&self) -> String {
        let port = self.base.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.base.host_str().unwrap_or_default())
    }

    /// Asks for a path below its address, such as `prometheus` or `api/v1/query?query=up`.
    ///
    /// # Errors
    /// There is no whole answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Reply, Unanswered> {
        let gone = |why: String| Unanswered(format!("{}/{path}: {why}", self.shown()));
        let url = self.base.join(path.trim_start_matches('/')).map_err(|error| gone(error.to_string()))?;
        let request = self.client.get(url).headers(self.headers.clone());
        let mut answer = request.send().await.map_err(|error| gone(with_advice(told(error))))?;
        let status = answer.status().as_u16();
        let words = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), words(value))).collect();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| gone(format!("it is cut off: {}", told(error))))? {
            if body.len() + piece.len() > LONGEST {
                return Err(gone(format!("the answer is longer than {} MiB", LONGEST >> 20)));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status, headers, body })
    }
}

/// What to do about a certificate that nobody known vouches for.
fn with_advice(why: String) -> String {
    let unknown = ["UnknownIssuer", "CaUsedAsEndEntity"].iter().any(|it| why.contains(it));
    let advice = "name the authority that signed it, or its own certificate, with --ca-file";
    if unknown { format!("{why}: {advice}") } else { why }
}

/// An address of HTTP, as a folder; `example` is told where it is none.
pub(super) fn address(text: &str, example: &str) -> Result<Url, String> {
    // The text may hold a password: it is not repeated.
    let advice = format!("write an address such as {example}");
    let mut url = Url::parse(text).map_err(|error| format!("this is no address: {error}; {advice}"))?;
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err(format!("this is no address of HTTP; {advice}"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("an address has no `?` or `#` here; {advice}"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// What an address writes with `%`.
fn plain(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn authorization(credentials: &Credentials) -> Result<HeaderValue, String> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let text = match credentials {
        Credentials::Basic { user, password } => {
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
        }
        Credentials::Bearer(token) => format!("Bearer {token}"),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| "the token holds what no header can".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let outside = Outside::new("http://me%40there:p%3Aw@kestra:8081/base", &Asking::default()).unwrap();
        assert_eq!(outside.shown(), "http://kestra:8081/base");
        assert_eq!(outside.instance(), "kestra:8081");
        assert!(!format!("{outside:?}").contains('@'));
        // me@there:p:w
        assert_eq!(outside.headers[AUTHORIZATION], "Basic bWVAdGhlcmU6cDp3");
        assert!(!format!("{:?}", outside.headers).contains("bWVA"));
        for wrong in ["kestra:8081", "ftp://me:secret@host", "http://me:secret@host:99999", "http://h?secret"] {
            let error = Outside::new(wrong, &Asking::default()).unwrap_err();
            assert!(error.contains("http://127.0.0.1:8081") && !error.contains("secret"), "{error}");
        }
    }
}
