//! The form in which requests reach the spawner and reports come back. Both ends are always the
//! same binary, so there is no versioning.

pub(crate) mod container;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::spec::{Cause, Ended, Status, Usage};

/// Appends values to a byte string.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn count(&mut self, value: usize) -> &mut Self {
        self.u64(value as u64)
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.count(value.len());
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn os(&mut self, value: impl AsRef<OsStr>) -> &mut Self {
        self.bytes(value.as_ref().as_bytes())
    }
}

/// The message was shorter than its own lengths say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truncated;

/// Reads back what [`Writer`] wrote.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn u64(&mut self) -> Result<u64, Truncated> {
        let (head, rest) = self.0.split_first_chunk::<8>().ok_or(Truncated)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*head))
    }

    pub(crate) fn count(&mut self) -> Result<usize, Truncated> {
        usize::try_from(self.u64()?).map_err(|_| Truncated)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Truncated> {
        let length = self.count()?;
        let (head, rest) = self.0.split_at_checked(length).ok_or(Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn os(&mut self) -> Result<OsString, Truncated> {
        Ok(OsString::from_vec(self.bytes()?.to_vec()))
    }

    pub(crate) fn text(&mut self) -> Result<String, Truncated> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    pub(crate) fn path(&mut self) -> Result<PathBuf, Truncated> {
        Ok(PathBuf::from(self.os()?))
    }

    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Truncated>,
    ) -> Result<Vec<T>, Truncated> {
        let length = self.count()?;
        (0..length).map(|_| item(self)).collect()
    }
}

/// What the spawner prepares once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) namespaces: bool,
    pub(crate) landlock: bool,
    pub(crate) seccomp: bool,
    pub(crate) toolchain_paths: Vec<PathBuf>,
    pub(crate) hidden_paths: Vec<PathBuf>,
    pub(crate) scratch_dir: PathBuf,
}

impl Setup {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u64(u64::from(self.namespaces))
            .u64(u64::from(self.landlock))
            .u64(u64::from(self.seccomp));
        for list in [&self.toolchain_paths, &self.hidden_paths] {
            out.count(list.len());
            for path in list {
                out.os(path);
            }
        }
        out.os(&self.scratch_dir);
        out.0
    }

    pub(crate) fn decode(data: &[u8]) -> Result<Self, Truncated> {
        let mut from = Reader(data);
        Ok(Self {
            namespaces: from.u64()? != 0,
            landlock: from.u64()? != 0,
            seccomp: from.u64()? != 0,
            toolchain_paths: from.list(Reader::path)?,
            hidden_paths: from.list(Reader::path)?,
            scratch_dir: from.path()?,
        })
    }
}

/// Network of a child as the spawner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Net {
    None,
    Host,
    Relayed(Vec<u16>),
}

/// The small part of a request that the spawner itself reads; it fits one message. The descriptors
/// that come with it are, in this order: the body's memory file, stdout, stderr, the control
/// socket, `group_fds` control groups, and one detached mount per mount where the server could
/// make them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) slot: u32,
    pub(crate) own_network: bool,
    pub(crate) group_fds: usize,
    /// The one control group descriptor is a version 2 folder to clone into.
    pub(crate) group_is_v2: bool,
    pub(crate) mount_fds: usize,
}

impl Head {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u64(u64::from(self.slot))
            .u64(u64::from(self.own_network))
            .count(self.group_fds)
            .u64(u64::from(self.group_is_v2))
            .count(self.mount_fds);
        out.0
    }

    pub(crate) fn decode(data: &[u8]) -> Result<Self, Truncated> {
        let mut from = Reader(data);
        Ok(Self {
            slot: u32::try_from(from.u64()?).map_err(|_| Truncated)?,
            own_network: from.u64()? != 0,
            group_fds: from.count()?,
            group_is_v2: from.u64()? != 0,
            mount_fds: from.count()?,
        })
    }
}

/// A mount of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyMount {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) writable: bool,
}

