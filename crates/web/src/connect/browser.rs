//! What tells one browser from another, so that a consent ends where it began.

use axum::response::Response;
use http::HeaderMap;
use http::header::COOKIE;
use marquetry_app::connect::new_secret;

use super::with_cookie;

const NAME: &str = "mq_connect";
/// As long as a consent may take, and once more for the next one.
const LIFE_S: u32 = 3600;

/// A browser, known by a secret in its cookie.
pub(super) struct Browser {
    secret: String,
    secure: bool,
}

impl Browser {
    /// The one of a request; a new one where it has no cookie yet.
    pub(super) fn of(headers: &HeaderMap, origin: &str) -> Self {
        let secure = origin.starts_with("https://");
        let known = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|it| it.to_str().ok())
            .flat_map(|it| it.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, value)| *name == name_of(secure) && is_ours(value));
        match known {
            Some((_, secret)) => Self {
                secret: secret.to_owned(),
                secure,
            },
            None => Self {
                secret: new_secret(),
                secure,
            },
        }
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// The answer, with the cookie, which lives as long again.
    pub(super) fn keep(&self, response: Response) -> Response {
        let (name, secret) = (name_of(self.secure), &self.secret);
        let secure = if self.secure { "; Secure" } else { "" };
        // Lax: the provider's redirect comes from another site.
        let cookie =
            format!("{name}={secret}; Path=/; Max-Age={LIFE_S}; HttpOnly; SameSite=Lax{secure}");
        with_cookie(response, &cookie)
    }
}

/// Over TLS no other host of the domain can set it.
fn name_of(secure: bool) -> String {
    if secure {
        format!("__Host-{NAME}")
    } else {
        NAME.to_owned()
    }
}

fn is_ours(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit())
}
