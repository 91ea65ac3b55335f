//! The processes of the cluster and the queues between them: who is there, who takes what, what is counted where.

use super::context::Context;
use super::controller::Link;
use super::event::Event;
use super::jobs::Thread;
use super::member::Member;
use super::meters::{Meter, Subject};
use super::queue::{Message, Queue, QueueKind};
use crate::profile::{Quirk, Role};
use crate::random::noise;
use crate::scenario::Plan;
use crate::time::Duration;

/// Members and queues.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) members: Vec<Member>,
    pub(super) queues: Vec<Queue>,
    pub(super) link: Link,
    /// By role: the members whose processes do its work, in the order of the plan.
    runners: [Vec<usize>; Role::ALL.len()],
    /// Where a task of a WorkingDirectory ends in this moment.
    pub(super) thread: Option<Thread>,
}

impl Cluster {
    pub(super) fn new(plan: &Plan) -> Cluster {
        let members = || plan.cluster.members.iter().enumerate();
        let runners = |part| members().filter(|(_, it)| it.role.runs(part)).map(|(member, _)| member).collect();
        Cluster {
            runners: Role::ALL.map(runners),
            members: plan.cluster.members.iter().map(|member| Member::new(plan, member)).collect(),
            queues: QueueKind::ALL.into_iter().map(Queue::new).collect(),
            link: Link::default(),
            thread: None,
        }
    }

    // What is counted is known where it is counted: inlined down to the look-up, a key is a constant or nearly so.

    /// Counts an event of a member's process.
    #[inline(always)]
    pub(super) fn count(&mut self, cx: &Context, member: usize, meter: Meter, subject: Subject) {
        self.count_many(cx, member, meter, subject, 1.0);
    }

    /// Counts several events of a member's process, or moves a gauge.
    #[inline(always)]
    pub(super) fn count_many(&mut self, cx: &Context, member: usize, meter: Meter, subject: Subject, amount: f64) {
        self.members[member].add(meter, subject, amount, &cx.plan, cx.now);
    }

    /// Records a time of a member's process.
    #[inline(always)]
    pub(super) fn time(&mut self, cx: &Context, member: usize, meter: Meter, subject: Subject, time: Duration) {
        self.members[member].record(meter, subject, time, &cx.plan, cx.now);
    }

    /// Sets the rates of what a process does by itself, after something about it changed.
    pub(super) fn pace(&mut self, cx: &Context, member: usize) {
        let it = &mut self.members[member];
        let (role, loop_reads) = (it.role(), it.profile().has(Quirk::LoopReadsTriggers));
        if let Some(process) = &mut it.process {
            process.pace((role, loop_reads), cx.database.slowdown(), (&it.lasting.levels, cx.now));
        }
    }

    /// Plans the end by full memory, after a leak changed.
    pub(super) fn watch_memory(&mut self, cx: &mut Context, member: usize) {
        let it = &mut self.members[member];
        let (levels, life) = (it.lasting.levels, it.life());
        if let Some((at, forecast)) = it.process.as_mut().and_then(|process| process.leak(&levels, cx.now)) {
            cx.events.push(at, Event::HeapFull { member: member as u32, life, forecast });
        }
    }

    /// Whether a member does the work of a role now: it is up, moves, and reaches the database.
    pub(super) fn available(&self, cx: &Context, member: usize, part: Role) -> bool {
        let it = &self.members[member];
        // What comes over HTTP comes to nobody who does not answer.
        let hears = part != Role::Webserver || !it.deaf();
        it.role().runs(part) && it.works() && hears && self.can_report(cx, member)
    }

    /// A member that does the work of a role now; with several, `salt` decides.
    pub(super) fn pick(&self, cx: &Context, part: Role, salt: u64) -> Option<usize> {
        self.choose(cx, part, salt, |member| self.available(cx, member, part))
    }

    /// A member whose scheduler evaluates triggers now.
    pub(super) fn scheduler(&self, cx: &Context) -> Option<usize> {
        self.choose(cx, Role::Scheduler, 0, |member| {
            self.available(cx, member, Role::Scheduler) && self.members[member].schedules()
        })
    }

