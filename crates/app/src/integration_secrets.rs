//! Secrets of an integration: how its repository is opened, and the variables of its builds. They are
//! sealed where they come in and opened where a build or a look at the branch begins; no answer has
//! them.

use std::collections::BTreeMap;
use std::fmt;

use marquetry_model::{Error, FieldError, IntegrationId, Patch, Result, Timestamp};
use marquetry_store::{Tx, WriteTx, integration_secrets};
use marquetry_vault::Place;
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::jobs::RunJob;
use crate::repository::origin;
use crate::secret_texts::with_lines;
use crate::vault::{Keys, data_key};

/// The kind of its data key.
const KIND: &str = "integrations";
const CREDENTIAL: &str = "repository_credential";
const BUILD_ENV: &str = "build_env";
/// Why a credential does not go with another address.
const MOVED: &str =
    "was given for another host than repository_url names now; give it again, or null to forget it";
/// Why one is not used that is older than the rule. Until then an address could be changed without it,
/// so the host that stands there now may be one that somebody chose who was not to have it.
const UNBOUND: &str = "was given before credentials were tied to a host; give it again with PATCH /v2/integrations/{id}, or null to forget it";
/// The variables of a build together, in bytes: the kernel's bound is two megabytes.
const MOST_BYTES: usize = 256 << 10;
/// One of them: the kernel's bound on one text of the environment is 128 KiB.
const MOST_VALUE_BYTES: usize = 96 << 10;

/// How a private repository is opened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Credential {
    /// Of an https address.
    Token {
        /// The user's name.
        username: String,
        /// Its token or password.
        token: String,
    },
    /// Of an ssh address.
    SshKey {
        /// In the form of OpenSSH or PEM.
        ssh_private_key: String,
    },
}

/// A credential and whom it is for, as it is sealed.
#[derive(Serialize, Deserialize)]
struct Bound {
    /// Who answers at the repository's address: nobody else gets to see it. Old ones have none.
    origin: Option<String>,
    #[serde(flatten)]
    credential: Credential,
}

impl Bound {
    /// The credential, for who answers at the present address; or why that one does not get it.
    fn open(self, address: Option<&str>) -> std::result::Result<Credential, &'static str> {
        let Some(own) = self.origin else {
            return Err(UNBOUND);
        };
        if address.and_then(origin) == Some(own) {
            Ok(self.credential)
        } else {
            Err(MOVED)
        }
    }
}

/// What a change says of the secrets.
#[derive(Clone, Default)]
pub struct SecretsInput {
    /// How the repository is opened.
    pub repository_credential: Patch<CredentialInput>,
    /// All variables of builds.
    pub build_env: Patch<BTreeMap<String, String>>,
}

/// A credential as it comes in.
#[derive(Clone, Default)]
pub struct CredentialInput {
    /// The user of an https address.
    pub username: Option<String>,
    /// The token of an https address.
    pub token: Option<String>,
    /// The key of an ssh address.
    pub ssh_private_key: Option<String>,
}

/// What a build or a look at the branch needs.
#[derive(Clone, Default)]
pub struct BuildSecrets {
    /// How the repository is opened, where it is private.
    pub credential: Option<Credential>,
    /// Variables of the build command.
    pub build_env: BTreeMap<String, String>,
    /// Why a credential that is there is not used.
    pub refusal: Option<&'static str>,
}

impl BuildSecrets {
    /// What must not stand in a log.
    pub fn texts(&self) -> Vec<String> {
        let mut all: Vec<&str> = self.build_env.values().map(String::as_str).collect();
        match &self.credential {
            Some(Credential::Token { token, .. }) => all.push(token),
            Some(Credential::SshKey { ssh_private_key }) => all.push(ssh_private_key),
            None => {}
        }
        with_lines(all)
    }
}

/// Secrets of an integration as they lie in the store: names and sealed texts.
#[derive(Debug, Clone, Default)]
pub struct Sealed(Vec<(String, String)>);

