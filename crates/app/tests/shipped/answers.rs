//! What the stand-in answers: what a definition reads out of the answers of its system.

use std::collections::{HashMap, HashSet};

use marquetry_connector::{Auth, Definition, OAuth2, Refresh, TokenAnswer};
use marquetry_testkit::Received;
use serde_json::{Value, json};

use crate::adapted::{Held, address_names, moved};
use crate::expected::{call, endpoint, trimmed};

type Key = (String, String);

/// By method and path.
#[derive(Default)]
pub(crate) struct Script {
    answers: HashMap<Key, (u16, Value)>,
    token_keys: HashSet<Key>,
    /// What answers with tokens have besides.
    token: Value,
    count: usize,
    /// The last answer with tokens.
    pub(crate) issued: Value,
    /// What the next request for a token is answered instead.
    pub(crate) failure: Option<Value>,
}

/// How many things there are to choose from, and which is chosen.
pub(crate) const CHOICES: usize = 3;
pub(crate) const CHOSEN: usize = 1;
/// How long tokens are good where answers say it, in seconds.
pub(crate) const LIFETIME_S: i64 = 7200;

impl Script {
    pub(crate) fn answer(&mut self, received: &Received) -> (u16, Value) {
        let key = (received.method.clone(), trimmed(&received.path));
        if !self.token_keys.contains(&key) {
            let found = self.answers.get(&key).cloned();
            return found.unwrap_or_else(|| (404, json!({"message": "there is nothing here"})));
        }
        if let Some(failure) = self.failure.take() {
            return (200, failure);
        }
        self.count += 1;
        let count = self.count;
        let mut answer = self.token.clone();
        answer["access_token"] = format!("acc3ss+/={count}~").into();
        answer["refresh_token"] = format!("r3fresh+/={count}~").into();
        self.issued = answer.clone();
        (200, answer)
    }

    /// What the system of a definition answers, when `held` was entered.
    pub(crate) fn of(definition: &Definition, held: &Held, to: &str) -> Result<Self, String> {
        let mut script = Self {
            token: json!({"token_type": "Bearer", "scope": "granted"}),
            ..Self::default()
        };
        let mut known = held.clone();
        let mut calls = Vec::new();
        match &definition.auth {
            Auth::Oauth2(rules) => {
                script.tokens_of(definition, rules, &mut known, to)?;
                learn_choice(definition, rules, &mut known, to);
                for name in rules.callback.keys() {
                    known.insert(name, &of_callback(name), to);
                }
                for found in &rules.discover {
                    let mut answer = Value::Null;
                    for (name, place) in &found.values {
                        let value = example(definition, name);
                        set(&mut answer, place, moved(&value, to).into());
                        known.insert(name, &value, to);
                    }
                    calls.push((&found.request, answer));
                }
                if let Some(choice) = &rules.choice {
                    calls.push((&choice.request, choices(definition, rules, to)));
                }
            }
            Auth::JwtBearer(rules) => {
                script.token["expires_in"] = LIFETIME_S.into();
                script.answer_tokens(definition, &rules.token, &mut known, to);
                if let Some(url) = &rules.token_url {
                    script.token_keys.insert(key("POST", &endpoint(url, held)?));
                }
            }
            Auth::Oauth1(_)
            | Auth::ApiKey(_)
            | Auth::Basic(_)
            | Auth::AwsSigv4(_)
            | Auth::MutualTls(_)
            | Auth::Custom(_)
            | Auth::Fields(_) => {}
        }
        for (request, answer) in calls {
            let key = call("an answer", definition, request, &known)?.key();
            script.answers.entry(key).or_insert((200, Value::Null)).1 = answer;
        }
        if let Some(check) = &definition.check {
            let key = call("an answer", definition, &check.request(), &known)?.key();
            let (status, answer) = script.answers.entry(key).or_insert((200, json!({})));
            *status = check.expect.status.first().copied().unwrap_or(200);
            for (place, value) in &check.expect.json {
                set(answer, place, value.clone());
            }
        }
        Ok(script)
    }

