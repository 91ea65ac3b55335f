//! The network edge: the ports of the members, the control port, and the pace of virtual time against the wall clock.
//!
//! [`serve`] owns a runtime of its own. One [`World`](world::World) holds the simulation; everybody who answers a request
//! first lets it catch up with the clock. Members' ports are an accept loop of our own over a parser of request heads,
//! because an HTTP library would not write headers as the recorded server does.

mod clock;
mod connection;
mod control;
mod listener;
mod own_metrics;
mod world;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use tokio::net::TcpListener;

use crate::management::Listener;
use crate::random::Seed;
use crate::scenario::Plan;
use crate::time::{Calendar, Duration};
use world::Shared;

/// How to serve a plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address the members' ports listen on.
    pub bind: IpAddr,
    /// Host under which others reach the members: in `/sd` and in what is printed.
    pub advertise: String,
    /// First management port; member i has the one 10·i above. 0 takes any.
    pub port: u16,
    /// Address the control port listens on.
    pub control_bind: IpAddr,
    /// The control port. 0 takes any.
    pub control: u16,
    /// Virtual seconds a second.
    pub speed: f64,
    /// Whether time stands still at first.
    pub paused: bool,
    /// State is shown at multiples of this.
    pub tick: Duration,
    /// Where to write the ports once they are open.
    pub ready_file: Option<PathBuf>,
}

/// The application port is this far below the management port (8080 and 8081).
const APPLICATION_BELOW: u16 = 1;
/// Ports of one member are this far from those of the next.
const MEMBER_STEP: u16 = 10;

/// Where everything listens.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    /// The control port's address.
    pub control: SocketAddr,
    /// The members, in the order of the plan.
    pub members: Vec<MemberAddress>,
}

/// Where a member listens.
#[derive(Clone, Debug, Serialize)]
pub struct MemberAddress {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: &'static str,
    /// The host under which others reach it.
    pub host: String,
    /// Its management port.
    pub management: u16,
    /// Its application port.
    pub application: u16,
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A port is taken.
    #[error("port {port} of {address} is taken; {option} chooses another one, `{option} 0` takes any that is free")]
    PortTaken {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// The option that changes it.
        option: &'static str,
    },
    /// A port cannot be opened for another reason.
    #[error("cannot listen on {address}: {source}; {option} chooses another port")]
    Listen {
        /// Address and port.
        address: SocketAddr,
        /// Why.
        source: io::Error,
        /// The option that changes it.
        option: &'static str,
    },
    /// There are more members than ports above the first.
    #[error("there are not enough ports above {0} for all members; --port chooses another one, `--port 0` takes any")]
    NotEnoughPorts(u16),
    /// The ready file cannot be written.
    #[error("cannot write {path}: {source}")]
    ReadyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The runtime cannot be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
}

/// Serves a plan until SIGINT or SIGTERM. `ready` is told the addresses once all ports are open.
///
/// # Errors
/// A port cannot be opened, or the ready file cannot be written.
pub fn serve(
    plan: Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    options: Options,
    ready: impl FnOnce(&Addresses),
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    let outcome = runtime.block_on(async {
        // Before anybody knows of a port: whoever ends it right after the start is heard.
        let stop = stop_signal();
        let (shared, sockets, control) = open(plan, seed, calendar, options).await?;
        let addresses = &shared.addresses;
        if let Some(path) = &shared.options.ready_file {
            let text = serde_json::to_string_pretty(addresses).unwrap_or_default();
            std::fs::write(path, text).map_err(|source| ServeError::ReadyFile { path: path.clone(), source })?;
        }
        for (member, sockets) in sockets.into_iter().enumerate() {
            for (which, socket) in sockets {
                tokio::spawn(listener::run(shared.clone(), member, which, socket));
            }
        }
        tokio::spawn(clock::pace(shared.clone()));
        tokio::spawn(control::run(shared.clone(), control));
        ready(addresses);
        stop.await;
        Ok(())
    });
    // Requests that hang on purpose would hold the runtime for ever.
    runtime.shutdown_background();
    outcome
}

type Sockets = Vec<Vec<(Listener, TcpListener)>>;

async fn open(
    plan: Arc<Plan>,
    seed: Seed,
    calendar: Calendar,
    options: Options,
) -> Result<(Arc<Shared>, Sockets, TcpListener), ServeError> {
    let control = bind(SocketAddr::new(options.control_bind, options.control), "--control").await?;
    let mut sockets = Vec::new();
    let mut members = Vec::new();
    for (index, member) in plan.cluster.members.iter().enumerate() {
        let step = u16::try_from(index).ok().and_then(|index| index.checked_mul(MEMBER_STEP));
        let management = step.and_then(|step| options.port.checked_add(step));
        let management = if options.port == 0 { Some(0) } else { management };
        let management = management.ok_or(ServeError::NotEnoughPorts(options.port))?;
        let management = bind(SocketAddr::new(options.bind, management), "--port").await?;
        let application = if options.port == 0 { 0 } else { port_of(&management) - APPLICATION_BELOW };
        let application = bind(SocketAddr::new(options.bind, application), "--port").await?;
        members.push(MemberAddress {
            name: member.name.clone(),
            role: member.role.name(),
            host: options.advertise.clone(),
            management: port_of(&management),
            application: port_of(&application),
        });
        sockets.push(vec![(Listener::Management, management), (Listener::Application, application)]);
    }
    let at = SocketAddr::new(options.control_bind, port_of(&control));
    let addresses = Addresses { control: at, members };
    Ok((Arc::new(Shared::new(plan, seed, calendar, options, addresses)), sockets, control))
}

fn port_of(socket: &TcpListener) -> u16 {
    socket.local_addr().map_or(0, |address| address.port())
}

async fn bind(address: SocketAddr, option: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortTaken { address: address.ip(), port: address.port(), option },
        _ => ServeError::Listen { address, source, option },
    })
}

/// Begins to listen for SIGINT and SIGTERM, so that none is missed from here on; the future is done when one has come.
fn stop_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [signal(SignalKind::interrupt()), signal(SignalKind::terminate())]
    };
    async move {
        #[cfg(unix)]
        if let [Ok(mut interrupt), Ok(mut terminate)] = signals {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        // Without a way to hear of signals the default of the system ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
