//! Each shipped definition against a stand-in for its system that is built from the definition's own data: what
//! arrives there is exactly what the file says, and nothing else arrives anywhere.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod adapted;
mod answers;
mod expected;
mod hosts;
mod keys;
mod signed;
mod tokens;
mod values;
mod walk;
mod world;

use marquetry_connector::built_in_names;
use marquetry_testkit::Database;

use crate::values::Filled;
use crate::world::World;

/// One of each way to connect, and those with steps of their own.
const HANDFUL: [&str; 12] = [
    "atlassian-jira",
    "aws",
    "device-code-template",
    "facebook",
    "google-service-account",
    "greenhouse-harvest",
    "mailchimp",
    "netsuite",
    "quickbooks-online",
    "slack-oauth",
    "stripe",
    "sugarcrm",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_definition_does_what_it_says() {
    let all: Vec<&str> = built_in_names().collect();
    walk_all(Database::Sqlite, &all, Filled::Whole).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_definition_works_with_what_it_requires_alone() {
    let all: Vec<&str> = built_in_names().collect();
    walk_all(Database::Sqlite, &all, Filled::Required).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handful_does_so_on_postgres() {
    if Database::Postgres.is_wanted() {
        walk_all(Database::Postgres, &HANDFUL, Filled::Whole).await;
    }
}

async fn walk_all(database: Database, names: &[&str], filled: Filled) {
    let mut faults = Vec::new();
    // As many as an integration may have.
    for names in names.chunks(100) {
        let world = World::new(database, names).await;
        for name in names {
            if let Err(why) = walk::walk(&world, name, filled).await {
                faults.push(format!("{name}: {why}"));
            }
        }
    }
    let count = faults.len();
    assert!(
        faults.is_empty(),
        "{count} definitions:\n{}",
        faults.join("\n")
    );
}
