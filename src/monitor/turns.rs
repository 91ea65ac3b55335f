//! When rules are evaluated: each over all its instants at once where that comes to the same as one instant after another.

use std::collections::BTreeMap;

use super::{Monitor, Rule};
use crate::promql::{Expression, Grid, Labels, Table, Vector};

/// A rule: its group, and its place in it.
pub(super) type Key = (usize, usize);

impl Monitor {
    /// Evaluates every group at every instant of its grid. What was scraped must be there already: an evaluation looks at
    /// nothing younger than itself. The result is that of `Monitor::evaluate`, which tests have, called for one instant
    /// after another, at equal instants in the order of the groups.
    pub fn evaluate_all(&mut self, grids: &[Grid]) {
        self.evaluator.forget();
        self.evaluations += grids.iter().map(|grid| grid.count as u64).sum::<u64>();
        match self.order(grids) {
            Some(order) => {
                for key in order {
                    if let Some(grid) = grids.get(key.0) {
                        self.evaluate_over(key, *grid);
                    }
                }
            }
            None => self.evaluate_in_turns(grids),
        }
    }

    fn evaluate_in_turns(&mut self, grids: &[Grid]) {
        let mut done = vec![0; grids.len()];
        let next = |done: &[usize]| {
            let turns = grids.iter().zip(done).enumerate().filter(|(_, (grid, done))| **done < grid.count);
            turns.map(|(group, (grid, done))| (grid.time(*done), group)).min()
        };
        while let Some((time, group)) = next(&done) {
            done[group] += 1;
            self.evaluate_group(group, time);
        }
    }

    /// One rule over all its instants.
    fn evaluate_over(&mut self, key: Key, grid: Grid) {
        let expression = self.groups[key.0].rules[key.1].expression();
        // Who looks ahead finds what is there at each evaluation, and no more.
        let ahead = expression.reach(self.evaluation_interval.as_milliseconds() as i64).is_none();
        let table = match expression.is_about_whole() || ahead {
            true => None,
            false => {
                let asked = Grid { first: grid.first - self.groups[key.0].offset(), ..grid };
                // What a rule writes is there before any that reads it: what parts come to does not change on the way.
                self.evaluator.shared(expression, &self.database, asked).ok()
            }
        };
        let mut vectors: Vec<Vector> = match table {
            Some(Table::Rows(rows)) => {
                let mut vectors: Vec<Vector> = vec![Vec::new(); grid.count];
                for row in rows {
                    for (index, vector) in vectors.iter_mut().enumerate() {
                        vector.extend(row.at(index).map(|value| (row.labels.clone(), value)));
                    }
                }
                vectors
            }
            Some(Table::Scalar(values)) => {
                values.into_iter().map(|value| vec![(Labels::from(Vec::new()), value)]).collect()
            }
            // A text fails, and what fails at one instant may not at others.
            Some(Table::Text(_)) | None => {
                grid.times().for_each(|time| self.evaluate_rule(key, time));
                return;
            }
        };
        let mut quiet = self.is_quiet(key);
        for (index, vector) in vectors.iter_mut().enumerate() {
            // Most often nothing is wrong, and nothing was.
            if vector.is_empty() && quiet {
                continue;
            }
            self.take(key, Ok(std::mem::take(vector)), grid.time(index));
            quiet = self.is_quiet(key);
        }
    }

    /// The names of the series that a rule reads, its templates included; none of a selector that may mean any.
    fn reads(&self, (group, index): Key) -> Vec<Option<String>> {
        let mut selected = self.groups[group].rules[index].expression().selected();
        match self.asks.get(&(group, index)) {
            Some(Some(asked)) => selected.extend(asked.iter().flat_map(Expression::selected)),
            Some(None) => selected.push(None),
            None => {}
        }
        selected
    }

    /// An order in which every rule finds what it reads, if there is one: a rule that writes a series before all that read
    /// it. There is none when a reader must not see yet what is written at the same instant, or reads what it leads to, or
    /// when several write one series, or when one writes further into the past than its reader looks: what is not written
    /// yet would be seen.
    fn order(&self, grids: &[Grid]) -> Option<Vec<Key>> {
        let keys: Vec<Key> = self
            .groups
            .iter()
            .enumerate()
            .flat_map(|(group, it)| (0..it.rules.len()).map(move |index| (group, index)))
            .collect();
        let mut writers: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
        for &key in &keys {
            match &self.groups[key.0].rules[key.1] {
                Rule::Record(rule) => writers.entry(rule.name.as_str()).or_default().push(key),
                Rule::Alert(_) => {
                    writers.entry("ALERTS").or_default().push(key);
                    writers.entry("ALERTS_FOR_STATE").or_default().push(key);
                }
            }
        }
        // Two that write the same series: which sample is first is a matter of turns.
        if writers.iter().any(|(name, keys)| keys.len() > 1 && self.wants(name)) {
            return None;
        }
        // By reader: the rules that must come before it.
        let mut needs: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        for &reader in &keys {
            let selected = self.reads(reader);
            // A selector that may mean any name may mean those that rules write.
            if selected.iter().any(Option::is_none) && !writers.is_empty() {
                return None;
            }
            for writer in selected.iter().flatten().filter_map(|name| writers.get(name.as_str())).flatten() {
                let in_time = match writer.0 == reader.0 {
                    true => writer.1 < reader.1,
                    false => writer.0 < reader.0 || !meet(grids.get(writer.0), grids.get(reader.0)),
                };
                if !in_time || self.groups[writer.0].offset() > self.groups[reader.0].offset() {
                    return None;
                }
                needs.entry(reader).or_default().push(*writer);
            }
        }
        let mut order: Vec<Key> = Vec::with_capacity(keys.len());
        let mut placed: std::collections::BTreeSet<Key> =
            keys.iter().filter(|key| !needs.contains_key(key)).copied().collect();
        order.extend(keys.iter().filter(|key| placed.contains(key)));
        while order.len() < keys.len() {
            let ready: Vec<Key> = needs
                .iter()
                .filter(|(reader, writers)| !placed.contains(reader) && writers.iter().all(|key| placed.contains(key)))
                .map(|(reader, _)| *reader)
                .collect();
            // Two groups that read from each other never get ready.
            if ready.is_empty() {
                return None;
            }
            placed.extend(&ready);
            order.extend(ready);
        }
        Some(order)
    }
}

/// Whether two grids could share an instant.
fn meet(a: Option<&Grid>, b: Option<&Grid>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let (mut step, mut rest) = (a.step, b.step);
    while rest != 0 {
        (step, rest) = (rest, step % rest);
    }
    (a.first - b.first) % step.max(1) == 0
}