    /// Another one, where several evaluate triggers.
    pub(super) fn other_scheduler(&self, cx: &Context, than: usize) -> Option<usize> {
        let evaluates = |member: usize| self.available(cx, member, Role::Scheduler) && self.members[member].schedules();
        self.runners[Role::Scheduler as usize].iter().copied().find(|member| *member != than && evaluates(*member))
    }

    /// Of those who do the work of a role a member that fits; with several, `salt` decides.
    fn choose(&self, cx: &Context, part: Role, salt: u64, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let mut fitting = self.runners[part as usize].iter().copied().filter(|member| fits(*member));
        let first = fitting.next()?;
        let others = fitting.clone().count();
        if others == 0 {
            return Some(first);
        }
        match (noise(cx.seed.0 ^ 0x91c4, salt) * (others + 1) as f64) as usize {
            0 => Some(first),
            n => fitting.nth(n - 1),
        }
    }

    /// Whether a member takes messages of a queue now.
    fn takes(&self, cx: &Context, kind: QueueKind, member: usize) -> bool {
        self.available(cx, member, kind.consumer())
            && self.members[member].reads(kind)
            && (kind != QueueKind::WorkerJob || self.room(member) > 0)
            && (kind != QueueKind::LogEntry || !self.is_indexing(member))
    }

    /// Whether anybody does.
    fn is_taken(&self, cx: &Context, kind: QueueKind) -> bool {
        self.runners[kind.consumer() as usize].iter().any(|member| self.takes(cx, kind, *member))
    }

    /// Who takes messages of a queue now.
    pub(super) fn taker(&self, cx: &Context, kind: QueueKind, salt: u64) -> Option<usize> {
        self.choose(cx, kind.consumer(), salt, |member| self.takes(cx, kind, member))
    }

    /// Puts a message into a queue.
    pub(super) fn send(&mut self, cx: &mut Context, kind: QueueKind, message: Message) {
        self.queues[kind as usize].push(message, cx.now);
        self.kick(cx, kind);
    }

    /// Plans the next delivery of a queue, if messages wait and somebody takes them.
    pub(super) fn kick(&mut self, cx: &mut Context, kind: QueueKind) {
        let Some(slowdown) = cx.database.slowdown() else { return };
        let empty = self.queues[kind as usize].is_empty();
        let controlled = kind == QueueKind::WorkerJob && self.controller().is_some();
        let paused = controlled && self.link.paused();
        // One is under way already, and no controller looks at who takes what.
        if self.queues[kind as usize].is_under_way() && !controlled {
            return;
        }
        if empty && !paused {
            return;
        }
        let taken = self.is_taken(cx, kind);
        if kind == QueueKind::WorkerJob {
            self.pause_dispatch(cx, !taken);
        }
        if empty || !taken {
            return;
        }
        let query = Duration::milliseconds(2).times(slowdown);
        if let Some(at) = self.queues[kind as usize].schedule(cx.now, query) {
            cx.events.push(at, Event::Deliver(kind));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::database::Database;
    use super::super::testing::{events, second, world};
    use super::*;

    /// How long after it was sent a message is delivered, in milliseconds, when queries are slowed down so.
    fn delivered(database: Database) -> Option<u64> {
        let (mut cx, mut cluster) = world("standalone: 1", "");
        cx.database = database;
        let sent = cx.now;
        cluster.send(&mut cx, QueueKind::LogEntry, Message::Logs(1));
        let first = events(&mut cx, second(9_999)).into_iter().find(|(_, event)| matches!(event, Event::Deliver(_)));
        first.map(|(at, _)| at.since(sent).as_milliseconds())
    }

    #[test]
    fn a_message_is_delivered_at_the_next_poll_and_as_late_as_its_query_takes() {
        let usual = delivered(Database::Reachable(1.0)).expect("it is delivered");
        assert!((2..=27).contains(&usual), "{usual} ms");
        assert_eq!(delivered(Database::Reachable(101.0)), Some(usual + 200));
        let gone = Database::default().under(Some(crate::scenario::DatabaseFault::Refused), second(60));
        assert_eq!(delivered(gone), None, "it waits for the database");
    }
}
