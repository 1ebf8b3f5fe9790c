//! Each page as it is.

use super::samples::all;

#[test]
fn pages_are_as_they_were() {
    for (name, text) in all() {
        insta::assert_snapshot!(name, text);
    }
}
