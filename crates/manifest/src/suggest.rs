//! "Did you mean" for a mistyped word.

/// Words longer than this are not worth comparing: nothing known is near them.
const LONGEST: usize = 64;

/// The known word that `word` was most likely meant to be, if one is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word)?;
    let (best, distance) = known
        .into_iter()
        .filter_map(|candidate| Some((candidate, distance(&word, &folded(candidate)?))))
        .min_by_key(|&(_, distance)| distance)?;
    let allowed = if word.len() <= 4 { 1 } else { 2 };
    (distance <= allowed).then_some(best)
}

/// ` (did you mean …?)` when something known is near, else nothing; to append to a message.
pub(crate) fn hint(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied())
        .map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}

/// Lower case without the separators people mix up, or `None` when far too long.
fn folded(word: &str) -> Option<Vec<char>> {
    if word.len() > LONGEST {
        return None;
    }
    Some(
        word.chars()
            .filter(|c| !matches!(c, '_' | '-' | ' '))
            .flat_map(char::to_lowercase)
            .collect(),
    )
}

/// The number of single-character insertions, deletions, replacements and swaps of neighbours
/// between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(x != y);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["version", "base", "build", "run", "metadata_schema"];

    #[test]
    fn finds_the_near_word() {
        assert_eq!(nearest("biuld", KNOWN), Some("build"));
        assert_eq!(nearest("Build", KNOWN), Some("build"));
        assert_eq!(nearest("rnu", KNOWN), Some("run"));
        assert_eq!(nearest("bsae", KNOWN), Some("base"));
        assert_eq!(nearest("metadata-schema", KNOWN), Some("metadata_schema"));
        assert_eq!(nearest("metadataSchema", KNOWN), Some("metadata_schema"));
    }

    #[test]
    fn stays_silent_about_far_words() {
        assert_eq!(nearest("schedule", KNOWN), None);
        assert_eq!(nearest("env", KNOWN), None);
        assert_eq!(nearest(&"build".repeat(50), KNOWN), None);
    }

    #[test]
    fn measures_edits() {
        let measure = |a: &str, b: &str| {
            distance(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
            )
        };
        assert_eq!(measure("kitten", "sitting"), 3);
        assert_eq!(measure("rnu", "run"), 1);
        assert_eq!(measure("", "abc"), 3);
        assert_eq!(measure("same", "same"), 0);
    }
}
