//! Connections that only read.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(connections: Vec<Connection>) -> Self {
        let permits = Arc::new(Semaphore::new(connections.len()));
        Self {
            idle: Mutex::new(connections),
            permits,
        }
    }

    pub(crate) async fn take(readers: &Arc<Self>) -> SqliteReader {
        let permit = Arc::clone(&readers.permits)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let mut idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = idle.pop().expect("a permit stands for an idle connection");
        drop(idle);
        SqliteReader {
            connection: Some(connection),
            readers: Arc::clone(readers),
            _permit: permit,
        }
    }
}

pub(crate) struct SqliteReader {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    /// Given back after the connection, which `drop` puts back first.
    _permit: OwnedSemaphorePermit,
}

impl SqliteReader {
    pub(crate) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("there until it is dropped")
    }
}

impl Drop for SqliteReader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let mut idle = self
                .readers
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            idle.push(connection);
        }
    }
}
