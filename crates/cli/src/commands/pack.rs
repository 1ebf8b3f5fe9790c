//! A source folder as one archive, to be sent.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, HeaderMode};

/// The archive to send: the file itself, or one made of the folder.
pub(crate) fn archive(path: &Path) -> anyhow::Result<File> {
    let found = fs::metadata(path).with_context(|| format!("cannot open {}", path.display()))?;
    if found.is_dir() {
        return pack(path).with_context(|| format!("cannot pack {}", path.display()));
    }
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

/// Everything below the folder but Git's own. The same content makes the same archive.
fn pack(folder: &Path) -> anyhow::Result<File> {
    let file = tempfile::tempfile().context("cannot make a temporary file")?;
    let mut archive = Builder::new(GzEncoder::new(file, Compression::default()));
    archive.mode(HeaderMode::Deterministic);
    archive.follow_symlinks(false);
    add(&mut archive, folder, Path::new(""))?;
    let mut file = archive.into_inner()?.finish()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn add(archive: &mut Builder<GzEncoder<File>>, folder: &Path, below: &Path) -> anyhow::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_unstable_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), below.join(entry.file_name()));
        let kind = entry.file_type()?;
        if entry.file_name() == ".git" {
            continue;
        }
        if kind.is_dir() {
            archive.append_dir(&name, &path)?;
            add(archive, &path, &name)?;
        } else if kind.is_file() || kind.is_symlink() {
            archive.append_path_with_name(&path, &name)?;
        } else {
            bail!("{} is no file, folder or link; remove it", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_same_folder_makes_the_same_archive_without_git() {
        let made = || {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("a/.git")).unwrap();
            fs::create_dir_all(folder.path().join(".git/objects")).unwrap();
            fs::write(folder.path().join("a/x"), "1").unwrap();
            fs::write(folder.path().join("b"), "2").unwrap();
            std::os::unix::fs::symlink("a/x", folder.path().join("c")).unwrap();
            let mut bytes = Vec::new();
            archive(folder.path())
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        };
        let bytes = made();
        assert_eq!(bytes, made());
        let mut found = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let names: Vec<_> = found
            .entries()
            .unwrap()
            .map(|e| e.unwrap().path().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["a", "a/x", "b", "c"]);
    }
}
