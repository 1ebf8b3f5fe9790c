//! Reading a query (RFC 1035, RFC 6891). Every packet is hostile until proven otherwise: nothing
//! is indexed, nothing follows a pointer, and work is bounded by the packet's length.

use super::reply::Code;
use crate::hosts::normal_name;

/// Bytes of the fixed header.
const HEADER: usize = 12;

/// The longest name with its length bytes.
const LONGEST_NAME: usize = 255;

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;

/// A question with one answer at most.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    pub(super) header: Header,
    /// The question as it stands in the packet, letter case included.
    pub(super) question: &'a [u8],
    /// The name in normal form; none when no host can have it.
    pub(super) name: Option<String>,
    /// Which addresses are asked for; none for every other type of record.
    pub(super) kind: Option<Kind>,
    pub(super) edns: Option<Edns>,
}

/// The parts of a query's header that its answer repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) recursion_desired: bool,
    pub(super) opcode: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    A,
    Aaaa,
}

/// What the asker's OPT record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edns {
    /// The longest answer that the asker takes over UDP, in bytes.
    pub(super) payload: u16,
    pub(super) version: u8,
}

/// A packet that is no query we answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// Too short to answer, or an answer itself: two name services must not talk to each other.
    Silent,
    Answered {
        header: Header,
        code: Code,
    },
}

impl Query<'_> {
    pub(super) fn has_unknown_edns_version(&self) -> bool {
        self.edns.is_some_and(|edns| edns.version != 0)
    }
}

/// Reads a packet as a query with one question.
pub(super) fn parse(packet: &[u8]) -> Result<Query<'_>, Rejection> {
    let mut reader = Reader { rest: packet };
    let (header, counts) = read_header(&mut reader).ok_or(Rejection::Silent)?;
    let Some(header) = header else {
        return Err(Rejection::Silent);
    };
    let reject = |code| Rejection::Answered { header, code };
    if header.opcode != 0 {
        return Err(reject(Code::NotImplemented));
    }
    let [1, answers, authorities, additionals] = counts else {
        return Err(reject(Code::FormatError));
    };
    let records = [answers, authorities, additionals].map(u32::from);
    let (query, class) =
        read_body(packet, reader, header, records.iter().sum()).ok_or(reject(Code::FormatError))?;
    if class == CLASS_IN {
        Ok(query)
    } else {
        Err(reject(Code::Refused))
    }
}

/// The question with its class, and what the `records` after it say about the asker.
fn read_body<'a>(
    packet: &'a [u8],
    mut reader: Reader<'a>,
    header: Header,
    records: u32,
) -> Option<(Query<'a>, u16)> {
    let name = read_name(&mut reader)?;
    let kind = match reader.u16()? {
        TYPE_A => Some(Kind::A),
        TYPE_AAAA => Some(Kind::Aaaa),
        _ => None,
    };
    let class = reader.u16()?;
    let question = packet.get(HEADER..packet.len() - reader.rest.len())?;
    let edns = read_edns(&mut reader, records)?;
    let query = Query {
        header,
        question,
        name,
        kind,
        edns,
    };
    Some((query, class))
}

/// The header of a query, or of an answer (`Some((None, _))`), and the four counts.
fn read_header(reader: &mut Reader<'_>) -> Option<(Option<Header>, [u16; 4])> {
    let id = reader.u16()?;
    let flags = reader.u16()?;
    let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
    let is_answer = flags & 0x8000 != 0;
    let header = Header {
        id,
        recursion_desired: flags & 0x0100 != 0,
        opcode: u8::try_from((flags >> 11) & 0xf).expect("four bits"),
    };
    Some(((!is_answer).then_some(header), counts))
}

/// The question's name: its outer option fails for what is no name at all, the inner one for a
/// name that no host has. A pointer is no name here, since there is nothing to point at yet.
#[expect(
    clippy::option_option,
    reason = "a malformed name and one that no host has end differently"
)]
fn read_name(reader: &mut Reader<'_>) -> Option<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        let length = reader.u8()?;
        if length == 0 {
            break;
        }
        if length > 63 {
            return None;
        }
        let label = reader.take(usize::from(length))?;
        if label.contains(&b'.') {
            // a dot inside a label must not become a border between two
            bytes.push(0);
        }
        bytes.extend_from_slice(label);
        bytes.push(b'.');
        if bytes.len() > LONGEST_NAME {
            return None;
        }
    }
    Some(
        String::from_utf8(bytes)
            .ok()
            .and_then(|name| normal_name(&name)),
    )
}

/// Skips the records after the question and keeps what an OPT record among them says.
#[expect(
    clippy::option_option,
    reason = "malformed records and no OPT record end differently"
)]
fn read_edns(reader: &mut Reader<'_>, records: u32) -> Option<Option<Edns>> {
    let mut edns = None;
    for _ in 0..records {
        skip_name(reader)?;
        let kind = reader.u16()?;
        let class = reader.u16()?;
        let [_, version, _, _] = *reader.take(4)?.first_chunk()?;
        let length = reader.u16()?;
        reader.take(usize::from(length))?;
        if kind == TYPE_OPT {
            let payload = class;
            edns = Some(Edns { payload, version });
        }
    }
    Some(edns)
}

/// Skips a name that may end in a pointer, without following it.
fn skip_name(reader: &mut Reader<'_>) -> Option<()> {
    loop {
        match reader.u8()? {
            0 => return Some(()),
            length @ 1..=63 => reader.take(usize::from(length))?,
            0xc0.. => return reader.u8().map(|_| ()),
            64..0xc0 => return None,
        };
    }
}

/// The part of the packet that has not been read; every step checks that enough is left.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?
            .first_chunk()
            .map(|bytes| u16::from_be_bytes(*bytes))
    }
}
