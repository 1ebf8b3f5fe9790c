use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

fn masked(secrets: &[&str], parts: &[&str]) -> String {
    let secrets: Vec<String> = secrets.iter().map(|&secret| secret.into()).collect();
    let mut masks = Masks::new(&secrets).unwrap();
    let mut all = Vec::new();
    for part in parts {
        all.extend(masks.push(part.as_bytes()));
    }
    all.extend(masks.finish());
    String::from_utf8(all).unwrap()
}

#[test]
fn every_form_is_found() {
    let secret = "p\u{e4}ss \"w/rd\" 12345";
    let credentials = STANDARD.encode(format!("user:{secret}"));
    let shown = STANDARD.encode("user:");
    for written in [
        secret,
        "p%C3%A4ss%20%22w%2Frd%22%2012345",
        "p%c3%a4ss+%22w%2frd%22+12345".replace('+', "%20").as_str(),
        "p%C3%A4ss+%22w%2Frd%22+12345",
        "p\u{e4}ss \\\"w/rd\\\" 12345",
        "p\\u00e4ss \\\"w/rd\\\" 12345",
        "p\u{e4}ss \\\"w\\/rd\\\" 12345",
        &STANDARD.encode(secret),
        &STANDARD.encode(format!("{secret}\n")),
        &URL_SAFE.encode(secret),
        "70c3a4737320 22772f72642220 3132333435"
            .replace(' ', "")
            .as_str(),
        "70C3A473732022772F726422203132333435",
        &credentials,
    ] {
        let text = masked(&[secret], &["a ", written, " b"]);
        let rest = text.replace("********", "");
        assert!(text.contains("********"), "{written}: {text}");
        assert!(rest.len() < shown.len() + 10, "{written}: {text}");
    }
}

#[test]
fn what_each_language_leaves_in_an_address_is_found() {
    let secret = "abcd/EFGH+ijkl==(1)?\u{e4} x";
    for written in [
        // Python's quote, JavaScript's encodeURIComponent and encodeURI, a form.
        "abcd/EFGH%2Bijkl%3D%3D%281%29%3F%C3%A4%20x",
        "abcd%2FEFGH%2Bijkl%3D%3D(1)%3F%C3%A4%20x",
        "abcd/EFGH+ijkl==(1)?%C3%A4%20x",
        "abcd/EFGH+ijkl==(1)?%c3%a4%20x",
        "abcd%2FEFGH%2Bijkl%3D%3D%281%29%3F%C3%A4+x",
        // PHP's json_encode.
        "abcd\\/EFGH+ijkl==(1)?\\u00e4 x",
    ] {
        assert_eq!(masked(&[secret], &[written]), "********", "{written}");
    }
}

#[test]
fn a_longer_secret_goes_before_a_shorter_one_in_it() {
    let secrets = ["abcdefghij", "cdef"];
    assert_eq!(masked(&secrets, &["abcdef", "ghij!"]), "********!");
    assert_eq!(masked(&secrets, &["abcdef", "x"]), "ab********x");
    assert_eq!(masked(&["cdef", "cdefgh"], &["cdef"]), "********");
}

#[test]
fn secrets_that_overlap_are_all_hidden() {
    let secrets = ["abcdef", "defghi"];
    assert_eq!(masked(&secrets, &["-abcdefghi-"]), "-********-");
    assert_eq!(
        masked(&secrets, &["-abcd", "ef", "gh", "i", "-"]),
        "-********-"
    );
    assert_eq!(masked(&["abcab"], &["abcabcab!"]), "********!");
    assert_eq!(masked(&["abcab"], &["abcab", "cab", "c!"]), "********c!");
    let twice = "****************";
    assert_eq!(masked(&["abcd"], &["ab", "cdab", "cd"]), twice);
}

