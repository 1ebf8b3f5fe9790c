//! Typed ids, domain values, state machines, the bundling rule: pure, no async, no I/O.
