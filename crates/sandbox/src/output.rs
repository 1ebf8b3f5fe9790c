//! What a child writes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, ReadBuf};

use crate::journal::Journal;
use crate::watched;

/// One output stream of a child.
///
/// Of a child that is kept ([`crate::Sandbox::keep`]) the next server reads once more what this one has read, from
/// where it says that it is needed.
#[derive(Debug)]
pub struct Output {
    pipe: AsyncFd<OwnedFd>,
    journal: Option<Journal>,
    /// It is needed no more when it is read.
    ends: bool,
}

/// What the pipe of a standard output holds, in bytes, where the kernel gives it: more than the
/// last line that a run may print. Some runtimes (Node) drop at `exit` what a full pipe did not
/// take at once.
const STDOUT: usize = 256 << 10;

impl Output {
    /// The pipes of standard output and standard error: our ends, and the child's.
    pub(crate) fn pipes() -> io::Result<[(Self, OwnedFd); 2]> {
        let stdout = Self::pipe()?;
        // A user who has many pipes may get no larger one.
        let _ = fcntl_setpipe_size(&stdout.1, STDOUT);
        Ok([stdout, Self::pipe()?])
    }

    /// The same by named pipes that are there: what opens them for writing writes to us.
    pub(crate) fn named(stdout: &Path, stderr: &Path) -> io::Result<[(Self, OwnedFd); 2]> {
        let open = |path: &Path| {
            let ours = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let reader = rustix::fs::open(path, ours, Mode::empty())?;
            let writer = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            Ok::<_, io::Error>((Self::of(reader)?, writer))
        };
        let stdout = open(stdout)?;
        let _ = fcntl_setpipe_size(&stdout.1, STDOUT);
        Ok([stdout, open(stderr)?])
    }

    fn pipe() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        Ok((Self::of(reader)?, writer))
    }

    /// Our end of a pipe.
    pub(crate) fn of(reader: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&reader, true)?;
        Ok(Self {
            pipe: watched::watch(reader)?,
            journal: None,
            ends: false,
        })
    }

    /// What a former server left of one.
    pub(crate) fn taken_back(reader: OwnedFd, journal: OwnedFd) -> io::Result<Self> {
        let mut this = Self::of(reader)?;
        this.journal = Some(Journal::taken_back(journal)?);
        Ok(this)
    }

    /// From here on the next server can read what is read, and this, which was.
    pub(crate) fn begin_journal(&mut self, read: &[u8]) -> io::Result<()> {
        self.journal = Some(Journal::new(read)?);
        self.ends = false;
        Ok(())
    }

    /// What the next server needs of it; none where it is not kept.
    pub(crate) fn fds(&self) -> Option<[BorrowedFd<'_>; 2]> {
        let journal = self.journal.as_ref()?;
        Some([self.pipe.get_ref().as_fd(), journal.fd()])
    }

    /// Nobody else will read it: what is read is not kept any more.
    pub fn end_journal(&mut self) {
        self.ends = true;
    }

    /// How many bytes are kept for the next server, in memory.
    pub fn kept(&self) -> u64 {
        self.journal.as_ref().map_or(0, Journal::kept)
    }

    /// Of a child that was taken back: this many parts are stored ([`Self::part`]), and are not read once more.
    ///
    /// # Errors
    /// What the system says.
    pub fn skip_stored(&mut self, parts: u64) -> io::Result<()> {
        self.with_journal(|journal| journal.skip_stored(parts))
    }

    /// All that was read, but for so many of the last bytes, is in this part, which is going to be stored. Parts are
    /// numbered from 1; one that a former server could not store is made anew under its number.
    ///
    /// # Errors
    /// What the system says.
    pub fn part(&mut self, number: u64, but: u64) -> io::Result<()> {
        self.with_journal(|journal| journal.part(number, but))
    }

    /// The last part is stored.
    ///
    /// # Errors
    /// What the system says.
    pub fn settle(&mut self) -> io::Result<()> {
        self.with_journal(Journal::settle)
    }

    /// Of what was read, no more than so many of the last bytes are needed.
    ///
    /// # Errors
    /// What the system says.
    pub fn need_last(&mut self, bytes: u64) -> io::Result<()> {
        self.with_journal(|journal| journal.need_last(bytes))
    }

    /// The last bytes that were read are not needed.
    ///
    /// # Errors
    /// What the system says.
    pub fn drop_last(&mut self, bytes: u64) -> io::Result<()> {
        self.with_journal(|journal| journal.drop_last(bytes))
    }

    fn with_journal(&mut self, act: impl FnOnce(&mut Journal) -> io::Result<()>) -> io::Result<()> {
        self.journal.as_mut().map_or(Ok(()), act)
    }
}

impl AsyncRead for Output {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            pipe,
            journal,
            ends,
        } = self.get_mut();
        if *ends {
            journal.take_if(|journal| !journal.has_more());
        }
        if let Some(journal) = journal
            && journal.has_more()
        {
            let got = journal.read(pipe.get_ref().as_fd(), buffer.initialize_unfilled());
            return Poll::Ready(got.map(|count| buffer.advance(count)));
        }
        loop {
            let mut ready = ready!(pipe.poll_read_ready(context))?;
            let read = ready.try_io(|pipe| {
                let unfilled = buffer.initialize_unfilled();
                match journal {
                    Some(journal) => journal.read(pipe.get_ref().as_fd(), unfilled),
                    None => Ok(rustix::io::read(pipe.get_ref(), unfilled)?),
                }
            });
            match read {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A megabyte in pieces of many sizes, by a writer that fills the pipe again and again.
    #[tokio::test]
    async fn a_kept_output_is_read_to_its_end_and_the_next_one_goes_on() {
        let (mut output, theirs) = Output::pipe().unwrap();
        let mut child = std::fs::File::from(theirs);
        let text: Vec<u8> = (0_u8..251).cycle().take(1_000_000).collect();
        let written = text.clone();
        let writes = tokio::task::spawn_blocking(move || {
            for piece in written.chunks(2_500) {
                child.write_all(piece).unwrap();
            }
            child.write_all(&written).unwrap();
        });
        let mut all = Vec::new();
        let mut buffer = [0; 3_000];
        let mut part = 0;
        loop {
            let got = output.read(&mut buffer).await.unwrap();
            all.extend_from_slice(&buffer[..got]);
            if got == 0 {
                break;
            }
            if part == 0 {
                output.begin_journal(b"").unwrap();
            } else {
                output.part(part, 100).unwrap();
                output.settle().unwrap();
            }
            part += 1;
            if part % 50 == 49 {
                // Another server: it sees the last hundred bytes once more.
                let fds = output.fds().unwrap();
                let [pipe, journal] = fds.map(|fd| fd.try_clone_to_owned().unwrap());
                output = Output::taken_back(pipe, journal).unwrap();
                output.skip_stored(part - 1).unwrap();
                all.truncate(all.len() - 100);
            }
        }
        writes.await.unwrap();
        assert!(part > 100);
        assert!(all == [text.clone(), text].concat());
    }
}
