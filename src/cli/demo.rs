//! `demo`: a cluster with a morning behind it and a failure to come, and a Prometheus beside it where there is one.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as Real;

use clap::Args;

use super::history::{self, Past};
use super::rules::SHIPPED;
use super::serve::Serve;
use super::stop::Stop;
use super::{Exit, complain, print};
use crate::files::shipped_rules;
use crate::profile::Profile;
use crate::random::Seed;
use crate::server::Taker;
use crate::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Version of Kestra, instead of that of the scenario
    #[arg(long, value_parser = super::versions())]
    kestra: Option<&'static Profile>,
    /// How long the cluster has lived, and how far back the past of the Prometheus reaches
    #[arg(long, value_name = "DURATION", default_value = "4h", value_parser = history::span)]
    history: Duration,
    /// First management port; 0 takes any
    #[arg(long, default_value_t = 8081)]
    port: u16,
    /// Control port, with the live page; 0 takes any
    #[arg(long, default_value_t = 8082)]
    control: u16,
    /// Address the members' ports listen on
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Address the control port listens on
    #[arg(long, default_value = "127.0.0.1")]
    control_bind: IpAddr,
    /// Host under which others reach the members [default: that of --bind]
    #[arg(long)]
    advertise: Option<String>,
    /// The Prometheus that is started beside it [default: `prometheus` on the PATH, if it is there]
    #[arg(long, value_name = "PATH")]
    prometheus_binary: Option<PathBuf>,
    /// Its port; 0 takes any
    #[arg(long, default_value_t = 9090)]
    prometheus_port: u16,
    /// Start no Prometheus
    #[arg(long, conflicts_with_all = ["prometheus_binary", "remote_write"])]
    no_prometheus: bool,
    /// Give the past to this one instead, which runs already, has --web.enable-remote-write-receiver, and takes old samples by
    /// out_of_order_time_window: such as http://127.0.0.1:9090/api/v1/write
    #[arg(long, value_name = "URL", conflicts_with = "prometheus_binary")]
    remote_write: Option<Taker>,
    /// Seed of all randomness: a number, or `random`
    #[arg(long, default_value = "1", value_parser = super::seed)]
    seed: Seed,
    /// Write the ports to this file, as JSON, once they are open
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

/// The scenario that is served.
const SCENARIO: &str = "demo";
/// A Prometheus is looked for so often until it answers, and as long between two looks: half a minute in all.
const LOOKS: usize = 300;
const BETWEEN: Real = Real::from_millis(100);

/// What a Prometheus needs to watch the demo: where the control port is stands in it.
fn configuration(control: SocketAddr) -> String {
    format!(
        "global: {{ scrape_interval: 15s, evaluation_interval: 15s }}\n\
         storage: {{ tsdb: {{ out_of_order_time_window: 400d }} }}\n\
         rule_files: [ {} ]\n\
         scrape_configs:\n  - job_name: kestra\n    metrics_path: /prometheus\n    \
         http_sd_configs: [ {{ url: \"http://{control}/sd\", refresh_interval: 5s }} ]\n",
        shipped_rules().name
    )
}

impl Demo {
    pub(super) fn run(self) -> Exit {
        let binary = match self.binary() {
            Ok(binary) => binary,
            Err(why) => {
                complain(&format!("error: {why}\n"));
                return Exit::Input;
            }
        };
        let Ok(start) = super::start("now") else { return Exit::Cannot };
        let start = jiff::Timestamp::from_second(start.as_second()).unwrap_or(start);
        let past = Past { scenario: SCENARIO, kestra: self.kestra, seed: self.seed, span: self.history, until: start };
        let serve = Serve {
            scenario: SCENARIO.to_owned(),
            kestra: self.kestra,
            port: Some(self.port),
            control: self.control,
            bind: self.bind,
            control_bind: self.control_bind,
            advertise: self.advertise.clone(),
            seed: self.seed,
            start: Some(start),
            history: Some(self.history),
            no_send: true,
            rules: vec![SHIPPED.to_owned()],
            ready_file: self.ready_file.clone(),
            ..Serve::default()
        };
        // Only a Prometheus of its own needs one: an image of the binary alone has no place for it.
        let folder = match binary.as_ref().map(|_| Folder::new()).transpose() {
            Ok(folder) => folder,
            Err(why) => return cannot(&why),
        };
        let (port, to) = (self.prometheus_port, self.remote_write.clone());
        let mut prometheus: Option<Prometheus> = None;
        let exit = serve.run_beside(&mut |addresses, stop| {
            let control = reachable(addresses.control);
            let watched = match (&binary, &folder, to.clone()) {
                (_, _, Some(taker)) => {
                    let told = Watched::Other(taker.shown());
                    fill(past.clone(), taker);
                    told
                }
                (Some(binary), Some(folder), None) => {
                    // Without one it is over.
                    let Some(started) = Prometheus::start(binary, &folder.0, port, control, stop)? else {
                        return Ok(());
                    };
                    fill(past.clone(), started.taker()?);
                    Watched::Here(prometheus.insert(started).address)
                }
                _ => Watched::Nobody,
            };
            print(&what_to_watch(control, &watched));
            Ok(())
        });
        drop(prometheus);
        exit
    }

    /// The Prometheus that is started, if one is.
    fn binary(&self) -> Result<Option<PathBuf>, String> {
        if self.no_prometheus || self.remote_write.is_some() {
            return Ok(None);
        }
        match &self.prometheus_binary {
            Some(path) if path.is_file() => Ok(Some(path.clone())),
            Some(path) => Err(format!("--prometheus-binary: there is no file {}", path.display())),
            None => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let found = std::env::split_paths(&path).map(|folder| folder.join("prometheus"));
                Ok(found.into_iter().find(|path| can_run(path)))
            }
        }
    }
}

