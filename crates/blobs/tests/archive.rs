//! Packing built folders and unpacking them again.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare itself has failed"
)]

mod names;
mod tree;

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use marquetry_blobs::{
    ArchiveError, ExtractLimits, LinkPolicy, PackLimits, Sha256, clean_temporary, pack, unpack,
};
use names::names;
use proptest::prelude::*;
use rustix::fs::{CWD, FlockOperation, Mode, flock, mkfifoat};
use tempfile::TempDir;
use tree::{Found, tree};

/// A folder to pack, and room beside it.
struct Room {
    temp: TempDir,
    folder: PathBuf,
}

impl Room {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("built");
        fs::create_dir(&folder).unwrap();
        Self { temp, folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    async fn refusal(&self, limits: PackLimits) -> String {
        let error = pack(&self.folder, limits, &self.at("out"))
            .await
            .unwrap_err();
        assert!(!self.at("out").exists(), "an archive was left behind");
        error.to_string()
    }
}

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_folder_comes_back_read_only() {
    let room = Room::new();
    fs::create_dir_all(room.folder.join("bin/empty")).unwrap();
    write(&room.folder.join("bin/tool"), b"#!/bin/sh\n", 0o4750);
    write(&room.folder.join("secret"), b"data", 0o600);
    fs::hard_link(room.folder.join("secret"), room.folder.join("same")).unwrap();
    symlink("../secret", room.folder.join("bin/link")).unwrap();
    symlink("missing/", room.folder.join("dangling")).unwrap();
    let packed = pack(&room.folder, PackLimits::default(), &room.at("out"))
        .await
        .unwrap();
    let archive = fs::read(room.at("out")).unwrap();
    assert_eq!(packed.sha256, Sha256::of(&archive));
    assert_eq!((packed.bytes, packed.files), (archive.len() as u64, 3));
    assert_eq!(packed.content_bytes, 18);

    let extracted = unpack(&room.at("out"), &room.at("into"), ExtractLimits::default())
        .await
        .unwrap();
    assert_eq!((extracted.files, extracted.bytes), (3, 18));
    let file = |mode, content: &[u8]| Found::File {
        mode,
        content: content.to_vec(),
    };
    let link = |target: &[u8]| Found::Link {
        target: target.to_vec(),
    };
    let expected = [
        ("bin", Found::Folder { mode: 0o555 }),
        ("bin/empty", Found::Folder { mode: 0o555 }),
        ("bin/link", link(b"../secret")),
        ("bin/tool", file(0o555, b"#!/bin/sh\n")),
        ("dangling", link(b"missing/")),
        ("same", file(0o444, b"data")),
        ("secret", file(0o444, b"data")),
    ];
    let expected = expected.map(|(name, found)| (name.as_bytes().to_vec(), found));
    assert_eq!(tree(&room.at("into")), expected.into());
    let top = fs::metadata(room.at("into")).unwrap();
    assert_eq!(top.permissions().mode() & 0o7777, 0o555);
    assert_eq!(names(room.temp.path()), ["built", "into", "out"]);
}

#[tokio::test]
async fn the_same_content_makes_the_same_archive() {
    let [one, two] = [Room::new(), Room::new()];
    let all = ["b", "a", "c d", "a-b"];
    for (room, order) in [(&one, all), (&two, ["a-b", "c d", "a", "b"])] {
        for name in order {
            fs::create_dir(room.folder.join(name)).unwrap();
            write(&room.folder.join(name).join("f"), name.as_bytes(), 0o644);
        }
    }
    // What does not count: times, and mode bits other than "executable".
    write(&two.folder.join("a/f"), b"a", 0o640);
    let early = std::time::SystemTime::UNIX_EPOCH;
    fs::File::open(two.folder.join("b/f"))
        .unwrap()
        .set_modified(early)
        .unwrap();
    let mut packed = Vec::new();
    for room in [&one, &two] {
        packed.push(
            pack(&room.folder, PackLimits::default(), &room.at("out"))
                .await
                .unwrap(),
        );
    }
    assert_eq!(packed[0], packed[1]);
}

#[tokio::test]
async fn odd_long_and_deep_names_survive() {
    let room = Room::new();
    let long = [b'x'; 255];
    for name in [
        &b"\xff\xfe"[..],
        b"a\nb\\c ",
        b"-rf",
        b"\xe2\x98\x83",
        &long,
    ] {
        write(&room.folder.join(OsStr::from_bytes(name)), name, 0o644);
    }
    symlink(OsStr::from_bytes(&long), room.folder.join("link")).unwrap();
    // 1,200 levels: more than the process may have files open at once, and a path over 2 KiB.
    let mut deep = PathBuf::new();
    for _ in 0..1_200 {
        deep.push("d");
    }
    fs::create_dir_all(room.folder.join(&deep)).unwrap();
    write(&room.folder.join(&deep).join("f"), b"deep", 0o755);
    pack(&room.folder, PackLimits::default(), &room.at("out"))
        .await
        .unwrap();
    unpack(&room.at("out"), &room.at("into"), ExtractLimits::default())
        .await
        .unwrap();
    let into = tree(&room.at("into"));
    assert_eq!(into.len(), 5 + 1 + 1_200 + 1);
    for name in [
        &b"\xff\xfe"[..],
        b"a\nb\\c ",
        b"-rf",
        b"\xe2\x98\x83",
        &long,
    ] {
        let content = name.to_vec();
        assert_eq!(
            into[name],
            Found::File {
                mode: 0o444,
                content
            }
        );
    }
    assert_eq!(
        into[&b"link"[..]],
        Found::Link {
            target: long.to_vec()
        }
    );
    assert_eq!(
        fs::read(room.at("into").join(&deep).join("f")).unwrap(),
        b"deep"
    );
}

#[tokio::test]
async fn a_path_no_program_could_use_is_refused() {
    let room = Room::new();
    let mut at =
        rustix::fs::open(&room.folder, rustix::fs::OFlags::DIRECTORY, Mode::empty()).unwrap();
    let name = "n".repeat(250);
    for _ in 0..17 {
        rustix::fs::mkdirat(&at, &name, Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, &name, rustix::fs::OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let text = room.refusal(PackLimits::default()).await;
    assert!(
        text.ends_with("is longer than 4095 bytes; shorten it"),
        "{text}"
    );
}

#[tokio::test]
async fn links_out_of_the_folder_are_refused_by_name() {
    let temp_target = tempfile::tempdir().unwrap();
    for target in ["../outside", "/etc/passwd", "sub/../../x"] {
        let room = Room::new();
        fs::create_dir(room.folder.join("sub")).unwrap();
        symlink(target, room.folder.join("bad\nlink")).unwrap();
        assert_eq!(
            room.refusal(PackLimits::default()).await,
            format!(
                r#"link "bad\nlink" points outside of the folder, to "{target}"; replace it by a relative link that stays inside, or by a copy"#
            )
        );
    }
    let room = Room::new();
    symlink(temp_target.path(), room.folder.join("toolchain")).unwrap();
    let links = LinkPolicy {
        outside: vec![temp_target.path().to_owned()],
    };
    let limits = PackLimits {
        links: links.clone(),
        ..PackLimits::default()
    };
    pack(&room.folder, limits, &room.at("out")).await.unwrap();
    let strict = unpack(&room.at("out"), &room.at("into"), ExtractLimits::default()).await;
    assert!(
        matches!(strict, Err(ArchiveError::LinkOutside { .. })),
        "{strict:?}"
    );
    let limits = ExtractLimits {
        links,
        ..ExtractLimits::default()
    };
    unpack(&room.at("out"), &room.at("into"), limits)
        .await
        .unwrap();
    assert_eq!(
        fs::read_link(room.at("into/toolchain")).unwrap(),
        temp_target.path()
    );
}

#[tokio::test]
async fn special_files_are_refused_by_name() {
    let room = Room::new();
    let _socket = UnixListener::bind(room.folder.join("socket")).unwrap();
    let text = room.refusal(PackLimits::default()).await;
    assert!(
        text.starts_with(r#""socket" is a socket; only files"#),
        "{text}"
    );

    let room = Room::new();
    mkfifoat(CWD, room.folder.join("pipe"), Mode::RWXU).unwrap();
    let text = room.refusal(PackLimits::default()).await;
    assert!(
        text.starts_with(r#""pipe" is a named pipe; only files"#),
        "{text}"
    );
}

#[tokio::test]
async fn limits_hold_before_anything_is_read() {
    let room = Room::new();
    let sparse = fs::File::create(room.folder.join("sparse")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    let text = room.refusal(PackLimits::default()).await;
    assert!(
        text.contains(r#"allowed 1073741824 bytes (at "sparse")"#),
        "{text}"
    );

    let room = Room::new();
    for name in ["a", "b", "c"] {
        write(&room.folder.join(name), b"12345", 0o644);
    }
    let bytes = |max_bytes| PackLimits {
        max_bytes,
        ..PackLimits::default()
    };
    let entries = |max_entries| PackLimits {
        max_entries,
        ..PackLimits::default()
    };
    let text = room.refusal(bytes(14)).await;
    assert!(text.contains(r#"allowed 14 bytes (at "c")"#), "{text}");
    let text = room.refusal(entries(2)).await;
    assert!(text.contains("more than the allowed 2 files"), "{text}");
    pack(&room.folder, bytes(15), &room.at("one"))
        .await
        .unwrap();
    pack(&room.folder, entries(3), &room.at("two"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_existing_output_is_not_touched() {
    let room = Room::new();
    let victim = room.at("victim");
    write(&victim, b"precious", 0o644);
    symlink(&victim, room.at("out")).unwrap();
    let packed = pack(&room.folder, PackLimits::default(), &room.at("out")).await;
    assert!(matches!(packed, Err(ArchiveError::Io { .. })), "{packed:?}");
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

/// Ends the other thread when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Somebody exchanges a folder and a file for links to secrets while the folder is packed: whatever
/// the outcome, no secret is ever in an archive.
#[tokio::test(flavor = "multi_thread")]
async fn a_racing_writer_cannot_smuggle_in_what_is_outside() {
    let room = Room::new();
    let outside = room.at("outside");
    fs::create_dir(&outside).unwrap();
    write(&outside.join("f"), b"SECRET", 0o644);
    for name in ["dir", "was-dir"] {
        fs::create_dir_all(room.folder.join(name)).unwrap();
        write(&room.folder.join(name).join("f"), b"public", 0o644);
    }
    fs::remove_dir_all(room.folder.join("was-dir")).unwrap();
    symlink(&outside, room.at("link-to-folder")).unwrap();
    symlink(outside.join("f"), room.at("link-to-file")).unwrap();

    let stop = AtomicBool::new(false);
    let (folder, link, file_link) = (
        &room.folder,
        room.at("link-to-folder"),
        room.at("link-to-file"),
    );
    let (mut finished, mut rounds) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use rustix::fs::{RenameFlags, renameat_with};
            while !stop.load(Ordering::Relaxed) {
                let swap = |a: &Path, b: &Path| {
                    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
                };
                swap(&folder.join("dir/f"), &file_link);
                swap(&folder.join("dir/f"), &file_link);
                swap(&folder.join("dir"), &link);
                swap(&folder.join("dir"), &link);
            }
        });
        tokio::task::block_in_place(|| {
            // Also when an assertion fails: the other thread would go on for ever.
            let _stop = Stop(&stop);
            for round in 0..5_000 {
                if round >= 300 && finished < round {
                    break;
                }
                rounds = round + 1;
                let out = room.at(&format!("out{round}"));
                let packing = pack(folder, PackLimits::default(), &out);
                if tokio::runtime::Handle::current().block_on(packing).is_ok() {
                    finished += 1;
                    let tar = zstd::decode_all(fs::File::open(&out).unwrap()).unwrap();
                    let has_secret = tar.windows(6).any(|bytes| bytes == b"SECRET");
                    assert!(!has_secret, "round {round}");
                }
            }
        });
    });
    assert!(finished < rounds, "the race was never met");
}

#[tokio::test]
async fn two_unpackers_make_one_folder() {
    let room = Room::new();
    write(&room.folder.join("f"), b"content", 0o644);
    pack(&room.folder, PackLimits::default(), &room.at("out"))
        .await
        .unwrap();
    let (out, into) = (room.at("out"), room.at("into"));
    let one = || unpack(&out, &into, ExtractLimits::default());
    let (a, b, c) = tokio::join!(one(), one(), one());
    assert_eq!((a.unwrap(), b.unwrap()), (c.unwrap(), one().await.unwrap()));
    assert_eq!(fs::read(into.join("f")).unwrap(), b"content");
    assert_eq!(names(room.temp.path()), ["built", "into", "out"]);
}

#[tokio::test]
async fn a_file_in_the_way_is_an_error_and_nothing_is_left() {
    let room = Room::new();
    pack(&room.folder, PackLimits::default(), &room.at("out"))
        .await
        .unwrap();
    write(&room.at("into"), b"in the way", 0o644);
    let unpacked = unpack(&room.at("out"), &room.at("into"), ExtractLimits::default()).await;
    assert!(
        matches!(unpacked, Err(ArchiveError::Io { .. })),
        "{unpacked:?}"
    );
    assert_eq!(names(room.temp.path()), ["built", "into", "out"]);
}

#[tokio::test]
async fn a_cut_archive_leaves_nothing() {
    let room = Room::new();
    let noise: Vec<u8> = (0..300_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    write(&room.folder.join("f"), &noise, 0o644);
    pack(&room.folder, PackLimits::default(), &room.at("out"))
        .await
        .unwrap();
    let whole = fs::read(room.at("out")).unwrap();
    for length in [0, 3, 100, whole.len() / 2, whole.len() - 1] {
        write(&room.at("cut"), &whole[..length], 0o644);
        let unpacked = unpack(&room.at("cut"), &room.at("into"), ExtractLimits::default()).await;
        let is_refused = matches!(unpacked, Err(ArchiveError::Malformed { .. }));
        assert!(is_refused, "{length} of {}: {unpacked:?}", whole.len());
    }
    assert_eq!(names(room.temp.path()), ["built", "cut", "out"]);
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_what_is_in_use_stays() {
    let room = Room::new();
    let crashed = room.at(".unfinished-77-0");
    fs::create_dir_all(crashed.join("d")).unwrap();
    write(&crashed.join("d/f"), b"half", 0o444);
    for folder in [crashed.join("d"), crashed] {
        fs::set_permissions(folder, Permissions::from_mode(0o555)).unwrap();
    }
    let in_use = room.at(".unfinished-78-0");
    fs::create_dir(&in_use).unwrap();
    // As the one who unpacks there does.
    let lock = fs::File::open(&in_use).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();

    assert_eq!(clean_temporary(room.temp.path()).await.unwrap(), 1);
    assert_eq!(names(room.temp.path()), [".unfinished-78-0", "built"]);
    drop(lock);
    assert_eq!(clean_temporary(room.temp.path()).await.unwrap(), 1);
    assert_eq!(names(room.temp.path()), ["built"]);
}

type Tree = std::collections::BTreeMap<Vec<u8>, Found>;

/// A made-up entry: the folder it goes into (by number), its name, and what it is.
#[derive(Debug, Clone)]
enum Made {
    Folder,
    File {
        content: Vec<u8>,
        is_executable: bool,
    },
    Link {
        up: bool,
        target: Vec<u8>,
    },
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no separator", |byte| *byte != 0 && *byte != b'/');
    prop::collection::vec(byte, 1..120).prop_filter("no dots", |name| name != b"." && name != b"..")
}

fn made() -> impl Strategy<Value = Made> {
    prop_oneof![
        Just(Made::Folder),
        (prop::collection::vec(any::<u8>(), 0..2_000), any::<bool>()).prop_map(
            |(content, is_executable)| Made::File {
                content,
                is_executable
            }
        ),
        (any::<bool>(), name()).prop_map(|(up, target)| Made::Link { up, target }),
    ]
}

/// Makes the entries, and answers what unpacking must give.
fn make(root: &Path, entries: Vec<(usize, Vec<u8>, Made)>) -> Tree {
    let mut folders = vec![Vec::new()];
    let mut expected = Tree::new();
    for (folder, name, made) in entries {
        let parent = folders[folder % folders.len()].clone();
        let path = if parent.is_empty() {
            name
        } else {
            [&parent[..], b"/", &name].concat()
        };
        if expected.contains_key(&path) {
            continue;
        }
        let place = root.join(OsStr::from_bytes(&path));
        let found = match made {
            Made::Folder => {
                fs::create_dir(&place).unwrap();
                folders.push(path.clone());
                Found::Folder { mode: 0o555 }
            }
            Made::File {
                content,
                is_executable,
            } => {
                write(&place, &content, if is_executable { 0o711 } else { 0o600 });
                Found::File {
                    mode: if is_executable { 0o555 } else { 0o444 },
                    content,
                }
            }
            Made::Link { up, target } => {
                // One step up stays inside from anywhere but the root.
                let target = if up && !parent.is_empty() {
                    [b"../", &target[..]].concat()
                } else {
                    target
                };
                symlink(OsStr::from_bytes(&target), &place).unwrap();
                Found::Link { target }
            }
        };
        expected.insert(path, found);
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn packing_and_unpacking_keeps_everything_that_counts(
        entries in prop::collection::vec((0_usize..50, name(), made()), 0..40)
    ) {
        let room = Room::new();
        let expected = make(&room.folder, entries);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let first = pack(&room.folder, PackLimits::default(), &room.at("out")).await.unwrap();
            unpack(&room.at("out"), &room.at("into"), ExtractLimits::default()).await.unwrap();
            let again = pack(&room.at("into"), PackLimits::default(), &room.at("again")).await.unwrap();
            assert_eq!(first, again);
        });
        prop_assert_eq!(tree(&room.at("into")), expected);
    }
}
