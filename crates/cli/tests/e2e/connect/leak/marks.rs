//! Secrets that can be recognised, and what stands open on purpose.

use std::sync::Mutex;

/// The secrets of one test.
pub(super) struct Marks {
    /// With what all of them begin, those of the providers too.
    pub(super) marker: String,
    /// What no secret is, and must be found.
    pub(super) open: String,
    all: Mutex<Vec<String>>,
    links: Mutex<Vec<String>>,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            marker: format!("leakmark{}", random()),
            // With what differs between the forms of a text.
            open: format!("open \"\u{e4}/{}", random()),
            all: Mutex::default(),
            links: Mutex::default(),
        }
    }

    /// A new secret with characters that are written otherwise in JSON and in addresses.
    pub(super) fn secret(&self, name: &str) -> String {
        self.add(format!("{}-{name}-\"\u{e4}/{}", self.marker, random()))
    }

    /// A new secret of letters, digits and hyphens.
    pub(super) fn plain(&self, name: &str) -> String {
        self.add(format!("{}-{name}-{}", self.marker, random()))
    }

    /// A key in PEM, each of whose lines can be recognised.
    pub(super) fn key(&self) -> String {
        let lines = [
            self.plain("first"),
            self.plain("second"),
            self.plain("third"),
        ];
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        )
    }

    /// What somebody else has made is a secret.
    pub(super) fn add(&self, secret: String) -> String {
        self.all.lock().unwrap().push(secret.clone());
        secret
    }

    /// An address that is a key: who asked for it is shown it, and it is kept nowhere.
    pub(super) fn link(&self, url: &str) {
        let (_, token) = url.rsplit_once('/').unwrap();
        self.links.lock().unwrap().push(token.to_owned());
    }

    pub(super) fn links(&self) -> Vec<String> {
        self.links.lock().unwrap().clone()
    }

    /// What is looked for: the marker, which the beginning of each has, and each one's end, for a part may be left of
    /// one that was cut.
    pub(super) fn sought(&self) -> Vec<String> {
        let mut all = vec![self.marker.clone(), self.marker.to_uppercase()];
        for secret in self.all.lock().unwrap().iter() {
            let from = secret.char_indices().rev().nth(15).map_or(0, |(at, _)| at);
            all.extend([secret[from..].to_owned(), secret[from..].to_uppercase()]);
        }
        all
    }
}

fn random() -> String {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes).to_string()
}
