//! The formats of a form's text controls: date, time, and both.

/// What is wrong with a text of the format; an unknown format says nothing.
pub(super) fn fault(format: &str, text: &str) -> Option<(&'static str, &'static str)> {
    let (holds, kind, message): (bool, _, _) = match format {
        "date" => (
            is_date(text),
            "date_parsing",
            "Input should be a valid date in the format YYYY-MM-DD",
        ),
        "time" => (
            is_time(text),
            "time_parsing",
            "Input should be a valid time in the format HH:MM:SS",
        ),
        "date-time" => (
            is_date_time(text),
            "datetime_parsing",
            "Input should be a valid datetime in the format YYYY-MM-DDTHH:MM:SSZ",
        ),
        _ => return None,
    };
    (!holds).then_some((kind, message))
}

fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else {
        return false;
    };
    is_date(date) && is_time(time)
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) = (
        digits(parts.next(), 4),
        digits(parts.next(), 2),
        digits(parts.next(), 2),
        parts.next(),
    ) else {
        return false;
    };
    let leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leaps => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return false,
    };
    (1..=last).contains(&day)
}

/// Time pickers give `10:30:00`, some without seconds; an offset may follow.
fn is_time(text: &str) -> bool {
    let clock = match text.find(['Z', 'z', '+', '-']) {
        None => text,
        Some(place) => {
            let (clock, offset) = text.split_at(place);
            if !is_offset(offset) {
                return false;
            }
            clock
        }
    };
    let (clock, has_fraction) = match clock.split_once('.') {
        None => (clock, false),
        Some((clock, fraction)) => {
            let is_fraction = (1..=9).contains(&fraction.len())
                && fraction.bytes().all(|byte| byte.is_ascii_digit());
            if !is_fraction {
                return false;
            }
            (clock, true)
        }
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next(), 2), digits(parts.next(), 2));
    let second = match parts.next() {
        None if has_fraction => return false,
        None => Some(0),
        part => digits(part, 2),
    };
    parts.next().is_none()
        && hour.is_some_and(|hour| hour < 24)
        && minute.is_some_and(|minute| minute < 60)
        // A leap second.
        && second.is_some_and(|second| second <= 60)
}

fn is_offset(text: &str) -> bool {
    if matches!(text, "Z" | "z") {
        return true;
    }
    let Some((hour, minute)) = text[1..].split_once(':') else {
        return false;
    };
    !text.starts_with(['Z', 'z'])
        && digits(Some(hour), 2).is_some_and(|hour| hour < 24)
        && digits(Some(minute), 2).is_some_and(|minute| minute < 60)
}

fn digits(text: Option<&str>, count: usize) -> Option<u32> {
    let text = text?;
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times() {
        for (format, text, fits) in [
            ("date", "2026-07-01", true),
            ("date", "2024-02-29", true),
            ("date", "2025-02-29", false),
            ("date", "1900-02-29", false),
            ("date", "2026-13-01", false),
            ("date", "2026-7-1", false),
            ("date", "2026-07-01T00:00:00Z", false),
            ("date", "", false),
            ("date", "２０２６-07-01", false),
            ("time", "10:30:00", true),
            ("time", "10:30", true),
            ("time", "10:30:00Z", true),
            ("time", "10:30:00.123+02:00", true),
            ("time", "23:59:60Z", true),
            ("time", "24:00:00", false),
            ("time", "10", false),
            ("time", "10:30.5", false),
            ("time", "10:30:00+2", false),
            ("time", "10:30:00Z0", false),
            ("time", "10:30:00Zé:00", false),
            ("time", "10:30:00.", false),
            ("date-time", "2026-07-01T10:30:00Z", true),
            ("date-time", "2026-07-01T10:30:00.000Z", true),
            ("date-time", "2026-07-01 10:30:00", true),
            ("date-time", "2026-07-01", false),
            ("date-time", "tomorrow", false),
            ("email", "no address", true),
        ] {
            assert_eq!(fault(format, text).is_none(), fits, "{format} {text}");
        }
    }
}
