//! Does the container engine run here what it is to run? It is asked to.

use std::path::Path;
use std::time::Duration;

use marquetry_sandbox::{Access, Cause, Limits, Mount, Network, Sandbox, Spec, Status};

use super::Check;
use crate::config::ServerConfig;
use crate::server::parts;

const NAME: &str = "containers";

/// Nothing where no engine is chosen; else the engine, and a container of each image whose name is known.
pub(super) async fn check(config: &ServerConfig) -> Vec<Check> {
    let Some(chosen) = &config.containers else {
        return Vec::new();
    };
    let containers = parts::containers(chosen);
    let version = match marquetry_sandbox::ask_version(&containers).await {
        Ok((_, version)) => version,
        Err(error) => {
            let remedy = "install it, or name another with --container-engine";
            return vec![Check::fail(NAME, error.to_string(), remedy)];
        }
    };
    let mut checks = vec![Check::ok(NAME, version)];
    let images = match parts::images(config) {
        Ok(images) => images,
        Err(error) => {
            return vec![Check::fail(
                NAME,
                error.to_string(),
                "mend --container-images",
            )];
        }
    };
    let Ok(folder) = tempfile::tempdir() else {
        return checks;
    };
    let scratch = folder.path().to_owned();
    let instance = format!("doctor-{}", std::process::id());
    let sandbox =
        parts::sandbox_config(config, scratch.clone(), &instance, config.sandbox, scratch);
    let sandbox = match Sandbox::start(sandbox).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            checks.push(failed(error.to_string()));
            return checks;
        }
    };
    for image in images.names() {
        checks.push(match try_image(&sandbox, image, folder.path()).await {
            Ok(()) => Check::ok(NAME, format!("the image {image} runs")),
            Err(problem) => failed(format!("the image {image} does not run: {problem}")),
        });
    }
    checks
}

fn failed(problem: String) -> Check {
    let remedy = "images need /bin/sh and cat; where the engine's own OCI runtime does not work on this host, choose \
                  another with --container-runtime, such as runc";
    Check::fail(NAME, problem, remedy)
}

/// Runs what every run relies on: a shell, a folder to write in, and a network with a relay.
async fn try_image(sandbox: &Sandbox, image: &str, folder: &Path) -> Result<(), String> {
    let image = sandbox
        .prepare(image)
        .await
        .map_err(|error| error.to_string())?;
    let work = folder.join("work");
    std::fs::create_dir_all(&work).map_err(|error| error.to_string())?;
    let script = "/bin/sh -c 'echo made > file' && cat /etc/resolv.conf";
    let spec = Spec {
        image: Some(image),
        command: ["/bin/sh", "-c", script].map(Into::into).to_vec(),
        environment: Vec::new(),
        working_dir: "/work".into(),
        mounts: vec![Mount {
            source: work,
            target: "/work".into(),
            access: Access::ReadWrite { max_bytes: None },
        }],
        limits: Limits {
            memory_bytes: 128 << 20,
            processes: 16,
            open_files: 256,
            disk_bytes: 1 << 20,
        },
        network: Network::Relayed { ports: vec![443] },
        lease: Duration::from_mins(1),
    };
    let mut child = sandbox
        .spawn(spec)
        .await
        .map_err(|error| error.to_string())?;
    let ended = child.wait().await;
    match (ended.status, ended.cause) {
        (Status::Exited(0), Cause::Own) => Ok(()),
        (_, Cause::SetupFailed(reason)) => Err(reason),
        (status, cause) => Err(format!("{status:?}, {cause:?}")),
    }
}
