//! Builds of a source folder that is sent.

use axum::extract::State;
use http::StatusCode;
use marquetry_app::{builds, uploads};
use marquetry_model::{BuildId, IntegrationId};
use marquetry_wire::v2::{Build, ErrorMessage};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::paths::IntegrationPath;
use crate::extract::{Caller, Refused, Streamed, Write, params};
use crate::once::once;
use crate::openapi::Refusals;
use crate::reply;
use crate::state::Web;

/// What the archive is called.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// The label of the release; none: `build-` and the build's id.
    tag: Option<String>,
}

params!(UploadQuery => |known: &UploadQuery, _: &Refused<'_>| {
    uploads::upload_fault(known.tag.as_deref()).into_iter().collect()
});

/// The `.tar.gz` of a source folder.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct SourceArchive(());

/// Builds a source folder that is sent as the body: a `.tar.gz`, built as a commit is.
#[utoipa::path(post, path = "/v2/integrations/{integration_id}/releases/upload",
    operation_id = "uploadRelease", tag = "extension", params(IntegrationPath, UploadQuery),
    request_body(content = inline(SourceArchive), content_type = "application/gzip"),
    responses((status = 201, description = "The build", body = Build),
        (status = 413, description = "The archive is too large", body = ErrorMessage,
            example = json!({"message": "the archive is larger than 100 MiB; leave out what a build does not need, or raise limits.upload_mb"})),
        (status = 429, description = "Too many builds wait", body = ErrorMessage,
            example = json!({"message": "20 builds of integration 1 wait already; let them end or cancel some"})),
        Refusals))]
pub(crate) async fn upload(
    State(web): State<Web>,
    Caller(ctx, _): Caller<Write>,
    mut input: Streamed<IntegrationPath, UploadQuery>,
) -> Answer {
    let id = IntegrationId::new(input.path.integration_id);
    let tag = input.query.tag.clone();
    let repeated = input.once.take();
    let mut parts = input.parts(web.app().settings.limits.upload_bytes)?;
    let mut upload = uploads::upload_begin(&ctx, id, tag).await?;
    while let Some(part) = parts.next().await? {
        upload.write(&part).await?;
    }
    let kept = upload.finish(&ctx).await?;
    let repeated = repeated.map(|head| head.with_body(kept.source.as_bytes()));
    let created = |build| reply::json(StatusCode::CREATED, &Build::from(build));
    let act = |ctx| async move { Ok(created(uploads::upload_build(&ctx, &kept).await?)) };
    let again = |ctx, id| async move {
        let build = builds::build_get(&ctx, BuildId::new(id)).await?;
        Ok(created(build))
    };
    once(ctx, repeated, act, again).await
}
