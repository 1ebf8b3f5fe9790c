//! Where a list goes on, as a text that clients only hand back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use marquetry_model::{Direction, Position, Sort, SortKey};
use serde_json::{Value, json};

use crate::state::Web;

/// The text of a place in the list at `path` in the order of `sort`. It is marked, so that what
/// comes back fits the columns that it is compared with.
pub(crate) fn write(web: &Web, path: &str, sort: Option<&Sort>, position: &Position) -> String {
    let key = match &position.key {
        SortKey::Null => Value::Null,
        SortKey::Number(number) => json!(number),
        SortKey::Text(text) => json!(text),
    };
    let place = json!([key, position.id]).to_string();
    let mark = web.app().cursor_mark(&message(path, sort, &place));
    format!("{}.{mark}", URL_SAFE_NO_PAD.encode(place))
}

/// The place that a text of [`write()`] means, for the same list in the same order.
pub(crate) fn read(web: &Web, path: &str, sort: Option<&Sort>, text: &str) -> Option<Position> {
    let (place, mark) = text.split_once('.')?;
    let place = String::from_utf8(URL_SAFE_NO_PAD.decode(place).ok()?).ok()?;
    if web.app().cursor_mark(&message(path, sort, &place)) != mark {
        return None;
    }
    let (key, id): (Value, i64) = serde_json::from_str(&place).ok()?;
    let key = match key {
        Value::Null => SortKey::Null,
        Value::String(text) => SortKey::Text(text),
        Value::Number(number) => SortKey::Number(number.as_i64()?),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Position { key, id })
}

fn message(path: &str, sort: Option<&Sort>, place: &str) -> String {
    let order = sort.map_or_else(String::new, |sort| {
        let direction = match sort.direction {
            Direction::Ascending => "ASC",
            Direction::Descending => "DESC",
        };
        format!("{}__{direction}", sort.field)
    });
    format!("{path}\n{order}\n{place}")
}
