//! What an integration's fields may hold.

use std::collections::HashSet;

use marquetry_model::{
    Channel, Egress, Error, FieldError, Integration, Result, check_schedule, check_slug,
};
use marquetry_store::{WriteTx, releases};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::repository;

/// The faults of one integration.
struct Faults<'a> {
    before: Option<&'a Integration>,
    now: &'a Integration,
    found: Vec<FieldError>,
}

/// Adds a fault of a field. One that the change does not touch is none: the operator may have
/// tightened a limit since, which must not hold up the change of something else.
macro_rules! fault {
    ($faults:expr, $field:ident, $message:expr) => {
        fault!($faults, $field, stringify!($field), $message)
    };
    ($faults:expr, $field:ident, $name:expr, $message:expr) => {
        let now = $faults.now;
        if $faults
            .before
            .is_none_or(|before| before.$field != now.$field)
        {
            $faults.found.push(FieldError::body($name, $message));
        }
    };
}

/// All faults at once of what is new, or differs from `before`; after those that were `found` already.
pub(super) async fn check(
    ctx: &Ctx,
    tx: &mut WriteTx,
    before: Option<&Integration>,
    integration: &Integration,
    found: Vec<FieldError>,
) -> Result<()> {
    let mut faults = Faults {
        before,
        now: integration,
        found,
    };
    names(&mut faults, integration);
    source(ctx, &mut faults, integration);
    schedules(&mut faults, integration);
    limits(ctx, &mut faults, integration);
    default_release(tx, &mut faults, integration).await?;
    if faults.found.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(faults.found))
    }
}

fn names(faults: &mut Faults<'_>, i: &Integration) {
    if let Err(why) = check_slug(&i.name) {
        fault!(faults, name, why.to_string());
    }
    if i.long_name.trim().is_empty() || i.long_name.chars().count() > 200 {
        let message = "must have 1 to 200 characters";
        fault!(faults, long_name, message);
    }
    let mut named = HashSet::new();
    for connector in &i.connectors {
        let name = &connector.name;
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let message = if name.is_empty() || name.len() > 63 || !name.bytes().all(known) {
            "has a name that is not 1 to 63 letters, digits, `-`, `_` and `.`"
        } else if named.insert(name) {
            continue;
        } else {
            "is named twice"
        };
        fault!(faults, connectors, format!("{name:?} {message}"));
    }
}

fn source(ctx: &Ctx, faults: &mut Faults<'_>, i: &Integration) {
    if let Some(url) = &i.repository_url
        && let Err(why) = repository::locate(url, &ctx.app.settings.local_repositories)
    {
        fault!(faults, repository_url, why.to_string());
    }
    if let Err(why) = check_git_name(&i.repository_tracking_branch) {
        fault!(faults, repository_tracking_branch, why);
    }
    if i.repository_paths.is_empty() || i.repository_paths.len() > 50 {
        fault!(
            faults,
            repository_paths,
            "repository_path",
            "must name 1 to 50 manifests"
        );
    }
    let mut named = HashSet::new();
    for path in &i.repository_paths {
        match marquetry_manifest::manifest_candidates(path) {
            Err(why) => {
                let message = format!("{path}: {why}");
                fault!(faults, repository_paths, "repository_path", message);
            }
            Ok(files) if !named.insert(files.clone()) => {
                fault!(
                    faults,
                    repository_paths,
                    "repository_path",
                    format!("{path}: is named twice")
                );
            }
            Ok(_) => {}
        }
    }
}

fn schedules(faults: &mut Faults<'_>, i: &Integration) {
    if let Some(Err(why)) = i.default_schedule.as_deref().map(check_schedule) {
        fault!(faults, default_schedule, why);
    }
    for choice in &i.schedule_choices {
        if let Err(why) = check_schedule(&choice.cron) {
            let message = format!("{}: {why}", choice.cron);
            fault!(faults, schedule_choices, message);
        }
    }
}

fn limits(ctx: &Ctx, faults: &mut Faults<'_>, i: &Integration) {
    let limits = &ctx.app.settings.limits;
    let range = |value: i64, least: i64, most: i64| {
        (value < least || value > most).then(|| format!("must be from {least} to {most}"))
    };
    if let Some(why) = range(i.debounce_ms, 0, 3_600_000) {
        fault!(faults, debounce_ms, why);
    }
    if let Some(why) = range(i.timeout_seconds, 1, limits.longest_run_s) {
        fault!(faults, timeout_seconds, why);
    }
    if let Some(why) = range(i.memory_mb, 16, limits.most_memory_mb) {
        fault!(faults, memory_mb, why);
    }
    if let Some(why) = i.poll_seconds.and_then(|s| range(s, 10, 604_800)) {
        fault!(faults, poll_seconds, why);
    }
    if i.egress == Egress::Host && !ctx.app.settings.host_network_allowed {
        let message = "host is not allowed here; the operator opens it with --allow-host-network";
        fault!(faults, egress, message);
    }
    if i.egress_ports.len() > 32 || i.egress_ports.contains(&0) {
        let message = "must be at most 32 ports from 1 to 65535";
        fault!(faults, egress_ports, message);
    }
}

async fn default_release(tx: &mut WriteTx, faults: &mut Faults<'_>, i: &Integration) -> Result<()> {
    if i.default_release_id.is_some() && i.default_release_channel.is_some() {
        let message = "give default_release_id or a channel, not both";
        // It is the two together: either may be the one that is new.
        fault!(faults, default_release_channel, message);
        if faults
            .before
            .is_some_and(|before| before.default_release_channel == i.default_release_channel)
        {
            fault!(
                faults,
                default_release_id,
                "default_release_channel",
                message
            );
        }
    }
    if i.default_release_channel == Some(Channel::Default) {
        let message = "must be Latest: Default would mean itself";
        fault!(faults, default_release_channel, message);
    }
    let Some(id) = i.default_release_id else {
        return Ok(());
    };
    let release = releases::find(tx, id).await.map_err(store_error)?;
    if release.is_none_or(|release| release.integration_id != i.id) {
        let message = format!("the integration has no release {id}");
        fault!(faults, default_release_id, message);
    }
    Ok(())
}

/// Whether Git takes it as a branch or tag name; the rules of `git check-ref-format`.
pub(crate) fn check_git_name(name: &str) -> Result<(), &'static str> {
    let wrong = name.is_empty()
        || name.len() > 200
        || name.starts_with(['-', '/', '.'])
        || name.ends_with(['/', '.'])
        || name.rsplit_once('.').is_some_and(|(_, end)| end == "lock")
        || name.contains("..")
        || name.contains("//")
        || name.contains("/.")
        || name.contains("@{")
        || name == "@"
        || name.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c));
    if wrong {
        Err("must be a name that Git allows for a branch or tag")
    } else {
        Ok(())
    }
}
