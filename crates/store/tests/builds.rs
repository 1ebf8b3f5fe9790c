//! `builds`: insert, get, list, claim, renew, finish, cancel, cancel_all, requeue_lost.

use marquetry_model::{
    Build, BuildId, BuildStatus, IntegrationId, NewBuild, PageRequest, ReleaseId,
};
use marquetry_store::builds::{BuildClaim, BuildEnd};
use marquetry_store::{Error, Tx, builds};

use crate::common::{
    Kind, NOW, ODD, add_build, add_integration, at, on_both, sorted, wait_for_a_blocked_statement,
};

fn end(status: BuildStatus) -> BuildEnd {
    BuildEnd {
        status,
        message: None,
        tag: None,
        commit_hash: None,
        release_ids: Vec::new(),
    }
}

fn claim_of(build: &Build, node: &str) -> BuildClaim {
    BuildClaim {
        id: build.id,
        attempt: build.attempt,
        node: node.to_owned(),
    }
}

async fn take(tx: &mut Tx, node: &str, limit: i64) -> Vec<Build> {
    let taken = builds::claim(tx, node, at(1), at(60_000), limit).await;
    taken.unwrap()
}

fn ids(builds: &[Build]) -> Vec<BuildId> {
    builds.iter().map(|build| build.id).collect()
}

