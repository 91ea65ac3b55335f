//! Who asks the management ports, as the scenario declares it: what a real server would count of it.

use super::cluster::Cluster;
use super::context::Context;
use super::event::Event;
use super::meters::{Meter, Subject};
use super::{DatabaseView, Port};
use crate::profile::{Quirk, Role};
use crate::random::noise;
use crate::time::{Duration, MILLISECOND};

impl Cluster {
    /// A declared poller asks a member.
    pub(super) fn poll(&mut self, cx: &mut Context, member: usize, poller: usize) {
        let Some(declared) = cx.plan.pollers.get(poller) else { return };
        let every = declared.every;
        if let Some((route, milliseconds)) = self.answer_to(cx, member, &declared.path) {
            let it = &mut self.members[member];
            let spread = 0.6 + 0.8 * noise(it.key() ^ 0x9011, cx.now.as_nanoseconds() as u64 / MILLISECOND);
            let time = Duration::milliseconds(milliseconds).times(spread);
            if let Some(process) = &mut it.process {
                process.http_requests += 1;
                process.meters.record(Meter::HttpRequest, Subject::Route(route), time, &cx.plan, cx.now);
            }
        }
        let life = self.members[member].life();
        cx.after(every, Event::Poll { member: member as u32, poller: poller as u32, life });
    }

    /// As which route a request is counted, and how long it takes. A request that hangs is never counted: the process dies
    /// before it ends.
    fn answer_to(&self, cx: &Context, member: usize, path: &str) -> Option<(usize, u64)> {
        let it = &self.members[member];
        let database = cx.database.view();
        let stalled = matches!(database, DatabaseView::Stalled { .. });
        let refused = matches!(database, DatabaseView::Refused { .. });
        let reads_settings = it.profile().has(Quirk::RequestsReadSettings) && it.role().runs(Role::Webserver);
        let path = Path::of(path);
        let needs_database = matches!(path, Path::Health | Path::Readiness | Path::OtherHealth) && it.has_database();
        if it.port() != Port::Open || !it.moves() || stalled && needs_database || (stalled || refused) && reads_settings
        {
            return None;
        }
        let down = match path {
            Path::Liveness => it.deadlocked(),
            Path::Readiness => refused && needs_database,
            Path::Health => it.deadlocked() || refused && needs_database,
            Path::Prometheus | Path::OtherHealth | Path::Other => false,
        };
        Some(match (path, down) {
            (Path::Prometheus, _) => (2, 12),
            (Path::Health, false) => (3, 4),
            (Path::Health, true) => (4, 4),
            (Path::Liveness | Path::Readiness, false) => (5, 3),
            (Path::Liveness | Path::Readiness, true) => (6, 3),
            (Path::OtherHealth | Path::Other, _) => (7, 1),
        })
    }
}

/// What a poller asks for.
#[derive(Clone, Copy)]
enum Path {
    Prometheus,
    Health,
    Liveness,
    Readiness,
    OtherHealth,
    Other,
}

impl Path {
    fn of(path: &str) -> Path {
        match path {
            "/prometheus" => Path::Prometheus,
            "/health" => Path::Health,
            "/health/liveness" => Path::Liveness,
            "/health/readiness" => Path::Readiness,
            _ if path.starts_with("/health") => Path::OtherHealth,
            _ => Path::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{second, world};
    use super::*;
    use crate::scenario::DatabaseFault;

    #[test]
    fn a_request_is_counted_by_what_it_was_answered_and_one_that_hangs_is_not() {
        let (mut cx, mut cluster) = world("standalone: 1", "");
        let paths = ["/prometheus", "/health", "/health/liveness", "/health/readiness", "/nowhere"];
        let routes =
            |cx: &Context, cluster: &Cluster| paths.map(|path| cluster.answer_to(cx, 0, path).map(|(route, _)| route));
        let usual = [Some(2), Some(3), Some(5), Some(5), Some(7)];
        assert_eq!(routes(&cx, &cluster), usual);
        cluster.members[0].lasting.levels.deadlocked = true;
        assert_eq!(routes(&cx, &cluster), [Some(2), Some(4), Some(6), Some(5), Some(7)]);
        cluster.members[0].lasting.levels.deadlocked = false;
        let there = cx.database;
        cx.database = there.under(Some(DatabaseFault::Refused), second(60));
        assert_eq!(routes(&cx, &cluster), [Some(2), Some(4), Some(5), Some(6), Some(7)]);
        cx.database = there.under(Some(DatabaseFault::Stalled), second(60));
        assert_eq!(routes(&cx, &cluster), [Some(2), None, Some(5), None, Some(7)]);
        cluster.members[0].end(cx.now);
        assert_eq!(routes(&cx, &cluster), [None; 5]);
    }
}
