//! What a manifest says under `marquetry:` narrows a run, and widens nothing.

use std::io::Write as _;
use std::net::TcpListener;

use marquetry_testkit::{Scenario, TestServer, both_databases, manifest};
use serde_json::{Value, json};

use crate::{options, server};

/// A run of this code, with what the manifest says and what the integration's settings allow; and
/// its log.
async fn run(
    server: &TestServer,
    name: &str,
    code: &str,
    own: &str,
    settings: Value,
) -> (Value, String) {
    let manifest = format!("{}marquetry: {{{own}}}\n", manifest("python3 main.py"));
    let files = [("PANDIUM.yaml", manifest.as_str()), ("main.py", code)];
    let scenario = Scenario::new(server, name, &files, settings).await;
    scenario.release("v1").await;
    let tenant = scenario.tenant("t").await;
    let run = scenario.run(tenant).await;
    let log = scenario.log(&run).await;
    (run, log)
}

/// Somebody on this machine who says one word to whoever comes; the port.
pub(crate) fn neighbour(address: &str) -> u16 {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for caller in listener.incoming() {
            caller.unwrap().write_all(b"hello").unwrap();
        }
    });
    port
}

const CALL: &str = r#"
import socket
call = socket.create_connection(("127.0.0.2", PORT), 30)
assert call.recv(5) == b"hello"
"#;

both_databases! {
    async fn the_shorter_time_holds(database) {
        let server = server(database).await;
        let code = "import time; time.sleep(600)";
        for (name, own, setting) in [("manifest", 1, 500), ("setting", 500, 1)] {
            let own = format!("timeout_seconds: {own}");
            let (run, _) = run(&server, name, code, &own, json!({"timeout_seconds": setting})).await;
            assert_eq!(run["status"]["phase"], "Failed (Timeout)", "{name}: {run}");
            let message = run["message"].as_str().unwrap();
            assert!(message.contains("1 s"), "{name}: {message}");
        }
    }
}

both_databases! {
    async fn the_narrower_reach_holds(database) {
        let port = neighbour("127.0.0.2");
        let options = options(database).with("--outbound-allow").with("127.0.0.2/32");
        let server = TestServer::start(options).await;
        let code = CALL.replace("PORT", &port.to_string());
        let cases = [
            ("both", "public", "public", true),
            ("manifest", "none", "public", false),
            ("setting", "public", "none", false),
            ("hosts", "connectors", "public", false),
        ];
        for (name, own, setting, reached) in cases {
            let settings = json!({"egress": setting, "egress_ports": [port]});
            let (run, log) = run(&server, name, &code, &format!("egress: {own}"), settings).await;
            assert_eq!(run["exit_code"], i64::from(!reached), "{name}: {log}");
            let advice = log.contains("others need egress public");
            assert_eq!(advice, own == "connectors", "{name}: {log}");
        }
    }
}
