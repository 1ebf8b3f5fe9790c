//! From the parser's events to the tree, with every bound in force.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::node::{Entry, Node, NodeValue};
use super::prepare::tab_in_indentation;
use super::scalar::{Meaning, Scalar, Style};
use crate::problem::{Place, Report, below, item, shown};

/// Levels of nesting. JSON readers stop at 128, and a manifest's JSON must be read again later.
const DEEPEST: usize = 64;

/// What all aliases of a file may expand to, in bytes.
const ALIAS_LIMIT: usize = 1_000_000;

/// Marks what has been recorded and ends the reading.
struct Stop;

/// The tree of the only document in `text`. Records everything that is wrong; `None` when that
/// leaves no tree to look at.
pub(crate) fn compose(text: &str, report: &mut Report) -> Option<Rc<Node>> {
    let mut composer = Composer {
        report,
        frames: Vec::new(),
        anchors: HashMap::new(),
        expanded: 0,
        root: None,
        documents: 0,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let took = match next {
            Ok((event, span)) => composer.take(event, place(span.start)),
            Err(error) => {
                composer.syntax(text, &error);
                Err(Stop)
            }
        };
        if took.is_err() {
            return None;
        }
    }
    if composer.root.is_none() {
        let message = "the file is empty; a manifest needs `version`, `base`, `build` and `run`";
        report.problem(Place::START, "", message);
        return None;
    }
    composer.root
}

fn place(marker: Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

struct Composer<'a> {
    report: &'a mut Report,
    /// The open sequences and mappings, outermost first.
    frames: Vec<Frame>,
    /// Closed nodes by the parser's number of their anchor.
    anchors: HashMap<usize, Rc<Node>>,
    /// Bytes that aliases have expanded to so far.
    expanded: usize,
    root: Option<Rc<Node>>,
    documents: usize,
}

/// A sequence or mapping that is not closed yet.
struct Frame {
    place: Place,
    anchor: usize,
    filling: Filling,
}

enum Filling {
    Sequence(Vec<Rc<Node>>),
    Mapping(Filled),
}

#[derive(Default)]
struct Filled {
    entries: Vec<Entry>,
    /// The place of each key, to find the second of its name.
    keys: HashMap<Rc<str>, Place>,
    /// What `<<` brings in; a key of the mapping itself goes before.
    merged: Vec<Entry>,
    pending: Pending,
}

/// The key whose value comes next.
#[derive(Default)]
enum Pending {
    #[default]
    None,
    Key(Rc<str>, Place),
    Merge,
    /// A key that has been refused; its value is read and dropped.
    Refused,
}

