//! Requests of remote write on their way to whoever takes them: one after another, so that every series stays in order.

use std::str::FromStr;

use reqwest::Url;

use super::sender::Sender;

/// Who takes requests of remote write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taker(Url);

impl FromStr for Taker {
    type Err = String;

    fn from_str(text: &str) -> Result<Taker, String> {
        let advice = "write the whole URL that takes remote write, such as http://127.0.0.1:9090/api/v1/write";
        let url = Url::parse(text).map_err(|error| format!("{error}; {advice}"))?;
        let sound = ["http", "https"].contains(&url.scheme()) && url.has_host();
        if sound { Ok(Taker(url)) } else { Err(advice.to_owned()) }
    }
}

impl Taker {
    /// Where it listens, as far as its name is known.
    #[cfg(feature = "cli")]
    pub(crate) fn addresses(&self) -> Vec<std::net::SocketAddr> {
        self.0.socket_addrs(|| None).unwrap_or_default()
    }

    /// Its address as it may be shown: without a password.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.0.clone();
        if url.password().is_some() {
            let _ = url.set_password(Some("***"));
        }
        url.to_string()
    }
}

/// Sends one request after another.
#[derive(Debug)]
pub(crate) struct RemoteWriter {
    runtime: tokio::runtime::Runtime,
    sender: Sender,
    taker: Taker,
}

impl RemoteWriter {
    /// A sender with headers of the user's, such as the tenant of a Mimir.
    ///
    /// # Errors
    /// A header is none, or nothing can be sent from here; in words.
    pub(crate) fn new(taker: Taker, more: &[(String, String)]) -> Result<RemoteWriter, String> {
        let own = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("x-prometheus-remote-write-version", "0.1.0"),
        ];
        let sender = Sender::new(&own, more)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        Ok(RemoteWriter { runtime, sender, taker })
    }

    /// Sends a request until it is taken, or until it shall end; `tell` hears of every try that failed.
    ///
    /// # Errors
    /// It is not taken.
    pub(crate) fn send(
        &mut self,
        body: &[u8],
        tell: &mut dyn FnMut(&str),
        stop: impl Future<Output = ()>,
    ) -> Result<(), NotSent> {
        let url = &self.taker.0;
        let sent = self.sender.send(|client| client.post(url.clone()).body(body.to_vec()), async |_| Ok(()), tell);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop => Err(NotSent::Stopped),
                sent = sent => sent.map_err(|refused| NotSent::Failed(refused.why)),
            }
        })
    }
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotSent {
    /// Nobody wants it any more.
    Stopped,
    /// In words: nobody is there, it is refused, or it has been tried often enough.
    Failed(String),
}
