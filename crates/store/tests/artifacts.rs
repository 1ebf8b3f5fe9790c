//! Which releases keep their artifacts. `releases`: claim. `retention`: update_unused,
//! delete_artifacts, and what list_referenced says of artifacts.

use marquetry_model::{Mode, Phase, Release, ReleaseId, Rerun, TenantId, Timestamp};
use marquetry_store::{Tx, integrations, releases, reruns, retention, runs, tenants, triggers};

use crate::common::{
    Db, Kind, NOW, World, add_build, at, finish_run, insert_run, on_both, release,
    wait_for_a_blocked_statement,
};
use crate::runs::{claim_of, outcome};

/// A release of a build of its own, with the artifact `artifact-<name>`.
async fn add(tx: &mut Tx, world: &World, name: &str) -> ReleaseId {
    let build = add_build(tx, world.integration).await.id;
    let wanted = Release {
        artifact: format!("artifact-{name}"),
        ..release(world.integration, build, name)
    };
    releases::insert(tx, &wanted).await.unwrap().unwrap()
}

/// One look at all releases.
async fn look(tx: &mut Tx, now: Timestamp) {
    let next = retention::update_unused(tx, ReleaseId::new(0), now, 99).await;
    assert_eq!(next.unwrap(), None);
}

/// Gives up what nothing has used since before `before`; answers what is given up by then.
async fn give_up(tx: &mut Tx, before: Timestamp) -> Vec<ReleaseId> {
    let all = retention::delete_artifacts(tx, before, at(500), 99);
    all.await.unwrap();
    let mut gone = Vec::new();
    for id in 1..20 {
        let found = releases::find(tx, ReleaseId::new(id)).await.unwrap();
        gone.extend(found.filter(|it| it.artifact_removed_at.is_some()));
    }
    assert!(
        gone.iter()
            .all(|it| it.artifact_removed_at == Some(at(500)))
    );
    gone.iter().map(|it| it.id).collect()
}

/// The tenant runs this release from now on.
async fn pin(tx: &mut Tx, id: TenantId, release: Option<ReleaseId>) {
    let mut tenant = tenants::lock(tx, id).await.unwrap();
    tenant.integration_release_id = release;
    tenants::update(tx, &tenant).await.unwrap();
}

/// A release that nothing uses, and a newer one; both were looked at at `at(1)`. Committed.
async fn unused(db: &Db) -> (World, ReleaseId) {
    let world = World::make(db, 1).await;
    let mut tx = db.write().await;
    add(&mut tx, &world, "v2").await;
    look(&mut tx, at(1)).await;
    tx.commit().await.unwrap();
    let first = world.release;
    (world, first)
}

