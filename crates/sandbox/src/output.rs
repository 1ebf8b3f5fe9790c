//! What a child writes.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, tee};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, ReadBuf};

use crate::watched;

/// One output stream of a child.
///
/// It is read in one of two ways: as a stream, or by [`Output::look`], which leaves in the pipe what was seen, for
/// a server that takes the child back. Who goes over to reading consumes what was seen first.
#[derive(Debug)]
pub struct Output {
    pipe: AsyncFd<OwnedFd>,
    /// Bytes that were seen and are still in the pipe.
    seen: usize,
    /// Copies of the pipe's content are read from here.
    copies: Option<Copies>,
    /// How long it is waited for word of more: see [`SOON`].
    pause: Duration,
}

/// A pipe for copies, as large as the one that is copied.
#[derive(Debug)]
struct Copies {
    reader: OwnedFd,
    writer: OwnedFd,
}

/// What the pipe of a standard output holds, in bytes, where the kernel gives it: more than the
/// last line that a run may print. Some runtimes (Node) drop at `exit` what a full pipe did not
/// take at once.
const STDOUT: usize = 256 << 10;
/// A writer that fills a pipe tells of it only where the pipe was empty. While something is left in it, it is looked
/// at without word: soon at first, and less and less often while there is nothing.
const SOON: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_secs(1);
/// What is thrown away at once, in bytes.
const WASTE: usize = 16 << 10;

