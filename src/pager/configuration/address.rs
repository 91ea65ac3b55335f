//! Addresses and lengths of time as Go's library reads them.

/// Parts of an address that matter here.
#[derive(Debug, PartialEq)]
pub(super) struct Parts<'t> {
    pub(super) scheme: String,
    pub(super) host: &'t str,
}

/// An address of HTTP with a host, as Alertmanager wants them.
pub(super) fn http(text: &str) -> Result<(), String> {
    let advice = "write an address such as `http://host:port/path`";
    match url(text)? {
        parts if parts.scheme != "http" && parts.scheme != "https" => Err(advice.to_owned()),
        parts if parts.host.is_empty() => Err(format!("it has no host: {advice}")),
        _ => Ok(()),
    }
}

/// An address as Go's `net/url` takes it apart.
pub(super) fn url(text: &str) -> Result<Parts<'_>, String> {
    let broken = |why: &str| Err(format!("Go reads no address in it, because {why}"));
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return broken("it has a control character");
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    if !is_escaped(fragment) {
        return broken("a percent sign stands alone");
    }
    let (scheme, rest) = scheme(text).ok_or("it has no scheme: write an address such as `http://host:port/path`")?;
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    if !rest.starts_with('/') {
        let first = rest.split('/').next().unwrap_or("");
        return match scheme.is_empty() && first.contains(':') {
            true => broken("a colon stands before its first slash"),
            // What follows the scheme is opaque, or there is none.
            false => Ok(Parts { scheme, host: "" }),
        };
    }
    let Some(authority) = rest.strip_prefix("//").filter(|rest| !scheme.is_empty() || !rest.starts_with('/')) else {
        return if is_escaped(rest) { Ok(Parts { scheme, host: "" }) } else { broken("a percent sign stands alone") };
    };
    let (authority, path) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
    if !is_escaped(path) {
        return broken("a percent sign stands alone");
    }
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let of_user = |letter: char| letter.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(letter);
    if !user.chars().all(of_user) || !is_escaped(user) {
        return broken("the user's name has characters that must be escaped");
    }
    if !is_host(host) {
        return broken("its host or port is none");
    }
    Ok(Parts { scheme, host })
}

/// The scheme and what follows it; nothing where a colon stands first.
fn scheme(text: &str) -> Option<(String, &str)> {
    match text.find(|letter: char| !letter.is_ascii_alphanumeric() && !"+-.".contains(letter)) {
        Some(0) if text.starts_with(':') => None,
        Some(at) if text[at..].starts_with(':') && text.starts_with(|letter: char| letter.is_ascii_alphabetic()) => {
            Some((text[..at].to_lowercase(), &text[at + 1..]))
        }
        _ => Some((String::new(), text)),
    }
}

/// Whether two digits follow every percent sign.
fn is_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

fn is_host(host: &str) -> bool {
    let port = |after: &str| {
        after.is_empty() || after.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let name = match host.strip_prefix('[') {
        Some(inside) => match inside.rsplit_once(']') {
            Some((name, after)) if port(after) => name,
            _ => return false,
        },
        None => {
            let (name, after) = host.split_at(host.rfind(':').unwrap_or(host.len()));
            if !port(after) {
                return false;
            }
            name
        }
    };
    let allowed = |letter: char| {
        !letter.is_ascii() || letter.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"".contains(letter)
    };
    // Only what is not of ASCII may be escaped in a host.
    let escapes = |after: &str| {
        after
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_digit() || byte == b'8' || byte == b'9')
    };
    is_escaped(name)
        && name.split('%').skip(1).all(escapes)
        && name.chars().all(|letter| letter == '%' || allowed(letter))
}

/// A template inside of an address: what opens is closed.
pub(super) fn template(text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        match after.split_once("}}") {
            Some((_, after)) => rest = after,
            None => return Err("`{{` is not closed: write `}}` behind it".to_owned()),
        }
    }
    Ok(())
}

/// Host and port as `net.SplitHostPort` splits them; nothing at all is none.
pub(super) fn host_and_port(text: &str) -> Result<(), String> {
    let advice = "write host and port, for example `smtp.example.org:587`";
    if text.is_empty() {
        return Ok(());
    }
    let (host, port) = text.rsplit_once(':').ok_or(advice)?;
    let sound = match host.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']').is_some_and(|host| !host.contains(['[', ']'])),
        None => !host.contains([':', '[', ']']),
    };
    if sound && !port.is_empty() && !port.contains(['[', ']']) { Ok(()) } else { Err(advice.to_owned()) }
}

/// A length of time of Go: `1h30m`, `1.5s`, `-2ms`, `0`.
pub(super) fn go_duration(text: &str) -> Result<(), String> {
    let advice = "write a duration as Go does: `30s`, `1m30s`, `1.5h`";
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(());
    }
    if rest.is_empty() {
        return Err(advice.to_owned());
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (amount, after) = rest.split_at(end);
        let unit = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let digits = amount.matches('.').count() < 2 && amount.contains(|letter: char| letter.is_ascii_digit());
        if !digits || !["ns", "us", "µs", "μs", "ms", "s", "m", "h"].contains(&unit) {
            return Err(advice.to_owned());
        }
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_go() {
        for text in [
            "http://a",
            "https://a:1/b?c#d",
            "http://u:p@a/",
            "HTTP://a",
            "http://[::1]:9/",
            "http://a:/",
            "http://a/ b",
            "http://é/",
            "http://a//",
            "http://a:1:2/",
        ] {
            assert_eq!(http(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "a",
            "/a",
            "ftp://a",
            "http:a",
            "http:///a",
            "http://",
            "://a",
            "http://a b/",
            "http://a:b/",
            "http://a/%zz",
            "http://{{ x }}",
            "http://[::1",
            "http://a\u{1}",
            "http://u\"@a/",
            "a:b",
            "//a",
            "http://a%20b/",
            "1http://a",
        ] {
            assert!(http(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ports_and_durations_are_those_of_go() {
        for text in ["", "a:1", ":25", "[::1]:25", "a:smtp"] {
            assert!(host_and_port(text).is_ok(), "{text}");
        }
        for text in ["a", "a:", "a:1:2", "[::1]", "[a:1"] {
            assert!(host_and_port(text).is_err(), "{text}");
        }
        for text in ["0", "1s", "1.5h", "-2ms", "1h30m", ".5s", "1m1m"] {
            assert!(go_duration(text).is_ok(), "{text}");
        }
        for text in ["", "1", "s", "1d", "1.2.3s", "1s ", "-"] {
            assert!(go_duration(text).is_err(), "{text}");
        }
        assert!(template("http://{{ .a }}/{{ .b }}").is_ok() && template("http://{{ .a }/").is_err());
    }
}
