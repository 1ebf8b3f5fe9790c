//! From the schedule that was asked for to the one that is run: the same frequency, spread over the
//! hour, so that not every customer's run starts at its first second.

use super::shape::fields;
use crate::{Randomization, TenantId};

/// The schedule as it is run. A minute `0` becomes a minute that is the tenant's own, and `*/n`
/// (with n dividing 60) keeps its step from an offset that is the tenant's own; anything else
/// stays as it was typed. With `minute+hour` the hour `0` of a schedule that is daily or rarer is
/// the tenant's own too. The same tenant always gets the same.
pub fn randomize(asked: &str, how: Randomization, tenant: TenantId) -> String {
    let as_typed = || asked.trim().to_owned();
    if how == Randomization::Off {
        return as_typed();
    }
    let Ok(fields) = fields(asked) else {
        return as_typed();
    };
    let [minute, hour, rest @ ..] = fields.map(|field| field.text);
    let chance = spread(tenant);
    let new_minute = randomize_minute(minute, chance);
    let single = minute.bytes().all(|b| b.is_ascii_digit());
    let new_hour = (how == Randomization::MinuteHour && single && is_zero(hour))
        .then(|| ((chance >> 32) % 24).to_string());
    if new_minute.is_none() && new_hour.is_none() {
        return as_typed();
    }
    let minute = new_minute.as_deref().unwrap_or(minute);
    let hour = new_hour.as_deref().unwrap_or(hour);
    format!("{minute} {hour} {}", rest.join(" "))
}

fn randomize_minute(minute: &str, chance: u64) -> Option<String> {
    if is_zero(minute) {
        return Some((chance % 60).to_string());
    }
    let step: u64 = minute.strip_prefix("*/")?.parse().ok()?;
    if step < 2 || 60 % step != 0 {
        return None;
    }
    Some(format!("{}-59/{step}", chance % step))
}

fn is_zero(field: &str) -> bool {
    field.parse() == Ok(0)
}

/// A number that looks like chance and is always the same for a tenant (the finalizer of
/// SplitMix64).
fn spread(tenant: TenantId) -> u64 {
    let mut z = tenant
        .get()
        .cast_unsigned()
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{Schedule, Timestamp};

    fn of(text: &str, how: Randomization, tenant: i64) -> String {
        randomize(text, how, TenantId::new(tenant))
    }

    #[test]
    fn what_is_explicit_stays_as_typed() {
        for text in [
            "* * * * *",
            "17 3 * * *",
            "0,30 * * * *",
            "*/7 * * * *",
            "*/1 * * * *",
        ] {
            assert_eq!(of(text, Randomization::Minute, 7), text);
        }
        assert_eq!(of(" @daily ", Randomization::Off, 7), "@daily");
        assert_eq!(of("30 0 * * *", Randomization::Minute, 7), "30 0 * * *");
    }

    #[test]
    fn short_names_are_spelt_out() {
        let daily = of("@daily", Randomization::Minute, 7);
        assert!(daily.ends_with(" 0 * * *"), "{daily}");
        let spread = of("@daily", Randomization::MinuteHour, 7);
        assert!(spread.ends_with(" * * *") && spread != daily, "{spread}");
    }

    #[test]
    fn tenants_are_spread_over_the_hour() {
        let seen: HashSet<String> = (1..=600)
            .map(|id| of("0 * * * *", Randomization::Minute, id))
            .collect();
        assert_eq!(seen.len(), 60);
    }

    /// A later version that moved these would move the runs of every customer.
    #[test]
    fn the_same_in_every_version() {
        for (asked, how, tenant, run) in [
            ("0 6 * * *", Randomization::Minute, 1, "5 6 * * *"),
            ("0 6 * * *", Randomization::Minute, 2, "10 6 * * *"),
            (
                "0 6 * * *",
                Randomization::Minute,
                987_654_321,
                "56 6 * * *",
            ),
            ("*/15 * * * *", Randomization::Minute, 1, "5-59/15 * * * *"),
            ("*/15 * * * *", Randomization::Minute, 7, "12-59/15 * * * *"),
            ("@hourly", Randomization::Minute, 42, "13 * * * *"),
            ("@daily", Randomization::MinuteHour, 1, "5 4 * * *"),
            ("0 0 * * 1", Randomization::MinuteHour, 42, "13 6 * * 1"),
        ] {
            assert_eq!(of(asked, how, tenant), run, "{asked} for {tenant}");
        }
    }

    proptest! {
        /// Stable, valid, and firing exactly as often as what was asked for.
        #[test]
        fn the_frequency_is_kept(
            step in prop::sample::select(vec![2u32, 3, 4, 5, 6, 10, 12, 15, 20, 30]),
            hour in prop::sample::select(vec!["*", "0", "5", "*/2"]),
            whole: bool,
            tenant in 1i64..1_000_000,
            how in prop::sample::select(vec![Randomization::Minute, Randomization::MinuteHour]),
        ) {
            let asked = if whole { format!("0 {hour} * * *") } else { format!("*/{step} {hour} * * *") };
            let run = of(&asked, how, tenant);
            prop_assert_eq!(&run, &of(&asked, how, tenant));
            prop_assert_eq!(a_day(&asked), a_day(&run), "{} became {}", asked, run);
        }
    }

    fn a_day(text: &str) -> usize {
        let schedule = Schedule::parse(text, None).unwrap();
        let end = 86_400_000;
        let mut at = Timestamp::from_millis(-1);
        let mut count = 0;
        while let Some(next) = schedule
            .next_after(at)
            .filter(|next| next.as_millis() < end)
        {
            at = next;
            count += 1;
        }
        count
    }
}
