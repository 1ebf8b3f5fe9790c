//! The loops that look at the truth: dispatch, execute, build, reap.
