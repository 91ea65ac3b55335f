//! A port of a member: open while its process listens, closed while it does not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration as Real;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::clock::Deadline;
use super::connection;
use super::world::Shared;
use crate::management::Listener;
use crate::simulator::{Member, Port};

/// Connections of one port at the same time, those included that hang.
const MAX_CONNECTIONS: usize = 1000;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long it takes until what failed is tried again: a port that is taken, or a connection for which there is no place.
const AGAIN: Real = Real::from_millis(50);
/// How long it is waited for ports to open and close.
const SETTLES: Real = Real::from_secs(2);
/// How often it is looked meanwhile.
const LOOK: Real = Real::from_micros(200);
/// Descriptors that are for none of the members' connections: those of the control port, files, and what a runtime needs.
const RESERVED: usize = 256;
/// Descriptors of a process when it is not known how many there may be.
const USUAL: usize = 1024;

/// Connections that all members together may have: what the system lets the process open, without its ports and what else
/// it needs. Otherwise a thousand idle clients of one member would leave nothing for the others.
pub(super) fn descriptors(members: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let of = |line: &str| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok();
    let all = limits.lines().find_map(of).unwrap_or(USUAL);
    all.saturating_sub(RESERVED + 2 * members).clamp(64, Semaphore::MAX_PERMITS)
}

/// The port of a member.
enum Door {
    /// It listens.
    Open(TcpListener),
    /// Nothing listens, and no other process can: connections are refused.
    Held(Socket),
    /// Another process has it.
    Lost,
}

/// How a door was left, for all to see.
#[derive(Debug, Default)]
pub(super) struct DoorSign(AtomicU8);

impl DoorSign {
    const OPEN: u8 = 0;
    const HELD: u8 = 1;
    const LOST: u8 = 2;

    fn put(&self, door: &Door) {
        let sign = match door {
            Door::Open(_) => DoorSign::OPEN,
            Door::Held(_) => DoorSign::HELD,
            Door::Lost => DoorSign::LOST,
        };
        self.0.store(sign, Ordering::Release);
    }

    /// Whether another process has taken the port while the member was dead.
    pub(super) fn is_lost(&self) -> bool {
        self.0.load(Ordering::Acquire) == DoorSign::LOST
    }

    /// Whether it is as it should be, or cannot be.
    fn is_settled(&self, refused: bool) -> bool {
        match self.0.load(Ordering::Acquire) {
            DoorSign::OPEN => !refused,
            DoorSign::HELD => refused,
            _ => true,
        }
    }
}

impl Shared {
    /// Whether every port is open or closed as its member is now.
    fn doors_settled(&self) -> bool {
        let Ok(world) = self.world() else { return true };
        let members = world.session.simulation().members().iter().zip(&self.doors);
        let settled = |(member, signs): (&Member, &[DoorSign; 2])| {
            signs.iter().all(|sign| sign.is_settled(member.port() == Port::Refused))
        };
        members.into_iter().all(settled)
    }

    /// Waits, on a thread that may be blocked, until every port is open or closed as its member is now: whoever has moved time
    /// finds it so. Not for ever: nobody looks after doors any more where the server ends.
    pub(super) fn settle_doors(&self) {
        let patience = Deadline::after(SETTLES);
        while !self.doors_settled() && self.serving() && !patience.is_over() {
            std::thread::sleep(LOOK);
        }
    }
}

impl Door {
    /// Holds a port without listening on it.
    fn hold(address: SocketAddr) -> Door {
        let held = Socket::new(Domain::for_address(address), Type::STREAM, None).and_then(|socket| {
            // As the port was opened: connections that have ended must not keep it for a minute.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            // Whoever shares its port could listen on it.
            socket.set_reuse_address(false)?;
            Ok(socket)
        });
        held.map_or(Door::Lost, Door::Held)
    }

    /// The same port, listening if it can.
    fn open(self, address: SocketAddr) -> Door {
        let held = match self {
            Door::Lost => Door::hold(address),
            other => other,
        };
        let Door::Held(socket) = held else { return held };
        let listens = socket
            .set_reuse_address(true)
            .and_then(|()| socket.listen(BACKLOG))
            .and_then(|()| socket.set_nonblocking(true));
        let listener = listens.and_then(|()| TcpListener::from_std(socket.into()));
        listener.map_or(Door::Lost, Door::Open)
    }
}

/// Opens and closes a port as its member lives and dies.
pub(super) async fn run(shared: Arc<Shared>, member: usize, which: Listener, socket: std::net::TcpListener) {
    let (Ok(address), Ok(socket)) = (socket.local_addr(), TcpListener::from_std(socket)) else { return };
    let mut changes = shared.changes.subscribe();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut door = Door::Open(socket);
    loop {
        let refused = port(&shared, member) == Port::Refused;
        door = match (refused, door) {
            (true, Door::Open(listener)) => {
                drop(listener);
                Door::hold(address)
            }
            (true, Door::Lost) => Door::hold(address),
            (false, door @ (Door::Held(_) | Door::Lost)) => door.open(address),
            (_, door) => door,
        };
        if let Some(signs) = shared.doors.get(member) {
            signs[usize::from(which == Listener::Application)].put(&door);
        }
        let Door::Open(listener) = &door else {
            let again = tokio::time::sleep(if matches!(door, Door::Lost) { AGAIN } else { Real::from_secs(3600) });
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = again => {}
            }
            continue;
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let all = shared.connections.clone().try_acquire_owned();
                    if let (Ok(all), Ok(slot)) = (all, slots.clone().try_acquire_owned()) {
                        let serving = connection::serve(shared.clone(), member, which, stream);
                        tokio::spawn(async move {
                            serving.await;
                            drop((all, slot));
                        });
                    }
                }
                // There is no descriptor for it: trying at once would only find the same.
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

fn port(shared: &Shared, member: usize) -> Port {
    // Where the model is broken nothing listens.
    shared.world().map_or(Port::Refused, |world| {
        world.session.simulation().members().get(member).map_or(Port::Refused, |member| member.port())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_held_refuses_and_nobody_else_can_listen_on_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let door = Door::hold(address);
        assert!(matches!(door, Door::Held(_)));
        assert!(std::net::TcpStream::connect(address).is_err());
        assert!(std::net::TcpListener::bind(address).is_err());
        let door = door.open(address);
        assert!(matches!(door, Door::Open(_)));
        assert!(std::net::TcpStream::connect(address).is_ok());
        drop(door);
        let thief = std::net::TcpListener::bind(address).expect("it is free");
        assert!(matches!(Door::hold(address), Door::Lost));
        assert!(matches!(Door::Lost.open(address), Door::Lost));
        drop(thief);
        assert!(matches!(Door::Lost.open(address), Door::Open(_)));
    }

    #[test]
    fn a_process_keeps_descriptors_for_what_is_no_member() {
        assert!(descriptors(3) >= 64);
        assert!(descriptors(100_000) >= 64);
    }
}
