//! `releases`: insert, get, find, find_latest, find_latest_id, list.

use marquetry_model::{BuildId, IntegrationId, PageRequest, Release, ReleaseId};
use marquetry_store::{Error, releases};
use serde_json::json;

use crate::common::{NOW, ODD, add_build, add_integration, at, on_both, release, sorted};

on_both! {
    async fn a_release_comes_back_as_it_was(db) {
        let mut tx = db.write().await;
        let integration = add_integration(&mut tx, "crm").await;
        let build = add_build(&mut tx, integration).await.id;
        let full = Release {
            branch: Some(ODD.to_owned()),
            commit_hash: Some("0".repeat(40)),
            run_command: format!("{ODD}\n{ODD}"),
            config_schema: Some(json!({"z": [1, 2.5, null, true], "a": {"\u{0}": ODD}, "": -0.1})),
            metadata_schema: Some(json!([9_007_199_254_740_993_i64, "\u{1F980}"])),
            narrowing: Some(json!(null)),
            counts_as_latest: false,
            created_at: at(5),
            ..release(integration, build, ODD)
        };
        let plain = release(integration, build, "plain");
        for mut wanted in [full, plain] {
            wanted.id = releases::insert(&mut tx, &wanted).await.unwrap().unwrap();
            let found = releases::get(&mut tx, wanted.id).await.unwrap();
            if let (Some(found), Some(wanted)) = (&found.config_schema, &wanted.config_schema) {
                assert_eq!(found.to_string(), wanted.to_string(), "fields keep their order");
            }
            // `null` as a schema and no schema are the same.
            wanted.narrowing = wanted.narrowing.filter(|value| !value.is_null());
            let narrowing = found.narrowing.clone().filter(|value| !value.is_null());
            assert_eq!(Release { narrowing, ..found }, wanted);
        }
    }

    async fn an_absent_release_is_not_found(db) {
        let mut tx = db.read().await;
        let id = ReleaseId::new(4);
        let error = releases::get(&mut tx, id).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { kind: "release", .. }), "{error:?}");
        assert_eq!(releases::find(&mut tx, id).await.unwrap(), None);
        assert_eq!(releases::find_latest(&mut tx, IntegrationId::new(4)).await.unwrap(), None);
        assert_eq!(releases::find_latest_id(&mut tx, IntegrationId::new(4)).await.unwrap(), None);
    }

    async fn a_name_is_unique_in_its_integration(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        let build = add_build(&mut tx, crm).await.id;
        let first = releases::insert(&mut tx, &release(crm, build, "v1")).await.unwrap();
        assert!(first.is_some());
        assert_eq!(releases::insert(&mut tx, &release(crm, build, "v1")).await.unwrap(), None);
        assert!(releases::insert(&mut tx, &release(erp, build, "v1")).await.unwrap().is_some());
        assert!(releases::insert(&mut tx, &release(crm, build, "V1")).await.unwrap().is_some());
    }

    async fn a_release_of_no_build_is_refused(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        assert!(releases::insert(&mut tx, &release(crm, BuildId::new(77), "v1")).await.is_err());
    }

    async fn latest_is_the_newest_that_counts(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        let build = add_build(&mut tx, crm).await.id;
        let mut ids = Vec::new();
        for (of, name, counts_as_latest) in
            [(crm, "a", true), (crm, "b", true), (crm, "c", false), (erp, "d", true)]
        {
            let row = Release { counts_as_latest, ..release(of, build, name) };
            ids.push(releases::insert(&mut tx, &row).await.unwrap().unwrap());
        }
        let latest = releases::find_latest(&mut tx, crm).await.unwrap().unwrap();
        assert_eq!((latest.id, latest.name.as_str()), (ids[1], "b"));
        assert_eq!(releases::find_latest(&mut tx, erp).await.unwrap().unwrap().id, ids[3]);
        assert_eq!(releases::find_latest_id(&mut tx, crm).await.unwrap(), Some(latest.id));
        assert_eq!(releases::find_latest_id(&mut tx, erp).await.unwrap(), Some(ids[3]));
        assert_eq!(releases::find(&mut tx, ids[2]).await.unwrap().unwrap().name, "c");
    }

    async fn lists_are_of_one_integration_oldest_first(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        let build = add_build(&mut tx, crm).await.id;
        for (of, name) in [(crm, "b"), (erp, "x"), (crm, "a"), (crm, "c")] {
            let row = Release { created_at: NOW, ..release(of, build, name) };
            releases::insert(&mut tx, &row).await.unwrap().unwrap();
        }
        for (request, expected) in [
            (PageRequest::default(), ["b", "a", "c"]),
            (sorted("name__ASC"), ["a", "b", "c"]),
            (sorted("created_date__DESC"), ["b", "a", "c"]),
        ] {
            let page = releases::list(&mut tx, crm, &request).await.unwrap();
            let names: Vec<_> = page.items.iter().map(|row| row.name.as_str()).collect();
            assert_eq!(names, expected, "{request:?}");
        }
    }
}
