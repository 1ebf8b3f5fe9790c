//! `nodes`: update, list, delete, delete_lost, find_clock.

use marquetry_model::{Clock as _, Node, NodeId, PageRequest, SystemClock};
use marquetry_store::nodes;

use crate::common::{Kind, NOW, ODD, at, on_both};

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
