//! All that a provider remembers, behind one lock: of two requests one is first.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use super::authorize::Code;
use super::behaviour::{Behaviour, Planned};
use super::credentials::Credentials;
use super::device::Device;
use super::jwt::Trust;
use super::records::Received;
use super::tokens::Tokens;

/// The memory of a provider.
pub(super) struct State {
    /// Where it is reached, without a slash at the end.
    pub(super) url: String,
    pub(super) credentials: Credentials,
    pub(super) behaviour: Behaviour,
    pub(super) planned: Vec<Planned>,
    pub(super) requests: Vec<Received>,
    pub(super) tokens: Tokens,
    pub(super) codes: HashMap<String, Code>,
    pub(super) devices: HashMap<String, Device>,
    pub(super) trusted: Vec<Trust>,
    /// Where codes may go; anywhere when there are none.
    pub(super) callbacks: Vec<String>,
    /// What was used up of OAuth 1.0a.
    pub(super) nonces: HashSet<String>,
    /// How far its clock is ahead of the machine's, in milliseconds.
    pub(super) ahead: i64,
}

impl State {
    pub(super) fn new(url: String, marker: &str) -> Self {
        Self {
            url,
            credentials: Credentials::new(marker),
            behaviour: Behaviour::default(),
            planned: Vec::new(),
            requests: Vec::new(),
            tokens: Tokens::new(marker),
            codes: HashMap::new(),
            devices: HashMap::new(),
            trusted: Vec::new(),
            callbacks: Vec::new(),
            nonces: HashSet::new(),
            ahead: 0,
        }
    }

    /// The time in milliseconds.
    pub(super) fn now(&self) -> i64 {
        machine_time().saturating_add(self.ahead)
    }

    /// The time in whole seconds.
    pub(super) fn now_seconds(&self) -> i64 {
        self.now().div_euclid(1000)
    }
}

/// The machine's time in milliseconds.
pub(super) fn machine_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
