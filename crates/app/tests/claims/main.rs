//! Every history of one tenant on two nodes, up to two triggers: claims, leases, fences, nodes that come
//! back late. The model's states are gone through to the last one, and each of its transitions is done on the
//! real store too.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod model;
mod real;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use marquetry_testkit::both_databases;

use model::{Act, NODES, State};
use real::Real;

/// What was found by going through all states, nearest first.
struct Explored {
    /// How each state is reached.
    paths: BTreeMap<State, Vec<Act>>,
    /// Histories that together have every transition: each ends with one that leads to a known state.
    histories: Vec<Vec<Act>>,
}

fn explore() -> Explored {
    let mut paths = BTreeMap::from([(State::default(), Vec::new())]);
    let mut next = VecDeque::from([State::default()]);
    let mut histories = Vec::new();
    while let Some(state) = next.pop_front() {
        for act in state.acts() {
            let mut path = paths[&state].clone();
            path.push(act);
            let (after, _) = state.after(act);
            match paths.entry(after) {
                Entry::Occupied(_) => histories.push(path),
                Entry::Vacant(place) => {
                    place.insert(path);
                    next.push_back(after);
                }
            }
        }
    }
    Explored { paths, histories }
}

#[test]
fn no_state_has_two_live_processes_and_every_state_comes_to_rest() {
    let explored = explore();
    for (state, path) in &explored.paths {
        let alive = NODES
            .iter()
            .filter(|node| state.nodes[**node].is_some_and(model::Holds::is_alive));
        assert!(alive.count() <= 1, "{path:?} leads to {state:?}");
        // A node that executes has the row, or has lost it and its process too.
        for node in NODES {
            let owns = state.row.is_some_and(|row| row.node == node);
            let alive = state.nodes[node].is_some_and(model::Holds::is_alive);
            assert!(owns || !alive, "{path:?} leads to {state:?}");
        }
        let mut rest = *state;
        for act in real::REST {
            rest = if rest.acts().contains(&act) {
                rest.after(act).0
            } else {
                rest
            };
        }
        assert_eq!(rest.row, None, "{path:?} leads to {state:?}");
        assert!(!rest.is_waited_for(), "{path:?} leads to {state:?}");
    }
    assert!(explored.paths.len() > 50, "{} states", explored.paths.len());
}

both_databases! {
    async fn every_transition_is_the_store_s(database) {
        let mut real = Real::new(database).await;
        for history in explore().histories {
            real.play(&history).await;
        }
    }
}
