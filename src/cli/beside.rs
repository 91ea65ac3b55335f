//! What a clock that is moved means to a real Prometheus: one table for the help of `serve` and the README.

use std::fmt::Write;

/// What is done, what a real Prometheus makes of it, and what to do instead.
const BESIDE: &[(&str, &str, &str)] = &[
    (
        "a jump (`advance`, `run-until` with `now`)",
        "its own clock has not moved: an alert with `for` is only pending after `advance` 5m, and fires when `for` is over in \
         real time; no sample is there of the time between, so `rate` and `increase` over the jump are far too high, and \
         `_over_time` functions miss what happened in it",
        "`test` judges the same rules in virtual time; to see the real one fire, jump to the fault and let real time pass",
    ),
    (
        "a speed (`--speed 20`)",
        "all that counts by the second is multiplied: rates are 20 times higher, ranges and `_over_time` windows hold 20 \
         times as much of the scenario, and `for: 5m` waits for 100 minutes of the scenario",
        "divide `for`, ranges and scrape interval of the rules by the speed, and multiply limits on rates with it; or `--speed 1`",
    ),
    (
        "a pause",
        "it goes on scraping samples that stand still: rates fall to 0",
        "pause to look at something, not while rules are judged",
    ),
    (
        "`reset`",
        "counters fall, as after a restart of all processes, and start times jump",
        "begin with an empty Prometheus, or wait until its ranges are over",
    ),
];

/// As a table of Markdown.
#[cfg(feature = "internals")]
pub fn markdown() -> String {
    let mut text = "| on the control port | a real Prometheus | instead |\n|-|-|-|\n".to_owned();
    for (what, sees, instead) in BESIDE {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {what} | {sees} | {instead} |");
    }
    text
}

/// For a terminal.
pub(super) fn text() -> String {
    let mut text = "A real Prometheus scrapes by its own clock, whatever time does here:\n".to_owned();
    for (what, sees, instead) in BESIDE {
        let _ = write!(text, "\n  {what}\n      {sees}.\n      Instead: {instead}.\n");
    }
    text += "\nThe application port answers what monitoring asks for; there is no REST API of Kestra.";
    text
}
