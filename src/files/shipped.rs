//! The scenarios inside the binary.

/// A shipped scenario.
#[derive(Debug)]
pub(crate) struct Shipped {
    /// What kind of failures it is of: the name of its folder, unless it lies beside those.
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only whoever lists them asks for it"))]
    pub(crate) family: &'static str,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! shipped {
    ($($family:literal: [$($name:literal in $file:literal),* $(,)?])*) => {
        &[$($(Shipped { family: $family, name: $name, text: include_str!(concat!("../../scenarios/", $file)) },)*)*]
    };
}

/// The shipped scenarios, family by family.
pub(crate) const SHIPPED: &[Shipped] = shipped! {
    "demo": [
        "demo" in "demo/demo.yaml",
    ]
    "healthy": [
        "healthy" in "healthy.yaml",
        "healthy-cluster" in "healthy-cluster.yaml",
        "idle" in "idle.yaml",
    ]
    "workers": [
        "worker-killed" in "worker-killed.yaml",
        "worker-saturation" in "worker-saturation.yaml",
        "hidden-backlog" in "hidden-backlog.yaml",
        "controller-lost" in "controller-lost.yaml",
        "no-workers" in "workers/no-workers.yaml",
        "rolling-restart" in "workers/rolling-restart.yaml",
        "autoscale" in "workers/autoscale.yaml",
        "disk-full" in "workers/disk-full.yaml",
        "worker-refused" in "workers/worker-refused.yaml",
        "ended-runs-again" in "workers/ended-runs-again.yaml",
        "sla-crash" in "workers/sla-crash.yaml",
        "killed-runs-on" in "workers/killed-runs-on.yaml",
        "native-memory" in "workers/native-memory.yaml",
        "wrong-port" in "workers/wrong-port.yaml",
    ]
    "core": [
        "executor-down" in "core/executor-down.yaml",
        "migration-killed" in "core/migration-killed.yaml",
        "checksum-mismatch" in "core/checksum-mismatch.yaml",
        "scheduler-hangs" in "core/scheduler-hangs.yaml",
        "upgrade-to-2" in "core/upgrade-to-2.yaml",
    ]
    "database": [
        "database-outage" in "database-outage.yaml",
        "zombie" in "zombie.yaml",
        "database-failover" in "database/database-failover.yaml",
        "connection-slots" in "database/connection-slots.yaml",
        "executor-cannot-boot" in "database/executor-cannot-boot.yaml",
        "queues-table" in "database/queues-table.yaml",
        "database-slow" in "database/database-slow.yaml",
        "deadlock-loop" in "database/deadlock-loop.yaml",
        "idle-after-outage" in "database/idle-after-outage.yaml",
        "scheduler-stuck" in "database/scheduler-stuck.yaml",
    ]
    "queues": [
        "big-results" in "queues/big-results.yaml",
        "consumer-dead" in "queues/consumer-dead.yaml",
        "condition-events" in "queues/condition-events.yaml",
        "indexer-dead" in "queues/indexer-dead.yaml",
        "indexer-slow" in "queues/indexer-slow.yaml",
        "poison-message" in "queues/poison-message.yaml",
        "results-lost" in "queues/results-lost.yaml",
    ]
    "jvm": [
        "heap-leak" in "heap-leak.yaml",
        "webserver-heap" in "jvm/webserver-heap.yaml",
        "long-gc-pause" in "jvm/long-gc-pause.yaml",
        "event-loop-blocked" in "jvm/event-loop-blocked.yaml",
    ]
    "triggers": [
        "trigger-locked" in "triggers/trigger-locked.yaml",
        "paused-backfill" in "triggers/paused-backfill.yaml",
        "scheduled-twice" in "triggers/scheduled-twice.yaml",
        "trigger-load" in "triggers/trigger-load.yaml",
        "realtime-stuck" in "triggers/realtime-stuck.yaml",
    ]
    "flows": [
        "alert-flows" in "alert-flows.yaml",
        "alert-fails" in "alert-fails.yaml",
        "depends-on" in "depends-on.yaml",
        "first-failure" in "flows/first-failure.yaml",
        "secret-missing" in "flows/secret-missing.yaml",
        "flow-cycle" in "flows/flow-cycle.yaml",
        "fan-out" in "flows/fan-out.yaml",
        "webhook-storm" in "flows/webhook-storm.yaml",
        "slot-of-the-dead" in "flows/slot-of-the-dead.yaml",
        "slot-leak" in "flows/slot-leak.yaml",
        "log-flood" in "flows/log-flood.yaml",
        "sla-lost" in "flows/sla-lost.yaml",
    ]
};

/// The names of all shipped scenarios.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|shipped| shipped.name)
}

/// The shipped scenario of a name.
pub(crate) fn shipped(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}
