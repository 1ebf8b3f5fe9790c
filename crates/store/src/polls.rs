//! Looks at tracking branches: when each is due, and what the last one saw. It stands in the
//! integration's row, apart from what people set there.

use marquetry_model::{Integration, IntegrationId, Timestamp};

use crate::query::read_all;
use crate::value::{Reader, values};
use crate::{Result, Tx, integrations};

/// A look that was taken by one node.
#[derive(Debug, Clone, PartialEq)]
pub struct PollClaim {
    /// Whose branch.
    pub integration: Integration,
    /// What every later write must still find: when it would be due if nothing came of this look.
    pub fence: Timestamp,
    /// The commit that the last look saw.
    pub polled_commit: Option<String>,
}

/// What a look saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The head; none: it could not be seen, and what was seen before stays.
    pub commit: Option<String>,
    /// Why it could not be seen.
    pub message: Option<String>,
    /// When the branch is due again.
    pub next: Timestamp,
}

/// Looks that are due, longest due first, at most `limit`; until `fence` they are this node's.
pub async fn claim_due(
    tx: &mut Tx,
    now: Timestamp,
    fence: Timestamp,
    limit: i64,
) -> Result<Vec<PollClaim>> {
    // Materialized for the reason given at `runs::claim`.
    let claim = format!(
        "WITH due AS MATERIALIZED (SELECT i.id FROM integrations i WHERE i.poll_at <= $1
            ORDER BY i.poll_at, i.id LIMIT $3{})
        UPDATE integrations SET poll_at = $2 WHERE id IN (SELECT id FROM due)
        RETURNING id, polled_commit",
        tx.dialect().skip_locked("i")
    );
    let read = |row: &mut Reader| Ok((IntegrationId::new(row.i64()?), row.opt_text()?));
    let taken = read_all(tx.rows(&claim, &values![now, fence, limit]).await?, read)?;
    let mut claims = Vec::with_capacity(taken.len());
    for (id, polled_commit) in taken {
        let integration = integrations::get(tx, id).await?;
        claims.push(PollClaim {
            integration,
            fence,
            polled_commit,
        });
    }
    Ok(claims)
}

/// When the next look is due.
pub async fn find_next(tx: &mut Tx) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT MIN(poll_at) FROM integrations WHERE poll_at IS NOT NULL";
    Ok(tx
        .row(SQL, &[])
        .await?
        .map(|row| row.reader().opt_time())
        .transpose()?
        .flatten())
}

/// Sets when a branch is looked at next; none: not at all. A look that is under way is worth
/// nothing any more, and what was seen before is forgotten.
pub async fn update_next(tx: &mut Tx, id: IntegrationId, next: Option<Timestamp>) -> Result<()> {
    const SQL: &str = "UPDATE integrations SET poll_at = $2, polled_commit = NULL,
        polled_at = NULL, poll_message = NULL WHERE id = $1";
    tx.execute(SQL, &values![id, next]).await?;
    Ok(())
}

/// Keeps what a look saw; answers false, and changes nothing, when the claim is lost.
pub async fn update_looked(
    tx: &mut Tx,
    claim: &PollClaim,
    looked: &Looked,
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str = "UPDATE integrations SET poll_at = $3, polled_at = $4, poll_message = $5,
            polled_commit = COALESCE($6, polled_commit)
        WHERE id = $1 AND poll_at = $2";
    let row = values![
        claim.integration.id,
        claim.fence,
        looked.next,
        now,
        looked.message.clone(),
        looked.commit.clone()
    ];
    Ok(tx.execute(SQL, &row).await? == 1)
}
