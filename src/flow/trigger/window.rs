//! Windows in which several executions complete a Flow trigger.

use jiff::SignedDuration;
use jiff::civil::Time;

/// A `timeWindow` of `preconditions` and `MultipleCondition`, or the `window` of 2.0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeWindow {
    /// How its bounds are reckoned.
    pub kind: WindowKind,
    /// `timezone` (2.0); that of the server when not given.
    pub timezone: Option<String>,
    /// No type is written, though there is a `timeWindow`: 0.20 refuses that.
    pub untyped: bool,
}

/// How the bounds of a window are reckoned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowKind {
    /// `DURATION_WINDOW`, `every` and `offset`: begins with the day, hour or minute of the first execution.
    Duration {
        /// `window`, `every`: its length.
        length: SignedDuration,
        /// `windowAdvance`, `offset`: it begins later by this.
        advance: SignedDuration,
    },
    /// `SLIDING_WINDOW`, `lookback`: begins with the first execution.
    Sliding(SignedDuration),
    /// `DAILY_TIME_WINDOW`, `from` and `to`: between two times of the day.
    Daily {
        /// `startTime`.
        from: Time,
        /// `endTime`.
        to: Time,
    },
    /// `DAILY_TIME_DEADLINE`, `deadline`: from midnight to a time of the day.
    Deadline(Time),
}

/// A day, the length of a window that has none.
pub(crate) const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Default for WindowKind {
    fn default() -> WindowKind {
        WindowKind::Duration { length: DAY, advance: SignedDuration::ZERO }
    }
}
