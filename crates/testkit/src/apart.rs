//! Hosts of their own on this machine: network namespaces on one bridge, cut from each other by rules of the
//! packet filter.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A bridge that this machine is on too, gone with its hosts when it is dropped.
pub struct Network {
    /// In the names of what it makes, and in its addresses.
    number: u8,
    hosts: Vec<Host>,
}

/// A host on it.
#[derive(Debug, Clone)]
pub struct Host {
    /// The namespace's name.
    pub name: String,
    /// Its address on the bridge.
    pub address: IpAddr,
}

impl Network {
    /// Makes one. Needs root, `ip` and `nft`.
    pub fn make() -> Self {
        let number = u8::try_from(std::process::id() % 250).unwrap();
        let this = Self {
            number,
            hosts: Vec::new(),
        };
        let bridge = this.bridge();
        run("ip", &["link", "add", &bridge, "type", "bridge"]);
        let address = format!("{}/24", this.own_address());
        run("ip", &["address", "add", &address, "dev", &bridge]);
        run("ip", &["link", "set", &bridge, "up"]);
        this
    }

    /// This machine's address on it.
    pub fn own_address(&self) -> IpAddr {
        self.address(1)
    }

    /// Adds a host.
    pub fn host(&mut self) -> Host {
        let index = u8::try_from(self.hosts.len()).unwrap() + 2;
        let name = format!("mqns{}x{index}", self.number);
        let (ours, theirs) = (format!("{name}a"), format!("{name}b"));
        let address = self.address(index);
        run("ip", &["netns", "add", &name]);
        self.hosts.push(Host {
            name: name.clone(),
            address,
        });
        run(
            "ip",
            &[
                "link", "add", &ours, "type", "veth", "peer", "name", &theirs, "netns", &name,
            ],
        );
        run("ip", &["link", "set", &ours, "master", &self.bridge()]);
        run("ip", &["link", "set", &ours, "up"]);
        let inside = |words: &[&str]| run("ip", &[&["-n", name.as_str()], words].concat());
        inside(&["address", "add", &format!("{address}/24"), "dev", &theirs]);
        inside(&["link", "set", &theirs, "up"]);
        inside(&["link", "set", "lo", "up"]);
        self.hosts[usize::from(index - 2)].clone()
    }

    /// A way for the hosts to a server of this machine that listens on a Unix socket.
    pub fn lead_to(&self, socket: PathBuf) -> SocketAddr {
        way(self.own_address(), socket, Duration::ZERO)
    }

    fn bridge(&self) -> String {
        format!("mqbr{}", self.number)
    }

    fn address(&self, last: u8) -> IpAddr {
        Ipv4Addr::new(10, 213, self.number, last).into()
    }
}

impl Host {
    /// From here on it neither hears nor reaches these: packets vanish, as on a broken line.
    pub fn cut_off(&self, others: &[IpAddr]) {
        let list: Vec<String> = others.iter().map(ToString::to_string).collect();
        let list = format!("{{ {} }}", list.join(", "));
        self.nft(&format!(
            "table inet cut {{
                chain heard {{ type filter hook input priority 0; ip saddr {list} drop; }}
                chain said {{ type filter hook output priority 0; ip daddr {list} drop; }}
            }}"
        ));
    }

    /// Mends the line.
    pub fn mend(&self) {
        self.nft("delete table inet cut");
    }

    fn nft(&self, rules: &str) {
        run("ip", &["netns", "exec", &self.name, "nft", rules]);
    }

    /// A command that runs there.
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name))
            .arg(program);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A test that fails must not abort in the clean-up.
        for host in &self.hosts {
            let _ = Command::new("ip")
                .args(["netns", "del", &host.name])
                .status();
        }
        let _ = Command::new("ip")
            .args(["link", "del", &self.bridge()])
            .status();
    }
}

fn run(program: &str, words: &[&str]) {
    let done = Command::new(program).args(words).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.status.success(), "{program} {words:?}: {done:?}");
}

/// A way to a server of this machine that listens on a Unix socket, on which everything takes so much longer in each
/// direction.
pub fn way(address: IpAddr, socket: PathBuf, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for from in listener.incoming().map_while(Result::ok) {
            if let Ok(to) = UnixStream::connect(&socket) {
                let (back_from, back_to) = (to.try_clone().unwrap(), from.try_clone().unwrap());
                pass(from, to, delay);
                pass(back_from, back_to, delay);
            }
        }
    });
    address
}

/// Until one of them ends.
fn pass(
    mut from: impl io::Read + Send + 'static,
    mut to: impl io::Write + Send + 'static,
    delay: Duration,
) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            std::thread::sleep(delay);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
    });
}
