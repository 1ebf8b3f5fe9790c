//! Start one child process under limits and stream its output.
//!
//! The crate knows nothing of runs, builds or tables. It is given a [`Spec`] (command, environment,
//! mounts, limits, network, lease) and gives back a [`Child`] whose output is read as it is written
//! and whose end is reported as one [`Ended`].
//!
//! Three processes are involved in the full sandbox:
//!
//! 1. the **server**, which calls this API and is never forked: copying the page tables of a large
//!    process costs tens of milliseconds;
//! 2. one **spawner**, the server's own binary started once with the argument `__sandbox` (see
//!    [`helper_main`]). It is tiny and single-threaded, keeps a prepared root file system, and
//!    clones itself for every request;
//! 3. per child, a **PID 1** of its own PID namespace, which holds the lease, reaps, and takes
//!    everything with it when it ends.
//!
//! Whoever dies, everything below dies: the spawner ends when the server's socket closes and its last child
//! has ended, a PID 1 when the spawner ends, when nobody has its socket any more, or when its lease passes, and the
//! kernel ends a namespace with its PID 1.
//!
//! A child that [`Sandbox::keep`] is told of outlives the server: a fourth process, the **keeper**, has copies of what
//! the server has of it, and gives them to the next server on the same folder ([`Sandbox::take_back`]).

mod cgroup;
mod channel;
mod child;
mod config;
mod containers;
mod detect;
mod direct;
mod disk_watch;
mod error;
mod inner;
mod journal;
mod keep;
mod link;
mod output;
mod report;
mod request;
mod sandbox;
mod slots;
mod spec;
mod supervise;
mod taking;
mod watched;
mod wire;

pub use child::{Child, EgressSockets};
pub use config::{Config, Mode};
pub use containers::{Containers, Image, Kind, Pull, ask_version};
pub use detect::detect;
pub use error::Error;
pub use inner::helper_main;
pub use keep::Kept;
pub use output::Output;
pub use report::{Part, PartName, Report};
pub use sandbox::Sandbox;
pub use spec::{
    Access, Cause, Ended, HOME, IMAGE_PATH, Limits, Mount, Network, Spec, Status, TMP, USER, Usage,
};
pub use taking::TakenBack;
