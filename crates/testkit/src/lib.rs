//! A real server for tests, on both databases.
