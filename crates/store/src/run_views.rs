//! Runs with the triggers that they took, as answers show them: one statement for a page.

use std::collections::HashMap;

use marquetry_model::{Page, PageRequest, Position, Run, RunId, SortKey, TriggerId};

use crate::dialect::Dialect;
use crate::query::{json, position};
use crate::runs::{RunFilter, SELECT, SELECTED, read, selected};
use crate::triggers::{TriggerHead, list_heads};
use crate::value::{Reader, values};
use crate::{Result, Tx};

/// A run with the triggers that it took.
#[derive(Debug, Clone)]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// In order of arrival; of a tenant's status only the first ones.
    pub triggers: Vec<TriggerHead>,
}

/// Triggers that come beside their run. Most runs take one; a run with so many is asked for all of
/// its own, because each of them repeats the run.
const BESIDE: usize = 2;
const HEAD: &str =
    "t.id, t.source, t.mode, t.created_at, CAST(length(t.payload) AS BIGINT), t.payload_blob";

/// One of them.
pub async fn get(tx: &mut Tx, id: RunId) -> Result<RunView> {
    let page = format!("{SELECT} WHERE id = $1");
    let sql = with_triggers(tx.dialect(), &page, None);
    let found = tx.read_rows(&sql, &values![id], reader(false)).await?;
    let found = rest(tx, alone(found), None).await?.pop();
    Tx::found(found, RunId::KIND, id)
}

/// Those that fit, newest first.
pub async fn list(tx: &mut Tx, wanted: &RunFilter, request: &PageRequest) -> Result<Page<RunView>> {
    let selected = selected(tx, wanted, request).await?;
    let sql = with_triggers(tx.dialect(), &selected.sql, Some(&selected.order));
    let found = tx.read_rows(&sql, &selected.values, reader(true)).await?;
    let mut page = selected.page(fold(found));
    page.items = rest(tx, page.items, None).await?;
    Ok(page)
}

/// Several of them, in no order, with the first `most` triggers of each.
pub async fn list_by_id(tx: &mut Tx, ids: &[RunId], most: u32) -> Result<Vec<RunView>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let page = format!("{SELECT} WHERE id IN {}", tx.dialect().id_list(1));
    let sql = with_triggers(tx.dialect(), &page, None);
    let found = tx
        .read_rows(&sql, &values![json(&ids)], reader(false))
        .await?;
    let mut views = rest(tx, alone(found), Some(most)).await?;
    for view in &mut views {
        view.triggers
            .truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }
    Ok(views)
}

fn with_triggers(dialect: Dialect, page: &str, order: Option<&str>) -> String {
    let triggers = dialect.beside("triggers", "t", "id", "run_id", BESIDE);
    let order = order.map_or_else(String::new, |order| dialect.kept_order(order));
    format!("SELECT p.*, {HEAD} FROM ({page}) AS p{triggers}{order}")
}

/// A row: the run unless the row before was of the same one, and a trigger.
struct Part {
    run: Option<Run>,
    position: Position,
    trigger: Option<TriggerHead>,
}

/// `placed` rows say where they stand in a list.
fn reader(placed: bool) -> impl FnMut(&mut Reader<'_>) -> Result<Part> {
    let mut last = None;
    move |row| {
        let position = if placed {
            position(row)?
        } else {
            Position {
                key: SortKey::Null,
                id: 0,
            }
        };
        let id = row.peek_i64()?;
        let run = if last.replace(id) == Some(id) {
            row.skip(SELECTED);
            None
        } else {
            Some(read(row)?)
        };
        let trigger = row.opt_i64()?.map(|id| head(id, row)).transpose()?;
        Ok(Part {
            run,
            position,
            trigger,
        })
    }
}

fn head(id: i64, row: &mut Reader<'_>) -> Result<TriggerHead> {
    Ok(TriggerHead {
        id: TriggerId::new(id),
        source: row.word()?,
        mode: row.word()?,
        created_at: row.time()?,
        payload_bytes: row.opt_i64()?,
        payload_blob: row.opt_text()?,
    })
}

/// Rows of one run stand together.
fn fold(parts: Vec<Part>) -> Vec<(Position, RunView)> {
    let mut views: Vec<(Position, RunView)> = Vec::with_capacity(parts.len());
    for part in parts {
        if let Some(run) = part.run {
            let triggers = Vec::with_capacity(1);
            views.push((part.position, RunView { run, triggers }));
        }
        if let Some((_, view)) = views.last_mut() {
            let room = view.triggers.len() < BESIDE;
            view.triggers.extend(part.trigger.filter(|_| room));
        }
    }
    views
}

/// Those that stand in no list.
fn alone(parts: Vec<Part>) -> Vec<RunView> {
    fold(parts).into_iter().map(|(_, view)| view).collect()
}

/// Gives all their triggers to those that may have more than came beside them.
async fn rest(tx: &mut Tx, mut views: Vec<RunView>, most: Option<u32>) -> Result<Vec<RunView>> {
    let many = |view: &RunView| view.triggers.len() >= BESIDE;
    let ids: Vec<RunId> = views
        .iter()
        .filter(|view| many(view))
        .map(|view| view.run.id)
        .collect();
    if ids.is_empty() {
        return Ok(views);
    }
    let mut of_run: HashMap<RunId, Vec<TriggerHead>> = HashMap::with_capacity(ids.len());
    for (run, trigger) in list_heads(tx, &ids, most).await? {
        of_run.entry(run).or_default().push(trigger);
    }
    for view in &mut views {
        if let Some(triggers) = of_run.remove(&view.run.id) {
            view.triggers = triggers;
        }
    }
    Ok(views)
}
