//! Nodes: what each tells of itself, and whether its clock can be trusted.

use marquetry_model::{Node, NodeId, NodeStatus, Page, PageRequest, Result, Scope, Timestamp};
use marquetry_store::{Tx, nodes};

use crate::ctx::Ctx;
use crate::errors::store_error;

/// What a node knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSign {
    /// Its name, which stays over a restart.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// What it does: `api`, `scheduler`, `builder`, `runner`.
    pub roles: Vec<String>,
    /// How many runs it executes at once.
    pub run_slots: usize,
    /// How many it executes now.
    pub live_runs: usize,
    /// How many builds it makes at once.
    pub build_slots: usize,
    /// How many it makes now.
    pub live_builds: usize,
    /// Whether it is ending.
    pub draining: bool,
    /// When it was started, by the database's clock.
    pub started_at: Timestamp,
}

/// How a node's clock differs from the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The database has no clock of its own.
    None,
    /// The answer came too late to tell.
    Unknown,
    /// Ours is ahead by so many milliseconds.
    Ahead(i64),
}

/// Our clock beside the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// The time by the database's, where it has one.
    pub now: Timestamp,
    /// How ours differs.
    pub difference: Difference,
}

/// An answer that took longer says nothing about what clocks are allowed to differ by.
const LATE_MS: i64 = 2_000;

/// Compares this node's clock with the database's.
pub async fn clock_compare(ctx: &Ctx) -> Result<Clocks> {
    let mut tx = ctx.read().await?;
    compare(ctx, &mut tx).await
}

/// Notes that a node lives, and compares its clock.
pub async fn node_tell(ctx: &Ctx, sign: &NodeSign) -> Result<Clocks> {
    let mut tx = ctx.write().await?;
    let clocks = compare(ctx, &mut tx).await?;
    let node = Node {
        id: NodeId::new(0),
        name: sign.name.clone(),
        version: sign.version.clone(),
        roles: sign.roles.clone(),
        run_slots: count(sign.run_slots),
        live_runs: count(sign.live_runs),
        build_slots: count(sign.build_slots),
        live_builds: count(sign.live_builds),
        clock_ahead_ms: match clocks.difference {
            Difference::Ahead(ms) => Some(ms),
            Difference::None | Difference::Unknown => None,
        },
        draining: sign.draining,
        started_at: sign.started_at,
        seen_at: clocks.now,
    };
    nodes::update(&mut tx, &node).await.map_err(store_error)?;
    tx.commit().await.map_err(store_error)?;
    Ok(clocks)
}

/// Forgets a node that has ended in order.
pub async fn node_leave(ctx: &Ctx, name: &str) -> Result<()> {
    let mut tx = ctx.write().await?;
    nodes::delete(&mut tx, name).await.map_err(store_error)?;
    tx.commit().await.map_err(store_error)
}

/// The nodes, with what can be said of each now; lost ones for a day.
pub async fn node_list(ctx: &Ctx, page: &PageRequest) -> Result<Page<(Node, NodeStatus)>> {
    ctx.require(Scope::Read)?;
    let mut tx = ctx.read().await?;
    // By the clock that all of them are compared with: this node's own may be the wrong one.
    let now = compare(ctx, &mut tx).await?.now;
    let found = nodes::list(&mut tx, page).await.map_err(store_error)?;
    Ok(found.map(|node| {
        let status = node.status(now);
        (node, status)
    }))
}

/// Their clock was read at some instant while we waited: only what lies outside of that is a difference.
async fn compare(ctx: &Ctx, tx: &mut Tx) -> Result<Clocks> {
    let before = ctx.now();
    let theirs = nodes::find_clock(tx).await.map_err(store_error)?;
    let after = ctx.now();
    Ok(Clocks {
        now: theirs.unwrap_or(after),
        difference: theirs.map_or(Difference::None, |theirs| difference(before, theirs, after)),
    })
}

fn difference(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Difference {
    let (before, theirs, after) = (before.as_millis(), theirs.as_millis(), after.as_millis());
    // One that was set back or on meanwhile is looked at again.
    if !(0..=LATE_MS).contains(&after.saturating_sub(before)) {
        return Difference::Unknown;
    }
    Difference::Ahead(theirs.clamp(before, after).saturating_sub(theirs))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_the_way_is_no_difference() {
        let difference = |before, theirs, after| {
            let at = Timestamp::from_millis;
            super::difference(at(before), at(theirs), at(after))
        };
        assert_eq!(difference(100, 150, 200), Difference::Ahead(0));
        assert_eq!(difference(100, 40, 200), Difference::Ahead(60));
        assert_eq!(difference(100, 260, 200), Difference::Ahead(-60));
        assert_eq!(difference(100, 9_000, 2_100), Difference::Ahead(-6_900));
        assert_eq!(difference(100, 9_000, 2_101), Difference::Unknown);
        assert_eq!(
            difference(100, 90, 50),
            Difference::Unknown,
            "set back meanwhile"
        );
    }
}
