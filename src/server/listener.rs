//! A port of a member: open while its process listens, closed while it does not.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::connection;
use super::world::Shared;
use crate::management::Listener;
use crate::simulator::Port;

/// Connections of one port at the same time, those included that hang.
const MAX_CONNECTIONS: usize = 1000;

/// Opens and closes a port as its member lives and dies.
pub(super) async fn run(shared: Arc<Shared>, member: usize, which: Listener, socket: std::net::TcpListener) {
    let (Ok(address), Ok(socket)) = (socket.local_addr(), TcpListener::from_std(socket)) else { return };
    let mut changes = shared.changes.subscribe();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut socket = Some(socket);
    loop {
        let refused = port(&shared, member) == Port::Refused;
        if refused {
            socket = None;
        } else if socket.is_none() {
            socket = reopen(address).await;
        }
        match &socket {
            None => {
                // A port that could not be opened again is tried again soon.
                let again = tokio::time::sleep(std::time::Duration::from_millis(if refused { 3_600_000 } else { 50 }));
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = again => {}
                }
            }
            Some(listener) => {
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    accepted = listener.accept() => {
                        if let Ok((stream, _)) = accepted
                            && let Ok(slot) = slots.clone().try_acquire_owned()
                        {
                            let serving = connection::serve(shared.clone(), member, which, stream);
                            tokio::spawn(async move {
                                serving.await;
                                drop(slot);
                            });
                        }
                    }
                }
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

async fn reopen(address: SocketAddr) -> Option<TcpListener> {
    TcpListener::bind(address).await.ok()
}
