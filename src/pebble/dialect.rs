//! How the versions of Kestra differ in their templates. Rows of data; the code asks fields, never for a version.

/// Which side renders: a worker gets the variables as JSON over the queue, the executor has the objects themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Tasks.
    #[default]
    Worker,
    /// Conditions, flowable tasks, inputs of triggers.
    Executor,
}

/// What a version of Kestra does differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The name of the profile it belongs to.
    pub name: &'static str,
    /// What variables of the environment begin with that `envs` shows.
    pub environment_prefix: &'static str,
    /// Filters, functions, tests and operators that this version has not, as `filter json`.
    pub absent: &'static [&'static [&'static str]],
    /// How strongly `??` and `???` bind.
    pub coalescing: u16,
    /// Whether `<` and its like compare texts.
    pub compares_texts: bool,
    /// Whether an error about a missing name shows the engine's own below it.
    pub missing_has_cause: bool,
    /// Whether exceptions of Java's are wrapped by the renderer.
    pub wraps_foreign: bool,
    /// Whether `secret` fails for a key that is not there; null otherwise.
    pub secret_must_exist: bool,
    /// Arguments of `secret`.
    pub secret_arguments: &'static [&'static str],
    /// Whether `kv` fails for a key that is not there; empty otherwise.
    pub kv_must_exist: bool,
    /// Whether a number that is dated may be milliseconds (13 digits) or nanoseconds (19 digits).
    pub dates_by_digits: bool,
    /// Whether `iso_milli`, `sql_milli` and `sql_sec` are known formats; `sql_seq` otherwise.
    pub milli_formats: bool,
    /// What `timestampMicro` multiplies seconds with; microseconds are added to that.
    pub micro_factor: i64,
    /// Whether `dateAdd` takes its amount as text or any number; whole numbers of the template only otherwise.
    pub amount_as_text: bool,
    /// Whether `errorLogs` works in a worker.
    pub error_logs: bool,
    /// Whether entries of `errorLogs` tell `deleted`.
    pub logs_deleted: bool,
    /// How deep `render` may go; until the stack is full otherwise.
    pub render_depth: Option<usize>,
    /// Whether dates in printed maps and lists have six digits behind the second; as many as needed otherwise.
    pub json_micros: bool,
    /// Whether the executor holds the states of `tasks` as constants, which no text equals in a list.
    pub task_states_typed: bool,
    /// Whether a worker gets the dates of `execution` in milliseconds.
    pub shipped_in_millis: bool,
    /// The class of maps at the root of the executor's variables, where errors show it; `*` is for workers too, a
    /// dot behind the name for maps in that map.
    pub classes: &'static [(&'static str, &'static str)],
    /// What `read` says of a file that is not there: in words of the namespace, or of the storage below `/app/storage`.
    pub read_names_namespace: bool,
}

const HASH: &str = "java.util.HashMap";
const IMMUTABLE: &str = "com.google.common.collect.RegularImmutableMap";

/// What 2.0 brought.
const OF_2_0: &[&str] = &[
    "function env",
    "function dayOfWeek",
    "function hourOfDay",
    "function dayOfMonth",
    "function monthOfYear",
    "function isWeekend",
    "function isPublicHoliday",
    "function isDayWeekInMonth",
    "function isLastWorkingDay",
    "filter regexMatch",
    "filter regexReplace",
    "filter regexExtract",
];
/// What came between 0.20 and 1.3.
const AFTER_0_20: &[&str] = &[
    "function uuid",
    "function id",
    "function ksuid",
    "function nanoId",
    "function randomInt",
    "function randomPort",
    "function tasksWithState",
    "function http",
    "function fileExists",
    "function isFileEmpty",
    "filter string",
    "filter distinct",
    "operator isIn",
];

const V1_3: Dialect = Dialect {
    name: "1.3",
    environment_prefix: "ENV_",
    absent: &[OF_2_0],
    coalescing: 120,
    compares_texts: false,
    missing_has_cause: false,
    wraps_foreign: false,
    secret_must_exist: true,
    secret_arguments: &["key", "namespace", "subkey"],
    kv_must_exist: true,
    dates_by_digits: true,
    milli_formats: true,
    micro_factor: 1_000_000,
    amount_as_text: true,
    error_logs: true,
    logs_deleted: false,
    render_depth: None,
    json_micros: false,
    task_states_typed: true,
    shipped_in_millis: false,
    classes: &[("inputs", HASH), ("outputs", HASH), ("outputs.", HASH), ("labels", HASH)],
    read_names_namespace: true,
};

const V0_20: Dialect = Dialect {
    name: "0.20",
    environment_prefix: "KESTRA_",
    absent: &[OF_2_0, AFTER_0_20],
    missing_has_cause: true,
    secret_must_exist: false,
    secret_arguments: &["key"],
    kv_must_exist: false,
    dates_by_digits: false,
    milli_formats: false,
    micro_factor: 1_000_000_000,
    amount_as_text: false,
    logs_deleted: true,
    shipped_in_millis: true,
    classes: &[
        ("inputs", HASH),
        ("outputs", HASH),
        ("outputs.", HASH),
        ("labels", HASH),
        ("flow", IMMUTABLE),
        ("execution", IMMUTABLE),
        ("*taskrun", IMMUTABLE),
    ],
    read_names_namespace: false,
    ..V1_3
};

const V2_0: Dialect = Dialect {
    name: "2.0",
    absent: &[&["filter json", "function json", "function currentEachOutput"]],
    coalescing: 95,
    compares_texts: true,
    wraps_foreign: true,
    error_logs: false,
    render_depth: Some(16),
    json_micros: true,
    task_states_typed: false,
    classes: &[],
    ..V1_3
};

static ALL: [Dialect; 3] = [V0_20, V1_3, V2_0];

impl Dialect {
    /// The dialect of a profile, by the profile's name.
    pub fn named(name: &str) -> Option<&'static Dialect> {
        ALL.iter().find(|dialect| dialect.name == name)
    }
    /// Whether this version has not what is called so (`filter json`).
    pub(super) fn lacks(&self, sort: &str, name: &str) -> bool {
        self.absent.iter().copied().flatten().any(|absent| absent.split_once(' ') == Some((sort, name)))
    }
    /// The class of a map among the variables, where it is not that of maps read from JSON.
    pub(super) fn class_of(&self, root: &str, side: Side) -> Option<&'static str> {
        let found = self.classes.iter().find(|(name, _)| name.trim_start_matches('*') == root)?;
        (side == Side::Executor || found.0.starts_with('*')).then_some(found.1)
    }
}