/// The large part of a request, read by the child's PID 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) lease_ms: u64,
    pub(crate) memory_bytes: u64,
    /// No control group limits memory: PID 1 has to watch it.
    pub(crate) watch_memory: bool,
    pub(crate) processes: u64,
    pub(crate) open_files: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) net: Net,
    pub(crate) working_dir: PathBuf,
    pub(crate) mounts: Vec<BodyMount>,
    pub(crate) command: Vec<OsString>,
    /// `NAME=value` strings.
    pub(crate) environment: Vec<OsString>,
}

impl Body {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u64(self.lease_ms)
            .u64(self.memory_bytes)
            .u64(u64::from(self.watch_memory))
            .u64(self.processes)
            .u64(self.open_files)
            .u64(self.disk_bytes);
        match &self.net {
            Net::None => {
                out.u64(0);
            }
            Net::Host => {
                out.u64(1);
            }
            Net::Relayed(ports) => {
                out.u64(2).count(ports.len());
                for port in ports {
                    out.u64(u64::from(*port));
                }
            }
        }
        out.os(&self.working_dir).count(self.mounts.len());
        for mount in &self.mounts {
            out.os(&mount.source)
                .os(&mount.target)
                .u64(u64::from(mount.writable));
        }
        for list in [&self.command, &self.environment] {
            out.count(list.len());
            for text in list {
                out.os(text);
            }
        }
        out.0
    }

    pub(crate) fn decode(data: &[u8]) -> Result<Self, Truncated> {
        let mut from = Reader(data);
        Ok(Self {
            lease_ms: from.u64()?,
            memory_bytes: from.u64()?,
            watch_memory: from.u64()? != 0,
            processes: from.u64()?,
            open_files: from.u64()?,
            disk_bytes: from.u64()?,
            net: match from.u64()? {
                0 => Net::None,
                1 => Net::Host,
                _ => Net::Relayed(
                    from.list(|item| u16::try_from(item.u64()?).map_err(|_| Truncated))?,
                ),
            },
            working_dir: from.path()?,
            mounts: from.list(|item| {
                Ok(BodyMount {
                    source: item.path()?,
                    target: item.path()?,
                    writable: item.u64()? != 0,
                })
            })?,
            command: from.list(Reader::os)?,
            environment: from.list(Reader::os)?,
        })
    }
}

/// What the server tells a PID 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Let the lease end this many milliseconds from now.
    Lease(u64),
    /// SIGTERM to every process.
    Terminate,
    /// SIGKILL to every process.
    Kill,
    /// Give the sockets of its network once more, for a server that takes it back.
    Introduce,
}

impl Order {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Lease(ms) => out.u64(0).u64(ms),
            Self::Terminate => out.u64(1),
            Self::Kill => out.u64(2),
            Self::Introduce => out.u64(3),
        };
        out.0
    }

    pub(crate) fn decode(data: &[u8]) -> Result<Self, Truncated> {
        let mut from = Reader(data);
        match from.u64()? {
            0 => Ok(Self::Lease(from.u64()?)),
            1 => Ok(Self::Terminate),
            2 => Ok(Self::Kill),
            3 => Ok(Self::Introduce),
            _ => Err(Truncated),
        }
    }
}

/// What the spawner and a PID 1 tell the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// From the spawner, once: it is ready for requests.
    Prepared {
        /// It is root on the host, see [`crate::inner`].
        privileged: bool,
    },
    /// From the spawner; the descriptor is PID 1's pidfd.
    Started,
    /// From PID 1: the network stands; the descriptors are this many TCP listeners, then UDP
    /// sockets.
    Network { tcp: usize },
    /// A step of the set-up failed; nothing was started.
    Failed(String),
    /// From PID 1: everything has ended.
    Ended(Ended),
}

