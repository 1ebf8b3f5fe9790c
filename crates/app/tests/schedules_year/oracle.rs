//! What the documents say of ticks, and nothing else.

use std::rc::Rc;

use marquetry_model::{Missed, Timestamp};

use crate::calendar::Times;

/// A tick that is looked at later than this was missed.
const LATE_MS: i64 = 60_000;

/// A tenant, as its schedule sees it.
pub(crate) struct Subject {
    /// Which of the integrations it has.
    pub(crate) integration: usize,
    pub(crate) times: Rc<Times>,
    pub(crate) paused: bool,
    /// Ticks until then are over: looked at, or before it had this schedule.
    since: Timestamp,
    /// When its triggers came.
    pub(crate) triggers: Vec<Timestamp>,
}

/// An integration, as schedules see it.
pub(crate) struct Rules {
    pub(crate) missed: Missed,
    pub(crate) paused: bool,
}

/// Everything, and how often what is worth a test was met.
#[derive(Default)]
pub(crate) struct Oracle {
    pub(crate) integrations: Vec<Rules>,
    pub(crate) tenants: Vec<Subject>,
    pub(crate) met: Met,
}

/// How many looks found this.
#[derive(Debug, Default)]
pub(crate) struct Met {
    pub(crate) in_time: usize,
    pub(crate) made_up_for: usize,
    pub(crate) skipped: usize,
    pub(crate) held: usize,
}

impl Oracle {
    pub(crate) fn add(&mut self, integration: usize, times: Rc<Times>, now: Timestamp) {
        self.tenants.push(Subject {
            integration,
            times,
            paused: false,
            since: now,
            triggers: Vec::new(),
        });
    }

    /// When a tick is due that nobody has looked at.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let going = self.tenants.iter().filter(|tenant| !tenant.paused);
        going.filter_map(|tenant| tenant.open().next()).min()
    }

    /// Somebody looks; answers how many triggers that makes.
    pub(crate) fn look(&mut self, now: Timestamp) -> usize {
        let before = self.met.in_time + self.met.made_up_for;
        for tenant in self.tenants.iter_mut().filter(|tenant| !tenant.paused) {
            let integration = &self.integrations[tenant.integration];
            // What is due at one look makes one trigger.
            let last = tenant.open().take_while(|at| *at <= now).last();
            tenant.since = now;
            let Some(last) = last else { continue };
            let is_late = now.as_millis() - last.as_millis() > LATE_MS;
            if is_late && integration.missed == Missed::Skip {
                self.met.skipped += 1;
            } else if integration.paused {
                self.met.held += 1;
            } else {
                tenant.triggers.push(now);
                let met = &mut self.met;
                *(if is_late {
                    &mut met.made_up_for
                } else {
                    &mut met.in_time
                }) += 1;
            }
        }
        self.met.in_time + self.met.made_up_for - before
    }
}

impl Subject {
    /// Ticks that nobody has looked at, and that are yet to come.
    fn open(&self) -> impl Iterator<Item = Timestamp> {
        let due = &self.times.due;
        let first = due.partition_point(|at| *at <= self.since);
        due[first..].iter().copied()
    }

    /// What passed while it stood still is not made up for.
    pub(crate) fn pause(&mut self, paused: bool, now: Timestamp) {
        self.paused = paused;
        self.since = now;
    }

    /// Another schedule begins now; the same goes on.
    pub(crate) fn set_times(&mut self, times: Rc<Times>, now: Timestamp) {
        if !Rc::ptr_eq(&self.times, &times) {
            self.times = times;
            self.since = now;
        }
    }
}
