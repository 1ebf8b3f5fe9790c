//! The relay's sockets in a container's network.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::channel;
use crate::inner::network::{self, Sockets};
use crate::inner::{Step, at, sys};
use crate::wire::Notice;

/// Makes them, by a process of our own that enters the network.
pub(super) fn relayed(container: Pid, ports: &[u16]) -> Step<Sockets> {
    let (ours, theirs) = channel::pair().map_err(at("make a socket"))?;
    match sys::clone3(0, None).map_err(at("clone this process"))? {
        sys::Side::Child => {
            drop(ours);
            let notice = match inside(container, ports) {
                Ok(sockets) => return_sockets(&theirs, &sockets),
                Err(reason) => channel::send(&theirs, &Notice::Failed(reason).encode(), &[], true),
            };
            sys::exit(i32::from(notice.is_err()))
        }
        sys::Side::Parent { pid, .. } => {
            drop(theirs);
            let message = channel::receive(&ours, true);
            // It ends at once.
            let _ =
                rustix::process::waitpid(Pid::from_raw(pid), rustix::process::WaitOptions::empty());
            let message = message.ok().flatten();
            let message = message.ok_or_else(|| "nobody made the relay's sockets".to_owned())?;
            match Notice::decode(&message.data) {
                Ok(Notice::Network { tcp }) => Ok(split(message.fds, tcp)),
                Ok(Notice::Failed(reason)) => Err(reason),
                Ok(_) | Err(_) => Err("the relay's sockets did not arrive".to_owned()),
            }
        }
    }
}

fn inside(container: Pid, ports: &[u16]) -> Step<Sockets> {
    let open = |name: &str| {
        File::open(format!("/proc/{}/ns/{name}", container.as_raw_nonzero()))
            .map_err(at(format_args!("open the container's {name} namespace")))
    };
    let network = open("net")?;
    let own = File::open("/proc/self/ns/net").and_then(|own| own.metadata());
    let own = own.map_err(at("look at our own network"))?;
    let theirs = network
        .metadata()
        .map_err(at("look at the container's network"))?;
    if (own.dev(), own.ino()) == (theirs.dev(), theirs.ino()) {
        return Err("the container has no network of its own".to_owned());
    }
    if !rustix::process::geteuid().is_root() {
        // Whoever made the namespace may enter it, as who they are there.
        enter(&open("user")?, LinkNameSpaceType::User)?;
    }
    enter(&network, LinkNameSpaceType::Network)?;
    network::relayed(ports)
}

fn enter(namespace: &File, kind: LinkNameSpaceType) -> Step<()> {
    move_into_link_name_space(namespace.as_fd(), Some(kind)).map_err(at(
        "enter a namespace of the container, which needs root or podman without root",
    ))
}

fn return_sockets(to: &OwnedFd, sockets: &Sockets) -> rustix::io::Result<()> {
    let all = sockets.tcp.iter().chain(&sockets.udp);
    let fds: Vec<_> = all.map(AsFd::as_fd).collect();
    let notice = Notice::Network {
        tcp: sockets.tcp.len(),
    };
    channel::send(to, &notice.encode(), &fds, true)
}

fn split(mut fds: Vec<OwnedFd>, tcp: usize) -> Sockets {
    let udp = fds.split_off(tcp.min(fds.len()));
    Sockets { tcp: fds, udp }
}
