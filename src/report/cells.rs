//! Text in tables of Markdown.

/// Text that stays text in a cell of a table.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '~' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_in_a_cell_is_read_as_markdown() {
        assert_eq!(escape("a|b\nc <d> `e` [f]"), "a\\|b c \\<d\\> \\`e\\` \\[f\\]");
    }
}
