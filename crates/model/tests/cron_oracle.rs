//! Schedules against an oracle that looks at every minute.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{ToSpan as _, Zoned};
use marquetry_model::{Schedule, Timestamp};
use proptest::prelude::*;

/// One field as it is written, and what it means.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    values: BTreeSet<i8>,
    any: bool,
}

impl Field {
    fn has(&self, value: i8) -> bool {
        self.any || self.values.contains(&value)
    }
}

/// `*`, a number, a list, a range, a range with a step, or an interval.
fn field(least: i8, most: i8) -> impl Strategy<Value = Field> {
    let any = Just(Field {
        text: "*".to_owned(),
        values: BTreeSet::new(),
        any: true,
    });
    let list = prop::collection::btree_set(least..=most, 1..4).prop_map(|values| {
        let words: Vec<String> = values.iter().map(ToString::to_string).collect();
        Field {
            text: words.join(","),
            values,
            any: false,
        }
    });
    let range = (least..=most, least..=most, 1_i8..5).prop_map(move |(a, b, step)| {
        let (from, to) = (a.min(b), a.max(b));
        let text = match step {
            1 => format!("{from}-{to}"),
            _ => format!("{from}-{to}/{step}"),
        };
        let values = (from..=to)
            .step_by(usize::try_from(step).unwrap())
            .collect();
        Field {
            text,
            values,
            any: false,
        }
    });
    prop_oneof![any, list, range]
}

/// A schedule as it is written, and its fields.
#[derive(Debug, Clone)]
struct Asked {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Asked {
    fn text(&self) -> String {
        let all = [
            &self.minute,
            &self.hour,
            &self.day,
            &self.month,
            &self.weekday,
        ];
        all.map(|field| field.text.as_str()).join(" ")
    }

    /// Cron's rule: where both the day and the weekday are named, either will do.
    fn names(&self, at: DateTime) -> bool {
        let day = self.day.has(at.day());
        let weekday = self.weekday.has(at.weekday().to_sunday_zero_offset());
        let date = if self.day.any || self.weekday.any {
            day && weekday
        } else {
            day || weekday
        };
        date && self.minute.has(at.minute())
            && self.hour.has(at.hour())
            && self.month.has(at.month())
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    // Months far apart would make the oracle look at too many minutes.
    let month = prop_oneof![Just((1, 12)), Just((3, 4))];
    let fields = month.prop_flat_map(|(from, to)| {
        (
            field(0, 59),
            field(0, 23),
            field(1, 28),
            field(from, to),
            field(0, 6),
        )
    });
    fields.prop_map(|(minute, hour, day, month, weekday)| Asked {
        minute,
        hour,
        day,
        month,
        weekday,
    })
}

fn instant(at: &Zoned) -> Timestamp {
    Timestamp::from_millis(at.timestamp().as_millisecond())
}

/// All times from one instant to another, the first left out.
fn all(schedule: &Schedule, from: &Zoned, to: &Zoned) -> Vec<Timestamp> {
    let mut times = Vec::new();
    let mut at = instant(from);
    while let Some(next) = schedule.next_after(at).filter(|next| *next <= instant(to)) {
        assert!(next > at);
        times.push(next);
        at = next;
    }
    times
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Five weeks in which no clock is changed, in three zones.
    #[test]
    fn every_minute_that_is_named_and_no_other(
        asked in asked(),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York"]),
        day in 0_i32..20,
    ) {
        let schedule = Schedule::parse(&asked.text(), Some(zone)).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        // Both change their clocks in March, before the 31st, and in autumn.
        let start: DateTime = "2026-04-01T00:00".parse().unwrap();
        let from = (start + day.days()).to_zoned(zone.clone()).unwrap();
        let to = &from + 840.hours();
        let mut expected = Vec::new();
        let mut at = &from + 1.minute();
        while at <= to {
            if asked.names(at.datetime()) {
                expected.push(instant(&at));
            }
            at += 1.minute();
        }
        prop_assert_eq!(all(&schedule, &from, &to), expected, "{}", asked.text());
    }

    /// A time of day over a change of clocks: one that is left out is due at the next valid minute,
    /// one that exists twice is due the first time.
    #[test]
    fn a_time_of_day_is_due_once_a_day(
        minute in 0_i8..60,
        hour in 0_i8..24,
        (zone, day) in prop::sample::select(vec![
            ("Europe/Berlin", "2026-03-28"),
            ("Europe/Berlin", "2026-10-24"),
            ("America/New_York", "2026-03-07"),
            ("America/New_York", "2026-10-31"),
            ("Australia/Lord_Howe", "2026-04-04"),
            ("Australia/Lord_Howe", "2026-10-03"),
        ]),
    ) {
        let schedule = Schedule::parse(&format!("{minute} {hour} * * *"), Some(zone)).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let first: jiff::civil::Date = day.parse().unwrap();
        let from = first.to_zoned(zone.clone()).unwrap();
        let expected: Vec<Timestamp> = (0..3)
            .map(|n| {
                let at = (first + n.days()).at(hour, minute, 0, 0);
                let ambiguous = zone.to_ambiguous_zoned(at);
                let due = match ambiguous.offset() {
                    // The first minute after the gap.
                    AmbiguousOffset::Gap { .. } => {
                        let mut at = at;
                        while matches!(
                            zone.to_ambiguous_zoned(at).offset(),
                            AmbiguousOffset::Gap { .. }
                        ) {
                            at += 1.minute();
                        }
                        at.to_zoned(zone.clone()).unwrap()
                    }
                    AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                        ambiguous.earlier().unwrap()
                    }
                };
                instant(&due)
            })
            .collect();
        let before = &from - 1.minute();
        let to = (first + 3.days()).to_zoned(zone.clone()).unwrap() - 1.minute();
        prop_assert_eq!(all(&schedule, &before, &to), expected);
    }
}
