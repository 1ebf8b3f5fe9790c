//! What the demo says at the end: how it went, and what to try now.

use std::time::Duration;

use super::{DemoOptions, DemoReport};
use crate::client::Client;
use crate::commands::duration_ms;
use crate::printer::{Printer, Style};

pub(super) fn print(
    client: &Client,
    options: &DemoOptions,
    report: &DemoReport,
    took: Duration,
    to: &mut Printer,
) {
    let took = duration_ms(took.as_secs_f64() * 1_000.0);
    let (sentence, style) = if report.succeeded {
        (format!("Every step went well, in {took}."), Style::Good)
    } else {
        (
            format!("Not every step went well; see above. It took {took}."),
            Style::Bad,
        )
    };
    let sentence = to.paint(style, &sentence);
    to.line(&format!("  {sentence}\n"));
    let base = client.base();
    let key = client.key().unwrap_or_default();
    for (name, value) in [
        ("API", format!("{base}/v2")),
        ("Reference", format!("{base}/docs")),
        ("API key", key.to_owned()),
        ("Data folder", options.data_dir.display().to_string()),
    ] {
        let name = to.paint(Style::Faint, &format!("{name:<12}"));
        to.line(&format!("  {name} {value}"));
    }
    let lines = curl_lines(base, key, report);
    if lines.is_empty() {
        return;
    }
    to.line("");
    if options.stays {
        to.line("  Try it, in another terminal:");
    } else {
        let folder = options.data_dir.display();
        let listen = base.trim_start_matches("http://");
        to.line(&format!(
            "  To try it, start the server again: marquetry serve --data-dir {folder} --listen {listen}"
        ));
    }
    to.line("");
    for line in lines {
        let line = to.paint(Style::Name, &line);
        to.line(&format!("  {line}"));
    }
    if options.stays {
        to.line("\n  The server goes on until you press Ctrl-C.");
    }
}

/// Lists tenants, asks for a sync, shows a log.
fn curl_lines(base: &str, key: &str, report: &DemoReport) -> Vec<String> {
    let Some(tenant) = report.tenants.first() else {
        return Vec::new();
    };
    let curl = format!("curl -sS -H 'X-API-KEY: {key}'");
    vec![
        format!("{curl} {base}/v2/tenants"),
        format!(
            "{curl} -X POST '{base}/v2/tenants/{}/sync?mode=normal'",
            tenant.id
        ),
        format!("{curl} -L {base}/v2/runs/{}/log", tenant.last_run),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::DemoTenant;
    use super::*;
    use crate::printer::captured::printer;

    #[test]
    fn the_end_has_key_urls_and_lines_to_copy() {
        let client = Client::new("http://127.0.0.1:8080", Some("mq_x".to_owned())).unwrap();
        let options = DemoOptions {
            repositories_dir: "data/repositories".into(),
            data_dir: "data".into(),
            languages: None,
            stays: false,
        };
        let tenant = DemoTenant {
            id: 3,
            last_run: 9,
            count: 2,
        };
        let report = DemoReport {
            succeeded: true,
            tenants: vec![tenant],
        };
        let (mut to, out, _) = printer(false);
        print(
            &client,
            &options,
            &report,
            Duration::from_millis(1500),
            &mut to,
        );
        let text = out.text();
        assert!(text.contains("Every step went well, in 1.5 s."), "{text}");
        assert!(
            text.contains("marquetry serve --data-dir data --listen 127.0.0.1:8080"),
            "{text}"
        );
        assert!(text.contains("curl -sS -H 'X-API-KEY: mq_x' http://127.0.0.1:8080/v2/tenants\n"));
        assert!(text.contains("/v2/tenants/3/sync?mode=normal'"));
        assert!(text.contains(" -L http://127.0.0.1:8080/v2/runs/9/log\n"));
    }
}
