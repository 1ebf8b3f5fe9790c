//! Signatures by OAuth 1.0a and of AWS, checked as their standards say.

use marquetry_connector::Auth;
use marquetry_testkit::{Credentials, Received};

use crate::adapted::Held;
use crate::expected::filled;

/// Why a signature is not that of these values, if it is not.
pub(crate) fn judge(auth: &Auth, held: &Held, received: &Received, now: i64) -> Result<(), String> {
    let fault = match auth {
        Auth::Oauth1(rule) => {
            let optional = |it: &Option<_>| it.as_ref().and_then(|it| filled(it, held));
            let own = Credentials {
                consumer_key: filled(&rule.consumer_key, held).unwrap_or_default(),
                consumer_secret: filled(&rule.consumer_secret, held).unwrap_or_default(),
                oauth1_token: optional(&rule.token).unwrap_or_default(),
                oauth1_token_secret: optional(&rule.token_secret).unwrap_or_default(),
                ..nobody()
            };
            let method = serde_json::to_value(rule.signature).unwrap();
            let method = format!("oauth_signature_method={method}");
            let realm = optional(&rule.realm).map(|it| format!("realm=\"{it}\""));
            let header = received.header("authorization").unwrap_or_default();
            if !header.contains(&method) || !header.contains(&realm.unwrap_or_default()) {
                return Err(format!("the signature is {header}"));
            }
            received.oauth1_fault(&own, now)
        }
        Auth::AwsSigv4(rule) => {
            let own = Credentials {
                access_key_id: filled(&rule.access_key_id, held).unwrap_or_default(),
                secret_access_key: filled(&rule.secret_access_key, held).unwrap_or_default(),
                ..nobody()
            };
            let region = filled(&rule.region, held).unwrap_or_default();
            let service = rule.service.as_ref().and_then(|it| filled(it, held));
            // The first label of the stand-in's own host.
            let service = service.unwrap_or_else(|| "127".to_owned());
            let token = rule.session_token.as_ref().and_then(|it| filled(it, held));
            if received.header("x-amz-security-token") != token.as_deref() {
                return Err("the session's token does not arrive".to_owned());
            }
            received.aws_fault(&own, (&region, &service), now)
        }
        Auth::Oauth2(_)
        | Auth::JwtBearer(_)
        | Auth::ApiKey(_)
        | Auth::Basic(_)
        | Auth::MutualTls(_)
        | Auth::Custom(_)
        | Auth::Fields(_) => None,
    };
    fault.map_or(Ok(()), |why| Err(format!("the signature: {why}")))
}

fn nobody() -> Credentials {
    Credentials {
        client_id: String::new(),
        client_secret: String::new(),
        username: String::new(),
        password: String::new(),
        api_key: String::new(),
        consumer_key: String::new(),
        consumer_secret: String::new(),
        oauth1_token: String::new(),
        oauth1_token_secret: String::new(),
        access_key_id: String::new(),
        secret_access_key: String::new(),
    }
}
