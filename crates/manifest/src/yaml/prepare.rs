//! From bytes to text that may be parsed.

use crate::problem::{Place, Report};

/// The text of a file: UTF-8, without its byte order mark, with no character that YAML forbids and
/// with LF at the end of lines. Records what is wrong and answers `None` otherwise.
pub(crate) fn prepare(bytes: &[u8], report: &mut Report) -> Option<String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        report.problem(Place::START, "", "the file is UTF-16; save it as UTF-8");
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let message = "the file is not UTF-8 from here on; save it as UTF-8";
            report.problem(end_of(&valid), "", message);
            return None;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((at, c)) = text.char_indices().find(|&(_, c)| is_forbidden(c)) {
        let message = if c == '\0' {
            "a NUL character; is this a text file?".to_owned()
        } else {
            format!("the control character U+{:04X}; remove it", u32::from(c))
        };
        report.problem(end_of(&text[..at]), "", message);
        return None;
    }
    // Also lone CR, which YAML counts as the end of a line and editors mostly do not show.
    Some(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn is_forbidden(c: char) -> bool {
    (c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r'))
        || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// The place right after `text`.
fn end_of(text: &str) -> Place {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place {
        line: text.bytes().filter(|&byte| byte == b'\n').count() + 1,
        column: last.trim_start_matches('\u{feff}').chars().count() + 1,
    }
}

/// A tab in the indentation of `line` or of the line before, where the parser stopped; YAML forbids
/// that, and the parser's own words for it are of little help. Lines further up are left alone: a
/// tab may stand at the start of a line of a block of text.
pub(super) fn tab_in_indentation(text: &str, line: usize) -> Option<Place> {
    let lines = text
        .split('\n')
        .enumerate()
        .take(line)
        .skip(line.saturating_sub(2));
    lines
        .filter_map(|(index, content)| {
            let body = content.trim_start_matches([' ', '\t']);
            let indentation = &content[..content.len() - body.len()];
            let tab = indentation.find('\t')?;
            (!body.is_empty() && !body.starts_with('#')).then_some(Place {
                line: index + 1,
                column: tab + 1,
            })
        })
        .last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        let mut report = Report::new("f");
        assert_eq!(prepare(bytes, &mut report), None);
        report.close().unwrap_err()[0].to_string()
    }

    #[test]
    fn says_where_the_bad_bytes_are() {
        assert!(refused(b"a: b\nc: \xe9").starts_with("f:2:4: the file is not UTF-8"));
        assert!(refused("é: \0".as_bytes()).starts_with("f:1:4: a NUL"));
        assert!(refused(b"a\x1b").starts_with("f:1:2: the control character U+001B"));
        assert!(refused(b"\xff\xfea\0").starts_with("f:1:1: the file is UTF-16"));
    }

    #[test]
    fn tolerates_a_mark_and_foreign_line_ends() {
        let mut report = Report::new("f");
        let text = prepare(b"\xef\xbb\xbfa: 1\r\nb: 2\rc: 3", &mut report);
        assert_eq!(text.as_deref(), Some("a: 1\nb: 2\nc: 3"));
    }

    #[test]
    fn finds_the_tab_where_the_parser_stopped() {
        let text = "a:\n \tb: 1\n\t# no\n\t\nc: 2\n\td: 3\n";
        assert_eq!(tab_in_indentation(text, 4), None);
        assert_eq!(
            tab_in_indentation(text, 3),
            Some(Place { line: 2, column: 2 })
        );
        assert_eq!(
            tab_in_indentation(text, 6),
            Some(Place { line: 6, column: 1 })
        );
        assert_eq!(tab_in_indentation(text, 1), None);
    }
}
