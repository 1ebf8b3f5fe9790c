//! The relay with real sockets: connections and names of a run in its own network namespace.

mod support;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use marquetry_outbound::relay::{
    HostRule, Limits, Reason, Relay, RelayHandle, RelayStats, Rules, Sockets, Target,
};
use marquetry_outbound::{AddressKind, AddressPolicy, Resolver};
use support::{RunSpace, inside, third_party};
use tokio::runtime::Runtime;

/// No wait in these tests is longer, and none that succeeds is nearly as long.
const PATIENCE: Duration = Duration::from_secs(20);

const PORTS: &[u16] = &[22, 25, 53, 80, 443, 465, 587, 1433, 3306, 5432, 8080, 8443];

struct Bench {
    runtime: Runtime,
    run: RunSpace,
    relay: RelayHandle,
}

fn rules() -> Rules {
    let names = [
        ("shop.test", vec!["93.184.216.34", "2606:2800:220:1::1"]),
        ("inside.test", vec!["10.0.0.5"]),
    ];
    let names = names.map(|(name, addresses)| {
        let addresses = addresses
            .iter()
            .map(|text| text.parse().expect("an address"));
        (name.to_owned(), addresses.collect())
    });
    Rules {
        policy: Arc::new(AddressPolicy::public_only()),
        resolver: Arc::new(Resolver::table(HashMap::from(names))),
        hosts: HostRule::Any,
    }
}

fn start(runtime: &Runtime, sockets: Sockets, limits: Limits) -> RelayHandle {
    let _inside = runtime.enter();
    Relay::start(sockets, rules(), limits).expect("the sockets are good")
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let run = RunSpace::new();
        let sockets = Sockets {
            tcp: run.listeners(PORTS),
            udp: run.name_sockets(),
        };
        let relay = start(&runtime, sockets, limits);
        Self {
            runtime,
            run,
            relay,
        }
    }

    fn connect(&self, target: &str) -> TcpStream {
        let target: SocketAddr = target.parse().expect("an address");
        self.run
            .exec(move || patient(TcpStream::connect(target).expect("the relay accepts")))
    }

    fn close(self) -> RelayStats {
        self.runtime.block_on(self.relay.close())
    }
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// A third party that serves one connection.
fn upstream<T: Send + 'static>(
    address: &str,
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> JoinHandle<T> {
    let listener = third_party(address);
    std::thread::spawn(move || serve(patient(listener.accept().expect("a connection").0)))
}

fn read_all(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("a proper end");
    bytes
}

fn is_reset(mut stream: &TcpStream) -> bool {
    stream
        .read(&mut [0; 1])
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn bytes_and_half_close_pass_in_both_families() {
    inside("bytes_and_half_close_pass_in_both_families", || {
        let bench = Bench::new(Limits::default());
        for target in ["93.184.216.34:443", "[2606:2800:220:1::1]:5432"] {
            let third = upstream(target, |mut stream| {
                // answers only after the end of the question, which must therefore pass alone
                let question = read_all(&stream);
                stream.write_all(b"you said ").unwrap();
                stream.write_all(&question).unwrap();
            });
            let mut client = bench.connect(target);
            client.write_all(b"hello").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(&client), b"you said hello");
            third.join().unwrap();
        }
        let stats = bench.close();
        assert_eq!(
            (stats.connections, stats.bytes_out, stats.bytes_in),
            (2, 10, 28)
        );
        assert_eq!((stats.refused, stats.failed), (0, 0));
    });
}

