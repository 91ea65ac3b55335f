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
        let plan = cx.plan.clone();
        let Some(declared) = plan.pollers.get(poller) else { return };
        if let Some((route, milliseconds)) = self.answer_to(cx, member, &declared.path) {
            let it = &mut self.members[member];
            let spread = 0.6 + 0.8 * noise(it.key() ^ 0x9011, cx.now.as_nanoseconds() as u64 / MILLISECOND);
            let time = Duration::milliseconds(milliseconds).times(spread);
            if let Some(process) = &mut it.process {
                process.http_requests += 1;
                process.meters.record(Meter::HttpRequest, Subject::Route(route), time, &plan, cx.now);
            }
        }
        let life = self.members[member].life();
        cx.after(declared.every, Event::Poll { member: member as u32, poller: poller as u32, life });
    }

    /// As which route a request is counted, and how long it takes. A request that hangs is never counted: the process dies
    /// before it ends.
    fn answer_to(&self, cx: &Context, member: usize, path: &str) -> Option<(usize, u64)> {
        let it = &self.members[member];
        let database = cx.database.view();
        let stalled = matches!(database, DatabaseView::Stalled { .. });
        let refused = matches!(database, DatabaseView::Refused { .. });
        let reads_settings = it.profile().has(Quirk::RequestsReadSettings) && it.role().runs(Role::Webserver);
        let asks = path.starts_with("/health") && path != "/health/liveness";
        let needs_database = asks && it.has_database();
        if it.port() != Port::Open || !it.moves() || stalled && needs_database || (stalled || refused) && reads_settings
        {
            return None;
        }
        let down = match path {
            "/health/liveness" => it.deadlocked(),
            "/health/readiness" => refused && needs_database,
            "/health" => it.deadlocked() || refused && needs_database,
            _ => false,
        };
        Some(match (path, down) {
            ("/prometheus", _) => (2, 12),
            ("/health", false) => (3, 4),
            ("/health", true) => (4, 4),
            ("/health/liveness" | "/health/readiness", false) => (5, 3),
            ("/health/liveness" | "/health/readiness", true) => (6, 3),
            _ => (7, 1),
        })
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
