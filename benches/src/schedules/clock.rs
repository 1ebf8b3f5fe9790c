//! The machine's clock, by which the product fires too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since 1970, in milliseconds, as the product keeps times; or as long as that.
pub(super) type Millis = i64;

pub(super) const MINUTE: Millis = 60_000;

/// Now, as the product sees it.
pub(super) fn now() -> anyhow::Result<Millis> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Millis::try_from(since.as_millis())?)
}

/// Now in milliseconds, with the fraction that the product does not keep.
pub(super) fn exactly_now() -> anyhow::Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1e3)
}

/// The next beginning of a minute that is so far away at least.
pub(super) fn next_minute(after: Millis) -> anyhow::Result<Millis> {
    Ok(((now()? + after) / MINUTE + 1) * MINUTE)
}

pub(super) fn sleep_until(time: Millis) -> anyhow::Result<()> {
    let left = time as f64 - exactly_now()?;
    std::thread::sleep(Duration::from_secs_f64(left.max(0.0) / 1e3));
    Ok(())
}