/// Whether a file can be run, as a shell looks for it.
fn can_run(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}

/// Which Prometheus watches the demo.
enum Watched {
    /// The one that was started, at this address.
    Here(SocketAddr),
    /// One that runs elsewhere, and is given the past here.
    Other(String),
    Nobody,
}

fn cannot(why: &str) -> Exit {
    complain(&format!("error: {why}\n"));
    Exit::Cannot
}

/// The address by which something on this machine is asked that listens there.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::new(IpAddr::from([127, 0, 0, 1]), address.port()),
        false => address,
    }
}

/// What people are told, once all runs: where to look.
fn what_to_watch(control: SocketAddr, prometheus: &Watched) -> String {
    let mut text = format!("\nWhat to watch:\n  http://{control}/  the cluster as it lives, and buttons to break it\n");
    text += &match prometheus {
        Watched::Other(to) => format!("  your Prometheus, which is given the past at {to}\n"),
        Watched::Here(address) => format!(
            "  http://{address}/alerts  the shipped alerts\n  \
             http://{address}/graph?g0.expr=up&g0.tab=0&g0.range_input=1h  who answers\n"
        ),
        Watched::Nobody => {
            "  no Prometheus runs beside it: put one on the PATH, or start your own with the lines above\n".to_owned()
        }
    };
    text + "\nThe page foresees which alerts fire, and when. The dashboards of scenarios/dashboards/ show it in a Grafana;\n\
            scenarios/demo/compose.yml has all in containers.\n"
}

/// Gives the past to a Prometheus, while the present goes on.
fn fill(past: Past, taker: Taker) {
    if past.span.is_zero() {
        return;
    }
    std::thread::spawn(move || {
        if reached(&taker) {
            past.give(taker);
        } else {
            complain(&format!("{}: nobody answers there: it has no past\n", taker.shown()));
        }
    });
}

/// Waits until somebody listens there.
fn reached(taker: &Taker) -> bool {
    (0..LOOKS).any(|_| {
        let listens = |address| TcpStream::connect_timeout(address, Real::from_secs(1)).is_ok();
        let found = taker.addresses().iter().any(listens);
        if !found {
            std::thread::sleep(BETWEEN);
        }
        found
    })
}

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("mock-kestra-demo-{}", std::process::id()));
        // What stands there is of a process that had this number before.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A Prometheus beside the cluster, which ends with it.
struct Prometheus {
    /// None once it is ended from here.
    child: Arc<Mutex<Option<Child>>>,
    address: SocketAddr,
}

impl Prometheus {
    /// One that is up; none when it shall end before that.
    fn start(
        binary: &Path,
        folder: &Path,
        port: u16,
        control: SocketAddr,
        stop: &Stop,
    ) -> Result<Option<Prometheus>, String> {
        let address = free(port)?;
        let rules = shipped_rules();
        let file = folder.join("prometheus.yml");
        let log = folder.join("prometheus.log");
        let told = |what: &Path, error: std::io::Error| format!("cannot write {}: {error}", what.display());
        std::fs::write(&file, configuration(control)).map_err(|error| told(&file, error))?;
        let rules_file = folder.join(&rules.name);
        std::fs::write(&rules_file, &rules.text).map_err(|error| told(&rules_file, error))?;
        let output = std::fs::File::create(&log).map_err(|error| told(&log, error))?;
        let child = Command::new(binary)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-remote-write-receiver")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        let started = Prometheus { child: Arc::new(Mutex::new(Some(child))), address };
        let mut looks = 0;
        while TcpStream::connect_timeout(&address, Real::from_secs(1)).is_err() {
            if stop.heard() {
                return Ok(None);
            }
            looks += 1;
            if ended(&started.child).is_some_and(|ended| ended.is_some()) || looks > LOOKS {
                return Err(format!("{} does not come up: {}", binary.display(), last_words(&log)));
            }
            std::thread::sleep(BETWEEN);
        }
        started.tell_its_end(log, stop.clone());
        Ok(Some(started))
    }

    /// Where it takes a past.
    fn taker(&self) -> Result<Taker, String> {
        format!("http://{}/api/v1/write", self.address).parse()
    }

    /// Tells when it ends by itself.
    fn tell_its_end(&self, log: PathBuf, stop: Stop) {
        let child = Arc::clone(&self.child);
        std::thread::spawn(move || {
            while let Some(how) = ended(&child) {
                std::thread::sleep(BETWEEN);
                let Some(how) = how else { continue };
                // Ctrl-C is for both.
                if !stop.heard() {
                    complain(&format!(
                        "warning: the Prometheus beside it has ended ({how}): {}; the cluster goes on, and nobody watches it: \
                         Ctrl-C, and begin anew\n",
                        last_words(&log)
                    ));
                }
                return;
            }
        });
    }
}

/// Whether and how a process has ended; none when it was ended from here.
fn ended(child: &Mutex<Option<Child>>) -> Option<Option<ExitStatus>> {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    child.as_mut().map(|child| child.try_wait().ok().flatten())
}

/// What a log says last.
fn last_words(log: &Path) -> String {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    log.lines().next_back().unwrap_or("it says nothing").to_owned()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            // Its data go with the folder: it need not put them away.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port of this machine that nobody has: this one, or any for 0.
fn free(port: u16) -> Result<SocketAddr, String> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = TcpListener::bind(address);
    let taken = |error| {
        format!("port {port} for the Prometheus: {error}; choose another with --prometheus-port, or --no-prometheus")
    };
    listener.and_then(|it| it.local_addr()).map_err(taken)
}
