//! The mock's own metrics, on the control port: not to be confused with those of the simulated Kestra.

use prometheus::{Encoder, Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// What the mock counts of itself.
#[derive(Debug)]
pub(super) struct OwnMetrics {
    registry: Registry,
    answers: Option<IntCounterVec>,
    virtual_time: Option<Gauge>,
    speed: Option<Gauge>,
    lost: Option<Gauge>,
    events: Option<IntGauge>,
    faults: Option<IntGauge>,
    /// Alerts posted, dropped, and of requests that failed.
    alerts: [Option<IntCounter>; 3],
}

impl OwnMetrics {
    pub(super) fn new() -> OwnMetrics {
        let registry = Registry::new();
        // Names are constants: registering them cannot fail, and if it did the mock would go on without.
        let gauge = |name: &str, help: &str| {
            let gauge = Gauge::new(name, help).ok()?;
            registry.register(Box::new(gauge.clone())).ok()?;
            Some(gauge)
        };
        let whole = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help).ok()?;
            registry.register(Box::new(gauge.clone())).ok()?;
            Some(gauge)
        };
        let answers = || {
            let opts = Opts::new("mock_kestra_answers_total", "Answers that members gave, by member and status code");
            let answers = IntCounterVec::new(opts, &["member", "code"]).ok()?;
            registry.register(Box::new(answers.clone())).ok()?;
            Some(answers)
        };
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help).ok()?;
            registry.register(Box::new(counter.clone())).ok()?;
            Some(counter)
        };
        OwnMetrics {
            alerts: [
                counter("mock_kestra_alerts_sent_total", "Alerts that an Alertmanager has taken"),
                counter("mock_kestra_alerts_dropped_total", "Alerts dropped because too many waited"),
                counter("mock_kestra_alerts_failed_total", "Alerts of requests that failed: they are not sent again"),
            ],
            answers: answers(),
            virtual_time: gauge("mock_kestra_virtual_time_seconds", "Virtual time since the scenario's start"),
            speed: gauge("mock_kestra_speed", "Virtual seconds a second, 0 while paused"),
            lost: gauge(
                "mock_kestra_lost_seconds",
                "Virtual time that was due and not gone through: the machine is too slow for the speed",
            ),
            events: whole("mock_kestra_events", "Events the model has gone through since the last reset"),
            faults: whole("mock_kestra_faults", "Faults in force"),
            registry,
        }
    }

    /// A member gave an answer.
    pub(super) fn answered(&self, member: &str, status: u16) {
        if let Some(answers) = &self.answers {
            answers.with_label_values(&[member, &status.to_string()]).inc();
        }
    }

    /// The exposition, with the state of the world set into it.
    pub(super) fn text(&self, world: &super::world::World) -> Vec<u8> {
        let now = world.session.simulation().now().as_nanoseconds() as f64 / crate::time::SECOND as f64;
        if let Some(gauge) = &self.virtual_time {
            gauge.set(now);
        }
        if let Some(gauge) = &self.speed {
            gauge.set(if world.clock.is_paused() { 0.0 } else { world.clock.speed() });
        }
        if let Some(gauge) = &self.lost {
            gauge.set(world.lost.as_seconds_f64());
        }
        if let Some(gauge) = &self.events {
            gauge.set(i64::try_from(world.session.simulation().events()).unwrap_or(i64::MAX));
        }
        if let Some(gauge) = &self.faults {
            gauge.set(world.session.simulation().faults().len() as i64);
        }
        let alerts = [world.alerts.posted, world.alerts_dropped(), world.alerts.failed];
        for (counter, now) in self.alerts.iter().zip(alerts) {
            if let Some(counter) = counter {
                counter.inc_by(now.saturating_sub(counter.get()));
            }
        }
        let mut text = Vec::new();
        // Writing to a Vec cannot fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}
