//! An archive becomes a read-only folder, all of it or nothing.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::{ArchiveError, io_error};
use super::extract::{ExtractLimits, ExtractMode, Extracted, extract_tar};
use super::tar_read::malformed;
use super::temporary::{Published, Temporary, parent_of};
use crate::blocking::blocking;
use crate::digest::{HashingReader, Sha256};

/// Unpacks the archive file into the folder `into`, read only for everybody. The folder appears in
/// one step, complete and on disk; when it exists already, it is left as it is.
///
/// Several may do this at once; one folder results. A crash leaves an unfinished folder beside
/// `into` that [`clean_temporary`](super::clean_temporary) removes.
pub async fn unpack(
    archive: &Path,
    into: &Path,
    limits: ExtractLimits,
) -> Result<Extracted, ArchiveError> {
    let (archive, into) = (archive.to_owned(), into.to_owned());
    let work = move || {
        let file = File::open(&archive).map_err(io_error("open archive", &archive))?;
        unpack_from(file, None, &into, &limits)
    };
    blocking(work).await
}

/// As [`unpack`], from a stream and on this thread. With `expected`, nothing appears unless the
/// whole stream has that hash.
pub(crate) fn unpack_from(
    stream: impl Read,
    expected: Option<Sha256>,
    into: &Path,
    limits: &ExtractLimits,
) -> Result<Extracted, ArchiveError> {
    let parent = parent_of(into);
    let temporary = Temporary::create(parent).map_err(io_error("make a folder in", parent))?;
    let root = temporary
        .folder()
        .map_err(io_error("open folder", temporary.path()))?;
    let mut hashing = HashingReader::new(stream);
    let decoder = zstd::Decoder::new(&mut hashing).map_err(malformed)?;
    let extracted = extract_tar(decoder, root, limits, ExtractMode::ReadOnly);
    let extracted = match (extracted, expected) {
        (Ok(extracted), None) => extracted,
        (extracted, Some(expected)) => {
            // The hash first: "damaged" says more than whatever the damage led to.
            check_hash(hashing, expected)?;
            extracted?
        }
        (Err(error), None) => return Err(error),
    };
    match temporary
        .publish(into)
        .map_err(io_error("rename into place", into))?
    {
        Published::Ours | Published::Theirs => Ok(extracted),
    }
}

/// Reads the rest of the stream (not decompressing it) and compares the hash of all of it.
fn check_hash(mut stream: HashingReader<impl Read>, expected: Sha256) -> Result<(), ArchiveError> {
    io::copy(&mut stream, &mut io::sink()).map_err(|source| ArchiveError::Stream { source })?;
    let (found, _) = stream.finish();
    if found == expected {
        Ok(())
    } else {
        Err(ArchiveError::WrongHash { expected, found })
    }
}
