//! Schedules: five-field cron in a time zone.

mod due;
mod pattern;
mod randomize;
mod shape;
mod zones;

use jiff::tz::TimeZone;

use self::pattern::Pattern;
use crate::Timestamp;

pub use randomize::randomize;

/// The characters of a schedule: enough to list every minute, hour, day and month one by one.
const LONGEST: usize = 500;

/// When a tenant's runs are due.
///
/// A time that a change of clocks leaves out is due at the next valid minute; a time that exists
/// twice is due once. A schedule that names an interval (`*` or a step as its minute or hour) follows
/// the clock on the wall: nothing in the hour that is missing, and through both.
#[derive(Debug, Clone)]
pub struct Schedule {
    pattern: Pattern,
    zone: TimeZone,
}

impl Schedule {
    /// Five fields or a short name as `@daily`; no time zone means UTC. The fault is for whoever
    /// typed it.
    pub fn parse(text: &str, timezone: Option<&str>) -> Result<Self, String> {
        let pattern = Pattern::new(shape::fields(text)?);
        let zone = match timezone {
            None => TimeZone::UTC,
            Some(name) => zones::find(name)
                .ok_or_else(|| format!("the time zone {name} is not known here"))?,
        };
        Ok(Self { pattern, zone })
    }

    /// The first instant after `now` that it names; none when there is none.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let now = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
        let next = due::next(&self.pattern, &self.zone, now)?;
        Some(Timestamp::from_millis(next.as_millisecond()))
    }
}

/// Checks a schedule that somebody asks for; answers the remedy. One that can never be due (30
/// February) is refused, because whoever typed it meant something else.
pub fn check_schedule(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("must have at most {LONGEST} characters"));
    }
    if Pattern::new(shape::fields(text)?).names_a_day() {
        Ok(())
    } else {
        Err("names a day that does not exist, so it would never run".to_owned())
    }
}

/// Whether the name is an IANA time zone; every node answers the same.
pub fn is_time_zone(name: &str) -> bool {
    zones::find(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next `count` times after `from`, in UTC.
    fn next(text: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(text, Some(zone)).unwrap();
        let mut at = Timestamp::parse(from).unwrap();
        let mut times = Vec::new();
        for _ in 0..count {
            at = schedule.next_after(at).unwrap();
            times.push(at.to_string().replace(":00.000Z", ""));
        }
        times
    }

    #[test]
    fn an_instant_is_never_its_own_next() {
        let times = next("*/30 * * * *", "UTC", "2026-01-01T00:30:00Z", 2);
        assert_eq!(times, ["2026-01-01T01:00", "2026-01-01T01:30"]);
    }

    #[test]
    fn a_time_that_does_not_exist_is_due_at_the_next_valid_minute() {
        let times = next("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2);
        assert_eq!(times, ["2026-03-08T07:00", "2026-03-09T06:30"]);
    }

    #[test]
    fn a_time_that_exists_twice_is_due_once() {
        let times = next("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2);
        assert_eq!(times, ["2026-11-01T05:30", "2026-11-02T06:30"]);
    }

    #[test]
    fn day_and_weekday_together_mean_either() {
        let times = next("0 0 13 * 5", "UTC", "2026-02-01T00:00:00Z", 3);
        assert_eq!(
            times,
            ["2026-02-06T00:00", "2026-02-13T00:00", "2026-02-20T00:00"]
        );
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused() {
        assert!(check_schedule("0 0 30 2 *").unwrap_err().contains("never"));
        assert_eq!(check_schedule("0 0 29 2 *"), Ok(()));
        assert_eq!(check_schedule("0 0 31 * *"), Ok(()));
        let never = [
            "0 0 31 4,6,9,11 *",
            "0 0 30-31 2 *",
            "0 0 31 2 */2",
            "0 0 31 2 ?",
        ];
        for text in never {
            assert!(
                check_schedule(text).unwrap_err().contains("never"),
                "{text}"
            );
        }
        // With a weekday beside it the day of the month need not exist.
        let some = ["0 0 30 2 1", "0 0 31 4,5 *", "0 0 */30 2 *", "0 0 29 2 */7"];
        for text in some {
            assert_eq!(check_schedule(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_day_is_refused_when_no_calendar_has_it() {
        for (day, month) in (1..=31).flat_map(|day| (1..=12).map(move |month| (day, month))) {
            let text = format!("0 0 {day} {month} *");
            let in_a_leap_year = jiff::civil::Date::new(2028, month, day).is_ok();
            assert_eq!(check_schedule(&text).is_ok(), in_a_leap_year, "{text}");
            let schedule = Schedule::parse(&text, None).unwrap();
            let due = schedule.next_after(Timestamp::from_millis(0)).is_some();
            assert_eq!(due, in_a_leap_year, "{text}");
        }
    }

    /// A search through the calendar took 50 ms for each, while the database waited.
    #[test]
    fn a_day_that_does_not_exist_is_not_looked_for() {
        let start = std::time::Instant::now();
        for _ in 0..10_000 {
            assert!(check_schedule("0 0 30 2 *").is_err());
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(10));
    }

    #[test]
    fn a_leap_day_on_a_weekday_is_found_over_a_year_without_one() {
        let times = next("0 0 29 2 */7", "UTC", "2072-01-01T00:00:00Z", 2);
        assert_eq!(times, ["2088-02-29T00:00", "2128-02-29T00:00"]);
    }

    #[test]
    fn names_of_time_zones_are_those_of_iana() {
        for name in [
            "Europe/Berlin",
            "UTC",
            "Etc/GMT+5",
            "US/Eastern",
            "America/Argentina/Ushuaia",
        ] {
            assert!(is_time_zone(name), "{name}");
        }
        let others = [
            "localtime",
            "posixrules",
            "Factory",
            "factory",
            "right/Europe/Berlin",
            "posix/UTC",
            "Etc/Unknown",
            "EST5EDT4",
            "../UTC",
            "/usr/share/zoneinfo/UTC",
            "Europe",
            "tzdata.zi",
            "",
        ];
        for name in others {
            assert!(!is_time_zone(name), "{name}");
            assert!(Schedule::parse("@daily", Some(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn weekday_seven_is_sunday() {
        let times = next("0 0 * * 7", "UTC", "2026-11-23T00:00:00Z", 1);
        assert_eq!(times, ["2026-11-29T00:00"]);
    }
}
