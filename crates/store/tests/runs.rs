//! `runs`: insert, find, get, renew, finish, request_cancel, cancel_pending.
//! Claims are in `runs_claim`.

use marquetry_model::{
    Given, Mode, Outcome, OutputId, PageRequest, Phase, Run, RunId, RunUsage, Source, Stop,
    TenantId, Trigger, TriggerId,
};
use marquetry_store::runs::{NewRun, RunClaim, RunFilter};
use marquetry_store::{Error, Tx, run_views, runs, triggers};

use crate::common::{
    NOW, ODD, World, at, claimer, finish_run, give_to, insert_run, on_both, trigger,
};

pub(crate) fn outcome(phase: Phase) -> Outcome {
    Outcome {
        phase,
        message: None,
        exit_code: None,
        std_out: None,
        usage: RunUsage::default(),
    }
}

pub(crate) fn claim_of(run: &Run) -> RunClaim {
    RunClaim {
        id: run.id,
        attempt: run.attempt,
        node: run.node.clone().unwrap_or_default(),
    }
}

async fn ids_of(tx: &mut Tx, filter: RunFilter) -> Vec<RunId> {
    let page = run_views::list(tx, &filter, &PageRequest::default()).await;
    page.unwrap().items.iter().map(|view| view.run.id).collect()
}

