//! As much of Markdown as the check of the documents needs.

/// A document's links, code spans and headings. Blocks of code between fences hold none.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Line number and target.
    pub(super) links: Vec<(usize, String)>,
    /// Line number and text.
    pub(super) code_spans: Vec<(usize, String)>,
    /// What a link may name after `#`.
    pub(super) anchors: Vec<String>,
}

impl Document {
    pub(super) fn read(text: &str) -> Self {
        let mut document = Self::default();
        let mut in_block = false;
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            } else if !in_block {
                document.read_line(index + 1, line);
            }
        }
        document
    }

    fn read_line(&mut self, number: usize, line: &str) {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            self.add_anchor(heading.trim());
        }
        // Between backticks is code, outside are links.
        for (index, part) in line.split('`').enumerate() {
            if index % 2 == 1 {
                self.code_spans.push((number, part.to_owned()));
            }
        }
        for rest in line.split("](").skip(1) {
            if let Some((target, _)) = rest.split_once(')') {
                self.links.push((number, target.to_owned()));
            }
        }
    }

    /// Makes the anchor as the usual renderers do: lower case, spaces to hyphens, letters, digits
    /// and hyphens kept, a number at the end where the heading repeats.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
        let repeats = self
            .anchors
            .iter()
            .filter(|known| **known == anchor)
            .count();
        self.anchors.push(if repeats == 0 {
            anchor
        } else {
            format!("{anchor}-{repeats}")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Document;

    #[test]
    fn reads_links_spans_and_headings() {
        let document = Document::read(
            "# The `run`, in short\n## Notes\n## Notes\n#no heading\n[a](b.md) and [c](d.md#e)\n",
        );
        assert_eq!(document.anchors, ["the-run-in-short", "notes", "notes-1"]);
        assert_eq!(
            document.links,
            [(5, "b.md".to_owned()), (5, "d.md#e".to_owned())]
        );
        assert_eq!(document.code_spans, [(1, "run".to_owned())]);
    }
}
