//! What a schedule names on a calendar and a clock, without a time zone.

use jiff::civil::{Date, DateTime};

use super::shape::Field;

/// The longest each month can be.
const LONGEST: [i8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The minutes of a day and the days that a schedule names; bit n stands for n.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Sunday is 0.
    weekdays: u64,
    /// Whether a day has to be named by one of the two fields of days, and not by both.
    either: bool,
    /// Whether it names an interval and no times of day.
    pub(super) interval: bool,
}

impl Pattern {
    /// From the five fields, minute first.
    pub(super) fn new([minute, hour, day, month, weekday]: [Field<'_>; 5]) -> Self {
        Self {
            minutes: minute.named,
            hours: hour.named,
            days: day.named,
            months: month.named,
            // Seven is Sunday too.
            weekdays: weekday.named | weekday.named >> 7,
            either: !day.begins_with_a_star() && !weekday.begins_with_a_star(),
            interval: minute.is_interval() || hour.is_interval(),
        }
    }

    /// Whether there is any day that it names. Every date falls on every weekday in some year, so
    /// what counts is whether a month that it names is long enough for the first day that it names.
    pub(super) fn names_a_day(&self) -> bool {
        let first = self.days.trailing_zeros();
        let long_enough = |(month, most): (u8, i8)| {
            has(self.months, month.cast_signed()) && first <= u32::from(most.unsigned_abs())
        };
        self.either || (1..).zip(LONGEST).any(long_enough)
    }

    /// The first minute that it names, from this one on; none when there is none before the end of
    /// the calendar.
    pub(super) fn first_from(&self, at: DateTime) -> Option<DateTime> {
        if self.names(at.date())
            && let Some((hour, minute)) = self.first_time_from(at.hour(), at.minute())
        {
            return Some(at.date().at(hour, minute, 0, 0));
        }
        let day = self.first_day_from(at.date().tomorrow().ok()?)?;
        let (hour, minute) = self.first_time_from(0, 0)?;
        Some(day.at(hour, minute, 0, 0))
    }

    fn first_time_from(&self, hour: i8, minute: i8) -> Option<(i8, i8)> {
        if has(self.hours, hour)
            && let Some(minute) = first_bit_from(self.minutes, minute)
        {
            return Some((hour, minute));
        }
        let hour = first_bit_from(self.hours, hour + 1)?;
        Some((hour, first_bit_from(self.minutes, 0)?))
    }

    fn first_day_from(&self, mut day: Date) -> Option<Date> {
        if !self.names_a_day() {
            return None;
        }
        while !self.names(day) {
            day = if has(self.months, day.month()) {
                day.tomorrow()
            } else {
                day.last_of_month().tomorrow()
            }
            .ok()?;
        }
        Some(day)
    }

    fn names(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let named = if self.either {
            day || weekday
        } else {
            day && weekday
        };
        named && has(self.months, date.month())
    }
}

fn has(bits: u64, value: i8) -> bool {
    bits >> value & 1 == 1
}

/// The lowest bit that is set, not below this one.
fn first_bit_from(bits: u64, least: i8) -> Option<i8> {
    let rest = bits >> least << least;
    i8::try_from(rest.trailing_zeros())
        .ok()
        .filter(|bit| *bit < 64)
}
