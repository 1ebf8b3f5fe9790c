//! The network of children.

#![expect(clippy::unwrap_used, reason = "functions that tests share")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use common::{Way, command, finish, start};
use marquetry_sandbox::{Child, EgressSockets, Network, Spec, Status};

in_each_way!(
    without_a_network_there_is_only_its_own_loopback,
    connections_arrive_with_their_destination,
    other_ports_are_refused,
    name_questions_arrive_and_are_answered,
    the_hosts_network_is_there_when_asked_for,
);

fn python(text: &str, network: Network) -> Spec {
    let mut spec = command(&["/usr/bin/python3", "-c", text]);
    spec.network = network;
    spec
}

fn relayed(ports: &[u16]) -> Network {
    Network::Relayed {
        ports: ports.to_vec(),
    }
}

/// Starts a program with a relay for these ports.
async fn relayed_child(
    fixture: &common::Fixture,
    text: &str,
    ports: &[u16],
) -> (Child, EgressSockets) {
    let mut child = fixture.spawn(python(text, relayed(ports))).await.unwrap();
    let egress = child.egress.take().expect("a relayed child has sockets");
    (child, egress)
}

fn listener(egress: &EgressSockets, port: u16) -> TcpListener {
    egress
        .tcp
        .iter()
        .find(|listener| listener.local_addr().unwrap().port() == port)
        .expect("the port is listened on")
        .try_clone()
        .unwrap()
}

/// Accepts one connection, answers its first bytes, and returns the destination asked for.
async fn serve_once(listener: TcpListener) -> SocketAddr {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (stream, _) = tokio::time::timeout(Duration::from_secs(10), listener.accept())
        .await
        .expect("a connection arrives")
        .unwrap();
    let mut stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    let mut asked = [0; 5];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"hello");
    stream.write_all(b"relayed").unwrap();
    stream.local_addr().unwrap()
}

const CONNECT: &str = "
import socket, sys
def ask(host, port):
    with socket.create_connection((host, port), 5) as c:
        c.sendall(b'hello')
        print(c.recv(100).decode())
";

async fn without_a_network_there_is_only_its_own_loopback(way: Way) {
    let fixture = start(way, "none").await;
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    let text = format!(
        "{CONNECT}
for host, port in [('127.0.0.1', {port}), ('93.184.216.34', 443), ('169.254.169.254', 80)]:
    try: ask(host, port); print('connected')
    except OSError: pass
server = socket.create_server(('127.0.0.1', 8080))
client = socket.create_connection(('127.0.0.1', 8080), 5)
print('own')
"
    );
    let outcome = fixture.run(python(&text, Network::None)).await;
    assert_eq!(outcome.stdout, "own\n", "{}", outcome.stderr);
}

async fn connections_arrive_with_their_destination(way: Way) {
    let fixture = start(way, "relay").await;
    let destinations = [
        ("93.184.216.34", 443, "93.184.216.34:443"),
        ("2606:2800:220:1::1", 80, "[2606:2800:220:1::1]:80"),
        ("169.254.169.254", 80, "169.254.169.254:80"),
        ("10.0.0.1", 5432, "10.0.0.1:5432"),
    ];
    for (host, port, expected) in destinations {
        let text = format!("{CONNECT}\nask('{host}', {port})");
        let (child, egress) = relayed_child(&fixture, &text, &[80, 443, 5432]).await;
        let asked = serve_once(listener(&egress, port)).await;
        let canonical = SocketAddr::new(asked.ip().to_canonical(), asked.port());
        assert_eq!(canonical.to_string(), expected);
        let outcome = finish(child).await;
        assert_eq!(outcome.stdout, "relayed\n", "{}", outcome.stderr);
    }
}

