//! Lists that come in pages.

use clap::Args;
use serde_json::Value;

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

/// Reads as many pages as it takes. One page is answered as it came; several become one list.
pub(crate) async fn list(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    pages: &PageArgs,
) -> Result<Answer, ClientError> {
    let wanted = pages.wanted();
    let mut found: Vec<Value> = Vec::new();
    loop {
        let limit = (wanted - found.len()).min(LARGEST_PAGE);
        let mut query = query.to_vec();
        query.push(("limit", limit.to_string()));
        query.push(("skip", found.len().to_string()));
        let answer = client.get(path, &query).await?;
        let Value::Array(items) = &answer.value else {
            return Ok(answer);
        };
        let last = items.len() < limit || items.len() + found.len() >= wanted;
        if last && found.is_empty() {
            return Ok(answer);
        }
        found.extend(items.iter().cloned());
        if last {
            let value = Value::Array(found);
            return Ok(Answer {
                text: value.to_string(),
                value,
            });
        }
    }
}
