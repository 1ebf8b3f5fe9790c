//! A private repository, opened with a token, and a build with variables: neither is in an answer, a
//! log, the database or a process's arguments.
#![expect(
    clippy::disallowed_methods,
    reason = "the hosts of Git are programs of the test"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use marquetry_testkit::{
    Scenario, ServerOptions, TestServer, both_databases, eventually, manifest, skipped,
};
use serde_json::json;

use crate::{options, pushes};

/// A key and its certificate, of no use elsewhere.
const CERTIFICATE: &str = include_str!("private_git.pem");
const TOKEN: &str = "token-7f3a9c51d2";
const SSHD: &str = "/usr/sbin/sshd";
/// Settings for Git that keep it from asking the platform's helper or from using its key.
const SWITCHES: [&str; 6] = [
    "GIT_CONFIG_GLOBAL=/dev/null",
    "GIT_CONFIG_COUNT=1",
    "GIT_CONFIG_KEY_0=credential.helper",
    "GIT_CONFIG_VALUE_0=",
    "GIT_SSH_COMMAND=false",
    "GIT_SSH_VARIANT=simple",
];
const VALUE: &str = "value-0b6e84aa17";

/// Git over HTTPS for who knows the token, from the folder that it is given.
const GIT_SERVER: &str = r#"
import base64, http.server, os, ssl, subprocess, sys
root, certificate, token = sys.argv[1:]
known = "Basic " + base64.b64encode(("robot:" + token).encode()).decode()
class Handler(http.server.BaseHTTPRequestHandler):
    def serve(self):
        if self.headers.get("Authorization") != known:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        environment = dict(os.environ, GIT_PROJECT_ROOT=root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path,
            QUERY_STRING=query, REQUEST_METHOD=self.command, REMOTE_USER="robot",
            CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""),
            GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        answer = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = [value for name, value in lines if name == "Status"]
        self.send_response(int(status[0].split()[0]) if status else 200)
        for name, value in lines:
            if name != "Status": self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    do_GET = do_POST = serve
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

struct GitServer {
    process: Child,
    port: String,
}

