//! The life of one connection: it is connected in the way of its kind, given to a run, renewed, looked at and
//! disconnected.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use marquetry_app::Ctx;
use marquetry_app::connect::Next;
use marquetry_app::connect::callback::{callback_take, choice_take};
use marquetry_app::connect::device::device_poll;
use marquetry_app::connect::links::link_create;
use marquetry_app::connect::page::link_submit;
use marquetry_app::connections::credentials::{Owner, credentials_put};
use marquetry_app::connections::disconnect::connector_disconnect;
use marquetry_app::connections::run::run_secrets;
use marquetry_app::connections::tend::connection_tend;
use marquetry_app::connectors::connector_put;
use marquetry_app::connectors::provisions::{Input, provisioning_put, secret_keys};
use marquetry_connector::{Auth, OAuth2, Refresh, Request, Values, defaults, is_secret};
use marquetry_model::{Connection, ConnectionStatus};
use marquetry_testkit::Received;
use url::Url;

use crate::adapted::{Held, Shipped, moved};
use crate::answers::{CHOICES, CHOSEN, Script, example, failure, learn_choice, of_callback};
use crate::expected::{Expected, all_filled, call, endpoint};
use crate::signed;
use crate::tokens::{self, Stage};
use crate::values::{Filled, entered};
use crate::world::World;

const BROWSER: &str = "browser-of-the-test";
const REDIRECT: &str = "https://hub.example.com/connect/callback";
const CODE: &str = "c0de+/=~";
/// How long the run may take that is given the connection.
const RUN: Duration = Duration::from_secs(600);

type Outcome<T = ()> = Result<T, String>;

/// A failure of a use case, in its own words.
fn told<T, E: Debug>(what: &str, done: Result<T, E>) -> Outcome<T> {
    done.map_err(|why| format!("{what}: {why:?}"))
}

pub(crate) async fn walk(world: &World, name: &str, filled: Filled) -> Outcome {
    let shipped = Shipped::new(name, world.stand_in.url());
    let mut walk = Walk {
        ctx: world.inside.system(),
        owner: Owner::Tenant(world.tenant),
        name,
        fields: Input::new(),
        held: Held::default(),
        seen: VecDeque::new(),
        shipped,
        world,
    };
    walk.prepare(filled).await?;
    walk.connect().await?;
    walk.run(filled).await?;
    walk.renew().await?;
    walk.look().await?;
    walk.disconnect().await
}

struct Walk<'a> {
    world: &'a World,
    ctx: Ctx,
    owner: Owner,
    name: &'a str,
    shipped: Shipped,
    /// What the tenant enters.
    fields: Input,
    /// What the connection has.
    held: Held,
    /// What arrived and was not judged yet.
    seen: VecDeque<Received>,
}

