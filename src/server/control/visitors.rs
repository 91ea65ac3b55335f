//! Connections to the control port: there is place for so many; whoever comes when all are taken gets that of the one that
//! has been idle for longest.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration as Real;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Connections at the same time.
const PLACES: usize = 128;
/// How long it takes until a connection is accepted again after that failed: there are no descriptors then.
const AGAIN: Real = Real::from_millis(50);

/// The port, and who is there.
#[derive(Debug)]
pub(super) struct Visitors {
    socket: TcpListener,
    there: Vec<Weak<Visit>>,
    clock: Arc<AtomicU64>,
}

/// One connection.
#[derive(Debug)]
struct Visit {
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// Its turn among all that connections did: when it last did something.
    active: AtomicU64,
    clock: Arc<AtomicU64>,
    /// Nothing once it has to leave.
    reader: Mutex<Option<Reader>>,
}

/// Whoever waits for its next bytes.
#[derive(Debug, Default)]
struct Reader(Option<Waker>);

impl Visit {
    fn acts(&self) {
        self.active.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Ends it: its reader finds the end of the connection.
    fn end(&self) {
        let reader = self.reader.lock().ok().and_then(|mut reader| reader.take());
        if let Some(Reader(Some(waker))) = reader {
            waker.wake();
        }
    }

    /// Whether it has to leave; else whoever reads is woken when it has.
    fn is_over(&self, waker: &Waker) -> bool {
        let Ok(mut reader) = self.reader.lock() else { return true };
        match reader.as_mut() {
            Some(reader) => {
                reader.0 = Some(waker.clone());
                false
            }
            None => true,
        }
    }
}

impl Visitors {
    pub(super) fn at(socket: TcpListener) -> Visitors {
        Visitors { socket, there: Vec::new(), clock: Arc::default() }
    }

    /// A place for one more; none when all are busy.
    fn place(&mut self) -> Option<Arc<Visit>> {
        self.there.retain(|visit| visit.strong_count() > 0);
        if self.there.len() >= PLACES {
            let there = self.there.iter().filter_map(Weak::upgrade);
            let idle = there.filter(|visit| visit.busy.load(Ordering::Relaxed) == 0);
            let longest = idle.min_by_key(|visit| visit.active.load(Ordering::Relaxed))?;
            longest.end();
            self.there.retain(|visit| !std::ptr::eq(visit.as_ptr(), Arc::as_ptr(&longest)));
        }
        let visit = Arc::new(Visit {
            busy: AtomicUsize::new(0),
            active: AtomicU64::new(0),
            clock: self.clock.clone(),
            reader: Mutex::new(Some(Reader::default())),
        });
        visit.acts();
        self.there.push(Arc::downgrade(&visit));
        Some(visit)
    }
}

impl Listener for Visitors {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        loop {
            let Ok((stream, address)) = self.socket.accept().await else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            if let Some(visit) = self.place() {
                return (Visitor { stream, visit }, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// A connection, as the framework reads and writes it.
#[derive(Debug)]
pub(super) struct Visitor {
    stream: TcpStream,
    visit: Arc<Visit>,
}

impl AsyncRead for Visitor {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.visit.is_over(cx.waker()) {
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.visit.acts();
        }
        read
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Whose request it is.
#[derive(Clone, Debug)]
pub(super) struct Who(Arc<Visit>);

impl Connected<IncomingStream<'_, Visitors>> for Who {
    fn connect_info(stream: IncomingStream<'_, Visitors>) -> Who {
        Who(stream.io().visit.clone())
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Busy(Who);

impl Busy {
    pub(super) fn with(who: Who) -> Busy {
        who.0.busy.fetch_add(1, Ordering::Relaxed);
        Busy(who)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.busy.fetch_sub(1, Ordering::Relaxed);
        self.0.0.acts();
    }
}

/// Whoever waits for an answer is not idle.
pub(super) async fn busy(ConnectInfo(who): ConnectInfo<Who>, request: Request, next: Next) -> Response {
    let _busy = Busy::with(who);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn who_comes_when_all_places_are_taken_gets_that_of_whoever_was_idle_longest() {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let mut visitors = Visitors::at(socket);
        let (mut clients, mut servers) = (Vec::new(), Vec::new());
        for _ in 0..PLACES {
            clients.push(TcpStream::connect(address).await.expect("a connection"));
            servers.push(visitors.accept().await.0);
        }
        // The first one says something, the second waits for an answer.
        clients[0].write_all(b"x").await.expect("written");
        assert_eq!(servers[0].read_u8().await.expect("read"), b'x');
        let waiting = Busy::with(Who(servers[1].visit.clone()));
        clients.push(TcpStream::connect(address).await.expect("a connection"));
        servers.push(visitors.accept().await.0);
        assert_eq!(servers[2].read(&mut [0; 1]).await.expect("an end"), 0, "the third was idle longest");
        for (index, server) in servers.iter().enumerate().filter(|(index, _)| *index != 2) {
            assert!(server.visit.reader.lock().expect("not poisoned").is_some(), "{index} stays");
        }
        assert_eq!(visitors.there.len(), PLACES);
        drop(waiting);
        servers.truncate(5);
        assert!(visitors.place().is_some());
        assert_eq!(visitors.there.len(), 5, "those that are gone have no place");
    }
}