on_both! {
    async fn a_run_comes_back_as_it_was_made(db) {
        let world = World::make(db, 2).await;
        let mut tx = db.write().await;
        let given = Given {
            last_run_id: Some(RunId::new(5)), last_successful_run_id: Some(RunId::new(4)),
            output_id: Some(OutputId::new(3)),
        };
        let wanted = NewRun {
            mode: Mode::Init, rerun_of: Some(RunId::new(7)), is_saved: false,
            configs_version: Some(3), given, ..world.run(world.tenants[0])
        };
        let waiting = insert_run(&mut tx, &wanted, None, at(1)).await.unwrap().unwrap();
        let expected = Run {
            id: waiting.id, tenant_id: wanted.tenant_id, integration_id: wanted.integration_id,
            release_id: wanted.release_id, mode: Mode::Init, phase: Phase::Pending, message: None,
            exit_code: None, std_out: None, attempt: 0, node: None, cancel_requested: false,
            usage: RunUsage::default(), log_blob: None, created_at: at(1), started_at: None,
            completed_at: None, rerun_of: Some(RunId::new(7)), is_saved: false,
            configs_version: Some(3), given,
        };
        assert_eq!(waiting, expected);
        assert_eq!(runs::get(&mut tx, waiting.id).await.unwrap(), expected);
        let wanted = world.run(world.tenants[1]);
        let running = insert_run(&mut tx, &wanted, Some(&claimer(ODD)), at(2)).await.unwrap().unwrap();
        let expected = Run {
            id: running.id, tenant_id: wanted.tenant_id, mode: Mode::Normal, phase: Phase::Running,
            attempt: 1, node: Some(ODD.to_owned()), created_at: at(2), started_at: Some(at(2)),
            rerun_of: None, is_saved: true, configs_version: Some(0), given: Given::default(),
            ..expected
        };
        assert_eq!(running, expected);
        runs::update_configs_version(&mut tx, running.id, 9).await.unwrap();
        let expected = Run { configs_version: Some(9), ..expected };
        assert_eq!(runs::find(&mut tx, running.id).await.unwrap(), Some(expected));
    }

    async fn it_is_known_why_a_bundle_ended(db) {
        let world = World::make(db, 4).await;
        let mut tx = db.write().await;
        let at = TriggerId::new(i64::MAX);
        let stops = [Stop::QueueEmpty, Stop::ModeChange { at }, Stop::Rerun { at }, Stop::Full { at }];
        let mut expected = Vec::new();
        for (stop, tenant) in stops.into_iter().zip(&world.tenants) {
            let wanted = NewRun { stop, ..world.run(*tenant) };
            let run = insert_run(&mut tx, &wanted, None, NOW).await.unwrap().unwrap();
            expected.push((run.id, stop));
        }
        let ids: Vec<_> = expected.iter().map(|(id, _)| *id).collect();
        let found = runs::list_stops(&mut tx, &ids).await.unwrap();
        assert_eq!(found, expected[1..], "nothing is kept where nothing was left");
        assert!(runs::list_stops(&mut tx, &[]).await.unwrap().is_empty());
    }

    async fn an_absent_run_is_not_found(db) {
        let mut tx = db.write().await;
        let id = RunId::new(9);
        let error = runs::get(&mut tx, id).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { kind: "run", .. }), "{error:?}");
        assert_eq!(runs::find(&mut tx, id).await.unwrap(), None);
        let claim = RunClaim { id, attempt: 1, node: "a".to_owned() };
        assert_eq!(runs::renew(&mut tx, &claim, NOW).await.unwrap(), None);
        assert!(!finish_run(&mut tx, &claim, &outcome(Phase::Succeeded), NOW).await.unwrap());
        assert!(!runs::request_cancel(&mut tx, id).await.unwrap());
        assert!(!runs::cancel_pending(&mut tx, id, NOW).await.unwrap());
        assert!(runs::claim_lost(&mut tx, Some("a"), &[], NOW, 9).await.unwrap().is_empty());
        assert!(runs::claim(&mut tx, &claimer("a"), NOW, 9).await.unwrap().is_empty());
    }

    async fn a_run_of_no_tenant_is_refused(db) {
        let world = World::make(db, 0).await;
        let wanted = world.run(TenantId::new(77));
        assert!(insert_run(&mut *db.write().await, &wanted, None, NOW).await.is_err());
    }

    async fn a_tenant_has_at_most_one_live_run(db) {
        let world = World::make(db, 2).await;
        let mut tx = db.write().await;
        let [one, two] = world.tenants[..] else { panic!() };
        let waiting = world.add_run(&mut tx, one).await;
        for claimer in [None, Some(claimer("a"))] {
            let second = insert_run(&mut tx, &world.run(one), claimer.as_ref(), NOW).await;
            assert_eq!(second.unwrap(), None);
        }
        world.add_running(&mut tx, two, "a").await;
        assert_eq!(insert_run(&mut tx, &world.run(two), None, NOW).await.unwrap(), None);
        assert!(runs::cancel_pending(&mut tx, waiting.id, at(1)).await.unwrap());
        let next = world.add_run(&mut tx, one).await;
        assert!(next.id > waiting.id);
    }

    async fn only_the_claim_that_holds_may_renew_and_finish(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        let run = world.add_running(&mut tx, world.tenants[0], "a").await;
        let good = claim_of(&run);
        let ended = Outcome {
            phase: Phase::FailedMetadata, message: Some(ODD.to_owned()), exit_code: Some(-9),
            std_out: Some(ODD.to_owned()),
            usage: RunUsage { cpu_ms: 1, max_rss_bytes: i64::MAX, log_bytes: 3 },
        };
        for wrong in [
            RunClaim { attempt: 0, ..good.clone() },
            RunClaim { attempt: 2, ..good.clone() },
            RunClaim { node: "b".to_owned(), ..good.clone() },
            RunClaim { node: String::new(), ..good.clone() },
        ] {
            assert_eq!(runs::renew(&mut tx, &wrong, at(9)).await.unwrap(), None, "{wrong:?}");
            assert!(!finish_run(&mut tx, &wrong, &ended, at(9)).await.unwrap(), "{wrong:?}");
        }
        assert_eq!(runs::get(&mut tx, run.id).await.unwrap(), run, "nothing changed");
        assert_eq!(runs::renew(&mut tx, &good, at(90_000)).await.unwrap(), Some(false));
        assert!(runs::claim_lost(&mut tx, None, &[], at(80_000), 9).await.unwrap().is_empty(), "renewed");
        assert!(finish_run(&mut tx, &good, &ended, at(9)).await.unwrap());
        let expected = Run {
            phase: ended.phase, message: ended.message.clone(), exit_code: ended.exit_code,
            std_out: ended.std_out.clone(), usage: ended.usage, completed_at: Some(at(9)), ..run
        };
        assert_eq!(runs::get(&mut tx, good.id).await.unwrap(), expected);
        assert!(!finish_run(&mut tx, &good, &outcome(Phase::Succeeded), at(10)).await.unwrap(), "once");
        assert_eq!(runs::renew(&mut tx, &good, at(9)).await.unwrap(), None);
        assert_eq!(runs::get(&mut tx, good.id).await.unwrap(), expected);
    }

    async fn a_heartbeat_moves_the_leases_of_one_node(db) {
        let world = World::make(db, 3).await;
        let mut tx = db.write().await;
        let [one, two, three] = world.tenants[..] else { panic!() };
        let first = world.add_running(&mut tx, one, "a").await;
        let second = world.add_running(&mut tx, two, "a").await;
        let other = world.add_running(&mut tx, three, "b").await;
        assert!(runs::request_cancel(&mut tx, second.id).await.unwrap());
        let ids = [first.id, second.id, other.id];
        let mut held = runs::renew_node(&mut tx, "a", &ids, at(90_000)).await.unwrap();
        held.sort_unstable();
        assert_eq!(held, [(first.id, 1, false), (second.id, 1, true)]);
        let lost = runs::claim_lost(&mut tx, None, &[], at(80_000), 9).await.unwrap();
        assert_eq!(lost.iter().map(|run| run.id).collect::<Vec<_>>(), [other.id], "only b's");
        assert!(finish_run(&mut tx, &claim_of(&first), &outcome(Phase::Succeeded), at(9)).await.unwrap());
        let held = runs::renew_node(&mut tx, "a", &ids, at(90_000)).await.unwrap();
        assert_eq!(held, [(second.id, 1, true)], "what has ended is not held");
        assert_eq!(runs::renew_node(&mut tx, "a", &[], at(99_000)).await.unwrap(), []);
        let lost = runs::claim_lost(&mut tx, None, &[], at(95_000), 9).await.unwrap();
        assert!(lost.iter().any(|run| run.id == second.id), "nobody watches over it");
        assert_eq!(runs::renew_node(&mut tx, "nobody", &ids, at(1)).await.unwrap(), []);
    }

    async fn every_phase_has_a_row(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        for phase in Phase::ALL.into_iter().filter(|phase| phase.is_final()) {
            let run = world.add_running(&mut tx, world.tenants[0], "a").await;
            assert!(finish_run(&mut tx, &claim_of(&run), &outcome(phase), NOW).await.unwrap());
            assert_eq!(runs::get(&mut tx, run.id).await.unwrap().phase, phase);
        }
    }

    async fn a_running_run_is_asked_to_stop_and_a_waiting_one_ends(db) {
        let world = World::make(db, 2).await;
        let mut tx = db.write().await;
        let waiting = world.add_run(&mut tx, world.tenants[0]).await;
        let running = world.add_running(&mut tx, world.tenants[1], "a").await;
        assert!(!runs::request_cancel(&mut tx, waiting.id).await.unwrap());
        assert!(!runs::cancel_pending(&mut tx, running.id, at(1)).await.unwrap());
        assert!(runs::request_cancel(&mut tx, running.id).await.unwrap());
        assert!(runs::cancel_pending(&mut tx, waiting.id, at(1)).await.unwrap());
        assert!(!runs::cancel_pending(&mut tx, waiting.id, at(2)).await.unwrap(), "once");
        let found = runs::get(&mut tx, waiting.id).await.unwrap();
        assert_eq!((found.phase, found.completed_at), (Phase::Cancelled, Some(at(1))));
        assert!(found.message.is_some());
        let claim = claim_of(&running);
        assert_eq!(runs::renew(&mut tx, &claim, at(9)).await.unwrap(), Some(true));
        assert!(finish_run(&mut tx, &claim, &outcome(Phase::Cancelled), at(3)).await.unwrap());
        assert!(!runs::request_cancel(&mut tx, running.id).await.unwrap(), "it is over");
    }

    async fn lists_are_narrowed_by_each_filter(db) {
        let mut tx = db.write().await;
        let crm = World::make_in(&mut tx, "crm", 2).await;
        let erp = World::make_in(&mut tx, "erp", 1).await;
        let one = crm.add_run(&mut tx, crm.tenants[0]).await.id;
        let init = NewRun { mode: Mode::Init, ..crm.run(crm.tenants[1]) };
        let two = insert_run(&mut tx, &init, Some(&claimer("a")), at(10)).await.unwrap().unwrap().id;
        let three = erp.add_run(&mut tx, erp.tenants[0]).await.id;
        for source in [Source::Cron, Source::Cron, Source::Api] {
            let row = Trigger { source, ..trigger(crm.tenants[0]) };
            let id = triggers::insert(&mut tx, &row).await.unwrap();
            assert_eq!(give_to(&mut tx, one, &[id]).await, 1);
        }
        let all = RunFilter::default;
        let cases = [
            (all(), vec![three, two, one]),
            (RunFilter { tenant: Some(crm.tenants[1]), ..all() }, vec![two]),
            (RunFilter { integration: Some(crm.integration), ..all() }, vec![two, one]),
            (RunFilter { phase: Some(Phase::Pending), ..all() }, vec![three, one]),
            (RunFilter { mode: Some(Mode::Init), ..all() }, vec![two]),
            (RunFilter { source: Some(Source::Cron), ..all() }, vec![one]),
            (RunFilter { source: Some(Source::Webhook), ..all() }, vec![]),
            (RunFilter { from: Some(at(10)), ..all() }, vec![two]),
            (RunFilter { to: Some(at(10)), ..all() }, vec![three, one]),
            (RunFilter { from: Some(NOW), to: Some(NOW), ..all() }, vec![]),
            (RunFilter {
                tenant: Some(crm.tenants[0]), integration: Some(crm.integration),
                phase: Some(Phase::Pending), mode: Some(Mode::Normal), source: Some(Source::Api),
                from: Some(NOW), to: Some(at(1)), up_to: Some(two),
            }, vec![one]),
            (RunFilter { up_to: Some(two), ..all() }, vec![two, one]),
        ];
        for (filter, expected) in cases {
            assert_eq!(ids_of(&mut tx, filter.clone()).await, expected, "{filter:?}");
            let request = PageRequest { limit: 0, total: true, ..PageRequest::default() };
            let page = run_views::list(&mut tx, &filter, &request).await.unwrap();
            assert_eq!(page.total, i64::try_from(expected.len()).ok(), "{filter:?}");
            assert_eq!(page.has_more, !expected.is_empty());
        }
    }
}
