//! Folders to archives and back, for content that nobody trusts.

mod dirs;
mod error;
mod extract;
mod links;
mod pack;
mod tar_read;
mod tar_write;
mod temporary;
mod unpack;
mod walk;

pub use error::ArchiveError;
pub use extract::{ExtractLimits, ExtractMode, Extracted, extract_tar};
pub use links::LinkPolicy;
pub use pack::{PackLimits, Packed, pack};
pub use temporary::clean_temporary;
pub(crate) use temporary::{clean_temporary_now, remove_tree_aside};
pub use unpack::unpack;
pub(crate) use unpack::unpack_from;

/// Longest path, in bytes, inside an archive: what Linux lets a program name (`PATH_MAX` without
/// its final NUL).
const MAX_PATH: usize = 4095;
