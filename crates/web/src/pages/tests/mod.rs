//! What every page keeps to, tried on samples.

mod accessible;
mod answers;
mod hostile;
mod markup;
mod samples;
mod snapshots;
