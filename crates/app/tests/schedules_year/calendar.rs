//! A year of minutes, as they pass and as clocks on three walls show them; and what a schedule means to
//! whoever reads it with a finger on the line. Nothing here is the product's, nor a library's.

use std::collections::BTreeSet;

use marquetry_model::Timestamp;

const MINUTE_MS: i64 = 60_000;
const DAY: i64 = 24 * 60;

/// A place, and the minutes by which its clocks are ahead of UTC.
pub(crate) struct Zone {
    pub(crate) name: &'static str,
    before: i64,
    changes: [(&'static str, i64); 2],
    /// The text of a schedule of every minute about both changes.
    dense: Rule,
}

/// By an hour each, in the north; and by half of one, in the south.
pub(crate) const ZONES: [Zone; 3] = [
    Zone {
        name: "Europe/Berlin",
        before: 60,
        changes: [("2027-03-28T01:00:00Z", 120), ("2027-10-31T01:00:00Z", 60)],
        dense: Rule {
            text: "* 2 28,31 3,10 *",
            is_interval: true,
            names: |at| at.hour == 2 && at.date_is(&["03-28", "03-31", "10-28", "10-31"]),
        },
    },
    Zone {
        name: "America/New_York",
        before: -300,
        changes: [
            ("2027-03-14T07:00:00Z", -240),
            ("2027-11-07T06:00:00Z", -300),
        ],
        dense: Rule {
            text: "* 1 7,14 3,11 *",
            is_interval: true,
            names: |at| at.hour == 1 && at.date_is(&["03-07", "03-14", "11-07", "11-14"]),
        },
    },
    Zone {
        name: "Australia/Lord_Howe",
        before: 660,
        changes: [("2027-04-03T15:00:00Z", 630), ("2027-10-02T15:30:00Z", 660)],
        dense: Rule {
            text: "* 1-2 3-4 4,10 *",
            is_interval: true,
            names: |at| {
                let days = ["04-03", "04-04", "10-03", "10-04"];
                [1, 2].contains(&at.hour) && at.date_is(&days)
            },
        },
    },
];

/// A schedule and what it says.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) text: &'static str,
    /// Whether it names an interval and no times of day.
    is_interval: bool,
    names: fn(&Shown) -> bool,
}

/// What all zones have: times and intervals in the hours that clocks leave out or show twice, which
/// they do on Sundays.
const RULES: [Rule; 6] = [
    Rule {
        text: "0 2 * * *",
        is_interval: false,
        names: |at| at.hour == 2 && at.minute == 0,
    },
    Rule {
        text: "30 1,2,3 * * 0",
        is_interval: false,
        names: |at| at.is_sunday && at.minute == 30 && [1, 2, 3].contains(&at.hour),
    },
    Rule {
        text: "15,45 1-2 * * 0",
        is_interval: false,
        names: |at| at.is_sunday && [15, 45].contains(&at.minute) && [1, 2].contains(&at.hour),
    },
    Rule {
        text: "30 2 * * 0",
        is_interval: false,
        names: |at| at.is_sunday && at.minute == 30 && at.hour == 2,
    },
    Rule {
        text: "*/15 1-3 * * 0",
        is_interval: true,
        names: |at| at.is_sunday && at.minute % 15 == 0 && [1, 2, 3].contains(&at.hour),
    },
    Rule {
        text: "30 1-3/2 * * 0",
        is_interval: true,
        names: |at| at.is_sunday && at.minute == 30 && [1, 3].contains(&at.hour),
    },
];

/// What a clock on the wall shows.
struct Shown {
    /// Month and day, as `03-28`.
    date: String,
    is_sunday: bool,
    hour: i64,
    minute: i64,
}

impl Shown {
    fn date_is(&self, one_of: &[&str]) -> bool {
        one_of.contains(&self.date.as_str())
    }
}

/// A schedule in a zone, and each instant of the year at which it is due.
pub(crate) struct Times {
    pub(crate) rule: Rule,
    pub(crate) zone: &'static str,
    pub(crate) due: Vec<Timestamp>,
}

/// Every schedule in every zone from one full minute to another.
pub(crate) fn all_times(from: Timestamp, to: Timestamp) -> Vec<Times> {
    let mut all = Vec::new();
    for zone in &ZONES {
        let year = Year::new(zone, from, to);
        for rule in RULES.iter().chain([&zone.dense]) {
            let due = if rule.is_interval {
                year.passing(rule)
            } else {
                year.once(rule)
            };
            all.push(Times {
                rule: *rule,
                zone: zone.name,
                due: due.into_iter().map(instant).collect(),
            });
        }
    }
    all
}

/// A year in a zone. Minutes of a wall are counted like those of UTC, since the same midnight.
struct Year {
    /// Each minute that passes, and the one that is on the wall then.
    passing: Vec<(i64, i64)>,
    /// The first minute on the wall.
    first: i64,
    /// For each minute that a calendar has, when it is due that names it.
    due: Vec<Option<i64>>,
    /// For each minute that a calendar has, how it is read.
    shown: Vec<Shown>,
}

impl Year {
    fn new(zone: &Zone, from: Timestamp, to: Timestamp) -> Self {
        let changes = zone.changes.map(|(at, ahead)| (minute_of(at), ahead));
        let passing: Vec<(i64, i64)> = (minute(from)..=minute(to))
            .map(|at| (at, at + ahead(zone.before, changes, at)))
            .collect();
        let (first, last) = (passing[0].1, passing[passing.len() - 1].1);
        let mut due = vec![None; place(last, first) + 1];
        // One that is shown twice is due the first time.
        for (at, wall) in &passing {
            due[place(*wall, first)].get_or_insert(*at);
        }
        // One that is never shown is due when the next one is that is.
        for at in (1..due.len()).rev() {
            due[at - 1] = due[at - 1].or(due[at]);
        }
        let mut shown = Vec::with_capacity(due.len());
        let mut date = date_of(first.div_euclid(DAY));
        for wall in first..=last {
            let day = wall.div_euclid(DAY);
            if wall.rem_euclid(DAY) == 0 {
                date = date_of(day);
            }
            shown.push(Shown {
                date: date.clone(),
                // The first day of all was a Thursday.
                is_sunday: (day + 4).rem_euclid(7) == 0,
                hour: wall.rem_euclid(DAY) / 60,
                minute: wall.rem_euclid(60),
            });
        }
        Self {
            passing,
            first,
            due,
            shown,
        }
    }

