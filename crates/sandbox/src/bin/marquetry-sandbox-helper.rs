//! The spawner as a program of its own, for this crate's tests and measurements. The product's
//! binary does the same when its first argument is `__sandbox`.

fn main() {
    marquetry_sandbox::helper_main()
}
