//! Time zones by their IANA names.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zone of this name; none when IANA has no such zone. Which names there are is the same on
/// every node, so the list that is built in decides. A machine that has the zone has its rules too,
/// and may have newer ones.
pub(super) fn find(name: &str) -> Option<TimeZone> {
    static NAMES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    // The placeholder of a machine that was never told where it stands.
    if name.eq_ignore_ascii_case("Factory") {
        return None;
    }
    let known = NAMES.get(name).ok().filter(|zone| !zone.is_unknown())?;
    Some(TimeZone::get(name).unwrap_or(known))
}
