//! What `git` needs in the sandbox, for a checkout and for a look.

use std::ffi::OsString;

use marquetry_app::repository::Location;
use marquetry_sandbox::{Access, Network};

use crate::network::Reach;
use crate::step::Layout;

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
            Ok((format!("file://{}", inside.display()), Network::None))
        }
    }
}

/// Its variables; writes its settings to the platform's files.
pub(crate) async fn environment(
    layout: &Layout,
    address: &str,
    branch: &str,
    tag: Option<&str>,
) -> std::io::Result<Vec<(OsString, OsString)>> {
    let config = layout.host_files().join("gitconfig");
    tokio::fs::write(&config, GIT_CONFIG).await?;
    let config = layout.files().join("gitconfig");
    let pairs: [(&str, OsString); 8] = [
        ("MARQUETRY_REPOSITORY", address.into()),
        ("MARQUETRY_BRANCH", branch.into()),
        ("MARQUETRY_TAG", tag.unwrap_or_default().into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ("GIT_CONFIG_GLOBAL", config.into()),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        ("GIT_LFS_SKIP_SMUDGE", "1".into()),
        (
            "GIT_SSH_COMMAND",
            "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new".into(),
        ),
    ];
    Ok(pairs.map(|(name, value)| (name.into(), value)).to_vec())
}
