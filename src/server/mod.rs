//! The network edge: the ports of the members, the control port, and the pace of virtual time against a clock.
//!
//! [`start`] opens the ports, serves a [`Session`] on a thread of its own, and gives a [`Running`]: several of them may
//! run in one process, and each stops fully. One [`World`](world::World) holds the session; everybody who answers a request
//! first lets it catch up with the clock. Members' ports are an accept loop of our own over a parser of request heads,
//! because an HTTP library would not write headers as the recorded server does.

mod alerts;
mod believed;
mod clock;
mod connection;
mod control;
mod delivery;
#[cfg(feature = "cli")]
mod elasticsearch;
mod inside;
mod listener;
mod log;
#[cfg(feature = "cli")]
mod outside;
mod own_metrics;
mod post;
#[cfg(feature = "cli")]
mod remote_write;
#[cfg(feature = "cli")]
mod sender;
mod sending;
mod world;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::Serialize;

use crate::management::Listener;
use crate::run::Session;
use crate::scenario::Answering;
use crate::time::Duration;
use delivery::Way;
use post::{Parcel, Post};
use tokio::sync::mpsc;
use world::Shared;

pub use alerts::Alertmanager;
pub use clock::{Clock, Hand};
#[cfg(any(feature = "cli", feature = "internals"))]
pub use control::openapi;
#[cfg(feature = "cli")]
pub(crate) use elasticsearch::{Indexer, NotWritten, Store};
pub(crate) use inside::{Denied, Inside, aside};
pub use log::{Detail, RequestLog};
#[cfg(feature = "cli")]
pub(crate) use outside::{Asking, Credentials, Outside, Reply};
pub use post::LostLog;
#[cfg(feature = "cli")]
pub(crate) use remote_write::{NotSent, RemoteWriter, Taker};
#[cfg(feature = "cli")]
pub(crate) use sending::Authority;
pub use sending::{MailServer, Receiver, Sending, authorities};

/// Where and how to serve a session.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address the members' ports listen on.
    pub bind: IpAddr,
    /// Host under which others reach the members: in `/sd` and in what is printed. When there is none it is `bind`; where that
    /// is every address, `/sd` takes the host by which it was asked.
    pub advertise: Option<String>,
    /// First management port; member i has the one 10·i above. 0 takes any.
    pub port: u16,
    /// Address the control port listens on.
    pub control_bind: IpAddr,
    /// The control port. 0 takes any.
    pub control: u16,
    /// Names by which the control port may be asked, beside addresses, `localhost`, names without a dot, those of a cluster or
    /// of a local network, that of this machine, and `advertise`.
    pub allowed_hosts: Vec<String>,
    /// State is shown at multiples of this.
    pub tick: Duration,
    /// Where requests to members are told.
    pub log: Option<RequestLog>,
    /// Whether messages of alert flows are really sent; otherwise receivers answer as the scenario says.
    pub sending: Option<Sending>,
    /// Where lost messages are told.
    pub lost: Option<LostLog>,
    /// Whom the alerts of a session are posted to that is watched live.
    pub alertmanager: Option<Alertmanager>,
}

impl Default for Options {
    /// Any free ports of this machine, state at multiples of 100 ms, no log; no message is sent.
    fn default() -> Options {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let tick = Duration::milliseconds(100);
        Options {
            bind: here,
            advertise: None,
            port: 0,
            control_bind: here,
            control: 0,
            allowed_hosts: Vec::new(),
            tick,
            log: None,
            sending: None,
            lost: None,
            alertmanager: None,
        }
    }
}

impl Options {
    /// The host that is printed.
    fn host(&self) -> String {
        match (&self.advertise, self.bind) {
            (Some(host), _) => host.clone(),
            (None, bind) if bind.is_unspecified() => "localhost".to_owned(),
            (None, IpAddr::V6(address)) => format!("[{address}]"),
            (None, IpAddr::V4(address)) => address.to_string(),
        }
    }
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
    /// The runtime cannot be started.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// The model has panicked.
    #[error("the model has panicked, which is a mistake of mock-kestra: nothing is served any more")]
    Broken,
}

/// How long the end of a server waits for the system.
const LOOK_UP: std::time::Duration = std::time::Duration::from_secs(5);
/// How long the end of a server waits for those whom the control port is answering.
const FAREWELL: std::time::Duration = std::time::Duration::from_millis(500);
/// Threads that serve requests.
const MAX_WORKERS: usize = 8;

/// Opens all ports and serves a session on them. State is shown from the scenario's start on, or from where the session is.
///
/// # Errors
/// A port cannot be opened.
pub fn start(session: Session, options: Options, clock: Clock) -> Result<Running, ServeError> {
    let (sockets, control, addresses) = open(&session, &options)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    // Threads carry the control port in their names: there may be several servers.
    let name = format!("kestra-{}", addresses.control.port());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(workers).thread_name(name.clone()).enable_all().build();
    let runtime = runtime.map_err(ServeError::Runtime)?;
    let (post, outgoing) = outgoing(&session, &options);
    let shared = Arc::new(Shared::new(session, (clock, post), options, addresses));
    let serving = shared.clone();
    // A thread of its own owns the runtime, so that a server can be started and dropped anywhere, in async code too.
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        runtime.block_on(serve(serving, sockets, control, outgoing));
        // What hangs on purpose is dropped here; work under way sees that nobody serves any more. Only the system's look-up of
        // a name may take longer.
        runtime.shutdown_timeout(LOOK_UP);
    });
    Ok(Running { shared, thread: Some(thread.map_err(ServeError::Runtime)?) })
}

