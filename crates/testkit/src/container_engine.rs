//! The container engine that `tools/container-engine` has made ready for tests.

use crate::skipped;

/// An engine and an image with a shell, Python and Node.
#[derive(Debug, Clone)]
pub struct ContainerEngine {
    /// A program that takes podman's arguments.
    pub program: String,
    /// The OCI runtime that works here, where it is not the engine's own choice.
    pub runtime: Option<String>,
    /// The image.
    pub image: String,
}

impl ContainerEngine {
    /// The engine; none where there is none, which `./test` says at its end.
    pub fn find() -> Option<Self> {
        let variable = |name: &str| std::env::var(format!("MARQUETRY_TEST_CONTAINER_{name}")).ok();
        let Some(program) = variable("ENGINE") else {
            skipped("containers: tools/container-engine makes an engine ready");
            return None;
        };
        Some(Self {
            program,
            runtime: variable("RUNTIME").filter(|name| !name.is_empty()),
            image: variable("IMAGE").unwrap(),
        })
    }

    /// The arguments of a server that has this image for these bases.
    pub fn arguments(&self, bases: &[&str]) -> Vec<String> {
        let mut all = vec![format!("--container-engine={}", self.program)];
        all.extend(
            self.runtime
                .iter()
                .map(|name| format!("--container-runtime={name}")),
        );
        all.push("--container-pull=never".to_owned());
        let images = bases
            .iter()
            .map(|base| format!("--container-images={base}={}", self.image));
        all.extend(images);
        all
    }

    /// What the engine answers.
    pub fn ask(&self, words: &[&str]) -> String {
        let done = std::process::Command::new(&self.program)
            .args(words)
            .output();
        let done = done.unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }
}
