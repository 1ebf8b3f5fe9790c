//! Blobs in a local folder, and the cache of unpacked artifacts.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare itself has failed"
)]

mod contract;
mod names;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use marquetry_blobs::{
    ArchiveError, ArtifactCache, BlobError, BlobRef, Blobs, CacheError, ExtractLimits, Kind,
    PackLimits, S3Settings, Sha256, pack,
};
use names::names;
use tempfile::TempDir;

fn open(folder: &Path) -> Blobs {
    Blobs::open(
        &format!("file:{}", folder.display()),
        &S3Settings::default(),
    )
    .unwrap()
}

fn place() -> (TempDir, Blobs) {
    let temp = tempfile::tempdir().unwrap();
    let blobs = open(&temp.path().join("blobs"));
    (temp, blobs)
}

/// Where a blob lies in the folder.
fn stored(temp: &TempDir, blob: &BlobRef) -> PathBuf {
    let hash = blob.sha256.to_string();
    let ending = if blob.kind == Kind::Artifact {
        "tar.zst"
    } else {
        "zst"
    };
    let kind = temp.path().join("blobs").join(blob.kind.as_str());
    kind.join(&hash[..2]).join(format!("{hash}.{ending}"))
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let (temp, blobs) = place();
    contract::all(&blobs, temp.path()).await;
}

#[tokio::test]
async fn the_same_content_is_stored_once_and_outlives_the_process() {
    let (temp, blobs) = place();
    let blob = blobs
        .put(Kind::Log, Bytes::from("line\n".repeat(1_000)))
        .await
        .unwrap();
    assert_eq!(
        blobs
            .put(Kind::Log, Bytes::from("line\n".repeat(1_000)))
            .await
            .unwrap(),
        blob
    );
    let at = stored(&temp, &blob);
    assert_eq!(names(at.parent().unwrap()).len(), 1);
    assert!(
        fs::metadata(&at).unwrap().len() < 100,
        "it is not compressed"
    );
    drop(blobs);
    let again = open(&temp.path().join("blobs"));
    assert_eq!(again.get(&blob, 5_000).await.unwrap().len(), 5_000);
}

#[tokio::test]
async fn damage_is_noticed() {
    let (temp, blobs) = place();
    let other = zstd::encode_all(&b"other"[..], 3).unwrap();
    for (kind, damaged) in [(Kind::Artifact, b"other".to_vec()), (Kind::Log, other)] {
        let blob = blobs.put(kind, Bytes::from("right")).await.unwrap();
        fs::write(stored(&temp, &blob), damaged).unwrap();
        let got = blobs.get(&blob, 100).await;
        assert!(matches!(got, Err(BlobError::Corrupt { .. })), "{got:?}");
    }
    let blob = blobs
        .put(Kind::Payload, Bytes::from("right"))
        .await
        .unwrap();
    fs::write(stored(&temp, &blob), b"not zstd").unwrap();
    let got = blobs.get(&blob, 100).await;
    assert!(matches!(got, Err(BlobError::Read { .. })), "{got:?}");
}

#[tokio::test]
async fn an_unfinished_write_is_no_blob() {
    let (temp, blobs) = place();
    let blob = blobs.put(Kind::Artifact, Bytes::from("x")).await.unwrap();
    let at = stored(&temp, &blob);
    // What a crash leaves: the staged file beside the final name.
    fs::rename(&at, at.with_extension("zst#1")).unwrap();
    assert!(!blobs.exists(&blob).await.unwrap());
    assert!(
        blobs
            .list(Kind::Artifact, None, 10)
            .await
            .unwrap()
            .blobs
            .is_empty()
    );
    blobs.put(Kind::Artifact, Bytes::from("x")).await.unwrap();
    assert_eq!(blobs.get(&blob, 1).await.unwrap(), "x");
}

