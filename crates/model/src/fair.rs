//! Whose turn it is: how the free places of a node are shared between integrations.
//!
//! Rule (our decision; the original says nothing): the next place goes to the integration with the
//! fewest live runs; between equals to the one whose last run is older. Within an integration
//! tenants come in two lanes (see `lanes`), each in the order in which they fell due, and a tenant
//! that has just run goes to the end. So neither a tenant nor an integration with a long queue
//! holds up another integration's run for longer than it takes one place to become free.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::{IntegrationId, RunId};

/// What an integration has, and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which.
    pub integration_id: IntegrationId,
    /// Tenants that are due and have no live run.
    pub ready: usize,
    /// How many of those never ran.
    pub newcomers: usize,
    /// Runs that are live now, on all nodes.
    pub live: usize,
    /// The newest of its runs.
    pub last_run_id: Option<RunId>,
    /// Whether that one is the first of its tenant.
    pub newest_is_first: bool,
    /// The most live runs that it may have; none: as many as there are places.
    pub concurrency_limit: Option<usize>,
}

impl Turn {
    /// Whether its own limit, not a lack of places, keeps it from more.
    pub fn is_at_limit(&self) -> bool {
        self.concurrency_limit
            .is_some_and(|limit| self.live >= limit)
    }

    fn may_take(&self) -> usize {
        let room = self
            .concurrency_limit
            .map_or(usize::MAX, |limit| limit.saturating_sub(self.live));
        self.ready.min(room)
    }
}

