//! From what a use case answers to a page.

use axum::response::Response;
use http::StatusCode;
use marquetry_app::connect::Next;
use marquetry_app::connect::page::{FieldView, LinkView};
use marquetry_app::connectors::provisions::Input;
use marquetry_app::connectors::{Field, FieldKind};
use marquetry_model::{Error, Loc};

use super::{found, options};
use crate::pages::{
    self, ChoicePage, DevicePage, DonePage, FormPage, Hidden, Href, LeavingPage, PageField,
    PageOption, ProblemPage,
};

/// What comes next, where that is a page of ours.
pub(super) fn next(next: &Next) -> Response {
    let html = match next {
        Next::Provider(url) => return found(url),
        Next::Choose(choice) => pages::html(&ChoicePage {
            heading: format!("Connect {}", choice.title),
            account: None,
            question: choice.question.clone(),
            action: "/link/choose".to_owned(),
            hidden: Hidden {
                name: "token".to_owned(),
                value: choice.token.clone(),
            },
            options: options(choice),
            error: None,
        }),
        Next::Device(code) => {
            let check = format!("/link/device/{}", code.token);
            let (Some(verification), Some(check)) =
                (Href::new(&code.verification_url), Href::new(check))
            else {
                return problem(&Error::conflict(
                    "device",
                    format!("{} gave an address that is none", code.title),
                ));
            };
            pages::html(&DevicePage {
                heading: format!("Connect {}", code.title),
                account: None,
                text: format!(
                    "Open the page of {} and enter this code there. This page goes on by itself.",
                    code.title
                ),
                code: code.user_code.clone(),
                verification,
                refresh_seconds: u32::try_from(code.interval_s).ok(),
                check,
                pause: None,
            })
        }
        Next::Done(done) => pages::html(&DonePage {
            heading: format!("{} is connected", done.title),
            account: None,
            text: "You can close this window.".to_owned(),
            connector: done.connector.clone(),
            can_close: true,
        }),
    };
    pages::page(StatusCode::OK, html, &[])
}

/// On to the provider, as the answer to a form.
pub(super) fn leaving(title: &str, url: &str) -> Response {
    let Some(href) = Href::new(url) else {
        return problem(&Error::conflict(
            "definition",
            format!("the address of {title} is none that a browser opens"),
        ));
    };
    let html = pages::html(&LeavingPage {
        heading: format!("Continuing to {title}"),
        account: None,
        label: format!("Continue to {title}"),
        href,
    });
    pages::page(StatusCode::OK, html, &[])
}

/// The form of a link, with what was entered and what is wrong with it.
pub(super) fn form(view: &LinkView, token: &str, input: &Input, error: Option<&Error>) -> Response {
    let faults = match error {
        Some(Error::Invalid(faults)) => faults.as_slice(),
        _ => &[],
    };
    let of_field = |name: &str| {
        let found = faults
            .iter()
            .find(|it| it.loc.last() == Some(&Loc::Name(name.to_owned().into())));
        found.map(|it| it.message.clone())
    };
    let fields: Vec<PageField> = view
        .fields
        .iter()
        .map(|it| page_field(it, input, of_field(&it.field.name)))
        .collect();
    let whole = faults.iter().find(|it| {
        let name = it.loc.last();
        !view
            .fields
            .iter()
            .any(|f| name == Some(&Loc::Name(f.field.name.clone().into())))
    });
    let submit = if view.consent {
        format!("Continue to {}", view.title)
    } else {
        "Connect".to_owned()
    };
    let html = pages::html(&FormPage {
        heading: format!("Connect {}", view.title),
        account: Some(view.account.clone()),
        intro: view.help.clone(),
        action: format!("/link/{token}"),
        fields,
        error: whole.map(|it| it.message.clone()),
        submit,
    });
    let status = if error.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    pages::page(status, html, &[])
}

fn page_field(view: &FieldView, input: &Input, error: Option<String>) -> PageField {
    let Field {
        name,
        label,
        required,
        help,
        placeholder,
        secret,
        kind,
        options,
        ..
    } = &view.field;
    let entered = input.get(name).cloned().flatten();
    let value = if *secret {
        String::new()
    } else {
        entered.unwrap_or_else(|| view.value.clone())
    };
    let kind = match (kind, secret) {
        (FieldKind::Multiline | FieldKind::Json, true) => pages::FieldKind::SecretMultiline,
        (FieldKind::Multiline | FieldKind::Json, false) => pages::FieldKind::Multiline,
        (FieldKind::Select, _) => pages::FieldKind::Select,
        (_, true) => pages::FieldKind::Password,
        (FieldKind::Url, false) => pages::FieldKind::Url,
        (FieldKind::Number, false) => pages::FieldKind::Number,
        (FieldKind::Text | FieldKind::Host, false) => pages::FieldKind::Text,
    };
    let options = options.iter().map(|option| PageOption {
        selected: option.value == value,
        value: option.value.clone(),
        label: option.label.clone(),
    });
    PageField {
        name: name.clone(),
        label: if label.is_empty() {
            name.clone()
        } else {
            label.clone()
        },
        kind,
        required: *required,
        help: help.clone(),
        placeholder: placeholder.clone(),
        options: options.collect(),
        value,
        error,
    }
}

/// Why it does not go on.
pub(super) fn problem(error: &Error) -> Response {
    let (status, heading, text, remedy) = match error {
        Error::NotFound { .. } => (
            StatusCode::NOT_FOUND,
            "This link does not work",
            "It has ended, was revoked, or was used already.".to_owned(),
            Some("Ask whoever sent it to you for another one."),
        ),
        // What it says is for the administrator, who sees it where the link is made.
        Error::Conflict {
            code: "not_provisioned",
            ..
        } => (
            StatusCode::CONFLICT,
            "This did not work",
            "It is not set up yet.".to_owned(),
            Some("Ask whoever sent you the link to finish the set-up, and open it again then."),
        ),
        Error::Conflict { message, .. } => (
            StatusCode::CONFLICT,
            "This did not work",
            message.clone(),
            None,
        ),
        // The names of fields are for programs.
        Error::Invalid(faults) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "This did not work",
            faults
                .iter()
                .map(|it| it.message.as_str())
                .collect::<Vec<_>>()
                .join("; "),
            None,
        ),
        Error::RateLimited { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "Please try again",
            error.to_string(),
            None,
        ),
        Error::Unauthenticated | Error::Forbidden => (
            StatusCode::FORBIDDEN,
            "This is not allowed",
            error.to_string(),
            None,
        ),
        Error::Unavailable { .. } | Error::Internal(_) => {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "a connect page failed"
            );
            (
                if error.is_retryable() {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::INTERNAL_SERVER_ERROR
                },
                "Something went wrong",
                "This is not your fault.".to_owned(),
                Some("Try again in a moment."),
            )
        }
    };
    let html = pages::html(&ProblemPage {
        heading: heading.to_owned(),
        account: None,
        text,
        remedy: remedy.map(str::to_owned),
        retry: None,
    });
    pages::page(status, html, &[])
}