impl Output {
    /// The pipes of standard output and standard error: our ends, and the child's.
    pub(crate) fn pipes() -> io::Result<[(Self, OwnedFd); 2]> {
        let stdout = Self::pipe()?;
        // A user who has many pipes may get no larger one.
        let _ = fcntl_setpipe_size(&stdout.1, STDOUT);
        Ok([stdout, Self::pipe()?])
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
            seen: 0,
            copies: None,
            pause: SOON,
        })
    }

    pub(crate) fn fd(&self) -> impl AsFd + '_ {
        self.pipe.get_ref()
    }

    /// How many bytes the pipe holds at most: a child that has written so many waits.
    pub fn capacity(&self) -> usize {
        fcntl_getpipe_size(self.pipe.get_ref()).unwrap_or(0)
    }

    /// How many bytes were seen and are still there.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// The next bytes that were not seen yet, which stay where they are; none at the end. Cancel-safe.
    ///
    /// # Errors
    /// What the system says.
    pub async fn look(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.copies.is_none() {
            self.copies = Some(Copies::of(self.pipe.get_ref())?);
        }
        loop {
            // First without word: of what came while others of it were taken away there is none.
            if let Some(count) = self.next(buffer)? {
                self.seen += count;
                self.pause = SOON;
                return Ok(count);
            }
            if self.seen == 0 {
                self.pipe.readable().await?.clear_ready();
            } else {
                let word = tokio::time::timeout(self.pause, self.pipe.readable()).await;
                match word {
                    Ok(ready) => ready?.clear_ready(),
                    Err(_elapsed) => self.pause = (self.pause * 2).min(LATE),
                }
            }
        }
    }

    fn next(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let copies = self.copies.as_ref();
        let next = copies.map(|copies| copies.next(self.pipe.get_ref(), self.seen, buffer));
        match next.unwrap_or(Err(Errno::AGAIN)) {
            Ok(count) => Ok(Some(count)),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the oldest bytes that were seen away: nobody needs them any more.
    pub fn consume(&mut self, count: usize) {
        let mut left = count.min(self.seen);
        self.seen -= left;
        let mut waste = [MaybeUninit::uninit(); WASTE];
        while left > 0 {
            let most = left.min(WASTE);
            match rustix::io::read(self.pipe.get_ref(), &mut waste[..most]) {
                Ok((got, _)) if !got.is_empty() => left -= got.len(),
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl Copies {
    fn of(pipe: &OwnedFd) -> io::Result<Self> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        if let Ok(size) = fcntl_getpipe_size(pipe) {
            // A smaller one only shows less at once.
            let _ = fcntl_setpipe_size(&writer, size);
        }
        Ok(Self { reader, writer })
    }

    /// What stands behind the first `seen` bytes; none at the end, and no answer while there is nothing new.
    fn next(&self, pipe: &OwnedFd, seen: usize, buffer: &mut [u8]) -> Result<usize, Errno> {
        // First: who has closed it writes nothing more, so that what is counted then is all.
        let closed = is_closed(pipe)?;
        let there = usize::try_from(ioctl_fionread(pipe)?).unwrap_or(usize::MAX);
        if there <= seen {
            return if closed { Ok(0) } else { Err(Errno::AGAIN) };
        }
        let wanted = (there - seen).min(buffer.len());
        let copied = tee(pipe, &self.writer, seen + wanted, SpliceFlags::NONBLOCK)?;
        let mut skip = seen.min(copied);
        let mut waste = [0; WASTE];
        while skip > 0 {
            let most = skip.min(WASTE);
            skip -= rustix::io::read(&self.reader, &mut waste[..most])?;
        }
        let new = (copied - seen.min(copied)).min(buffer.len());
        let mut got = 0;
        while got < new {
            got += rustix::io::read(&self.reader, &mut buffer[got..new])?;
        }
        // A copy that shows nothing new is one of a pipe that has more parts than the copy can hold.
        if got == 0 {
            Err(Errno::NOBUFS)
        } else {
            Ok(got)
        }
    }
}

fn is_closed(pipe: &OwnedFd) -> Result<bool, Errno> {
    let mut fds = [PollFd::new(pipe, PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&at_once))?;
    Ok(fds[0].revents().contains(PollFlags::HUP))
}

impl AsyncRead for Output {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Who has looked before may have had the word of what is there.
        if self.copies.is_some() {
            let got = rustix::io::read(self.pipe.get_ref(), buffer.initialize_unfilled());
            if let Ok(count) = got {
                buffer.advance(count);
                return Poll::Ready(Ok(()));
            }
        }
        loop {
            let mut ready = ready!(self.pipe.poll_read_ready(context))?;
            let read = ready.try_io(|pipe| {
                let got = rustix::io::read(pipe.get_ref(), buffer.initialize_unfilled());
                got.map_err(io::Error::from)
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

    fn pipe() -> (Output, std::fs::File) {
        let (output, writer) = Output::pipe().unwrap();
        (output, writer.into())
    }

    async fn looked(output: &mut Output, most: usize) -> Vec<u8> {
        let mut buffer = vec![0; most];
        let count = output.look(&mut buffer).await.unwrap();
        buffer.truncate(count);
        buffer
    }

    #[tokio::test]
    async fn what_was_seen_stays_until_it_is_consumed() {
        let (mut output, mut child) = pipe();
        child.write_all(b"one ").unwrap();
        assert_eq!(looked(&mut output, 99).await, b"one ");
        child.write_all(b"two three").unwrap();
        assert_eq!(looked(&mut output, 3).await, b"two");
        output.consume(2);
        assert_eq!(looked(&mut output, 99).await, b" three");
        assert_eq!(output.seen(), 11);
        drop(child);
        assert_eq!(looked(&mut output, 99).await, b"", "the end");
        // Whoever comes next sees what was not consumed.
        let Output { pipe, .. } = output;
        let mut next = Output::of(pipe.into_inner()).unwrap();
        assert_eq!(looked(&mut next, 99).await, b"e two three");
        next.consume(usize::MAX);
        assert_eq!(looked(&mut next, 99).await, b"");
    }

    #[tokio::test]
    async fn who_waits_hears_of_each_write_and_of_the_end() {
        let (mut output, mut child) = pipe();
        let writes = tokio::task::spawn_blocking(move || {
            for n in 0..2000 {
                child.write_all(format!("{n}\n").as_bytes()).unwrap();
            }
        });
        let mut all = Vec::new();
        loop {
            let next = looked(&mut output, 100).await;
            if next.is_empty() {
                break;
            }
            all.extend(next);
            if output.seen() > 300 {
                output.consume(output.seen() - 50);
            }
        }
        writes.await.unwrap();
        let lines: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
        let expected = lines.join("\n") + "\n";
        assert_eq!(String::from_utf8(all).unwrap(), expected);
    }

    #[tokio::test]
    async fn who_goes_over_to_reading_waits_for_no_word_that_was_given() {
        let (mut output, mut child) = pipe();
        let writes = tokio::task::spawn_blocking(move || child.write_all(&vec![b'x'; 300_000]));
        let mut seen = 0;
        while seen < output.capacity() {
            seen += looked(&mut output, 20_000).await.len();
        }
        output.consume(seen);
        let mut rest = Vec::new();
        output.read_to_end(&mut rest).await.unwrap();
        assert_eq!(seen + rest.len(), 300_000);
        writes.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn one_write_that_is_larger_than_the_pipe_is_seen_while_little_is_left_in_it() {
        let (mut output, mut child) = pipe();
        let text: Vec<u8> = (0_u8..251).cycle().take(1_000_000).collect();
        let written = text.clone();
        let writes = tokio::task::spawn_blocking(move || {
            child.write_all(b"x").unwrap();
            std::thread::sleep(Duration::from_millis(50));
            child.write_all(&written).unwrap();
        });
        assert_eq!(looked(&mut output, 1000).await, b"x");
        let mut all = Vec::new();
        loop {
            let next = looked(&mut output, 3000).await;
            if next.is_empty() {
                break;
            }
            all.extend(next);
            if output.seen() > 40_000 {
                output.consume(output.seen() - 1);
            }
        }
        writes.await.unwrap();
        assert!(all == text);
    }

    #[tokio::test]
    async fn a_full_pipe_is_seen_to_its_end() {
        let (mut output, mut child) = pipe();
        let size = output.capacity();
        let text: Vec<u8> = (0_u8..251).cycle().take(size).collect();
        child.write_all(&text).unwrap();
        let mut all = Vec::new();
        while all.len() < size {
            all.extend(looked(&mut output, 1000).await);
        }
        assert_eq!(all, text);
    }
}
