//! Several at once.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::Mutex;

/// How many a second, `at_once` at a time, until the time is up.
pub(crate) async fn rate<F>(
    at_once: usize,
    span: Duration,
    act: impl Fn() -> F,
) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let began = Instant::now();
    let act = &act;
    let one = || async move {
        let mut count = 0_u32;
        while began.elapsed() < span {
            act().await?;
            count += 1;
        }
        anyhow::Ok(count)
    };
    let counts = together((0..at_once).map(|_| one())).await?;
    let count: u32 = counts.into_iter().sum();
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// Does something with each of them, `at_once` at a time; the answers come in their order.
pub(crate) async fn each<A, B, F>(
    at_once: usize,
    all: Vec<A>,
    act: impl Fn(A) -> F,
) -> anyhow::Result<Vec<B>>
where
    F: Future<Output = anyhow::Result<B>>,
{
    let left = Mutex::new(all.into_iter().enumerate());
    let (left, act) = (&left, &act);
    let one = || async move {
        let mut done = Vec::new();
        loop {
            let next = left.lock().await.next();
            let Some((at, item)) = next else {
                return anyhow::Ok(done);
            };
            done.push((at, act(item).await?));
        }
    };
    let mut done: Vec<_> = together((0..at_once).map(|_| one()))
        .await?
        .into_iter()
        .flatten()
        .collect();
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, item)| item).collect())
}

async fn together<T>(
    all: impl Iterator<Item = impl Future<Output = anyhow::Result<T>>>,
) -> anyhow::Result<Vec<T>> {
    let all = futures_util::future::join_all(all).await;
    all.into_iter()
        .collect::<anyhow::Result<_>>()
        .context("a part of the load failed")
}
