//! The product in its own process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use marquetry_model::Timestamp;
use marquetry_store::{Options, Store};
use reqwest::Method;
use serde_json::Value;

use crate::left_over::Helpers;
use crate::{Database, Host, PostgresDatabase, SmallDisk, eventually};

/// With PostgreSQL nothing makes one.
pub const MASTER_KEY: &str = "dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=";

/// The key that every test server knows.
const KEY: &str = "mq_test_key_that_every_test_server_knows";

/// How a server is started.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The binary; in a test of its package `env!("CARGO_BIN_EXE_marquetry")`.
    pub binary: PathBuf,
    /// Which database.
    pub database: Database,
    /// Further arguments of `serve`.
    pub arguments: Vec<String>,
    /// The size of the disk that its data folder has for itself, in megabytes, where it has one.
    pub disk: Option<u32>,
    /// The host that it runs on; this machine itself without.
    pub host: Option<Host>,
    /// Where it finds the database, if not where that listens.
    pub way: Option<SocketAddr>,
}

impl ServerOptions {
    /// The usual ones.
    pub fn new(binary: &str, database: Database) -> Self {
        Self {
            binary: binary.into(),
            database,
            arguments: Vec::new(),
            disk: None,
            host: None,
            way: None,
        }
    }

    /// Which reaches the database there.
    #[must_use]
    pub fn by_way(mut self, database: SocketAddr) -> Self {
        self.way = Some(database);
        self
    }

    /// On a host of its own, which reaches the database there.
    #[must_use]
    pub fn on_host(mut self, host: &Host, database: SocketAddr) -> Self {
        self.host = Some(host.clone());
        self.by_way(database)
    }

    /// With a disk of its own, of so many megabytes.
    #[must_use]
    pub fn with_small_disk(mut self, megabytes: u32) -> Self {
        self.disk = Some(megabytes);
        self
    }

    /// One more argument of `serve`.
    #[must_use]
    pub fn with(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }
}

/// A server on a free port with a data folder of its own.
pub struct TestServer {
    /// Its URL, without a slash at the end.
    pub url: String,
    /// Gone before the folder that it covers.
    disk: Option<SmallDisk>,
    /// Its data folder.
    pub data_dir: tempfile::TempDir,
    options: ServerOptions,
    pub(crate) postgres: Option<Arc<PostgresDatabase>>,
    process: Option<Child>,
    helpers: Helpers,
    http: reqwest::Client,
    log: Arc<Mutex<String>>,
    answers: Mutex<String>,
}

/// What a route answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The body as JSON, of an answer that must have this status.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }
}

impl TestServer {
    /// Starts one and waits until it listens.
    pub async fn start(options: ServerOptions) -> Self {
        let postgres = match options.database {
            Database::Sqlite => None,
            Database::Postgres => Some(Arc::new(PostgresDatabase::create().await)),
        };
        Self::on(options, postgres)
    }

    /// Starts another node of this one's installation, which is on PostgreSQL.
    #[must_use]
    pub fn start_beside(&self, options: ServerOptions) -> Self {
        assert!(self.postgres.is_some(), "SQLite has one node");
        let blobs = self.data_dir.path().join("blobs");
        let options = options.with(&format!("--blobs=file:{}", blobs.display()));
        Self::on(options, self.postgres.clone())
    }

    /// Starts the first node of an installation on this database.
    pub fn start_on(options: ServerOptions, database: Arc<PostgresDatabase>) -> Self {
        Self::on(options, Some(database))
    }

    /// Starts a server on a copy of this one's data folder, as somebody does who tries something.
    #[must_use]
    pub fn start_copy(&self, options: ServerOptions) -> Self {
        let mut copy = Self::prepare(options, None);
        let from = self.data_dir.path().join(".");
        let copied = Command::new("cp")
            .arg("-r")
            .arg(from)
            .arg(copy.data_dir.path())
            .status();
        assert!(copied.unwrap().success());
        copy.launch();
        copy
    }

    fn on(options: ServerOptions, postgres: Option<Arc<PostgresDatabase>>) -> Self {
        let mut server = Self::prepare(options, postgres);
        server.launch();
        server
    }

