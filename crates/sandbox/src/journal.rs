//! What was read of a child's output and is still needed, where the next server finds it.
//!
//! A memory file, of which the keeper has a copy. The kernel moves each piece from the pipe to its end (`splice`) in
//! one step, so that a piece is in one of the two, at whatever instant a server is killed.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, fstat, ftruncate, memfd_create};
use rustix::pipe::{SpliceFlags, splice};

/// Where the pieces begin; before them stands the [`Header`].
const DATA: u64 = 4096;
/// Memory is given back in parts of at least this size, in bytes.
const GARBAGE: u64 = 64 << 10;

/// What was read of one output.
#[derive(Debug)]
pub(crate) struct Journal {
    file: OwnedFd,
    header: Header,
    /// Where reading goes on, and where the file ends.
    at: u64,
    end: u64,
    /// Up to here no memory is used.
    freed: u64,
}

/// What the next server must know of the pieces; offsets of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// What lies before is not needed.
    start: u64,
    /// The last part that was made of them, or 0.
    part: u64,
    /// What lies before is not needed when that part is stored.
    upto: u64,
}

impl Journal {
    /// One of what was read already and is still needed.
    pub(crate) fn new(read: &[u8]) -> io::Result<Self> {
        let file = memfd_create("output", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, DATA)?;
        let mut end = DATA;
        while end - DATA < read.len() as u64 {
            let rest = &read[usize::try_from(end - DATA).unwrap_or(read.len())..];
            end += rustix::io::pwrite(&file, rest, end)? as u64;
        }
        let header = Header {
            start: DATA,
            part: 0,
            upto: DATA,
        };
        header.write(&file)?;
        let mut this = Self::of(file, header, end);
        this.at = end;
        Ok(this)
    }

    /// That of a former server. It is read once more, from the first piece that is needed.
    pub(crate) fn taken_back(file: OwnedFd) -> io::Result<Self> {
        let header = Header::read(&file)?;
        let end = u64::try_from(fstat(&file)?.st_size).unwrap_or(0);
        if header.start < DATA || header.upto < header.start || end < header.upto {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self::of(file, header, end))
    }

