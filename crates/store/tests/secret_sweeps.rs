//! `secret_sweeps`: insert, list_due, find_next, update_due, delete.

use marquetry_model::IntegrationId;
use marquetry_store::secret_sweeps::{self, Sweep};

use crate::common::{NOW, add_integration, at, on_both};

on_both! {
    async fn an_integration_is_due_from_its_mark_until_it_is_done(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        let erp = add_integration(&mut tx, "erp").await;
        assert_eq!(secret_sweeps::find_next(&mut tx).await.unwrap(), None);
        secret_sweeps::insert(&mut tx, erp, at(1)).await.unwrap();
        secret_sweeps::insert(&mut tx, crm, at(5)).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.write().await;
        let sweep = |integration_id, marked_at| Sweep { integration_id, marked_at };
        let (first, second) = (sweep(erp, at(1)), sweep(crm, at(5)));
        assert_eq!(secret_sweeps::list_due(&mut tx, NOW, 9).await.unwrap(), []);
        assert_eq!(secret_sweeps::list_due(&mut tx, at(1), 9).await.unwrap(), [first]);
        assert_eq!(secret_sweeps::list_due(&mut tx, at(9), 9).await.unwrap(), [first, second]);
        assert_eq!(secret_sweeps::list_due(&mut tx, at(9), 1).await.unwrap(), [first]);
        assert_eq!(secret_sweeps::find_next(&mut tx).await.unwrap(), Some(at(1)));
        secret_sweeps::update_due(&mut tx, first, at(20)).await.unwrap();
        assert_eq!(secret_sweeps::list_due(&mut tx, at(9), 9).await.unwrap(), [second]);
        assert_eq!(secret_sweeps::find_next(&mut tx).await.unwrap(), Some(at(5)));
        secret_sweeps::delete(&mut tx, second).await.unwrap();
        assert_eq!(secret_sweeps::find_next(&mut tx).await.unwrap(), Some(at(20)));
    }

    async fn a_later_mark_outlives_the_end_of_a_former_one(db) {
        let mut tx = db.write().await;
        let crm = add_integration(&mut tx, "crm").await;
        secret_sweeps::insert(&mut tx, crm, at(1)).await.unwrap();
        let first = secret_sweeps::list_due(&mut tx, at(1), 9).await.unwrap()[0];
        secret_sweeps::insert(&mut tx, crm, at(2)).await.unwrap();
        secret_sweeps::update_due(&mut tx, first, at(99)).await.unwrap();
        secret_sweeps::delete(&mut tx, first).await.unwrap();
        let second = Sweep { marked_at: at(2), ..first };
        assert_eq!(secret_sweeps::list_due(&mut tx, at(2), 9).await.unwrap(), [second]);
    }

    async fn only_integrations_are_marked(db) {
        let absent = IntegrationId::new(9);
        assert!(secret_sweeps::insert(&mut *db.write().await, absent, NOW).await.is_err());
    }
}
