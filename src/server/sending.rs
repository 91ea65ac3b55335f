//! Where messages of alert flows are sent, as whoever starts a server says it.

use std::str::FromStr;
use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Messages are really sent: to the hosts that the user's flows name, or to these receivers instead.
#[derive(Clone, Debug, Default)]
pub struct Sending {
    /// One receiver for all requests over HTTP. The address a request was meant for stands in its header
    /// `X-Mock-Kestra-Url`, secrets as stars.
    pub webhooks: Option<Receiver>,
    /// One server for all mails; it is spoken to without TLS and without a login.
    pub mails: Option<MailServer>,
    /// Certificates of authorities that are believed beside the usual ones.
    pub authorities: Arc<[CertificateDer<'static>]>,
}

/// A receiver over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver(pub(super) Url);

impl FromStr for Receiver {
    type Err = String;

    fn from_str(text: &str) -> Result<Receiver, String> {
        let advice = "write a URL such as http://127.0.0.1:9000/hook";
        let url = Url::parse(text).map_err(|error| format!("{error}; {advice}"))?;
        match ["http", "https"].contains(&url.scheme()) && url.has_host() {
            true => Ok(Receiver(url)),
            false => Err(advice.to_owned()),
        }
    }
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl FromStr for MailServer {
    type Err = String;

    fn from_str(text: &str) -> Result<MailServer, String> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some((host, port)) if !host.is_empty() && port > 0 && !host.contains(['/', '@', ' ']) => {
                Ok(MailServer { host: host.to_owned(), port })
            }
            _ => Err("write a host and a port, such as 127.0.0.1:1025".to_owned()),
        }
    }
}

/// A certificate of who is believed.
pub(crate) type Authority = CertificateDer<'static>;

/// The certificates of a text in PEM.
///
/// # Errors
/// There is none, or one is broken.
pub fn authorities(pem: &str) -> Result<Arc<[CertificateDer<'static>]>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let all = all.map_err(|error| format!("{error}"))?;
    if all.is_empty() {
        return Err("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned());
    }
    let mut roots = rustls::RootCertStore::empty();
    all.iter().try_for_each(|one| roots.add(one.clone())).map_err(|error| error.to_string())?;
    Ok(all.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_a_url_of_http_and_a_mail_server_has_a_port() {
        for (text, sound) in [
            ("http://127.0.0.1:9000/hook", true),
            ("https://example.com", true),
            ("ftp://example.com", false),
            ("localhost:9000", false),
            ("http://", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<Receiver>().is_ok(), sound, "{text}");
        }
        for (text, sound) in [
            ("127.0.0.1:1025", true),
            ("[::1]:25", true),
            ("mail.example.com:587", true),
            ("mail.example.com", false),
            (":25", false),
            ("smtp://x:25", false),
            ("x:0", false),
            ("x:70000", false),
        ] {
            assert_eq!(text.parse::<MailServer>().is_ok(), sound, "{text}");
        }
        assert!(authorities("no pem").unwrap_err().contains("no certificate"));
    }
}
