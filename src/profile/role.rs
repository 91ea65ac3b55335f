//! What a process runs.

/// What a process runs (Kestra's server types).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything in one process.
    Standalone,
    /// API and UI, with an embedded indexer.
    Webserver,
    /// The executor.
    Executor,
    /// The scheduler.
    Scheduler,
    /// A worker.
    Worker,
    /// An indexer.
    Indexer,
    /// The controller of 2.0.
    Controller,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 7] = [
        Role::Standalone,
        Role::Webserver,
        Role::Executor,
        Role::Scheduler,
        Role::Worker,
        Role::Indexer,
        Role::Controller,
    ];

    /// As a scenario writes it and members are named: `worker`.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Standalone => "standalone",
            Role::Webserver => "webserver",
            Role::Executor => "executor",
            Role::Scheduler => "scheduler",
            Role::Worker => "worker",
            Role::Indexer => "indexer",
            Role::Controller => "controller",
        }
    }

    /// As `/version` shows it: `WORKER`.
    pub const fn server_type(self) -> &'static str {
        match self {
            Role::Standalone => "STANDALONE",
            Role::Webserver => "WEBSERVER",
            Role::Executor => "EXECUTOR",
            Role::Scheduler => "SCHEDULER",
            Role::Worker => "WORKER",
            Role::Indexer => "INDEXER",
            Role::Controller => "CONTROLLER",
        }
    }

    /// Whether a process of this role runs what `part` alone would run. The webserver carries an indexer
    /// (recorded from 1.3: service INDEXER beside WEBSERVER) and, where the version has one, a controller (2.0).
    pub const fn runs(self, part: Role) -> bool {
        self as u8 == part as u8
            || matches!(self, Role::Standalone)
            || matches!((self, part), (Role::Webserver, Role::Indexer | Role::Controller))
    }
}
