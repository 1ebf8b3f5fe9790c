//! All SQL, both migration sets, the store and its transactions.
