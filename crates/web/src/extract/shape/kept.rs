//! Which parts of a body are kept as they come.

use marquetry_wire::v2::LocPart;

use super::{Fields, Shape};

impl Shape {
    /// Whether a value at a place is kept as it is, whatever it is: it is neither read as something
    /// nor ignored.
    pub(crate) fn keeps(&self, place: &[LocPart]) -> bool {
        match (self, place) {
            (Self::Any, _) => true,
            (Self::Nullable(shape), _) => shape.keeps(place),
            (Self::OneOf(shapes), _) => shapes.iter().any(|shape| shape.keeps(place)),
            (Self::List(item) | Self::Dict(item), [_, below @ ..]) => item.keeps(below),
            (Self::Object(fields), _) => fields.keeps(place),
            _ => false,
        }
    }
}

impl Fields {
    /// Whether a value at a place in an object with these fields is kept as it is.
    pub(crate) fn keeps(&self, place: &[LocPart]) -> bool {
        let [LocPart::Name(name), below @ ..] = place else {
            return false;
        };
        self.shape(name).is_some_and(|shape| shape.keeps(below))
    }
}
