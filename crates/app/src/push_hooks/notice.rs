//! What the hosts of Git say about a push, and how one knows that it was they.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use marquetry_model::{Error, FieldError, Loc, Result, Timestamp};
use serde_json::Value;

use super::keys::Secret;

/// How far the time of a signed notice may be off, in seconds.
const TOLERANCE_S: i64 = 300;
/// The longest name of an event or branch that an answer repeats.
const SHOWN: usize = 100;

/// A request to a hook.
pub struct Notice<'a> {
    /// A header by its lower-case name, where it is text.
    pub header: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
    /// The body as it came: that is what is signed.
    pub body: &'a [u8],
}

/// Who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    GitHub,
    GitLab,
    Bitbucket,
    /// It has no header of its own and signs nothing: the body tells, a password vouches.
    Azure,
}

/// One name that a push moved.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// As `refs/heads/main`.
    pub(super) name: String,
    /// Where it is now; none: it is gone.
    pub(super) commit: Option<String>,
}

/// What a notice says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Push(Vec<Moved>),
    /// Why it is none of our business.
    Else(String),
}

/// Finds out who sent it, and refuses who does not know the secret.
pub(super) fn sender(notice: &Notice<'_>, secret: &Secret, now: Timestamp) -> Result<Host> {
    let header = notice.header;
    let (host, known) = if header("x-github-event").is_some() {
        (Host::GitHub, hub(notice, secret, "x-hub-signature-256"))
    } else if header("x-gitlab-event").is_some() {
        (Host::GitLab, gitlab(notice, secret, now))
    } else if header("x-event-key").is_some() {
        (Host::Bitbucket, hub(notice, secret, "x-hub-signature"))
    } else {
        (Host::Azure, azure(notice, secret))
    };
    if known {
        Ok(host)
    } else {
        Err(Error::Forbidden)
    }
}

fn hub(notice: &Notice<'_>, secret: &Secret, name: &str) -> bool {
    let signature = (notice.header)(name).and_then(|value| value.strip_prefix("sha256="));
    signature.is_some_and(|signature| secret.signed_hex(notice.body, signature))
}

/// A signature, where there is one, is not made good by the token beside it.
fn gitlab(notice: &Notice<'_>, secret: &Secret, now: Timestamp) -> bool {
    let header = notice.header;
    let Some(signatures) = header("webhook-signature") else {
        return header("x-gitlab-token").is_some_and(|token| secret.is(token));
    };
    let (Some(id), Some(time)) = (header("webhook-id"), header("webhook-timestamp")) else {
        return false;
    };
    let off = time
        .parse::<i64>()
        .ok()
        .map(|at| now.as_seconds().abs_diff(at));
    let mut content = format!("{id}.{time}.").into_bytes();
    content.extend_from_slice(notice.body);
    off.is_some_and(|off| off <= TOLERANCE_S.unsigned_abs())
        && secret.signed_v1(&content, signatures)
}

/// The password of HTTP Basic. It is not optional, though the host leaves it so: this is also the way
/// of who leaves out another host's header, and would get past its signature.
fn azure(notice: &Notice<'_>, secret: &Secret) -> bool {
    let value = (notice.header)("authorization").unwrap_or_default();
    let coded = value.split_once(' ').map(|(_, coded)| coded.trim());
    let text = coded.and_then(|coded| STANDARD.decode(coded).ok());
    let text = text.and_then(|text| String::from_utf8(text).ok());
    let password = text.as_deref().and_then(|text| text.split_once(':'));
    password.is_some_and(|(_, password)| secret.is(password))
}

/// Reads a notice whose sender is known.
pub(super) fn read(host: Host, notice: &Notice<'_>) -> Result<Said> {
    let json = json(notice)?;
    let header = |name| (notice.header)(name).unwrap_or_default();
    Ok(match host {
        Host::GitHub => match header("x-github-event") {
            "push" => Said::Push(one(&json, json["deleted"] == true)),
            "ping" => Said::Else("the hook works".to_owned()),
            event => no_push("GitHub", event),
        },
        Host::GitLab => {
            let kind = json["object_kind"].as_str().or(json["event_name"].as_str());
            match (header("x-gitlab-event"), kind) {
                ("Push Hook" | "System Hook", Some("push")) => Said::Push(one(&json, false)),
                (event, _) => no_push("GitLab", event),
            }
        }
        Host::Bitbucket => match header("x-event-key") {
            "repo:push" => Said::Push(each(&json["push"]["changes"], bitbucket)),
            event => no_push("Bitbucket", event),
        },
        Host::Azure => match json["eventType"].as_str() {
            Some("git.push") => Said::Push(each(&json["resource"]["refUpdates"], azure_moved)),
            Some(event) => no_push("Azure DevOps", event),
            None => Said::Else(
                "this is no notice of GitHub, GitLab, Bitbucket or Azure DevOps".to_owned(),
            ),
        },
    })
}

fn no_push(host: &str, event: &str) -> Said {
    let event = shown(event);
    Said::Else(format!(
        "{host}'s event {event} is no push; nothing is built for it"
    ))
}

