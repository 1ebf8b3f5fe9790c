//! Which faults there are, and when: by a seed alone.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use marquetry_model::Chance;

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Its process is killed; what it started goes on.
    Kill,
    /// It is killed with all that it started, as in a power cut.
    PowerCut,
    /// It is stopped as an operator does, and started again.
    Stop,
    /// It stands still for some seconds.
    Freeze,
    /// It stands still for longer than its lease.
    FreezeBeyondLease,
    /// Its connections to the database are closed, and it gets no new ones.
    Cut,
    /// Nothing passes between it and the database.
    Stall,
    /// The database ends the sessions of all nodes, as when it is restarted or fails over.
    EndSessions,
}

impl Kind {
    /// Those of a node that has its database in a file.
    const ALONE: [Self; 5] = [
        Self::Kill,
        Self::PowerCut,
        Self::Stop,
        Self::Freeze,
        Self::FreezeBeyondLease,
    ];
    /// Those of nodes that have a database server.
    const SHARED: [Self; 8] = [
        Self::Kill,
        Self::PowerCut,
        Self::Stop,
        Self::Freeze,
        Self::FreezeBeyondLease,
        Self::Cut,
        Self::Stall,
        Self::EndSessions,
    ];

    /// How long it lasts, in milliseconds, from and to.
    fn bounds(self) -> (u64, u64) {
        match self {
            Self::Kill | Self::PowerCut => (200, 3_000),
            Self::Stop | Self::EndSessions => (0, 0),
            Self::Freeze => (500, 8_000),
            // A lease is 30 s, and others look for lost runs every 30 s.
            Self::FreezeBeyondLease => (33_000, 40_000),
            Self::Cut | Self::Stall => (500, 12_000),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::PowerCut => "power cut",
            Self::Stop => "stop",
            Self::Freeze => "freeze",
            Self::FreezeBeyondLease => "freeze beyond its lease",
            Self::Cut => "cut off from the database",
            Self::Stall => "nothing passes to the database",
            Self::EndSessions => "database ends all sessions",
        })
    }
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// It begins when so many triggers are accepted.
    pub(crate) at: u32,
    /// Whose, from 1.
    pub(crate) node: usize,
    /// What.
    pub(crate) kind: Kind,
    /// How long, where it lasts.
    pub(crate) lasts_ms: u64,
}

impl Fault {
    pub(super) fn lasts(&self) -> Duration {
        Duration::from_millis(self.lasts_ms)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            node,
            kind,
            lasts_ms,
        } = self;
        write!(f, "at trigger {at}, node {node}: {kind}")?;
        match lasts_ms {
            0 => Ok(()),
            ms => write!(f, ", {ms} ms"),
        }
    }
}

/// The faults of a seed, in the order in which they begin: each kind at least once, as far as there are so many.
pub(crate) fn faults(
    seed: u64,
    triggers: u32,
    nodes: usize,
    count: usize,
    is_shared: bool,
) -> Vec<Fault> {
    let mut chance = Chance::new(seed);
    let kinds: &[Kind] = if is_shared {
        &Kind::SHARED
    } else {
        &Kind::ALONE
    };
    let mut wanted: Vec<Kind> = kinds.iter().copied().take(count).collect();
    while wanted.len() < count {
        let kind = kinds[chance.below(kinds.len())];
        // Each takes half a minute, and so once in a while is enough.
        if kind != Kind::FreezeBeyondLease || chance.below(8) == 0 {
            wanted.push(kind);
        }
    }
    let mut faults: Vec<Fault> = wanted
        .into_iter()
        .map(|kind| {
            let (from, to) = kind.bounds();
            Fault {
                at: chance
                    .upto(u64::from(triggers))
                    .try_into()
                    .unwrap_or(triggers),
                node: 1 + chance.below(nodes),
                kind,
                lasts_ms: from + chance.upto(to - from),
            }
        })
        .collect();
    faults.sort_by_key(|fault| (fault.at, fault.node, fault.kind));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_faults_and_another_one_others() {
        let one = faults(7, 10_000, 3, 24, true);
        assert_eq!(one, faults(7, 10_000, 3, 24, true));
        assert_ne!(one, faults(8, 10_000, 3, 24, true));
        assert_eq!(one.len(), 24);
        assert!(one.is_sorted_by_key(|fault| fault.at));
        for kind in Kind::SHARED {
            assert!(one.iter().any(|fault| fault.kind == kind), "{kind}");
        }
        let inside = |fault: &Fault| fault.at <= 10_000 && (1..=3).contains(&fault.node);
        assert!(one.iter().all(inside), "{one:?}");
    }

    #[test]
    fn one_node_has_faults_of_its_own_alone() {
        let all = faults(1, 100, 1, 40, false);
        assert!(all.iter().all(|fault| Kind::ALONE.contains(&fault.kind)));
        assert!(faults(1, 100, 1, 0, false).is_empty());
    }
}
