//! Numbers of living children: each has a host user and user namespaces of its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Most children at one time.
pub(crate) const MAX_SLOTS: u32 = 8192;

/// Hands out the smallest free number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slots(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    free: BTreeSet<u32>,
    next: u32,
}

/// A number in use; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) number: u32,
    slots: Slots,
}

impl Slots {
    /// Takes a number; `None` when all are in use.
    pub(crate) fn take(&self) -> Option<Slot> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match state.free.pop_first() {
            Some(number) => number,
            None if state.next < MAX_SLOTS => {
                state.next += 1;
                state.next - 1
            }
            None => return None,
        };
        Some(Slot {
            number,
            slots: self.clone(),
        })
    }
}

impl Slots {
    /// Takes this number, which a child has that is taken back; none when it is in use.
    pub(crate) fn take_back(&self, number: u32) -> Option<Slot> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if number >= MAX_SLOTS {
            return None;
        }
        if number >= state.next {
            let between = state.next..number;
            state.free.extend(between);
            state.next = number + 1;
        } else if !state.free.remove(&number) {
            return None;
        }
        Some(Slot {
            number,
            slots: self.clone(),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.free.insert(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_free_number_is_next() {
        let slots = Slots::default();
        let (a, b) = (slots.take().unwrap(), slots.take().unwrap());
        assert_eq!((a.number, b.number), (0, 1));
        drop(a);
        assert_eq!(slots.take().unwrap().number, 0);
        assert_eq!(b.number, 1);
    }

    #[test]
    fn a_number_that_is_in_use_elsewhere_is_not_given_out() {
        let slots = Slots::default();
        let (two, zero) = (slots.take_back(2).unwrap(), slots.take_back(0).unwrap());
        assert!(slots.take_back(2).is_none());
        let others = [slots.take().unwrap(), slots.take().unwrap()];
        assert_eq!(others.map(|slot| slot.number), [1, 3]);
        drop((two, zero));
        assert_eq!(slots.take().unwrap().number, 0);
        assert!(slots.take_back(MAX_SLOTS).is_none());
    }

    #[test]
    fn numbers_run_out() {
        let slots = Slots::default();
        let all: Vec<_> = std::iter::from_fn(|| slots.take()).collect();
        assert_eq!(all.len(), MAX_SLOTS as usize);
    }
}
