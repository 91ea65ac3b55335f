//! The bulk format: a line that says what to do, and a line with the document.

use serde_json::Value as Json;

use super::Index;

/// Documents for `POST /_bulk`.
#[derive(Clone, Debug, Default)]
pub struct Bulk {
    text: Vec<u8>,
    /// Where each document begins with its action.
    begins: Vec<usize>,
}

impl Bulk {
    /// A document in the place of that of the same id.
    pub(super) fn add(&mut self, prefix: &str, index: Index, id: &str, document: &Json) {
        self.begins.push(self.text.len());
        let action = serde_json::json!({ "index": { "_index": format!("{prefix}{}", index.name()), "_id": id } });
        for line in [&action, document] {
            self.text.extend_from_slice(line.to_string().as_bytes());
            self.text.push(b'\n');
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.begins.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.begins.is_empty()
    }

    /// All of them.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Others behind these.
    pub fn append(&mut self, more: Bulk) {
        self.begins.extend(more.begins.iter().map(|begin| begin + self.text.len()));
        self.text.extend(more.text);
    }

    /// The same in requests of at most so many documents and bytes; a document that is longer is one of its own. With each how many
    /// documents it has.
    pub fn requests(&self, documents: usize, bytes: usize) -> Vec<(&[u8], usize)> {
        let mut requests = Vec::new();
        let (mut from, mut count) = (0, 0);
        let ends = self.begins.iter().skip(1).copied().chain([self.text.len()]);
        for (begin, end) in self.begins.iter().copied().zip(ends) {
            if count > 0 && (count >= documents || end - from > bytes) {
                requests.extend(self.text.get(from..begin).map(|text| (text, count)));
                (from, count) = (begin, 0);
            }
            count += 1;
        }
        if count > 0 {
            requests.extend(self.text.get(from..).map(|text| (text, count)));
        }
        requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_hold_whole_documents_and_no_more_than_they_may() {
        let mut bulk = Bulk::default();
        for id in 0..10 {
            bulk.add("k_", Index::Logs, &id.to_string(), &serde_json::json!({ "message": "x".repeat(100) }));
        }
        let each = bulk.text().len() / 10;
        for (documents, bytes, expected) in [(3, 1_000_000, 4), (100, 1_000_000, 1), (100, each * 2, 5), (100, 1, 10)] {
            let requests = bulk.requests(documents, bytes);
            assert_eq!(requests.len(), expected, "{documents} {bytes}");
            let texts: Vec<&[u8]> = requests.iter().map(|(text, _)| *text).collect();
            assert_eq!(texts.concat(), bulk.text());
            assert_eq!(requests.iter().map(|(_, documents)| documents).sum::<usize>(), 10);
            assert!(texts.iter().all(|it| it.ends_with(b"}\n") && it.starts_with(b"{\"index\"")));
        }
        assert!(Bulk::default().requests(1, 1).is_empty());
    }
}
