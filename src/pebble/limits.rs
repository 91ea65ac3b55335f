//! What keeps a template from taking all of the machine. Reaching one is an error with its name.

/// Characters of a template.
pub const TEMPLATE_MAX: usize = 1 << 20;
/// How deep the parts of an expression, or tags, stand in each other.
pub const NESTING_MAX: usize = 150;
/// How deep an evaluation may go: parts in parts, macros in macros, `render` in `render`, taken together.
pub const DEPTH_MAX: usize = 300;
/// Times one `render` may start another where the real engine goes on until its stack is full.
pub const RENDER_DEPTH_MAX: usize = 50;
/// Times a text is rendered anew until it stays as it is (the real engine's own limit and words).
pub const RENDER_ROUNDS_MAX: usize = 100;
/// Steps of one rendering: nodes evaluated, and what filters and comparisons walk, in units of [`WALK_UNIT`].
pub const STEPS_MAX: u64 = 300_000;
/// So much of a value is walked in one step.
pub const WALK_UNIT: u64 = 64;
/// Bytes of a rendered text.
pub const OUTPUT_MAX: usize = 8 << 20;
/// How much one value may hold: its texts in bytes, and 16 for everything in it.
pub const VALUE_MAX: u64 = 16 << 20;
/// How deep lists and maps stand in each other in a value.
pub const VALUE_DEPTH_MAX: u32 = 100;
/// Elements of a list that a template makes out of nothing (`range`).
pub const RANGE_MAX: u64 = 100_000;
/// Bytes that a compiled regular expression may take.
pub const REGEX_SIZE_MAX: usize = 1 << 20;
/// Bytes of a jq program.
pub const JQ_PROGRAM_MAX: usize = 1_000;
/// How deep brackets stand in each other in a jq program.
pub const JQ_NESTING_MAX: usize = 40;
/// Steps that a jq program may take on its input, as estimated before it runs.
pub const JQ_WORK_MAX: f64 = 2e7;
