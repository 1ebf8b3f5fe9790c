//! PANDIUM.yaml to checked types with places; config schemas.