/// Secrets that may be kept, each as text or to be forgotten.
pub(crate) struct Checked(Vec<(&'static str, Option<String>)>);

/// The addresses of an integration's repository, before a change and with it.
pub(crate) struct Addresses<'a> {
    pub(crate) before: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
}

/// What is wrong with each of them by itself.
pub(crate) fn faults(input: &SecretsInput) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if let Some(given) = input.repository_credential.given()
        && let Err(why) = credential(given.clone())
    {
        faults.push(FieldError::body(CREDENTIAL, why));
    }
    if let Some(variables) = input.build_env.given() {
        let found = check_variables(variables).into_iter();
        faults.extend(found.map(|why| FieldError::body(BUILD_ENV, why)));
    }
    faults
}

/// Finds what is wrong with them: with each, and with a credential at this address. `kept` tells
/// whether a credential is there already.
pub(crate) fn check(
    input: SecretsInput,
    addresses: &Addresses<'_>,
    kept: bool,
    faults: &mut Vec<FieldError>,
) -> Checked {
    let mut all = Vec::new();
    faults.extend(self::faults(&input));
    let origin = addresses.after.and_then(origin);
    match input.repository_credential {
        // Who changes the address could have it sent to a host of his own.
        Patch::Keep
            if kept && origin.is_some() && origin != addresses.before.and_then(self::origin) =>
        {
            faults.push(FieldError::body(CREDENTIAL, MOVED));
        }
        Patch::Keep => {}
        Patch::Clear => all.push((CREDENTIAL, None)),
        Patch::Set(given) => match (credential(given), origin) {
            (Ok(credential), Some(origin)) => {
                let origin = Some(origin);
                all.push((CREDENTIAL, text(&Bound { origin, credential })));
            }
            (Ok(_), None) => faults.push(FieldError::body(
                CREDENTIAL,
                "is for the host of repository_url; give that, too",
            )),
            // That is among the faults already.
            (Err(_), _) => {}
        },
    }
    match input.build_env {
        Patch::Keep => {}
        Patch::Set(variables) if !variables.is_empty() => {
            all.push((BUILD_ENV, text(&variables)));
        }
        Patch::Clear | Patch::Set(_) => all.push((BUILD_ENV, None)),
    }
    Checked(all)
}

fn text(secret: &impl Serialize) -> Option<String> {
    serde_json::to_string(secret).ok()
}

fn credential(given: CredentialInput) -> Result<Credential, &'static str> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    match (filled(given.token), filled(given.ssh_private_key)) {
        (Some(token), None) => {
            let username = filled(given.username).unwrap_or_else(|| "git".to_owned());
            let plain = |text: &str| text.len() <= 4096 && !text.contains(char::is_control);
            if plain(&token) && plain(&username) {
                Ok(Credential::Token { username, token })
            } else {
                Err("username and token must be single lines of at most 4096 bytes")
            }
        }
        (None, Some(_)) if given.username.is_some() => {
            Err("the user of an ssh key stands in repository_url, as in git@host:path")
        }
        (None, Some(key)) => {
            let wrong = |c: char| c.is_control() && !"\r\n\t".contains(c);
            if key.len() > 16 << 10
                || key.contains(wrong)
                || !key.contains("PRIVATE KEY-----")
                || key.contains("ENCRYPTED PRIVATE")
            {
                return Err(
                    "ssh_private_key must be a private key of OpenSSH or in PEM, without a passphrase",
                );
            }
            // What comes from a form has other ends of lines, or lacks the last one: ssh takes neither.
            let ssh_private_key = format!("{}\n", key.replace("\r\n", "\n").trim());
            Ok(Credential::SshKey { ssh_private_key })
        }
        _ => Err(
            "give token (with username) for an https address, or ssh_private_key for an ssh one",
        ),
    }
}

fn check_variables(variables: &BTreeMap<String, String>) -> Vec<String> {
    let found = variables.iter();
    let mut faults: Vec<String> = found
        .filter_map(|(name, value)| check_variable(name, value))
        .collect();
    let bytes: usize = variables.iter().map(|(n, v)| n.len() + v.len() + 2).sum();
    if bytes > MOST_BYTES {
        faults.push(format!(
            "the variables have {bytes} bytes; at most {MOST_BYTES} are kept"
        ));
    }
    faults
}

