//! DNS packets that were sent to any address at all, and answers that come from that address.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockaddrLike, SockaddrStorage,
    getsockname, recvmsg, sendmsg, setsockopt, sockopt,
};

/// A bound UDP socket that tells for each packet where it was sent to.
#[derive(Debug)]
pub(super) struct Datagrams(OwnedFd);

/// Where a packet came from and where it was sent to.
#[derive(Debug)]
pub(super) struct Envelope {
    peer: SockaddrStorage,
    sent_to: Option<SentTo>,
}

#[derive(Debug)]
enum SentTo {
    V4(in_pktinfo),
    V6(in6_pktinfo),
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Datagrams {
    /// Takes a bound socket and has the kernel tell the destination of each packet.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        let local: SockaddrStorage = getsockname(socket.as_raw_fd())?;
        match local.family() {
            Some(AddressFamily::Inet) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            Some(AddressFamily::Inet6) => {
                setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
                // a route makes every address local, but only IPv4 takes that for leave to send
                // from it: without this, IPv6 refuses the source of every answer
                setsockopt(&socket, sockopt::IpFreebind, &true)?;
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(Self(socket))
    }

    /// Takes one packet from the socket without waiting; the rest of a longer one is lost.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Envelope)> {
        let mut space = nix::cmsg_space!(in6_pktinfo, in_pktinfo);
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(self.0.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
        let sent_to = message.cmsgs()?.find_map(|control| sent_to(&control));
        let peer = message.address.ok_or(io::ErrorKind::InvalidData)?;
        Ok((message.bytes, Envelope { peer, sent_to }))
    }

    /// Answers from the address that was asked, or the asker would not take it for an answer.
    pub(super) fn send(&self, reply: &[u8], envelope: &Envelope) -> io::Result<()> {
        let control = match &envelope.sent_to {
            Some(SentTo::V4(info)) => &[ControlMessage::Ipv4PacketInfo(info)][..],
            Some(SentTo::V6(info)) => &[ControlMessage::Ipv6PacketInfo(info)][..],
            None => &[],
        };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let parts = [IoSlice::new(reply)];
        sendmsg(
            self.0.as_raw_fd(),
            &parts,
            control,
            flags,
            Some(&envelope.peer),
        )?;
        Ok(())
    }
}

/// The destination in the form in which it is given back as the source of the answer: by address
/// only, since the interface follows from the route.
fn sent_to(message: &ControlMessageOwned) -> Option<SentTo> {
    if let ControlMessageOwned::Ipv4PacketInfo(info) = message {
        return Some(SentTo::V4(in_pktinfo {
            ipi_spec_dst: info.ipi_addr,
            ipi_ifindex: 0,
            ..*info
        }));
    }
    if let ControlMessageOwned::Ipv6PacketInfo(info) = message {
        return Some(SentTo::V6(in6_pktinfo {
            ipi6_ifindex: 0,
            ..*info
        }));
    }
    None
}
