//! Types as the tables write them: `integer|null`, `[Tenant]`, `object`.

use std::collections::BTreeMap;

use super::Type;

type Types = BTreeMap<String, Type>;

/// Whether what is found is what is wanted: the same alternatives, but that `any` and `-` take
/// everything, a text may be one of a list of words, and any object a known one.
pub(super) fn fits((wanted, known): (&str, &Types), (found, types): (&str, &Types)) -> bool {
    if matches!(wanted, "any" | "-") {
        return true;
    }
    let (wanted, found) = (parts(wanted), parts(found));
    let same_size = wanted.len() == found.len();
    same_size
        && wanted.iter().all(|wanted| {
            let mut found = found.iter();
            found.any(|found| part_fits((wanted, known), (found, types)))
        })
}

fn part_fits((wanted, known): (&str, &Types), (found, types): (&str, &Types)) -> bool {
    if let (Some(wanted), Some(found)) = (item(wanted), item(found)) {
        return fits((wanted, known), (found, types));
    }
    let (wanted_words, found_words) = (words(wanted, known), words(found, types));
    if wanted_words.is_some() || (wanted == "string" && found_words.is_some()) {
        return wanted == "string" || wanted_words == found_words;
    }
    let is_object = |name: &str| matches!(types.get(name), Some(Type::Object(_)));
    wanted == found || (wanted == "object" && is_object(found))
}

fn item(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

/// The words of a type that is a list of them: a named one, or `(a, b)`.
fn words(text: &str, types: &Types) -> Option<String> {
    if let Some(Type::Words(words)) = types.get(text) {
        return Some(format!("({})", words.join(", ")));
    }
    text.starts_with('<')
        .then(|| format!("({})", text.trim_matches(['<', '>'])))
}

/// The alternatives; those inside of lists stay together.
fn parts(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (place, letter) in text.char_indices() {
        match letter {
            '[' | '<' => depth += 1,
            ']' | '>' => depth -= 1,
            '|' if depth == 0 => {
                found.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found
}
