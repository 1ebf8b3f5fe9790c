//! The OpenAPI document, made from the handlers.

mod complete;

use marquetry_wire::v2::{
    ErrorDetail, ErrorMessage, HttpValidationError, LocPart, ValidationError,
};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, SecurityRequirement,
};
use utoipa::{IntoResponses, ToSchema};

/// The document of all routes (OpenAPI 3.1), the same on every call.
pub fn openapi() -> OpenApi {
    finish(crate::router::routes().into_openapi())
}

/// The document as it is shown, from what the handlers say.
pub(crate) fn finish(mut document: OpenApi) -> OpenApi {
    complete::complete(&mut document);
    document
}

/// What stands before the paths.
pub(crate) fn head() -> OpenApi {
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-KEY")));
    let info = InfoBuilder::new()
        .title("Marquetry")
        .version("2.0.0")
        .description(Some(
            "The v2 API. Operations with the tag `extension` are this product's own.",
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("apiKey", key)
                // What `Refusals` refer to, which no handler brings along.
                .schema_from::<ErrorDetail>()
                .schema_from::<ErrorMessage>()
                .schema_from::<HttpValidationError>()
                .schema_from::<ValidationError>()
                .schema_from::<LocPart>()
                .build(),
        ))
        .security(Some([SecurityRequirement::new("apiKey", [] as [&str; 0])]))
        .build()
}

/// How most routes refuse.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) enum Refusals {
    /// No valid API key, or one that may not do this.
    #[response(status = 403)]
    Forbidden(ErrorDetail),
    /// Not found.
    #[response(status = 404)]
    NotFound(ErrorMessage),
    /// The input is wrong.
    #[response(status = 422)]
    Invalid(HttpValidationError),
}

/// How routes refuse that name nothing which could be missing.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) enum InputRefusals {
    /// No valid API key, or one that may not do this.
    #[response(status = 403)]
    Forbidden(ErrorDetail),
    /// The input is wrong.
    #[response(status = 422)]
    Invalid(HttpValidationError),
}

/// Some JSON object.
#[derive(ToSchema)]
#[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
pub(crate) struct AnyObject(());
