//! Builds that a push asks for: the hook that a host of Git calls.

mod keys;
mod notice;

use std::sync::Arc;

use marquetry_model::{Build, Error, Integration, IntegrationId, Result, Scope};
use marquetry_store::integrations;

use crate::App;
use crate::builds::branch_build;
use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::hints::Topic;
use crate::integrations::lock_live;

pub(crate) use keys::PushHookKeys;
pub use notice::Notice;
use notice::{Moved, Said, shown};

/// What is entered at the host of Git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushHook {
    /// The path of the address.
    pub path: String,
    /// What notices are signed with.
    pub secret: String,
}

/// What became of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTaken {
    /// What was done, or why nothing was.
    pub message: String,
    /// The build that will have what was pushed.
    pub build: Option<Build>,
}

/// The hook of an integration, for a caller who may change it.
pub fn push_hook(ctx: &Ctx, integration: &Integration) -> Option<PushHook> {
    if ctx.require(Scope::Write).is_err() || integration.archived_at.is_some() {
        return None;
    }
    let keys = &ctx.app.push_hooks;
    let token = keys.token(integration);
    Some(PushHook {
        path: format!("/hooks/git/{}/{token}", integration.id),
        secret: keys.secret(integration).into_text(),
    })
}

/// Gives the hook another address and secret; the former ones are good for nothing from now on.
pub async fn push_hook_rotate(ctx: &Ctx, id: IntegrationId) -> Result<Integration> {
    ctx.require(Scope::Write)?;
    let mut tx = ctx.write().await?;
    let mut integration = lock_live(&mut tx, id).await?;
    integration.push_hook_generation += 1;
    integration.modified_at = ctx.now();
    integrations::update(&mut tx, &integration)
        .await
        .map_err(store_error)?;
    ctx.commit(tx, id.get()).await?;
    Ok(integration)
}

/// Takes a notice: a push to the tracking branch asks for its build. The address is what lets
/// somebody in; for hosts that sign, the signature must be right as well.
pub async fn push_take(
    app: &Arc<App>,
    id: &str,
    token: &str,
    notice: &Notice<'_>,
) -> Result<PushTaken> {
    let ctx = Ctx::system(Arc::clone(app));
    let integration = find(&ctx, id, token).await?;
    let secret = app.push_hooks.secret(&integration);
    let host = notice::sender(notice, &secret, ctx.now())?;
    let moved = match notice::read(host, notice)? {
        Said::Push(moved) => moved,
        Said::Else(why) => return Ok(nothing(why)),
    };
    if let Err(why) = concerns(&integration, &moved) {
        return Ok(nothing(why));
    }
    let now = ctx.now();
    let mut tx = ctx.write().await?;
    let integration = lock_live(&mut tx, integration.id).await?;
    // Once more: it may have been changed since.
    if let Err(why) = concerns(&integration, &moved) {
        return Ok(nothing(why));
    }
    let (build, fresh) = branch_build(&mut tx, &integration, now).await?;
    if fresh {
        tx.commit().await.map_err(store_error)?;
        app.hints.give(Topic::Builds);
    }
    let message = if fresh {
        format!("build {} will fetch the newest commit", build.id)
    } else {
        format!(
            "build {} waits already; it will fetch the newest commit",
            build.id
        )
    };
    Ok(PushTaken {
        message,
        build: Some(build),
    })
}

fn nothing(message: String) -> PushTaken {
    PushTaken {
        message,
        build: None,
    }
}

/// One error for all that is wrong with an address: it tells nobody what there is.
async fn find(ctx: &Ctx, id: &str, token: &str) -> Result<Integration> {
    let missing = || Error::not_found("push hook", shown(id));
    let id: IntegrationId = id.parse().map_err(|_| missing())?;
    let mut tx = ctx.read().await?;
    let integration = match integrations::get(&mut tx, id).await {
        Ok(found) => found,
        Err(marquetry_store::Error::NotFound { .. }) => return Err(missing()),
        Err(error) => return Err(store_error(error)),
    };
    let right = keys::same(&ctx.app.push_hooks.token(&integration), token);
    if right && integration.archived_at.is_none() {
        Ok(integration)
    } else {
        Err(missing())
    }
}

/// Whether a push moved the tracking branch; else why nothing is to be built.
fn concerns(integration: &Integration, moved: &[Moved]) -> Result<(), String> {
    let branch = &integration.repository_tracking_branch;
    if integration.repository_url.is_none() {
        let name = &integration.name;
        return Err(format!(
            "integration {name} has no repository_url; nothing is built"
        ));
    }
    let wanted = format!("refs/heads/{branch}");
    // Of several moves of one name the last counts.
    match moved.iter().rev().find(|moved| moved.name == wanted) {
        Some(Moved {
            commit: Some(_), ..
        }) => Ok(()),
        Some(_) => Err(format!(
            "the tracking branch {branch} was deleted; nothing is built"
        )),
        None => {
            let name = moved
                .last()
                .map_or_else(String::new, |one| shown(&one.name));
            let name = name.strip_prefix("refs/heads/").unwrap_or(&name);
            Err(match name {
                "" => "the notice names no branch; nothing is built".to_owned(),
                name => format!("{name} is not the tracking branch {branch}; nothing is built"),
            })
        }
    }
}