impl Walk<'_> {
    fn to(&self) -> &str {
        self.world.stand_in.url()
    }

    fn learn(&mut self, name: &str, value: &str) {
        self.held.insert(name, value, self.world.stand_in.url());
    }

    /// Gives the definition and what is provisioned of it.
    async fn prepare(&mut self, filled: Filled) -> Outcome {
        let text = serde_json::to_vec(&self.shipped.adapted).unwrap();
        told(
            "definition",
            connector_put(&self.ctx, self.name, &text).await,
        )?;
        let original = &self.shipped.original;
        let provisioned = entered(&original.provisioning, filled)?;
        let own = entered(&original.fields, filled)?;
        let mut known = defaults(&original.provisioning);
        known.extend(defaults(&original.fields));
        known.extend(provisioned.clone().into_iter().chain(own.clone()));
        let input = |values: Values| -> Input {
            let moved = |value: String| Some(moved(&value, self.to()));
            values
                .into_iter()
                .map(|(name, value)| (name, moved(value)))
                .collect()
        };
        let (provisioned, own) = (input(provisioned), input(own));
        let done =
            provisioning_put(&self.ctx, self.world.integration, self.name, provisioned).await;
        told("provisioning", done)?;
        self.fields = own;
        for (name, value) in known {
            self.learn(&name, &value);
        }
        let script = Script::of(&self.shipped.original, &self.held, self.to())?;
        *self.world.script.lock().unwrap() = script;
        Ok(())
    }

    async fn connect(&mut self) -> Outcome {
        let auth = self.shipped.original.auth.clone();
        let rules = auth.oauth2();
        if let Some(rules) = rules.filter(|_| auth.needs_consent()) {
            if let Some(answer) = failure(&rules.token) {
                self.world.script.lock().unwrap().failure = Some(answer);
                let refused = self.consent(rules).await.err().unwrap_or_default();
                if !refused.contains("invalid_code") {
                    return Err(format!(
                        "a token's answer that failed is told as {refused:?}"
                    ));
                }
            }
            self.consent(rules).await?;
        } else {
            let fields = self.fields.clone();
            let done = credentials_put(&self.ctx, self.owner, self.name, fields, true).await;
            told("credentials", done)?;
            self.arrive();
            if auth.has_tokens() {
                self.judge_token(&Stage::Kept)?;
            }
        }
        for discovery in rules.into_iter().flat_map(|it| &it.discover) {
            self.judge_call("discover", &discovery.request)?;
            for name in discovery.values.keys() {
                let value = example(&self.shipped.original, name);
                self.learn(name, &value);
            }
        }
        self.judge_check()?;
        self.end()?;
        let row = self.world.row(self.name).await;
        is_well(&row)
    }

    /// By a link, as a customer does.
    async fn consent(&mut self, rules: &OAuth2) -> Outcome {
        let link = link_create(&self.ctx, self.owner, self.name, true, None).await;
        let link = told("link", link)?.token;
        let fields = self.fields.clone();
        let next = link_submit(&self.ctx, &link, fields, BROWSER, REDIRECT).await;
        let next = match told("link", next)? {
            Next::Provider(url) => self.at_provider(rules, &url).await?,
            Next::Device(device) => {
                self.arrive();
                let expected = tokens::device(rules, &self.held)?;
                self.judge(&expected)?;
                let next = told(
                    "device",
                    device_poll(&self.ctx, &device.token, BROWSER).await,
                )?;
                self.arrive();
                self.judge_token(&Stage::Device("dev1ce"))?;
                next
            }
            Next::Choose(_) | Next::Done(_) => return Err("a link ends at once".to_owned()),
        };
        if let Some(choice) = &rules.choice {
            self.judge_call("choice", &choice.request)?;
            let Next::Choose(offer) = next else {
                return Err(format!("there is nothing to choose, but {next:?}"));
            };
            if offer.options.len() != CHOICES || offer.options[0].1 == "(without a name)" {
                return Err(format!("the choice is {offer:?}"));
            }
            let done = choice_take(&self.ctx, &offer.token, CHOSEN, BROWSER).await;
            told("choice", done)?;
            self.arrive();
            let original = &self.shipped.original;
            learn_choice(original, rules, &mut self.held, self.world.stand_in.url());
        }
        Ok(())
    }

    /// Judges the address of the consent, and comes back with a code.
    async fn at_provider(&mut self, rules: &OAuth2, url: &str) -> Outcome<Next> {
        let url = told("consent", Url::parse(url))?;
        let mut query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let count = url.query_pairs().count();
        let authorize = rules
            .authorize_url
            .as_ref()
            .ok_or("there is no authorize_url")?;
        let place = endpoint(authorize, &self.held)?;
        let wanted = Expected::to("consent", "GET", &place);
        let state = query.remove("state").unwrap_or_default();
        let challenge = query.remove("code_challenge");
        let mut expected = all_filled(&rules.authorize_params, &self.held);
        expected.extend(wanted.query.iter().cloned());
        expected.insert("response_type".to_owned(), "code".to_owned());
        let client = self
            .held
            .adapted
            .get("client_id")
            .cloned()
            .unwrap_or_default();
        expected.insert("client_id".to_owned(), client);
        expected.insert("redirect_uri".to_owned(), REDIRECT.to_owned());
        let scope = tokens::scope(rules, &self.held);
        if !scope.is_empty() {
            expected.insert(rules.scope_parameter.clone(), scope);
        }
        if rules.pkce {
            expected.insert("code_challenge_method".to_owned(), "S256".to_owned());
        }
        let good = query == expected
            && count == expected.len() + 1 + usize::from(rules.pkce)
            && challenge.is_some() == rules.pkce
            && url.path().trim_end_matches('/') == wanted.path.trim_end_matches('/')
            && !state.is_empty();
        if !good {
            return Err(format!(
                "the consent is at {url}, not {place} with {expected:?}"
            ));
        }
        let mut params = BTreeMap::from([
            ("state".to_owned(), state),
            (rules.code_parameter.clone(), CODE.to_owned()),
        ]);
        for (name, parameter) in &rules.callback {
            let value = of_callback(name);
            params.insert(parameter.clone(), value.clone());
            self.learn(name, &value);
        }
        let next = callback_take(&self.ctx, &params, BROWSER).await;
        self.arrive();
        let verifier = self.verifier();
        if let Some(challenge) = challenge {
            let digest = aws_lc_rs::digest::digest(
                &aws_lc_rs::digest::SHA256,
                verifier.clone().unwrap_or_default().as_bytes(),
            );
            if URL_SAFE_NO_PAD.encode(digest.as_ref()) != challenge {
                return Err("the verifier is not that of the challenge".to_owned());
            }
        }
        let verifier = verifier.as_deref();
        self.judge_token(&Stage::Code {
            code: CODE,
            verifier,
            redirect_uri: REDIRECT,
        })?;
        told("callback", next)
    }

    /// The proof of possession in the request for a token.
    fn verifier(&self) -> Option<String> {
        let request = self.seen.front()?;
        let mut form = request.form().into_iter();
        let found = form.find(|it| it.0 == "code_verifier").map(|it| it.1);
        found.or_else(|| Some(request.json()["code_verifier"].as_str()?.to_owned()))
    }

    /// What code gets, and what is kept from it and from logs.
    async fn run(&mut self, filled: Filled) -> Outcome {
        let keys = secret_keys(&self.ctx, self.world.integration, self.name).await;
        let keys = told("secret-keys", keys)?;
        let given = run_secrets(&self.ctx, &self.world.job(self.name), RUN).await;
        let given = told("run", given.map_err(|why| why.to_string()))?;
        // One that lives shorter than the run is renewed for it.
        self.arrive();
        while !self.seen.is_empty() {
            self.judge_token(&Stage::Kept)?;
        }
        let names: Vec<&str> = given.variables.iter().map(|it| it.0.as_str()).collect();
        let missing: Vec<_> = keys
            .iter()
            .filter(|it| !names.contains(&it.as_str()))
            .collect();
        if filled == Filled::Whole && !missing.is_empty() {
            return Err(format!("a run is not given {missing:?}, but {names:?}"));
        }
        let refresh = self.held.adapted.get("refresh_token");
        for (name, value) in &given.variables {
            if refresh.is_some_and(|it| value.contains(it)) {
                return Err(format!("{name} is the refresh token"));
            }
        }
        for secret in self.secrets().into_iter().filter(|it| !it.contains('\n')) {
            if !given.hidden.contains(&secret) {
                return Err(format!("{secret} is not masked in logs"));
            }
        }
        Ok(())
    }

    /// Ahead of its end, or never.
    async fn renew(&mut self) -> Outcome {
        let row = self.world.row(self.name).await;
        let auth = &self.shipped.original.auth;
        let never = auth.oauth2().is_some_and(|it| it.refresh == Refresh::Never);
        if never || !auth.has_tokens() {
            let at = row.refresh_at;
            return if at.is_none() {
                Ok(())
            } else {
                Err(format!("it is renewed at {at:?}"))
            };
        }
        let at = row.refresh_at.ok_or("it is never renewed")?;
        let now = self.world.inside.app.now();
        if at <= now || row.expires_at.is_some_and(|end| end <= at) {
            return Err(format!(
                "it is renewed at {at:?}, and ends at {:?}",
                row.expires_at
            ));
        }
        self.world.inside.clock.advance(at.since(now));
        let former = self.held.adapted.get("access_token").cloned();
        told("renewal", connection_tend(&self.ctx, row.id).await)?;
        self.arrive();
        self.judge_token(&Stage::Kept)?;
        self.end()?;
        let row = self.world.row(self.name).await;
        is_well(&row)?;
        let given = run_secrets(&self.ctx, &self.world.job(self.name), RUN).await;
        let given = told("run", given.map_err(|why| why.to_string()))?;
        let token = self.held.adapted.get("access_token");
        let has = |token: &String| given.variables.iter().any(|it| it.1 == *token);
        if token == former.as_ref() || !token.is_some_and(has) {
            return Err("a run is not given the new token".to_owned());
        }
        self.arrive();
        while !self.seen.is_empty() {
            self.judge_token(&Stage::Kept)?;
        }
        Ok(())
    }

    /// By its check, from time to time.
    async fn look(&mut self) -> Outcome {
        if self.shipped.original.check.is_none() {
            return Ok(());
        }
        let row = self.world.row(self.name).await;
        let at = row.check_at.ok_or("it is never looked at")?;
        self.world
            .inside
            .clock
            .advance(at.since(self.world.inside.app.now()));
        for _ in 0..2 {
            told("look", connection_tend(&self.ctx, row.id).await)?;
        }
        self.arrive();
        while self.seen.len() > 1 {
            self.judge_token(&Stage::Kept)?;
        }
        self.judge_check()?;
        let row = self.world.row(self.name).await;
        is_well(&row)
    }

    async fn disconnect(&mut self) -> Outcome {
        let done = connector_disconnect(&self.ctx, self.owner, self.name).await;
        told("disconnect", done)?;
        self.arrive();
        let rules = self.shipped.original.auth.oauth2();
        let expected = rules.map(|it| tokens::revoke(it, &self.held)).transpose()?;
        if let Some(expected) = expected.flatten() {
            self.judge(&expected)?;
        }
        self.end()
    }

    /// Takes what has come in.
    fn arrive(&mut self) {
        self.seen.extend(self.world.stand_in.take_requests());
    }

    fn end(&self) -> Outcome {
        match self.seen.front() {
            None => Ok(()),
            Some(more) => Err(format!("nobody expects {more:?}")),
        }
    }

    fn judge(&mut self, expected: &Expected) -> Outcome {
        let secrets = self.secrets();
        let received = self.seen.pop_front();
        let received = received.ok_or_else(|| format!("{} does not arrive", expected.what))?;
        expected.compare(&received)?;
        expected.is_all(&received, &secrets)?;
        if !expected.signed {
            return Ok(());
        }
        let now = self.world.now_s();
        signed::judge(&self.shipped.original.auth, &self.held, &received, now)
    }

    /// A request for tokens; its answer is what is known from then on.
    fn judge_token(&mut self, stage: &Stage<'_>) -> Outcome {
        let auth = self.shipped.original.auth.clone();
        let expected = match (&auth, self.seen.front()) {
            (Auth::Oauth2(rules), _) => Some(tokens::oauth2(rules, &self.held, stage)?),
            (_, Some(first)) => tokens::exchange(&auth, &self.held, first, self.world.now_s())?,
            (_, None) => return Err("no token is asked for".to_owned()),
        };
        self.judge(&expected.ok_or("it has no tokens")?)?;
        let issued = self.world.script.lock().unwrap().issued.clone();
        for (name, value) in issued.as_object().into_iter().flatten() {
            if let Some(text) = value.as_str() {
                self.held
                    .adapted
                    .insert(name.to_lowercase(), text.to_owned());
                self.held
                    .original
                    .insert(name.to_lowercase(), text.to_owned());
            }
        }
        let rules = match &auth {
            Auth::Oauth2(rules) => &rules.token,
            Auth::JwtBearer(rules) => &rules.token,
            Auth::Oauth1(_)
            | Auth::ApiKey(_)
            | Auth::Basic(_)
            | Auth::AwsSigv4(_)
            | Auth::MutualTls(_)
            | Auth::Custom(_)
            | Auth::Fields(_) => return Ok(()),
        };
        for name in rules.values.keys() {
            let value = example(&self.shipped.original, name);
            self.learn(name, &value);
        }
        Ok(())
    }

    fn judge_call(&mut self, what: &'static str, request: &Request) -> Outcome {
        let expected = call(what, &self.shipped.original, request, &self.held)?;
        self.judge(&expected)
    }

    fn judge_check(&mut self) -> Outcome {
        match self.shipped.original.check.clone() {
            Some(check) => self.judge_call("check", &check.request()),
            None => Ok(()),
        }
    }

    /// What nobody may see who is not named for it.
    fn secrets(&self) -> Vec<String> {
        let definition = &self.shipped.original;
        let values = self.held.adapted.iter();
        let secret = values.filter(|(name, it)| is_secret(definition, name) && !it.is_empty());
        secret.map(|(_, value)| value.clone()).collect()
    }
}

fn is_well(row: &Connection) -> Outcome {
    let good = row.status == ConnectionStatus::Connected && row.reason.is_none();
    good.then_some(())
        .ok_or_else(|| format!("it is {:?}: {:?}", row.status, row.reason))
}
