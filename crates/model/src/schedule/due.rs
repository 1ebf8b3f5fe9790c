//! From what clocks show to instants, over the changes of clocks.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::pattern::Pattern;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The first instant after `now` at which the pattern is due in the zone.
pub(super) fn next(pattern: &Pattern, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    if pattern.interval {
        next_shown(pattern, zone, now)
    } else {
        next_time(pattern, zone, now)
    }
}

/// Times of day. Later times are never due earlier, so the first that is due after `now` is the next;
/// of two that are moved to the same minute the second is not after the first.
fn next_time(pattern: &Pattern, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let mut from = minute_of(zone.to_datetime(now));
    loop {
        let named = pattern.first_from(from)?;
        let due = instant(zone, named)?;
        if due > now {
            return Some(due);
        }
        from = named.checked_add(MINUTE).ok()?;
    }
}

/// When a time of day is due: at the end of the gap where the clocks leave it out, the first time
/// where they show it twice.
fn instant(zone: &TimeZone, shown: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            ambiguous.earlier().ok()
        }
        AmbiguousOffset::Gap { .. } => {
            // By the clock that was not changed, which is at the change itself or after it.
            let unchanged = ambiguous.later().ok()?;
            let after = unchanged.checked_add(MINUTE).ok()?;
            Some(zone.preceding(after).next()?.timestamp())
        }
    }
}

/// Intervals: every minute that passes and is named by what the clocks show then, looked for between
/// one change of clocks and the next.
fn next_shown(pattern: &Pattern, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let mut since = now;
    let mut from = minute_of(zone.to_datetime(now)).checked_add(MINUTE).ok()?;
    loop {
        let due = pattern
            .first_from(from)
            .and_then(|named| zone.to_offset(since).to_timestamp(named).ok());
        let change = zone
            .following(since)
            .next()
            .map(|change| change.timestamp());
        match change {
            Some(change) if due.is_none_or(|due| due >= change) => {
                since = change;
                from = minute_of(zone.to_datetime(change));
            }
            _ => return due,
        }
    }
}

fn minute_of(at: DateTime) -> DateTime {
    at.date().at(at.hour(), at.minute(), 0, 0)
}
