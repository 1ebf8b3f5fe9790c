//! Figures, and the table made of them.

use std::fmt::Write as _;

use serde::Serialize;

/// A bar: what must be reached, what is aimed at, and in which direction.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Bar {
    pub(crate) must: f64,
    pub(crate) aim: f64,
    /// Whether more is better.
    pub(crate) more: bool,
}

impl Bar {
    pub(crate) const fn at_least(must: f64, aim: f64) -> Self {
        let more = true;
        Self { must, aim, more }
    }

    pub(crate) const fn at_most(must: f64, aim: f64) -> Self {
        let more = false;
        Self { must, aim, more }
    }

    fn word(self, value: f64) -> &'static str {
        let reached = |bound| {
            if self.more {
                value >= bound
            } else {
                value <= bound
            }
        };
        if reached(self.aim) {
            "aim"
        } else if reached(self.must) {
            "met"
        } else {
            "MISSED"
        }
    }
}

/// One figure over all rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// The bar's name.
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) bar: Option<Bar>,
    /// Of each round: what the bar is about.
    pub(crate) values: Vec<f64>,
    /// Of each round, as an order of magnitude: what was divided or subtracted.
    pub(crate) ours: Vec<f64>,
    pub(crate) peer: Vec<f64>,
    /// Rounds before or after which the machine was busy with something else.
    pub(crate) disturbed: usize,
}

impl Figure {
    pub(crate) fn new(id: &str, what: impl Into<String>, unit: &'static str, bar: Bar) -> Self {
        Self {
            id: id.to_owned(),
            what: what.into(),
            unit,
            bar: Some(bar),
            values: Vec::new(),
            ours: Vec::new(),
            peer: Vec::new(),
            disturbed: 0,
        }
    }

    /// A figure that no bar is about.
    pub(crate) fn note(id: &str, what: impl Into<String>, unit: &'static str) -> Self {
        let bar = Bar::at_least(0.0, 0.0);
        Self {
            bar: None,
            ..Self::new(id, what, unit, bar)
        }
    }

    /// Ours divided by the peer's, of one round.
    pub(crate) fn ratio(&mut self, ours: f64, peer: f64) {
        self.values.push(ours / peer);
        self.ours.push(ours);
        self.peer.push(peer);
    }

    /// The other way round, of one round.
    pub(crate) fn ratio_to(&mut self, peer: f64, ours: f64) {
        self.values.push(peer / ours);
        self.ours.push(ours);
        self.peer.push(peer);
    }

    /// Ours minus the other, of one round.
    pub(crate) fn difference(&mut self, ours: f64, other: f64) {
        self.values.push(ours - other);
        self.ours.push(ours);
        self.peer.push(other);
    }

    /// A value of one round that stands for itself.
    pub(crate) fn value(&mut self, value: f64) {
        self.values.push(value);
    }

    fn cells(&self) -> [String; 8] {
        let middle = median(&self.values);
        let bound = |value: fn(Bar) -> f64| self.bar.map_or("-".into(), |bar| short(value(bar)));
        let met = self.bar.map_or("-", |bar| bar.word(middle)).to_owned();
        let disturbed = match self.disturbed {
            0 => String::new(),
            n => format!(" ({n} of {} rounds disturbed)", self.values.len()),
        };
        let low = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self
            .values
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let sides = if self.ours.is_empty() {
            "-".to_owned()
        } else {
            format!(
                "{} : {}",
                short(median(&self.ours)),
                short(median(&self.peer))
            )
        };
        [
            self.id.clone(),
            self.what.clone(),
            format!("{} {}", short(middle), self.unit).trim().to_owned(),
            format!("{}–{}", short(low), short(high)),
            bound(|bar| bar.must),
            bound(|bar| bar.aim),
            format!("{met}{disturbed}"),
            sides,
        ]
    }
}

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// Three figures or so.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The figures as a Markdown table.
pub(crate) fn table(figures: &[Figure]) -> String {
    let heads = [
        "bar",
        "what",
        "median",
        "range",
        "must",
        "aim",
        "reached",
        "ours : peer",
    ];
    let mut text = format!(
        "| {} |\n|{}\n",
        heads.join(" | "),
        "---|".repeat(heads.len())
    );
    for figure in figures {
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {} |", figure.cells().join(" | "));
    }
    text
}
