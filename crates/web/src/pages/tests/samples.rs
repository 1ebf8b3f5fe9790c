//! Pages as they come, and with one text everywhere.

use crate::pages::{
    Choice, ChoicePage, DevicePage, DonePage, FieldKind, FormPage, Hidden, Href, LeavingPage,
    PageField, PageOption, ProblemPage, html,
};

/// What is entered into secret fields.
pub(super) const SECRET: &str = "s3cr3t-as-entered";

pub(super) fn field(name: &str, label: &str, kind: FieldKind) -> PageField {
    PageField {
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        required: true,
        help: None,
        placeholder: None,
        value: String::new(),
        options: Vec::new(),
        error: None,
    }
}

fn option(value: &str, label: &str) -> PageOption {
    PageOption {
        value: value.to_owned(),
        label: label.to_owned(),
        selected: false,
    }
}

/// A form with a field of each kind.
pub(super) fn form() -> FormPage {
    let mut fields = vec![
        field("subdomain", "Subdomain", FieldKind::Text),
        field("api_key", "API key", FieldKind::Password),
        field("note", "Note", FieldKind::Multiline),
        field("private_key", "Private key", FieldKind::SecretMultiline),
        field("base_url", "Address", FieldKind::Url),
        field("account_id", "Account number", FieldKind::Number),
        field("region", "Region", FieldKind::Select),
    ];
    fields[0].help = Some("The part before .example.com.".to_owned());
    fields[1].help = Some("In Settings, under API.".to_owned());
    fields[1].value = SECRET.to_owned();
    fields[2].required = false;
    fields[2].value = "\nsecond line".to_owned();
    fields[3].value = SECRET.to_owned();
    fields[4].placeholder = Some("https://shop.example.com".to_owned());
    fields[6].options = vec![option("eu", "Europe"), option("us", "United States")];
    FormPage {
        heading: "Connect Slack".to_owned(),
        account: Some("Acme Orders".to_owned()),
        intro: Some("Acme Orders posts a message for each new order.".to_owned()),
        action: "/connect/abc".to_owned(),
        fields,
        error: None,
        submit: "Connect".to_owned(),
    }
}

/// The same, sent with mistakes.
pub(super) fn refused() -> FormPage {
    let mut page = form();
    page.error = Some("Slack did not accept these details".to_owned());
    page.fields[0].value = "acme.example.com".to_owned();
    page.fields[0].error = Some("Enter only the part before the first dot".to_owned());
    page.fields[1].error = Some("Enter the key again".to_owned());
    page.fields[6].options[1].selected = true;
    page.fields[6].error = Some("This account is in Europe".to_owned());
    page
}

pub(super) fn choice(error: Option<&str>) -> ChoicePage {
    let choice = |id: &str, title: &str| Choice {
        id: id.to_owned(),
        title: title.to_owned(),
    };
    ChoicePage {
        heading: "Connect Slack".to_owned(),
        account: Some("Acme Orders".to_owned()),
        question: "Which workspace should be connected?".to_owned(),
        action: "/connect/abc/choice".to_owned(),
        hidden: Hidden {
            name: "token".to_owned(),
            value: "t0k3n".to_owned(),
        },
        options: vec![choice("W1", "Sales"), choice("W2", "Support")],
        error: error.map(str::to_owned),
    }
}

pub(super) fn done() -> DonePage {
    DonePage {
        heading: "Slack is connected".to_owned(),
        account: Some("Acme Orders".to_owned()),
        text: "New orders appear in your workspace from now on.".to_owned(),
        connector: "slack".to_owned(),
        can_close: true,
    }
}

pub(super) fn problem() -> ProblemPage {
    ProblemPage {
        heading: "Slack is not connected".to_owned(),
        account: None,
        text: "Slack said: access_denied".to_owned(),
        remedy: Some("Ask an administrator of your workspace to allow the app.".to_owned()),
        retry: Some(("Try again".to_owned(), Href::new("/connect/abc").unwrap())),
    }
}

pub(super) fn leaving() -> LeavingPage {
    let href = "https://slack.example.com/authorize?client_id=1&state=a%3D";
    LeavingPage {
        heading: "Continuing to Slack".to_owned(),
        account: Some("Acme Orders".to_owned()),
        label: "Continue to Slack".to_owned(),
        href: Href::new(href).unwrap(),
    }
}

pub(super) fn device() -> DevicePage {
    DevicePage {
        heading: "Connect Warehouse".to_owned(),
        account: Some("Acme Orders".to_owned()),
        text: "Sign in to Warehouse and enter this code.".to_owned(),
        code: "WDJB-MJHT".to_owned(),
        verification: Href::new("https://warehouse.example.com/device").unwrap(),
        refresh_seconds: Some(5),
        check: Href::new("/connect/abc/device").unwrap(),
        pause: Some(Href::new("/connect/abc/device?wait=no").unwrap()),
    }
}

/// Every page by name.
pub(super) fn all() -> Vec<(&'static str, String)> {
    let mut forwarding = form();
    forwarding.fields.clear();
    forwarding.submit = "Continue to Slack".to_owned();
    vec![
        ("form", html(&form())),
        ("form_refused", html(&refused())),
        ("form_without_fields", html(&forwarding)),
        ("choice", html(&choice(None))),
        ("choice_refused", html(&choice(Some("Choose a workspace")))),
        ("done", html(&done())),
        ("problem", html(&problem())),
        ("leaving", html(&leaving())),
        ("device", html(&device())),
    ]
}
