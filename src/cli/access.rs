//! How `record` and `contract` ask servers that are there: who asks, whom they believe, and how long they wait.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration as Real;

use clap::Args;

use super::{Exit, load};
use crate::server::{self, Asking, Authority, Credentials, Outside};
use crate::time::Duration;

/// Why a command ends before it has anything to tell: the exit code, and why, in words.
pub(super) type Failed = (Exit, String);

/// Name and password by the environment, where others of the machine cannot read them.
const USER: &str = "MOCK_KESTRA_USER";

#[derive(Debug, Args)]
pub(super) struct Access {
    /// Name and password for basic auth, NAME:PASSWORD [default: what MOCK_KESTRA_USER holds, or what the URL has]
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Option<String>,
    /// File with a token for `Authorization: Bearer`, instead
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    token_file: Option<PathBuf>,
    /// Believe these authorities too, beside the usual ones, where a server is asked over TLS: a file in PEM, also the
    /// certificate that a server has signed itself
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// How long a server may take for an answer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = patience)]
    timeout: Duration,
}

fn patience(text: &str) -> Result<Duration, String> {
    let span: Duration = text.parse()?;
    let fits = span >= Duration::milliseconds(1) && span <= Duration::minutes(10);
    if fits { Ok(span) } else { Err("write a duration from 1ms to 10m".to_owned()) }
}

/// The certificates that `--ca-file` names.
pub(super) fn authorities(path: &str) -> Result<Arc<[Authority]>, String> {
    let text = load::file(path).map_err(|why| format!("--ca-file: cannot read `{path}`: {why}"))?.text;
    server::authorities(&text).map_err(|why| format!("--ca-file: `{path}`: {why}"))
}

impl Access {
    /// # Errors
    /// An option is wrong.
    pub(super) fn asking(&self) -> Result<Asking, Failed> {
        let authorities = self.ca_file.as_deref().map(authorities).transpose();
        Ok(Asking {
            credentials: self.credentials()?,
            authorities: authorities.map_err(|why| (Exit::Input, why))?.unwrap_or_default(),
            within: Real::from_nanos(self.timeout.as_nanoseconds()),
        })
    }

    fn credentials(&self) -> Result<Option<Credentials>, Failed> {
        if let Some(file) = &self.token_file {
            let place = file.display();
            let text = load::file(&file.to_string_lossy())
                .map_err(|why| (Exit::Input, format!("--token-file: {place}: {why}")))?
                .text;
            return match text.trim() {
                "" => Err((Exit::Input, format!("--token-file: {place} is empty"))),
                token => Ok(Some(Credentials::Bearer(token.to_owned()))),
            };
        }
        let of_environment = || std::env::var(USER).ok().filter(|it| !it.is_empty()).map(|it| (USER, it));
        let Some((from, text)) = self.user.clone().map(|it| ("--user", it)).or_else(of_environment) else {
            return Ok(None);
        };
        match text.split_once(':') {
            Some((user, password)) => {
                Ok(Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned() }))
            }
            // It may be a password: it is not repeated.
            None => Err((Exit::Input, format!("{from}: write NAME:PASSWORD"))),
        }
    }

    /// The management ports of members, each once.
    ///
    /// # Errors
    /// An option or an address is wrong.
    pub(super) fn ports(&self, urls: &[String]) -> Result<Vec<Outside>, Failed> {
        let asking = self.asking()?;
        let mut ports: Vec<Outside> = Vec::new();
        for (number, url) in urls.iter().enumerate() {
            // Who copies it from a prometheus.yml has the whole path.
            let base = url.trim_end_matches('/');
            let base = base.strip_suffix("/prometheus").unwrap_or(base);
            // The address may hold a password: it is called by its place.
            let port = outside(&format!("URL {}", number + 1), base, &asking)?;
            if ports.iter().any(|other| other.shown() == port.shown()) {
                return Err((Exit::Input, format!("{} is there twice", port.shown())));
            }
            ports.push(port);
        }
        Ok(ports)
    }

    /// The server that an option names.
    ///
    /// # Errors
    /// An option or the address is wrong.
    pub(super) fn server(&self, option: &str, url: &str) -> Result<Outside, Failed> {
        outside(option, url.trim_end_matches('/'), &self.asking()?)
    }
}

fn outside(place: &str, base: &str, asking: &Asking) -> Result<Outside, Failed> {
    Outside::new(base, asking).map_err(|why| (Exit::Input, format!("{place}: {why}")))
}
