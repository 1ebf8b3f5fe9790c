//! What `config check` says.

use serde_json::json;

use super::{ConfigError, ServerConfig};
use crate::printer::{Printer, Style, Table};

/// The settings in effect, each with its origin; secrets masked.
pub(crate) fn print_effective(config: &ServerConfig, as_json: bool, to: &mut Printer) {
    for warning in &config.unknown_variables {
        to.warn(warning);
    }
    if as_json {
        let settings: Vec<_> = config
            .effective
            .iter()
            .map(|setting| {
                json!({
                    "setting": setting.key,
                    "value": setting.value,
                    "origin": setting.origin.to_string(),
                    "note": setting.note,
                })
            })
            .collect();
        to.line(&json!({ "ok": true, "settings": settings }).to_string());
        return;
    }
    let mut table = Table::new(&["SETTING", "VALUE", "FROM", ""]);
    for setting in &config.effective {
        let value = if setting.value.is_empty() {
            "-"
        } else {
            &setting.value
        };
        table.row(vec![
            setting.key.to_owned(),
            value.to_owned(),
            setting.origin.to_string(),
            setting.note.unwrap_or_default().to_owned(),
        ]);
    }
    table.print(to);
    let good = to.paint_note(Style::Good, "the configuration is fine");
    to.note(&good);
}

/// Everything that is wrong, each with its remedy.
pub(crate) fn print_faults(error: &ConfigError, as_json: bool, to: &mut Printer) {
    if as_json {
        let faults: Vec<_> = error
            .0
            .iter()
            .map(|fault| {
                json!({
                    "setting": fault.setting,
                    "origin": fault.origin.to_string(),
                    "problem": fault.problem,
                    "remedy": fault.remedy,
                })
            })
            .collect();
        to.line(&json!({ "ok": false, "faults": faults }).to_string());
        return;
    }
    let faults: Vec<String> = error.0.iter().map(ToString::to_string).collect();
    to.error(&error.to_string(), &faults, None);
}
