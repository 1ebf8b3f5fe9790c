//! One input of a form.

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// One line.
    Text,
    /// One line that nobody may read over a shoulder.
    Password,
    /// Several lines.
    Multiline,
    /// Several lines that are secret, as a private key is.
    SecretMultiline,
    /// An address.
    Url,
    /// A number.
    Number,
    /// One of the options.
    Select,
}

impl FieldKind {
    /// Whether what was entered is never shown again.
    pub(crate) fn is_secret(self) -> bool {
        matches!(self, Self::Password | Self::SecretMultiline)
    }

    /// The element.
    fn control(self) -> Control {
        match self {
            Self::Text | Self::Password | Self::Url | Self::Number => Control::Line,
            Self::Multiline | Self::SecretMultiline => Control::Lines,
            Self::Select => Control::List,
        }
    }

    /// The `type` of an `input`.
    fn input_type(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Url => "url",
            Self::Number => "number",
            Self::Text | Self::Multiline | Self::SecretMultiline | Self::Select => "text",
        }
    }

    /// A password that the browser keeps for this site is none of another system's, and only
    /// "new-password" keeps browsers from offering it.
    fn autocomplete(self) -> &'static str {
        match self {
            Self::Password => "new-password",
            Self::Text
            | Self::Multiline
            | Self::SecretMultiline
            | Self::Url
            | Self::Number
            | Self::Select => "off",
        }
    }
}

/// The elements that a field can be.
#[derive(PartialEq, Eq)]
pub(super) enum Control {
    Line,
    Lines,
    List,
}

/// One input with all that is said of it.
pub(crate) struct PageField {
    /// The name under which the form sends it.
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) kind: FieldKind,
    pub(crate) required: bool,
    /// How to find what is asked for.
    pub(crate) help: Option<String>,
    pub(crate) placeholder: Option<String>,
    /// What was entered before. Of a secret it is not rendered.
    pub(crate) value: String,
    /// What a select offers.
    pub(crate) options: Vec<PageOption>,
    /// What is wrong with the value.
    pub(crate) error: Option<String>,
}

/// One entry of a select.
pub(crate) struct PageOption {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) selected: bool,
}

impl PageField {
    pub(super) fn control(&self) -> Control {
        self.kind.control()
    }

    pub(super) fn input_type(&self) -> &'static str {
        self.kind.input_type()
    }

    pub(super) fn autocomplete(&self) -> &'static str {
        self.kind.autocomplete()
    }

    /// The only way of the templates to the value.
    pub(super) fn shown(&self) -> &str {
        if self.kind.is_secret() {
            ""
        } else {
            &self.value
        }
    }

    /// Whether the list begins with nothing: else the first option would be sent unread.
    pub(super) fn begins_empty(&self) -> bool {
        !self.options.iter().any(|option| option.selected)
    }

    /// The ids of the texts about the input. Names are no ids, because they may hold spaces.
    pub(super) fn described_by(&self, number: usize) -> String {
        let texts = [("help", &self.help), ("error", &self.error)];
        let ids: Vec<String> = texts
            .iter()
            .filter(|(_, text)| text.is_some())
            .map(|(what, _)| format!("field-{number}-{what}"))
            .collect();
        ids.join(" ")
    }
}
