//! Writing an answer.

use std::net::IpAddr;

use super::Transport;
use super::message::{Header, Query};

/// Seconds for which an asker may keep an answer: short, since a run is.
const TTL: u32 = 30;

/// The longest answer over UDP for askers that do not say what they take.
const PLAIN_UDP: usize = 512;

/// The longest answer over UDP for all others: what crosses every network in one packet.
const LARGEST_UDP: usize = 1232;

/// The longest answer over TCP, by its length field.
const LARGEST_TCP: usize = 65_535;

/// Bytes of an OPT record without options.
const OPT_LENGTH: usize = 11;

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    NoError = 0,
    FormatError = 1,
    ServerFailure = 2,
    /// The name does not exist, or may not be known here.
    NameError = 3,
    NotImplemented = 4,
    Refused = 5,
    /// The asker's version of EDNS; lies in both the header and the OPT record.
    BadVersion = 16,
}

/// An answer without a question, to a packet whose question could not be read.
pub(super) fn rejection(header: Header, code: Code) -> Vec<u8> {
    let mut packet = Vec::new();
    write_header(&mut packet, header, code, [0, 0, 0]);
    packet
}

/// An answer that fits its transport; addresses that do not fit are left out and said to be.
pub(super) fn reply(
    query: &Query<'_>,
    code: Code,
    addresses: &[IpAddr],
    transport: Transport,
) -> Vec<u8> {
    let opt_length = if query.edns.is_some() { OPT_LENGTH } else { 0 };
    let limit = largest(query, transport) - opt_length;
    let mut packet = Vec::with_capacity(PLAIN_UDP);
    write_header(&mut packet, query.header, code, [1, 0, 0]);
    packet.extend_from_slice(query.question);
    let mut written: u16 = 0;
    for &address in addresses {
        let end = packet.len();
        write_address(&mut packet, address);
        if packet.len() > limit {
            packet.truncate(end);
            packet[2] |= 0x02;
            break;
        }
        written += 1;
    }
    packet[6..8].copy_from_slice(&written.to_be_bytes());
    if query.edns.is_some() {
        packet[10..12].copy_from_slice(&1_u16.to_be_bytes());
        write_opt(&mut packet, code);
    }
    packet
}

fn largest(query: &Query<'_>, transport: Transport) -> usize {
    match (transport, query.edns) {
        (Transport::Tcp, _) => LARGEST_TCP,
        (Transport::Udp, None) => PLAIN_UDP,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload).clamp(PLAIN_UDP, LARGEST_UDP),
    }
}

/// The header with the counts of questions, answers and additional records.
fn write_header(packet: &mut Vec<u8>, header: Header, code: Code, counts: [u16; 3]) {
    let [questions, answers, additionals] = counts;
    let mut flags: u16 = 0x8080 | (u16::from(header.opcode) << 11) | (code as u16 & 0xf);
    if header.recursion_desired {
        flags |= 0x0100;
    }
    for field in [header.id, flags, questions, answers, 0, additionals] {
        packet.extend_from_slice(&field.to_be_bytes());
    }
}

fn write_address(packet: &mut Vec<u8>, address: IpAddr) {
    // the name is a pointer to the question's
    packet.extend_from_slice(&[0xc0, 12]);
    match address {
        IpAddr::V4(v4) => write_record(packet, 1, &v4.octets()),
        IpAddr::V6(v6) => write_record(packet, 28, &v6.octets()),
    }
}

fn write_record(packet: &mut Vec<u8>, kind: u8, data: &[u8]) {
    packet.extend_from_slice(&[0, kind, 0, 1]);
    packet.extend_from_slice(&TTL.to_be_bytes());
    let length = u16::try_from(data.len()).expect("an address has at most 16 bytes");
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(data);
}

/// The root's name, type OPT, what we take, the upper bits of the code, version 0, no options.
fn write_opt(packet: &mut Vec<u8>, code: Code) {
    let payload = u16::try_from(LARGEST_UDP)
        .expect("fits in two bytes")
        .to_be_bytes();
    let upper = u8::try_from(code as u16 >> 4).expect("codes have twelve bits");
    packet.extend_from_slice(&[0, 0, 41, payload[0], payload[1], upper, 0, 0, 0, 0, 0]);
}
