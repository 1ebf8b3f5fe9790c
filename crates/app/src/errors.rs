//! From the errors of the layers below to the one that callers see.

use marquetry_model::{Error, FieldError};

/// What a failure of the store means to a caller.
pub(crate) fn store_error(error: marquetry_store::Error) -> Error {
    use marquetry_store::Error as Store;
    if error.is_temporary() {
        return Error::Unavailable {
            message: "the database cannot do it now; try again".to_owned(),
            cause: Some(Box::new(error)),
        };
    }
    if let Store::NotFound { kind, id } = error {
        return Error::NotFound { kind, id };
    }
    if let Store::Sort { .. } = &error {
        let fault = FieldError::query("sort_by", error.to_string());
        return Error::Invalid(vec![fault]);
    }
    Error::internal(error)
}

/// What a failure to rename a row means: of two that take a name at the same time, both find it free
/// and the index refuses one.
pub(crate) fn rename_error(error: marquetry_store::Error, taken: impl FnOnce() -> Error) -> Error {
    if error.is_duplicate() {
        taken()
    } else {
        store_error(error)
    }
}

/// What a failure of the blob store means to a caller.
pub(crate) fn blob_error(error: marquetry_blobs::BlobError) -> Error {
    Error::Unavailable {
        message: "the blob store does not answer; try again".to_owned(),
        cause: Some(Box::new(error)),
    }
}
