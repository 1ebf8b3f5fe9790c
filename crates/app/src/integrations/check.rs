//! What an integration's fields may hold.

use std::collections::HashSet;

use marquetry_model::{
    Channel, Egress, Error, FieldError, Integration, Result, check_schedule, check_slug,
};
use marquetry_store::{WriteTx, integrations};

use crate::ctx::Ctx;
use crate::errors::store_error;
use crate::{releases, repository};

/// The characters of an address: more than any server takes, and lists repeat it.
const LONGEST_URL: usize = 2_000;
/// The characters of a schedule's label.
const LONGEST_LABEL: usize = 200;
/// The schedules that a form offers.
const MOST_CHOICES: usize = 100;
/// The systems that one integration talks to.
const MOST_CONNECTORS: usize = 100;

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

/// What is wrong with each field by itself, of what is new or differs from `before`.
pub(super) fn fields(
    ctx: &Ctx,
    before: Option<&Integration>,
    integration: &Integration,
) -> Vec<FieldError> {
    let mut faults = Faults {
        before,
        now: integration,
        found: Vec::new(),
    };
    names(&mut faults, integration);
    source(ctx, &mut faults, integration);
    schedules(&mut faults, integration);
    limits(ctx, &mut faults, integration);
    faults.found
}

/// All faults at once of what is new, or differs from `before`; after those that were `found` already.
/// A name that is taken is a conflict by itself, and one fault of several otherwise.
pub(super) async fn check(
    ctx: &Ctx,
    tx: &mut WriteTx,
    before: Option<&Integration>,
    integration: &Integration,
    mut found: Vec<FieldError>,
) -> Result<()> {
    found.extend(fields(ctx, before, integration));
    let mut faults = Faults {
        before,
        now: integration,
        found,
    };
    default_release(tx, &mut faults, integration).await?;
    let mut found = faults.found;
    let name = &integration.name;
    let is_new = before.is_none_or(|before| before.name != *name);
    let is_taken = is_new
        && integrations::find_by_name(tx, name)
            .await
            .map_err(store_error)?
            .is_some();
    match (found.is_empty(), is_taken) {
        (true, true) => return Err(name_taken(name)),
        (true, false) => return Ok(()),
        (false, true) => found.push(FieldError::body("name", taken(name))),
        (false, false) => {}
    }
    Err(Error::Invalid(found))
}

/// What a name that another one has is refused with, when nothing else is wrong.
pub(super) fn name_taken(name: &str) -> Error {
    Error::conflict("name_taken", taken(name))
}

fn taken(name: &str) -> String {
    format!("an integration named {name} exists; choose another name or archive it")
}

fn too_long(text: &str, most: usize) -> Option<String> {
    let count = text.chars().count();
    (count > most).then(|| format!("has {count} characters; it may have {most}"))
}

/// As much of a text as a sentence repeats.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn names(faults: &mut Faults<'_>, i: &Integration) {
    if let Err(why) = check_slug(&i.name) {
        fault!(faults, name, why.to_string());
    }
    if i.long_name.trim().is_empty() || i.long_name.chars().count() > 200 {
        let message = "must have 1 to 200 characters";
        fault!(faults, long_name, message);
    }
    if i.connectors.len() > MOST_CONNECTORS {
        let message = format!("must be at most {MOST_CONNECTORS} connectors");
        fault!(faults, connectors, message);
        return;
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
        fault!(faults, connectors, format!("{:?} {message}", short(name)));
    }
}

fn source(ctx: &Ctx, faults: &mut Faults<'_>, i: &Integration) {
    if let Some(url) = &i.repository_url {
        let found = repository::locate(url, &ctx.app.settings.local_repositories);
        if let Some(why) = too_long(url, LONGEST_URL).or(found.err().map(|why| why.to_string())) {
            fault!(faults, repository_url, why);
        }
    }
    if let Some(why) = i
        .target_url
        .as_deref()
        .and_then(|url| too_long(url, LONGEST_URL))
    {
        fault!(faults, target_url, why);
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
                let message = format!("{}: {why}", short(path));
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
    if i.schedule_choices.len() > MOST_CHOICES {
        let message = format!("must be at most {MOST_CHOICES} schedules");
        fault!(faults, schedule_choices, message);
        return;
    }
    for choice in &i.schedule_choices {
        if let Some(why) = too_long(&choice.label, LONGEST_LABEL) {
            let message = format!("the label {:?} {why}", short(&choice.label));
            fault!(faults, schedule_choices, message);
        }
        if let Err(why) = check_schedule(&choice.cron) {
            let message = format!("{}: {why}", short(&choice.cron));
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
    if let Some(why) = i.concurrency_limit.and_then(|n| range(n, 1, 10_000)) {
        fault!(faults, concurrency_limit, why);
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
    let already = faults.before.and_then(|before| before.default_release_id);
    let wished = i.default_release_id;
    let Some(id) = wished.filter(|_| wished != already) else {
        return Ok(());
    };
    if let Err(why) = releases::claim(tx, i.id, id).await? {
        let fault = FieldError::body("default_release_id", why);
        faults.found.push(fault);
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
