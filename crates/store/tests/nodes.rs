//! `nodes`: update, list, delete, delete_lost, find_clock.

use marquetry_model::{
    BuildStatus, Clock as _, Direction, Node, NodeId, PageRequest, Sort, SystemClock,
};
use marquetry_store::{builds, nodes, runs};

use crate::common::{Kind, NOW, ODD, World, add_build, at, on_both};
use crate::runs::claim_of;

fn node(name: &str) -> Node {
    Node {
        id: NodeId::new(0),
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        roles: vec!["api".to_owned(), ODD.to_owned()],
        run_slots: 8,
        live_runs: 3,
        build_slots: 2,
        live_builds: 1,
        clock_ahead_ms: Some(-4),
        draining: false,
        started_at: NOW,
        seen_at: at(1),
    }
}

on_both! {
    async fn a_node_is_listed_as_it_last_told(db) {
        let mut tx = db.write().await;
        let first = node(ODD);
        let second = Node { clock_ahead_ms: None, roles: Vec::new(), ..node("b") };
        let moved = Node {
            version: "0.2.0".to_owned(), roles: vec!["runner".to_owned()], run_slots: 9, live_runs: 4,
            build_slots: 3, live_builds: 2, clock_ahead_ms: Some(7), draining: true, started_at: at(2),
            seen_at: at(3), ..first.clone()
        };
        for node in [&first, &second, &moved] {
            nodes::update(&mut tx, node).await.unwrap();
        }
        let request = PageRequest { limit: 10, ..PageRequest::default() };
        let found = nodes::list(&mut tx, &request).await.unwrap().items;
        let [one, two] = &found[..] else { panic!("{found:?}") };
        assert!(one.id < two.id);
        assert_eq!(*one, Node { id: one.id, ..moved });
        assert_eq!(*two, Node { id: two.id, ..second });
        nodes::delete(&mut tx, ODD).await.unwrap();
        nodes::delete(&mut tx, "nobody").await.unwrap();
        assert_eq!(nodes::list(&mut tx, &request).await.unwrap().items.len(), 1);
    }

    async fn a_clock_that_is_just_right_enough_is_sorted_as_it_is_shown(db) {
        let mut tx = db.write().await;
        for (name, ahead) in [("a", -2_001), ("b", 2_000), ("c", 2_001), ("d", -2_000)] {
            let node = Node { clock_ahead_ms: Some(ahead), ..node(name) };
            nodes::update(&mut tx, &node).await.unwrap();
        }
        let sort = Sort { field: "status".to_owned(), direction: Direction::Ascending };
        let request = PageRequest { sort: Some(sort), limit: 10, ..PageRequest::default() };
        let found = nodes::list(&mut tx, &request).await.unwrap().items;
        let shown: Vec<_> = found.iter().map(|node| node.status(at(1)).as_str()).collect();
        assert_eq!(shown, ["Live", "Live", "WrongClock", "WrongClock"]);
    }

    async fn a_lease_that_a_wrong_clock_wrote_holds_as_long_as_its_node_lives(db) {
        const YEAR: i64 = 365 * 24 * 3_600_000;
        let world = World::make(db, 2).await;
        let mut tx = db.write().await;
        for (name, seen) in [("lives", 100_000), ("gone", 10_000)] {
            nodes::update(&mut tx, &Node { seen_at: at(seen), ..node(name) }).await.unwrap();
        }
        let lives = world.add_running(&mut tx, world.tenants[0], "lives").await;
        let gone = world.add_running(&mut tx, world.tenants[1], "gone").await;
        for run in [&lives, &gone] {
            assert!(runs::renew(&mut tx, &claim_of(run), at(YEAR)).await.unwrap().is_some());
        }
        let build = add_build(&mut tx, world.integration).await;
        let begun = builds::claim(&mut tx, "gone", at(1), at(YEAR), 1).await.unwrap();
        assert_eq!(begun.len(), 1);
        for (now, lost) in [(100_000, vec![]), (100_001, vec![gone.id]), (190_001, vec![lives.id, gone.id])] {
            let found = runs::claim_lost(&mut tx, None, &[], at(now), 9).await.unwrap();
            assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), lost, "{now}");
        }
        assert_eq!(builds::requeue_lost(&mut tx, None, at(100_000), 3).await.unwrap(), 0);
        assert_eq!(builds::requeue_lost(&mut tx, None, at(100_001), 3).await.unwrap(), 1);
        assert_eq!(builds::get(&mut tx, build.id).await.unwrap().status, BuildStatus::Pending);
    }

    async fn nodes_that_were_not_seen_for_long_are_forgotten(db) {
        let mut tx = db.write().await;
        for (name, seen) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
            nodes::update(&mut tx, &Node { seen_at: at(seen), ..node(name) }).await.unwrap();
        }
        assert_eq!(nodes::delete_lost(&mut tx, at(4), 2).await.unwrap(), 2);
        assert_eq!(nodes::delete_lost(&mut tx, at(4), 2).await.unwrap(), 1);
        assert_eq!(nodes::delete_lost(&mut tx, at(4), 2).await.unwrap(), 0);
    }

    async fn only_a_database_that_is_a_server_has_a_clock(db) {
        let mut tx = db.read().await;
        let clock = nodes::find_clock(&mut tx).await.unwrap();
        match db.kind() {
            Kind::Sqlite => assert_eq!(clock, None),
            Kind::Postgres => {
                let apart = clock.unwrap().as_millis() - SystemClock.now().as_millis();
                assert!(apart.abs() < 60_000, "the same machine, {apart} ms apart");
            }
        }
    }
}