fn check_variable(name: &str, value: &str) -> Option<String> {
    let mut letters = name.bytes();
    let first = letters
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || !letters.all(|b| b.is_ascii_alphanumeric() || b == b'_') || name.len() > 200 {
        return Some(format!(
            "{:?} is no name of a variable: letters, digits and `_`, no digit first",
            name.chars().take(50).collect::<String>()
        ));
    }
    if ["PATH", "HOME", "TMPDIR"].contains(&name) {
        return Some(format!("{name} is the platform's; choose another name"));
    }
    (value.contains('\0') || value.len() > MOST_VALUE_BYTES)
        .then(|| format!("{name} must have at most {MOST_VALUE_BYTES} bytes and no NUL"))
}

/// The key to seal with, where there may be something to seal. Before the transaction: it has its own.
pub(crate) async fn key_for(ctx: &Ctx, input: &SecretsInput) -> Result<Option<Keys>> {
    let SecretsInput {
        repository_credential,
        build_env,
    } = input;
    let sets = matches!(repository_credential, Patch::Set(_)) || matches!(build_env, Patch::Set(_));
    if sets {
        data_key(ctx, KIND).await.map(Some)
    } else {
        Ok(None)
    }
}

/// Whether an integration has a credential.
pub(crate) async fn has_credential(tx: &mut WriteTx, id: IntegrationId) -> Result<bool> {
    let found = integration_secrets::list(tx, id)
        .await
        .map_err(store_error)?;
    Ok(found.iter().any(|(name, _)| name == CREDENTIAL))
}

/// Keeps what was checked.
pub(crate) async fn keep(
    tx: &mut WriteTx,
    id: IntegrationId,
    checked: Checked,
    key: Option<&Keys>,
    now: Timestamp,
) -> Result<()> {
    for (name, text) in checked.0 {
        let done = match (text, key) {
            (Some(text), Some(key)) => {
                let sealed = key.seal(place(name, id), text.as_bytes())?;
                integration_secrets::update(tx, id, name, &sealed, now).await
            }
            (Some(_), None) => return Err(Error::internal("a secret without a key to seal it")),
            (None, _) => integration_secrets::delete(tx, id, name).await,
        };
        done.map_err(store_error)?;
    }
    Ok(())
}

/// Opens what a build or a look at the branch needs, of a repository at this address: it may be
/// another one by now than that which the credential was given for.
pub async fn build_secrets(
    ctx: &Ctx,
    id: IntegrationId,
    address: Option<&str>,
) -> Result<BuildSecrets> {
    let mut tx = ctx.read().await?;
    let sealed = sealed(&mut tx, id).await?;
    drop(tx);
    open(ctx, id, &sealed, address).await
}

/// What builds of a run's integration have that must not stand in its log either: a build may have
/// written it into the artifact. There is no address, because the credential is not the run's.
pub async fn run_build_secrets(ctx: &Ctx, job: &RunJob) -> Result<BuildSecrets> {
    open(ctx, job.integration.id, &job.build_secrets, None).await
}

/// Names and sealed texts of one integration.
pub(crate) async fn sealed(tx: &mut Tx, id: IntegrationId) -> Result<Sealed> {
    integration_secrets::list(tx, id)
        .await
        .map(Sealed)
        .map_err(store_error)
}

async fn open(
    ctx: &Ctx,
    id: IntegrationId,
    Sealed(sealed): &Sealed,
    address: Option<&str>,
) -> Result<BuildSecrets> {
    let mut secrets = BuildSecrets::default();
    if sealed.is_empty() {
        return Ok(secrets);
    }
    let key = data_key(ctx, KIND).await?;
    for (name, sealed) in sealed {
        let plain = key.open(place(name, id), sealed)?;
        let read = match name.as_str() {
            CREDENTIAL => {
                serde_json::from_slice::<Bound>(&plain).map(|bound| match bound.open(address) {
                    Ok(credential) => secrets.credential = Some(credential),
                    Err(why) => secrets.refusal = Some(why),
                })
            }
            BUILD_ENV => serde_json::from_slice(&plain).map(|found| secrets.build_env = found),
            _ => Ok(()),
        };
        read.map_err(|_| {
            Error::internal(format!("the secret {name} of integration {id} is damaged"))
        })?;
    }
    Ok(secrets)
}

fn place(name: &str, id: IntegrationId) -> Place<'_> {
    Place {
        table: "integration_secrets",
        column: name,
        row: id.get(),
    }
}

