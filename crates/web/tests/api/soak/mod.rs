//! Months of use take no more room than the first weeks: once the time is over for which things are kept,
//! nothing grows any more but what is kept for good.

mod days;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use marquetry_app::Limits;
use marquetry_app::retention::Retention;
use marquetry_testkit::{Inside, both_databases};
use marquetry_web::WebConfig;

use crate::client::Client;

const DAY: Duration = Duration::from_hours(24);
/// Shorter than an operator would have it, so that what stays shows sooner. Nothing is kept longer than
/// ten days.
const RETENTION: Retention = Retention {
    runs: Duration::from_hours(10 * 24),
    webhook_bodies: Duration::from_hours(3 * 24),
    decisions: Duration::from_hours(5 * 24),
    build_logs: Duration::from_hours(10 * 24),
    artifacts: Duration::from_hours(10 * 24),
};
/// Days after which everything has once been as much as it may be.
const FIRST: usize = 20;
const DAYS: usize = 60;

/// What is kept for good. Anything else, also of a table that is added some day, must stop growing.
const FOR_GOOD: &[(&str, &str)] = &[
    ("api_keys", "it can be told who had access"),
    (
        "audit",
        "it can be told for two years who was given secrets",
    ),
    ("builds", "it can be told what a release is made of"),
    ("releases", "it can be told what ran"),
    ("tenants", "one that is archived can be looked at"),
    ("tenant_metadata", "one row of a tenant"),
    ("tenant_secrets", "one row of a tenant"),
    ("tenant_states", "one row of a tenant"),
];

/// What each tenant that came and went leaves behind for good, as so many of it at most: its last and its last
/// successful run, with what came with them.
const OF_A_GUEST: &[(&str, u64)] = &[
    ("runs", 2),
    ("triggers", 2),
    ("payload files", 2),
    ("payload bytes", 2 * days::LARGEST),
    ("log files", 2),
    ("log bytes", 2 * days::LARGEST),
];
/// Of how many days one brings a guest.
const GUEST_EVERY: usize = 5;

/// How much there is of what: the rows of each table, and what lies in files.
type Sizes = BTreeMap<String, u64>;

both_databases! {
    async fn what_is_kept_stops_growing(database) {
        let inside = Inside::keeping(database, Limits::default(), RETENTION).await;
        let client = Client::of(inside, WebConfig::default());
        days::prepare(&client).await;
        let mut seen = Vec::new();
        for day in 0..DAYS {
            days::pass(&client, day).await;
            seen.push(sizes(&client.inside).await);
            client.inside.age_blobs();
            client.inside.clock.advance(DAY);
            client.inside.reap().await;
            client.inside.retain().await;
        }
        check(&seen);
    }
}

async fn sizes(inside: &Inside) -> Sizes {
    let mut sizes = inside.rows_of_tables().await;
    sizes.extend(
        inside
            .pages_in_use()
            .map(|pages| ("pages".to_owned(), pages)),
    );
    for (kind, files) in inside.blobs() {
        sizes.insert(format!("{kind} files"), files.count);
        sizes.insert(format!("{kind} bytes"), files.bytes);
    }
    sizes
}

fn check(seen: &[Sizes]) {
    let (first, later) = seen.split_at(FIRST);
    let names: BTreeSet<&str> = seen[0].keys().map(String::as_str).collect();
    let mut faults = Vec::new();
    for name in &names {
        let most = |days: &[Sizes]| days.iter().map(|sizes| sizes[*name]).max().unwrap();
        let (before, after) = (most(first), most(later));
        let is_for_good = FOR_GOOD.iter().any(|(kept, _)| kept == name);
        let kept = OF_A_GUEST.iter().find(|(kept, _)| kept == name);
        let guests = u64::try_from((DAYS - FIRST) / GUEST_EVERY).unwrap();
        let kept = kept.map_or(0, |(_, most)| most * guests);
        let grew = after > before + kept + before * tolerance(name) / 100;
        if before == 0 {
            faults.push(format!("{name}: there is none; let `days` use it"));
        } else if grew && !is_for_good {
            let why = "remove what is not needed any more, or say in FOR_GOOD why it is kept";
            faults.push(format!(
                "{name}: {before} at first and {after} later; {why}"
            ));
        } else if is_for_good && !grew {
            faults.push(format!("{name}: does not grow, and needs no exception"));
        }
    }
    let kept = FOR_GOOD.iter().map(|(kept, _)| kept);
    let kept = kept.chain(OF_A_GUEST.iter().map(|(kept, _)| kept));
    let unknown = kept.filter(|kept| !names.contains(*kept));
    faults.extend(unknown.map(|kept| format!("{kept}: there is no such thing")));
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Percent by which something may be more. Every five days are alike, so there is no reason for more of
/// anything; but pages also hold what is kept for good, and numbers in files have more digits later.
fn tolerance(name: &str) -> u64 {
    match name {
        "pages" => 10,
        _ if name.ends_with(" bytes") => 5,
        _ => 0,
    }
}
