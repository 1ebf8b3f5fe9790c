//! Is everything there that the server and its runs need? One file for each question.

mod api_key_file;
mod blob_store;
mod clock;
mod containers;
mod data_folder;
mod database;
mod descriptors;
mod git;
mod running_server;
mod sandbox;
pub(crate) mod toolchains;

use serde::Serialize;

use crate::config::ServerConfig;
use crate::printer::{Printer, Style};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckState {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warn,
    /// Something will not work.
    Fail,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What was looked at, in a word or two.
    pub name: &'static str,
    /// How it went.
    pub state: CheckState,
    /// What was found.
    pub detail: String,
    /// What to do.
    pub remedy: Option<String>,
}

impl Check {
    /// As it should be.
    pub(crate) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            state: CheckState::Ok,
            detail: detail.into(),
            remedy: None,
        }
    }

    /// It works, but.
    pub(crate) fn warn(
        name: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            state: CheckState::Warn,
            detail: detail.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// Something will not work.
    pub(crate) fn fail(
        name: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            state: CheckState::Fail,
            detail: detail.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// All that was looked at.
#[derive(Debug)]
pub(crate) struct Report {
    /// In the order in which they are shown.
    pub checks: Vec<Check>,
    /// The languages, in the order in which they are shown.
    pub toolchains: Vec<toolchains::Row>,
}

/// Looks at everything.
pub(crate) async fn gather(config: &ServerConfig) -> Report {
    let toolchains = toolchains::look(config).await;
    let mut checks = vec![
        data_folder::check(config),
        database::check(config).await,
        blob_store::check(config).await,
        git::check().await,
        toolchains::check(&toolchains),
        api_key_file::check(config),
        descriptors::check(config),
        clock::check(),
        running_server::check(config).await,
    ];
    checks.extend(sandbox::check(config).await);
    checks.extend(containers::check(config).await);
    Report { checks, toolchains }
}

/// The exit code: 1 where something will not work.
pub(crate) fn exit_code(checks: &[Check]) -> u8 {
    u8::from(checks.iter().any(|check| check.state == CheckState::Fail))
}

/// The report as JSON.
pub(crate) fn print_json(report: &Report, to: &mut Printer) {
    let Report { checks, toolchains } = report;
    let ok = exit_code(checks) == 0;
    let report = serde_json::json!({ "ok": ok, "checks": checks, "toolchains": toolchains });
    to.line(&report.to_string());
}

/// The checks for people: each check in a line, what to do below it.
pub(crate) fn print(checks: &[Check], to: &mut Printer) {
    let width = checks.iter().map(|check| check.name.len()).max();
    let width = width.unwrap_or(0);
    for check in checks {
        let (word, style) = match check.state {
            CheckState::Ok => ("ok  ", Style::Good),
            CheckState::Warn => ("warn", Style::Warn),
            CheckState::Fail => ("FAIL", Style::Bad),
        };
        let word = to.paint(style, word);
        to.line(&format!("{word}  {:<width$}  {}", check.name, check.detail));
        if let Some(remedy) = &check.remedy {
            let remedy = to.paint(Style::Faint, &format!("→ {remedy}"));
            to.line(&format!("      {:<width$}  {remedy}", ""));
        }
    }
    let worst = checks.iter().map(|check| check.state).max();
    let (sentence, style) = match worst {
        Some(CheckState::Fail) => ("something will not work; see FAIL above", Style::Bad),
        Some(CheckState::Warn) => ("all of it works, with the warnings above", Style::Warn),
        Some(CheckState::Ok) | None => ("all is well", Style::Good),
    };
    let sentence = to.paint(style, sentence);
    to.line(&format!("\n{sentence}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::captured::printer;

    #[test]
    fn a_report_says_what_to_do() {
        let checks = [
            Check::ok("git", "2.40"),
            Check::warn("clock", "odd", "set it"),
            Check::fail("data", "full", "make room"),
        ];
        let (mut to, out, _) = printer(false);
        print(&checks, &mut to);
        assert_eq!(
            out.text(),
            "ok    git    2.40\nwarn  clock  odd\n             → set it\nFAIL  data   full\n             → make room\n\
             \nsomething will not work; see FAIL above\n"
        );
        assert_eq!(exit_code(&checks), 1);
        assert_eq!(exit_code(&checks[..2]), 0);
    }

    #[test]
    fn the_json_has_the_same() {
        let (mut to, out, _) = printer(false);
        let report = Report {
            checks: vec![Check::ok("git", "2.40")],
            toolchains: Vec::new(),
        };
        print_json(&report, &mut to);
        assert_eq!(
            out.text(),
            "{\"ok\":true,\"checks\":[{\"name\":\"git\",\"state\":\"ok\",\"detail\":\"2.40\",\"remedy\":null}],\"toolchains\":[]}\n"
        );
    }

    #[tokio::test]
    async fn every_check_of_this_machine_says_something() {
        let flags = crate::config::ServerFlags::default();
        let config = ServerConfig::load(&flags, &crate::config::Environment::new()).unwrap();
        let Report { checks, toolchains } = gather(&config).await;
        assert_eq!(toolchains.len(), 10);
        assert!(checks.iter().all(|check| !check.detail.is_empty()));
        let sad = |check: &&Check| check.state != CheckState::Ok && check.remedy.is_none();
        assert_eq!(checks.iter().find(sad), None);
    }
}
