//! Archives made by hand to do harm.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot prepare itself has failed"
)]

mod names;
mod tree;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use marquetry_blobs::{ArchiveError, ExtractLimits, ExtractMode, Extracted, extract_tar, unpack};
use names::names;
use tar::{EntryType, Header};
use tempfile::TempDir;

/// A tar stream, entry by entry, without any of the library's checks.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn raw(mut self, kind: u8, name: &str, link: &str, size: u64, data: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::new(kind));
        header.set_mode(0o6777);
        header.set_size(size);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, data: &[u8]) -> Self {
        self.raw(b'0', name, "", data.len() as u64, data)
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.raw(b'2', name, target, 0, b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.raw(b'1', name, target, 0, b"")
    }

    fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut data = String::new();
        for (key, value) in records {
            let mut length = key.len() + value.len() + 3;
            length += (length + 1).to_string().len();
            data.extend([format!("{length} {key}={value}\n")]);
        }
        self.raw(b'x', "pax", "", data.len() as u64, data.as_bytes())
    }
}

/// A place to unpack to, with something beside it that must not change.
struct Place {
    temp: TempDir,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("outside")).unwrap();
        fs::write(temp.path().join("outside/victim"), b"precious").unwrap();
        Self { temp }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    async fn unpack(&self, tar: Tar, limits: ExtractLimits) -> Result<Extracted, ArchiveError> {
        let compressed = zstd::encode_all(tar.0.as_slice(), 3).unwrap();
        fs::write(self.at("archive"), compressed).unwrap();
        unpack(&self.at("archive"), &self.at("into"), limits).await
    }
}

/// The refusal of `tar`, after checking that nothing of it was left and nothing outside changed.
async fn refusal(tar: Tar) -> String {
    refusal_within(tar, ExtractLimits::default()).await
}

async fn refusal_within(tar: Tar, limits: ExtractLimits) -> String {
    let place = Place::new();
    let error = place.unpack(tar, limits).await.expect_err("it was taken");
    assert_eq!(names(place.temp.path()), ["archive", "outside"]);
    assert_eq!(names(&place.at("outside")), ["victim"]);
    assert_eq!(fs::read(place.at("outside/victim")).unwrap(), b"precious");
    error.to_string()
}

#[tokio::test]
async fn names_that_leave_are_refused() {
    for name in ["../x", "/etc/x", "a/../../x", "a/..", "..", "./../x", "//x"] {
        for tar in [
            Tar::default().file(name, b"x"),
            Tar::default().raw(b'5', name, "", 0, b""),
        ] {
            let text = refusal(tar).await;
            assert_eq!(text, format!("archive holds the unsafe name {name:?}"));
        }
        let text = refusal(Tar::default().pax(&[("path", name)]).file("good", b"x")).await;
        assert_eq!(text, format!("archive holds the unsafe name {name:?}"));
        let text = refusal(Tar::default().symlink(name, "x")).await;
        assert_eq!(text, format!("archive holds the unsafe name {name:?}"));
    }
    for name in ["", ".", "./"] {
        let text = refusal(Tar::default().raw(b'7', name, "", 0, b"")).await;
        assert_eq!(text, format!("archive holds the unsafe name {name:?}"));
    }
}

