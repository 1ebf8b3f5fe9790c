//! Schedules against an oracle that looks at every minute.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "cron_oracle/asked.rs"]
mod asked;
#[path = "cron_oracle/minutes.rs"]
mod minutes;

use jiff::civil::Date;
use jiff::{SignedDuration, ToSpan as _};
use marquetry_model::{Schedule, Timestamp};
use proptest::prelude::*;

use asked::{Asked, asked, of_one_day};
use minutes::{Minutes, Zone, year};

/// The zones, and days on which each changes its clocks: by an hour, and by half of one.
const CHANGES: [(Zone, &str); 6] = [
    (Zone::Berlin, "2027-03-28"),
    (Zone::Berlin, "2027-10-31"),
    (Zone::NewYork, "2027-03-14"),
    (Zone::NewYork, "2027-11-07"),
    (Zone::LordHowe, "2027-04-04"),
    (Zone::LordHowe, "2027-10-03"),
];

/// All times from one instant to another, the first left out.
fn all(schedule: &Schedule, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let mut times = Vec::new();
    let mut at = from;
    while let Some(next) = schedule.next_after(at).filter(|next| *next <= to) {
        assert!(next > at);
        times.push(next);
        at = next;
    }
    times
}

/// Compares all times of these minutes, and what follows an instant anywhere in them: a node that
/// starts there must lose none and double none.
fn compare(asked: &Asked, minutes: &Minutes, starts: &[u64]) -> Result<(), TestCaseError> {
    let schedule = Schedule::parse(&asked.text(), Some(minutes.zone.name())).unwrap();
    let expected = minutes.due(asked);
    let (first, last) = (minutes.first(), minutes.last());
    let before = Timestamp::from_millis(first.as_millis() - 1);
    let found = all(&schedule, before, last);
    let differs = found
        .iter()
        .zip(&expected)
        .find(|(found, expected)| found != expected);
    prop_assert_eq!(differs, None, "{} in {:?}", asked, minutes.zone);
    prop_assert_eq!(
        found.len(),
        expected.len(),
        "{} in {:?}",
        asked,
        minutes.zone
    );
    let length = u64::try_from(last.as_millis() - first.as_millis()).unwrap();
    for start in starts {
        let start = i64::try_from(start % length).unwrap();
        let start = Timestamp::from_millis(first.as_millis() + start);
        let wanted = expected.iter().find(|at| **at > start).copied();
        let next = schedule.next_after(start).filter(|next| *next <= last);
        prop_assert_eq!(next, wanted, "{} after {}", asked, start);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A year with both its changes of clocks.
    #[test]
    fn a_year_of_ticks(
        asked in asked(),
        zone in prop::sample::select(vec![Zone::Utc, Zone::Berlin, Zone::NewYork, Zone::LordHowe]),
        starts in prop::collection::vec(any::<u64>(), 20),
    ) {
        compare(&asked, year(zone), &starts)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Lists, ranges and steps of one day's hours, about the hours in which clocks are changed.
    #[test]
    fn three_days_about_a_change_of_clocks(
        (asked, zone, day) in prop::sample::select(CHANGES.to_vec()).prop_flat_map(|(zone, day)| {
            let day: Date = day.parse().unwrap();
            (of_one_day(day), Just(zone), Just(day))
        }),
        starts in prop::collection::vec(any::<u64>(), 20),
    ) {
        let from = day - 1.day();
        let minutes = Minutes::new(zone, from, from + 3.days());
        compare(&asked, &minutes, &starts)?;
    }
}

/// What is promised, as a reader of the documents would try it.
#[test]
fn lists_and_ranges_over_a_change_of_clocks() {
    let table = [
        // 02:00 to 03:00 does not exist: what it holds is due at 03:00 (+02:00), once.
        ("30 2,14 28 3 *", "2027-03-28T01:00 2027-03-28T12:30"),
        ("15,45 2 28 3 *", "2027-03-28T01:00"),
        (
            "30 1-3 28 3 *",
            "2027-03-28T00:30 2027-03-28T01:00 2027-03-28T01:30",
        ),
        ("0 2,3 28 3 *", "2027-03-28T01:00"),
        // 02:00 to 03:00 exists twice: the first is meant.
        ("30 2,14 31 10 *", "2027-10-31T00:30 2027-10-31T13:30"),
        ("15,45 2 31 10 *", "2027-10-31T00:15 2027-10-31T00:45"),
        ("0 2,3 31 10 *", "2027-10-31T00:00 2027-10-31T02:00"),
        // An interval follows the clock on the wall: not in the hour that is missing, and through both.
        ("*/30 1-2 28 3 *", "2027-03-28T00:00 2027-03-28T00:30"),
        (
            "*/30 2 31 10 *",
            "2027-10-31T00:00 2027-10-31T00:30 2027-10-31T01:00 2027-10-31T01:30",
        ),
    ];
    for (text, expected) in table {
        let schedule = Schedule::parse(text, Some("Europe/Berlin")).unwrap();
        let from = Timestamp::parse("2027-01-01T00:00:00Z").unwrap();
        let year = SignedDuration::from_hours(365 * 24).as_millis();
        let to = Timestamp::from_millis(from.as_millis() + i64::try_from(year).unwrap());
        let found = all(&schedule, from, to)
            .iter()
            .copied()
            .map(minute)
            .collect::<Vec<_>>();
        assert_eq!(found.join(" "), expected, "{text}");
    }
}

fn minute(at: Timestamp) -> String {
    at.to_string().replace(":00.000Z", "")
}

/// Cron's rule, as its most used program has it: day and weekday are joined by "or" unless one of the
/// fields begins with `*`.
#[test]
fn a_field_of_days_that_begins_with_a_star_narrows_the_other() {
    let table = [
        ("0 0 13 * 5", "2026-02-06 2026-02-13 2026-02-20"),
        ("0 0 */2 * 1", "2026-02-09 2026-02-23 2026-03-09"),
        ("0 0 13 * */5", "2026-02-13 2026-03-13 2026-09-13"),
        ("0 0 ? * 1", "2026-02-02 2026-02-09 2026-02-16"),
        ("0 0 1-31 * 1", "2026-02-02 2026-02-03 2026-02-04"),
    ];
    for (text, expected) in table {
        let schedule = Schedule::parse(text, None).unwrap();
        let first = schedule.next_after(Timestamp::parse("2026-02-01T00:00:00Z").unwrap());
        let times = std::iter::successors(first, |at| schedule.next_after(*at)).take(3);
        let found: Vec<String> = times
            .map(|at| at.to_string().replace("T00:00:00.000Z", ""))
            .collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }
}
