//! Whether a text is five-field cron, said in words for whoever typed it.

/// The five fields: name, least, most.
const FIELDS: [(&str, u32, u32); 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
];

/// What the short names stand for.
const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One field: as it was typed, and what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// As typed.
    pub(super) text: &'a str,
    /// Bit n is set when it names n.
    pub(super) named: u64,
}

impl Field<'_> {
    /// Whether it begins with `*`: cron's rule for days asks no more, so `*/2` does too.
    pub(super) fn begins_with_a_star(&self) -> bool {
        self.text.starts_with(['*', '?'])
    }

    /// Whether it names an interval rather than single times.
    pub(super) fn is_interval(&self) -> bool {
        self.text.contains(['*', '/'])
    }
}

/// The five fields of an expression, short names spelt out. The fault names the field and the
/// remedy.
pub(super) fn fields(text: &str) -> Result<[Field<'_>; 5], String> {
    let text = text.trim();
    let spelt = match NAMED
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
    {
        Some((_, spelt)) => spelt,
        None if text.starts_with('@') => {
            return Err(
                "must be one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, \
                 or five fields"
                    .to_owned(),
            );
        }
        None => text,
    };
    let mut fields = [Field { text: "", named: 0 }; 5];
    let mut count = 0;
    for text in spelt.split_ascii_whitespace() {
        if let Some(field) = fields.get_mut(count) {
            field.text = text;
        }
        count += 1;
    }
    if count != fields.len() {
        return Err(format!(
            "must have five fields (minute hour day month weekday), not {count}"
        ));
    }
    for (field, (name, least, most)) in fields.iter_mut().zip(FIELDS) {
        for part in field.text.split(',') {
            field.named |= named_by(part, name, least, most)?;
        }
    }
    Ok(fields)
}

/// What one member of a field's list names: `*`, `5`, `1-5`, each with an optional `/step`.
fn named_by(part: &str, name: &str, least: u32, most: u32) -> Result<u64, String> {
    let wrong = || format!("the {name} ({part}) must be from {least} to {most}, or *, a-b, */n");
    let (span, step) = match part.split_once('/') {
        Some((span, step)) => (span, number(step).ok_or_else(wrong)?),
        None => (part, 1),
    };
    if step == 0 || step > most {
        return Err(format!(
            "the step of the {name} ({part}) must be from 1 to {most}"
        ));
    }
    let value = |text: &str| {
        by_name(text, name)
            .or_else(|| number(text))
            .filter(|n| (least..=most).contains(n))
    };
    let (from, to) = if span == "*" || (span == "?" && name.starts_with("day")) {
        (least, most)
    } else if let Some((from, to)) = span.split_once('-') {
        value(from).zip(value(to)).ok_or_else(wrong)?
    } else {
        // Cron gives `5/10` no meaning that all programs share.
        if part.contains('/') {
            return Err(format!(
                "the {name} ({part}) has a step without a range: write {span}-{most}/{step}"
            ));
        }
        let only = value(span).ok_or_else(wrong)?;
        (only, only)
    };
    if from > to {
        return Err(format!("the {name} ({part}) begins after its end"));
    }
    let mut named = 0;
    for value in (from..=to).step_by(step as usize) {
        named |= 1 << value;
    }
    Ok(named)
}

/// Digits only: no sign, no more than any field needs.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn by_name(text: &str, field: &str) -> Option<u32> {
    let (names, first): (&[&str], usize) = match field {
        "month" => (&MONTHS, 1),
        "day of the week" => (&WEEKDAYS, 0),
        _ => return None,
    };
    let at = names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text))?;
    u32::try_from(at + first).ok()
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn five_fields_names_and_short_names() {
        let good = [
            "* * * * *",
            "*/5 0-6 1,15 JAN mon-fri",
            "@daily",
            "0 0 * * 7",
            " 0  9 ? * 1-5 ",
            "0-59/15 08 * * *",
        ];
        for text in good {
            assert!(fields(text).is_ok(), "{text}: {:?}", fields(text));
        }
        let weekly = fields("@Weekly").unwrap().map(|field| field.text);
        assert_eq!(weekly, ["0", "0", "*", "*", "0"]);
    }

    #[test]
    fn what_a_field_names() {
        let table: [(&str, &[u32]); 5] = [
            ("0 0 * FEB-apr,12 *", &[2, 3, 4, 12]),
            ("0 0 * */5 *", &[1, 6, 11]),
            ("0 0 * 2-11/4 *", &[2, 6, 10]),
            ("0 0 * 7,7 *", &[7]),
            ("0 0 * */12 *", &[1]),
        ];
        for (text, expected) in table {
            let month = fields(text).unwrap()[3];
            let named: Vec<u32> = (0..64).filter(|n| month.named >> n & 1 == 1).collect();
            assert_eq!(named, expected, "{text}");
        }
    }

    #[test]
    fn a_fault_names_the_field() {
        let bad = [
            ("", "five fields"),
            ("* * * *", "not 4"),
            ("* * * * * *", "not 6"),
            ("61 * * * *", "the minute (61)"),
            ("* 24 * * *", "the hour (24)"),
            ("* * 0 * *", "the day of the month (0)"),
            ("* * * 13 *", "the month (13)"),
            ("* * * * 8", "the day of the week (8)"),
            ("* MON * * *", "the hour (MON)"),
            ("*/0 * * * *", "the step of the minute"),
            ("5/10 * * * *", "without a range"),
            ("30-10 * * * *", "begins after its end"),
            ("a b c d e", "the minute (a)"),
            ("+5 * * * *", "the minute (+5)"),
            ("1, * * * *", "the minute ()"),
            ("@often", "@hourly"),
            ("? * * * *", "the minute (?)"),
        ];
        for (text, expected) in bad {
            let fault = fields(text).unwrap_err();
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }
}
