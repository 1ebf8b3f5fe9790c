//! JSON shapes of the v2 API with their schemas; no behaviour.