on_both! {
    async fn what_is_used_keeps_its_artifact(db) {
        let world = World::make(db, 3).await;
        let [one, two, three] = world.tenants[..] else { panic!() };
        let mut tx = db.write().await;
        let fixed = add(&mut tx, &world, "fixed").await;
        let pinned = add(&mut tx, &world, "pinned").await;
        let live = add(&mut tx, &world, "live").await;
        let asked = add(&mut tx, &world, "asked").await;
        let latest = add(&mut tx, &world, "latest").await;
        // The second manifest of the build that `Latest` means.
        let build = releases::get(&mut tx, latest).await.unwrap().build_id;
        let beside = Release { counts_as_latest: false, ..release(world.integration, build, "beside") };
        let beside = releases::insert(&mut tx, &beside).await.unwrap().unwrap();
        let branch = add_build(&mut tx, world.integration).await.id;
        let branch = Release { counts_as_latest: false, ..release(world.integration, branch, "branch") };
        let branch = releases::insert(&mut tx, &branch).await.unwrap().unwrap();
        let mut integration = integrations::lock(&mut tx, world.integration).await.unwrap();
        integration.default_release_id = Some(fixed);
        integrations::update(&mut tx, &integration).await.unwrap();
        pin(&mut tx, one, Some(pinned)).await;
        let wanted = runs::NewRun { release_id: live, ..world.run(two) };
        let run = insert_run(&mut tx, &wanted, None, NOW).await.unwrap().unwrap();
        let origin = world.add_running(&mut tx, three, "a").await;
        assert!(finish_run(&mut tx, &claim_of(&origin), &outcome(Phase::Succeeded), NOW).await.unwrap());
        let rerun = Rerun { release_id: Some(asked), ..Rerun::of(origin.id) };
        let trigger = reruns::insert(&mut tx, three, Mode::Normal, &rerun, NOW).await.unwrap();

        look(&mut tx, at(1)).await;
        assert_eq!(give_up(&mut tx, at(1)).await, [], "not since before then");
        assert_eq!(give_up(&mut tx, at(2)).await, [world.release, branch]);
        // Each use ends.
        pin(&mut tx, one, None).await;
        assert!(runs::cancel_pending(&mut tx, run.id, NOW).await.unwrap());
        assert!(triggers::cancel(&mut tx, trigger, NOW).await.unwrap());
        assert_eq!(give_up(&mut tx, at(2)).await.len(), 2, "nobody has looked yet");
        look(&mut tx, at(3)).await;
        assert_eq!(give_up(&mut tx, at(3)).await.len(), 2);
        let gone = give_up(&mut tx, at(4)).await;
        assert_eq!(gone, [world.release, pinned, live, asked, branch]);
        // What is archived uses nothing.
        integration.archived_at = Some(at(4));
        integrations::update(&mut tx, &integration).await.unwrap();
        look(&mut tx, at(5)).await;
        let gone = give_up(&mut tx, at(6)).await;
        assert_eq!(gone, [world.release, fixed, pinned, live, asked, latest, beside, branch]);
    }

    async fn an_archived_tenant_uses_nothing(db) {
        let (world, first) = unused(db).await;
        let mut tx = db.write().await;
        pin(&mut tx, world.tenants[0], Some(first)).await;
        look(&mut tx, at(2)).await;
        let mut tenant = tenants::lock(&mut tx, world.tenants[0]).await.unwrap();
        tenant.archived_at = Some(at(3));
        tenants::update(&mut tx, &tenant).await.unwrap();
        look(&mut tx, at(3)).await;
        assert_eq!(give_up(&mut tx, at(3)).await, [], "the time begins anew with each use");
        assert_eq!(give_up(&mut tx, at(4)).await, [first]);
    }

    async fn a_claim_begins_the_time_anew(db) {
        let (_, first) = unused(db).await;
        let mut tx = db.write().await;
        let claimed = releases::claim(&mut tx, first).await.unwrap().unwrap();
        assert_eq!((claimed.id, claimed.artifact_removed_at), (first, None));
        look(&mut tx, at(5)).await;
        look(&mut tx, at(8)).await;
        assert_eq!(give_up(&mut tx, at(5)).await, []);
        assert_eq!(give_up(&mut tx, at(6)).await, [first], "later looks move nothing");
        let claimed = releases::claim(&mut tx, first).await.unwrap().unwrap();
        assert_eq!(claimed.artifact_removed_at, Some(at(500)));
        assert_eq!(releases::claim(&mut tx, ReleaseId::new(77)).await.unwrap(), None);
    }

    async fn steps_are_small(db) {
        let world = World::make(db, 0).await;
        let mut tx = db.write().await;
        let mut made = vec![world.release];
        for name in ["b", "c", "d", "e"] {
            made.push(add(&mut tx, &world, name).await);
        }
        let step = retention::update_unused(&mut tx, ReleaseId::new(0), at(1), 2).await.unwrap();
        assert_eq!(step, Some(made[1]));
        assert_eq!(give_up(&mut tx, at(9)).await, made[..2]);
        let step = retention::update_unused(&mut tx, made[1], at(1), 2).await.unwrap();
        assert_eq!(step, Some(made[3]));
        let step = retention::update_unused(&mut tx, made[3], at(1), 2).await.unwrap();
        assert_eq!(step, None);
        assert_eq!(retention::delete_artifacts(&mut tx, at(9), at(500), 1).await.unwrap(), 1);
        assert_eq!(give_up(&mut tx, at(9)).await, made[..4], "the newest is `Latest`");
        assert_eq!(retention::delete_artifacts(&mut tx, at(9), at(500), 9).await.unwrap(), 0);
    }

    async fn bytes_stay_a_while_and_as_long_as_another_release_or_a_run_needs_them(db) {
        let (world, first) = unused(db).await;
        let mut tx = db.write().await;
        let shared = releases::get(&mut tx, first).await.unwrap().artifact;
        assert_eq!(give_up(&mut tx, at(9)).await, [first]);
        let is_needed = async |tx: &mut Tx, given_up| {
            let names = [shared.clone()];
            !retention::list_referenced(tx, &names, NOW, given_up).await.unwrap().is_empty()
        };
        assert!(is_needed(&mut tx, at(500)).await);
        assert!(!is_needed(&mut tx, at(501)).await);
        // A look at the queue had found this release before it was given up.
        let run = world.add_running(&mut tx, world.tenants[0], "a").await;
        assert!(is_needed(&mut tx, at(501)).await);
        assert!(finish_run(&mut tx, &claim_of(&run), &outcome(Phase::Succeeded), NOW).await.unwrap());
        assert!(!is_needed(&mut tx, at(501)).await);
        let build = add_build(&mut tx, world.integration).await.id;
        let again = releases::insert(&mut tx, &release(world.integration, build, "again")).await.unwrap();
        assert!(is_needed(&mut tx, at(501)).await, "built again");
        assert_eq!(releases::get(&mut tx, again.unwrap()).await.unwrap().artifact_removed_at, None);
    }

    async fn who_takes_a_release_up_first_keeps_its_artifact(db) {
        let (world, first) = unused(db).await;
        let reap = async || {
            let mut tx = db.write().await;
            let count = retention::delete_artifacts(&mut tx, at(9), at(500), 9).await.unwrap();
            tx.commit().await.unwrap();
            count
        };
        let mut adopting = db.write().await;
        let claimed = releases::claim(&mut adopting, first).await.unwrap().unwrap();
        assert_eq!(claimed.artifact_removed_at, None);
        // SQLite has one writer.
        if db.kind() == Kind::Postgres {
            assert_eq!(reap().await, 0, "it neither takes the release nor waits for it");
        }
        pin(&mut adopting, world.tenants[0], Some(first)).await;
        adopting.commit().await.unwrap();
        assert_eq!(reap().await, 0);
    }

    async fn who_takes_a_release_up_too_late_sees_that_its_artifact_is_gone(db) {
        let (_, first) = unused(db).await;
        let mut reaping = db.write().await;
        assert_eq!(retention::delete_artifacts(&mut reaping, at(9), at(500), 9).await.unwrap(), 1);
        let adopting = async {
            let mut tx = db.write().await;
            releases::claim(&mut tx, first).await.unwrap().unwrap()
        };
        let end = async {
            if db.kind() == Kind::Postgres {
                wait_for_a_blocked_statement(db).await;
            }
            reaping.commit().await.unwrap();
        };
        let (claimed, ()) = tokio::join!(adopting, end);
        assert_eq!(claimed.artifact_removed_at, Some(at(500)));
    }

    async fn who_takes_up_what_is_used_waits_for_nobody(db) {
        let world = World::make(db, 1).await;
        let first = world.release;
        let mut one = db.write().await;
        releases::claim(&mut one, first).await.unwrap();
        if db.kind() == Kind::Postgres {
            let mut two = db.write().await;
            releases::claim(&mut two, first).await.unwrap();
            world.add_run(&mut two, world.tenants[0]).await;
            two.commit().await.unwrap();
        }
        one.commit().await.unwrap();
    }

    async fn a_release_of_a_run_that_is_being_made_is_passed_over(db) {
        let (world, first) = unused(db).await;
        let mut making = db.write().await;
        world.add_run(&mut making, world.tenants[0]).await;
        if db.kind() == Kind::Postgres {
            let mut reaping = db.write().await;
            assert_eq!(give_up(&mut reaping, at(9)).await, []);
        }
        making.commit().await.unwrap();
        let mut reaping = db.write().await;
        assert_eq!(give_up(&mut reaping, at(9)).await, [], "the run is live");
        assert_eq!(releases::get(&mut reaping, first).await.unwrap().id, world.release);
    }
}
