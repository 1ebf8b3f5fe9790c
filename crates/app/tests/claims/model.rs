//! Claim, lease, fence and late return of one tenant's runs on two nodes, as pure transitions.
//!
//! Times are seconds that are left; they pass in steps of [`STEP`].

/// How long a lease holds that was just taken or moved.
pub(crate) const LEASE: i64 = 30;
/// How long after the end of a lease its run is closed, at the earliest.
const MARGIN: i64 = 5;
/// How much time passes at once: a lease survives two steps, not three.
pub(crate) const STEP: i64 = 10;
/// All that is longer over than this is the same.
const LONG_OVER: i64 = -STEP;
/// Triggers of one history.
const TRIGGERS: u8 = 2;
pub(crate) const NODES: [usize; 2] = [0, 1];

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// A trigger is accepted.
    Accept,
    /// A node looks for something to execute.
    Take(usize),
    /// A node moves the lease of what it executes, or hears that it is no longer its own.
    Beat(usize),
    /// A node reports the end of what it executed, or executes no longer.
    Finish(usize),
    /// Time passes.
    Pass,
    /// Somebody looks for runs whose node is lost.
    Reap,
}

/// The run that is live as the database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) node: usize,
    left: i64,
}

/// What a node believes to execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Holds {
    /// Whether it is the run that is live in the database.
    is_current: bool,
    /// Until its first process ends it.
    left: i64,
}

impl Holds {
    pub(crate) fn is_alive(self) -> bool {
        self.left > 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct State {
    accepted: u8,
    waiting: u8,
    pub(crate) row: Option<Row>,
    pub(crate) nodes: [Option<Holds>; 2],
}

/// What an act must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    /// Whether it got something, held it still, or had its word kept.
    Yes(bool),
    /// How many it closed.
    Closed(usize),
}

impl State {
    /// What may happen in this state.
    pub(crate) fn acts(&self) -> Vec<Act> {
        let mut acts = vec![Act::Pass, Act::Reap];
        if self.accepted < TRIGGERS {
            acts.push(Act::Accept);
        }
        for node in NODES {
            match self.nodes[node] {
                None => acts.push(Act::Take(node)),
                Some(_) => acts.extend([Act::Beat(node), Act::Finish(node)]),
            }
        }
        acts
    }

    /// Whether a trigger waits for a run.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting > 0
    }

    /// What becomes of it.
    pub(crate) fn after(mut self, act: Act) -> (Self, Answer) {
        let answer = match act {
            Act::Accept => {
                self.accepted += 1;
                self.waiting += 1;
                Answer::Nothing
            }
            Act::Take(node) => Answer::Yes(self.take(node)),
            Act::Beat(node) => Answer::Yes(self.beat(node)),
            Act::Finish(node) => Answer::Yes(self.finish(node)),
            Act::Pass => {
                self.pass();
                Answer::Nothing
            }
            Act::Reap => Answer::Closed(usize::from(self.reap())),
        };
        (self, answer)
    }

    fn take(&mut self, node: usize) -> bool {
        let takes = self.row.is_none() && self.waiting > 0;
        if takes {
            self.waiting = 0;
            self.row = Some(Row { node, left: LEASE });
            self.nodes[node] = Some(Holds {
                is_current: true,
                left: LEASE,
            });
        }
        takes
    }

    /// One whose run is no longer its own gives it up. A process that its lease has ended stays ended.
    fn beat(&mut self, node: usize) -> bool {
        let Some(held) = self.nodes[node].filter(|held| held.is_current) else {
            self.nodes[node] = None;
            return false;
        };
        if let Some(row) = &mut self.row {
            row.left = LEASE;
        }
        if held.is_alive() {
            self.nodes[node] = Some(Holds {
                left: LEASE,
                ..held
            });
        }
        true
    }

    fn finish(&mut self, node: usize) -> bool {
        let is_current = self.nodes[node].take().is_some_and(|held| held.is_current);
        if is_current {
            self.row = None;
        }
        is_current
    }

    fn pass(&mut self) {
        let pass = |left: &mut i64| *left = (*left - STEP).max(LONG_OVER);
        self.row.iter_mut().for_each(|row| pass(&mut row.left));
        for held in self.nodes.iter_mut().flatten() {
            pass(&mut held.left);
        }
    }

    fn reap(&mut self) -> bool {
        let is_over = self.row.is_some_and(|row| row.left < -MARGIN);
        if is_over {
            self.row = None;
            for held in self.nodes.iter_mut().flatten() {
                held.is_current = false;
            }
        }
        is_over
    }
}
