//! Hints that something happened, inside this process and, where several nodes share a database,
//! from one to the others.
//!
//! A hint makes a reaction prompt; nothing depends on it, because everybody who waits also looks
//! again by themselves after a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use marquetry_model::{BuildId, TenantId};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::outbox::Outbox;

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
    /// A connection was made or changed: it may be due at another time.
    Connections,
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
pub struct Hints {
    known: Mutex<HashMap<Topic, Arc<Notify>>>,
    outbox: OnceLock<Outbox>,
    /// Whether what happens on other nodes is heard of here.
    hearing: AtomicBool,
}

impl Hints {
    /// Something happened: for who waits here, and for other nodes where there are some.
    pub fn give(&self, topic: Topic) {
        self.give_here(topic);
        if let Some(outbox) = self.outbox.get() {
            outbox.put(topic);
        }
    }

    /// Something happened, of which the other nodes know.
    pub fn give_here(&self, topic: Topic) {
        let known = self.known().get(&topic).cloned();
        if let Some(notify) = known {
            rouse(topic, &notify);
        }
    }

    /// Anything may have happened.
    pub fn give_all_here(&self) {
        for (topic, notify) in self.known().iter() {
            rouse(*topic, notify);
        }
    }

    /// From now on what happens is noted for other nodes, too.
    pub fn outbox(&self) -> &Outbox {
        self.outbox.get_or_init(Outbox::default)
    }

    /// Notes whether what happens on other nodes is heard of here.
    pub fn note_hearing(&self, hearing: bool) {
        self.hearing.store(hearing, Ordering::Relaxed);
    }

    /// Whether it is: who rests may rest for longer then.
    pub fn hears_others(&self) -> bool {
        self.hearing.load(Ordering::Relaxed)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Topic, Arc<Notify>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers for a topic. Register first, then look, then wait: nothing is missed that way.
    pub fn listen(&self, topic: Topic) -> Listener<'_> {
        let notify = Arc::clone(self.known().entry(topic).or_default());
        Listener {
            hints: self,
            topic,
            notify,
        }
    }
}

fn rouse(topic: Topic, notify: &Notify) {
    notify.notify_waiters();
    if matches!(
        topic,
        Topic::Dispatch
            | Topic::Schedules
            | Topic::Polls
            | Topic::Secrets
            | Topic::Connections
            | Topic::Builds
            | Topic::Cancel
    ) {
        // The loops are single and may be looking elsewhere right now.
        notify.notify_one();
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
        let mut known = self.hints.known();
        // One count is the map's, one is this listener's.
        if Arc::strong_count(&self.notify) == 2 {
            known.remove(&self.topic);
        }
    }
}
