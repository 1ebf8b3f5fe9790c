//! Connect flows: links that somebody opens in a browser, forms for credentials, and consents at a provider.

mod attempt;
pub mod callback;
pub mod device;
pub mod links;
pub mod page;

use aws_lc_rs::digest::{SHA256, digest};

use crate::random;

/// What somebody sees next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The provider's page.
    Provider(String),
    /// One of several things is to be chosen.
    Choose(Choice),
    /// A code is to be entered elsewhere.
    Device(DeviceCode),
    /// It is done.
    Done(Done),
}

/// A choice after consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The system's name.
    pub title: String,
    /// The question.
    pub question: String,
    /// What the answer is sent with.
    pub token: String,
    /// What can be chosen: number and name.
    pub options: Vec<(usize, String)>,
}

/// A code for another device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// The system's name.
    pub title: String,
    /// What is entered there.
    pub user_code: String,
    /// Where.
    pub verification_url: String,
    /// What the page asks with whether it was entered.
    pub token: String,
    /// How often, in seconds.
    pub interval_s: i64,
}

/// A connection that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The system's name.
    pub title: String,
    /// The connector's name.
    pub connector: String,
}

/// A new secret of 32 random bytes, in hexadecimal.
pub fn new_secret() -> String {
    random::hex(&random::bytes::<32>())
}

/// What is kept of a secret that only its owner needs to know.
fn hash(secret: &str) -> String {
    random::hex(digest(&SHA256, secret.as_bytes()).as_ref())
}
