//! Start one child process under limits and stream its output.
