//! What one look at the queue says about what it left.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use marquetry_app::dispatch::{Taken, runs_take};
use marquetry_app::integrations::{IntegrationInput, integration_create, integration_update};
use marquetry_app::tenants::{TenantCreate, TenantPatch, tenant_create, tenant_update};
use marquetry_app::triggers::{TriggerInput, trigger_accept};
use marquetry_model::{IntegrationId, Mode, Patch, Source, TenantId};
use marquetry_store::runs::Claimer;
use marquetry_store::{integrations, tenant_states, turns};
use marquetry_testkit::{Database, Inside, both_databases, tenant_named};

/// An integration that has one live run at most, with two tenants, of which the first is paused or not.
async fn two_tenants(inside: &Inside, name: &str, paused: bool) -> [TenantId; 2] {
    let ctx = inside.system();
    let repository = inside.folder.path().join("repositories").join(name);
    let input = IntegrationInput {
        name: Some(name.to_owned()),
        long_name: Some(name.to_owned()),
        repository_url: Patch::Set(repository.display().to_string()),
        concurrency_limit: Patch::Set(1),
        ..IntegrationInput::default()
    };
    let integration = integration_create(&ctx, input).await.unwrap().id;
    inside.release(integration.get(), "v1").await;
    let mut tenants = Vec::new();
    for (name, paused) in [("first", paused), ("second", false)] {
        let wanted = TenantCreate {
            paused: Some(paused),
            ..tenant_named(name, integration)
        };
        tenants.push(tenant_create(&ctx, wanted).await.unwrap().tenant.id);
    }
    [tenants[0], tenants[1]]
}

async fn accept(inside: &Inside, tenant: TenantId, source: Source, mode: Mode) {
    let input = TriggerInput {
        source,
        mode,
        payload: None,
        headers: None,
    };
    trigger_accept(&inside.system(), tenant, input)
        .await
        .unwrap();
    inside.clock.advance(Duration::from_millis(1));
}

async fn look(inside: &Inside) -> Taken {
    let claimer = Claimer {
        node: "a".to_owned(),
        lease_until: inside.app.now().plus(Duration::from_secs(60)),
    };
    runs_take(&inside.system(), &claimer, 3).await.unwrap()
}

both_databases! {
    async fn who_cannot_run_does_not_hide_who_can(database) {
        let inside = Inside::on(database).await;
        let full = two_tenants(&inside, "full", false).await;
        for tenant in full {
            accept(&inside, tenant, Source::Api, Mode::Normal).await;
        }
        assert_eq!(look(&inside).await.jobs.len(), 1, "as many as it may have");
        let [paused, other] = two_tenants(&inside, "free", true).await;
        accept(&inside, paused, Source::Webhook, Mode::Webhook).await;
        accept(&inside, other, Source::Api, Mode::Normal).await;
        // The one place that its integration may have is offered to the tenant that fell due first.
        let first = look(&inside).await;
        assert!(first.jobs.is_empty());
        assert!(first.more, "the next look is at once, or the other waits for a hint");
        let second = look(&inside).await;
        assert_eq!(second.jobs.len(), 1);
        assert_eq!(second.jobs[0].run.tenant_id, other);
    }
}

/// A tenant whose row another transaction has, while an integration has as many live runs as it may: what is
/// due is not waited for then, but this one is not held.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_passed_over_is_looked_at_again_soon() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let inside = Inside::on(Database::Postgres).await;
    for tenant in two_tenants(&inside, "full", false).await {
        accept(&inside, tenant, Source::Api, Mode::Normal).await;
    }
    assert_eq!(look(&inside).await.jobs.len(), 1);
    let [tenant, _] = two_tenants(&inside, "free", false).await;
    accept(&inside, tenant, Source::Api, Mode::Normal).await;
    let mut other = inside.app.store.write().await.unwrap();
    tenant_states::update_cancelled(&mut other, tenant, 0)
        .await
        .unwrap();
    let passed = look(&inside).await;
    assert!(passed.jobs.is_empty() && passed.held);
    let again = passed.next.expect("it is looked at again");
    assert!(again.since(inside.app.now()) < Duration::from_secs(1));
    drop(other);
    inside.clock.advance(Duration::from_millis(50));
    assert_eq!(look(&inside).await.jobs.len(), 1);
}

/// SQLite has one writer, so that nobody changes anything meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_is_under_way_is_not_overtaken() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let inside = Inside::on(Database::Postgres).await;
    let [tenant, _] = two_tenants(&inside, "paused", false).await;
    accept(&inside, tenant, Source::Api, Mode::Normal).await;
    let mut pausing = inside.app.store.write().await.unwrap();
    let id = IntegrationId::new(1);
    turns::lock_still(&mut pausing, id).await.unwrap();
    let mut integration = integrations::lock(&mut pausing, id).await.unwrap();
    let taken = look(&inside).await;
    assert!(
        taken.jobs.is_empty(),
        "it may be paused by the time this is stored"
    );
    let again = taken.next.expect("it is looked at again");
    assert!(again > inside.app.now() && !taken.more, "but not at once");
    integration.paused = true;
    integrations::update(&mut pausing, &integration)
        .await
        .unwrap();
    pausing.commit().await.unwrap();
    assert!(look(&inside).await.jobs.is_empty());
}

/// A pause by its door waits for a look that is under way, and comes before the next one.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_waits_for_a_look_that_is_under_way() {
    if !Database::Postgres.is_wanted() {
        return;
    }
    let inside = Inside::on(Database::Postgres).await;
    let [tenant, _] = two_tenants(&inside, "waits", false).await;
    accept(&inside, tenant, Source::Api, Mode::Normal).await;
    let mut looking = inside.app.store.write().await.unwrap();
    let id = IntegrationId::new(1);
    assert!(turns::try_still(&mut looking, id).await.unwrap());
    for pausing in [true, false] {
        let ctx = inside.system();
        let pause = async move {
            if pausing {
                let input = IntegrationInput {
                    paused: Some(true),
                    ..IntegrationInput::default()
                };
                drop(integration_update(&ctx, id, input).await.unwrap());
            } else {
                let patch = TenantPatch {
                    paused: Some(true),
                    ..TenantPatch::default()
                };
                drop(tenant_update(&ctx, tenant, patch).await.unwrap());
            }
        };
        let early = tokio::time::timeout(Duration::from_millis(200), pause).await;
        assert!(early.is_err(), "the look is not over");
    }
    drop(looking);
}
