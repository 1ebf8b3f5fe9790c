//! Schedules, and what their text means to whoever reads it with a finger on the line.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::{Date, DateTime};
use proptest::prelude::*;

/// One field as it is written, and what it means.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    text: String,
    values: BTreeSet<i8>,
}

impl Field {
    fn of(values: BTreeSet<i8>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { text, values }
    }

    fn begins_with_a_star(&self) -> bool {
        self.text.starts_with('*')
    }

    fn is_interval(&self) -> bool {
        self.text.contains(['*', '/'])
    }
}

/// `*`, an interval, or what [`listed`] makes.
fn field(least: i8, most: i8) -> impl Strategy<Value = Field> {
    let star = (1_i8..=most).prop_map(move |step| {
        let values = stepped(least, most, step);
        match step {
            1 => Field::of(values, "*"),
            _ => Field::of(values, format!("*/{step}")),
        }
    });
    prop_oneof![1 => star, 2 => listed(least, most)]
}

/// A list, a range, or a range with a step.
fn listed(least: i8, most: i8) -> impl Strategy<Value = Field> {
    let list = prop::collection::btree_set(least..=most, 1..4).prop_map(|values| {
        let words: Vec<String> = values.iter().map(ToString::to_string).collect();
        Field::of(values, words.join(","))
    });
    let range = (least..=most, least..=most, 1_i8..5).prop_map(move |(a, b, step)| {
        let (from, to) = (a.min(b), a.max(b));
        let values = stepped(from, to, step);
        match step {
            1 => Field::of(values, format!("{from}-{to}")),
            _ => Field::of(values, format!("{from}-{to}/{step}")),
        }
    });
    prop_oneof![list, range]
}

fn stepped(from: i8, to: i8, step: i8) -> BTreeSet<i8> {
    (from..=to)
        .step_by(usize::try_from(step).unwrap())
        .collect()
}

/// A schedule as it is written, and its fields.
#[derive(Clone)]
pub(crate) struct Asked {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Asked {
    pub(crate) fn text(&self) -> String {
        let all = [
            &self.minute,
            &self.hour,
            &self.day,
            &self.month,
            &self.weekday,
        ];
        all.map(|field| field.text.as_str()).join(" ")
    }

    /// Whether it names an interval and no times of day.
    pub(crate) fn is_interval(&self) -> bool {
        self.minute.is_interval() || self.hour.is_interval()
    }

    /// Cron's rule: where both the day and the weekday are named, either will do.
    pub(crate) fn names(&self, at: DateTime) -> bool {
        let day = self.day.values.contains(&at.day());
        let weekday = at.weekday().to_sunday_zero_offset();
        let weekday = self.weekday.values.contains(&weekday);
        let both = self.day.begins_with_a_star() || self.weekday.begins_with_a_star();
        (if both { day && weekday } else { day || weekday })
            && self.minute.values.contains(&at.minute())
            && self.hour.values.contains(&at.hour())
            && self.month.values.contains(&at.month())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// Any schedule.
pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    let fields = (
        field(0, 59),
        field(0, 23),
        field(1, 31),
        field(1, 12),
        field(0, 6),
    );
    fields.prop_map(|(minute, hour, day, month, weekday)| Asked {
        minute,
        hour,
        day,
        month,
        weekday,
    })
}

/// One that names times of a day, or of every day, before five in the morning.
pub(crate) fn of_one_day(date: Date) -> impl Strategy<Value = Asked> {
    let star = || Field::of((1..=31).collect(), "*");
    let one = |value: i8| Field::of(BTreeSet::from([value]), value.to_string());
    let days = prop_oneof![
        Just((star(), star())),
        Just((one(date.day()), one(date.month())))
    ];
    let hours = prop_oneof![4 => listed(0, 4), 1 => field(0, 23)];
    (field(0, 59), hours, days).prop_map(|(minute, hour, (day, month))| Asked {
        minute,
        hour,
        day,
        month,
        weekday: Field::of((0..7).collect(), "*"),
    })
}
