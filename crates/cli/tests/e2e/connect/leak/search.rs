//! Looks for secrets in every place where the product leaves something, in all forms in which they may stand there.
#![expect(
    clippy::disallowed_methods,
    reason = "grep and Python read what the product wrote"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use marquetry_testkit::TestServer;

/// Prints all rows of all SQLite databases of a folder: what the file has in two pages is whole there. It reads a copy,
/// for the database may be another process's.
const DUMP: &str = r#"
import os, shutil, sqlite3, sys, tempfile
for name in os.listdir(sys.argv[1]):
    path = os.path.join(sys.argv[1], name)
    if not os.path.isfile(path) or open(path, "rb").read(15) != b"SQLite format 3": continue
    with tempfile.TemporaryDirectory() as copy:
        for end in ("", "-wal"):
            if os.path.exists(path + end): shutil.copy(path + end, os.path.join(copy, name + end))
        for line in sqlite3.connect(os.path.join(copy, name)).iterdump():
            sys.stdout.buffer.write(line.encode() + b"\n")
"#;

/// What was found where: places, each with what stands there.
pub(super) type Found = BTreeMap<String, Vec<String>>;

/// Looks for all of these in the data folder, the database, the server's log, and what a test has `seen` by its names.
pub(super) async fn find(
    server: &TestServer,
    seen: &[(&str, String)],
    secrets: &[String],
) -> Found {
    let scratch = tempfile::tempdir().unwrap();
    let patterns = scratch.path().join("patterns");
    let all: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    std::fs::write(&patterns, all.join("\n")).unwrap();

    let texts = scratch.path().join("seen");
    std::fs::create_dir(&texts).unwrap();
    let keep = |name: &str, text: &str| std::fs::write(texts.join(name), text).unwrap();
    for (name, text) in seen {
        keep(name, text);
    }
    keep("log", &server.log());
    let rows = server.rows().await;
    if rows.is_empty() {
        keep("rows", &dump(server.data_dir.path()));
    } else {
        keep("rows", &rows);
    }

    unpack(server.data_dir.path(), &texts);

    let mut found = Found::new();
    for folder in [server.data_dir.path(), texts.as_path()] {
        for (place, text) in grep(&patterns, folder) {
            let around = around(&folder.join(&place), &text);
            found.entry(place).or_default().push(around);
        }
    }
    for texts in found.values_mut() {
        texts.sort_unstable();
        texts.dedup();
    }
    found
}

/// Writes what is packed below a folder to another one, unpacked. The parts of logs that a database packs are searched
/// as they are read, by the API.
fn unpack(folder: &Path, to: &Path) {
    let mut folders = vec![folder.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        // What a live server takes away meanwhile is not there.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                folders.push(entry.path());
            }
            let bytes = kind.is_file().then(|| std::fs::read(entry.path()));
            let Some(Ok(bytes)) = bytes else { continue };
            if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
                count += 1;
                let plain = zstd::decode_all(&*bytes).unwrap();
                std::fs::write(to.join(format!("unpacked-{count}")), plain).unwrap();
            }
        }
    }
}

fn dump(folder: &Path) -> String {
    let mut python = Command::new("python3");
    let done = python.args(["-c", DUMP]).arg(folder).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("CREATE TABLE connections"), "no database");
    text
}

/// The files below a folder that have one of these patterns, and which.
fn grep(patterns: &Path, folder: &Path) -> Vec<(String, String)> {
    let mut looked = Command::new("grep");
    // Bytes, whatever the language of the machine is. A NUL ends the name of the file.
    looked.env("LC_ALL", "C");
    looked
        .args(["-r", "-a", "-o", "-Z", "-F", "-f"])
        .arg(patterns);
    // Sockets and pipes of live processes are no files.
    let looked = looked
        .args(["-D", "skip", "."])
        .current_dir(folder)
        .output();
    let looked = looked.unwrap();
    let (found, nothing) = (Some(0), Some(1));
    let code = looked.status.code();
    // A file may be gone before it is read, while the server works.
    let gone = String::from_utf8_lossy(&looked.stderr).into_owned();
    let only_gone = gone
        .lines()
        .all(|line| line.ends_with("No such file or directory"));
    assert!(code == found || code == nothing || only_gone, "{gone}");
    let out = String::from_utf8_lossy(&looked.stdout).into_owned();
    let lines = out.lines().filter_map(|line| line.split_once('\0'));
    lines
        .map(|(place, text)| (place.trim_start_matches("./").to_owned(), text.to_owned()))
        .collect()
}

/// A text and what stands beside it, for whoever has to find out how it came there.
fn around(file: &Path, text: &str) -> String {
    let all = std::fs::read(file).unwrap_or_default();
    let at = all.windows(text.len()).position(|it| it == text.as_bytes());
    let Some(at) = at else { return text.to_owned() };
    let end = all.len().min(at + text.len() + 40);
    String::from_utf8_lossy(&all[at.saturating_sub(160)..end]).into_owned()
}

/// How a text may be written. These are the test's own, not those that the product looks for.
fn forms(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    let quoted = serde_json::Value::from(text).to_string();
    // In JSON, and in JSON that is a text of JSON.
    let twice = serde_json::Value::from(quoted.trim_matches('"')).to_string();
    let ascii = text.chars().fold(String::new(), |mut ascii, c| {
        match c {
            '"' => ascii.push_str("\\\""),
            c if c.is_ascii() => ascii.push(c),
            c => write!(ascii, "\\u{:04x}", u32::from(c)).unwrap(),
        }
        ascii
    });
    all.extend([
        quoted[1..quoted.len() - 1].to_owned(),
        twice[1..twice.len() - 1].to_owned(),
        ascii,
    ]);
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    all.extend([
        form.replace('+', "%20"),
        form.replace("%2F", "/"),
        lower_escapes(&form),
        form,
    ]);
    let hex = text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    all.extend([hex.to_uppercase(), hex]);
    for engine in [STANDARD, URL_SAFE] {
        for before in 0..3 {
            let mut bytes = vec![0; before];
            bytes.extend_from_slice(text.as_bytes());
            // Six bits a character, without those that a neighbour has a share in.
            let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
            all.push(engine.encode(&bytes)[own].to_owned());
        }
    }
    all.extend(["&quot;", "&#34;"].map(|quote| text.replace('"', quote)));
    all.sort_unstable();
    all.dedup();
    all
}

fn lower_escapes(form: &str) -> String {
    let mut parts = form.split('%');
    let mut lower = parts.next().unwrap().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        write!(lower, "%{}{rest}", digits.to_lowercase()).unwrap();
    }
    lower
}
