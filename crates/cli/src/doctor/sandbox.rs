//! Which parts of the sandbox does this machine offer? Each is really tried.

use super::Check;
use crate::config::{SandboxMode, ServerConfig};
use crate::server::parts::sandbox_config;

pub(super) async fn check(config: &ServerConfig) -> Vec<Check> {
    let wanted = config.sandbox;
    let scratch = std::env::temp_dir();
    let sandbox = sandbox_config(
        config,
        config.data_dir.clone(),
        "doctor",
        SandboxMode::Full,
        scratch,
    );
    let tried = tokio::task::spawn_blocking(move || marquetry_sandbox::detect(&sandbox)).await;
    let Ok(report) = tried else {
        return vec![Check::fail(
            "sandbox",
            "looking for its parts failed",
            "see the log",
        )];
    };
    report
        .parts
        .iter()
        .map(|part| of_part(part, wanted))
        .collect()
}

fn of_part(part: &marquetry_sandbox::Part, wanted: SandboxMode) -> Check {
    let name = part.name.as_str();
    if part.available {
        return Check::ok(name, part.detail.clone());
    }
    let remedy = part.remedy.unwrap_or("the sandbox works without it");
    if part.required && wanted == SandboxMode::Full {
        let remedy = format!("{remedy}; or start the server with --sandbox degraded");
        Check::fail(name, part.detail.clone(), remedy)
    } else {
        Check::warn(name, part.detail.clone(), remedy)
    }
}
