//! Schemas of the model's words, for fields whose type is the model's own.

use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $model:ty),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .enum_values(Some(<$model>::ALL.iter().map(|word| word.as_str())))
                    .into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

words! {
    /// What can be said of a node.
    NodeStatus: marquetry_model::NodeStatus,
    /// How a connection stands.
    ConnectionStatus: marquetry_model::ConnectionStatus,
    /// Whose code an integration is.
    IntegrationType: marquetry_model::IntegrationType,
    /// A moving choice of release.
    IntegrationReleaseChannel: marquetry_model::Channel,
    /// What a run may reach.
    Egress: marquetry_model::Egress,
    /// Whether a lost run is repeated.
    Retry: marquetry_model::Retry,
    /// What `user_schedule` loses on its way to `schedule`.
    Randomization: marquetry_model::Randomization,
    /// What becomes of missed ticks.
    Missed: marquetry_model::Missed,
    /// Whether developers may run it at home.
    LocalRun: marquetry_model::LocalRun,
    /// What a key may do.
    Scope: marquetry_model::Scope,
    /// Where a build is, or how it ended.
    BuildStatus: marquetry_model::BuildStatus,
    /// Where a run is, or how it ended.
    Phase: marquetry_model::Phase,
    /// How a run behaves.
    Mode: marquetry_model::Mode,
    /// Where a trigger came from.
    Source: marquetry_model::Source,
}

/// The modes that a caller may ask for.
#[derive(Debug)]
pub enum V2RunMode {}

impl PartialSchema for V2RunMode {
    fn schema() -> RefOr<Schema> {
        use marquetry_model::Mode;
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .enum_values(Some([Mode::Init.as_str(), Mode::Normal.as_str()]))
            .into()
    }
}

impl ToSchema for V2RunMode {}
