//! The texts by which secrets are found in a log.

/// The texts themselves, and their lines: whoever prints a text of several lines prints them one by
/// one, indented or not. Lines that frame a key are in every log that has a key in it.
pub(crate) fn with_lines<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut all = Vec::new();
    for text in texts {
        all.push(text.to_owned());
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| *line != text && !line.starts_with("-----"));
        all.extend(lines.map(str::to_owned));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_lines_is_found_by_each() {
        let key = "-----BEGIN KEY-----\r\nfirst-line\r\n\tsecond-line\n-----END KEY-----\n";
        assert_eq!(
            with_lines(["one-text", "one-line\n", key]),
            [
                "one-text",
                "one-line\n",
                "one-line",
                key,
                "first-line",
                "second-line"
            ]
        );
    }
}