    fn tokens_of(
        &mut self,
        definition: &Definition,
        rules: &OAuth2,
        known: &mut Held,
        to: &str,
    ) -> Result<(), String> {
        if rules.refresh == Refresh::Expiry && rules.lifetime_s.is_none() {
            self.token["expires_in"] = LIFETIME_S.into();
        }
        for url in std::iter::once(&rules.token_url).chain(&rules.refresh_url) {
            self.token_keys.insert(key("POST", &endpoint(url, known)?));
        }
        if let Some(url) = &rules.device_url {
            let device = json!({
                "device_code": "dev1ce", "user_code": "ABCD-EFGH", "interval": 5,
                "verification_uri": "https://example.com/activate", "expires_in": 600,
            });
            self.answers
                .insert(key("POST", &endpoint(url, known)?), (200, device));
        }
        self.answer_tokens(definition, &rules.token, known, to);
        if let Some(revoke) = &rules.revoke {
            let key = key(&revoke.method, &endpoint(&revoke.url, known)?);
            self.answers.insert(key, (200, json!({})));
        }
        Ok(())
    }

    fn answer_tokens(
        &mut self,
        definition: &Definition,
        rules: &TokenAnswer,
        known: &mut Held,
        to: &str,
    ) {
        for (name, place) in &rules.values {
            let value = example(definition, name);
            set(&mut self.token, place, moved(&value, to).into());
            known.insert(name, &value, to);
        }
        if let Some(rule) = &rules.error
            && rule.equals == Some(json!(false))
        {
            set(&mut self.token, &rule.at, json!(true));
        }
    }
}

/// An answer of a token endpoint that says by the definition's own rule that it failed.
pub(crate) fn failure(rules: &TokenAnswer) -> Option<Value> {
    let rule = rules.error.as_ref()?;
    let mut answer = json!({});
    set(
        &mut answer,
        &rule.at,
        rule.equals.clone().unwrap_or(json!("failed")),
    );
    if let Some(place) = &rule.message {
        set(&mut answer, place, json!("invalid_code"));
    }
    Some(answer)
}

/// What an answer has for a value.
pub(crate) fn example(definition: &Definition, name: &str) -> String {
    let words = name.replace('_', "-");
    match name {
        "expires_in" => "5184000".to_owned(),
        "access_token" => "acc3ss+/=found~".to_owned(),
        _ if address_names(definition).iter().any(|it| it == name) => {
            format!("https://{words}.example.com")
        }
        _ => format!("{words}-found"),
    }
}

/// What the provider adds to the callback.
pub(crate) fn of_callback(name: &str) -> String {
    format!("{}-of-callback", name.replace('_', "-"))
}

/// Adds what is chosen.
pub(crate) fn learn_choice(definition: &Definition, rules: &OAuth2, known: &mut Held, to: &str) {
    for name in rules.choice.iter().flat_map(|it| it.values.keys()) {
        known.insert(name, &choice(definition, name, CHOSEN), to);
    }
}

fn choice(definition: &Definition, name: &str, number: usize) -> String {
    let value = example(definition, name);
    if value.starts_with("https://") {
        format!("{value}/{number}")
    } else {
        format!("{value}-{number}")
    }
}

fn choices(definition: &Definition, rules: &OAuth2, to: &str) -> Value {
    let mut answer = Value::Null;
    if let Some(rule) = &rules.choice {
        let item = |number| {
            let mut item = json!({});
            set(&mut item, &rule.title, format!("Thing {number}").into());
            for (name, place) in &rule.values {
                set(
                    &mut item,
                    place,
                    moved(&choice(definition, name, number), to).into(),
                );
            }
            item
        };
        set(&mut answer, &rule.items, (0..CHOICES).map(item).collect());
    }
    answer
}

fn key(method: &str, url: &url::Url) -> Key {
    crate::expected::Expected::to("an answer", method, url).key()
}

/// Puts a value at a JSON Pointer, and whatever it lies in.
fn set(json: &mut Value, place: &str, value: Value) {
    let mut here = json;
    for part in place.split('/').skip(1) {
        here = match part.parse::<usize>() {
            Ok(index) if !here.is_object() => {
                if !here.is_array() {
                    *here = json!([]);
                }
                let list = here.as_array_mut().unwrap();
                while list.len() <= index {
                    list.push(Value::Null);
                }
                &mut list[index]
            }
            _ => &mut here[part],
        };
    }
    *here = value;
}
