//! Who sees, hears or types a page can use it.

use std::collections::HashSet;

use super::markup::{Element, elements};
use super::samples::{all, choice, device, form, refused};
use crate::pages::html;

const CONTROLS: &[&str] = &["input", "select", "textarea"];

/// The controls that a person uses.
fn controls(elements: &[Element]) -> Vec<&Element> {
    elements
        .iter()
        .filter(|element| CONTROLS.contains(&element.name.as_str()))
        .filter(|element| element.get("type") != Some("hidden"))
        .collect()
}

fn named<'a>(elements: &'a [Element], name: &str) -> Vec<&'a Element> {
    elements
        .iter()
        .filter(|element| element.name == name)
        .collect()
}

#[test]
fn a_page_has_a_language_a_title_a_heading_and_unique_ids() {
    for (page, text) in all() {
        let elements = elements(&text);
        assert_eq!(
            named(&elements, "html")[0].get("lang"),
            Some("en"),
            "{page}"
        );
        for once in ["title", "h1", "main"] {
            assert_eq!(named(&elements, once).len(), 1, "{once} of {page}");
        }
        let ids: Vec<&str> = elements.iter().filter_map(|e| e.get("id")).collect();
        let different: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), different.len(), "{page}: {ids:?}");
    }
}

#[test]
fn a_page_names_only_what_is_on_it() {
    for (page, text) in all() {
        let elements = elements(&text);
        let ids: HashSet<&str> = elements.iter().filter_map(|e| e.get("id")).collect();
        for element in &elements {
            for attribute in ["for", "aria-describedby", "aria-labelledby"] {
                for id in element.get(attribute).unwrap_or_default().split(' ') {
                    assert!(
                        id.is_empty() || ids.contains(id),
                        "{page}: {attribute} {id}"
                    );
                }
            }
            if let Some(id) = element.get("href").and_then(|href| href.strip_prefix('#')) {
                assert!(ids.contains(id), "{page}: #{id}");
            }
        }
    }
}

#[test]
fn every_control_has_one_label() {
    for (page, text) in all() {
        let elements = elements(&text);
        let labels = named(&elements, "label");
        for control in controls(&elements) {
            let id = control.get("id").expect("a control has an id");
            let own = labels.iter().filter(|label| label.get("for") == Some(id));
            assert_eq!(own.count(), 1, "{page}: {id}");
        }
    }
}

#[test]
fn help_and_errors_are_told_with_their_control() {
    let page = refused();
    let elements = elements(&html(&page));
    let controls = controls(&elements);
    assert_eq!(controls.len(), page.fields.len());
    for (at, (control, field)) in controls.iter().zip(&page.fields).enumerate() {
        let number = at + 1;
        let described = control.get("aria-describedby").unwrap_or_default();
        let ids: Vec<&str> = described.split(' ').collect();
        let (help, error) = (
            format!("field-{number}-help"),
            format!("field-{number}-error"),
        );
        assert_eq!(
            ids.contains(&help.as_str()),
            field.help.is_some(),
            "{number}"
        );
        assert_eq!(
            ids.contains(&error.as_str()),
            field.error.is_some(),
            "{number}"
        );
        let invalid = control.get("aria-invalid");
        assert_eq!(invalid, field.error.as_ref().map(|_| "true"), "{number}");
        assert_eq!(
            control.get("required").is_some(),
            field.required,
            "{number}"
        );
    }
}

#[test]
fn a_refused_form_begins_with_a_summary_that_leads_to_the_fields() {
    let text = html(&refused());
    let elements = elements(&text);
    let summary = elements.iter().position(|e| e.get("role") == Some("alert"));
    let first = elements.iter().position(|e| e.name == "form");
    assert!(summary.is_some() && summary < first);
    let links: Vec<&str> = named(&elements, "a")
        .iter()
        .filter_map(|link| link.get("href"))
        .collect();
    assert_eq!(links, ["#field-1", "#field-2", "#field-7"]);
    assert!(text.contains("<title>Error: Connect Slack"));
    for good in [html(&form()), html(&choice(None))] {
        assert!(!good.contains("alert") && !good.contains("Error"));
    }
}

#[test]
fn a_field_alone_makes_a_summary_and_an_error_alone_no_empty_list() {
    let mut page = refused();
    page.error = None;
    assert!(html(&page).contains("<h2>Some of the details need a change</h2>"));
    page.error = Some("Slack is away".to_owned());
    for field in &mut page.fields {
        field.error = None;
    }
    let text = html(&page);
    assert!(text.contains("<h2>Slack is away</h2>"));
    assert!(named(&elements(&text), "ul").is_empty());
}

#[test]
fn loading_again_by_itself_can_be_stopped() {
    let mut page = device();
    let again = "<meta http-equiv=\"refresh\" content=\"5; url=/connect/abc/device\">";
    assert!(html(&page).contains(again));
    assert!(html(&page).contains("wait=no"));
    page.refresh_seconds = None;
    assert!(!html(&page).contains("http-equiv"));
    assert!(!html(&page).contains("wait=no"));
}

#[test]
fn several_lines_come_back_with_their_first_line_end() {
    // The browser drops one, so the empty first line needs two.
    assert!(html(&form()).contains(">\n\nsecond line</textarea>"));
}
