//! `decisions`: insert, list, delete.

use marquetry_model::{DecisionKind, DecisionNote, TenantId, Timestamp};
use marquetry_store::{Tx, decisions};

use crate::common::{NOW, World, at, on_both};

const HOUR: i64 = 3_600_000;

fn note(tenant_id: TenantId, kind: DecisionKind, at: Timestamp) -> DecisionNote {
    DecisionNote {
        tenant_id,
        kind,
        first_at: at,
        last_at: at,
        count: 1,
    }
}

async fn of(tx: &mut Tx, tenant: TenantId) -> Vec<(DecisionKind, Timestamp, Timestamp, i64)> {
    let found = decisions::list(tx, tenant, 9).await.unwrap();
    let found = found.into_iter();
    found
        .map(|note| (note.kind, note.first_at, note.last_at, note.count))
        .collect()
}

on_both! {
    async fn decisions_of_a_kind_within_an_hour_are_one(db) {
        let world = World::make(db, 2).await;
        let [one, two] = world.tenants[..] else { panic!() };
        let (paused, full) = (DecisionKind::TickPaused, DecisionKind::RefusedFull);
        // The hour begins on the hour, whenever the first of them was.
        let start = NOW.as_millis().div_euclid(HOUR) * HOUR + HOUR - NOW.as_millis();
        let mut tx = db.write().await;
        decisions::insert(&mut tx, &[]).await.unwrap();
        let both = [note(one, paused, at(start)), note(two, paused, at(start))];
        decisions::insert(&mut tx, &both).await.unwrap();
        let many = DecisionNote { count: 3, ..note(one, paused, at(start + HOUR - 1)) };
        decisions::insert(&mut tx, &[many]).await.unwrap();
        decisions::insert(&mut tx, &[note(one, full, at(start + 5))]).await.unwrap();
        decisions::insert(&mut tx, &[note(one, paused, at(start + HOUR))]).await.unwrap();
        let expected = [
            (paused, at(start + HOUR), at(start + HOUR), 1),
            (paused, at(start), at(start + HOUR - 1), 4),
            (full, at(start + 5), at(start + 5), 1),
        ];
        assert_eq!(of(&mut tx, one).await, expected, "newest first");
        assert_eq!(decisions::list(&mut tx, one, 1).await.unwrap().len(), 1);
        assert_eq!(of(&mut tx, two).await, [(paused, at(start), at(start), 1)]);
    }

    async fn old_ones_are_forgotten_in_small_steps(db) {
        let world = World::make(db, 3).await;
        let mut tx = db.write().await;
        for (n, tenant) in world.tenants.iter().enumerate() {
            let when = at(i64::try_from(n).unwrap() * HOUR);
            decisions::insert(&mut tx, &[note(*tenant, DecisionKind::HeldPaused, when)]).await.unwrap();
        }
        assert_eq!(decisions::delete(&mut tx, at(2 * HOUR), 1).await.unwrap(), 1);
        assert!(of(&mut tx, world.tenants[0]).await.is_empty(), "the oldest first");
        assert_eq!(decisions::delete(&mut tx, at(2 * HOUR), 9).await.unwrap(), 1);
        assert_eq!(decisions::delete(&mut tx, at(2 * HOUR), 9).await.unwrap(), 0);
        assert_eq!(of(&mut tx, world.tenants[2]).await.len(), 1);
    }

    async fn every_kind_is_read_again(db) {
        let world = World::make(db, 1).await;
        let mut tx = db.write().await;
        for (n, kind) in DecisionKind::ALL.iter().enumerate() {
            let when = at(i64::try_from(n).unwrap() * HOUR);
            decisions::insert(&mut tx, &[note(world.tenants[0], *kind, when)]).await.unwrap();
        }
        let all = decisions::list(&mut tx, world.tenants[0], 99).await.unwrap();
        let kinds: Vec<_> = all.iter().rev().map(|note| note.kind).collect();
        assert_eq!(kinds, DecisionKind::ALL);
    }
}
