//! Documents that are made from the program. A test compares each with what it should be, and
//! writes it when MARQUETRY_BLESS=1.

use std::path::Path;

/// Compares a file below `docs/` with the text that the program makes of itself.
pub(crate) fn check(name: &str, wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if std::env::var_os("MARQUETRY_BLESS").is_some_and(|said| said == "1") {
        std::fs::write(&file, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = found
        .lines()
        .zip(wanted.lines())
        .find(|(one, other)| one != other);
    assert!(
        found == wanted,
        "docs/{name} is not what the program says (first: {differs:?}); write it anew with \
         MARQUETRY_BLESS=1 cargo test -p marquetry --bin marquetry document"
    );
}