    fn prepare(options: ServerOptions, postgres: Option<Arc<PostgresDatabase>>) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let data_dir = tempfile::tempdir().unwrap();
        let url = String::new();
        let disk = options
            .disk
            .map(|size| SmallDisk::at(data_dir.path(), size));
        Self {
            url,
            disk,
            data_dir,
            options,
            postgres,
            process: None,
            helpers: Helpers::default(),
            http,
            log: Arc::default(),
            answers: Mutex::default(),
        }
    }

    fn launch(&mut self) {
        let binary = &self.options.binary;
        let (mut command, address) = match &self.options.host {
            Some(host) => (host.command(binary), host.address.to_string()),
            None => (Command::new(binary), "127.0.0.1".to_owned()),
        };
        command
            .args(["serve", "--listen", &format!("{address}:0"), "--data-dir"])
            .arg(self.data_dir.path());
        if let Some(postgres) = &self.postgres {
            let url = match self.options.way {
                Some(at) => postgres.url_at(at),
                None => postgres.url.clone(),
            };
            command.args(["--database-url", &url]);
            command.env("MARQUETRY_MASTER_KEY", MASTER_KEY);
        }
        command.args(&self.options.arguments);
        command.env("MARQUETRY_BOOTSTRAP_API_KEY", KEY);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .stdin(Stdio::null());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (found, url) = mpsc::channel();
        let log = Arc::clone(&self.log);
        let said = format!("http://{address}:");
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(start) = line.find(&said) {
                    let url: String = line[start..]
                        .chars()
                        .take_while(|c| !c.is_whitespace())
                        .collect();
                    // Only the first line is waited for.
                    let _ = found.send(url);
                }
                say(&line);
                if let Ok(mut log) = log.lock() {
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let url = url.recv_timeout(Duration::from_secs(60));
        self.process = Some(process);
        let url = url.expect("the server announces its URL");
        url.trim_end_matches('/').clone_into(&mut self.url);
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Ends it as a power cut would, with all that it has started.
    pub fn kill(&mut self) {
        self.kill_alone();
        self.helpers.kill();
    }

    /// Ends the server's process, and nothing else.
    pub fn kill_alone(&mut self) {
        if let Some(mut process) = self.process.take() {
            self.helpers.note(process.id());
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Ends it as an operator does, and waits for its end.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        let mut process = self.process.take().unwrap();
        self.helpers.note(process.id());
        let pid = process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        process.wait().unwrap()
    }

    /// The same with one more argument from here on.
    pub fn restart_with(&mut self, argument: &str) {
        self.options.arguments.push(argument.to_owned());
        self.launch();
    }

    /// Starts it again on the same data.
    pub fn restart(&mut self) {
        self.launch();
    }

    /// The rows of all tables, where they lie in no file of the data folder.
    pub async fn rows(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.rows().await,
            None => String::new(),
        }
    }

    /// The URL of its PostgreSQL.
    pub fn database_url(&self) -> &str {
        &self.postgres.as_ref().unwrap().url
    }

    /// Statements of a test.
    pub async fn run_sql(&self, sql: &str) {
        self.postgres.as_ref().unwrap().run(sql).await;
    }

    /// Its PostgreSQL does not answer from here on.
    pub async fn lose_database(&self) {
        self.postgres.as_ref().unwrap().close().await;
    }

    /// Its PostgreSQL answers again.
    pub async fn give_database_back(&self) {
        self.postgres.as_ref().unwrap().open().await;
    }

    /// The small disk of its data folder.
    pub fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().unwrap()
    }

    /// The database of a server that stands still.
    pub async fn store(&self) -> Store {
        let options = match &self.postgres {
            Some(postgres) => Options::Postgres {
                url: postgres.url.clone(),
                connections: 2,
            },
            None => Options::Sqlite {
                folder: self.data_dir.path().to_owned(),
                readers: 1,
            },
        };
        let now = Timestamp::from_millis(0);
        Store::open(&options, now).await.unwrap()
    }

    /// What it has written to its log up to now, over all restarts.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The API key.
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// A run's log, by the signed link; a server that was started anew may name its former address there.
    pub async fn run_log(&self, run: &Value) -> String {
        let link = self.get(&format!("/v2/runs/{}/log", run["id"])).await;
        assert_eq!(link.status, 302, "{link:?}");
        let place = link.headers["location"].to_str().unwrap();
        let path = &place[place.find("/logs/").unwrap()..];
        let answer = Self::answer(self.request(reqwest::Method::GET, path)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.note(&answer);
        answer.text
    }

    /// A tenant's newest run, when it is live and its log has this.
    pub async fn live_run(&self, tenant: i64, said: &str) -> Value {
        crate::eventually("the run is live", || async {
            let path = format!("/v2/tenants/{tenant}/runs");
            let run = self.get(&path).await.expect(200).get(0)?.clone();
            let is_live = run["status"]["phase"] == "Running";
            (is_live && self.run_log(&run).await.contains(said)).then_some(run)
        })
        .await
    }

    /// GET with the key.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// POST with the key.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// PATCH with the key.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// Waits for the end of a build; answers it.
    pub async fn build_end(&self, id: i64) -> Value {
        eventually("the build ends", || async {
            let build = self.get(&format!("/v2/builds/{id}")).await.expect(200);
            let open = matches!(build["status"].as_str(), Some("Pending" | "Running"));
            (!open).then_some(build)
        })
        .await
    }

    /// Any method with the key.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header("X-API-KEY", KEY);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = Self::answer(request).await;
        self.note(&answer);
        answer
    }

    /// Keeps an answer with those of [`Self::answers`].
    pub fn note(&self, answer: &Answer) {
        let text = format!("{} {:?}\n{}\n", answer.status, answer.headers, answer.text);
        self.answers.lock().unwrap().push_str(&text);
    }

    /// All that [`Self::call`] and what stands on it were answered up to now, heads and bodies.
    pub fn answers(&self) -> String {
        self.answers.lock().unwrap().clone()
    }

    /// A request that the test makes itself, relative to the server.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends one.
    pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        Answer {
            status,
            headers,
            text,
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.end();
        self.helpers.kill();
    }
}

impl TestServer {
    /// Asks it to end first, so that it takes its control groups with it.
    fn end(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        self.helpers.note(process.id());
        let pid = process.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        let until = std::time::Instant::now() + Duration::from_secs(5);
        while asked.is_ok() && std::time::Instant::now() < until {
            if matches!(process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // It may have ended already.
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// What a server says belongs to a failing test's output.
#[expect(clippy::print_stderr, reason = "the output of tests")]
fn say(line: &str) {
    eprintln!("server: {line}");
}
