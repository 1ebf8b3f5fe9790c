//! The bundling rule: which waiting triggers the next run of a tenant takes, and why it stops
//! there.
//!
//! Rules (`Run triggers` of the original's documentation, and our decisions where it is silent):
//! at most one run per tenant; what waits meanwhile goes together into the next one; cron has a
//! queue of its own and goes first; `init` is never mixed with another mode, and a rerun with nothing, because
//! it has settings and state of its own; `normal` and
//! `webhook` together make a `webhook` run, because payloads must not be lost; order is arrival.

use std::time::Duration;

use crate::{Mode, Source, Timestamp, TriggerId, Waiting};

/// The most triggers that one run takes, unless the operator says less; the rest make the next
/// one.
pub const MAX_BUNDLE: usize = 1_000;

/// Why a bundle ends where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Nothing of this queue was left.
    QueueEmpty,
    /// The next trigger has a mode that is not mixed with this one.
    ModeChange {
        /// The trigger that begins the next bundle.
        at: TriggerId,
    },
    /// A rerun is made alone: this one is, or the next trigger is one.
    Rerun {
        /// The trigger that begins the next bundle.
        at: TriggerId,
    },
    /// The bundle has as many as it may.
    Full {
        /// The trigger that begins the next bundle.
        at: TriggerId,
    },
}

impl Stop {
    /// The trigger that begins the next bundle of the same queue.
    pub fn at(self) -> Option<TriggerId> {
        match self {
            Self::QueueEmpty => None,
            Self::ModeChange { at } | Self::Rerun { at } | Self::Full { at } => Some(at),
        }
    }
}

/// The triggers of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// How the run shall behave.
    pub mode: Mode,
    /// Its triggers, in order of arrival; never empty.
    pub triggers: Vec<TriggerId>,
    /// Whether its only trigger asks to repeat a run.
    pub is_rerun: bool,
    /// Why it ends there.
    pub stop: Stop,
}

/// What to do about a tenant without a live run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing waits that may run.
    Nothing,
    /// The window for further triggers is open until then.
    Wait {
        /// When to look again.
        until: Timestamp,
    },
    /// Make this run.
    Run(Bundle),
}

/// Decides for one tenant. `waiting` is in order of arrival; `debounce` is how long an idle
/// tenant waits for more; a `paused` tenant runs only what people and the API ask for, the rest
/// is held; a bundle has at most `most` triggers, and at least one.
pub fn bundle(
    waiting: &[Waiting],
    now: Timestamp,
    debounce: Duration,
    paused: bool,
    most: usize,
) -> Decision {
    let held = |w: &&Waiting| paused && matches!(w.source, Source::Cron | Source::Webhook);
    let eligible: Vec<&Waiting> = waiting.iter().filter(|w| !held(w)).collect();
    let (cron, other): (Vec<&Waiting>, Vec<&Waiting>) =
        eligible.into_iter().partition(|w| w.source == Source::Cron);
    if !cron.is_empty() {
        return Decision::Run(take(&cron, most));
    }
    let Some(first) = other.first() else {
        return Decision::Nothing;
    };
    let until = first.created_at.plus(debounce);
    if now < until {
        return Decision::Wait { until };
    }
    Decision::Run(take(&other, most))
}

