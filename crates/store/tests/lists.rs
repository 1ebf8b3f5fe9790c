//! Pages and orders, as all lists have them.

use marquetry_model::{Direction, IntegrationId, MAX_LIMIT, PageRequest, Sort, TenantId};
use marquetry_store::runs::RunFilter;
use marquetry_store::tenants::TenantFilter;
use marquetry_store::{
    Error, Tx, api_keys, builds, integrations, releases, run_views, tenant_views, tenants,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::common::{Kind, World, block_on, is_wanted, on_both, open, sorted, tenant};

/// Every list, asked for one page; its error.
async fn all_lists(tx: &mut Tx, request: &PageRequest) -> Vec<(&'static str, Option<Error>)> {
    let crm = IntegrationId::new(1);
    vec![
        ("api_keys", api_keys::list(tx, request).await.err()),
        ("builds", builds::list(tx, None, request).await.err()),
        (
            "integrations",
            integrations::list(tx, false, request).await.err(),
        ),
        ("releases", releases::list(tx, crm, request).await.err()),
        (
            "runs",
            run_views::list(tx, &RunFilter::default(), request)
                .await
                .err(),
        ),
        (
            "tenants",
            tenant_views::list(tx, &TenantFilter::default(), request)
                .await
                .err(),
        ),
    ]
}

on_both! {
    async fn an_unknown_field_is_refused_with_those_there_are(db) {
        let mut tx = db.write().await;
        for field in ["nothing", "ID", "id; DROP TABLE runs", "", "created_at", "hash", "configs"] {
            let sort = Some(Sort { field: field.to_owned(), direction: Direction::Ascending });
            for (list, error) in all_lists(&mut tx, &PageRequest { sort, ..PageRequest::default() }).await {
                let Some(Error::Sort { field: named, known }) = error else {
                    panic!("{list} took {field}: {error:?}");
                };
                assert_eq!(named, field);
                assert!(known.contains(&"id"), "{list}");
            }
        }
        // It can be asked before there is anything to list.
        for (field, is_known) in [("name", true), ("nothing", false)] {
            let sort = Sort { field: field.to_owned(), direction: Direction::Descending };
            assert_eq!(tenants::LIST.check(&sort).is_ok(), is_known, "{field}");
        }
    }

    async fn every_field_that_is_offered_sorts(db) {
        let mut tx = db.write().await;
        World::make_in(&mut tx, "crm", 2).await;
        let offered = all_lists(&mut tx, &sorted("nothing__ASC")).await;
        for (list, error) in offered {
            let Some(Error::Sort { known, .. }) = error else { panic!("{list}") };
            for field in known {
                for direction in ["ASC", "DESC"] {
                    let sort = format!("{field}__{direction}");
                    let found = all_lists(&mut tx, &sorted(&sort)).await;
                    let error = &found.iter().find(|(name, _)| *name == list).unwrap().1;
                    assert!(error.is_none(), "{list} by {sort}: {error:?}");
                }
            }
        }
    }

    async fn a_page_says_whether_there_is_more(db) {
        let mut tx = db.write().await;
        World::make_in(&mut tx, "crm", 3).await;
        for (limit, skip, items, has_more) in [
            (0, 0, 0, true), (1, 0, 1, true), (3, 0, 3, false), (2, 1, 2, false), (2, 0, 2, true),
            (9, 3, 0, false), (0, 3, 0, false), (MAX_LIMIT, i64::MAX, 0, false),
        ] {
            let request = PageRequest { limit, skip, total: true, ..PageRequest::default() };
            let page = tenant_views::list(&mut tx, &TenantFilter::default(), &request).await.unwrap();
            assert_eq!((page.items.len(), page.has_more, page.total), (items, has_more, Some(3)), "{request:?}");
        }
        let page = tenant_views::list(&mut tx, &TenantFilter::default(), &PageRequest::default()).await.unwrap();
        assert_eq!(page.total, None, "not asked for");
    }
}

/// Pages of `limit`, put together.
async fn walk(tx: &mut Tx, limit: i64, sort: Option<&Sort>) -> Vec<TenantId> {
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let request = PageRequest {
            limit,
            after,
            sort: sort.cloned(),
            ..PageRequest::default()
        };
        let page = tenant_views::list(tx, &TenantFilter::default(), &request).await;
        let page = page.unwrap();
        seen.extend(page.items.iter().map(|row| row.tenant.id));
        assert_eq!(page.has_more, page.next.is_some());
        if !page.has_more {
            return seen;
        }
        after = page.next;
    }
}

/// Whatever the page size and the order, and with many equal and absent values, paging visits
/// each row once, in the order of one large page.
fn paging_visits_each_row_once(kind: Kind) {
    if !is_wanted(kind) {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(open(kind));
    let mut ids = runtime.block_on(async {
        let world = World::make(&db, 0).await;
        let mut tx = db.write().await;
        let mut ids = Vec::new();
        for n in 0..23 {
            let user = ["a", "B", "ä", "b"].get(n % 5).map(ToString::to_string);
            let row = marquetry_model::Tenant {
                user_name: user,
                paused: n % 2 == 0,
                ..tenant(world.integration, &format!("t{n}"))
            };
            ids.push(tenants::insert(&mut tx, &row).await.unwrap().unwrap());
        }
        tx.commit().await.unwrap();
        ids
    });
    ids.sort_unstable();
    let fields = prop::sample::select(vec!["user_name", "paused", "timezone", "name", "id"]);
    let sort = prop::option::of((fields, any::<bool>()));
    let mut runner = TestRunner::new(Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&(1_i64..30, sort), |(limit, sort)| {
        let sort = sort.map(|(field, up)| Sort {
            field: field.to_owned(),
            direction: if up {
                Direction::Ascending
            } else {
                Direction::Descending
            },
        });
        let (mut seen, whole) = runtime.block_on(async {
            let mut tx = db.read().await;
            let seen = walk(&mut tx, limit, sort.as_ref()).await;
            (seen, walk(&mut tx, MAX_LIMIT, sort.as_ref()).await)
        });
        prop_assert_eq!(&seen, &whole);
        seen.sort_unstable();
        prop_assert_eq!(&seen, &ids);
        Ok(())
    });
    result.unwrap();
    runtime.block_on(async move { drop(db) });
}

mod paging {
    use super::{Kind, paging_visits_each_row_once};

    #[test]
    fn sqlite() {
        paging_visits_each_row_once(Kind::Sqlite);
    }

    #[test]
    fn postgres() {
        paging_visits_each_row_once(Kind::Postgres);
    }
}

#[test]
fn both_databases_order_text_alike() {
    if !(is_wanted(Kind::Sqlite) && is_wanted(Kind::Postgres)) {
        return;
    }
    let names = [
        "b",
        "B",
        "a",
        "ä",
        "z",
        "Z",
        "_",
        "-",
        "1",
        "10",
        "2",
        "\u{ffff}",
        "\u{1F980}",
        "",
    ];
    let order = |kind| {
        block_on(async {
            let db = open(kind).await;
            let mut tx = db.write().await;
            let world = World::make_in(&mut tx, "crm", 0).await;
            for name in names {
                let row = tenant(world.integration, name);
                tenants::insert(&mut tx, &row).await.unwrap().unwrap();
            }
            let page =
                tenant_views::list(&mut tx, &TenantFilter::default(), &sorted("name__ASC")).await;
            page.unwrap()
                .items
                .into_iter()
                .map(|row| row.tenant.name)
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(order(Kind::Sqlite), order(Kind::Postgres));
}
