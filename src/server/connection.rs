//! One connection to a member: request heads in, recorded answers out, byte for byte.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::world::{Reply, Shared};
use crate::management::{Answer, Body, Listener, Malformed, Request, malformed};
use crate::profile::Profile;
use crate::time::Instant;

/// Bytes of a request head (recorded: 30 KB pass, 40 KB do not).
const MAX_HEAD: usize = 32 * 1024;
/// Bytes of a request line (recorded).
const MAX_LINE: usize = 4096;
/// Headers of a request.
const MAX_HEADERS: usize = 256;
/// Bytes of a request body.
const MAX_BODY: usize = 1 << 20;
/// A client that says nothing for so long is left.
const IDLE: std::time::Duration = std::time::Duration::from_secs(300);

/// An answer as it goes over the wire.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) status: u16,
    bytes: Vec<u8>,
    close: bool,
    /// The answer itself, for those who pass it on.
    pub(super) answer: Option<Answer>,
}

impl Encoded {
    pub(super) fn new(answer: Answer, http10: bool) -> Encoded {
        let body: &[u8] = match &answer.body {
            Body::None => &[],
            Body::Sized(body) | Body::Chunked(body) => body,
        };
        let mut bytes = Vec::with_capacity(body.len() + 512);
        let version = if http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        bytes.extend_from_slice(format!("{version} {} {}\r\n", answer.status, answer.reason).as_bytes());
        for (name, value) in &answer.headers {
            for part in [name.as_str(), ": ", value, "\r\n"] {
                bytes.extend_from_slice(part.as_bytes());
            }
        }
        bytes.extend_from_slice(b"\r\n");
        match &answer.body {
            Body::Chunked(body) => {
                if !body.is_empty() {
                    bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
                    bytes.extend_from_slice(body);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
            _ => bytes.extend_from_slice(body),
        }
        Encoded { status: answer.status, bytes, close: answer.close, answer: Some(answer) }
    }
}

/// How a connection ends.
pub(super) enum End {
    /// The client left, or was answered for the last time.
    Closed,
    /// The process died, or closes without an answer: the client sees a reset.
    Reset,
}

/// Serves a connection until one side has enough.
pub(super) async fn serve(shared: Arc<Shared>, member: usize, which: Listener, stream: TcpStream) {
    // Answers are whole; waiting to fill packets would only delay them.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let mut connection = Connection { shared, member, which, read, write, buffer: Vec::with_capacity(4096) };
    if let End::Reset = connection.run().await {
        // Closing a socket with a linger time of zero sends a reset instead of an orderly end; dropping the write half
        // would end it orderly first.
        let _ = socket2::SockRef::from(connection.write.as_ref()).set_linger(Some(std::time::Duration::ZERO));
        connection.write.forget();
    }
}

struct Connection {
    shared: Arc<Shared>,
    member: usize,
    which: Listener,
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    buffer: Vec<u8>,
}

/// What a request head came to.
enum Head {
    Request(Request, BodyLength),
    Malformed(Answer),
}

enum BodyLength {
    None,
    Sized(usize),
    Chunked,
}

impl Connection {
    async fn run(&mut self) -> End {
        let mut changes = self.shared.changes.subscribe();
        let life = life_of(&self.shared, self.member);
        let version = self.version();
        loop {
            // Wait for a request, or for the end of the process.
            let head = tokio::select! {
                head = next_head(&mut self.buffer, &mut self.read, self.which, version) => head,
                () = dead(&self.shared, self.member, life, &mut changes) => return End::Reset,
            };
            let Some(head) = head else { return End::Closed };
            let (mut request, length) = match head {
                Head::Request(request, length) => (request, length),
                Head::Malformed(answer) => {
                    // What has no readable request line is answered as HTTP/1.0, without a word on the connection.
                    let http10 = answer.headers.iter().all(|(name, _)| name != "connection");
                    let encoded = Encoded::new(answer, http10);
                    self.shared.malformed(self.member, encoded.status);
                    let _ = self.write.write_all(&encoded.bytes).await;
                    return End::Closed;
                }
            };
            let expects = request
                .headers
                .iter()
                .any(|(name, value)| name == "expect" && value.eq_ignore_ascii_case("100-continue"));
            if expects
                && self.buffer.is_empty()
                && self.write.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_err()
            {
                return End::Closed;
            }
            match read_body(&mut self.buffer, &mut self.read, length).await {
                Some(body) => request.body = body,
                None => return End::Closed,
            }
            match self.shared.world() {
                Ok(world) => request.arrived = world.session.now(),
                Err(_) => return End::Reset,
            }
            let encoded = match self.answer(&request, life, &mut changes).await {
                Ok(encoded) => encoded,
                Err((what, end)) => {
                    self.shared.answered(self.member, &request, Err(what));
                    return end;
                }
            };
            self.shared.answered(self.member, &request, Ok(encoded.status));
            if self.write.write_all(&encoded.bytes).await.is_err() || encoded.close {
                return End::Closed;
            }
        }
    }

    /// The answer to a request, however long it takes; else what became of it, and of the connection.
    async fn answer(
        &mut self,
        request: &Request,
        life: Option<u32>,
        changes: &mut tokio::sync::watch::Receiver<u64>,
    ) -> Result<Arc<Encoded>, (&'static str, End)> {
        loop {
            match self.shared.answer(self.member, request) {
                Reply::Send(encoded) => return Ok(encoded),
                Reply::Reset => return Err(("reset", End::Reset)),
                Reply::Later(wait) => {
                    let sleep = tokio::time::sleep(wait.unwrap_or(IDLE).max(std::time::Duration::from_millis(1)));
                    tokio::select! {
                        () = sleep => {}
                        _ = changes.changed() => {}
                        () = left(&mut self.buffer, &mut self.read) => return Err(("unanswered", End::Closed)),
                    }
                }
            }
            if life_of(&self.shared, self.member) != life {
                return Err(("reset", End::Reset));
            }
        }
    }

    /// The version that the member answers as: what cannot be read is answered in its form too.
    fn version(&self) -> &'static Profile {
        let world = self.shared.world().ok();
        let member = world.as_ref().and_then(|world| world.session.simulation().members().get(self.member));
        member.map_or(self.shared.plan.kestra, |member| member.profile())
    }
}

/// The number of a member's process; none when the model is broken.
fn life_of(shared: &Shared, member: usize) -> Option<u32> {
    shared.world().ok()?.session.simulation().members().get(member).map(|member| member.life())
}

/// Resolves when the process that was connected to is gone.
async fn dead(shared: &Shared, member: usize, life: Option<u32>, changes: &mut tokio::sync::watch::Receiver<u64>) {
    loop {
        if changes.changed().await.is_err() {
            return;
        }
        let Ok(world) = shared.world() else { return };
        match world.session.simulation().members().get(member) {
            Some(it) if Some(it.life()) == life && it.port() != crate::simulator::Port::Refused => {}
            _ => return,
        }
    }
}

/// Resolves when the client has left; what it sends meanwhile is kept, up to the size of a head.
async fn left(buffer: &mut Vec<u8>, read: &mut OwnedReadHalf) {
    while buffer.len() < MAX_HEAD {
        if !matches!(read.read_buf(buffer).await, Ok(n) if n > 0) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Reads until a request head is complete. None when the client has left.
async fn next_head(buffer: &mut Vec<u8>, read: &mut OwnedReadHalf, which: Listener, version: &Profile) -> Option<Head> {
    loop {
        if let Some((head, used)) = parse_head(buffer, which, version) {
            buffer.drain(..used);
            return Some(head);
        }
        match tokio::time::timeout(IDLE, read.read_buf(buffer)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return None,
        }
    }
}

/// A head from the beginning of what was read, and how many bytes it took. None when more is needed.
fn parse_head(buffer: &[u8], which: Listener, version: &Profile) -> Option<(Head, usize)> {
    // Empty lines before a request are skipped, as everywhere.
    let skipped = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let text = &buffer[skipped..];
    let broken = |what: Malformed<'_>| Some((Head::Malformed(malformed(what, version)), buffer.len()));
    let line_end = text.iter().position(|byte| *byte == b'\n');
    if line_end.unwrap_or(text.len()) > MAX_LINE {
        return broken(Malformed::LineTooLong);
    }
    // A bare line feed is no end of a line here (recorded: 400).
    if let Some(end) = line_end
        && (end == 0 || text[end - 1] != b'\r')
    {
        return broken(Malformed::RequestLine);
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(text);
    let target = request.path.unwrap_or("/").to_owned();
    let head = match parsed {
        Ok(httparse::Status::Complete(head)) if head <= MAX_HEAD => head,
        Ok(httparse::Status::Partial) if text.len() <= MAX_HEAD => return None,
        Ok(_) => return broken(Malformed::HeadersTooLong(&target)),
        Err(httparse::Error::TooManyHeaders) => return broken(Malformed::HeadersTooLong(&target)),
        Err(_) if request.path.is_none() || request.version.is_none() => return broken(Malformed::RequestLine),
        Err(_) => return broken(Malformed::Header(&target)),
    };
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let value = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.trim());
    let length = match (value("transfer-encoding"), value("content-length")) {
        (Some(encoding), _) if encoding.eq_ignore_ascii_case("chunked") => BodyLength::Chunked,
        (_, Some(length)) => match length.parse::<usize>() {
            Ok(length) => BodyLength::Sized(length),
            Err(_) => return broken(Malformed::Header(&target)),
        },
        _ => BodyLength::None,
    };
    let request = Request {
        listener: which,
        method: request.method.unwrap_or("GET").to_owned(),
        target,
        http10: request.version == Some(0),
        headers,
        body: Vec::new(),
        arrived: Instant::START,
    };
    Some((Head::Request(request, length), skipped + head))
}

/// Reads a body. None when it is too long, or the client has left.
async fn read_body(buffer: &mut Vec<u8>, read: &mut OwnedReadHalf, length: BodyLength) -> Option<Vec<u8>> {
    match length {
        BodyLength::None => Some(Vec::new()),
        BodyLength::Sized(length) if length > MAX_BODY => None,
        BodyLength::Sized(length) => {
            fill(buffer, read, length).await?;
            Some(buffer.drain(..length).collect())
        }
        BodyLength::Chunked => {
            let mut body = Vec::new();
            loop {
                let (start, size) = loop {
                    match httparse::parse_chunk_size(buffer) {
                        Ok(httparse::Status::Complete(found)) => break found,
                        Ok(httparse::Status::Partial) if buffer.len() < 4096 => {
                            let more = buffer.len() + 1;
                            fill(buffer, read, more).await?;
                        }
                        _ => return None,
                    }
                };
                let size = usize::try_from(size).ok().filter(|size| *size <= MAX_BODY - body.len())?;
                fill(buffer, read, start + size + 2).await?;
                body.extend_from_slice(&buffer[start..start + size]);
                buffer.drain(..start + size + 2);
                if size == 0 {
                    return Some(body);
                }
            }
        }
    }
}

/// Reads until there are so many bytes.
async fn fill(buffer: &mut Vec<u8>, read: &mut OwnedReadHalf, bytes: usize) -> Option<()> {
    while buffer.len() < bytes {
        match tokio::time::timeout(IDLE, read.read_buf(buffer)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return None,
        }
    }
    Some(())
}
