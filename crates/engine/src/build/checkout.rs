//! Fetching the commit, with `git` in the sandbox: a repository is input like any other.

use std::ffi::OsString;
use std::path::PathBuf;

use marquetry_app::repository::Location;
use marquetry_manifest::LastLine;
use marquetry_model::Build;
use marquetry_sandbox::{Access, Network, Status};

use super::command::{Step, run};
use super::work::{BuildError, Site};

/// What was fetched.
pub(super) struct Checkout {
    pub(super) commit: Option<String>,
    /// The first characters of the commit.
    pub(super) short: Option<String>,
    /// The branch, when it was one.
    pub(super) branch: Option<String>,
    /// Whether `Latest` may mean it: the tracking branch, or a tag that somebody asked for.
    pub(super) counts_as_latest: bool,
}

/// Prints `<commit> branch` or `<commit> tag` as its last line. The exit codes 3 and 4 have a
/// meaning of ours; everything else is git's.
const SCRIPT: &str = r#"
set -eu
git init -q .
fetch() { git fetch -q --depth 1 --no-tags -- "$MARQUETRY_REPOSITORY" "+$1:refs/marquetry/head" 1>&2; }
exists() { git ls-remote --exit-code -q -- "$MARQUETRY_REPOSITORY" "$1" >/dev/null; }
kind=branch
if [ -n "$MARQUETRY_TAG" ] && exists "refs/tags/$MARQUETRY_TAG"; then
  kind=tag
  fetch "refs/tags/$MARQUETRY_TAG"
else
  code=0
  exists "refs/heads/$MARQUETRY_BRANCH" || code=$?
  if [ "$code" = 2 ]; then exit 3; elif [ "$code" != 0 ]; then exit 4; fi
  fetch "refs/heads/$MARQUETRY_BRANCH"
fi
git checkout -q --detach refs/marquetry/head 1>&2
echo "$(git rev-parse HEAD) $kind"
"#;

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

pub(super) async fn checkout(
    site: &mut Site<'_, '_>,
    build: &Build,
    location: &Location,
) -> Result<Checkout, BuildError> {
    let tracking = site.integration.repository_tracking_branch.clone();
    let branch = build.branch.clone().unwrap_or_else(|| tracking.clone());
    // A branch that was asked for goes before a tag of the label's name.
    let tag = if build.branch.is_some() {
        None
    } else {
        build.tag.clone()
    };
    let (address, network) = reach(site, location)?;
    let environment = environment(site, &address, &branch, tag.as_deref()).await?;
    let step = Step {
        command: SCRIPT,
        folder: PathBuf::new(),
        what: "fetching the repository",
    };
    let mut output = LastLine::new();
    match run(site, step, environment, network, Some(&mut output)).await? {
        Status::Exited(0) => {}
        Status::Exited(3) => {
            return Err(BuildError::Source(format!(
                "the repository has no branch {branch}{}",
                tag.map(|tag| format!(", and no tag {tag}"))
                    .unwrap_or_default()
            )));
        }
        Status::Exited(_) | Status::Signalled(_) => {
            return Err(BuildError::Source(
                "the repository could not be fetched; the log has git's words".to_owned(),
            ));
        }
    }
    let line = output.finish().ok().flatten().unwrap_or_default();
    let (commit, kind) = line.split_once(' ').unwrap_or((line.as_str(), "branch"));
    let of_branch = kind == "branch";
    site.log.say(&format!("commit {commit}"));
    Ok(Checkout {
        commit: Some(commit.to_owned()),
        short: Some(commit.chars().take(7).collect()),
        counts_as_latest: !of_branch || branch == tracking,
        branch: of_branch.then_some(branch),
    })
}

/// A local repository is seen read only, without any network.
fn reach(site: &mut Site<'_, '_>, location: &Location) -> Result<(String, Network), BuildError> {
    match location {
        Location::Remote(address) => Ok((address.clone(), site.reach.network.clone())),
        Location::Local(path) => {
            if !path.exists() {
                let message = format!("there is no repository at {}", path.display());
                return Err(BuildError::Source(message));
            }
            let inside = site
                .layout
                .mount(path.clone(), "/repository", Access::ReadOnly);
            Ok((format!("file://{}", inside.display()), Network::None))
        }
    }
}

async fn environment(
    site: &Site<'_, '_>,
    address: &str,
    branch: &str,
    tag: Option<&str>,
) -> Result<Vec<(OsString, OsString)>, BuildError> {
    let config = site.layout.host_files().join("gitconfig");
    let written = tokio::fs::write(&config, GIT_CONFIG).await;
    written.map_err(|e| BuildError::platform("git's settings could not be written", e))?;
    let config = site.layout.files().join("gitconfig");
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
