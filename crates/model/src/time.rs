//! Instants, to the millisecond: what both databases keep and every answer shows.

use std::fmt;
use std::time::Duration;

use jiff::Span;
use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::Pieces;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const EPOCH: Date = Date::constant(1970, 1, 1);

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
        self.civil()
            .strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
            .to_string()
    }

    /// Parses RFC 3339, years 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        // Not as an instant of the library's: those end a day before the year 9999 does.
        let pieces = Pieces::parse(text).ok()?;
        let (date, time) = (pieces.date(), pieces.time()?);
        let offset = pieces.to_numeric_offset()?;
        if date.year() < 1 {
            return None;
        }
        let days = i64::from(EPOCH.until(date).ok()?.get_days());
        let hours = days * 24 + i64::from(time.hour());
        let minutes = hours * 60 + i64::from(time.minute());
        let seconds = minutes * 60 + i64::from(time.second()) - i64::from(offset.seconds());
        Some(Self(seconds * 1000 + i64::from(time.millisecond())))
    }

    /// What [`Display`](fmt::Display) shows, without an allocation: every answer has several.
    fn with_text<T>(self, f: impl FnOnce(&str) -> T) -> T {
        const DAY: i64 = 86_400_000;
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        if !(0..=9999).contains(&year) {
            return f(&format!("{:.3}Z", self.civil()));
        }
        let millis = self.0.rem_euclid(DAY);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, millis / 3_600_000),
            (14..16, millis / 60_000 % 60),
            (17..19, millis / 1000 % 60),
            (20..23, millis % 1000),
        ];
        for (place, mut number) in parts {
            for digit in text[place].iter_mut().rev() {
                *digit = b"0123456789"[usize::try_from(number % 10).unwrap_or(0)];
                number /= 10;
            }
        }
        f(std::str::from_utf8(&text).expect("digits and signs are ASCII"))
    }

    /// In UTC, also beyond the library's instants; stops at the ends of its calendar.
    fn civil(self) -> DateTime {
        const DAY: i64 = 86_400_000;
        let end = if self.0 < 0 {
            DateTime::MIN
        } else {
            DateTime::MAX
        };
        let start = Span::new()
            .try_days(self.0.div_euclid(DAY))
            .and_then(|days| EPOCH.checked_add(days));
        let time = Span::new().try_milliseconds(self.0.rem_euclid(DAY));
        match (start, time) {
            (Ok(date), Ok(time)) => date.at(0, 0, 0, 0).checked_add(time).unwrap_or(end),
            _ => end,
        }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, always three digits of milliseconds: `2026-11-23T19:36:56.042Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("an RFC 3339 time is expected"))
    }
}

/// Year, month and day of a day since 1970-01-01, by Howard Hinnant's `civil_from_days`: years
/// begin in March, so that the day that comes and goes is the last one.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = years + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_the_calendar_library_shows() {
        let day = 86_400_000;
        let around = [
            -719_528, -719_469, -1, 0, 59, 60, 11_016, 19_782, 2_932_896, 2_932_897,
        ];
        let spread = (-2_000..30_000).map(|n| n * 97);
        for days in around.into_iter().chain(spread) {
            for millis in [0, 1, 45_296_789, day - 1] {
                let time = Timestamp::from_millis(days * day + millis);
                assert_eq!(
                    time.to_string(),
                    format!("{:.3}Z", time.civil()),
                    "day {days}"
                );
            }
        }
    }

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
    fn every_time_of_the_calendar_is_read_and_shown() {
        for text in [
            "0001-01-01T00:00:00.000Z",
            "1582-10-15T12:00:00.001Z",
            "1969-12-31T23:59:59.999Z",
            "2024-02-29T23:59:59.000Z",
            "9999-12-30T22:00:01.000Z",
            "9999-12-31T23:59:59.999Z",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
        let same = [
            "2026-11-23T20:00:00Z",
            "2026-11-23t20:00:00z",
            "2026-11-23 20:00:00+00:00",
            "2026-11-23T21:30:00.0009+01:30",
            "2026-11-23T00:00:00-20:00",
        ];
        for text in same {
            let found = Timestamp::parse(text).map(Timestamp::as_millis);
            assert_eq!(found, Some(1_795_464_000_000), "{text}");
        }
        assert_eq!(Timestamp::parse("1970-01-01T00:00:00Z"), Some(Timestamp(0)));
        assert_eq!(
            Timestamp::parse("9999-12-31T23:59:59Z"),
            Some(Timestamp::FAR_FUTURE)
        );
        // In UTC these lie beyond the calendar; they are times nevertheless.
        for text in ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"] {
            assert!(!Timestamp::parse(text).unwrap().to_string().is_empty());
        }
        for text in [
            "",
            "x",
            "2026-11-23",
            "2026-11-23T20:00:00",
            "2026-02-30T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "0000-01-01T00:00:00Z",
            "-000001-01-01T00:00:00Z",
            "+010000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn extremes_neither_wrap_nor_panic() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert!(!end.to_string().is_empty());
        assert_eq!(Timestamp::from_millis(5).since(end), Duration::ZERO);
    }
}
