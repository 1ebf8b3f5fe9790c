//! What stands between a server and another one, and can be closed.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A way to a server of this machine.
pub struct Gate {
    /// Where it is reached by this way.
    pub address: SocketAddr,
    is_open: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Gate {
    /// Opens one.
    pub fn open(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Self {
            address: listener.local_addr().unwrap(),
            is_open: Arc::new(AtomicBool::new(true)),
            connections: Arc::default(),
        };
        let (is_open, connections) = (Arc::clone(&gate.is_open), Arc::clone(&gate.connections));
        std::thread::spawn(move || {
            for from in listener.incoming().map_while(Result::ok) {
                let mut connections = connections.lock().unwrap();
                if is_open.load(Ordering::SeqCst)
                    && let Ok(to) = TcpStream::connect(to)
                {
                    let both = [&from, &to].map(|stream| stream.try_clone().unwrap());
                    connections.extend(both);
                    pass(from.try_clone().unwrap(), to.try_clone().unwrap());
                    pass(to, from);
                }
            }
        });
        gate
    }

    /// Ends all connections, and lets nobody pass.
    pub fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        for stream in self.connections.lock().unwrap().drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets everybody pass again.
    pub fn reopen(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

/// Until one of them ends.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