fn take(queue: &[&Waiting], most: usize) -> Bundle {
    let init = queue[0].mode == Mode::Init;
    let is_rerun = queue[0].is_rerun;
    let mixes = |w: &&&Waiting| !w.is_rerun && (w.mode == Mode::Init) == init;
    let same = if is_rerun {
        1
    } else {
        queue.iter().take_while(mixes).count()
    };
    let count = same.min(most.max(1));
    let stop = match queue.get(count) {
        None => Stop::QueueEmpty,
        Some(next) if is_rerun || (next.is_rerun && count == same) => Stop::Rerun { at: next.id },
        Some(next) if count == same => Stop::ModeChange { at: next.id },
        Some(next) => Stop::Full { at: next.id },
    };
    let taken = &queue[..count];
    let mode = if init {
        Mode::Init
    } else if taken.iter().any(|w| w.mode == Mode::Webhook) {
        Mode::Webhook
    } else {
        Mode::Normal
    };
    Bundle {
        mode,
        triggers: taken.iter().map(|w| w.id).collect(),
        is_rerun,
        stop,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn waiting(id: i64, source: Source, mode: Mode) -> Waiting {
        Waiting {
            id: TriggerId::new(id),
            source,
            mode,
            is_rerun: false,
            created_at: Timestamp::from_millis(id),
        }
    }

    fn run(decision: Decision) -> Bundle {
        match decision {
            Decision::Run(bundle) => bundle,
            Decision::Nothing | Decision::Wait { .. } => panic!("{decision:?}"),
        }
    }

    fn ids(bundle: &Bundle) -> Vec<i64> {
        bundle.triggers.iter().map(|id| id.get()).collect()
    }

    #[test]
    fn cron_goes_first_and_alone() {
        let all = [
            waiting(1, Source::Api, Mode::Normal),
            waiting(2, Source::Cron, Mode::Normal),
            waiting(3, Source::Cron, Mode::Normal),
        ];
        let bundle = run(bundle(&all, NOW, Duration::ZERO, false, MAX_BUNDLE));
        assert_eq!(ids(&bundle), [2, 3]);
        assert_eq!(bundle.stop, Stop::QueueEmpty);
    }

    #[test]
    fn init_is_not_mixed() {
        let all = [
            waiting(1, Source::Api, Mode::Normal),
            waiting(2, Source::Api, Mode::Init),
            waiting(3, Source::Api, Mode::Normal),
        ];
        let first = run(bundle(&all, NOW, Duration::ZERO, false, MAX_BUNDLE));
        assert_eq!((ids(&first), first.mode), (vec![1], Mode::Normal));
        assert_eq!(
            first.stop,
            Stop::ModeChange {
                at: TriggerId::new(2)
            }
        );
        let second = run(bundle(&all[1..], NOW, Duration::ZERO, false, MAX_BUNDLE));
        assert_eq!((ids(&second), second.mode), (vec![2], Mode::Init));
    }

    #[test]
    fn a_rerun_is_alone() {
        let mut all = [1, 2, 3].map(|id| waiting(id, Source::Manual, Mode::Webhook));
        all[1].is_rerun = true;
        let (two, three) = (TriggerId::new(2), TriggerId::new(3));
        for (from, taken, stop) in [
            (0, vec![1], Stop::Rerun { at: two }),
            (1, vec![2], Stop::Rerun { at: three }),
            (2, vec![3], Stop::QueueEmpty),
        ] {
            let next = run(bundle(&all[from..], NOW, Duration::ZERO, true, MAX_BUNDLE));
            assert_eq!((ids(&next), next.stop), (taken, stop));
            assert_eq!((next.is_rerun, next.mode), (from == 1, Mode::Webhook));
        }
    }

    #[test]
    fn a_webhook_makes_the_run_a_webhook_run() {
        let all = [
            waiting(1, Source::Manual, Mode::Normal),
            waiting(2, Source::Webhook, Mode::Webhook),
        ];
        let bundle = run(bundle(&all, NOW, Duration::ZERO, false, MAX_BUNDLE));
        assert_eq!((ids(&bundle), bundle.mode), (vec![1, 2], Mode::Webhook));
    }

    #[test]
    fn the_window_counts_from_the_first_trigger() {
        let all = [waiting(1_000, Source::Api, Mode::Normal)];
        let second = Duration::from_secs(1);
        let until = Timestamp::from_millis(2_000);
        let early = bundle(
            &all,
            Timestamp::from_millis(1_999),
            second,
            false,
            MAX_BUNDLE,
        );
        assert_eq!(early, Decision::Wait { until });
        run(bundle(&all, until, second, false, MAX_BUNDLE));
    }

    #[test]
    fn a_paused_tenant_keeps_webhooks_and_runs_what_is_asked_for() {
        let all = [
            waiting(1, Source::Webhook, Mode::Webhook),
            waiting(2, Source::Cron, Mode::Normal),
            waiting(3, Source::Api, Mode::Normal),
        ];
        let bundled = run(bundle(&all, NOW, Duration::ZERO, true, MAX_BUNDLE));
        assert_eq!((ids(&bundled), bundled.mode), (vec![3], Mode::Normal));
        assert_eq!(
            bundle(&all[..2], NOW, Duration::ZERO, true, MAX_BUNDLE),
            Decision::Nothing
        );
    }

    fn any_waiting() -> impl Strategy<Value = Vec<Waiting>> {
        let source = prop::sample::select(Source::ALL);
        let mode = prop::sample::select(Mode::ALL);
        // A person asks for a rerun.
        let rerun = prop::bool::weighted(0.2);
        prop::collection::vec((source, mode, rerun), 0..40).prop_map(|all| {
            let numbered = all.into_iter().enumerate();
            numbered
                .map(|(n, (source, mode, rerun))| Waiting {
                    is_rerun: rerun && source == Source::Manual,
                    ..waiting(i64::try_from(n).unwrap(), source, mode)
                })
                .collect()
        })
    }

    proptest! {
        /// Draining a queue by the rule loses nothing, doubles nothing, mixes nothing and keeps
        /// the order of arrival inside each queue.
        #[test]
        fn draining_takes_each_once_and_in_order(all in any_waiting(), paused: bool) {
            let mut left = all.clone();
            let mut seen = Vec::new();
            while let Decision::Run(next) = bundle(&left, NOW, Duration::ZERO, paused, MAX_BUNDLE) {
                prop_assert!(!next.triggers.is_empty() && next.triggers.len() <= MAX_BUNDLE);
                let taken: Vec<&Waiting> =
                    all.iter().filter(|w| next.triggers.contains(&w.id)).collect();
                let crons = taken.iter().filter(|w| w.source == Source::Cron).count();
                let reruns = taken.iter().filter(|w| w.is_rerun).count();
                prop_assert!(reruns == 0 || taken.len() == 1);
                prop_assert_eq!(next.is_rerun, reruns == 1);
                prop_assert!(crons == 0 || crons == taken.len());
                let inits = taken.iter().filter(|w| w.mode == Mode::Init).count();
                prop_assert!(inits == 0 || inits == taken.len());
                prop_assert_eq!(next.mode == Mode::Init, inits > 0);
                let webhook = taken.iter().any(|w| w.mode == Mode::Webhook);
                prop_assert_eq!(next.mode == Mode::Webhook, webhook);
                prop_assert!(next.triggers.is_sorted());
                left.retain(|w| !next.triggers.contains(&w.id));
                seen.extend(next.triggers);
            }
            let held = all.iter().filter(|w| {
                paused && matches!(w.source, Source::Cron | Source::Webhook)
            }).count();
            prop_assert_eq!(seen.len() + held, all.len());
            for cron in [true, false] {
                let of_queue = |id: &&TriggerId| {
                    all.iter().any(|w| w.id == **id && (w.source == Source::Cron) == cron)
                };
                let order: Vec<&TriggerId> = seen.iter().filter(of_queue).collect();
                prop_assert!(order.is_sorted());
            }
        }
    }

    #[test]
    fn a_bundle_is_bounded() {
        let all: Vec<Waiting> = (0..1_001)
            .map(|id| waiting(id, Source::Api, Mode::Normal))
            .collect();
        let bundle = run(bundle(&all, NOW, Duration::ZERO, false, MAX_BUNDLE));
        assert_eq!(bundle.triggers.len(), MAX_BUNDLE);
        assert_eq!(
            bundle.stop,
            Stop::Full {
                at: TriggerId::new(1_000)
            }
        );
    }
}
