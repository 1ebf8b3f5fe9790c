//! `audit`: insert, list, delete.

use marquetry_model::{ApiKeyId, IntegrationId, PageRequest, TenantId};
use marquetry_store::audit::{self, Act};

use crate::common::{NOW, ODD, at, on_both};

fn act(tenant: Option<i64>, millis: i64) -> Act {
    Act {
        id: 0,
        at: at(millis),
        api_key_id: tenant.map(ApiKeyId::new),
        action: "environment.plain".to_owned(),
        integration_id: tenant.map(IntegrationId::new),
        tenant_id: tenant.map(TenantId::new),
        detail: Some(ODD.to_owned()),
    }
}

on_both! {
    async fn acts_are_listed_newest_first_until_they_are_old(db) {
        let mut tx = db.write().await;
        for (tenant, millis) in [(Some(1), 0), (Some(2), 5), (None, 9)] {
            audit::insert(&mut tx, &act(tenant, millis)).await.unwrap();
        }
        let page = PageRequest::default();
        let all = audit::list(&mut tx, None, &page).await.unwrap().items;
        let times: Vec<_> = all.iter().map(|it| it.at).collect();
        assert_eq!(times, [at(9), at(5), NOW]);
        assert_eq!(Act { id: 0, ..all[1].clone() }, act(Some(2), 5));
        let of_one = audit::list(&mut tx, Some(TenantId::new(1)), &page).await.unwrap().items;
        assert_eq!(of_one, all[2..]);
        assert_eq!(audit::delete(&mut tx, at(6), 1).await.unwrap(), 1);
        assert_eq!(audit::delete(&mut tx, at(6), 9).await.unwrap(), 1);
        assert_eq!(audit::list(&mut tx, None, &page).await.unwrap().items, all[..1]);
    }
}