#[tokio::test]
async fn unfinished_writes_are_removed_when_they_are_old() {
    let (temp, blobs) = place();
    let blob = blobs.put(Kind::Log, Bytes::from("x")).await.unwrap();
    let at = stored(&temp, &blob);
    let folder = at.parent().unwrap();
    let written = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
    for path in [
        &at,
        &at.with_extension("zst#1"),
        &at.with_extension("zst#23"),
    ] {
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.set_modified(written).unwrap();
    }
    fs::write(at.with_extension("zst#4"), b"just begun").unwrap();
    assert_eq!(blobs.remove_unfinished(written).await.unwrap(), 0);
    let later = written + Duration::from_secs(1);
    assert_eq!(blobs.remove_unfinished(later).await.unwrap(), 2);
    assert_eq!(names(folder).len(), 2);
    assert_eq!(blobs.get(&blob, 1).await.unwrap(), "x");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_fails_the_check() {
    let (temp, blobs) = place();
    fs::remove_dir(temp.path().join("blobs")).unwrap();
    fs::write(temp.path().join("blobs"), b"in the way").unwrap();
    let text = blobs.check().await.unwrap_err().to_string();
    assert_eq!(text, "blob store could not write a test object");
}

/// An artifact with one file, kept in `blobs`.
async fn artifact(temp: &TempDir, blobs: &Blobs, content: &[u8]) -> BlobRef {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f"), content).unwrap();
    let out = temp.path().join("packed.tar.zst");
    let packed = pack(folder.path(), PackLimits::default(), &out)
        .await
        .unwrap();
    let blob = blobs.put_file(Kind::Artifact, &out).await.unwrap();
    fs::remove_file(out).unwrap();
    assert_eq!(blob.sha256, packed.sha256);
    blob
}

#[tokio::test]
async fn the_cache_unpacks_once_and_for_good() {
    let (temp, blobs) = place();
    let blob = artifact(&temp, &blobs, b"content").await;
    let dir = temp.path().join("cache");
    let cache = ArtifactCache::open(&dir, ExtractLimits::default(), u64::MAX)
        .await
        .unwrap();
    let all = futures_util::future::join_all((0..20).map(|_| cache.ensure(&blob, &blobs))).await;
    for folder in all {
        assert_eq!(
            fs::read(folder.unwrap().path().join("f")).unwrap(),
            b"content"
        );
    }
    assert_eq!(names(&dir), [blob.sha256.to_string()]);
    // Once: the store is not asked again.
    blobs.delete(&blob).await.unwrap();
    cache.ensure(&blob, &blobs).await.unwrap();

    cache.remove(&blob).await.unwrap();
    cache.remove(&blob).await.unwrap();
    assert!(names(&dir).is_empty());
    let gone = cache.ensure(&blob, &blobs).await;
    let is_missing = matches!(
        &gone,
        Err(CacheError::Fetch {
            source: BlobError::NotFound { .. },
            ..
        })
    );
    assert!(is_missing, "{gone:?}");
}

#[tokio::test]
async fn two_caches_on_one_folder_get_along() {
    let (temp, blobs) = place();
    let blob = artifact(&temp, &blobs, b"content").await;
    let dir = temp.path().join("cache");
    let one = ArtifactCache::open(&dir, ExtractLimits::default(), u64::MAX)
        .await
        .unwrap();
    let two = ArtifactCache::open(&dir, ExtractLimits::default(), u64::MAX)
        .await
        .unwrap();
    let (a, b) = tokio::join!(one.ensure(&blob, &blobs), two.ensure(&blob, &blobs));
    assert_eq!(a.unwrap().path(), b.unwrap().path());
    assert_eq!(names(&dir), [blob.sha256.to_string()]);
}

#[tokio::test]
async fn a_damaged_artifact_never_appears() {
    let (temp, blobs) = place();
    let blob = artifact(&temp, &blobs, b"content").await;
    let other = artifact(&temp, &blobs, b"other").await;
    let dir = temp.path().join("cache");
    let cache = ArtifactCache::open(&dir, ExtractLimits::default(), u64::MAX)
        .await
        .unwrap();
    let good = fs::read(stored(&temp, &blob)).unwrap();
    let other = fs::read(stored(&temp, &other)).unwrap();
    let longer = [&good[..], b"more"].concat();
    for damaged in [&other[..], &good[..good.len() / 2], &longer, b""] {
        fs::write(stored(&temp, &blob), damaged).unwrap();
        let ensured = cache.ensure(&blob, &blobs).await;
        let is_noticed = matches!(
            &ensured,
            Err(CacheError::Unpack {
                source: ArchiveError::WrongHash { .. },
                ..
            })
        );
        assert!(is_noticed, "{ensured:?}");
        assert!(names(&dir).is_empty());
    }
    // After a repair the same cache takes it.
    fs::write(stored(&temp, &blob), &good).unwrap();
    cache.ensure(&blob, &blobs).await.unwrap();
}

#[tokio::test]
async fn opening_a_cache_removes_what_a_crash_left() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir_all(temp.path().join(".unfinished-1-0/d")).unwrap();
    ArtifactCache::open(temp.path(), ExtractLimits::default(), u64::MAX)
        .await
        .unwrap();
    assert!(names(temp.path()).is_empty());
}

