//! Connections that many read over at once.
//!
//! A statement that only reads needs no connection of its own: PostgreSQL answers what comes over
//! one in order, so requests that come together are written and read together instead of one after
//! another, each with its own wake-ups on both sides.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_postgres::{ClientWrapper, Object, Pool};

use crate::Result;

/// Every statement that reads finds its rows by an index that does not depend on the values, so a
/// plan made once is as good as one made each time, which costs as much as the reading itself.
pub(super) const ONE_PLAN: &str = "SET plan_cache_mode = force_generic_plan";

/// A few connections, each shared by all who were sent there.
pub(super) struct Readers {
    pool: Pool,
    places: Box<[Place]>,
}

#[derive(Default)]
struct Place {
    held: Mutex<Option<Arc<Shared>>>,
    /// Held while a connection is opened, so that those who come together open one.
    opening: tokio::sync::Mutex<()>,
}

impl Readers {
    /// So many connections, of a pool that has room for twice as many: one that broke counts until
    /// the last who reads over it has let go.
    pub(super) fn new(pool: Pool, count: usize) -> Self {
        Self {
            pool,
            places: (0..count).map(|_| Place::default()).collect(),
        }
    }

    /// The connection that the fewest read over now; opened when it is not or no longer there.
    pub(super) async fn take(&self) -> Result<Arc<Shared>> {
        let quietest = self.places.iter().min_by_key(|place| place.load());
        let place = quietest.expect("there is a place");
        if let Some(shared) = place.usable() {
            return Ok(shared);
        }
        let _opening = place.opening.lock().await;
        if let Some(shared) = place.usable() {
            return Ok(shared);
        }
        let shared = Arc::new(Shared {
            client: Some(self.pool.get().await?),
            silent: AtomicBool::new(false),
        });
        *place.lock() = Some(Arc::clone(&shared));
        Ok(shared)
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Shared>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self) -> usize {
        self.lock().as_ref().map_or(0, Arc::strong_count)
    }

    /// What is here, unless it is of no use any more.
    fn usable(&self) -> Option<Arc<Shared>> {
        let mut held = self.lock();
        if held.as_ref().is_some_and(|shared| shared.is_broken()) {
            *held = None;
        }
        held.clone()
    }
}

/// A connection that several read over.
pub(super) struct Shared {
    client: Option<Object>,
    /// Whether the server left a statement without an answer.
    silent: AtomicBool,
}

impl Shared {
    /// Nobody shall be sent here again.
    pub(super) fn give_up(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    fn is_broken(&self) -> bool {
        self.silent.load(Ordering::Relaxed) || self.is_closed()
    }
}

impl Deref for Shared {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        self.client.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Shared {
    /// A connection that nothing can be trusted on must not go back to the pool.
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|_| *self.silent.get_mut()) {
            drop(Object::take(client));
        }
    }
}
