//! What all lists take.

/// Declares the query of a list: its own filters and what all lists take. A filter needs no
/// default; absent means none.
macro_rules! list_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($(#[$field_doc])* $field: Option<$kind>,)*
            /// `{field}__ASC` or `{field}__DESC`, with any scalar field of the objects.
            #[param(pattern = "^([a-z_]+__(ASC|DESC))?$")]
            sort_by: Option<String>,
            /// At most this many; over 500 means 500.
            #[param(default = 100, minimum = 0)]
            limit: Option<i64>,
            /// After leaving out this many.
            #[param(default = 0, minimum = 0)]
            skip: Option<i64>,
            /// Where to go on, from the `Link` header of the page before; instead of `skip`.
            cursor: Option<String>,
            /// Whether to answer the size of the whole list in `X-Total-Count`.
            #[param(default = false)]
            total: Option<bool>,
        }

        $crate::extract::params!($name);

        impl $name {
            fn page(
                &self,
                web: &$crate::state::Web,
                uri: &http::Uri,
            ) -> Result<marquetry_model::PageRequest, $crate::error::ApiError> {
                $crate::extract::page(
                    (web, uri),
                    (self.limit, self.skip, self.total),
                    self.sort_by.as_deref(),
                    self.cursor.as_deref(),
                )
            }
        }
    };
}

use http::Uri;
pub(crate) use list_query;
use marquetry_model::{Error, FieldError, MAX_LIMIT, PageRequest, Sort};

use super::cursor;
use crate::error::ApiError;
use crate::state::Web;

/// The page that these parameters mean.
pub(crate) fn page(
    (web, uri): (&Web, &Uri),
    (limit, skip, total): (Option<i64>, Option<i64>, Option<bool>),
    sort_by: Option<&str>,
    from: Option<&str>,
) -> Result<PageRequest, ApiError> {
    let mut page = PageRequest::default();
    let mut faults = Vec::new();
    if let Some(limit) = limit {
        page.limit = limit.min(MAX_LIMIT);
    }
    page.skip = skip.unwrap_or(0);
    page.total = total.unwrap_or(false);
    if let Some(text) = sort_by.filter(|text| !text.is_empty()) {
        page.sort = Sort::parse(text);
        if page.sort.is_none() {
            let why = "must be a field and a direction, as name__ASC or name__DESC";
            faults.push(FieldError::query("sort_by", why).with_input(text));
        }
    }
    if let Some(text) = from.filter(|text| !text.is_empty()) {
        match cursor::read(web, uri.path(), page.sort.as_ref(), text) {
            Some(position) => {
                page.skip = 0;
                page.after = Some(position);
            }
            None => {
                let why = "must be the cursor of a Link header of this list in this order";
                faults.push(FieldError::query("cursor", why).with_input(text));
            }
        }
    }
    if faults.is_empty() {
        Ok(page)
    } else {
        Err(Error::Invalid(faults).into())
    }
}
