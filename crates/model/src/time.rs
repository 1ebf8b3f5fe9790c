//! Instants, to the millisecond: what both databases keep and every answer shows.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant in UTC, in milliseconds since 1970. Finer parts are cut off on creation, so that a
/// value is the same before and after it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Further away than any instant that matters: "not before somebody changes something".
    pub const FAR_FUTURE: Self = Self(253_402_300_799_000);

    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant moved forward; stops at the largest value instead of wrapping.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// This instant moved back; stops at the smallest value instead of wrapping.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// `2021-07-24 20:04:21 +0000 UTC`: how the run's environment writes a time (the contract's
    /// `PAN_CTX_LAST_RUN_START_TIME`).
    pub fn to_environment(self) -> String {
        self.jiff()
            .strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
            .to_string()
    }

    /// Parses RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|t| Self(t.as_millisecond()))
    }

    fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, always three digits of milliseconds: `2026-11-23T19:36:56.042Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.jiff())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("an RFC 3339 time is expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_three_digits_even_on_a_whole_second() {
        assert_eq!(
            Timestamp::from_millis(0).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            Timestamp::from_millis(1_042).to_string(),
            "1970-01-01T00:00:01.042Z"
        );
    }

    #[test]
    fn the_environment_writes_it_like_the_original() {
        let time = Timestamp::parse("2021-07-24T20:04:21.9Z").unwrap();
        assert_eq!(time.to_environment(), "2021-07-24 20:04:21 +0000 UTC");
    }

    #[test]
    fn extremes_neither_wrap_nor_panic() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert!(!end.to_string().is_empty());
        assert_eq!(Timestamp::from_millis(5).since(end), Duration::ZERO);
    }
}
