//! The end of a history: whatever may run runs, and what was held runs when it is held no longer.

use std::time::Duration;

use marquetry_model::Phase;

use crate::oracle::Fate;
use crate::world::World;

/// More looks than any history needs.
const MOST_LOOKS: usize = 300;

impl World {
    /// Brings everything to its end: first as things stand, then with every pause and limit gone.
    pub(crate) async fn drain(&mut self) {
        self.story.tell("drain");
        for at in 0..self.nodes.len() {
            self.freeze(at);
            self.reap(Some(at)).await;
        }
        self.check().await;
        self.run_all().await;
        self.story.tell("resume all and drain");
        let integrations: Vec<_> = self.oracle.integrations.keys().copied().collect();
        for id in integrations {
            self.pause_integration(id, false).await;
            self.set_limit(id, None).await;
        }
        let tenants: Vec<_> = self.oracle.tenants.keys().copied().collect();
        for id in tenants {
            self.pause(id, false).await;
        }
        self.run_all().await;
        self.check().await;
        self.check_all_over();
    }

    /// Nodes look when something changes or when they were told to look again, and at no other time.
    async fn run_all(&mut self) {
        for _ in 0..MOST_LOOKS {
            let (mut taken, mut next) = (0, None);
            for at in 0..self.nodes.len() {
                let look = self.take(at).await;
                taken += look.0;
                next = look.1;
            }
            if taken > 0 {
                self.check().await;
                for at in 0..self.nodes.len() {
                    while !self.nodes[at].held.is_empty() {
                        self.end(at, vec![(0, Phase::Succeeded)], false).await;
                    }
                }
                self.check().await;
                continue;
            }
            let Some(next) = next else {
                return;
            };
            let wait = next.since(self.now());
            self.pass(wait.max(Duration::from_millis(1))).await;
        }
        panic!("it does not come to an end");
    }

    fn check_all_over(&self) {
        for (id, trigger) in &self.oracle.triggers {
            assert_ne!(trigger.fate, Fate::Waiting, "trigger {id} is left over");
        }
        for (id, state) in &self.truth.states {
            let left = (state.waiting, state.current_run_id, state.due_at);
            assert_eq!(left, (0, None, None), "tenant {id}");
        }
    }
}