impl Composer<'_> {
    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), Stop> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => self.document(at),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar {
                    style: self.style(style, tag.as_deref(), at),
                    text: text.into_owned(),
                };
                if scalar.text.contains('\0') {
                    let key = self.path();
                    self.report
                        .problem(at, &key, "a NUL character in a text; remove the escape");
                }
                self.close(Node::new(at, NodeValue::Scalar(scalar)), anchor);
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", at);
                self.open(at, anchor, Filling::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", at);
                self.open(at, anchor, Filling::Mapping(Filled::default()))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let frame = self.frames.pop().expect("the parser pairs starts and ends");
                let value = match frame.filling {
                    Filling::Sequence(items) => NodeValue::Sequence(items),
                    Filling::Mapping(filled) => NodeValue::Mapping(filled.into_entries()),
                };
                self.close(Node::new(frame.place, value), frame.anchor);
                Ok(())
            }
        }
    }

    fn document(&mut self, at: Place) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let message = "a second document starts here; keep one document to a file";
        self.report.problem(at, "", message);
        Err(Stop)
    }

    fn open(&mut self, place: Place, anchor: usize, filling: Filling) -> Result<(), Stop> {
        self.frames.push(Frame {
            place,
            anchor,
            filling,
        });
        self.check_depth(self.frames.len(), place)
    }

    fn check_depth(&mut self, depth: usize, at: Place) -> Result<(), Stop> {
        if depth <= DEEPEST {
            return Ok(());
        }
        let message = format!("nested more than {DEEPEST} levels deep; make it flatter");
        self.report.problem(at, "", message);
        Err(Stop)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            let message = "an alias stands inside of what it refers to; write the value out";
            let key = self.path();
            self.report.problem(at, &key, message);
            return Err(Stop);
        };
        self.expanded = self.expanded.saturating_add(node.weight);
        if self.expanded > ALIAS_LIMIT {
            let key = self.path();
            let message = "the aliases of this file expand to over 1 MB; write less of them";
            self.report.problem(at, &key, message);
            return Err(Stop);
        }
        self.check_depth(self.frames.len() + node.height, at)?;
        self.attach(node, at);
        Ok(())
    }

    /// Takes a finished node: remembers it under its anchor and puts it where it belongs.
    fn close(&mut self, node: Node, anchor: usize) {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let at = node.place;
        self.attach(node, at);
    }

    fn attach(&mut self, node: Rc<Node>, at: Place) {
        match self.frames.last_mut().map(|frame| &mut frame.filling) {
            None => self.root = Some(node),
            Some(Filling::Sequence(items)) => items.push(node),
            Some(Filling::Mapping(_)) => self.attach_to_mapping(node, at),
        }
    }

    /// A mapping takes keys and values in turn.
    fn attach_to_mapping(&mut self, node: Rc<Node>, at: Place) {
        match std::mem::take(&mut self.filled().pending) {
            Pending::None => {
                let pending = self.key(&node, at);
                self.filled().pending = pending;
            }
            Pending::Key(key, key_place) => self.filled().entries.push(Entry {
                key,
                key_place,
                value: node,
            }),
            Pending::Merge => self.merge(&node, at),
            Pending::Refused => {}
        }
    }

    /// The mapping that is being filled.
    fn filled(&mut self) -> &mut Filled {
        match self.frames.last_mut().map(|frame| &mut frame.filling) {
            Some(Filling::Mapping(filled)) => filled,
            Some(Filling::Sequence(_)) | None => unreachable!("asked for inside a mapping only"),
        }
    }

    fn key(&mut self, node: &Node, at: Place) -> Pending {
        let NodeValue::Scalar(scalar) = &node.value else {
            return self.refuse(at, "a key is a list or an object; a key must be text");
        };
        if scalar.text == "<<" && scalar.style == Style::Plain {
            return Pending::Merge;
        }
        if scalar.meaning() != Meaning::Text {
            let message = format!(
                "the key `{}` is {}, not text; write it in quotes",
                shown(&scalar.text),
                node.described()
            );
            return self.refuse(at, &message);
        }
        let key: Rc<str> = Rc::from(scalar.text.as_str());
        if let Some(first) = self.filled().keys.insert(Rc::clone(&key), at) {
            self.filled().keys.insert(Rc::clone(&key), first);
            let path = below(&self.path(), &key);
            let message = format!("given twice, first in line {}; remove one", first.line);
            self.report.problem(at, &path, message);
            return Pending::Refused;
        }
        Pending::Key(key, at)
    }

    fn refuse(&mut self, at: Place, message: &str) -> Pending {
        let path = self.path();
        self.report.problem(at, &path, message);
        Pending::Refused
    }

    /// `<<`: the keys of another mapping, or of several, the first of which goes before.
    fn merge(&mut self, node: &Node, at: Place) {
        let sources: Vec<Option<&[Entry]>> = match node.items() {
            Some(items) => items.iter().map(|item| item.entries()).collect(),
            None => vec![node.entries()],
        };
        for source in sources {
            if let Some(entries) = source {
                self.filled().merged.extend_from_slice(entries);
            } else {
                let path = below(&self.path(), "<<");
                let message = "a merge key takes an object or a list of objects";
                self.report.problem(at, &path, message);
            }
        }
    }

    fn style(&mut self, style: ScalarStyle, tag: Option<&Tag>, at: Place) -> Style {
        let plain = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted
            | ScalarStyle::DoubleQuoted
            | ScalarStyle::Literal
            | ScalarStyle::Folded => Style::Text,
        };
        match tag {
            None => plain,
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Style::Text,
            Some(tag) => {
                self.refuse_tag(tag, at);
                plain
            }
        }
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, fits: &str, at: Place) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && tag.suffix == fits)
        {
            self.refuse_tag(tag, at);
        }
    }

    fn refuse_tag(&mut self, tag: &Tag, at: Place) {
        let path = self.path();
        let message = format!(
            "the tag `{}` has no meaning here; remove it",
            shown(&tag.to_string())
        );
        self.report.problem(at, &path, message);
    }

    fn syntax(&mut self, text: &str, error: &ScanError) {
        let at = place(*error.marker());
        let key = self.path();
        if let Some(tab) = tab_in_indentation(text, at.line) {
            let message = "a tab in the indentation; YAML wants spaces there";
            self.report.problem(tab, &key, message);
        } else {
            let message = format!(
                "not valid YAML: {}; check quotes, colons and indentation from here upwards",
                shown(error.info())
            );
            self.report.problem(at, &key, message);
        }
    }

    /// The dotted path of what is being read.
    fn path(&self) -> String {
        self.frames
            .iter()
            .fold(String::new(), |path, frame| match &frame.filling {
                Filling::Sequence(items) => item(&path, items.len()),
                Filling::Mapping(filled) => match &filled.pending {
                    Pending::Key(key, _) => below(&path, key),
                    Pending::None | Pending::Merge | Pending::Refused => path,
                },
            })
    }
}

impl Filled {
    fn into_entries(mut self) -> Vec<Entry> {
        for entry in self.merged {
            if !self.keys.contains_key(&entry.key) {
                self.keys.insert(Rc::clone(&entry.key), entry.key_place);
                self.entries.push(entry);
            }
        }
        self.entries
    }
}
