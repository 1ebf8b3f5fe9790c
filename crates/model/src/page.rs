//! Paging: how much of a list, in which order.

/// The most that one page holds (`limit` above it is clamped).
pub const MAX_LIMIT: i64 = 500;

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// One field of the returned object and a direction (`sort_by=name__DESC`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The field's name in JSON.
    pub field: String,
    /// Up or down.
    pub direction: Direction,
}

impl Sort {
    /// Parses `{field}__ASC` or `{field}__DESC`.
    pub fn parse(text: &str) -> Option<Self> {
        let (field, direction) = text.rsplit_once("__")?;
        let direction = match direction {
            "ASC" => Direction::Ascending,
            "DESC" => Direction::Descending,
            _ => return None,
        };
        (!field.is_empty()).then(|| Self {
            field: field.to_owned(),
            direction,
        })
    }
}

/// What an object is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortKey {
    /// It has no value; such objects stand last.
    Null,
    /// A number, a time in milliseconds, or 0 and 1.
    Number(i64),
    /// A text.
    Text(String),
}

/// Where an object stands in a list: what is added or removed before it does not move it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// What the list is sorted by.
    pub key: SortKey,
    /// Its id, for those that are sorted by the same.
    pub id: i64,
}

/// What a list route is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many, 0 to [`MAX_LIMIT`].
    pub limit: i64,
    /// After leaving out this many.
    pub skip: i64,
    /// Only what stands behind this, in the same order.
    pub after: Option<Position>,
    /// In this order; none: the list's own.
    pub sort: Option<Sort>,
    /// Whether the size of the whole list is wanted too.
    pub total: bool,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            limit: 100,
            skip: 0,
            after: None,
            sort: None,
            total: false,
        }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The objects.
    pub items: Vec<T>,
    /// Whether there are more behind them.
    pub has_more: bool,
    /// Where the last one stands, when there are more behind it.
    pub next: Option<Position>,
    /// The size of the whole list, when it was asked for.
    pub total: Option<i64>,
}

impl<T> Page<T> {
    /// The same page of other objects.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            has_more: self.has_more,
            next: self.next,
            total: self.total,
        }
    }
}
