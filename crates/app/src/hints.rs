//! Hints that something happened, inside this process.
//!
//! A hint makes a reaction prompt; nothing depends on it, because everybody who waits also looks
//! again by themselves after a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use marquetry_model::{BuildId, TenantId};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// What somebody may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A trigger was accepted or a run ended: dispatch may have work.
    Dispatch,
    /// A schedule was set, or began or ceased to stand still.
    Schedules,
    /// A branch is to be looked at from now on, or no more.
    Polls,
    /// Settings of tenants may have become secrets.
    Secrets,
    /// A build was asked for or ended.
    Builds,
    /// Somebody asked to stop a run.
    Cancel,
    /// Somebody asked to stop this build.
    BuildCancel(BuildId),
    /// Something changed about a tenant's runs or their logs.
    Tenant(TenantId),
    /// Something changed about a build or its log.
    Build(BuildId),
}

/// Where to give and get hints.
#[derive(Debug, Default)]
pub struct Hints(Mutex<HashMap<Topic, Arc<Notify>>>);

impl Hints {
    /// Something happened.
    pub fn give(&self, topic: Topic) {
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&topic)
            .cloned();
        if let Some(notify) = known {
            notify.notify_waiters();
            if matches!(
                topic,
                Topic::Dispatch
                    | Topic::Schedules
                    | Topic::Polls
                    | Topic::Secrets
                    | Topic::Builds
                    | Topic::Cancel
            ) {
                // The loops are single and may be looking elsewhere right now.
                notify.notify_one();
            }
        }
    }

    /// Registers for a topic. Register first, then look, then wait: nothing is missed that way.
    pub fn listen(&self, topic: Topic) -> Listener<'_> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let notify = Arc::clone(known.entry(topic).or_default());
        Listener {
            hints: self,
            topic,
            notify,
        }
    }
}

/// One who waits for hints on a topic.
pub struct Listener<'a> {
    hints: &'a Hints,
    topic: Topic,
    notify: Arc<Notify>,
}

impl Listener<'_> {
    /// A future that is ready at the next hint after this call, polled or not.
    pub fn next(&self) -> OwnedNotified {
        Arc::clone(&self.notify).notified_owned()
    }
}

impl Drop for Listener<'_> {
    /// The map holds only topics that somebody waits for.
    fn drop(&mut self) {
        let mut known = self.hints.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One count is the map's, one is this listener's.
        if Arc::strong_count(&self.notify) == 2 {
            known.remove(&self.topic);
        }
    }
}