/// GitHub and GitLab: one name in each notice.
fn one(json: &Value, deleted: bool) -> Vec<Moved> {
    let name = json["ref"].as_str().map(str::to_owned);
    let commit = json["after"].as_str().filter(|_| !deleted);
    let moved = name.map(|name| Moved {
        name,
        commit: commit.and_then(commit_of),
    });
    moved.into_iter().collect()
}

fn each(list: &Value, read: fn(&Value) -> Option<Moved>) -> Vec<Moved> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(read)
        .collect()
}

fn bitbucket(change: &Value) -> Option<Moved> {
    let gone = change["new"].is_null();
    let side = &change[if gone { "old" } else { "new" }];
    let kind = if side["type"] == "branch" {
        "heads"
    } else {
        "tags"
    };
    let commit = side["target"]["hash"].as_str().filter(|_| !gone);
    Some(Moved {
        name: format!("refs/{kind}/{}", side["name"].as_str()?),
        commit: commit.and_then(commit_of),
    })
}

fn azure_moved(update: &Value) -> Option<Moved> {
    Some(Moved {
        name: update["name"].as_str()?.to_owned(),
        commit: update["newObjectId"].as_str().and_then(commit_of),
    })
}

/// A commit's hash; nothing but zeros stands for none.
fn commit_of(text: &str) -> Option<String> {
    let hash = !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let zeros = text.bytes().all(|b| b == b'0');
    (hash && !zeros).then(|| text.to_ascii_lowercase())
}

/// The body as JSON; GitHub can also send it as a field of a form.
fn json(notice: &Notice<'_>) -> Result<Value> {
    let kind = (notice.header)("content-type").unwrap_or_default();
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    let payload = || {
        let mut fields = url::form_urlencoded::parse(notice.body);
        fields.find(|(name, _)| name == "payload")
    };
    // Many a client says "form" of whatever it sends.
    let payload = if is_form { payload() } else { None };
    let text = match payload {
        Some((_, value)) => Cow::Owned(value.into_owned().into_bytes()),
        None => Cow::Borrowed(notice.body),
    };
    serde_json::from_slice(&text).map_err(|_| {
        Error::Invalid(vec![FieldError {
            loc: vec![Loc::Name("body".into())],
            message: "JSON decode error".to_owned(),
            kind: "json_invalid",
            context: None,
        }])
    })
}

/// A name of theirs as an answer may repeat it.
pub(super) fn shown(text: &str) -> String {
    let calm = text.chars().filter(|c| !c.is_control());
    calm.take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn moved(name: &str, commit: Option<&str>) -> Moved {
        Moved {
            name: name.to_owned(),
            commit: commit.map(str::to_owned),
        }
    }

    fn read_as(host: Host, headers: &[(&'static str, &'static str)], body: &Value) -> Said {
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        };
        let body = body.to_string();
        read(
            host,
            &Notice {
                header: &header,
                body: body.as_bytes(),
            },
        )
        .unwrap()
    }

    #[test]
    fn several_names_in_one_notice() {
        let hash = "A".repeat(40);
        let body = json!({"push": {"changes": [
            {"old": null, "new": {"type": "branch", "name": "main", "target": {"hash": hash}}},
            {"old": {"type": "branch", "name": "gone"}, "new": null},
            {"old": null, "new": {"type": "tag", "name": "v1", "target": {"hash": hash}}},
            {"new": 7},
        ]}});
        let said = read_as(Host::Bitbucket, &[("x-event-key", "repo:push")], &body);
        let hash = hash.to_lowercase();
        let wanted = [
            moved("refs/heads/main", Some(&hash)),
            moved("refs/heads/gone", None),
            moved("refs/tags/v1", Some(&hash)),
        ];
        assert_eq!(said, Said::Push(Vec::from(wanted)));
        let zeros = "0".repeat(40);
        let body = json!({"eventType": "git.push", "resource": {"refUpdates": [
            {"name": "refs/heads/main", "newObjectId": hash},
            {"name": "refs/heads/gone", "newObjectId": zeros},
        ]}});
        let wanted = [
            moved("refs/heads/main", Some(&hash)),
            moved("refs/heads/gone", None),
        ];
        assert_eq!(
            read_as(Host::Azure, &[], &body),
            Said::Push(Vec::from(wanted))
        );
    }

    #[test]
    fn nonsense_names_nothing() {
        for body in [
            json!([]),
            json!(7),
            json!({"ref": 1}),
            json!({"push": {"changes": {}}}),
        ] {
            let said = read_as(Host::GitHub, &[("x-github-event", "push")], &body);
            assert_eq!(said, Said::Push(Vec::new()), "{body}");
            let said = read_as(Host::Bitbucket, &[("x-event-key", "repo:push")], &body);
            assert_eq!(said, Said::Push(Vec::new()), "{body}");
            assert!(matches!(read_as(Host::Azure, &[], &body), Said::Else(_)));
        }
        assert_eq!(commit_of("xyz"), None);
        assert_eq!(shown("a\nb\u{7}"), "ab");
    }
}
