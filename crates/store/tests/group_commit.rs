//! Group commit: many writers, few commits, and nobody is left waiting.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use marquetry_store::{Store, settings, triggers};

use crate::common::{Db, Kind, NOW, on_both, open, trigger};

const SOON: Duration = Duration::from_secs(20);

async fn write_one(store: Store, name: String) {
    let mut tx = store.write().await.unwrap();
    settings::update(&mut tx, &name, "1", NOW).await.unwrap();
    tx.commit().await.unwrap();
}

async fn is_set(db: &Db, name: &str) -> bool {
    settings::find(&mut *db.read().await, name)
        .await
        .unwrap()
        .is_some()
}

/// Whether a future is ready after one more poll.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// How many commits the write-ahead log holds: its frames that carry the size of the database.
fn commits(folder: &Path) -> usize {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4096;
    let log = std::fs::read(folder.join("marquetry.db-wal")).unwrap();
    let salts = &log[16..24];
    log[HEADER..]
        .chunks_exact(FRAME)
        .take_while(|frame| &frame[8..16] == salts)
        .filter(|frame| frame[4..8] != [0; 4])
        .count()
}

on_both! {
    async fn a_hundred_writers_at_once_are_all_durable_and_visible(db) {
        let other = open(db.kind()).await;
        let tasks: Vec<_> = (0..100).map(|n| {
            let store = other.store.clone();
            tokio::spawn(async move {
                write_one(store.clone(), format!("n{n}")).await;
                let mut tx = store.read().await.unwrap();
                settings::find(&mut tx, &format!("n{n}")).await.unwrap().is_some()
            })
        }).collect();
        for task in tasks {
            assert!(task.await.unwrap(), "seen by others as soon as it is answered");
        }
        let again = Db::from_closed(other.close(), NOW).await;
        for n in 0..100 {
            assert!(is_set(&again, &format!("n{n}")).await, "{n}");
        }
    }

    async fn a_failing_writer_takes_nobody_with_it(db) {
        let tasks: Vec<_> = (0..60).map(|n| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                settings::update(&mut tx, &format!("n{n}"), "1", NOW).await.unwrap();
                match n % 3 {
                    0 => tx.commit().await.unwrap(),
                    1 => drop(tx),
                    _ => {
                        let absent = marquetry_model::TenantId::new(99);
                        assert!(triggers::insert(&mut tx, &trigger(absent)).await.is_err());
                        assert!(tx.commit().await.is_err());
                    }
                }
            })
        }).collect();
        for task in tasks {
            tokio::time::timeout(SOON, task).await.unwrap().unwrap();
        }
        for n in 0..60 {
            assert_eq!(is_set(db, &format!("n{n}")).await, n % 3 == 0, "{n}");
        }
    }

    async fn aborted_writers_strand_nobody(db) {
        let mut kept = Vec::new();
        for round in 0..30 {
            let name = format!("kept {round}");
            kept.push(tokio::spawn(write_one(db.store.clone(), name)));
            let lost: Vec<_> = (0..5)
                .map(|n| tokio::spawn(write_one(db.store.clone(), format!("lost {round} {n}"))))
                .collect();
            for (n, task) in lost.iter().enumerate() {
                if n % 2 == round % 2 {
                    tokio::task::yield_now().await;
                }
                task.abort();
            }
        }
        for task in kept {
            tokio::time::timeout(SOON, task).await.expect("nobody waits for ever").unwrap();
        }
        for round in 0..30 {
            assert!(is_set(db, &format!("kept {round}")).await, "{round}");
        }
    }
}

/// `first` finishes while others wait for their turn, so it leaves the commit to them; then they
/// all go away.
#[test]
fn a_batch_whose_successors_went_away_is_committed() {
    crate::common::run(Kind::Sqlite, async |db| {
        let mut first = db.write().await;
        settings::update(&mut first, "first", "1", NOW)
            .await
            .unwrap();
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(db.store.write())).collect();
        for future in &mut waiting {
            assert!(
                poll_once(future.as_mut()).await.is_none(),
                "the turn is taken"
            );
        }
        let mut commit = Box::pin(first.commit());
        assert!(
            poll_once(commit.as_mut()).await.is_none(),
            "not before it is durable"
        );
        drop(waiting);
        tokio::time::timeout(SOON, commit)
            .await
            .expect("somebody commits")
            .unwrap();
        assert!(is_set(db, "first").await);
    });
}