on_both! {
    async fn a_build_comes_back_as_it_was(db) {
        let mut tx = db.write().await;
        let integration_id = add_integration(&mut tx, "crm").await;
        for latest in [None, Some(false), Some(true)] {
            let tag = Some(ODD.to_owned());
            let wanted = NewBuild { integration_id, tag: tag.clone(), branch: tag.clone(), latest };
            let made = builds::insert(&mut tx, &wanted, at(2)).await.unwrap();
            let expected = Build {
                id: made.id, integration_id, tag: tag.clone(), branch: tag, latest, source_blob: None, commit_hash: None,
                status: BuildStatus::Pending, message: None, release_ids: Vec::new(), attempt: 0,
                cancel_requested: false, created_at: at(2), started_at: None, completed_at: None,
            };
            assert_eq!(made, expected);
            assert_eq!(builds::get(&mut tx, made.id).await.unwrap(), expected);
        }
    }

    async fn an_archive_is_built_under_its_label_or_its_number(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        assert_eq!(builds::count_waiting(&mut tx, crm).await.unwrap(), 0);
        for tag in [None, Some(ODD)] {
            let made = builds::insert_source(&mut tx, crm, tag, ODD, at(2)).await.unwrap();
            let label = tag.map_or(format!("build-{}", made.id), str::to_owned);
            let expected = Build {
                id: made.id, integration_id: crm, tag: Some(label), branch: None, latest: None,
                source_blob: Some(ODD.to_owned()), commit_hash: None, status: BuildStatus::Pending,
                message: None, release_ids: Vec::new(), attempt: 0, cancel_requested: false,
                created_at: at(2), started_at: None, completed_at: None,
            };
            assert_eq!(made, expected);
            assert_eq!(builds::get(&mut tx, made.id).await.unwrap(), expected);
        }
        assert_eq!(builds::count_waiting(&mut tx, crm).await.unwrap(), 2);
        assert_eq!(builds::count_waiting(&mut tx, erp).await.unwrap(), 0);
        assert_eq!(take(&mut tx, "a", 1).await[0].source_blob.as_deref(), Some(ODD));
        assert_eq!(builds::count_waiting(&mut tx, crm).await.unwrap(), 1, "what runs waits no more");
        assert!(builds::insert_source(&mut tx, IntegrationId::new(99), None, ODD, NOW).await.is_err());
    }

    async fn a_build_of_the_head_that_waits_is_found_until_it_is_begun(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        let wanted = |integration_id, tag: Option<&str>, branch: Option<&str>, latest| NewBuild {
            integration_id, tag: tag.map(str::to_owned), branch: branch.map(str::to_owned), latest,
        };
        for other in [
            wanted(crm, Some("v1"), Some(ODD), None),
            wanted(crm, None, None, None),
            wanted(crm, None, Some("main"), None),
            wanted(crm, None, Some(ODD), Some(false)),
            wanted(erp, None, Some(ODD), None),
        ] {
            builds::insert(&mut tx, &other, NOW).await.unwrap();
        }
        builds::insert_source(&mut tx, crm, None, ODD, NOW).await.unwrap();
        assert_eq!(builds::find_waiting(&mut tx, crm, ODD).await.unwrap(), None);
        let first = builds::insert(&mut tx, &wanted(crm, None, Some(ODD), None), NOW).await.unwrap();
        builds::insert(&mut tx, &wanted(crm, None, Some(ODD), None), NOW).await.unwrap();
        assert_eq!(builds::find_waiting(&mut tx, crm, ODD).await.unwrap(), Some(first.clone()));
        assert!(builds::cancel(&mut tx, first.id, NOW).await.unwrap());
        let second = builds::find_waiting(&mut tx, crm, ODD).await.unwrap().unwrap();
        assert!(second.id > first.id, "what is cancelled does not wait");
    }

    async fn what_of_a_branch_is_open_and_what_was_built(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        builds::insert_source(&mut tx, crm, None, ODD, NOW).await.unwrap();
        assert!(!builds::has_open(&mut tx, crm, ODD).await.unwrap(), "an archive is of no branch");
        for (n, branch) in [(0, None), (1, Some(ODD)), (2, Some("other"))] {
            let branch = branch.map(str::to_owned);
            let wanted = NewBuild { integration_id: erp, tag: None, branch, latest: None };
            builds::insert(&mut tx, &wanted, NOW).await.unwrap();
            assert_eq!(builds::has_open(&mut tx, erp, ODD).await.unwrap(), n < 2);
            let begun = take(&mut tx, "a", 9).await.into_iter().find(|b| b.integration_id == erp).unwrap();
            assert_eq!(builds::has_open(&mut tx, erp, ODD).await.unwrap(), n < 2);
            let status = if n == 0 { BuildStatus::Failed } else { BuildStatus::Succeeded };
            let end = BuildEnd { commit_hash: Some(format!("c{n}")), ..end(status) };
            assert!(builds::finish(&mut tx, &claim_of(&begun, "a"), &end, NOW).await.unwrap());
            assert!(!builds::has_open(&mut tx, erp, ODD).await.unwrap());
            assert!(builds::has_commit(&mut tx, erp, &format!("c{n}")).await.unwrap());
            assert!(!builds::has_commit(&mut tx, crm, &format!("c{n}")).await.unwrap());
            let last = builds::find_last_commit(&mut tx, erp, ODD).await.unwrap();
            assert_eq!(last, Some(format!("c{}", n.min(1))), "that of the other branch is not it");
        }
        assert_eq!(builds::find_last_commit(&mut tx, crm, ODD).await.unwrap(), None);
    }

    async fn an_absent_build_is_not_found(db) {
        let mut tx = db.write().await;
        let id = BuildId::new(9);
        let error = builds::get(&mut tx, id).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { kind: "build", .. }), "{error:?}");
        let claim = BuildClaim { id, attempt: 1, node: "a".to_owned() };
        assert_eq!(builds::renew(&mut tx, &claim, NOW).await.unwrap(), None);
        assert!(!builds::finish(&mut tx, &claim, &end(BuildStatus::Failed), NOW).await.unwrap());
        assert!(!builds::cancel(&mut tx, id, NOW).await.unwrap());
        assert_eq!(builds::requeue_lost(&mut tx, Some("a"), NOW, 3).await.unwrap(), 0);
        assert!(take(&mut tx, "a", 9).await.is_empty());
    }

    async fn a_cancelled_build_whose_node_is_lost_is_not_begun_again(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let id = add_build(&mut tx, crm).await.id;
        take(&mut tx, "a", 9).await;
        assert!(builds::cancel(&mut tx, id, at(1)).await.unwrap());
        assert_eq!(builds::requeue_lost(&mut tx, Some("a"), at(2), 3).await.unwrap(), 1);
        let found = builds::get(&mut tx, id).await.unwrap();
        assert_eq!((found.status, found.completed_at), (BuildStatus::Cancelled, Some(at(2))));
        assert!(take(&mut tx, "b", 9).await.is_empty());
    }

    async fn a_build_of_no_integration_is_refused(db) {
        let mut tx = db.write().await;
        let integration_id = IntegrationId::new(5);
        let wanted = NewBuild { integration_id, tag: None, branch: None, latest: None };
        assert!(builds::insert(&mut tx, &wanted, NOW).await.is_err());
    }

    async fn lists_are_newest_first_and_of_one_integration(db) {
        let mut tx = db.write().await;
        let (crm, erp) = (add_integration(&mut tx, "crm").await, add_integration(&mut tx, "erp").await);
        let one = add_build(&mut tx, crm).await.id;
        let two = add_build(&mut tx, erp).await.id;
        let three = add_build(&mut tx, crm).await.id;
        let all = PageRequest::default();
        for (of, expected) in [(None, vec![three, two, one]), (Some(crm), vec![three, one]), (Some(erp), vec![two])] {
            let page = builds::list(&mut tx, of, &all).await.unwrap();
            assert_eq!(ids(&page.items), expected);
        }
        let page = builds::list(&mut tx, Some(crm), &sorted("id__ASC")).await.unwrap();
        assert_eq!(ids(&page.items), [one, three]);
    }

    async fn a_claim_takes_the_oldest_and_one_of_an_integration(db) {
        let mut tx = db.write().await;
        let mut first = Vec::new();
        for n in 0..3 {
            let integration = add_integration(&mut tx, &format!("i{n}")).await;
            first.push(add_build(&mut tx, integration).await);
            add_build(&mut tx, integration).await;
        }
        let expected: Vec<_> = first.iter().map(|build| build.id).collect();
        let two = take(&mut tx, "a", 2).await;
        assert_eq!(ids(&two), expected[..2]);
        assert!(two.iter().all(|b| b.status == BuildStatus::Running && b.attempt == 1 && b.started_at == Some(at(1))));
        assert_eq!(ids(&take(&mut tx, "a", 9).await), expected[2..]);
        assert!(take(&mut tx, "a", 9).await.is_empty(), "the others wait behind a running one");
        let claim = claim_of(&two[0], "a");
        assert!(builds::finish(&mut tx, &claim, &end(BuildStatus::Failed), NOW).await.unwrap());
        let next = take(&mut tx, "b", 9).await;
        assert_eq!(next.len(), 1);
        assert_eq!(next[0].integration_id, two[0].integration_id);
    }

    async fn two_claimers_at_once_never_share_a_build(db) {
        let mut tx = db.write().await;
        for n in 0..4 {
            let integration = add_integration(&mut tx, &format!("i{n}")).await;
            add_build(&mut tx, integration).await;
        }
        tx.commit().await.unwrap();
        if db.kind() == Kind::Postgres {
            // The second passes over what the first has not committed yet, without waiting.
            let (mut a, mut b) = (db.write().await, db.write().await);
            assert_eq!(take(&mut a, "a", 1).await.len(), 1);
            assert_eq!(take(&mut b, "b", 1).await.len(), 1);
            a.commit().await.unwrap();
            b.commit().await.unwrap();
        }
        let tasks: Vec<_> = ["c", "d", "e"].into_iter().map(|node| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let taken = take(&mut tx, node, 2).await;
                tx.commit().await.unwrap();
                taken
            })
        }).collect();
        let mut taken = Vec::new();
        for task in tasks {
            taken.extend(ids(&task.await.unwrap()));
        }
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), count, "each once");
        let mut tx = db.write().await;
        let rest = take(&mut tx, "z", 9).await.len();
        assert_eq!(count + rest, if db.kind() == Kind::Postgres { 2 } else { 4 });
        assert_eq!(rest, 0, "claimers leave nothing that nobody has");
    }

    async fn two_claimers_that_see_different_builds_of_an_integration_cannot_both_have_one(db) {
        if db.kind() == Kind::Sqlite {
            return; // One writer: nobody claims while another does.
        }
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        tx.commit().await.unwrap();
        let mut slow = db.write().await;
        let early = add_build(&mut slow, crm).await.id;
        let mut tx = db.write().await;
        let late = add_build(&mut tx, crm).await.id;
        tx.commit().await.unwrap();
        let mut first = db.write().await;
        assert_eq!(ids(&take(&mut first, "a", 9).await), [late], "the earlier one is not there yet");
        slow.commit().await.unwrap();
        let store = db.store.clone();
        let second = tokio::spawn(async move {
            let mut tx = store.write().await.unwrap();
            builds::claim(&mut tx, "b", at(1), at(60_000), 9).await
        });
        wait_for_a_blocked_statement(db).await;
        first.commit().await.unwrap();
        let error = second.await.unwrap().unwrap_err();
        assert!(error.is_duplicate() && !error.is_temporary(), "{error:?}");
        assert!(take(&mut *db.write().await, "b", 9).await.is_empty(), "{early} waits its turn");
    }

    async fn only_the_claim_that_holds_may_renew_and_finish(db) {
        let mut tx = db.write().await;
        let integration = add_integration(&mut tx, "crm").await;
        add_build(&mut tx, integration).await;
        let build = take(&mut tx, "a", 1).await.remove(0);
        let good = claim_of(&build, "a");
        let wrong = [
            BuildClaim { attempt: 0, ..good.clone() },
            BuildClaim { attempt: 2, ..good.clone() },
            BuildClaim { node: "b".to_owned(), ..good.clone() },
        ];
        let ended = BuildEnd {
            status: BuildStatus::Succeeded, message: Some(ODD.to_owned()), tag: Some("v1".to_owned()),
            commit_hash: Some("abc".to_owned()), release_ids: vec![ReleaseId::new(1), ReleaseId::new(i64::MAX)],
        };
        for claim in &wrong {
            assert_eq!(builds::renew(&mut tx, claim, at(9)).await.unwrap(), None, "{claim:?}");
            assert!(!builds::finish(&mut tx, claim, &ended, at(9)).await.unwrap(), "{claim:?}");
        }
        assert_eq!(builds::get(&mut tx, build.id).await.unwrap(), build, "nothing changed");
        assert_eq!(builds::renew(&mut tx, &good, at(70_000)).await.unwrap(), Some(false));
        assert_eq!(builds::requeue_lost(&mut tx, None, at(65_000), 3).await.unwrap(), 0, "renewed");
        assert!(builds::finish(&mut tx, &good, &ended, at(9)).await.unwrap());
        let found = builds::get(&mut tx, build.id).await.unwrap();
        let expected = Build {
            status: ended.status, message: ended.message.clone(), tag: ended.tag.clone(),
            commit_hash: ended.commit_hash.clone(), release_ids: ended.release_ids.clone(),
            completed_at: Some(at(9)), ..build
        };
        assert_eq!(found, expected);
        assert!(!builds::finish(&mut tx, &good, &end(BuildStatus::Failed), NOW).await.unwrap(), "once");
        assert_eq!(builds::renew(&mut tx, &good, at(9)).await.unwrap(), None);
        assert!(!builds::cancel(&mut tx, found.id, NOW).await.unwrap());
        assert_eq!(builds::requeue_lost(&mut tx, Some("a"), at(99_000), 3).await.unwrap(), 0);
    }

    async fn cancel_ends_a_waiting_build_and_asks_a_running_one(db) {
        let mut tx = db.write().await;
        let integration = add_integration(&mut tx, "crm").await;
        let one = add_build(&mut tx, integration).await.id;
        add_build(&mut tx, integration).await;
        assert!(builds::cancel(&mut tx, one, at(3)).await.unwrap());
        let found = builds::get(&mut tx, one).await.unwrap();
        assert_eq!((found.status, found.completed_at), (BuildStatus::Cancelled, Some(at(3))));
        assert!(found.message.is_some());
        assert!(!builds::cancel(&mut tx, one, at(4)).await.unwrap());
        let two = take(&mut tx, "a", 9).await.remove(0);
        assert!(builds::cancel(&mut tx, two.id, at(4)).await.unwrap());
        assert_eq!(builds::get(&mut tx, two.id).await.unwrap().status, BuildStatus::Running);
        let claim = claim_of(&two, "a");
        assert_eq!(builds::renew(&mut tx, &claim, at(9)).await.unwrap(), Some(true));
        assert!(builds::get(&mut tx, two.id).await.unwrap().cancel_requested);
    }

    async fn all_open_ones_of_an_integration_are_cancelled_with_it(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        let mut made = Vec::new();
        for integration in [crm, crm, crm, erp] {
            made.push(add_build(&mut tx, integration).await.id);
        }
        let ended = take(&mut tx, "n", 1).await;
        builds::finish(&mut tx, &claim_of(&ended[0], "n"), &end(BuildStatus::Failed), at(2)).await.unwrap();
        assert_eq!(ids(&take(&mut tx, "n", 1).await), [made[1]]);
        let mut open = builds::cancel_all(&mut tx, crm, at(3)).await.unwrap();
        open.sort_unstable();
        assert_eq!(open, [made[1], made[2]]);
        let mut found = Vec::new();
        for id in made {
            let build = builds::get(&mut tx, id).await.unwrap();
            found.push((build.status, build.cancel_requested, build.completed_at, build.message));
        }
        let gone = Some(builds::ARCHIVED.to_owned());
        assert_eq!(found, [
            (BuildStatus::Failed, false, Some(at(2)), None),
            (BuildStatus::Running, true, None, None),
            (BuildStatus::Cancelled, false, Some(at(3)), gone),
            (BuildStatus::Pending, false, None, None),
        ]);
    }

    async fn lost_builds_are_tried_again_so_often(db) {
        let mut tx = db.write().await;
        let integration = add_integration(&mut tx, "crm").await;
        let id = add_build(&mut tx, integration).await.id;
        let first = take(&mut tx, "a", 1).await.remove(0);
        assert_eq!(builds::requeue_lost(&mut tx, None, at(60_000), 2).await.unwrap(), 0, "the lease holds");
        assert_eq!(builds::requeue_lost(&mut tx, Some("b"), at(0), 2).await.unwrap(), 0, "another node");
        assert_eq!(builds::requeue_lost(&mut tx, Some("a"), at(0), 2).await.unwrap(), 1, "it came back");
        assert_eq!(builds::get(&mut tx, id).await.unwrap().status, BuildStatus::Pending);
        assert_eq!(builds::renew(&mut tx, &claim_of(&first, "a"), at(9)).await.unwrap(), None);
        let second = take(&mut tx, "a", 1).await.remove(0);
        assert_eq!(second.attempt, 2);
        // The same node, but an earlier attempt.
        assert!(!builds::finish(&mut tx, &claim_of(&first, "a"), &end(BuildStatus::Succeeded), NOW).await.unwrap());
        assert_eq!(builds::requeue_lost(&mut tx, None, at(60_001), 2).await.unwrap(), 1);
        let found = builds::get(&mut tx, id).await.unwrap();
        assert_eq!((found.status, found.completed_at), (BuildStatus::Failed, Some(at(60_001))));
        assert!(found.message.is_some());
    }
}
