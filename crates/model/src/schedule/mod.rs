//! Schedules: five-field cron in a time zone.

mod randomize;
mod shape;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;

use crate::Timestamp;

pub use randomize::randomize;

/// The characters of a schedule: enough to list every minute, hour, day and month one by one.
const LONGEST: usize = 500;

/// When a tenant's runs are due.
///
/// A time that a change of clocks leaves out is due at the next valid minute; a time that exists
/// twice is due once. A schedule that names an interval (`*/15`) goes on through both hours.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Five fields or a short name as `@daily`; no time zone means UTC. The fault is for whoever
    /// typed it.
    pub fn parse(text: &str, timezone: Option<&str>) -> Result<Self, String> {
        let fields = shape::fields(text)?;
        let zone = match timezone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name)
                .map_err(|_| format!("the time zone {name} is not known here"))?,
        };
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(&fields.join(" "))
            .map_err(|_| "must be five-field cron".to_owned())?;
        Ok(Self { cron, zone })
    }

    /// The first instant after `now` that it names; none when there is none.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let now = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
        let now = now.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&now, false).ok()?;
        Some(Timestamp::from_millis(next.timestamp().as_millisecond()))
    }
}

/// Checks a schedule that somebody asks for; answers the remedy. One that can never be due (30
/// February) is refused, because whoever typed it meant something else.
pub fn check_schedule(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("must have at most {LONGEST} characters"));
    }
    let schedule = Schedule::parse(text, None)?;
    match schedule.next_after(Timestamp::from_millis(0)) {
        Some(_) => Ok(()),
        None => Err("names a day that does not exist, so it would never run".to_owned()),
    }
}

/// Whether the name is an IANA time zone.
pub fn is_time_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
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
    }

    #[test]
    fn weekday_seven_is_sunday() {
        let times = next("0 0 * * 7", "UTC", "2026-11-23T00:00:00Z", 1);
        assert_eq!(times, ["2026-11-29T00:00"]);
    }
}
