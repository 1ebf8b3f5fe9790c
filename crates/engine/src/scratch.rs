//! Folders that runs use one after another.
//!
//! Making and removing folders for each run costs more than starting its process on common file
//! systems, so each place keeps its folders and is emptied between runs. What the platform gives
//! a run lies in memory where the machine has room for that, because it is small and short-lived.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The places of a node.
pub(crate) struct Scratch {
    /// In memory, or `disk` where there is no such folder.
    memory: PathBuf,
    disk: PathBuf,
    /// Whether home and temporary folders are needed on the host.
    with_home: bool,
    free: Mutex<Free>,
}

#[derive(Default)]
struct Free {
    places: BTreeSet<usize>,
    /// Numbers whose folders are not there.
    missing: BTreeSet<usize>,
    made: usize,
}

/// One place, empty when it is taken.
pub(crate) struct Place {
    scratch: Arc<Scratch>,
    number: usize,
}

impl Scratch {
    pub(crate) fn new(memory: Option<PathBuf>, disk: PathBuf, with_home: bool) -> Self {
        let memory = memory.unwrap_or_else(|| disk.clone());
        Self {
            memory,
            disk,
            with_home,
            free: Mutex::default(),
        }
    }

    /// Takes an empty place.
    pub(crate) fn take(self: &Arc<Self>) -> io::Result<Place> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = free.places.pop_first() {
            return Ok(Place {
                scratch: Arc::clone(self),
                number,
            });
        }
        let number = free.missing.pop_first().unwrap_or(free.made);
        free.made = free.made.max(number + 1);
        drop(free);
        let place = Place {
            scratch: Arc::clone(self),
            number,
        };
        std::fs::create_dir_all(place.files())?;
        if self.with_home {
            std::fs::create_dir_all(place.home())?;
            std::fs::create_dir_all(place.tmp())?;
        }
        Ok(place)
    }
}

impl Scratch {
    /// Takes the place of a run that is taken back, as that run has left it; none when it is not there.
    pub(crate) fn take_back(self: &Arc<Self>, number: usize) -> Option<Place> {
        let place = Place {
            scratch: Arc::clone(self),
            number,
        };
        if !place.files().is_dir() {
            std::mem::forget(place);
            return None;
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if number >= free.made {
            let between = free.made..number;
            free.missing.extend(between);
            free.made = number + 1;
        } else if !free.missing.remove(&number) {
            drop(free);
            std::mem::forget(place);
            return None;
        }
        drop(free);
        Some(place)
    }

    /// Names of the folders that are in use.
    pub(crate) fn names_in_use(&self) -> Vec<String> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free =
            |number: &usize| free.places.contains(number) || free.missing.contains(number);
        let taken = (0..free.made).filter(|number| !is_free(number));
        taken.map(|number| format!("place-{number}")).collect()
    }
}

impl Place {
    /// Lets it be as it is: its run lives on.
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }

    /// Its number, by which another server finds it.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Where the platform's files for the run go.
    pub(crate) fn files(&self) -> PathBuf {
        self.below(&self.scratch.memory, "files")
    }

    /// The run's home, where it has no root of its own.
    pub(crate) fn home(&self) -> PathBuf {
        self.below(&self.scratch.disk, "home")
    }

    /// The run's temporary folder, where it has no root of its own.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.below(&self.scratch.disk, "tmp")
    }

    fn below(&self, root: &Path, name: &str) -> PathBuf {
        root.join(format!("place-{}", self.number)).join(name)
    }
}

impl Drop for Place {
    /// A place that cannot be emptied is not used again; the next start removes it.
    fn drop(&mut self) {
        let mut emptied = empty(&self.files());
        if self.scratch.with_home {
            emptied = emptied.and(empty(&self.home())).and(empty(&self.tmp()));
        }
        match emptied {
            Ok(()) => {
                let mut free = self
                    .scratch
                    .free
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                free.places.insert(self.number);
            }
            Err(error) => {
                tracing::warn!(place = self.number, %error, "a scratch folder could not be emptied");
            }
        }
    }
}

/// Removes everything in a folder, also what its owner made hard to remove.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if std::fs::remove_dir_all(&path).is_err() {
                crate::step::open_up(&path);
                std::fs::remove_dir_all(&path)?;
            }
        } else {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_back_as_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = || Arc::new(Scratch::new(None, folder.path().to_owned(), false));
        let former = scratch();
        let places = [(); 3].map(|()| former.take().unwrap());
        std::fs::write(places[2].files().join("triggers.json"), "[]").unwrap();
        std::mem::forget(places);
        let next = scratch();
        assert!(next.take_back(7).is_none(), "nobody made it");
        let place = next.take_back(2).unwrap();
        assert!(place.files().join("triggers.json").exists());
        assert!(next.take_back(2).is_none(), "once");
        assert_eq!(next.names_in_use(), ["place-2"]);
        let others = [(); 3].map(|()| next.take().unwrap().number());
        assert_eq!(others, [0, 0, 0]);
        let held = [(); 3].map(|()| next.take().unwrap());
        assert_eq!(held.map(|place| place.number()), [0, 1, 3]);
    }

    #[test]
    fn a_place_is_empty_when_it_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Arc::new(Scratch::new(None, folder.path().to_owned(), true));
        let place = scratch.take().unwrap();
        let (files, home) = (place.files(), place.home());
        std::fs::write(files.join("triggers.json"), "[]").unwrap();
        std::fs::create_dir_all(home.join("a/b")).unwrap();
        std::os::unix::fs::symlink("/etc", home.join("link")).unwrap();
        let second = scratch.take().unwrap();
        assert_ne!(second.files(), files, "each has its own");
        drop(place);
        let again = scratch.take().unwrap();
        assert_eq!(again.files(), files);
        assert_eq!(std::fs::read_dir(&files).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0);
        assert!(
            Path::new("/etc/passwd").exists(),
            "a link is removed, not what it points to"
        );
    }
}
