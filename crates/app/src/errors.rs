//! From the errors of the layers below to the one that callers see.

use marquetry_model::{Error, FieldError};

/// What a failure of the store means to a caller.
pub(crate) fn store_error(error: marquetry_store::Error) -> Error {
    use marquetry_store::Error as Store;
    match error {
        Store::NotFound { kind, id } => Error::NotFound { kind, id },
        Store::Sort { ref field, .. } => {
            let fault = FieldError::query("sort_by", error.to_string());
            Error::Invalid(vec![fault.with_input(field.clone())])
        }
        Store::Pool(_) | Store::Postgres(_) | Store::Commit(_) | Store::Silent => {
            Error::Unavailable {
                message: "the database does not answer; try again".to_owned(),
                cause: Some(Box::new(error)),
            }
        }
        Store::Locked(_)
        | Store::Folder { .. }
        | Store::Url(_)
        | Store::BadRow { .. }
        | Store::Newer { .. }
        | Store::Altered(_)
        | Store::Sqlite(_)
        | Store::Tls(_) => Error::internal(error),
    }
}

/// What a failure of the blob store means to a caller.
pub(crate) fn blob_error(error: marquetry_blobs::BlobError) -> Error {
    Error::Unavailable {
        message: "the blob store does not answer; try again".to_owned(),
        cause: Some(Box::new(error)),
    }
}
