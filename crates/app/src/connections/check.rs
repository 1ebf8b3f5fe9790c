//! Whether a connection works, by its definition's harmless request.

use http::header::CONTENT_TYPE;
use marquetry_connector::{Definition, Values};
use marquetry_model::Timestamp;
use marquetry_outbound::HttpClient;

use super::authorize::authorized;
use super::secret_values::without_secrets;

/// What the system said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It took the credentials, or there is nothing to ask it by.
    Works,
    /// It did not.
    Refused(String),
    /// It answered something that may mean so: an address that moved, a wall before it, a page.
    Doubtful(String),
    /// It could not be asked.
    Unknown(String),
}

/// Asks.
pub(crate) async fn check(
    http: &HttpClient,
    definition: &Definition,
    values: &Values,
    now: Timestamp,
) -> Verdict {
    let told = |why: String| without_secrets(definition, values, &why);
    match asked(http, definition, values, now).await {
        Verdict::Works => Verdict::Works,
        Verdict::Refused(why) => Verdict::Refused(told(why)),
        Verdict::Doubtful(why) => Verdict::Doubtful(told(why)),
        Verdict::Unknown(why) => Verdict::Unknown(told(why)),
    }
}

async fn asked(
    http: &HttpClient,
    definition: &Definition,
    values: &Values,
    now: Timestamp,
) -> Verdict {
    let Some(check) = &definition.check else {
        return Verdict::Works;
    };
    let request = match authorized(definition, values, &check.request(), now) {
        Ok(request) => request,
        // A field of an address that is not required, and so cannot be asked at.
        Err(why @ super::authorize::AuthorizeError::Url(_)) => {
            return Verdict::Unknown(why.to_string());
        }
        Err(why) => return Verdict::Doubtful(why.to_string()),
    };
    let answer = match http.send(request).await {
        Ok(answer) => answer,
        Err(why) => return Verdict::Unknown(why.to_string()),
    };
    let status = answer.status.as_u16();
    if check.expect.is_met(status, &answer.body) {
        return Verdict::Works;
    }
    let kind = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    let words = words(kind, &answer.body);
    if status == 429 || status >= 500 {
        return Verdict::Unknown(format!("{} answered {status}{words}", definition.title));
    }
    let why = format!("{} answered {status}{words}", definition.title);
    if status == 401 {
        Verdict::Refused(why)
    } else {
        Verdict::Doubtful(why)
    }
}

/// What an answer says of the reason, if it says it in a usual way.
fn words(kind: Option<&str>, body: &[u8]) -> String {
    if !kind.is_some_and(|it| it.contains("json")) {
        return String::new();
    }
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let places = [
        "/error/message",
        "/message",
        "/error_description",
        "/error",
        "/detail",
        "/errors/0/message",
    ];
    let found = places.iter().find_map(|at| json.pointer(at)?.as_str());
    let plain = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(200)
            .collect()
    };
    found
        .map(|text| format!(": {}", plain(text)))
        .unwrap_or_default()
}
