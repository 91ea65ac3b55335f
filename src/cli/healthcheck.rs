//! `healthcheck`: one request, for HEALTHCHECK in a container that has no other client.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::Args;

use super::{Exit, complain};

#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// What to ask: by default the control port, which is well as long as the mock is, whatever the members suffer
    #[arg(default_value = "http://127.0.0.1:8082/health")]
    url: String,
}

const PATIENCE: Duration = Duration::from_secs(5);

impl Healthcheck {
    pub(super) fn run(&self) -> Exit {
        match status(&self.url) {
            Ok(200) => Exit::Ok,
            Ok(status) => {
                complain(&format!("{} answers {status}\n", self.url));
                Exit::Found
            }
            Err(Problem::Url) => {
                complain(&format!("error: `{}` is no URL to ask; write http://host:port/path\n", self.url));
                Exit::Input
            }
            Err(Problem::Connection(why)) => {
                complain(&format!("{} does not answer: {why}\n", self.url));
                Exit::Found
            }
        }
    }
}

enum Problem {
    Url,
    Connection(std::io::Error),
}

/// The status code of a GET.
fn status(url: &str) -> Result<u16, Problem> {
    let rest = url.strip_prefix("http://").ok_or(Problem::Url)?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let with_port =
        if host.rsplit(']').next().unwrap_or(host).contains(':') { host.to_owned() } else { format!("{host}:80") };
    if host.is_empty() || url.contains(char::is_whitespace) {
        return Err(Problem::Url);
    }
    let mut answer = Vec::new();
    let mut ask = || -> std::io::Result<()> {
        let address = with_port.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        // The first line is all that is wanted.
        let mut part = [0u8; 256];
        while !answer.contains(&b'\n') && answer.len() < 4096 {
            match stream.read(&mut part)? {
                0 => break,
                n => answer.extend_from_slice(&part[..n]),
            }
        }
        Ok(())
    };
    ask().map_err(Problem::Connection)?;
    let line = String::from_utf8_lossy(&answer);
    let status = line.split(' ').nth(1).and_then(|status| status.get(..3)).and_then(|status| status.parse().ok());
    status.ok_or_else(|| Problem::Connection(std::io::ErrorKind::InvalidData.into()))
}
