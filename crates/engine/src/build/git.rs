//! What `git` needs in the sandbox, for a checkout and for a look.

use std::ffi::OsString;

use marquetry_app::integration_secrets::Credential;
use marquetry_app::repository::Location;
use marquetry_sandbox::{Access, Network};
use url::Url;

use crate::network::Reach;
use crate::step::Layout;
use crate::toolchain::merge;

/// Nothing of the repository's own configuration, hooks, filters or submodules is followed.
const GIT_CONFIG: &str = "[safe]
\tdirectory = *
[protocol]
\tallow = never
[protocol \"https\"]
\tallow = always
[protocol \"ssh\"]
\tallow = always
[protocol \"file\"]
\tallow = always
[core]
\thooksPath = /dev/null
\tfsmonitor = false
[submodule]
\trecurse = false
[init]
\tdefaultBranch = marquetry
[advice]
\tdetachedHead = false
[gc]
\tauto = 0
";

/// The address as `git` shall use it, with the network for it. A local repository is seen read only,
/// without any network.
pub(crate) fn reach(
    layout: &mut Layout,
    reach: &Reach,
    location: &Location,
) -> Result<(String, Network), String> {
    match location {
        Location::Remote(address) => Ok((address.clone(), reach.network.clone())),
        Location::Local(path) => {
            if !path.exists() {
                return Err(format!("there is no repository at {}", path.display()));
            }
            let inside = layout.mount(path.clone(), "/repository", Access::ReadOnly);
            // Git reads `%2F` in an address as `/`: a name may hold it, and shall lead nowhere else.
            let address = Url::from_file_path(&inside);
            let address = address.map_err(|()| format!("{} is no path", inside.display()))?;
            Ok((address.into(), Network::None))
        }
    }
}

/// Says the user and the token to git, for the host of the repository alone: what it is led on to
/// learns nothing.
const HELPER: &str = r#"!f() { test "$1" != get || printf 'username=%s\npassword=%s\n' "$MARQUETRY_GIT_USER" "$MARQUETRY_GIT_TOKEN"; }; f"#;
const SSH: &str = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new";
/// Ssh takes a key from a file alone, which its user must own and nobody else may read: so it is made
/// where ssh runs, and gone before anything else does.
const SSH_WITH_KEY: &str = r#"f() { key=$(mktemp) && printf '%s' "$MARQUETRY_GIT_SSH_KEY" >"$key" && ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o IdentitiesOnly=yes -i "$key" "$@"; code=$?; rm -f "$key"; return $code; }; f"#;

/// Its variables; writes its settings to the platform's files. `given` are the operator's for builds.
pub(crate) async fn environment(
    layout: &Layout,
    given: &[(String, String)],
    address: &str,
    branch: &str,
    tag: Option<&str>,
    credential: Option<&Credential>,
) -> std::io::Result<Vec<(OsString, OsString)>> {
    let config = layout.host_files().join("gitconfig");
    let helper = match credential {
        Some(Credential::Token { .. }) => helper_of(address).unwrap_or_default(),
        Some(Credential::SshKey { .. }) | None => String::new(),
    };
    tokio::fs::write(&config, format!("{GIT_CONFIG}{helper}")).await?;
    let config = layout.files().join("gitconfig");
    let pairs: [(&str, OsString); 8] = [
        ("MARQUETRY_REPOSITORY", address.into()),
        ("MARQUETRY_BRANCH", branch.into()),
        ("MARQUETRY_TAG", tag.unwrap_or_default().into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_CONFIG_GLOBAL", config.into()),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        ("GIT_LFS_SKIP_SMUDGE", "1".into()),
        ("GIT_SSH_COMMAND", SSH.into()),
    ];
    let mut all = layout.basic_environment();
    let given = given.iter().filter(|(name, _)| concerns_hosts(name));
    all.extend(given.map(|(name, value)| (name.into(), value.into())));
    all.extend(pairs.map(|(name, value)| (name.into(), value)));
    match credential {
        Some(Credential::Token { username, token }) => {
            let pairs = [
                ("MARQUETRY_GIT_USER", username),
                ("MARQUETRY_GIT_TOKEN", token),
            ];
            all.extend(pairs.map(|(name, value)| (name.into(), value.into())));
        }
        Some(Credential::SshKey { ssh_private_key }) => {
            let pairs = [
                ("GIT_SSH_COMMAND", SSH_WITH_KEY),
                ("MARQUETRY_GIT_SSH_KEY", ssh_private_key),
            ];
            all.extend(pairs.map(|(name, value)| (name.into(), value.into())));
        }
        None => {}
    }
    Ok(merge(all))
}

/// Whether a variable of the operator's is for the platform's own Git, too: proxies are, and whose
/// certificates count. What Git takes besides is for the Git that a build command starts; here it
/// would take away what keeps a credential with its host.
fn concerns_hosts(name: &str) -> bool {
    !name.starts_with("GIT_") || name.starts_with("GIT_SSL_")
}

/// The settings that hold for the host of an https address.
fn helper_of(address: &str) -> Option<String> {
    let rest = address.strip_prefix("https://")?;
    let host = quoted(rest.split('/').next()?);
    Some(format!(
        "[credential \"https://{host}\"]\n\thelper = \"{}\"\n",
        quoted(HELPER)
    ))
}

/// As it stands between quotes in Git's settings.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