    /// Times of day: each once.
    fn once(&self, rule: &Rule) -> BTreeSet<i64> {
        let all = self.shown.iter().zip(&self.due);
        let named = all.filter(|(shown, _)| (rule.names)(shown));
        named.filter_map(|(_, due)| *due).collect()
    }

    /// An interval: whenever the wall shows it.
    fn passing(&self, rule: &Rule) -> BTreeSet<i64> {
        let passing = self.passing.iter();
        let named = passing.filter(|(_, wall)| (rule.names)(&self.shown[place(*wall, self.first)]));
        named.map(|(at, _)| *at).collect()
    }
}

/// By how many minutes the clocks are ahead then.
fn ahead(before: i64, [first, second]: [(i64, i64); 2], at: i64) -> i64 {
    if at >= second.0 {
        second.1
    } else if at >= first.0 {
        first.1
    } else {
        before
    }
}

/// Month and day of a day.
fn date_of(day: i64) -> String {
    instant(day * DAY).to_string()[5..10].to_owned()
}

fn minute_of(text: &str) -> i64 {
    minute(Timestamp::parse(text).unwrap())
}

fn minute(at: Timestamp) -> i64 {
    at.as_millis() / MINUTE_MS
}

fn instant(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute * MINUTE_MS)
}

fn place(wall: i64, first: i64) -> usize {
    usize::try_from(wall - first).unwrap()
}
