//! Fetching the commit, with `git` in the sandbox: a repository is input like any other.

use std::path::PathBuf;

use marquetry_app::repository::Location;
use marquetry_manifest::LastLine;
use marquetry_model::Build;
use marquetry_sandbox::Status;

use super::command::{Step, run};
use super::git;
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
    let (address, network) =
        git::reach(&mut site.layout, &site.reach, location).map_err(BuildError::Source)?;
    let credential = site.secrets.credential.as_ref();
    let unwritten = |e| BuildError::platform("git's settings could not be written", e);
    let given = &site.inner.config.build.environment;
    let (layout, tag_name) = (&site.layout, tag.as_deref());
    let environment = git::environment(layout, given, &address, &branch, tag_name, credential);
    let environment = environment.await.map_err(unwritten)?;
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
    site.sink.commit = Some(commit.to_owned());
    Ok(Checkout {
        commit: Some(commit.to_owned()),
        short: Some(commit.chars().take(7).collect()),
        counts_as_latest: !of_branch || branch == tracking,
        branch: of_branch.then_some(branch),
    })
}
