//! What a Prometheus has stored of a cluster.

use super::Failed;
use crate::cli::{Exit, to_terminal, told_enough};
use crate::record::Observed;
use crate::record::api::{Selector, Told, Window, rows, series};
use crate::server::Outside;
use crate::time::Duration;

/// A part of the past that a Prometheus has.
pub(super) struct Stored {
    outside: Outside,
    selector: Selector,
    window: Window,
}

impl Stored {
    pub(super) fn new(outside: Outside, selector: Selector, window: Window) -> Stored {
        Stored { outside, selector, window }
    }

    /// Where it comes from, for the file.
    pub(super) fn told(&self) -> Vec<String> {
        let date = |at| jiff::Timestamp::from_millisecond(at).map(|it| it.to_string()).unwrap_or_default();
        let Window { from, until, step } = self.window;
        let step = Duration::milliseconds(step.unsigned_abs());
        vec![format!(
            "Recorded by `mock-kestra record` from a Prometheus, from {} to {}, each {step}.",
            date(from),
            date(until)
        )]
    }

    /// All of it that is of use.
    pub(super) async fn observe(&self) -> Result<Observed, Failed> {
        let mut told = Told::default();
        let found = self.ask(&self.selector.instances(self.window), rows).await?;
        let members = Told::instances(&found);
        if members.is_empty() {
            return Err((Exit::Cannot, self.nothing()));
        }
        for (job, instance) in &members {
            let all = self.ask(&self.selector.series(self.window, (job, instance)), series).await?;
            told.shows(&all);
        }
        if !told.observed().members.iter().any(|member| member.is_kestra()) {
            let shown = self.outside.shown();
            return Err((
                Exit::Cannot,
                format!("{shown}: of {} targets that {} means none is a Kestra", members.len(), self.selector),
            ));
        }
        let requests = self.selector.samples(self.window, told.series());
        for (number, request) in requests.iter().enumerate() {
            told.samples(&self.ask(request, rows).await?);
            to_terminal(&format!("\r{} of {} requests ", number + 1, requests.len()));
            if told.observed().is_too_large() {
                told_enough();
                let advice = "make --every longer, or the time from --from to --until shorter";
                return Err((Exit::Cannot, format!("these are too many samples: {advice}")));
            }
        }
        told_enough();
        Ok(told.done())
    }

    async fn ask<T>(&self, path: &str, read: fn(u16, &[u8]) -> Result<T, String>) -> Result<T, Failed> {
        let shown = self.outside.shown();
        let cannot = |why: String| (Exit::Cannot, why);
        // The query is long, and none of the one who reads this has written it.
        let reply = self
            .outside
            .get(path)
            .await
            .map_err(|why| cannot(why.to_string().replace(&format!("/{}", path.trim_start_matches('/')), "")))?;
        if matches!(reply.status, 401 | 403) {
            let hint = "it wants a name and a password (--user, or MOCK_KESTRA_USER)";
            return Err(cannot(format!("{shown} answers {}: {hint}", reply.status)));
        }
        read(reply.status, &reply.body).map_err(|why| cannot(format!("{shown}: {why}")))
    }

    fn nothing(&self) -> String {
        let date = |at| jiff::Timestamp::from_millisecond(at).map(|it| it.to_string()).unwrap_or_default();
        let Window { from, until, .. } = self.window;
        format!(
            "{} has no series that {} means from {} to {}: see --match, --from and --until",
            self.outside.shown(),
            self.selector,
            date(from),
            date(until)
        )
    }
}