#[tokio::test]
async fn only_artifacts_are_unpacked() {
    let (temp, blobs) = place();
    let log = BlobRef {
        kind: Kind::Log,
        sha256: Sha256::of(b"x"),
    };
    let cache = ArtifactCache::open(temp.path(), ExtractLimits::default(), u64::MAX)
        .await
        .unwrap();
    let text = cache.ensure(&log, &blobs).await.unwrap_err().to_string();
    assert_eq!(text, format!("blob {log} is not an artifact"));
}

#[tokio::test]
async fn what_was_not_used_for_longest_leaves_and_never_what_is_in_use() {
    let (temp, blobs) = place();
    let dir = temp.path().join("cache");
    let open = async || {
        ArtifactCache::open(&dir, ExtractLimits::default(), 2_500)
            .await
            .unwrap()
    };
    let cache = open().await;
    let mut all = Vec::new();
    for n in 0..4_u8 {
        all.push(artifact(&temp, &blobs, &[n; 1_000]).await);
    }
    let name = |n: usize| all[n].sha256.to_string();
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let held = cache.ensure(&all[0], &blobs).await.unwrap();
    cache.ensure(&all[1], &blobs).await.unwrap();
    cache.ensure(&all[2], &blobs).await.unwrap();
    cache.evict().await;
    assert_eq!(
        names(&dir),
        sorted(vec![name(0), name(2)]),
        "the first is held"
    );
    // It comes back when it is wanted, and what stands longest unused goes.
    let back = cache.ensure(&all[1], &blobs).await.unwrap();
    assert_eq!(fs::read(back.path().join("f")).unwrap(), [1; 1_000]);
    cache.evict().await;
    assert_eq!(names(&dir), sorted(vec![name(0), name(1)]));
    drop(held);
    drop(back);
    // After a restart nothing is known but what lies there.
    let cache = open().await;
    let newest = cache.ensure(&all[3], &blobs).await.unwrap();
    cache.evict().await;
    let left = names(&dir);
    assert_eq!(left.len(), 2);
    assert!(left.contains(&name(3)) && newest.path().join("f").exists());
}

#[tokio::test]
async fn what_was_not_used_for_long_leaves() {
    let (temp, blobs) = place();
    let dir = temp.path().join("cache");
    let open = async || {
        ArtifactCache::open(&dir, ExtractLimits::default(), u64::MAX)
            .await
            .unwrap()
    };
    let cache = open().await;
    let mut all = Vec::new();
    for n in 0..4_u8 {
        all.push(artifact(&temp, &blobs, &[n; 10]).await);
        cache.ensure(&all[usize::from(n)], &blobs).await.unwrap();
    }
    let name = |n: usize| all[n].sha256.to_string();
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    for n in 0..3 {
        let folder = fs::File::open(dir.join(name(n))).unwrap();
        folder.set_modified(start).unwrap();
    }
    let before = start + Duration::from_secs(1);
    let held = cache.ensure(&all[0], &blobs).await.unwrap();
    drop(cache.ensure(&all[1], &blobs).await.unwrap());
    cache.evict_unused(start).await;
    assert_eq!(names(&dir).len(), 4, "none is so old");
    cache.evict_unused(before).await;
    assert_eq!(names(&dir), sorted(vec![name(0), name(1), name(3)]));
    // It comes back when it is wanted.
    let back = cache.ensure(&all[2], &blobs).await.unwrap();
    assert_eq!(fs::read(back.path().join("f")).unwrap(), [2; 10]);
    drop(held);
}