/// The same, but the last one has its turn already and gives it back unused.
#[test]
fn a_batch_whose_last_member_rolls_back_is_committed() {
    crate::common::run(Kind::Sqlite, async |db| {
        let mut first = db.write().await;
        settings::update(&mut first, "first", "1", NOW)
            .await
            .unwrap();
        let mut next = Box::pin(db.store.write());
        assert!(poll_once(next.as_mut()).await.is_none());
        let mut commit = Box::pin(first.commit());
        assert!(poll_once(commit.as_mut()).await.is_none());
        let mut second = next.await.unwrap();
        settings::update(&mut second, "second", "1", NOW)
            .await
            .unwrap();
        drop(second);
        tokio::time::timeout(SOON, commit)
            .await
            .expect("somebody commits")
            .unwrap();
        assert!(is_set(db, "first").await);
        assert!(!is_set(db, "second").await);
    });
}

/// A caller that goes away while its commit is under way is committed all the same, and the next
/// one is not held up.
#[test]
fn a_commit_whose_caller_went_away_holds_nobody_up() {
    crate::common::run(Kind::Sqlite, async |db| {
        for n in 0..20 {
            let mut tx = db.write().await;
            settings::update(&mut tx, &format!("n{n}"), "1", NOW)
                .await
                .unwrap();
            let mut commit = Box::pin(tx.commit());
            let _ = poll_once(commit.as_mut()).await;
            drop(commit);
        }
        let tx = tokio::time::timeout(SOON, db.write())
            .await
            .expect("the turn is free");
        drop(tx);
        for n in 0..20 {
            assert!(is_set(db, &format!("n{n}")).await, "{n}");
        }
    });
}

/// A transaction may be dropped where no runtime is, as at the end of a program.
#[test]
fn a_transaction_dropped_outside_a_runtime_is_rolled_back() {
    if !crate::common::is_wanted(Kind::Sqlite) {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(open(Kind::Sqlite));
    let (commit, second) = runtime.block_on(async {
        let mut first = db.write().await;
        settings::update(&mut first, "first", "1", NOW)
            .await
            .unwrap();
        let store = db.store.clone();
        let mut next = Box::pin(async move { store.write().await });
        assert!(poll_once(next.as_mut()).await.is_none());
        let mut commit = Box::pin(first.commit());
        assert!(poll_once(commit.as_mut()).await.is_none());
        let mut second = next.await.unwrap();
        settings::update(&mut second, "second", "1", NOW)
            .await
            .unwrap();
        (commit, second)
    });
    drop(second);
    runtime.block_on(async {
        tokio::time::timeout(SOON, commit)
            .await
            .expect("somebody commits")
            .unwrap();
        assert!(is_set(&db, "first").await && !is_set(&db, "second").await);
    });
}

/// The best of several rounds counts, because a slow machine may let a batch grow old early.
#[test]
fn many_writers_share_few_commits() {
    crate::common::run(Kind::Sqlite, async |_| {
        const WRITERS: usize = 120;
        let mut fewest = WRITERS;
        for _ in 0..5 {
            let db = open(Kind::Sqlite).await;
            let before = commits(db.folder());
            let gate = db.write().await;
            let tasks: Vec<_> = (0..WRITERS)
                .map(|n| tokio::spawn(write_one(db.store.clone(), format!("n{n}"))))
                .collect();
            tokio::task::yield_now().await;
            drop(gate);
            for task in tasks {
                task.await.unwrap();
            }
            let made = commits(db.folder()) - before;
            assert!(made >= 1, "the log tells of commits");
            fewest = fewest.min(made);
        }
        assert!(
            fewest <= WRITERS / 4,
            "{WRITERS} writers needed {fewest} commits"
        );
    });
}

/// One commit for each, when they come one after the other: what the count above is worth.
#[test]
fn writers_one_after_the_other_have_a_commit_each() {
    crate::common::run(Kind::Sqlite, async |db| {
        let before = commits(db.folder());
        for n in 0..10 {
            write_one(db.store.clone(), format!("n{n}")).await;
        }
        assert_eq!(commits(db.folder()) - before, 10);
    });
}
