//! `api_keys`: insert, find_by_hash, get, count, list, revoke, touch.

use marquetry_model::{ApiKey, ApiKeyId, PageRequest, Scope, ScopeSet};
use marquetry_store::{Error, Tx, api_keys};

use crate::common::{NOW, ODD, at, on_both, sorted};

fn key(name: &str) -> ApiKey {
    ApiKey {
        id: ApiKeyId::new(0),
        name: name.to_owned(),
        prefix: "mq_1234".to_owned(),
        scopes: ScopeSet::new(vec![Scope::Sync, Scope::Read, Scope::LocalRun]),
        created_at: NOW,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

pub(crate) async fn add(tx: &mut Tx, name: &str, hash: &[u8]) -> ApiKeyId {
    api_keys::insert(tx, &key(name), hash).await.unwrap()
}

on_both! {
    async fn a_key_comes_back_as_it_was(db) {
        let mut tx = db.write().await;
        let mut wanted = ApiKey { expires_at: Some(at(5)), ..key(ODD) };
        let hash = [0, 255, 0, 39, 7];
        wanted.id = api_keys::insert(&mut tx, &wanted, &hash).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.read().await;
        assert_eq!(api_keys::get(&mut tx, wanted.id).await.unwrap(), wanted);
        assert_eq!(api_keys::find_by_hash(&mut tx, &hash).await.unwrap(), Some(wanted));
        assert_eq!(api_keys::find_by_hash(&mut tx, &hash[..4]).await.unwrap(), None);
        assert_eq!(api_keys::find_by_hash(&mut tx, &[]).await.unwrap(), None);
    }

    async fn an_absent_key_is_not_found(db) {
        let mut tx = db.write().await;
        let id = ApiKeyId::new(42);
        let error = api_keys::get(&mut tx, id).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { kind: "key", .. }), "{error:?}");
        assert!(!api_keys::revoke(&mut tx, id, NOW).await.unwrap());
        api_keys::touch(&mut tx, id, NOW, NOW).await.unwrap();
        assert_eq!(api_keys::count(&mut tx).await.unwrap(), 0);
    }

    async fn the_same_hash_twice_is_refused(db) {
        let mut tx = db.write().await;
        add(&mut tx, "one", b"hash").await;
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        assert!(api_keys::insert(&mut tx, &key("two"), b"hash").await.is_err());
        drop(tx);
        assert_eq!(api_keys::count(&mut *db.read().await).await.unwrap(), 1);
    }

    async fn a_revoked_key_leaves_the_list_and_stays_in_the_count(db) {
        let mut tx = db.write().await;
        let one = add(&mut tx, "one", b"1").await;
        let two = add(&mut tx, "two", b"2").await;
        assert!(api_keys::revoke(&mut tx, one, at(3)).await.unwrap());
        assert!(!api_keys::revoke(&mut tx, one, at(4)).await.unwrap(), "once");
        assert_eq!(api_keys::get(&mut tx, one).await.unwrap().revoked_at, Some(at(3)));
        assert!(api_keys::find_by_hash(&mut tx, b"1").await.unwrap().is_some());
        let request = PageRequest { total: true, ..PageRequest::default() };
        let page = api_keys::list(&mut tx, &request).await.unwrap();
        assert_eq!(page.items.iter().map(|key| key.id).collect::<Vec<_>>(), [two]);
        assert_eq!((page.has_more, page.total), (false, Some(1)));
        assert_eq!(api_keys::count(&mut tx).await.unwrap(), 2);
    }

    async fn use_is_noted_at_most_so_often(db) {
        let mut tx = db.write().await;
        let id = add(&mut tx, "one", b"1").await;
        let mut seen = Vec::new();
        for (now, before) in [(10, 0), (20, 5), (30, 10), (40, 29)] {
            api_keys::touch(&mut tx, id, at(now), at(before)).await.unwrap();
            let last = api_keys::get(&mut tx, id).await.unwrap().last_used_at.unwrap();
            seen.push(last.as_millis() - NOW.as_millis());
        }
        assert_eq!(seen, [10, 10, 30, 30]);
    }

    async fn never_used_keys_sort_last_both_ways(db) {
        let mut tx = db.write().await;
        let never = add(&mut tx, "never", b"0").await;
        let early = add(&mut tx, "early", b"1").await;
        let late = add(&mut tx, "late", b"2").await;
        api_keys::touch(&mut tx, late, at(9), NOW).await.unwrap();
        api_keys::touch(&mut tx, early, at(1), NOW).await.unwrap();
        for (sort, order) in [
            ("last_used_date__ASC", [early, late, never]),
            ("last_used_date__DESC", [late, early, never]),
        ] {
            let page = api_keys::list(&mut tx, &sorted(sort)).await.unwrap();
            let ids: Vec<_> = page.items.iter().map(|key| key.id).collect();
            assert_eq!(ids, order, "{sort}");
        }
    }
}
