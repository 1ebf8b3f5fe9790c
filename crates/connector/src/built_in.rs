//! The definitions that are shipped.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::definition::Definition;
use crate::read::read;

/// Name and text of each.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

static ALL: LazyLock<BTreeMap<&'static str, Arc<Definition>>> = LazyLock::new(|| {
    let read_file = |&(name, text): &(&'static str, &str)| {
        let definition = read(text.as_bytes()).expect("the shipped definitions are tested");
        (name, Arc::new(definition))
    };
    FILES.iter().map(read_file).collect()
});

/// The shipped definition of that name.
#[must_use]
pub fn built_in(name: &str) -> Option<Arc<Definition>> {
    ALL.get(name).map(Arc::clone)
}

/// The names of all that are shipped, in order.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    ALL.keys().copied()
}
