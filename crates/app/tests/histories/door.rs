//! The way from a trigger that has just come to a run, without dispatch.

use std::sync::{Arc, Mutex};

use marquetry_app::jobs::RunJob;
use marquetry_app::{Place, Places};
use marquetry_store::runs::Claimer;

/// Where the application finds a place for a trigger that has just come, if the history gives one.
#[derive(Default)]
pub(crate) struct Door {
    open: Mutex<Option<Claimer>>,
    taken: Mutex<Vec<RunJob>>,
}

impl Door {
    /// Opens it for one run, or shuts it.
    pub(crate) fn set(&self, claimer: Option<Claimer>) {
        *self.open.lock().unwrap() = claimer;
    }

    /// What came through.
    pub(crate) fn pop(&self) -> Option<RunJob> {
        self.taken.lock().unwrap().pop()
    }
}

impl Places for Door {
    fn take(self: Arc<Self>) -> Option<Box<dyn Place>> {
        let claimer = self.open.lock().unwrap().take()?;
        Some(Box::new(Passage {
            door: self,
            claimer,
        }))
    }
}

struct Passage {
    door: Arc<Door>,
    claimer: Claimer,
}

impl Place for Passage {
    fn claimer(&self) -> Claimer {
        self.claimer.clone()
    }

    fn execute(self: Box<Self>, job: RunJob) {
        self.door.taken.lock().unwrap().push(job);
    }
}
