//! The minutes that pass, and the minutes that clocks show.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use marquetry_model::Timestamp;

use super::asked::Asked;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    Utc,
    Berlin,
    NewYork,
    /// Moves its clocks by half an hour.
    LordHowe,
}

impl Zone {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utc => "UTC",
            Self::Berlin => "Europe/Berlin",
            Self::NewYork => "America/New_York",
            Self::LordHowe => "Australia/Lord_Howe",
        }
    }
}

/// Every minute from midnight of one day to that of another.
pub(crate) struct Minutes {
    pub(crate) zone: Zone,
    /// Each minute that passes, and what a clock shows then.
    passing: Vec<(Timestamp, DateTime)>,
    /// Each minute that a calendar has, and when a run asked for then is due.
    shown: Vec<(DateTime, Timestamp)>,
}

impl Minutes {
    pub(crate) fn new(zone: Zone, from: Date, to: Date) -> Self {
        let tz = TimeZone::get(zone.name()).unwrap();
        let midnight = |date: Date| date.to_zoned(tz.clone()).unwrap();
        let (first, end) = (midnight(from), midnight(to));
        let passing = first.timestamp().series(1.minute());
        let passing = passing
            .take_while(|at| *at < end.timestamp())
            .map(|at| (instant(at), tz.to_datetime(at)))
            .collect();
        let shown = from.at(0, 0, 0, 0).series(1.minute());
        let shown = shown
            .take_while(|at| *at < to.at(0, 0, 0, 0))
            .map(|at| (at, due(&tz, at)))
            .collect();
        Self {
            zone,
            passing,
            shown,
        }
    }

    pub(crate) fn first(&self) -> Timestamp {
        self.passing[0].0
    }

    pub(crate) fn last(&self) -> Timestamp {
        self.passing[self.passing.len() - 1].0
    }

    /// When a schedule is due.
    pub(crate) fn due(&self, asked: &Asked) -> Vec<Timestamp> {
        if asked.is_interval() {
            let named = self.passing.iter().filter(|(_, shown)| asked.names(*shown));
            return named.map(|(at, _)| *at).collect();
        }
        let named = self.shown.iter().filter(|(shown, _)| asked.names(*shown));
        let once: BTreeSet<Timestamp> = named.map(|(_, due)| *due).collect();
        once.into_iter().collect()
    }
}

/// One that is left out is due at the first minute after the gap, one that exists twice the first
/// time.
fn due(tz: &TimeZone, shown: DateTime) -> Timestamp {
    let mut at = shown;
    while matches!(
        tz.to_ambiguous_timestamp(at).offset(),
        AmbiguousOffset::Gap { .. }
    ) {
        at += 1.minute();
    }
    instant(tz.to_ambiguous_timestamp(at).earlier().unwrap())
}

fn instant(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millisecond())
}

/// The year 2027 in a zone; worked out once.
pub(crate) fn year(zone: Zone) -> &'static Minutes {
    static YEARS: LazyLock<Vec<Minutes>> = LazyLock::new(|| {
        let all = [Zone::Utc, Zone::Berlin, Zone::NewYork, Zone::LordHowe];
        let (from, to) = ("2027-01-01".parse().unwrap(), "2028-01-01".parse().unwrap());
        all.map(|zone| Minutes::new(zone, from, to)).into()
    });
    YEARS.iter().find(|minutes| minutes.zone == zone).unwrap()
}