#[test]
fn much_passes_both_ways_at_once() {
    const MUCH: usize = 32 << 20;
    let pattern = |seed: usize| (0..MUCH).map(move |place| ((place * seed) >> 7).to_le_bytes()[0]);
    inside("much_passes_both_ways_at_once", move || {
        let bench = Bench::new(Limits::default());
        let exchange = move |stream: TcpStream, send: usize, receive: usize| {
            let mut writer = stream.try_clone().unwrap();
            let sent = std::thread::spawn(move || {
                writer
                    .write_all(&pattern(send).collect::<Vec<_>>())
                    .unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let received = read_all(&stream);
            sent.join().unwrap();
            assert!(
                received.iter().copied().eq(pattern(receive)),
                "the bytes are as sent"
            );
        };
        let third = upstream("1.1.1.1:80", move |stream| exchange(stream, 3, 5));
        let began = Instant::now();
        exchange(bench.connect("1.1.1.1:80"), 5, 3);
        third.join().unwrap();
        println!("2 x {} MiB in {:?}", MUCH >> 20, began.elapsed());
        let stats = bench.close();
        assert_eq!(
            (stats.bytes_out, stats.bytes_in),
            (MUCH as u64, MUCH as u64)
        );
    });
}

#[test]
fn refusals_are_resets_with_a_reason() {
    inside("refusals_are_resets_with_a_reason", || {
        let bench = Bench::new(Limits::default());
        for (target, text) in [
            (
                "10.0.0.5:5432",
                "10.0.0.5:5432 was refused: private address",
            ),
            (
                "169.254.169.254:80",
                "169.254.169.254:80 was refused: cloud metadata address",
            ),
            (
                "[fd00:ec2::254]:80",
                "[fd00:ec2::254]:80 was refused: cloud metadata address",
            ),
            (
                "127.0.0.1:8080",
                "127.0.0.1:8080 was refused: loopback address",
            ),
            (
                "[64:ff9b::7f00:1]:8080",
                "[64:ff9b::7f00:1]:8080 was refused: loopback address",
            ),
        ] {
            // somebody listens there in the server's network, and must not hear of it
            let listener = third_party(target);
            listener.set_nonblocking(true).unwrap();
            assert!(is_reset(&bench.connect(target)), "{target}");
            assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
            let last = bench.relay.stats().recent.pop().unwrap().to_string();
            assert!(last.contains(text), "{last}");
        }
        assert_eq!(bench.close().refused, 5);
    });
}

#[test]
fn failures_outside_are_resets_too() {
    inside("failures_outside_are_resets_too", || {
        let bench = Bench::new(Limits::default());
        assert!(
            is_reset(&bench.connect("9.9.9.9:443")),
            "nobody listens there"
        );
        let stats = bench.relay.stats();
        assert_eq!(stats.failed, 1);
        assert_eq!(
            stats.recent[0].reason,
            Reason::Unreachable(ErrorKind::ConnectionRefused)
        );

        // a third party that breaks off in the middle: data that it never reads makes a reset
        let third = upstream("9.9.9.10:443", |mut stream| {
            stream.read_exact(&mut [0; 1]).unwrap();
        });
        let mut client = bench.connect("9.9.9.10:443");
        client.write_all(b"more than one byte").unwrap();
        third.join().unwrap();
        assert!(is_reset(&client));
    });
}

#[test]
fn connections_over_the_limit_are_reset_and_closed_ones_make_room() {
    inside(
        "connections_over_the_limit_are_reset_and_closed_ones_make_room",
        || {
            let bench = Bench::new(Limits {
                connections: 8,
                ..Limits::default()
            });
            let listener = third_party("1.1.1.1:443");
            let mut open = Vec::new();
            for _ in 0..8 {
                let client = bench.connect("1.1.1.1:443");
                open.push((client, listener.accept().unwrap()));
            }
            for _ in 0..20 {
                assert!(is_reset(&bench.connect("1.1.1.1:443")));
            }
            let stats = bench.relay.stats();
            assert_eq!(stats.refused, 20);
            assert_eq!(stats.recent[0].reason, Reason::TooManyConnections(8));
            assert_eq!(stats.recent[0].times, 20);
            open.pop();
            listener.set_nonblocking(true).unwrap();
            let mut retries = Vec::new();
            eventually("room for one more", || {
                retries.push(bench.connect("1.1.1.1:443"));
                !is_reset_soon(retries.last().unwrap()) && listener.accept().is_ok()
            });
        },
    );
}

/// Whether the connection is reset within a moment.
fn is_reset_soon(stream: &TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap_or_default();
    is_reset(stream)
}

#[test]
fn idle_connections_end() {
    inside("idle_connections_end", || {
        let limits = Limits {
            idle_timeout: Duration::from_millis(50),
            ..Limits::default()
        };
        let bench = Bench::new(limits);
        let third = upstream("1.1.1.1:443", |stream| is_reset(&stream));
        assert!(is_reset(&bench.connect("1.1.1.1:443")));
        assert!(third.join().unwrap());
    });
}

#[test]
fn a_dropped_relay_closes_everything() {
    inside("a_dropped_relay_closes_everything", || {
        let bench = Bench::new(Limits::default());
        let listener = third_party("1.1.1.1:443");
        let client = bench.connect("1.1.1.1:443");
        let third = patient(listener.accept().unwrap().0);
        drop(bench.relay);
        assert_eq!(read_all(&third), b"");
        assert_eq!(read_all(&client), b"");
        // nobody listens in the run any more
        let target: SocketAddr = "1.1.1.1:443".parse().unwrap();
        bench.run.exec(move || {
            eventually("the end of the listeners", || {
                TcpStream::connect(target).is_err()
            });
        });
    });
}

/// A query for the address records (1 or 28) of a name.
fn query(name: &str, kind: u8) -> Vec<u8> {
    let mut packet = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).expect("a label"));
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, kind, 0, 1]);
    packet
}