/// No text of a secret is shown.
impl fmt::Debug for SecretsInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretsInput")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(username: Option<&str>, token: Option<&str>, key: Option<&str>) -> CredentialInput {
        CredentialInput {
            username: username.map(str::to_owned),
            token: token.map(str::to_owned),
            ssh_private_key: key.map(str::to_owned),
        }
    }

    #[test]
    fn a_credential_is_a_token_or_a_key() {
        let key =
            "-----BEGIN OPENSSH PRIVATE KEY-----\r\nAAAA\r\n-----END OPENSSH PRIVATE KEY-----";
        let Ok(Credential::SshKey { ssh_private_key }) = credential(given(None, None, Some(key)))
        else {
            panic!("a key is taken")
        };
        assert_eq!(ssh_private_key.lines().count(), 3);
        assert!(ssh_private_key.ends_with("-----\n") && !ssh_private_key.contains('\r'));
        let token = credential(given(None, Some("t"), None)).ok();
        let usual = Credential::Token {
            username: "git".into(),
            token: "t".into(),
        };
        assert!(token == Some(usual));
        for wrong in [
            given(None, None, None),
            given(Some("u"), None, None),
            given(None, Some("t"), Some(key)),
            given(Some("u"), None, Some(key)),
            given(None, None, Some("AAAA")),
            given(None, Some("a\nb"), None),
            given(None, None, Some(&format!("{key}\0"))),
            given(None, Some(" "), None),
        ] {
            assert!(credential(wrong).is_err());
        }
    }

    #[test]
    fn a_credential_is_for_one_host() {
        let check = |before, after, wish| {
            let input = SecretsInput {
                repository_credential: wish,
                ..SecretsInput::default()
            };
            let mut faults = Vec::new();
            let addresses = Addresses { before, after };
            let checked = check(input, &addresses, true, &mut faults);
            (faults.len(), checked.0.len())
        };
        let (here, there) = (Some("https://a.example/x"), Some("https://b.example/x"));
        let token = || Patch::Set(given(None, Some("t"), None));
        assert_eq!(
            check(here, Some("https://a.example/y"), Patch::Keep),
            (0, 0)
        );
        assert_eq!(check(here, there, Patch::Keep), (1, 0));
        assert_eq!(
            check(None, there, Patch::Keep),
            (1, 0),
            "it was taken away in between"
        );
        assert_eq!(check(here, None, Patch::Keep), (0, 0), "nobody is asked");
        assert_eq!(check(here, there, token()), (0, 1));
        assert_eq!(check(here, there, Patch::Clear), (0, 1));
        assert_eq!(check(here, None, token()), (1, 0));
    }

    #[test]
    fn a_credential_from_before_hosts_counted_is_asked_for_again() {
        let here = Some("https://a.example/x");
        let open = |text: &str| serde_json::from_str::<Bound>(text).unwrap().open(here);
        for old in [
            r#"{"username":"u","token":"t"}"#,
            r#"{"ssh_private_key":"k"}"#,
        ] {
            assert!(open(old).is_err_and(|why| why == UNBOUND), "{old}");
        }
        let token = |origin: &str| format!(r#"{{"origin":"{origin}","username":"u","token":"t"}}"#);
        assert!(open(&token("https://a.example:443")).is_ok());
        assert!(open(&token("https://b.example:443")).is_err_and(|why| why == MOVED));
        let bound = serde_json::from_str::<Bound>(&token("https://a.example:443"));
        assert!(bound.unwrap().open(None).is_err(), "nobody is there");
    }

    #[test]
    fn variables_have_names_and_bounds() {
        let one = |name: &str, value: &str| {
            check_variables(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
        };
        assert!(one("NPM_TOKEN", "x").is_empty());
        for (name, value) in [
            ("", "x"),
            ("1A", "x"),
            ("A-B", "x"),
            ("A=B", "x"),
            ("PATH", "x"),
            ("A", "\0"),
        ] {
            assert_eq!(one(name, value).len(), 1, "{name}");
        }
        assert_eq!(one("A", &"x".repeat(MOST_VALUE_BYTES + 1)).len(), 1);
        let many = (0..3).map(|n| (format!("A{n}"), "x".repeat(MOST_VALUE_BYTES)));
        assert_eq!(check_variables(&many.collect()).len(), 1);
        let wrong = ["1A", "PATH", "A-B"].map(|name| (name.to_owned(), String::new()));
        assert_eq!(check_variables(&wrong.into()).len(), 3, "each is told");
    }
}
