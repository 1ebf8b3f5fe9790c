//! Nodes: servers that share the database.

use axum::extract::State;
use marquetry_app::nodes::node_list;
use marquetry_wire::v2::Node;

use super::Answer;
use crate::extract::{Caller, Checked, list_query};
use crate::openapi::InputRefusals;
use crate::reply;
use crate::state::Web;

list_query! {
    /// What the list of nodes takes.
    NodesQuery of marquetry_app::lists::NODES {}
}

/// The nodes, with role, load, clock difference and last sign of life; lost ones for a day.
#[utoipa::path(get, path = "/v2/nodes", operation_id = "listNodes", tag = "extension",
    params(NodesQuery),
    responses((status = 200, description = "The nodes", body = Vec<Node>), InputRefusals))]
pub(crate) async fn list(
    State(web): State<Web>,
    Caller(ctx, _): Caller,
    input: Checked<(), NodesQuery>,
) -> Answer {
    let page = input.query.page(&web, &input.uri)?;
    let found = node_list(&ctx, &page).await?.map(Node::from);
    Ok(reply::list(&web, &input.uri, &page, &found))
}
