//! Who sees the runs' processes without the platform: each has a connection to it as long as it lives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

/// One process that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) run: i64,
    pub(crate) tenant: i64,
    /// The run whose output it was given as the tenant's state.
    pub(crate) state: Option<i64>,
    pub(crate) triggers: BTreeSet<i64>,
    /// It said that it had done all that it has to.
    pub(crate) is_done: bool,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// In the order in which they began.
    pub(crate) processes: Vec<Process>,
    /// Runs of one tenant whose processes lived at the same time: the earlier and the later one.
    pub(crate) together: Vec<(i64, i64)>,
    /// What was said that cannot be understood.
    pub(crate) unclear: Vec<String>,
}

#[derive(Default)]
struct State {
    seen: Seen,
    /// By their place among the processes.
    live: BTreeMap<usize, Arc<TcpStream>>,
}

/// Sees until it is dropped.
pub(super) struct Witness {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Witness {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen for the runs")?;
        let port = listener.local_addr()?.port();
        let state = Arc::<Mutex<State>>::default();
        let weak = Arc::downgrade(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Some(state) = weak.upgrade() else { return };
                tokio::spawn(hear(Arc::new(stream), state));
            }
        });
        Ok(Self { port, state })
    }

    /// What an integration executes that is seen here: it says who it is, waits until that is noted, stays for a
    /// while, and ends.
    pub(super) fn script(&self) -> String {
        format!(
            r#"exec 3<>/dev/tcp/127.0.0.1/{port}
run=$PAN_CTX_RUN_ID
printf '%s\t%s\t%s\t%s\n' "$run" "$PAN_CTX_TENANT_ID" \
  "${{PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT:-null}}" "$(<"$PAN_CTX_RUN_TRIGGERS_FILE")" >&3
read -r -u 3 _
echo "one of $run" >&2
printf -v stay '0.%03d' $((run * 7919 % 450 + 50))
read -r -t "$stay" -u 3 _
echo "two of $run" >&2
echo "{{\"run\": $run}}"
echo done >&3
"#,
            port = self.port
        )
    }

    /// How many live.
    pub(super) fn live(&self) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<usize> = state.live.keys().copied().collect();
        all.into_iter().filter(|one| state.is_live(*one)).count()
    }

    pub(super) fn seen(&self) -> Seen {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.seen.clone()
    }
}

/// One process, until it has gone.
async fn hear(stream: Arc<TcpStream>, state: Arc<Mutex<State>>) {
    let Some(line) = first_line(&stream).await else {
        return;
    };
    let number = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(process) = parse(&line) else {
            state.seen.unclear.push(line);
            return;
        };
        state.begin(process, &stream)
    };
    // One that has gone meanwhile needs no answer.
    let _ = write(&stream, b"noted\n").await;
    while stream.readable().await.is_ok() {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_live(number) {
            return;
        }
    }
}

async fn first_line(stream: &TcpStream) -> Option<String> {
    let mut said = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    while !said.ends_with(b"\n") {
        stream.readable().await.ok()?;
        match stream.try_read(&mut buffer) {
            Ok(0) => return None,
            Ok(count) => said.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
    Some(String::from_utf8_lossy(&said).trim_end().to_owned())
}

async fn write(stream: &TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // So few bytes are written at once.
            result => return result.map(drop),
        }
    }
}

fn parse(line: &str) -> Option<Process> {
    let mut parts = line.splitn(4, '\t');
    let mut next = || parts.next();
    let (run, tenant) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let state: Value = serde_json::from_str(next()?).ok()?;
    let triggers: Vec<Value> = serde_json::from_str(next()?).ok()?;
    let id = |trigger: &Value| {
        let id = &trigger["id"];
        id.as_i64().or_else(|| id.as_str()?.parse().ok())
    };
    Some(Process {
        run,
        tenant,
        state: state["run"].as_i64(),
        triggers: triggers.iter().map(id).collect::<Option<_>>()?,
        is_done: false,
    })
}

impl State {
    fn begin(&mut self, process: Process, stream: &Arc<TcpStream>) -> usize {
        let of_tenant = |one: &usize| self.seen.processes[*one].tenant == process.tenant;
        let others: Vec<usize> = self.live.keys().copied().filter(of_tenant).collect();
        for other in others {
            if self.is_live(other) {
                let pair = (self.seen.processes[other].run, process.run);
                self.seen.together.push(pair);
            }
        }
        let number = self.seen.processes.len();
        self.seen.processes.push(process);
        self.live.insert(number, Arc::clone(stream));
        number
    }

    /// Whether it is there at this moment: the kernel closes the connection when the process ends.
    fn is_live(&mut self, number: usize) -> bool {
        let Some(stream) = self.live.get(&number) else {
            return false;
        };
        let mut buffer = [0; 64];
        loop {
            match stream.try_read(&mut buffer) {
                Ok(1..) => self.seen.processes[number].is_done = true,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
                Ok(0) | Err(_) => {
                    self.live.remove(&number);
                    return false;
                }
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the test plays who connects, on loopback"
)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    use super::*;

    async fn begin(witness: &Witness, line: &str) -> BufReader<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, witness.port))
            .await
            .unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).await.unwrap();
        assert_eq!(answer, "noted\n");
        stream
    }

    #[tokio::test]
    async fn it_sees_who_lives_with_whom() {
        let witness = Witness::start().await.unwrap();
        let mut first = begin(&witness, "7\t1\tnull\t[{\"id\":\"3\"},{\"id\":4}]\n").await;
        let beside = begin(&witness, "8\t2\tnull\t[]\n").await;
        assert_eq!(witness.live(), 2);
        first.write_all(b"done\n").await.unwrap();
        drop(first);
        // At the very moment in which the one before has gone.
        let next = begin(&witness, "9\t1\t{\"run\":7}\t[]\n").await;
        assert_eq!(witness.seen().together, []);
        let _too_many = begin(&witness, "10\t1\t{\"run\":7}\t[]\n").await;
        assert_eq!(witness.seen().together, [(9, 10)]);
        drop((beside, next));
        let seen = witness.seen();
        let first = Process {
            run: 7,
            tenant: 1,
            state: None,
            triggers: BTreeSet::from([3, 4]),
            is_done: true,
        };
        assert_eq!(seen.processes[0], first);
        assert_eq!(seen.processes[2].state, Some(7));
        assert!(!seen.processes[1].is_done);
    }
}
