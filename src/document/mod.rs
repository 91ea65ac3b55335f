//! YAML documents with positions, and the one form of diagnostics: what is wrong, where, and what to write instead.
