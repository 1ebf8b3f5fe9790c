//! Real network namespaces for tests, without root where the kernel lets users make them.
//!
//! A test runs again in a child under `unshare --user --net`. The child's namespace plays the
//! server's network and the internet in one: every address in it is local, so an upstream may
//! listen at any public address. A thread of the child then plays the run in a namespace of its own.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind,
    listen, recv, send, setsockopt, socket, sockopt,
};

const MARK: &str = "MARQUETRY_TEST_NAMESPACE";

/// Runs `body` inside a fresh namespace, or says why the test is skipped. `test` is its full name.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the test starts itself again, and nothing foreign, and passes its output on"
)]
pub(crate) fn inside(test: &str, body: impl FnOnce()) {
    if std::env::var_os(MARK).is_some() {
        make_every_address_local();
        return body();
    }
    let unshare = || {
        let mut command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net"]);
        command
    };
    if !unshare()
        .arg("true")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        println!("skipped {test}: `unshare --user --net` is missing or not permitted here");
        return;
    }
    let itself = std::env::current_exe().expect("a test knows its own path");
    let output = unshare()
        .arg(itself)
        .args(["--exact", test, "--nocapture"])
        .env(MARK, "1")
        .output()
        .expect("unshare worked a moment ago");
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} failed in its namespace");
    assert!(
        said.contains("1 passed"),
        "{test} is not the name of the test"
    );
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a network namespace of its own, where the code of a run would be.
pub(crate) struct RunSpace {
    jobs: mpsc::Sender<Job>,
}

impl RunSpace {
    pub(crate) fn new() -> Self {
        let (jobs, inbox) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("root of a user namespace may do this");
            make_every_address_local();
            for job in inbox {
                job();
            }
        });
        Self { jobs }
    }

    /// Does `job` inside and waits for its result.
    pub(crate) fn exec<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (result, outbox) = mpsc::channel();
        let job: Job = Box::new(move || drop(result.send(job())));
        self.jobs.send(job).expect("the thread of the run is alive");
        outbox.recv().expect("the job in the run did not panic")
    }

    /// TCP listeners for both families at these ports.
    pub(crate) fn listeners(&self, ports: &'static [u16]) -> Vec<OwnedFd> {
        self.exec(move || {
            let listen = |&port: &u16| {
                let listener = TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
                OwnedFd::from(listener.expect("the port is free in a fresh namespace"))
            };
            ports.iter().map(listen).collect()
        })
    }

    /// UDP sockets for DNS, one of each family.
    pub(crate) fn name_sockets(&self) -> Vec<OwnedFd> {
        self.exec(|| vec![udp_socket("0.0.0.0"), udp_socket("::")])
    }
}

/// A third party's listener at any address; IPv6 needs leave to bind what no interface has.
pub(crate) fn third_party(address: &str) -> TcpListener {
    let address: SocketAddr = address.parse().expect("an address");
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let open = || -> nix::Result<OwnedFd> {
        let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&fd, sockopt::IpFreebind, &true)?;
        bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
        listen(&fd, Backlog::new(128)?)?;
        Ok(fd)
    };
    open().expect("every address is local here").into()
}

fn udp_socket(address: &str) -> OwnedFd {
    let address: IpAddr = address.parse().expect("an address");
    let family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let open = || -> nix::Result<OwnedFd> {
        let fd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        if address.is_ipv6() {
            setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
        }
        bind(
            fd.as_raw_fd(),
            &SockaddrStorage::from(SocketAddr::new(address, 53)),
        )?;
        Ok(fd)
    };
    open().expect("port 53 is free in a fresh namespace")
}

/// Brings loopback up and routes every address of both families to it as a local one.
fn make_every_address_local() {
    // RTM_NEWLINK: loopback is always the first interface; set IFF_UP
    let mut link = vec![0; 4];
    link.extend_from_slice(&1_i32.to_ne_bytes());
    link.extend_from_slice(&1_u32.to_ne_bytes());
    link.extend_from_slice(&1_u32.to_ne_bytes());
    netlink(16, 0, &link).expect("loopback comes up");
    // RTM_NEWROUTE: table local, protocol boot, type local, by the output interface
    for (family, scope) in [(2, 254), (10, 0)] {
        let mut route = vec![family, 0, 0, 0, 255, 3, scope, 2, 0, 0, 0, 0];
        for half in [8_u16, 4] {
            route.extend_from_slice(&half.to_ne_bytes());
        }
        route.extend_from_slice(&1_u32.to_ne_bytes());
        netlink(24, 0x400, &route).expect("the route to everywhere is set");
    }
}

/// Sends one request to the kernel's routing tables and waits for its acknowledgement.
fn netlink(kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let protocol = SockProtocol::NetlinkRoute;
    let fd = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    let length = u32::try_from(16 + body.len()).expect("the body is short");
    let mut request = length.to_ne_bytes().to_vec();
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&(flags | 5).to_ne_bytes());
    request.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    request.extend_from_slice(body);
    send(fd.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut answer = [0; 4096];
    recv(fd.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let code = answer[16..]
        .first_chunk()
        .map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(-code))
    }
}
