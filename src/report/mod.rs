//! What a run found, as text and JSON.
