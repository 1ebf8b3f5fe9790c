//! What all lists take.

/// Declares the query of a list: its own filters and what all lists take. A filter needs no
/// default; absent means none. Those that the original has are `nullable`, as it declares them.
macro_rules! list_query {
    ($(#[$doc:meta])* $name:ident of $list:path {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($(#[$field_doc])* $field: Option<$kind>,)*
            /// `{field}__ASC` or `{field}__DESC`, with any scalar field of the objects.
            #[param(nullable, pattern = "^([a-z_]+__(ASC|DESC))?$")]
            sort_by: Option<String>,
            /// At most this many; over 500 means 500.
            #[param(default = 100, minimum = 0, nullable)]
            limit: Option<i64>,
            /// After leaving out this many.
            #[param(default = 0, minimum = 0, nullable)]
            skip: Option<i64>,
            /// Where to go on, from the `Link` header of the page before; instead of `skip`.
            cursor: Option<String>,
            /// Whether to answer the size of the whole list in `X-Total-Count`.
            #[param(default = false)]
            total: Option<bool>,
        }

        $crate::extract::params!($name => |known: &$name, refused: &$crate::extract::Refused<'_>| {
            known.read_page(refused.web, refused.uri).err().unwrap_or_default()
        });

        impl $name {
            fn page(
                &self,
                web: &$crate::state::Web,
                uri: &http::Uri,
            ) -> Result<marquetry_model::PageRequest, marquetry_model::Error> {
                self.read_page(web, uri).map_err(marquetry_model::Error::Invalid)
            }

            /// The same, or everything that is wrong with it.
            fn read_page(
                &self,
                web: &$crate::state::Web,
                uri: &http::Uri,
            ) -> Result<marquetry_model::PageRequest, Vec<marquetry_model::FieldError>> {
                $crate::extract::page(
                    (web, uri, &$list),
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
use marquetry_app::lists::{List, sort_fault};
use marquetry_model::{FieldError, MAX_LIMIT, PageRequest, Sort};

use super::cursor;
use crate::state::Web;

/// The page of a list that these parameters mean, or everything that is wrong with them.
pub(crate) fn page(
    (web, uri, list): (&Web, &Uri, &List),
    (limit, skip, total): (Option<i64>, Option<i64>, Option<bool>),
    sort_by: Option<&str>,
    from: Option<&str>,
) -> Result<PageRequest, Vec<FieldError>> {
    let mut page = PageRequest::default();
    let mut faults = Vec::new();
    if let Some(limit) = limit {
        page.limit = limit.min(MAX_LIMIT);
    }
    page.skip = skip.unwrap_or(0);
    page.total = total.unwrap_or(false);
    if let Some(text) = sort_by.filter(|text| !text.is_empty()) {
        page.sort = Sort::parse(text);
        match &page.sort {
            Some(sort) => faults.extend(sort_fault(list, sort)),
            None => {
                let why = "must be a field and a direction, as name__ASC or name__DESC";
                faults.push(FieldError::query("sort_by", why));
            }
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
                faults.push(FieldError::query("cursor", why));
            }
        }
    }
    if faults.is_empty() {
        Ok(page)
    } else {
        Err(faults)
    }
}