async fn other_ports_are_refused(way: Way) {
    let fixture = start(way, "ports").await;
    let text = format!(
        "{CONNECT}
try: ask('93.184.216.34', 22)
except ConnectionRefusedError: print('refused')
server = socket.create_server(('127.0.0.1', 3000))
client = socket.create_connection(('127.0.0.1', 3000), 5)
print('own')
"
    );
    let (child, _egress) = relayed_child(&fixture, &text, &[443]).await;
    let outcome = finish(child).await;
    assert_eq!(outcome.stdout, "refused\nown\n", "{}", outcome.stderr);
}

async fn name_questions_arrive_and_are_answered(way: Way) {
    let fixture = start(way, "names").await;
    let text = "
import socket
for family, host in [(socket.AF_INET, '192.0.2.53'), (socket.AF_INET6, '2001:db8::53')]:
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(10)
    s.sendto(b'question', (host, 53))
    data, sender = s.recvfrom(100)
    print(data.decode(), sender[0])
print(open('/etc/resolv.conf').readline().strip())
";
    let (child, egress) = relayed_child(&fixture, text, &[443]).await;
    let ports: Vec<u16> = egress
        .tcp
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect();
    assert_eq!(ports, [53, 443]);
    assert_eq!(egress.udp.len(), 2);
    for socket in egress.udp {
        tokio::task::spawn_blocking(move || answer_once(&socket))
            .await
            .unwrap();
    }
    let outcome = finish(child).await;
    assert_eq!(
        outcome.stdout, "answer 192.0.2.53\nanswer 2001:db8::53\nnameserver 192.0.2.53\n",
        "{}",
        outcome.stderr
    );
}

/// Answers one datagram from the address it was sent to.
#[expect(unsafe_code, reason = "the standard library has no ancillary data")]
#[expect(
    clippy::cast_ptr_alignment,
    reason = "the kernel aligns control messages, and the buffer is aligned"
)]
fn answer_once(socket: &UdpSocket) {
    use std::os::fd::AsRawFd as _;
    socket.set_nonblocking(false).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut data = [0_u8; 100];
    let mut control = [0_u64; 16];
    // SAFETY: every pointer in the message is to a buffer of the length that stands beside it, and
    // all of them live over both calls. What comes back goes out again unchanged: the sender as the
    // receiver, the packet information as the source.
    unsafe {
        let mut sender: libc::sockaddr_storage = std::mem::zeroed();
        let mut part = libc::iovec {
            iov_base: data.as_mut_ptr().cast(),
            iov_len: data.len(),
        };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_name = (&raw mut sender).cast();
        message.msg_namelen = size_of_val(&sender).try_into().unwrap();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        let length = libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0);
        assert_eq!(length, 8, "{}", std::io::Error::last_os_error());
        assert!(message.msg_controllen > 0, "the destination is told");
        // The interface is for answers that leave the host.
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if (*header).cmsg_level == libc::IPPROTO_IP {
            let info = libc::CMSG_DATA(header).cast::<libc::in_pktinfo>();
            (*info).ipi_spec_dst = (*info).ipi_addr;
            (*info).ipi_ifindex = 0;
        }
        data[..6].copy_from_slice(b"answer");
        (*message.msg_iov).iov_len = 6;
        let sent = libc::sendmsg(socket.as_raw_fd(), &raw const message, 0);
        assert_eq!(sent, 6, "{}", std::io::Error::last_os_error());
    }
}

async fn the_hosts_network_is_there_when_asked_for(way: Way) {
    let fixture = start(way, "host").await;
    let host = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
    let port = host.local_addr().unwrap().port();
    let text = format!(
        "{CONNECT}\nask('127.0.0.1', {port})\nprint(open('/etc/resolv.conf').read(), end='')"
    );
    let child = fixture.spawn(python(&text, Network::Host)).await.unwrap();
    assert!(child.egress.is_none());
    serve_once(host).await;
    let outcome = finish(child).await;
    assert_eq!(
        outcome.ended.status,
        Status::Exited(0),
        "{}",
        outcome.stderr
    );
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    assert_eq!(outcome.stdout, format!("relayed\n{resolver}"));
}