/// A server under way. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Where everything listens.
    pub fn addresses(&self) -> &Addresses {
        &self.shared.addresses
    }

    /// The session that is served, caught up with the clock, for as long as `look` has it. When `look` moves it, the clock
    /// follows. A panic of `look` is one of the model: nothing is served any more. Nobody is answered meanwhile, so `look` must
    /// not ask the server itself.
    ///
    /// # Errors
    /// The model has panicked before.
    pub fn session<T>(&self, look: impl FnOnce(&mut Session) -> T) -> Result<T, ServeError> {
        self.shared.with_session(look).map_err(|_| ServeError::Broken)
    }

    /// Resolves when somebody has stopped it, or when its model has panicked: [`Running::join`] says which.
    pub async fn ended(&self) {
        // The other side lives as long as this one.
        let _ = self.shared.phase.subscribe().wait_for(|phase| phase.stopped || phase.broken).await;
    }

    /// Asks it to stop: its ports are closed, and whoever is connected is cut off.
    pub fn stop(&self) {
        self.shared.phase.send_modify(|phase| phase.stopped = true);
        self.shared.tell();
    }

    /// Waits until it has stopped, or its model has panicked; all ports are closed and all its threads ended then.
    ///
    /// # Errors
    /// The model has panicked.
    pub fn join(mut self) -> Result<(), ServeError> {
        self.shared.phase.send_modify(|phase| phase.awaited = true);
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        let broken = self.shared.phase.borrow().broken || !ended;
        if broken { Err(ServeError::Broken) } else { Ok(()) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // Whoever wants to know how it ended asks `join`.
            let _ = thread.join();
        }
    }
}

/// What is to be sent, and the way it is.
type Outgoing = Option<(mpsc::Receiver<Parcel>, Arc<Way>)>;

/// The post of a world, and its other end.
fn outgoing(session: &Session, options: &Options) -> (Post, Outgoing) {
    let (tick, lost) = (options.tick, options.lost.clone());
    // A scenario that tells nobody needs no way out.
    let sending = options.sending.clone().filter(|_| session.simulation().tells());
    let Some(sending) = sending else { return (Post::new(None, lost, tick), None) };
    let answering = if sending.webhooks.is_some() { Answering::AllOutside } else { Answering::Outside };
    let way = Arc::new(Way::new(sending, session.plan().clone()));
    let (queue, parcels) = Post::queue();
    (Post::new(Some((queue, way.clone(), answering)), lost, tick), Some((parcels, way)))
}

async fn serve(shared: Arc<Shared>, sockets: Sockets, control: TcpListener, outgoing: Outgoing) {
    if let Some((parcels, way)) = outgoing {
        tokio::spawn(post::run(shared.clone(), way, parcels));
    }
    if let Some(to) = shared.options.alertmanager.clone() {
        tokio::spawn(alerts::run(shared.clone(), to));
    }
    for (member, sockets) in sockets.into_iter().enumerate() {
        for (which, socket) in sockets {
            tokio::spawn(listener::run(shared.clone(), member, which, socket));
        }
    }
    tokio::spawn(clock::pace(shared.clone()));
    let control = tokio::spawn(control::run(shared.clone(), control));
    let mut phase = shared.phase.subscribe();
    let _ = phase.wait_for(|phase| phase.over()).await;
    post::close(&shared).await;
    // Who listens to the journal is told that this is the end of it.
    let _ = tokio::time::timeout(FAREWELL, control).await;
}

/// The ports of each member.
type Sockets = Vec<[(Listener, TcpListener); 2]>;

fn open(session: &Session, options: &Options) -> Result<(Sockets, TcpListener, Addresses), ServeError> {
    let control = bind(SocketAddr::new(options.control_bind, options.control), "--control")?;
    let (mut sockets, mut members) = (Vec::new(), Vec::new());
    for (index, member) in session.plan().cluster.members.iter().enumerate() {
        let step = u16::try_from(index).ok().and_then(|index| index.checked_mul(MEMBER_STEP));
        let management = step.and_then(|step| options.port.checked_add(step));
        let management = if options.port == 0 { Some(0) } else { management };
        let management = management.ok_or(ServeError::NotEnoughPorts(options.port))?;
        let management = bind(SocketAddr::new(options.bind, management), "--port")?;
        let application = if options.port == 0 { 0 } else { port_of(&management).saturating_sub(APPLICATION_BELOW) };
        let application = bind(SocketAddr::new(options.bind, application), "--port")?;
        members.push(MemberAddress {
            name: member.name.clone(),
            role: member.role.name(),
            host: options.host(),
            management: port_of(&management),
            application: port_of(&application),
        });
        sockets.push([(Listener::Management, management), (Listener::Application, application)]);
    }
    let at = SocketAddr::new(options.control_bind, port_of(&control));
    Ok((sockets, control, Addresses { control: at, members }))
}

fn port_of(socket: &TcpListener) -> u16 {
    socket.local_addr().map_or(0, |address| address.port())
}

fn bind(address: SocketAddr, option: &'static str) -> Result<TcpListener, ServeError> {
    let socket = TcpListener::bind(address).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    socket.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortTaken { address: address.ip(), port: address.port(), option },
        _ => ServeError::Listen { address, source, option },
    })
}
