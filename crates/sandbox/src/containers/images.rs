//! Whether the machine has an image, and fetching one that it has not.
//!
//! That may take minutes, so it is done before a child begins: its lease is for what runs.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::engine::{Engine, Pull};
use crate::error::Error;

/// How long fetching an image may take.
const FETCH: Duration = Duration::from_mins(30);

/// What is known of the engine's images.
pub(crate) struct Images {
    pull: Pull,
    present: Mutex<BTreeSet<String>>,
    /// Held while one is looked for or fetched: the others wait for it, and find it.
    looking: tokio::sync::Mutex<()>,
}

impl Images {
    pub(crate) fn new(pull: Pull) -> Self {
        Self {
            pull,
            present: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        }
    }

    /// Sees to it that an image is there, as far as it may be fetched; where it is not and may not, the engine says so.
    pub(crate) async fn ensure(&self, engine: &Engine, image: &str) -> Result<(), Error> {
        if self.is_present(image) {
            return Ok(());
        }
        let _others_wait = self.looking.lock().await;
        if self.is_present(image) {
            return Ok(());
        }
        let words = ["image", "inspect", "--format", "{{.Id}}", image];
        if engine.tell(&words).await.is_err() && self.pull == Pull::Missing {
            tracing::info!(image, "an image is fetched");
            engine
                .tell_within(FETCH, &["pull", "--quiet", image])
                .await?;
        }
        self.present().insert(image.to_owned());
        Ok(())
    }

    /// It may be gone: the next child looks.
    pub(crate) fn forget(&self, image: &str) {
        self.present().remove(image);
    }

    fn is_present(&self, image: &str) -> bool {
        self.present().contains(image)
    }

    fn present(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
