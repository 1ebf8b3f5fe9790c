//! `provisions`: find, ensure, update.

use marquetry_model::IntegrationId;
use marquetry_store::provisions::{self, Provision};

use crate::common::{NOW, ODD, add_integration, at, on_both};

on_both! {
    async fn what_is_provisioned_is_kept_by_connector(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        assert_eq!(provisions::find(&mut tx, crm, "shop").await.unwrap(), None);
        let mut rows = Vec::new();
        for (of, connector) in [(crm, "shop"), (crm, ODD), (erp, "shop")] {
            let id = provisions::ensure(&mut tx, of, connector, at(1)).await.unwrap();
            let made = Provision { id, names: Vec::new(), sealed: String::new(), modified_at: at(1) };
            assert_eq!(provisions::find(&mut tx, of, connector).await.unwrap(), Some(made.clone()));
            rows.push((of, connector, made));
        }
        let names = vec!["client_id".to_owned(), ODD.to_owned()];
        provisions::update(&mut tx, rows[1].2.id, &names, ODD, at(2)).await.unwrap();
        rows[1].2 = Provision { names, sealed: ODD.to_owned(), modified_at: at(2), ..rows[1].2.clone() };
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        for (of, connector, row) in &rows {
            assert_eq!(provisions::find(&mut tx, *of, connector).await.unwrap().as_ref(), Some(row));
            let id = provisions::ensure(&mut tx, *of, connector, at(9)).await.unwrap();
            assert_eq!(id, row.id);
            assert_eq!(provisions::find(&mut tx, *of, connector).await.unwrap().as_ref(), Some(row), "left alone");
        }
        assert_eq!(provisions::find(&mut tx, erp, ODD).await.unwrap(), None);
        assert_eq!(provisions::find(&mut tx, crm, "SHOP").await.unwrap(), None);
        provisions::update(&mut tx, rows[1].2.id, &[], "", at(3)).await.unwrap();
        let emptied = Provision { id: rows[1].2.id, names: Vec::new(), sealed: String::new(), modified_at: at(3) };
        assert_eq!(provisions::find(&mut tx, crm, ODD).await.unwrap(), Some(emptied));
    }

    async fn those_who_make_a_row_at_once_make_one(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..4).map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                let id = provisions::ensure(&mut tx, crm, "shop", NOW).await.unwrap();
                tx.commit().await.unwrap();
                id
            })
        }).collect();
        let mut ids = Vec::new();
        for task in tasks {
            ids.push(task.await.unwrap());
        }
        ids.dedup();
        let row = provisions::find(&mut *db.read().await, crm, "shop").await.unwrap().unwrap();
        assert_eq!(ids, [row.id]);
    }

    async fn an_integration_that_is_not_there_has_none(db) {
        let absent = IntegrationId::new(999);
        assert!(provisions::ensure(&mut *db.write().await, absent, "shop", NOW).await.is_err());
    }
}