impl Notice {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Started => {
                out.u64(0);
            }
            Self::Network { tcp } => {
                out.u64(1).count(*tcp);
            }
            Self::Failed(reason) => {
                out.u64(2).os(reason);
            }
            Self::Ended(ended) => encode_ended(&mut out, ended),
            Self::Prepared { privileged } => {
                out.u64(4).u64(u64::from(*privileged));
            }
        }
        out.0
    }

    /// Whether an encoded one tells the end.
    pub(crate) fn is_end(data: &[u8]) -> bool {
        Reader(data).u64() == Ok(3)
    }

    pub(crate) fn decode(data: &[u8]) -> Result<Self, Truncated> {
        let mut from = Reader(data);
        match from.u64()? {
            0 => Ok(Self::Started),
            1 => Ok(Self::Network { tcp: from.count()? }),
            2 => Ok(Self::Failed(from.text()?)),
            3 => decode_ended(&mut from).map(Self::Ended),
            4 => Ok(Self::Prepared {
                privileged: from.u64()? != 0,
            }),
            _ => Err(Truncated),
        }
    }
}

fn encode_ended(out: &mut Writer, ended: &Ended) {
    let (kind, value) = match ended.status {
        Status::Exited(code) => (0, code),
        Status::Signalled(signal) => (1, signal),
    };
    let cause = match ended.cause {
        Cause::Own => 0,
        Cause::LeaseEnded => 1,
        Cause::MemoryLimit => 2,
        Cause::Lost | Cause::DiskLimit | Cause::Killed | Cause::SetupFailed(_) => 3,
    };
    out.u64(3)
        .u64(kind)
        .u64(u64::from(value.cast_unsigned()))
        .u64(cause)
        .u64(ended.usage.cpu_ms)
        .u64(ended.usage.max_rss_bytes);
}

fn decode_ended(from: &mut Reader<'_>) -> Result<Ended, Truncated> {
    let kind = from.u64()?;
    let value = u32::try_from(from.u64()?)
        .map_err(|_| Truncated)?
        .cast_signed();
    Ok(Ended {
        status: if kind == 0 {
            Status::Exited(value)
        } else {
            Status::Signalled(value)
        },
        cause: match from.u64()? {
            0 => Cause::Own,
            1 => Cause::LeaseEnded,
            2 => Cause::MemoryLimit,
            _ => Cause::Lost,
        },
        usage: Usage {
            cpu_ms: from.u64()?,
            max_rss_bytes: from.u64()?,
        },
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn body() -> Body {
        Body {
            lease_ms: 1,
            memory_bytes: 2,
            watch_memory: true,
            processes: 3,
            open_files: 4,
            disk_bytes: 5,
            net: Net::Relayed(vec![80, 443]),
            working_dir: PathBuf::from("/w"),
            mounts: vec![BodyMount {
                source: PathBuf::from("/s"),
                target: PathBuf::from("/t"),
                writable: true,
            }],
            command: vec![OsString::from("a"), OsString::new()],
            environment: vec![OsString::from_vec(vec![b'X', b'=', 0xff])],
        }
    }

    #[test]
    fn a_body_survives_the_way() {
        assert_eq!(Body::decode(&body().encode()), Ok(body()));
    }

    #[test]
    fn every_truncation_is_noticed() {
        let data = body().encode();
        for length in 0..data.len() {
            assert_eq!(Body::decode(&data[..length]), Err(Truncated), "{length}");
        }
    }

    #[test]
    fn notices_and_orders_survive_the_way() {
        let ended = Ended {
            status: Status::Exited(-1),
            cause: Cause::LeaseEnded,
            usage: Usage {
                cpu_ms: 7,
                max_rss_bytes: 8,
            },
        };
        for notice in [
            Notice::Prepared { privileged: true },
            Notice::Started,
            Notice::Network { tcp: 3 },
            Notice::Failed("mount /x".into()),
            Notice::Ended(ended),
        ] {
            assert_eq!(Notice::decode(&notice.encode()), Ok(notice));
        }
        for order in [
            Order::Lease(9),
            Order::Terminate,
            Order::Kill,
            Order::Introduce,
        ] {
            assert_eq!(Order::decode(&order.encode()), Ok(order));
        }
    }
}
