//! Documents on their way into an Elasticsearch or OpenSearch.

use std::str::FromStr;

use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value as Json;

use super::outside::address;
use super::sender::{Refused, Sender};

/// Bytes of an answer to a bulk that are read: what is said of each of a thousand documents.
const ANSWER: usize = 16 << 20;
/// Characters of a refusal that are told.
const WORDS: usize = 300;

/// Who takes documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Store(Url);

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Store, String> {
        address(text, "http://127.0.0.1:9200").map(Store)
    }
}

impl Store {
    /// Its address as it may be shown: without a password.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.0.clone();
        if url.password().is_some() {
            let _ = url.set_password(Some("***"));
        }
        url.as_str().trim_end_matches('/').to_owned()
    }

    fn at(&self, path: &str) -> Url {
        // A path of our own always joins.
        self.0.join(path).unwrap_or_else(|_| self.0.clone())
    }
}

/// Writes documents, one bulk after another.
#[derive(Debug)]
pub(crate) struct Indexer {
    sender: Sender,
    store: Store,
}

/// An answer to a bulk, as far as it matters.
#[derive(Debug, Deserialize)]
struct Answer {
    errors: bool,
    items: Vec<serde_json::Map<String, Json>>,
}

/// Why documents are not written, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotWritten {
    /// So many are refused, and will be again; all others of them are written.
    Refused(usize, String),
    /// The request is refused, and will be again.
    Whole(String),
    /// Nobody takes them now.
    Gone(String),
}

/// What became of a bulk.
enum Became {
    Taken,
    Not(NotWritten),
}

impl Indexer {
    /// A writer with headers of the user's, such as an `Authorization`.
    ///
    /// # Errors
    /// A header is none, or nothing can be sent from here; in words.
    pub(crate) fn new(store: Store, more: &[(String, String)]) -> Result<Indexer, String> {
        Ok(Indexer { sender: Sender::new(&[], more)?, store })
    }

    /// Makes an index, by a body with settings and mappings; one that is there gets the mappings.
    ///
    /// # Errors
    /// It is refused, or nobody is there; in words.
    pub(crate) async fn make(&mut self, name: &str, body: &str, tell: &mut dyn FnMut(&str)) -> Result<(), String> {
        let made = self.put(name, body.to_owned(), tell).await;
        let why = match made {
            Ok(()) => return Ok(()),
            Err((status, why)) if status == Some(StatusCode::BAD_REQUEST) => why,
            Err((_, why)) => return Err(why),
        };
        if !why.contains("resource_already_exists_exception") {
            return Err(format!("{name}: {why}"));
        }
        let body: Json = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let mappings = body.get("mappings").unwrap_or(&Json::Null).to_string();
        self.put(&format!("{name}/_mapping"), mappings, tell).await.map_err(|(_, why)| {
            format!("the index {name} is there with another mapping: {why}; delete it, or write another --prefix")
        })
    }

    async fn put(
        &mut self,
        path: &str,
        body: String,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), (Option<StatusCode>, String)> {
        let url = self.store.at(path);
        let kind = ("content-type", "application/json");
        let request = |client: &reqwest::Client| client.put(url.clone()).header(kind.0, kind.1).body(body.clone());
        let sent = self.sender.send(request, async |_| Ok(()), tell).await;
        sent.map_err(|refused| (refused.status, refused.why))
    }

    /// Writes documents in the bulk format; `documents` is how many there are.
    ///
    /// # Errors
    /// They are refused, all or some of them, or nobody is there.
    pub(crate) async fn write(
        &mut self,
        bulk: &[u8],
        documents: usize,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), NotWritten> {
        let url = self.store.at("_bulk");
        let kind = ("content-type", "application/x-ndjson");
        let request = |client: &reqwest::Client| client.post(url.clone()).header(kind.0, kind.1).body(bulk.to_vec());
        let takes = async |answer: Response| became(answer, documents).await;
        match self.sender.send(request, takes, tell).await {
            Ok(Became::Taken) => Ok(()),
            Ok(Became::Not(written)) => Err(written),
            Err(Refused { status: Some(_), why }) => Err(NotWritten::Whole(why)),
            Err(Refused { status: None, why }) => Err(NotWritten::Gone(why)),
        }
    }
}

/// What became of a bulk of so many documents by what was answered.
///
/// # Errors
/// Nothing is wrong with them, but there is too much to do: they are to come again. An answer that is none is that too.
async fn became(mut answer: Response, documents: usize) -> Result<Became, String> {
    let whole = |why: String| Became::Not(NotWritten::Whole(why));
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(super::delivery::told)? {
        if body.len() + piece.len() > ANSWER {
            return Ok(whole(format!("the answer is longer than {} MiB", ANSWER >> 20)));
        }
        body.extend_from_slice(&piece);
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(&body) else {
        return Ok(whole("what answers is no Elasticsearch and no OpenSearch".to_owned()));
    };
    // A last line without its document is passed over without a word (OpenSearch 2.19).
    if answer.items.len() != documents {
        return Ok(whole(format!("of {documents} documents {} were read", answer.items.len())));
    }
    if !answer.errors {
        return Ok(Became::Taken);
    }
    let refused: Vec<&Json> =
        answer.items.iter().flat_map(|item| item.values()).filter(|item| item.get("error").is_some()).collect();
    let busy = |item: &&&Json| item.get("status").and_then(Json::as_u64) == Some(429);
    let Some(first) = refused.iter().find(|item| !busy(item)) else {
        return Err(format!("there is too much to do for {} of {documents} documents", refused.len()));
    };
    let text = |path: &str| first.pointer(path).and_then(Json::as_str).unwrap_or_default();
    let (index, id, kind, reason) = (text("/_index"), text("/_id"), text("/error/type"), text("/error/reason"));
    let reason: String = reason.chars().take(WORDS).collect();
    let of = refused.len();
    Ok(Became::Not(NotWritten::Refused(
        of,
        format!("{of} of {documents} documents are refused; {index}/{id}: {kind}: {reason}"),
    )))
}
