//! The demo: what a first user would do by hand, done over HTTP with real Git repositories.

mod closing;
mod examples;
mod journey;
mod languages;
mod repositories;
mod steps;

use std::path::PathBuf;
use std::time::Instant;

use crate::client::Client;
use crate::failure::Failure;
use crate::printer::{Printer, Style};

pub(crate) use languages::Language;

/// What the demo shall do.
#[derive(Debug, Clone)]
pub(crate) struct DemoOptions {
    /// The server's folder of local repositories.
    pub repositories_dir: PathBuf,
    /// The server's data folder, for what is said at the end.
    pub data_dir: PathBuf,
    /// Which examples; none said: those whose language is on this machine.
    pub languages: Option<Vec<Language>>,
    /// Whether the server goes on after the last step.
    pub stays: bool,
}

/// How the demo went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DemoReport {
    /// Whether every step went well.
    pub succeeded: bool,
    /// The tenants with a run, each with its last one.
    pub tenants: Vec<DemoTenant>,
}

/// A tenant of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DemoTenant {
    /// Its id.
    pub id: i64,
    /// Its last run.
    pub last_run: i64,
    /// Its count after that run.
    pub count: i64,
}

/// Does all steps. A step that goes wrong is shown, ends its example, and makes the report red; the
/// other example goes on.
///
/// # Errors
/// When there is nothing that could be shown: no language, no Git, no folder for repositories.
pub(crate) async fn run(
    client: &Client,
    options: DemoOptions,
    to: &mut Printer,
) -> anyhow::Result<DemoReport> {
    let title = to.paint(Style::Strong, "Marquetry demo");
    to.line(&format!("\n{title}  {}\n", client.base()));
    let languages = match &options.languages {
        Some(languages) => languages.clone(),
        None => available(to).await?,
    };
    let begin = Instant::now();
    let mut report = DemoReport {
        succeeded: true,
        tenants: Vec::new(),
    };
    for language in languages {
        match journey::go(client, &options, language, to).await {
            Ok(tenant) => report.tenants.push(tenant),
            Err(journey::Stopped) => report.succeeded = false,
        }
        to.line("");
    }
    closing::print(client, &options, &report, begin.elapsed(), to);
    Ok(report)
}

/// The languages of this machine that have an example.
async fn available(to: &mut Printer) -> anyhow::Result<Vec<Language>> {
    let mut found = Vec::new();
    for language in Language::ALL {
        if language.is_there().await {
            found.push(language);
        } else {
            let program = language.program();
            let note =
                format!("{program} is not on this machine: the demo goes on without its example");
            to.warn(&note);
        }
    }
    if found.is_empty() {
        return Err(Failure::new("neither node nor python3 is on this machine")
            .remedy("install Node 20 or Python 3.11, then: marquetry demo")
            .into());
    }
    Ok(found)
}