#[tokio::test]
async fn nothing_is_written_through_a_link() {
    let through =
        |name: &str| format!("archive holds {name:?}, which leads through a link or a file");
    // To the outside, which is refused in any case.
    let tar = Tar::default()
        .symlink("out", "../outside")
        .file("out/victim", b"changed");
    assert_eq!(refusal(tar).await, through("out/victim"));
    let tar = Tar::default()
        .file("out/victim", b"changed")
        .symlink("out", "../outside");
    assert!(
        refusal(tar)
            .await
            .starts_with(r#"link "out" points outside"#)
    );
    // To the inside: still two meanings for one name.
    let tar = Tar::default()
        .raw(b'5', "d", "", 0, b"")
        .symlink("l", "d")
        .file("l/f", b"x");
    assert_eq!(refusal(tar).await, through("l/f"));
    let tar = Tar::default().symlink("l", "d").symlink("l/m", "f");
    assert_eq!(refusal(tar).await, through("l/m"));
    let tar = Tar::default().symlink("l/m", "f").symlink("l", "d");
    assert_eq!(refusal(tar).await, through("l/m"));
    let tar = Tar::default().file("f", b"x").file("f/g", b"x");
    assert_eq!(refusal(tar).await, through("f/g"));
    let tar = Tar::default()
        .symlink("f", "../outside/victim")
        .file("f", b"changed");
    assert_eq!(refusal(tar).await, r#"archive holds "f" twice"#);
}

#[tokio::test]
async fn links_that_leave_are_refused() {
    for (name, target) in [
        ("l", "/etc/passwd"),
        ("l", ".."),
        ("d/l", "../../outside/victim"),
    ] {
        let text = refusal(Tar::default().symlink(name, target)).await;
        assert!(
            text.starts_with(&format!("link {name:?} points outside")),
            "{text}"
        );
    }
    let tar = Tar::default()
        .symlink("d/up", "..")
        .symlink("d/z", "up/../outside");
    assert!(
        refusal(tar)
            .await
            .starts_with(r#"link "d/z" points outside"#)
    );
}

#[tokio::test]
async fn hard_links_reach_only_earlier_files() {
    for target in [
        "../outside/victim",
        "/etc/passwd",
        "missing",
        "d",
        "l",
        "l/f",
        "late",
    ] {
        let tar = Tar::default()
            .file("d/f", b"x")
            .symlink("l", "d")
            .hard_link("h", target)
            .file("late", b"x");
        let text = refusal(tar).await;
        assert_eq!(
            text,
            format!(
                r#"archive holds the hard link "h" to {target:?}, which is no file before it in the archive"#
            )
        );
    }
    let place = Place::new();
    let tar = Tar::default().file("d/f", b"text").hard_link("h", "./d/f");
    let extracted = place.unpack(tar, ExtractLimits::default()).await.unwrap();
    assert_eq!(extracted, Extracted { files: 2, bytes: 8 });
    assert_eq!(fs::read(place.at("into/h")).unwrap(), b"text");
}

#[tokio::test]
async fn names_stand_once() {
    for tar in [
        Tar::default().file("f", b"x").file("./f", b"y"),
        Tar::default().symlink("f", "x").symlink("f", "y"),
        Tar::default().file("f", b"x").symlink("f", "y"),
        Tar::default().file("f", b"x").hard_link("f", "f"),
    ] {
        assert_eq!(refusal(tar).await, r#"archive holds "f" twice"#);
    }
    // A folder may be named again, as many tools do.
    let place = Place::new();
    let folder = |tar: Tar| tar.raw(b'5', "d/", "", 0, b"");
    let tar = folder(folder(Tar::default().file("d/f", b"x")));
    place.unpack(tar, ExtractLimits::default()).await.unwrap();
}

#[tokio::test]
async fn claims_of_size_are_refused_before_anything_is_written() {
    let huge = 10_u64 << 30;
    let text = refusal(Tar::default().raw(b'0', "f", "", huge, b"")).await;
    assert!(text.contains(r#"1073741824 bytes (at "f")"#), "{text}");
    let text = refusal(Tar::default().raw(b'S', "sparse", "", huge, b"")).await;
    assert_eq!(
        text,
        r#"archive holds "sparse" as a sparse file, which is not supported"#
    );
    let tar = Tar::default()
        .pax(&[("GNU.sparse.realsize", "10737418240")])
        .file("f", b"x");
    assert!(refusal(tar).await.contains("a sparse file"));
    let tar = Tar::default()
        .pax(&[("size", "10737418240")])
        .file("f", b"x");
    assert!(refusal(tar).await.contains("an entry with two sizes"));
    for kind in [b'L', b'K', b'x', b'g'] {
        let text = refusal(Tar::default().raw(kind, "n", "", huge, b"")).await;
        assert!(text.contains("an extension header over 1 MiB"), "{text}");
    }
    // Copies count like files.
    let mut tar = Tar::default().file("f", &[0; 1_000]);
    for number in 0..10 {
        tar = tar.hard_link(&format!("h{number}"), "f");
    }
    let limits = ExtractLimits {
        max_bytes: 5_000,
        ..ExtractLimits::default()
    };
    let text = refusal_within(tar, limits).await;
    assert!(text.contains(r#"5000 bytes (at "h4")"#), "{text}");
}

#[tokio::test]
async fn entries_and_folders_are_counted() {
    let limits = || ExtractLimits {
        max_entries: 10,
        ..ExtractLimits::default()
    };
    let mut tar = Tar::default();
    for number in 0..11 {
        tar = tar.file(&number.to_string(), b"");
    }
    let text = refusal_within(tar, limits()).await;
    assert!(text.starts_with("more than the allowed 10"), "{text}");
    // One entry, but eleven folders.
    let text = refusal_within(
        Tar::default().file("a/b/c/d/e/f/g/h/i/j/k/f", b""),
        limits(),
    )
    .await;
    assert!(text.starts_with("more than the allowed 10"), "{text}");
}

#[tokio::test]
async fn a_compression_bomb_stops_at_the_limit() {
    let zeros = vec![0; 50 << 20];
    let place = Place::new();
    let limits = ExtractLimits {
        max_bytes: 1 << 20,
        ..ExtractLimits::default()
    };
    let bombed = place.unpack(Tar::default().file("f", &zeros), limits).await;
    assert!(fs::metadata(place.at("archive")).unwrap().len() < 10_000);
    assert!(
        matches!(bombed, Err(ArchiveError::TooLarge { .. })),
        "{bombed:?}"
    );
}

#[tokio::test]
async fn devices_and_unknown_things_are_refused() {
    for (kind, text) in [(b'3', "device"), (b'4', "device"), (b'6', "named pipe")] {
        let refused = refusal(Tar::default().raw(kind, "dev", "", 0, b"")).await;
        assert!(
            refused.starts_with(&format!(r#""dev" is a {text}; only"#)),
            "{refused}"
        );
    }
    for (kind, data) in [(b'V', &b""[..]), (b'5', b"data"), (b'2', b"data")] {
        let refused = refusal(Tar::default().raw(kind, "f", "t", data.len() as u64, data)).await;
        assert!(refused.ends_with("which is not supported"), "{refused}");
    }
}

#[tokio::test]
async fn two_names_for_one_entry_are_refused() {
    let tar = Tar::default()
        .pax(&[("path", "a"), ("path", "b")])
        .file("c", b"x");
    assert!(refusal(tar).await.contains("two names or sizes"));
    let tar = Tar::default()
        .raw(b'L', "n", "", 2, b"a\0")
        .pax(&[("path", "b")])
        .file("c", b"x");
    assert!(refusal(tar).await.contains("two names or sizes"));
    let tar = Tar::default()
        .raw(b'x', "pax", "", 9, b"9 path=a\n")
        .raw(b'x', "pax", "", 5, b"99 a=");
    assert!(refusal(tar).await.contains("breaks its format"));
}

#[tokio::test]
async fn something_else_is_no_archive() {
    let place = Place::new();
    fs::write(place.at("archive"), b"hello").unwrap();
    let unpacked = unpack(
        &place.at("archive"),
        &place.at("into"),
        ExtractLimits::default(),
    )
    .await;
    assert!(
        matches!(unpacked, Err(ArchiveError::Malformed { .. })),
        "{unpacked:?}"
    );
    assert_eq!(
        refusal(Tar(vec![b'x'; 2_048])).await,
        "archive is damaged or not a tar archive"
    );
}

#[tokio::test]
async fn setuid_and_write_bits_are_dropped() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let tar = Tar::default().file("d/f", b"x");
    place.unpack(tar, ExtractLimits::default()).await.unwrap();
    for path in ["into/d/f", "into/d", "into"] {
        let mode = fs::metadata(place.at(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o555, "{path}");
    }
}

/// As `git archive` and other tools write it: a global header, PAX names with line ends in them.
#[test]
fn source_archives_can_be_extracted_writable() {
    let place = Place::new();
    let long = "p/".to_owned() + &"n".repeat(200) + "\n=x";
    let mut tar = Tar::default()
        .raw(
            b'g',
            "pax_global_header",
            "",
            52,
            b"52 comment=0123456789012345678901234567890123456789\n",
        )
        .raw(b'5', "./", "", 0, b"")
        .raw(b'5', "p/", "", 0, b"")
        .pax(&[("path", &long), ("mtime", "1.5")])
        .file("short", b"x")
        .0;
    tar.write_all(&[0; 1_024]).unwrap();
    fs::create_dir(place.at("into")).unwrap();
    let root = File::open(place.at("into")).unwrap().into();
    let limits = ExtractLimits::default();
    let extracted = extract_tar(tar.as_slice(), root, &limits, ExtractMode::Writable).unwrap();
    assert_eq!(extracted, Extracted { files: 1, bytes: 1 });
    let tree = tree::tree(&place.at("into"));
    assert_eq!(tree[&b"p"[..]], tree::Found::Folder { mode: 0o755 });
    let content = b"x".to_vec();
    assert_eq!(
        tree[long.as_bytes()],
        tree::Found::File {
            mode: 0o755,
            content
        }
    );
}
