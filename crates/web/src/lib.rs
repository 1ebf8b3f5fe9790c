//! The HTTP door: api/v2, OpenAPI, docs; no store.
