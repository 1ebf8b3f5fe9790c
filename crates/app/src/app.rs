//! What does not change from request to request.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use aws_lc_rs::hmac;
use marquetry_blobs::{Blobs, LogLinkSigner};
use marquetry_model::{Error, MAX_BUNDLE, Result, SharedClock, Timestamp};
use marquetry_outbound::HttpClient;
use marquetry_store::{Store, settings};
use marquetry_vault::MasterKey;

use crate::auth::KeyCache;
use crate::connectors;
use crate::errors::store_error;
use crate::hints::Hints;
use crate::idempotency::Running;
use crate::places::{Place, Places};
use crate::push_hooks::PushHookKeys;
use crate::random;
use crate::retention::Retention;
use crate::settings::Forms;
use crate::vault::Vault;

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `PAN_CTX_ENV`, as `prod`.
    pub environment: String,
    /// Only below this folder may a repository be a local path.
    pub local_repositories: PathBuf,
    /// Where clients reach the API, without a slash at the end.
    pub public_url: Option<String>,
    /// Whether runs may use the node's own network (`egress: host`).
    pub host_network_allowed: bool,
    /// Where archives that are sent lie until they are kept; emptied at start.
    pub uploads_dir: PathBuf,
    /// What secrets are sealed with.
    pub master_key: Arc<MasterKey>,
    /// Further master keys that open what the first does not, while they are exchanged.
    pub other_master_keys: Vec<Arc<MasterKey>>,
    /// Definitions of connectors from the operator's files.
    pub connectors: connectors::Files,
    /// The limits.
    pub limits: Limits,
    /// How long what is kept.
    pub retention: Retention,
}

/// Bounds that protect the platform and its tenants from each other.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Triggers that may wait for one tenant.
    pub waiting_per_tenant: i64,
    /// Requests that may wait to write on one node; who comes then is told to come again.
    pub waiting_writes: usize,
    /// Triggers that one run takes at most.
    pub most_in_bundle: usize,
    /// The time limit of an integration that asks for none, in seconds.
    pub usual_run_s: i64,
    /// The longest time limit that an integration may ask for, in seconds.
    pub longest_run_s: i64,
    /// The memory of an integration that asks for none, in MiB.
    pub usual_memory_mb: i64,
    /// The most memory that an integration may ask for, in MiB.
    pub most_memory_mb: i64,
    /// The largest value of one setting of a tenant, in bytes: it must fit an environment string.
    pub config_value_bytes: usize,
    /// The largest payload that is kept in the database, in bytes; larger ones become blobs.
    pub inline_payload_bytes: usize,
    /// The largest archive of a source folder that is taken, in bytes.
    pub upload_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            waiting_per_tenant: 10_000,
            waiting_writes: 2_000,
            most_in_bundle: MAX_BUNDLE,
            usual_run_s: 600,
            longest_run_s: 24 * 3600,
            usual_memory_mb: 1024,
            most_memory_mb: 64 * 1024,
            config_value_bytes: 96 * 1024,
            inline_payload_bytes: 8 * 1024,
            upload_bytes: 100 << 20,
        }
    }
}

/// The application: everything that a use case needs besides the caller.
pub struct App {
    /// The database.
    pub store: Store,
    /// Artifacts, logs and payloads.
    pub blobs: Blobs,
    /// The platform's own way to third parties.
    pub http: HttpClient,
    /// The time.
    pub clock: SharedClock,
    /// What the operator chose.
    pub settings: Settings,
    /// Who wants to know that something happened.
    pub hints: Hints,
    pub(crate) keys: KeyCache,
    pub(crate) forms: Forms,
    pub(crate) log_links: LogLinkSigner,
    places: OnceLock<Weak<dyn Places>>,
    pub(crate) running: Running,
    cursors: hmac::Key,
    pub(crate) push_hooks: PushHookKeys,
    pub(crate) vault: Vault,
}

impl App {
    /// Puts the parts together; makes the secrets that log links are signed with and push hooks are
    /// derived from on first start.
    pub async fn new(
        store: Store,
        blobs: Blobs,
        http: HttpClient,
        clock: SharedClock,
        settings: Settings,
    ) -> Result<Arc<Self>> {
        let links = server_secret(&store, "log_link_secret", clock.now()).await?;
        let hooks = server_secret(&store, "push_hook_secret", clock.now()).await?;
        let vault = {
            let others = settings.other_master_keys.clone();
            Vault::open(&store, Arc::clone(&settings.master_key), others).await?
        };
        Ok(Arc::new(Self {
            store,
            blobs,
            http,
            clock,
            settings,
            hints: Hints::default(),
            keys: KeyCache::default(),
            forms: Forms::default(),
            log_links: LogLinkSigner::new(&links),
            places: OnceLock::new(),
            running: Running::default(),
            cursors: cursor_key(&links),
            push_hooks: PushHookKeys::new(&hooks),
            vault,
        }))
    }

    /// The mark of a place in a list: only who has seen it from an installation can show it.
    pub fn cursor_mark(&self, place: &str) -> String {
        random::hex(&hmac::sign(&self.cursors, place.as_bytes()).as_ref()[..12])
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets accepted triggers become runs at once in these places; only the first call counts.
    pub fn offer_places(&self, places: Weak<dyn Places>) {
        // A process has one engine.
        let _ = self.places.set(places);
    }

    /// A place for a run, taken.
    pub(crate) fn take_place(&self) -> Option<Box<dyn Place>> {
        self.places.get()?.upgrade()?.take()
    }
}

/// A key of its own for cursors, from the secret that all nodes have.
fn cursor_key(secret: &[u8; 32]) -> hmac::Key {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let own = hmac::sign(&secret, b"cursors of lists");
    hmac::Key::new(hmac::HMAC_SHA256, own.as_ref())
}

/// All nodes must sign alike, so their secrets lie in the database.
async fn server_secret(store: &Store, name: &str, now: Timestamp) -> Result<[u8; 32]> {
    let mut tx = store.write().await.map_err(store_error)?;
    let fresh = random::hex(&random::bytes::<32>());
    settings::insert(&mut tx, name, &fresh, now)
        .await
        .map_err(store_error)?;
    let kept = settings::find(&mut tx, name).await.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    kept.as_deref()
        .and_then(random::from_hex)
        .ok_or_else(|| Error::internal(format!("the setting {name} is damaged")))
}