/// How many of `places` each integration gets, in the order of their first turn; none is left over
/// while somebody is ready for it.
pub fn share(turns: &[Turn], places: usize) -> Vec<(IntegrationId, usize)> {
    // The one that is served becomes the newest, whatever number its run will get.
    let mut newest = i64::MAX - i64::try_from(places).unwrap_or(i64::MAX);
    let mut queue: BinaryHeap<Reverse<(usize, i64, usize)>> = turns
        .iter()
        .enumerate()
        .filter(|(_, turn)| turn.may_take() > 0)
        .map(|(at, turn)| Reverse((turn.live, turn.last_run_id.map_or(0, RunId::get), at)))
        .collect();
    let mut given = vec![0; turns.len()];
    let mut order = Vec::new();
    for _ in 0..places {
        let Some(Reverse((live, _, at))) = queue.pop() else {
            break;
        };
        if given[at] == 0 {
            order.push(at);
        }
        given[at] += 1;
        if given[at] < turns[at].may_take() {
            newest = newest.saturating_add(1);
            queue.push(Reverse((live + 1, newest, at)));
        }
    }
    order
        .into_iter()
        .map(|at| (turns[at].integration_id, given[at]))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn turn(id: i64, ready: usize, live: usize, last: i64) -> Turn {
        Turn {
            integration_id: IntegrationId::new(id),
            ready,
            newcomers: 0,
            live,
            last_run_id: (last > 0).then_some(RunId::new(last)),
            newest_is_first: false,
            concurrency_limit: None,
        }
    }

    fn limited(limit: usize, turn: Turn) -> Turn {
        Turn {
            concurrency_limit: Some(limit),
            ..turn
        }
    }

    fn shares(turns: &[Turn], places: usize) -> Vec<(i64, usize)> {
        let shares = share(turns, places);
        shares.into_iter().map(|(id, n)| (id.get(), n)).collect()
    }

    #[test]
    fn who_has_nothing_live_comes_before_who_has_much() {
        let turns = [turn(1, 10_000, 8, 500), turn(2, 1, 0, 499)];
        assert_eq!(shares(&turns, 1), [(2, 1)]);
        assert_eq!(shares(&turns, 3), [(2, 1), (1, 2)]);
    }

    #[test]
    fn equals_take_turns() {
        let turns = [turn(1, 9, 0, 30), turn(2, 9, 0, 10), turn(3, 9, 0, 20)];
        assert_eq!(shares(&turns, 1), [(2, 1)]);
        assert_eq!(shares(&turns, 4), [(2, 2), (3, 1), (1, 1)]);
        assert_eq!(shares(&[turn(1, 9, 0, 30), turn(2, 9, 0, 0)], 1), [(2, 1)]);
    }

    #[test]
    fn a_limit_of_its_own_leaves_places_to_others() {
        let turns = [limited(2, turn(1, 9, 1, 5)), turn(2, 9, 7, 6)];
        assert_eq!(shares(&turns, 4), [(1, 1), (2, 3)]);
        let full = limited(2, turn(1, 9, 2, 5));
        assert!(full.is_at_limit());
        assert_eq!(shares(&[full], 4), []);
    }

    fn turns() -> impl Strategy<Value = Vec<Turn>> {
        let one = (
            0_usize..20,
            0_usize..9,
            0_i64..50,
            proptest::option::of(0_usize..9),
        );
        prop::collection::vec(one, 0..8).prop_map(|all| {
            let numbered = all.into_iter().enumerate();
            numbered
                .map(|(at, (ready, live, last, limit))| Turn {
                    concurrency_limit: limit,
                    ..turn(i64::try_from(at).unwrap() + 1, ready, live, last)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn no_place_is_idle_and_none_is_given_twice(turns in turns(), places in 0_usize..30) {
            let wanted: usize = turns.iter().map(Turn::may_take).sum();
            let given = share(&turns, places);
            prop_assert_eq!(given.iter().map(|(_, n)| n).sum::<usize>(), wanted.min(places));
            for (id, n) in given {
                let turn = turns.iter().find(|turn| turn.integration_id == id).unwrap();
                prop_assert!(n > 0 && n <= turn.may_take());
            }
        }

        #[test]
        fn nobody_who_could_take_more_has_fewer_live_runs_than_who_was_served(
            turns in turns(), places in 0_usize..30,
        ) {
            let given: HashMap<_, _> = share(&turns, places).into_iter().collect();
            let got = |turn: &Turn| given.get(&turn.integration_id).copied().unwrap_or(0);
            for left in turns.iter().filter(|turn| got(turn) < turn.may_take()) {
                for served in turns.iter().filter(|turn| got(turn) > 0) {
                    prop_assert!(left.live + got(left) + 1 >= served.live + got(served));
                }
            }
        }
    }

    /// A node with places that one run after another fills; how many starts of others a newcomer
    /// sees before its own.
    fn starts_before_a_newcomer(floods: &[(usize, usize)], places: usize, steps: usize) -> usize {
        let mut state: Vec<Turn> = floods
            .iter()
            .zip(1_i64..)
            .map(|(&(ready, _), id)| turn(id, ready, 0, 0))
            .collect();
        let mut live: Vec<(usize, usize)> = Vec::new();
        let mut clock = 0;
        let mut run = 0;
        let mut newcomer_after = None;
        for step in 0..steps {
            if step == steps / 2 {
                state.push(turn(99, 1, 0, 0));
                newcomer_after = Some(0);
            }
            let free = places - live.len();
            for (id, n) in share(&state, free) {
                if id == IntegrationId::new(99) {
                    return newcomer_after.unwrap();
                }
                let at = usize::try_from(id.get() - 1).unwrap();
                for _ in 0..n {
                    run += 1;
                    state[at].live += 1;
                    state[at].last_run_id = Some(RunId::new(run));
                    live.push((clock + floods[at].1, at));
                }
                newcomer_after = newcomer_after.map(|count| count + n);
            }
            live.sort_unstable();
            let (end, at) = live.remove(0);
            clock = end;
            state[at].live -= 1;
        }
        panic!("the newcomer never ran");
    }

    proptest! {
        #[test]
        fn a_newcomer_gets_the_first_place_that_becomes_free(
            floods in prop::collection::vec((10_000_usize..10_001, 1_usize..50), 1..6),
            places in 1_usize..9,
        ) {
            prop_assert_eq!(starts_before_a_newcomer(&floods, places, 400), 0);
        }
    }
}