/// Asks over a connected socket, which takes answers only from the address that was asked.
fn ask(server: SocketAddr, packet: &[u8]) -> Vec<u8> {
    let any = if server.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket.connect(server).expect("every address is local");
    // garbage first: it must neither be answered as a query nor stop the service
    for garbage in [&b"x"[..], &[0xff; 700], &[]] {
        socket.send(garbage).expect("sent");
    }
    socket.send(packet).expect("sent");
    let mut reply = vec![0; 2048];
    loop {
        let length = socket
            .recv(&mut reply)
            .expect("an answer from the address asked");
        if reply.starts_with(&[7, 7]) {
            return reply[..length].to_vec();
        }
    }
}

#[test]
fn names_are_answered_from_the_address_that_was_asked() {
    inside("names_are_answered_from_the_address_that_was_asked", || {
        let bench = Bench::new(Limits::default());
        for server in [
            "8.8.8.8:53",
            "127.0.0.53:53",
            "[2001:4860:4860::8888]:53",
            "[::1]:53",
        ] {
            let server: SocketAddr = server.parse().unwrap();
            bench.run.exec(move || {
                let reply = ask(server, &query("shop.test", 1));
                assert_eq!((reply[3] & 0xf, reply[7]), (0, 1));
                assert!(reply.ends_with(&[93, 184, 216, 34]));
                let reply = ask(server, &query("shop.test", 28));
                assert_eq!(
                    (reply[3] & 0xf, reply[7], reply[reply.len() - 1]),
                    (0, 1, 1)
                );
                for absent in ["inside.test", "none.test"] {
                    let reply = ask(server, &query(absent, 1));
                    assert_eq!((reply[3] & 0xf, reply[7]), (3, 0));
                }
            });
        }
        let stats = bench.close();
        assert_eq!((stats.refused, stats.queries), (4, 4 * 4 * 4));
        assert_eq!(stats.recent.len(), 1);
        assert_eq!(
            stats.recent[0].target,
            Target::Name("inside.test".to_owned())
        );
    });
}

#[test]
fn names_are_answered_over_tcp_at_any_address() {
    inside("names_are_answered_over_tcp_at_any_address", || {
        let bench = Bench::new(Limits::default());
        let mut client = bench.connect("10.9.9.9:53");
        let packet = query("shop.test", 1);
        client
            .write_all(&[0, u8::try_from(packet.len()).unwrap()])
            .unwrap();
        client.write_all(&packet).unwrap();
        let mut length = [0; 2];
        client.read_exact(&mut length).unwrap();
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        client.read_exact(&mut reply).unwrap();
        assert!(reply.ends_with(&[93, 184, 216, 34]));
    });
}

#[test]
fn without_a_namespace_loopback_is_refused_and_names_are_answered() {
    let runtime = Runtime::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let names = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (target, server) = (listener.local_addr().unwrap(), names.local_addr().unwrap());
    let sockets = Sockets {
        tcp: vec![listener.into()],
        udp: vec![names.into()],
    };
    let relay = start(&runtime, sockets, Limits::default());
    assert!(is_reset(&patient(TcpStream::connect(target).unwrap())));
    assert!(ask(server, &query("shop.test", 1)).ends_with(&[93, 184, 216, 34]));
    let stats = runtime.block_on(relay.close());
    assert_eq!(stats.recent[0].target, Target::Address(target));
    assert_eq!(
        stats.recent[0].reason,
        Reason::Address(AddressKind::Loopback)
    );
}

#[test]
fn what_is_no_socket_is_an_error() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let sockets = Sockets {
        tcp: Vec::new(),
        udp: vec![file()],
    };
    assert!(Relay::start(sockets, rules(), Limits::default()).is_err());
}

#[test]
fn a_start_takes_microseconds() {
    inside("a_start_takes_microseconds", || {
        let runtime = Runtime::new().unwrap();
        let mut times: Vec<Duration> = (0..50)
            .map(|_| {
                let run = RunSpace::new();
                let sockets = Sockets {
                    tcp: run.listeners(PORTS),
                    udp: run.name_sockets(),
                };
                let began = Instant::now();
                let relay = start(&runtime, sockets, Limits::default());
                let took = began.elapsed();
                drop(relay);
                took
            })
            .collect();
        times.sort();
        println!("start: median {:?}, slowest {:?}", times[25], times[49]);
        assert!(
            times[25] < Duration::from_millis(5),
            "far above what it needs"
        );
    });
}
