//! Whose turn it is within an integration: tenants that never ran have a lane of their own.
//!
//! Rule (our decision; the original says nothing): every second run of an integration is the first
//! one of a tenant, while such tenants are due; the others are of tenants that ran before. Within a
//! lane the tenant that fell due first comes first; where one lane is empty, the other has all
//! places. Nothing is stored for it: whether the newest run was a tenant's first one is known.

use crate::Turn;

/// Which tenants of an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// They never ran.
    Newcomers,
    /// They ran before.
    Others,
}

impl Turn {
    /// How many of `places` newcomers get; all others are for who ran before.
    pub fn newcomers_of(&self, places: usize) -> usize {
        let newcomers = vec![Lane::Newcomers; self.newcomers.min(places)];
        let others = vec![Lane::Others; self.ready.saturating_sub(self.newcomers).min(places)];
        let order = self.in_turn(newcomers, others).into_iter().take(places);
        order.filter(|lane| *lane == Lane::Newcomers).count()
    }

    /// The members of both lanes in the order in which their runs are to be made, so that the last
    /// one says whose turn is next.
    pub fn in_turn<T>(&self, newcomers: Vec<T>, others: Vec<T>) -> Vec<T> {
        let mut order = Vec::with_capacity(newcomers.len() + others.len());
        let (mut newcomers, mut others) = (newcomers.into_iter(), others.into_iter());
        let mut is_newcomers = !self.newest_is_first;
        loop {
            let next = if is_newcomers {
                newcomers.next()
            } else {
                others.next()
            };
            let Some(next) = next else { break };
            order.push(next);
            is_newcomers = !is_newcomers;
        }
        order.extend(newcomers);
        order.extend(others);
        order
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;
    use crate::IntegrationId;

    fn turn(newcomers: usize, others: usize, newest_is_first: bool) -> Turn {
        Turn {
            integration_id: IntegrationId::new(1),
            ready: newcomers + others,
            newcomers,
            live: 0,
            last_run_id: None,
            newest_is_first,
            concurrency_limit: None,
        }
    }

    #[test]
    fn every_second_place_is_a_newcomers() {
        assert_eq!(turn(9, 9, false).newcomers_of(1), 1);
        assert_eq!(turn(9, 9, true).newcomers_of(1), 0);
        assert_eq!(turn(9, 9, false).newcomers_of(5), 3);
        assert_eq!(turn(9, 9, true).newcomers_of(5), 2);
        assert_eq!(turn(1, 9, true).newcomers_of(5), 1);
        let order = turn(2, 4, true).in_turn(vec![1, 2], vec![11, 12, 13, 14]);
        assert_eq!(order, [11, 1, 12, 2, 13, 14]);
    }

    #[test]
    fn an_empty_lane_leaves_its_places_to_the_other() {
        assert_eq!(turn(9, 0, true).newcomers_of(4), 4);
        assert_eq!(turn(0, 9, false).newcomers_of(4), 0);
        assert_eq!(turn(9, 1, false).newcomers_of(4), 3);
        assert_eq!(turn(0, 0, false).newcomers_of(4), 0);
    }

    /// An integration whose tenants stand in their lanes in the order in which they fell due.
    #[derive(Debug)]
    struct Queue {
        newcomers: VecDeque<usize>,
        others: VecDeque<usize>,
        newest_is_first: bool,
    }

    impl Queue {
        /// Gives places away as dispatch does; answers whose runs were made, and whether each was
        /// the first one.
        fn give(&mut self, places: usize) -> Vec<(usize, bool)> {
            let (first, again) = (self.newcomers.len(), self.others.len());
            let turn = turn(first, again, self.newest_is_first);
            let newcomers = turn.newcomers_of(places);
            let first = self.newcomers.drain(..newcomers).map(|id| (id, true));
            let first = first.collect();
            let others = (places - newcomers).min(again);
            let again = self.others.drain(..others).map(|id| (id, false));
            let given = turn.in_turn(first, again.collect());
            if let Some((_, is_first)) = given.last() {
                self.newest_is_first = *is_first;
            }
            given
        }
    }

    fn queue() -> impl Strategy<Value = Queue> {
        (0_usize..20, 0_usize..20, any::<bool>()).prop_map(
            |(newcomers, others, newest_is_first)| Queue {
                newcomers: (0..newcomers).collect(),
                others: (100..100 + others).collect(),
                newest_is_first,
            },
        )
    }

    proptest! {
        #[test]
        fn no_place_is_idle_and_lanes_alternate_however_places_come(
            mut queue in queue(), looks in prop::collection::vec(1_usize..7, 1..30),
        ) {
            let mut before = queue.newest_is_first;
            for places in looks {
                let (newcomers, others) = (queue.newcomers.len(), queue.others.len());
                let given = queue.give(places);
                prop_assert_eq!(given.len(), places.min(newcomers + others));
                let (mut first, mut again) = (newcomers, others);
                for (_, is_first) in given {
                    // One kind twice in a row: the other had nobody.
                    let of_the_other = if is_first { again } else { first };
                    prop_assert!(is_first != before || of_the_other == 0);
                    if is_first { first -= 1 } else { again -= 1 }
                    before = is_first;
                }
            }
        }

        #[test]
        fn a_newcomer_has_the_second_place_at_the_latest(
            others in 1_usize..10_000, newest_is_first: bool,
            looks in prop::collection::vec(1_usize..7, 2),
        ) {
            let mut queue = Queue {
                newcomers: [0].into(), others: (100..100 + others).collect(), newest_is_first,
            };
            let given: Vec<_> = looks.into_iter().flat_map(|places| queue.give(places)).collect();
            let own = given.iter().position(|(id, _)| *id == 0);
            prop_assert!(own.is_some_and(|before| before < 2), "{:?}", given);
        }

        /// Newcomers come all the time, and who ran is due again at once.
        #[test]
        fn nobody_is_passed_over_for_ever_and_each_lane_has_half(
            mut queue in queue(), looks in prop::collection::vec(1_usize..7, 1..90),
        ) {
            let mut before_place = BTreeMap::new();
            queue.others.extend(200..210);
            for lane in [&queue.newcomers, &queue.others] {
                before_place.extend(lane.iter().zip(1..).map(|(id, at)| (*id, 2 * at)));
            }
            let (mut known, mut made, mut of_others) = (1_000, 0, 0);
            for places in looks {
                for _ in 0..places {
                    queue.newcomers.push_back(known);
                    before_place.insert(known, made + 2 * queue.newcomers.len());
                    known += 1;
                }
                let given = queue.give(places);
                for (id, is_first) in &given {
                    prop_assert!(made < before_place.remove(id).unwrap(), "{} at {}", id, made);
                    made += 1;
                    of_others += usize::from(!is_first);
                }
                for (id, _) in given {
                    queue.others.push_back(id);
                    before_place.insert(id, made + 2 * queue.others.len());
                }
                prop_assert!(before_place.values().all(|place| made < *place));
                prop_assert!((2 * of_others).abs_diff(made) <= 1, "{} of {}", of_others, made);
            }
        }
    }
}
