//! Lists that come in pages.

use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Answer, Client, ClientError};

/// The most that a page holds.
const LARGEST_PAGE: usize = 500;
/// What a list shows when nothing is said.
const USUAL_PAGE: usize = 50;

/// How much of a list.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PageArgs {
    /// How many at most [default: 50].
    #[arg(long, value_name = "N", conflicts_with = "all")]
    limit: Option<usize>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

impl PageArgs {
    /// All of them.
    pub(crate) const ALL: Self = Self {
        limit: None,
        all: true,
    };

    fn wanted(&self) -> usize {
        if self.all {
            usize::MAX
        } else {
            self.limit.unwrap_or(USUAL_PAGE)
        }
    }
}

/// Reads as many pages as it takes. One page is answered as it came; several become one list of
/// the same texts.
pub(crate) async fn list(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    pages: &PageArgs,
) -> Result<Answer, ClientError> {
    let wanted = pages.wanted();
    let (mut values, mut texts) = (Vec::new(), Vec::new());
    loop {
        let limit = (wanted - values.len()).min(LARGEST_PAGE);
        let mut query = query.to_vec();
        query.push(("limit", limit.to_string()));
        query.push(("skip", values.len().to_string()));
        let answer = client.get(path, &query).await?;
        let Value::Array(items) = &answer.value else {
            return Ok(answer);
        };
        let last = items.len() < limit || items.len() + values.len() >= wanted;
        if last && values.is_empty() {
            return Ok(answer);
        }
        values.extend(items.iter().cloned());
        let page = items_of(&answer.text).map_err(|source| client.not_ours(source))?;
        texts.extend(page);
        if last {
            return Ok(Answer {
                text: format!("[{}]", texts.join(",")),
                value: Value::Array(values),
            });
        }
    }
}

/// The items of a list as they were written: a value may have other digits.
fn items_of(list: &str) -> serde_json::Result<Vec<String>> {
    let items: Vec<&RawValue> = serde_json::from_str(list)?;
    Ok(items.iter().map(|item| item.get().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_as_they_were_written() {
        let deep = "[".repeat(140) + &"]".repeat(140);
        let list = format!("[ {{\"n\": 18446744073709551616}} ,1.50,{deep}]");
        let items = items_of(&list).unwrap();
        assert_eq!(items, ["{\"n\": 18446744073709551616}", "1.50", &deep]);
    }
}
