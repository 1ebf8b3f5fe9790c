//! The network of a child with a network namespace of its own.

use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::{Step, at, sys};

const LOOPBACK_INDEX: u32 = 1;
const BACKLOG: i32 = 1024;
const DNS: u16 = 53;

/// Not among the C library crate's constants.
const IPV6_FREEBIND: libc::c_int = 78;

// From rtnetlink(7) and netlink(7).
const NEW_LINK: u16 = 16;
const NEW_ROUTE: u16 = 24;
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE_EXCLUSIVELY: u16 = 0x600;
const HEADER: usize = 16;
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;

/// The resolver's address inside. Any would do, since every address arrives at the relay; this one
/// is set aside for documentation and never a real host.
const RESOLVER: &str = "192.0.2.53";

/// What a child reads in `/etc/resolv.conf`.
pub(crate) fn resolver_settings() -> String {
    format!("nameserver {RESOLVER}\noptions timeout:5 attempts:2\n")
}

/// Sockets at which a relayed child's traffic arrives.
pub(crate) struct Sockets {
    pub(crate) tcp: Vec<OwnedFd>,
    pub(crate) udp: Vec<OwnedFd>,
}

/// Brings the loopback device up: programs that talk to themselves work.
pub(crate) fn loopback() -> Step<()> {
    let socket = route_socket()?;
    ask(&socket, NEW_LINK, 0, &link_up()).map_err(at("bring the loopback device up"))
}

/// Makes every address local, and listens on the ports.
pub(crate) fn relayed(ports: &[u16]) -> Step<Sockets> {
    let socket = route_socket()?;
    ask(&socket, NEW_LINK, 0, &link_up()).map_err(at("bring the loopback device up"))?;
    let route = |family| {
        ask(
            &socket,
            NEW_ROUTE,
            CREATE_EXCLUSIVELY,
            &any_is_local(family),
        )
    };
    route(FAMILY_V4).map_err(at("make IPv4 addresses local"))?;
    // Hosts without IPv6 have nothing to relay for it.
    let has_v6 = route(FAMILY_V6).is_ok();
    let mut sockets = Sockets {
        tcp: Vec::new(),
        udp: Vec::new(),
    };
    for port in std::iter::once(DNS).chain(ports.iter().copied().filter(|port| *port != DNS)) {
        sockets
            .tcp
            .push(listen(port, has_v6).map_err(at(format_args!("listen on port {port}")))?);
    }
    sockets.udp.push(datagrams(false)?);
    if has_v6 {
        sockets.udp.push(datagrams(true)?);
    }
    Ok(sockets)
}

fn address(v6: bool, port: u16) -> SocketAddr {
    if v6 {
        (Ipv6Addr::UNSPECIFIED, port).into()
    } else {
        (Ipv4Addr::UNSPECIFIED, port).into()
    }
}

fn family(v6: bool) -> AddressFamily {
    if v6 {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    }
}

/// Listens for both families on one socket.
fn listen(port: u16, v6: bool) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family(v6), SocketType::STREAM, flags, None)?;
    if v6 {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address(v6, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A socket for DNS that tells and takes the local address of each datagram.
fn datagrams(v6: bool) -> Step<OwnedFd> {
    let step = if v6 {
        "take DNS over IPv6"
    } else {
        "take DNS over IPv4"
    };
    let make = || -> std::io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family(v6), SocketType::DGRAM, flags, None)?;
        if v6 {
            sockopt::set_ipv6_v6only(&socket, true)?;
            sys::set_socket_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
            // Answers come from addresses that no device has.
            sys::set_socket_option(&socket, libc::IPPROTO_IPV6, IPV6_FREEBIND, 1)?;
        } else {
            sys::set_socket_option(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        }
        rustix::net::bind(&socket, &address(v6, DNS))?;
        Ok(socket)
    };
    make().map_err(at(step))
}

fn route_socket() -> Step<OwnedFd> {
    rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // The first netlink protocol is that of routes.
        None,
    )
    .map_err(at("open a route socket"))
}

/// Sends one request and reads its acknowledgement.
fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> Result<(), Refused> {
    let length = u32::try_from(HEADER + body.len()).expect("requests are short");
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&(REQUEST | ACKNOWLEDGE | flags).to_ne_bytes());
    message.extend_from_slice(&1u32.to_ne_bytes());
    message.extend_from_slice(&0u32.to_ne_bytes());
    message.extend_from_slice(body);
    rustix::net::send(socket, &message, SendFlags::empty()).map_err(Refused)?;
    let mut answer = [0; 512];
    let (bytes, _) = rustix::net::recv(socket, &mut answer, RecvFlags::empty()).map_err(Refused)?;
    let code = answer[..bytes]
        .get(HEADER..HEADER + 4)
        .and_then(|code| code.try_into().ok())
        .map_or(-Errno::PROTO.raw_os_error(), i32::from_ne_bytes);
    match code {
        0 => Ok(()),
        code => Err(Refused(Errno::from_raw_os_error(-code))),
    }
}

/// The kernel refused a network request.
struct Refused(Errno);

impl Display for Refused {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(to)
    }
}

/// `struct ifinfomsg`: the loopback device, flag `IFF_UP`.
fn link_up() -> Vec<u8> {
    let mut body = vec![0; 4];
    for word in [LOOPBACK_INDEX, 1, 1] {
        body.extend_from_slice(&word.to_ne_bytes());
    }
    body
}

/// `struct rtmsg` and its device: all addresses of the family are local to the loopback device.
fn any_is_local(family: u8) -> Vec<u8> {
    const TABLE_LOCAL: u8 = 255;
    const PROTOCOL_BOOT: u8 = 3;
    const SCOPE_HOST: u8 = 254;
    const TYPE_LOCAL: u8 = 2;
    const OUTPUT_DEVICE: u16 = 4;
    let scope = if family == FAMILY_V4 { SCOPE_HOST } else { 0 };
    let mut body = vec![
        family,
        0,
        0,
        0,
        TABLE_LOCAL,
        PROTOCOL_BOOT,
        scope,
        TYPE_LOCAL,
    ];
    body.extend_from_slice(&0u32.to_ne_bytes());
    body.extend_from_slice(&8u16.to_ne_bytes());
    body.extend_from_slice(&OUTPUT_DEVICE.to_ne_bytes());
    body.extend_from_slice(&LOOPBACK_INDEX.to_ne_bytes());
    body
}
