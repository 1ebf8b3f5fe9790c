//! What can be said of a cron expression without a calendar.

/// Checks that a schedule has the shape of five-field cron (or is `@hourly`, `@daily`…), so that
/// nonsense is refused when it is saved. Answers the remedy.
pub fn check_cron_shape(text: &str) -> Result<(), &'static str> {
    const NAMED: [&str; 7] = [
        "@yearly",
        "@annually",
        "@monthly",
        "@weekly",
        "@daily",
        "@midnight",
        "@hourly",
    ];
    if text.starts_with('@') {
        return if NAMED.contains(&text) {
            Ok(())
        } else {
            Err("must be one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly")
        };
    }
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    if fields.len() != ranges.len() {
        return Err("must have five fields: minute hour day month weekday");
    }
    let fits = fields
        .iter()
        .zip(ranges)
        .all(|(field, range)| field_fits(field, range));
    if fits {
        Ok(())
    } else {
        Err("has a field that is out of range or not cron")
    }
}

/// Whether the name is an IANA time zone that this machine knows.
pub fn is_time_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

fn field_fits(field: &str, (low, high): (u32, u32)) -> bool {
    field.split(',').all(|part| {
        let (span, step) = part
            .split_once('/')
            .map_or((part, None), |(a, b)| (a, Some(b)));
        let step_fits = step.is_none_or(|s| s.parse::<u32>().is_ok_and(|n| n > 0));
        let number = |text: &str| match text.parse::<u32>() {
            Ok(n) => (low..=high).contains(&n),
            Err(_) => is_name(text),
        };
        let span_fits = span == "*"
            || span == "?"
            || span == "L"
            || span
                .split_once('-')
                .map_or_else(|| number(span), |(a, b)| number(a) && number(b))
            || span
                .split_once('#')
                .is_some_and(|(a, b)| number(a) && number(b));
        step_fits && span_fits
    })
}

fn is_name(text: &str) -> bool {
    const NAMES: [&str; 19] = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", "SUN",
        "MON", "TUE", "WED", "THU", "FRI", "SAT",
    ];
    NAMES.iter().any(|name| name.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::check_cron_shape;

    #[test]
    fn five_fields_and_names() {
        for good in [
            "* * * * *",
            "*/5 0-6 1,15 JAN mon-fri",
            "@daily",
            "0 0 * * 7",
        ] {
            assert_eq!(check_cron_shape(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "* * * *",
            "61 * * * *",
            "* * * * * *",
            "@often",
            "a b c d e",
            "*/0 * * * *",
        ] {
            assert!(check_cron_shape(bad).is_err(), "{bad}");
        }
    }
}
