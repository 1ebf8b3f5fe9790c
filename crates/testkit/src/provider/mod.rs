//! A third party: a server that gives out credentials as real ones do, and an API behind it that
//! wants them.

mod answer;
mod api;
mod authorize;
mod behaviour;
mod client;
mod credentials;
mod device;
mod jwt;
mod oauth1;
mod records;
mod server;
mod sigv4;
mod state;
mod token;
mod tokens;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use behaviour::{
    ApiKeyIn, Behaviour, ClientAuthentication, Consent, ExpiresIn, Pkce, RefreshTokens,
    RequestBody, TokenFormat, Trouble,
};
pub use credentials::Credentials;
pub use jwt::ServiceAccount;
pub use records::{Counters, Received};

use behaviour::Planned;
use jwt::Trust;
use state::{State, machine_time};

/// A provider of OAuth 2.0 and what else a client may prove itself with, with one client of its own.
///
/// It has `/authorize`, `/token`, `/device`, `/activate`, `/revoke`, `/userinfo`, and the API:
/// `/api/me` and `/api/connections` (bearer), `/api/key`, `/api/basic`, `/api/oauth1`, `/api/aws`,
/// `/api/redirect?to=…&status=…` and `/api/echo` (no credential), the echo and AWS also below.
///
/// It is strict: what the standards forbid is refused as they say.
pub struct Provider {
    url: String,
    credentials: Credentials,
    marker: String,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Provider {
    /// Starts one with a marker of its own.
    pub async fn start() -> Self {
        Self::start_with_marker(&format!("leak-{}", credentials::random(6))).await
    }

    /// Starts one whose secrets and tokens begin with this marker, which is letters, digits and `-`.
    pub async fn start_with_marker(marker: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State::new(url.clone(), marker);
        let credentials = state.credentials.clone();
        let state = Arc::new(Mutex::new(state));
        Self {
            url,
            credentials,
            marker: marker.to_owned(),
            server: tokio::spawn(server::serve(listener, Arc::clone(&state))),
            state,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Where it is reached, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A URL of it.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// With what its secrets and tokens begin.
    pub fn marker(&self) -> &str {
        &self.marker
    }

    /// Of its OAuth client.
    pub fn client_id(&self) -> &str {
        &self.credentials.client_id
    }

    /// Of its OAuth client.
    pub fn client_secret(&self) -> &str {
        &self.credentials.client_secret
    }

    /// All that it knows its clients by.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Lets codes go to this address, and to no other that was not named so.
    pub fn register_callback(&self, url: &str) {
        self.state().callbacks.push(url.to_owned());
    }

    /// Takes assertions of this issuer that are signed with the key whose public part this is (RSA,
    /// `PUBLIC KEY` in PEM).
    pub fn trust(&self, issuer: &str, public_key: &str) {
        let (issuer, public_key) = (issuer.to_owned(), jwt::der(public_key));
        self.state().trusted.push(Trust { issuer, public_key });
    }

    /// Makes a client with a key of its own, whose assertions are taken.
    pub fn service_account(&self, issuer: &str) -> ServiceAccount {
        let (account, trust) = ServiceAccount::new(issuer, self.at("/token"));
        self.state().trusted.push(trust);
        account
    }

    /// Makes it behave otherwise from here on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// The next so many requests to a path, such as `/token`, have this trouble. Several troubles of a
    /// path come one after the other.
    pub fn trouble(&self, path: &str, times: usize, trouble: Trouble) {
        if times > 0 {
            self.plan(path, Some(times), trouble);
        }
    }

    /// All requests to a path have this trouble, once those that were planned before are over.
    pub fn lasting_trouble(&self, path: &str, trouble: Trouble) {
        self.plan(path, None, trouble);
    }

    fn plan(&self, path: &str, times: Option<usize>, trouble: Trouble) {
        let path = path.to_owned();
        let planned = Planned {
            path,
            times,
            trouble,
        };
        self.state().planned.push(planned);
    }

    /// Everything is well again.
    pub fn end_trouble(&self) {
        self.state().planned.clear();
    }

    /// The person with this code of a device decides, as [`Behaviour::consent`] says; answers whether
    /// the code is known. To open the `verification_uri_complete` is the same.
    pub fn decide_device(&self, user_code: &str) -> bool {
        device::decide(&mut self.state(), user_code)
    }

    /// All access tokens have expired; refresh tokens are as they were.
    pub fn expire_all(&self) {
        let mut state = self.state();
        let now = state.now();
        state.tokens.expire_all_access(now);
    }

    /// Every person takes back the consent: no token is good, and none can be refreshed.
    pub fn revoke_all(&self) {
        self.state().tokens.end_all_families();
    }

    /// Whether the API takes this access token.
    pub fn is_live(&self, access_token: &str) -> bool {
        let state = self.state();
        state.tokens.check(access_token, state.now()).is_ok()
    }

    /// Whether this refresh token would be taken.
    pub fn can_refresh(&self, refresh_token: &str) -> bool {
        let state = self.state();
        state.tokens.can_refresh(refresh_token, state.now())
    }

    /// Moves its clock on.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.ahead = tokens::later(state.ahead, by);
    }

    /// Sets its clock, in seconds since 1970; it goes on from there.
    pub fn set_time(&self, seconds: i64) {
        self.state().ahead = seconds * 1000 - machine_time();
    }

    /// Every request up to now, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Received> {
        self.state().requests.clone()
    }

    /// Every request to a path up to now.
    pub fn requests_to(&self, path: &str) -> Vec<Received> {
        let state = self.state();
        let requests = state.requests.iter();
        requests.filter(|r| r.path == path).cloned().collect()
    }

    /// Forgets the requests up to now.
    pub fn forget_requests(&self) {
        self.state().requests.clear();
    }

    /// What it has counted up to now.
    pub fn counters(&self) -> Counters {
        self.state().tokens.counters
    }

    /// All secrets that it has ever known: of clients, tokens and codes. They begin with the marker.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let mut all = state.credentials.secrets();
        all.extend(state.tokens.texts().cloned());
        all.extend(state.codes.keys().cloned());
        all.extend(state.devices.keys().cloned());
        all
    }
}
