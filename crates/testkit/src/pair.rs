//! A PostgreSQL server and its standby, which has all that the first one has acknowledged and can take its place.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::PostgresDatabase;

/// Both of them, on ports of this machine; gone when it is dropped.
pub struct Pair {
    folder: tempfile::TempDir,
    /// Where PostgreSQL's programs are, and the user who may start them where root may not.
    programs: PathBuf,
    owner: Option<String>,
    ports: [u16; 2],
    first: Option<Child>,
    second: Option<Child>,
}

impl Pair {
    /// Starts them; none where `./test` did not say where the programs are.
    pub fn start() -> Option<Self> {
        let variable = |name: &str| std::env::var(format!("MARQUETRY_TEST_POSTGRES_{name}")).ok();
        let ports = [(); 2].map(|()| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        });
        let mut pair = Self {
            folder: tempfile::tempdir().unwrap(),
            programs: variable("PROGRAMS")?.into(),
            owner: variable("OWNER").filter(|owner| !owner.is_empty()),
            ports,
            first: None,
            second: None,
        };
        pair.give_folder();
        let data = pair.data(0);
        pair.run(
            "initdb",
            &[
                "--username=marquetry",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--pgdata",
                &data,
            ],
        );
        pair.first = Some(pair.serve(0));
        pair.wait_for(0);
        let (port, copy) = (pair.ports[0].to_string(), pair.data(1));
        pair.run(
            "pg_basebackup",
            &[
                "--host=127.0.0.1",
                "--port",
                &port,
                "--username=marquetry",
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--pgdata",
                &copy,
            ],
        );
        pair.second = Some(pair.serve(1));
        pair.wait_for(1);
        // From here on nothing is acknowledged that the second does not have.
        pair.ask(0, "ALTER SYSTEM SET synchronous_standby_names = '*'");
        pair.ask(0, "SELECT pg_reload_conf()");
        pair.ask(0, "CREATE DATABASE marquetry");
        Some(pair)
    }

    /// The database, on whichever of them takes writes.
    pub fn database(&self) -> PostgresDatabase {
        let [first, second] = self.ports;
        PostgresDatabase::elsewhere(format!(
            "postgres://marquetry@127.0.0.1:{first},127.0.0.1:{second}/marquetry?target_session_attrs=read-write&sslmode=disable"
        ))
    }

    /// The first one ends as by a power cut.
    pub fn lose_first(&mut self) {
        let mut first = self.first.take().unwrap();
        // Its children end with it, by themselves.
        first.kill().unwrap();
        first.wait().unwrap();
    }

    /// The second one takes its place.
    pub fn promote(&self) {
        let data = self.data(1);
        self.run("pg_ctl", &["promote", "--wait", "--pgdata", &data]);
    }

    fn data(&self, index: usize) -> String {
        let data = self.folder.path().join(format!("data-{index}"));
        data.display().to_string()
    }

    fn give_folder(&self) {
        if let Some(owner) = &self.owner {
            let given = Command::new("chown")
                .arg(format!("{owner}:"))
                .arg(self.folder.path())
                .status();
            assert!(given.unwrap().success());
        }
    }

    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match &self.owner {
            Some(owner) => {
                let group = Command::new("id").args(["-g", owner]).output().unwrap();
                let group = String::from_utf8(group.stdout).unwrap();
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={owner}"));
                command.arg(format!("--regid={}", group.trim()));
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, words: &[&str]) {
        let done = self.command(program).args(words).output().unwrap();
        assert!(done.status.success(), "{program} {words:?}: {done:?}");
    }

    fn ask(&self, index: usize, sql: &str) {
        let port = self.ports[index].to_string();
        self.run(
            "psql",
            &[
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "marquetry",
                "-d",
                "postgres",
                "-qc",
                sql,
            ],
        );
    }

    fn serve(&self, index: usize) -> Child {
        let log = std::fs::File::create(self.folder.path().join(format!("log-{index}"))).unwrap();
        let mut command = self.command("postgres");
        command.args([
            "-D",
            &self.data(index),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
        ]);
        command.args([
            "-c",
            &format!("port={}", self.ports[index]),
            "-c",
            "fsync=off",
        ]);
        command
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn wait_for(&self, index: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        let port = self.ports[index].to_string();
        let asks = || -> io::Result<bool> {
            let words = [
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "marquetry",
                "-d",
                "postgres",
                "-qc",
                "SELECT 1",
            ];
            Ok(self.command("psql").args(words).output()?.status.success())
        };
        while !asks().unwrap() {
            assert!(Instant::now() < until, "{}", self.log(index));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self, index: usize) -> String {
        let path: &Path = self.folder.path();
        std::fs::read_to_string(path.join(format!("log-{index}"))).unwrap_or_default()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for mut server in [self.first.take(), self.second.take()]
            .into_iter()
            .flatten()
        {
            // A test that fails must not abort in the clean-up.
            let pid = server.id().to_string();
            let _ = Command::new("kill").args(["-QUIT", &pid]).status();
            let _ = server.wait();
        }
    }
}