impl GitServer {
    fn start(folder: &Path) -> Self {
        let certificate = folder.join("certificate.pem");
        std::fs::write(&certificate, CERTIFICATE).unwrap();
        let mut process = Command::new("python3")
            .args(["-c", GIT_SERVER])
            .arg(folder)
            .arg(&certificate)
            .arg(TOKEN)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        lines.read_line(&mut port).unwrap();
        let port = port.trim().to_owned();
        Self { process, port }
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The operator opens the port of the repositories; a certificate is the operator's matter, too.
fn opened(options: ServerOptions, folder: &Path, port: &str) -> ServerOptions {
    let key = folder.join("master.key");
    let text = Command::new(env!("CARGO_BIN_EXE_marquetry"))
        .args(["keys", "master"])
        .output();
    std::fs::write(&key, text.unwrap().stdout).unwrap();
    let file = folder.join("marquetry.toml");
    let mut variables = vec!["GIT_SSL_NO_VERIFY=1".to_owned()];
    variables.push(format!("MIRROR=https://127.0.0.1:{port}/"));
    // What would leave the platform's own Git without the credential is not for it.
    variables.extend(SWITCHES.map(str::to_owned));
    let variables = json!(variables);
    let settings = format!("log = \"trace\"\n[build]\nenvironment = {variables}\n");
    std::fs::write(&file, settings).unwrap();
    let options = options.with("--config").with(&file.display().to_string());
    options
        .with("--master-key-file")
        .with(&key.display().to_string())
}

/// Whether a text is in a file below a folder.
pub(crate) fn found_below(folder: &Path, text: &str) -> Vec<String> {
    let out = Command::new("grep")
        .args(["-r", "-l", "-F", "-a", "--", text])
        .arg(folder)
        .output();
    let out = String::from_utf8(out.unwrap().stdout).unwrap();
    out.lines().map(str::to_owned).collect()
}

both_databases! {
    async fn a_private_repository_is_built_with_secret_variables(database) {
        let folder = tempfile::tempdir().unwrap();
        let git = GitServer::start(folder.path());
        let mut server = TestServer::start(opened(options(database), folder.path(), &git.port)).await;
        let hook = {
            let steps = "echo licence $LICENCE; env | grep -c TOKEN; true";
            let text = manifest("printf {}").replace("'true'", &json!(steps).to_string());
            let scenario = Scenario::new(&server, "private", &[("PANDIUM.yaml", &text)], json!({})).await;
            let from = server.data_dir.path().join("repositories/private");
            std::fs::rename(&from, folder.path().join("private")).unwrap();
            let path = format!("/v2/integrations/{}", scenario.integration);
            let url = format!("HTTPS://127.0.0.1:0{}/private/.git", git.port);
            server.patch(&path, json!({"repository_url": url})).await.expect(200);
            let refused = scenario.build("v1").await;
            assert_eq!(refused["status"], "Failed");

            let secrets = json!({
                "repository_credential": {"username": "robot", "token": TOKEN},
                "build_env": {"LICENCE": VALUE},
            });
            let answer = server.patch(&path, secrets).await;
            assert!(!answer.text.contains(TOKEN) && !answer.text.contains(VALUE));
            answer.expect(200);
            let build = scenario.release("v1").await;
            let log = server.get(&format!("/v2/builds/{}/log", build["id"])).await.text;
            assert!(log.contains("licence ********\n0\n"), "{log}");
            let tenant = scenario.tenant("t").await;
            assert_eq!(scenario.run(tenant).await["status"]["phase"], "Succeeded");

            // A look at the branch needs the token, too.
            let empty = ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "next"];
            let repository = folder.path().join("private");
            let done = Command::new("git").arg("-C").arg(&repository).args(empty).status();
            assert!(done.unwrap().success());
            server.patch(&path, json!({"poll_seconds": 10})).await.expect(200);
            let polled = eventually("the branch is seen", || async {
                let builds = server.get("/v2/builds").await.expect(200);
                (builds.as_array().unwrap().len() > 2).then(|| builds[0].clone())
            }).await;
            assert_eq!(scenario.build_end(polled["id"].as_i64().unwrap()).await["status"], "Succeeded");
            server.patch(&path, json!({"poll_seconds": null, "build_env": null})).await.expect(200);
            let build = scenario.release("v2").await;
            let log = server.get(&format!("/v2/builds/{}/log", build["id"])).await.text;
            assert!(log.contains("licence\n"), "{log}");

            // Nobody else gets the token, whoever may change the address, however it is written.
            let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            stranger.set_nonblocking(true).unwrap();
            let there = stranger.local_addr().unwrap();
            for between in ["\\", "\\\\", "#", "?", "%2f", "\t"] {
                let address = format!("https://127.0.0.1:{}{between}@{there}/x", git.port);
                let refused = server.patch(&path, json!({"repository_url": address})).await.expect(422);
                assert_eq!(refused["detail"][0]["loc"], json!(["body", "repository_url"]), "{refused}");
            }
            assert!(stranger.accept().is_err(), "nobody came");
            let elsewhere = json!({"repository_url": "https://127.0.0.1:1/x"});
            let refused = server.patch(&path, elsewhere).await.expect(422);
            assert_eq!(refused["detail"][0]["loc"], json!(["body", "repository_credential"]));
            let (local, back) = (json!({"repository_url": null}), json!({"repository_url": url}));
            server.patch(&path, local).await.expect(200);
            server.patch(&path, back).await.expect(422);
            let token = json!({"username": "robot", "token": TOKEN});
            let again = json!({"repository_url": url, "repository_credential": token});
            server.patch(&path, again).await.expect(200);

            // Neither the address of its push hook nor the secret is for the server's log.
            let (url, secret) = pushes::hook(&scenario).await;
            let commit = json!({"ref": "refs/heads/main", "after": "1".repeat(40)});
            let told = pushes::push(&server, &(url.clone(), secret.clone()), &commit).await;
            let built = told.expect(202)["build"]["id"].as_i64().unwrap();
            scenario.build_end(built).await;
            pushes::push(&server, &(url.clone(), "wrong".to_owned()), &commit).await.expect(403);
            let (_, token) = url.rsplit_once('/').unwrap();
            (token.to_owned(), secret)
        };
        server.stop();
        let rows = server.rows().await;
        assert!(rows.is_empty() || rows.contains("integration_secrets"), "{rows}");
        let log = server.log();
        assert!(log.contains("DEBUG"), "{log}");
        for text in [TOKEN, VALUE, &hook.0, &hook.1] {
            assert!(!log.contains(text), "{text} in {log}");
        }
        for text in [TOKEN, VALUE] {
            assert_eq!(found_below(server.data_dir.path(), text), Vec::<String>::new());
            assert!(!rows.contains(text), "{rows}");
        }
    }
}

struct SshServer(Child, String, String);

impl SshServer {
    /// One that knows one key; its port and the private key.
    fn start(folder: &Path) -> Self {
        for name in ["host", "user"] {
            let file = folder.join(name);
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&file)
                .status();
            assert!(made.unwrap().success());
        }
        // It wants this folder, empty, wherever it is started.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/user.pub\n\
            StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n",
            folder.display()
        );
        std::fs::write(folder.join("sshd_config"), settings).unwrap();
        let process = Command::new(SSHD)
            .arg("-D")
            .arg("-f")
            .arg(folder.join("sshd_config"))
            .stderr(Stdio::null())
            .spawn();
        let process = process.unwrap();
        let key = std::fs::read_to_string(folder.join("user")).unwrap();
        Self(process, port.to_string(), key)
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

both_databases! {
    #[ignore = "needs OpenSSH"]
    async fn a_private_repository_is_opened_with_an_ssh_key(database) {
        if !Path::new(SSHD).exists() {
            return skipped("a repository opened by ssh: sshd is not on this machine");
        }
        let folder = tempfile::tempdir().unwrap();
        let ssh = SshServer::start(folder.path());
        let server = TestServer::start(opened(options(database), folder.path(), &ssh.1)).await;
        let steps = "env | grep -c SSH_KEY; grep -rl 'PRIVATE KEY' /tmp ${TMPDIR:-/tmp} $HOME 2>/dev/null | wc -l; true";
        let text = manifest("printf {}").replace("'true'", &json!(steps).to_string());
        let scenario = Scenario::new(&server, "private", &[("PANDIUM.yaml", &text)], json!({})).await;
        let from = server.data_dir.path().join("repositories/private");
        let path = format!("/v2/integrations/{}", scenario.integration);
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        let url = format!("ssh://{user}@127.0.0.1:{}{}", ssh.1, from.display());
        server.patch(&path, json!({"repository_url": url})).await.expect(200);
        assert_eq!(scenario.build("v1").await["status"], "Failed");
        let key = json!({"repository_credential": {"ssh_private_key": ssh.2.replace('\n', "\r\n")}});
        server.patch(&path, key).await.expect(200);
        let build = scenario.release("v1").await;
        let log = server.get(&format!("/v2/builds/{}/log", build["id"])).await.text;
        assert!(log.contains("\n0\n0\n"), "{log}");
        let line = ssh.2.lines().nth(2).unwrap();
        assert_eq!(found_below(server.data_dir.path(), line), Vec::<String>::new());
    }
}
