//! All routes, on one page.

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use marquetry_app::App;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::hooks;
use crate::api::v2::{
    audit, builds, bulk, connections, connectors, environment, explanations, integrations, keys,
    logs, metadata, nodes, provisioning, releases, reruns, runs, schedules, tenants, triggers,
    uploads, vault,
};
use crate::around::Around;
use crate::error::{no_method, no_route, panicked};
use crate::state::{Web, WebConfig};
use crate::{connect, docs, health, openapi};

/// As many bytes of a body are read when it is refused, and more where an upload may have more.
const MOST_UNREAD: u64 = 64 << 20;

/// Every route with its description.
pub(crate) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(integrations::list, integrations::create))
        .routes(routes!(
            integrations::get,
            integrations::update,
            integrations::archive
        ))
        .routes(routes!(releases::list))
        .routes(routes!(releases::get_default, releases::set_default))
        .routes(routes!(releases::get_latest))
        .routes(routes!(uploads::upload))
        .routes(routes!(integrations::rotate_push_hook))
        .routes(routes!(hooks::push))
        .routes(routes!(releases::get))
        .routes(routes!(triggers::sync_by_integration))
        .routes(routes!(builds::create))
        .routes(routes!(builds::list))
        .routes(routes!(builds::get))
        .routes(routes!(builds::cancel))
        .routes(routes!(logs::build_log))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(
            tenants::get,
            tenants::update,
            tenants::replace,
            tenants::archive
        ))
        .routes(routes!(bulk::act))
        .routes(routes!(releases::of_tenant))
        .routes(routes!(releases::of_tenant_alias))
        .routes(routes!(metadata::get, metadata::update))
        .routes(routes!(environment::get))
        .routes(routes!(schedules::preview))
        .routes(routes!(explanations::explain))
        .routes(routes!(runs::list_of_tenant))
        .routes(routes!(triggers::sync))
        .routes(routes!(triggers::run))
        .routes(routes!(triggers::status))
        .routes(routes!(triggers::cancel))
        .routes(routes!(runs::list))
        .routes(routes!(runs::get))
        .routes(routes!(runs::status))
        .routes(routes!(runs::triggers))
        .routes(routes!(runs::cancel))
        .routes(routes!(reruns::rerun))
        .routes(routes!(reruns::set_state))
        .routes(routes!(logs::run_log))
        .routes(routes!(logs::run_log_stream))
        .routes(routes!(logs::signed_log))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(nodes::list))
        .routes(routes!(audit::list))
        .routes(routes!(vault::get))
        .routes(routes!(vault::rotate))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(docs::document))
        .routes(routes!(docs::manifest_schema))
        .routes(routes!(docs::connector_schema))
        .routes(routes!(connectors::list))
        .routes(routes!(
            connectors::get,
            connectors::put,
            connectors::delete
        ))
        .routes(routes!(provisioning::get, provisioning::put))
        .routes(routes!(provisioning::secret_keys))
        .routes(routes!(connections::list_of_tenant))
        .routes(routes!(connections::list_of_integration))
        .routes(routes!(connections::put_of_tenant))
        .routes(routes!(connections::put_of_integration))
        .routes(routes!(
            connections::connect_of_tenant,
            connections::revoke_of_tenant
        ))
        .routes(routes!(
            connections::connect_of_integration,
            connections::revoke_of_integration
        ))
        .routes(routes!(connections::disconnect_of_tenant))
        .routes(routes!(connections::disconnect_of_integration))
}

/// The whole door.
pub fn router(app: Arc<App>, config: WebConfig) -> Router {
    let (routes, document) = routes().split_for_parts();
    let document = openapi::finish(document);
    let document = document.to_json().expect("the document is JSON");
    let around = Around {
        most_unread: app.settings.limits.upload_bytes.max(MOST_UNREAD),
    };
    let web = Web::new(app, config, Bytes::from(document));
    routes
        .route("/link/{token}", get(connect::open).post(connect::submit))
        .route("/link/choose", post(connect::choose))
        .route("/link/device/{token}", get(connect::device))
        .route(connect::CALLBACK, get(connect::callback))
        .route("/connect/assets/{file}", get(connect::asset))
        .route("/docs", get(docs::page))
        .route("/docs/{file}", get(docs::file))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        // One layer only: every layer costs each request an allocation. Limits and headers are
        // the extractors' and the answers' own business.
        .layer((around, CatchPanicLayer::custom(panicked)))
        .with_state(web)
}
