//! Texts of others stay texts, and secrets stay away.

use super::markup::elements;
use super::samples::{SECRET, all, choice, device, done, form, leaving, problem, refused};
use crate::pages::{FieldKind, Href, html};

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;</textarea>";

/// Every text of every page, replaced.
fn hostile_pages() -> Vec<String> {
    let text = || HOSTILE.to_owned();
    let some = || Some(HOSTILE.to_owned());
    let mut form = refused();
    form.heading = text();
    form.account = some();
    form.intro = some();
    form.action = text();
    form.error = some();
    form.submit = text();
    for field in &mut form.fields {
        field.name = text();
        field.label = text();
        field.help = some();
        field.placeholder = some();
        field.value = text();
        field.error = some();
        for option in &mut field.options {
            option.value = text();
            option.label = text();
        }
    }
    let mut choice = choice(Some(HOSTILE));
    choice.heading = text();
    choice.account = some();
    choice.question = text();
    choice.action = text();
    choice.hidden.name = text();
    choice.hidden.value = text();
    for option in &mut choice.options {
        option.id = text();
        option.title = text();
    }
    let mut done = done();
    done.heading = text();
    done.account = some();
    done.text = text();
    done.connector = text();
    let href = Href::new(format!("https://x/{}", HOSTILE.replace(' ', ""))).unwrap();
    let mut problem = problem();
    problem.heading = text();
    problem.account = some();
    problem.text = text();
    problem.remedy = some();
    problem.retry = Some((text(), href.clone()));
    let mut leaving = leaving();
    leaving.heading = text();
    leaving.account = some();
    leaving.label = text();
    leaving.href = href.clone();
    let mut device = device();
    device.heading = text();
    device.account = some();
    device.text = text();
    device.code = text();
    device.verification = href.clone();
    device.check = href.clone();
    device.pause = Some(href);
    vec![
        html(&form),
        html(&choice),
        html(&done),
        html(&problem),
        html(&leaving),
        html(&device),
    ]
}

#[test]
fn hostile_texts_add_no_element_and_no_attribute() {
    let tame = [
        html(&refused()),
        html(&choice(Some("Choose a workspace"))),
        html(&done()),
        html(&problem()),
        html(&leaving()),
        html(&device()),
    ];
    for (hostile, tame) in hostile_pages().iter().zip(&tame) {
        assert!(!hostile.contains("<img") && !hostile.contains("<script>"));
        for element in elements(hostile) {
            let scripted = element.attributes.keys().any(|name| name.starts_with("on"));
            assert!(!scripted, "{element:?}");
        }
        let count =
            |name: &str, page: &str| elements(page).iter().filter(|e| e.name == name).count();
        for name in ["script", "form", "input", "textarea", "option", "meta"] {
            assert_eq!(count(name, hostile), count(name, tame), "{name}");
        }
    }
}

#[test]
fn a_secret_is_never_written_back() {
    for (page, text) in all() {
        assert!(!text.contains(SECRET), "{page}");
    }
    for kind in [FieldKind::Password, FieldKind::SecretMultiline] {
        let mut page = form();
        for field in &mut page.fields {
            field.kind = kind;
            field.value = SECRET.to_owned();
        }
        assert!(!html(&page).contains(SECRET));
    }
    let mut page = form();
    page.fields[0].value = "kept".to_owned();
    assert!(html(&page).contains("value=\"kept\""));
}

#[test]
fn a_link_leads_to_the_web_or_to_us() {
    for good in [
        "https://example.com/a?b=c",
        "HTTP://example.com",
        "/",
        "/connect/abc",
    ] {
        assert!(Href::new(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        " https://example.com",
        "/\t/example.com",
        "//example.com",
        "/\\example.com",
        "connect",
        "https:example.com",
        "https://example.com/\nx",
    ] {
        assert!(Href::new(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn a_page_holds_no_script_or_style_of_its_own() {
    for (page, text) in all() {
        for element in elements(&text) {
            assert!(element.name != "style", "{page}");
            assert!(element.get("style").is_none(), "{page}");
            if element.name == "script" {
                assert_eq!(element.get("src"), Some("/connect/assets/connect.js"));
                assert!(text.contains("connect.js\"></script>"));
            }
        }
    }
}
