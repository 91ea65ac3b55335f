//! What one version does otherwise than the others: a closed set of behaviours, each implemented once.

use super::words::words;

words! {
    /// Something that one version does otherwise than the others.
    Quirk {
        /// `kestra.worker.ended.duration` is the time a task waited, not that it ran (0.20).
        WorkerDurationIsWait = "worker-duration-is-wait",
        /// Every request to a process with a webserver reads a setting from the database first (0.20).
        RequestsReadSettings = "requests-read-settings",
        /// SIGTERM closes the ports at once, not when the tasks are done (0.20).
        ClosesAtOnce = "closes-at-once",
        /// The row in `worker_job_running` of a WorkingDirectory stays when that is over: when its worker is given up, another one
        /// does it again, and again when that one is (2.0; kestra-io/kestra PR#19717, #19678, source).
        DirectoriesStay = "directories-stay",
        /// Labels of flows can be made labels of meters: `kestra.metrics.labels` (since 1.2).
        FlowLabels = "flow-labels",
        /// A process that gives up without its database closes its ports and lives on for a while, or for ever (0.20).
        LingersWithoutDatabase = "lingers-without-database",
        /// Workers have no database: a controller hands jobs to them, at most twice as many as they have threads (2.0).
        Controller = "controller",
        /// Queues have names of their own, an execution's messages go through several (2.0).
        NamedQueues = "named-queues",
        /// A database that stalls kills no process before it comes back, and a scheduler lives through all (2.0).
        OutlivesStall = "outlives-stall",
        /// `endpoints.*.sensitive` closes no endpoint (2.0).
        IgnoresSensitive = "ignores-sensitive",
        /// SIGTERM does not wait for tasks: they are cut off after ten seconds, and the ports stay open till the end (2.0).
        StopsByForce = "stops-by-force",
        /// What `kestra.metrics.tags` sets goes to a registry that nothing shows (recorded of 0.20, 1.3 and 2.0; of the versions
        /// between it is not known).
        IgnoresMetricTags = "ignores-metric-tags",
        /// Cron expressions may have `L` for the last day of a month (2.0; captures/core/cron.tsv).
        LastDayOfMonth = "last-day-of-month",
        /// A cancelled task makes its list cancelled; before, it counts as a success (2.0; captures/core/states.tsv).
        CancelledCounts = "cancelled-counts",
        /// What comes next is the task behind the last one that ended, not the one whose number is that of the tasks that ran
        /// (2.0; captures/core/states.tsv).
        NextByPlace = "next-by-place",
        /// An Exit that comes first ends an execution that never was RUNNING (2.0; captures/core/end-to-end.2.0.0.jsonl).
        ExitUnseen = "exit-unseen",
        /// A paused execution that is killed is RESTARTED first (2.0; captures/core/end-to-end.2.0.0.jsonl).
        KillRestarts = "kill-restarts",
        /// `parents` in templates has all task runs that hold one, with the ids of their tasks; before, those with a value or
        /// outputs (2.0; captures/core/templates.tsv).
        ParentsNamed = "parents-named",
        /// What still runs of a Parallel is FAILED as soon as one of its tasks is (2.0; captures/core/end-to-end.2.0.0.jsonl).
        ParallelFails = "parallel-fails",
        /// An execution that its SLA ends goes on with what comes next, `errors` too (2.0; captures/core/end-to-end.2.0.0.jsonl).
        CutGoesOn = "cut-goes-on",
        /// A Pause whose `timeout` is over fails whatever it allows, and what it holds does not run (0.20; source).
        PauseFailsPlainly = "pause-fails-plainly",
        /// Flow triggers hear of each attempt that fails, as FAILED (2.0; captures/core/end-to-end.2.0.0.jsonl).
        FailedAttemptsHeard = "failed-attempts-heard",
        /// An end as KILLED is counted among the ends of executions (2.0; before, of 13 none was: 1.3/alerting/SERIES.tsv, and
        /// of 28 a third: 0.20.7/NOTES.md).
        KilledCounted = "killed-counted",
        /// A kill goes on to executions that Subflows have started only; before, to those that Flow triggers have started of it
        /// too (1.3/NOTES.md, 2.0: captures/core/README.md).
        KillSparesAlerts = "kill-spares-alerts",
        /// What is wrong with an input is told as a violation of a constraint (0.20; source).
        InputViolations = "input-violations",
        /// A flow with `checks` is refused (0.20; captures/core/flows.tsv).
        RefusesChecks = "refuses-checks",
        /// The executions that run are counted before another one begins; since 1.0 a number is kept of them, which what is
        /// lost does not lower (0.20; source).
        PlacesOfRows = "places-of-rows",
        /// What somebody asks of an execution is done by an executor, so that Flow triggers hear of it (2.0); before, by the
        /// webserver, and they hear nothing of the state that it sets (1.3/alerting/FIRED.tsv).
        OrdersHeard = "orders-heard",
        /// Flow triggers that wait for several executions are looked at later, event by event of a queue of their own (since
        /// 1.1; kestra-io/kestra PR#11676, 1.3/NOTES.md).
        ConditionEvents = "condition-events",
        /// The loop of a scheduler reads its triggers from the database, each time (up to 1.3; source).
        LoopReadsTriggers = "loop-reads-triggers",
        /// A realtime trigger that has started an execution counts as one that is over: when its worker is gone, nobody runs it
        /// again (up to 1.3.29; kestra-io/kestra#14990, PR#17779).
        ForgetsRealtime = "forgets-realtime",
        /// A realtime trigger of a worker that stops in good order is run again by nobody, whether it has started an execution
        /// or not (up to 1.3.13; kestra-io/kestra PR#17779).
        LeavesRealtime = "leaves-realtime",
    }

    /// How flows are understood: their triggers, conditions and templates. As recorded of one of these (captures/core).
    Language {
        /// Conditions are values that are read with the file.
        V0_20 = "0.20",
        /// Conditions are templates.
        V1_3 = "1.3",
        /// `when` and `dependsOn`.
        V2_0 = "2.0",
    }

    /// How the text of `/prometheus` is written.
    TextForm {
        /// As recorded from 0.20 on.
        New = "new",
        /// Up to 0.18: a comma after the last label, and counts of timers as doubles (documentation).
        Old = "old",
    }
}

impl Language {
    /// The version that it was recorded of.
    pub fn name(self) -> &'static str {
        Language::WORDS.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| name)
    }
}

/// A set of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quirks(u64);

const _: () = assert!(Quirk::WORDS.len() <= u64::BITS as usize);

impl Quirks {
    /// Whether one is among them.
    pub(super) const fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u32) != 0
    }
}

impl FromIterator<Quirk> for Quirks {
    fn from_iter<I: IntoIterator<Item = Quirk>>(quirks: I) -> Quirks {
        Quirks(quirks.into_iter().fold(0, |all, quirk| all | 1 << quirk as u32))
    }
}