#[test]
fn work_is_bound_by_what_is_printed() {
    // Each of the long ones goes on from the end of much that the short one is in.
    let long = ["abcd".repeat(1500) + "!", "a".repeat(5000) + "!"];
    let secrets = [long.to_vec(), vec!["abcd".to_owned(), "aaaa".to_owned()]].concat();
    let printed = ["abcd".repeat(1 << 18), "a".repeat(1 << 20)].concat();
    let begun = Instant::now();
    for size in [64 << 10, 1000, 7] {
        let mut masks = Masks::new(&secrets).unwrap();
        let mut kept = 0;
        for part in printed.as_bytes().chunks(size) {
            kept += masks.push(part).len();
        }
        kept += masks.finish().len();
        assert!(kept < 3 * printed.len());
    }
    // A look at the whole tail for each match took minutes of it.
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn what_is_short_is_not_looked_for() {
    assert!(Masks::new(&["abc".into(), String::new()]).is_none());
}

#[test]
fn text_is_not_held_longer_than_it_may_be_a_secret() {
    let mut masks = Masks::new(&["secret".into()]).unwrap();
    assert_eq!(masks.push(b"a line\n"), b"a line\n");
    assert_eq!(masks.push(b"sec"), b"");
    assert_eq!(masks.push(b"ond\n"), b"second\n");
}

#[test]
fn most_of_a_secret_at_the_end_is_not_shown() {
    assert_eq!(masked(&["0123456789"], &["a 01234567"]), "a ********");
    assert_eq!(masked(&["0123456789"], &["a 0123"]), "a 0123");
}

/// The same, of the whole at once and in the plainest way.
fn naive(secrets: &[String], text: &str) -> String {
    let patterns: BTreeSet<Vec<u8>> = secrets
        .iter()
        .flat_map(|secret| secret_forms(secret))
        .collect();
    let text = text.as_bytes();
    let ends = |from: usize| {
        let here = patterns
            .iter()
            .filter(|pattern| text[from..].starts_with(pattern));
        here.map(|pattern| from + pattern.len()).max()
    };
    let (mut out, mut from) = (Vec::new(), 0);
    while from < text.len() {
        let Some(mut end) = ends(from) else {
            out.push(text[from]);
            from += 1;
            continue;
        };
        out.extend_from_slice(MASK);
        while from < end {
            end = end.max(ends(from).unwrap_or(0));
            from += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn each_secret_is_hidden_however_it_is_cut(
        secrets in prop::collection::vec("[ab]{4,7}", 1..5),
        text in "[abc]{0,24}",
        bits in any::<u32>(),
    ) {
        // One that none begins with ends it, so that none is open.
        let text = format!("{text}.");
        let mut masks = Masks::new(&secrets).unwrap();
        let mut parts = Vec::new();
        let mut from = 0;
        for to in 1..=text.len() {
            if to == text.len() || bits >> (to % 32) & 1 == 1 {
                parts.extend(masks.push(&text.as_bytes()[from..to]));
                from = to;
            }
        }
        prop_assert_eq!(String::from_utf8(parts).unwrap(), naive(&secrets, &text));
        prop_assert!(masks.finish().is_empty());
    }

    #[test]
    fn cutting_anywhere_masks_the_same(
        secrets in prop::collection::vec("[ab]{4,7}", 1..4),
        text in "[abc]{0,40}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let mut masks = Masks::new(&secrets).unwrap();
        let mut parts = Vec::new();
        let mut from = 0;
        for to in cuts.into_iter().chain([text.len()]) {
            parts.extend(masks.push(&text.as_bytes()[from..to]));
            from = to;
        }
        // Something other than a secret ends it, so that none is open.
        parts.extend(masks.push(b"."));
        let mut whole = Masks::new(&secrets).unwrap();
        prop_assert_eq!(parts, whole.push(format!("{text}.").as_bytes()));
    }
}

#[test]
fn a_whole_text_keeps_what_only_begins_like_a_secret() {
    let masks = Masks::new(&["production-key".to_owned()]).unwrap();
    assert_eq!(masks.of_text("production"), "production");
    assert_eq!(
        masks.of_text("a production-key, twice production-key"),
        "a ********, twice ********"
    );
    // Each text is a text of its own.
    assert_eq!(masks.of_text("-key"), "-key");
}
