//! Text from elsewhere, made harmless for a terminal.

/// Replaces control characters: what an integration logs could otherwise move the cursor, rewrite
/// lines above or rename the window. Line ends, tabs and colours (`ESC [ … m`) stay.
pub(crate) fn safe(text: &str) -> String {
    let mut tame = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(length) = colour(rest) {
            tame.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        match next {
            '\n' | '\t' => tame.push(next),
            '\r' if rest[1..].starts_with('\n') => {}
            _ if next.is_control() => tame.push('\u{fffd}'),
            _ => tame.push(next),
        }
        rest = &rest[next.len_utf8()..];
    }
    tame
}

/// The length of the colour sequence that `text` starts with.
fn colour(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\u{1b}[")?;
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    body[end..].starts_with('m').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn colours_stay_and_commands_go() {
        assert_eq!(safe("\u{1b}[1;31mred\u{1b}[0m"), "\u{1b}[1;31mred\u{1b}[0m");
        assert_eq!(safe("\u{1b}]0;title\u{7}"), "\u{fffd}]0;title\u{fffd}");
        assert_eq!(safe("\u{1b}[31"), "\u{fffd}[31");
        assert_eq!(safe("50%\r100%"), "50%\u{fffd}100%");
        assert_eq!(safe("dos\r\nunix\n\ttab ä\0"), "dos\nunix\n\ttab ä\u{fffd}");
        assert_eq!(safe("\u{9b}2J"), "\u{fffd}2J");
    }
}