    fn of(file: OwnedFd, header: Header, end: u64) -> Self {
        Self {
            file,
            header,
            at: header.start,
            end,
            freed: DATA,
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Whether something of the file is to be read.
    pub(crate) fn has_more(&self) -> bool {
        self.at < self.end
    }

    /// Of what was taken back: so many parts are stored.
    pub(crate) fn skip_stored(&mut self, parts: u64) -> io::Result<()> {
        if parts >= self.header.part {
            self.settle()?;
            self.at = self.at.max(self.header.start);
        }
        Ok(())
    }

    /// The next bytes: of the file, else of the pipe; none when its writers have gone.
    pub(crate) fn read(&mut self, pipe: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.has_more() {
            let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
            let mut end = self.end;
            let moved = splice(pipe, None, &self.file, Some(&mut end), buffer.len(), flags)?;
            self.end += u64::try_from(moved).unwrap_or(0);
        }
        let there = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = there.min(buffer.len());
        let got = rustix::io::pread(&self.file, &mut buffer[..most], self.at)?;
        self.at += u64::try_from(got).unwrap_or(0);
        Ok(got)
    }

    /// What was read, but for the last bytes, is in this part, which is going to be stored.
    pub(crate) fn part(&mut self, number: u64, but: u64) -> io::Result<()> {
        let header = Header {
            part: number,
            // A former server may have made more of it: that part was not stored, and this one is in its place.
            upto: self.but(but),
            ..self.header
        };
        header.write(&self.file)?;
        self.header = header;
        Ok(())
    }

    /// The last part is stored.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.start_at(self.header.upto)
    }

    /// What was read, but for the last bytes, is not needed.
    pub(crate) fn need_last(&mut self, bytes: u64) -> io::Result<()> {
        let start = self.but(bytes);
        if start < self.header.start + GARBAGE {
            return Ok(());
        }
        self.header.upto = self.header.upto.max(start);
        self.start_at(start)
    }

    /// How many bytes are kept, in memory.
    pub(crate) fn kept(&self) -> u64 {
        self.end - self.header.start
    }

    /// The last bytes that were read are not needed, and are not in any part.
    pub(crate) fn drop_last(&mut self, bytes: u64) -> io::Result<()> {
        // Else there is something of a former server behind them.
        if !self.has_more() {
            self.end = self.at.saturating_sub(bytes).max(self.header.upto);
            self.at = self.end;
            ftruncate(&self.file, self.end)?;
        }
        Ok(())
    }

    fn but(&self, bytes: u64) -> u64 {
        self.at.saturating_sub(bytes).max(self.header.start)
    }

    fn start_at(&mut self, start: u64) -> io::Result<()> {
        let header = Header {
            start,
            ..self.header
        };
        header.write(&self.file)?;
        self.header = header;
        let garbage = start - self.freed;
        if garbage >= GARBAGE {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(&self.file, hole, self.freed, garbage)?;
            self.freed = start - start % DATA;
        }
        Ok(())
    }
}

/// Its size in the file.
const HEADER: usize = 3 * size_of::<u64>();

impl Header {
    fn read(file: &OwnedFd) -> io::Result<Self> {
        let mut bytes = [0; HEADER];
        if rustix::io::pread(file, &mut bytes, 0)? != HEADER {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (numbers, _) = bytes.as_chunks();
        let mut numbers = numbers.iter().map(|number| u64::from_ne_bytes(*number));
        let mut next = || numbers.next().unwrap_or(0);
        Ok(Self {
            start: next(),
            part: next(),
            upto: next(),
        })
    }

    /// In one step, as far as a kill is concerned.
    fn write(self, file: &OwnedFd) -> io::Result<()> {
        let numbers = [self.start, self.part, self.upto].map(u64::to_ne_bytes);
        match rustix::io::pwrite(file, numbers.as_flattened(), 0)? {
            HEADER => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct Pipe {
        reader: OwnedFd,
        writer: std::fs::File,
    }

    fn pipe() -> Pipe {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        Pipe {
            reader,
            writer: writer.into(),
        }
    }

    fn read(journal: &mut Journal, pipe: &Pipe, most: usize) -> Vec<u8> {
        let mut buffer = vec![0; most];
        let got = journal.read(pipe.reader.as_fd(), &mut buffer).unwrap();
        buffer.truncate(got);
        buffer
    }

    /// What the next server reads, when so many parts are stored.
    fn next(journal: &Journal, pipe: &Pipe, stored: u64) -> Vec<u8> {
        let file = journal.file.try_clone().unwrap();
        let mut next = Journal::taken_back(file).unwrap();
        next.skip_stored(stored).unwrap();
        let all = next.end - next.at;
        let all = usize::try_from(all).unwrap();
        if all == 0 {
            Vec::new()
        } else {
            read(&mut next, pipe, all)
        }
    }

    #[test]
    fn a_piece_is_read_again_until_its_part_is_stored() {
        let mut pipe = pipe();
        let mut journal = Journal::new(b"").unwrap();
        pipe.writer.write_all(b"one two").unwrap();
        assert_eq!(read(&mut journal, &pipe, 4), b"one ");
        assert_eq!(next(&journal, &pipe, 0), b"one ");
        journal.part(1, 1).unwrap();
        assert_eq!(read(&mut journal, &pipe, 99), b"two");
        assert_eq!(next(&journal, &pipe, 0), b"one two");
        journal.settle().unwrap();
        assert_eq!(next(&journal, &pipe, 1), b" two");
        // One that is made anew may have more.
        journal.part(2, 2).unwrap();
        journal.part(2, 1).unwrap();
        assert_eq!(next(&journal, &pipe, 1), b" two");
        assert_eq!(next(&journal, &pipe, 2), b"o");
        drop(pipe.writer);
        let mut byte = [0];
        assert_eq!(journal.read(pipe.reader.as_fd(), &mut byte).unwrap(), 0);
    }

    #[test]
    fn what_was_read_before_is_in_it() {
        let pipe = pipe();
        let mut journal = Journal::new(b"held").unwrap();
        assert!(!journal.has_more());
        assert_eq!(next(&journal, &pipe, 0), b"held");
        journal.part(1, 1).unwrap();
        assert_eq!(next(&journal, &pipe, 1), b"d");
    }

    /// The part that a former server was about to store had more in it.
    #[test]
    fn a_part_that_is_made_anew_may_be_smaller() {
        let mut pipe = pipe();
        let mut journal = Journal::new(b"").unwrap();
        let text: Vec<u8> = (0_u8..251).cycle().take(200_000).collect();
        for piece in text.chunks(50_000) {
            pipe.writer.write_all(piece).unwrap();
            assert_eq!(read(&mut journal, &pipe, 50_000), piece);
        }
        journal.part(1, 0).unwrap();
        let mut after = Journal::taken_back(journal.file.try_clone().unwrap()).unwrap();
        after.skip_stored(0).unwrap();
        assert_eq!(read(&mut after, &pipe, 120_000), text[..120_000]);
        after.part(1, 0).unwrap();
        after.settle().unwrap();
        assert_eq!(next(&after, &pipe, 1), text[120_000..]);
        assert_eq!(read(&mut after, &pipe, 80_000), text[120_000..]);
    }

    #[test]
    fn memory_of_what_is_not_needed_is_given_back() {
        let mut pipe = pipe();
        let mut journal = Journal::new(b"").unwrap();
        let text: Vec<u8> = (0_u8..251).cycle().take(10_000).collect();
        for number in 1..=100 {
            pipe.writer.write_all(&text).unwrap();
            assert_eq!(read(&mut journal, &pipe, 10_000), text);
            if number < 50 {
                journal.part(number, 10).unwrap();
                journal.settle().unwrap();
            } else {
                journal.need_last(2_000).unwrap();
            }
        }
        let used = fstat(&journal.file).unwrap().st_blocks * 512;
        assert!(used < 150_000, "{used} bytes of {}", journal.end);
        let end = journal.end;
        pipe.writer.write_all(b"beyond").unwrap();
        read(&mut journal, &pipe, 99);
        journal.drop_last(6).unwrap();
        assert_eq!(journal.end, end);
        let rest = next(&journal, &pipe, 49);
        assert!(rest.ends_with(&text[8_000..]));
        assert!(rest.len() < 100_000, "{}", rest.len());
    }

    #[test]
    fn what_is_no_journal_is_none() {
        let file = memfd_create("none", MemfdFlags::CLOEXEC).unwrap();
        assert!(Journal::taken_back(file.try_clone().unwrap()).is_err());
        ftruncate(&file, DATA).unwrap();
        assert!(Journal::taken_back(file).is_err());
    }
}
