//! One process that waits for its run.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marquetry_app::jobs::RunJob;
use marquetry_blobs::Unpacked;
use marquetry_sandbox::{Access, Child};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;

use super::Language;
use crate::execute::{reach, spec};
use crate::inner::Inner;
use crate::scratch::Place;
use crate::step::{Layout, RESULTS};

/// Where a process finds what it loads.
const TARGET: &str = "/run/marquetry-start";
/// What the name of a pipe among a run's files begins with.
const PIPE: &str = ".start";
/// What all that a process is told ends with.
const END: &str = ".";
const NODE: (&str, &str) = ("start.js", include_str!("start.js"));
const PYTHON: (&str, &str) = ("sitecustomize.py", include_str!("sitecustomize.py"));
/// Tells a process that it has to wait, and where.
const START: &str = "MARQUETRY_START";
/// How long a process lives that nobody wants: longer than it stands ready.
const LEASE: Duration = Duration::from_secs(60);
/// An interpreter that does not listen after this long will not.
const LISTENS_WITHIN: Duration = Duration::from_secs(2);
/// How often it is asked whether it listens.
const ASK: Duration = Duration::from_millis(1);
/// How long it may take to read what it is told.
const READS_WITHIN: Duration = Duration::from_secs(5);

/// What a process is told first: what it shall have as it would have had.
type Restored = Vec<String>;

/// A process that waits for its run.
pub(crate) struct Waiting {
    child: Child,
    pipe: PathBuf,
    restored: Restored,
}

/// Writes what interpreters load; answers whether that could be done.
pub(super) fn write_files(folder: &Path) -> bool {
    let write = || {
        std::fs::create_dir_all(folder)?;
        for (name, text) in [NODE, PYTHON] {
            std::fs::write(folder.join(name), text)?;
        }
        io::Result::Ok(())
    };
    match write() {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "what pre-started interpreters load could not be written");
            false
        }
    }
}

/// Starts one for a run like this.
pub(super) async fn start(
    inner: &Inner,
    job: &RunJob,
    language: Language,
    number: u64,
) -> Result<(Waiting, Place, Unpacked), Box<dyn std::error::Error + Send + Sync>> {
    let folder = inner.prestart.folder().ok_or("its files are missing")?;
    let artifact = job.release.artifact.parse()?;
    let release = inner.artifacts.ensure(&artifact, &inner.ctx.app.blobs);
    let release = release.await?;
    if language == Language::Python && has_start_files(release.path(), &job.release.manifest_path) {
        return Err("its packages run code of their own when Python starts".into());
    }
    let place = inner.scratch.take()?;
    // Folders are used again: no process ever finds another one's.
    let name = format!("{PIPE}-{number}");
    let pipe = place.files().join(&name);
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0)?;
    let mut layout = Layout::of_run(inner, &place, release.path().to_owned(), None);
    let folder = layout.mount(folder, TARGET, Access::ReadOnly);
    let mut spec = spec(inner, job, &layout, &reach(inner, job), LEASE);
    let restored = put(&mut spec.environment, language, &folder);
    spec.environment
        .push((START.into(), layout.files().join(name).into()));
    let child = inner.sandbox.spawn(spec).await?;
    let waiting = Waiting {
        child,
        pipe,
        restored,
    };
    Ok((waiting, place, release))
}

/// Lets the interpreter load our file; answers what undoes that.
fn put(environment: &mut Vec<(OsString, OsString)>, language: Language, folder: &Path) -> Restored {
    let (name, mut value, separator) = match language {
        Language::Node => {
            let option = format!("--require={}", folder.join(NODE.0).display());
            ("NODE_OPTIONS", OsString::from(option), " ")
        }
        Language::Python => ("PYTHONPATH", folder.as_os_str().to_owned(), ":"),
    };
    let mut restored = vec![format!("-{START}")];
    match environment.iter_mut().find(|(known, _)| known == name) {
        Some((_, own)) => {
            restored.push(format!("+{name}={}", own.to_string_lossy()));
            value.push(separator);
            value.push(&*own);
            *own = value;
        }
        None => {
            restored.push(format!("-{name}"));
            environment.push((name.into(), value));
        }
    }
    restored
}

/// Whether packages in a release have files by which Python executes code of theirs before ours: that
/// would be without a run.
fn has_start_files(release: &Path, manifest_path: &str) -> bool {
    let folder = Path::new(manifest_path).parent().unwrap_or(Path::new(""));
    let packages = release.join(folder).join(RESULTS).join("python/lib");
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    below(&packages)
        .flat_map(|version| below(&version.path().join("site-packages")))
        .any(|file| file.path().extension().is_some_and(|end| end == "pth"))
}

impl Waiting {
    /// When the process is gone.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let end = self.child.end();
        async move {
            end.await;
        }
    }

    /// Gives it its run, whose lease ends so long from now; none where it does not take it: it is gone
    /// then, and its place as it was. Answers also whether it listened at once.
    pub(crate) async fn give(
        mut self,
        given: &[(String, String)],
        lease: Duration,
    ) -> Option<(Child, bool)> {
        self.child.extend_lease(lease).await;
        match self.tell(given).await {
            Ok(at_once) => Some((self.child, at_once)),
            Err(error) => {
                tracing::warn!(%error, "a pre-started interpreter did not take its run");
                self.end().await;
                None
            }
        }
    }

    async fn tell(&mut self, given: &[(String, String)]) -> io::Result<bool> {
        let given = given.iter().map(|(name, value)| format!("+{name}={value}"));
        let words: Vec<String> = self.restored.drain(..).chain(given).collect();
        // No variable has a NUL, which the kernel would not take.
        let told = format!("{}\0{END}", words.join("\0"));
        let (mut pipe, at_once) = self.listening().await?;
        // The run shall not find it among its files.
        tokio::fs::remove_file(&self.pipe).await?;
        tokio::time::timeout(READS_WITHIN, pipe.write_all(told.as_bytes())).await??;
        Ok(at_once)
    }

    /// The pipe, as soon as the process reads from it, and whether that is at once.
    async fn listening(&mut self) -> io::Result<(pipe::Sender, bool)> {
        let end = self.child.end();
        tokio::pin!(end);
        let until = tokio::time::Instant::now() + LISTENS_WITHIN;
        let mut at_once = true;
        loop {
            match pipe::OpenOptions::new().open_sender(&self.pipe) {
                Err(error) if error.raw_os_error() == Some(NOBODY_READS) => {}
                opened => return opened.map(|pipe| (pipe, at_once)),
            }
            at_once = false;
            tokio::select! {
                _ = &mut end => return Err(io::ErrorKind::BrokenPipe.into()),
                () = tokio::time::sleep_until(until) => return Err(io::ErrorKind::TimedOut.into()),
                () = tokio::time::sleep(ASK) => {}
            }
        }
    }

    /// Ends it, and gives its folders back.
    pub(super) async fn discard(self, place: Place) {
        self.end().await;
        drop(place);
    }

    /// Ends it, and waits for that: its folders are not another one's before.
    pub(crate) async fn end(mut self) {
        self.child.kill();
        self.child.wait().await;
        // It is gone already where the process has begun to listen.
        let _ = tokio::fs::remove_file(&self.pipe).await;
    }
}

/// `ENXIO`.
const NOBODY_READS: i32 = 6;
