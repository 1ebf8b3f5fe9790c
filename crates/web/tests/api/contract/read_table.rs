//! From a table to what it says.

use super::{Field, Operation, Surface, Type};

/// Reads a table and adds it to what is known.
pub(super) fn read(text: &str, surface: &mut Surface) {
    for block in text.split("\n\n") {
        let mut lines = block.lines().filter(|line| !line.starts_with('#'));
        let Some(head) = lines.next() else { continue };
        let words: Vec<&str> = head.split_whitespace().collect();
        match words[..] {
            ["type", name] if !name.ends_with(':') => {
                let fields = lines.map(field).collect();
                let known = surface.types.insert(name.to_owned(), Type::Object(fields));
                assert!(known.is_none(), "{name} stands twice");
            }
            ["type", name, "+"] => {
                let Some(Type::Object(fields)) = surface.types.get_mut(name) else {
                    panic!("{name} is not known")
                };
                fields.extend(lines.map(field));
            }
            ["type", ..] => {
                let (name, words) = head["type ".len()..].split_once(": ").unwrap();
                let words = words.split(", ").map(str::to_owned).collect();
                surface.types.insert(name.to_owned(), Type::Words(words));
            }
            [method, path, name, ref plus @ ..] => {
                let route = format!("{method} {path}");
                let one = surface.operations.entry(route).or_default();
                assert_eq!(one.name.is_empty(), plus.is_empty(), "{head}");
                name.clone_into(&mut one.name);
                lines.for_each(|line| part(line, one));
            }
            _ => panic!("{head}"),
        }
    }
}

fn part(line: &str, operation: &mut Operation) {
    let (word, rest) = line.trim().split_once(' ').unwrap();
    match word {
        "path" | "query" | "header" => {
            let (name, parameter) = field(rest);
            operation
                .parameters
                .insert(format!("{word} {name}"), parameter);
        }
        "body" => {
            let (_, body) = field(&format!("body: {rest}"));
            operation.body = Some(body);
        }
        status => {
            operation.answers.insert(status.to_owned(), rest.to_owned());
        }
    }
}

/// `name: type! = default`.
fn field(line: &str) -> (String, Field) {
    let (name, rest) = line.trim().split_once(": ").unwrap();
    let (kind, default) = match rest.split_once(" = ") {
        Some((kind, default)) => (kind, Some(serde_json::from_str(default).unwrap())),
        None => (rest, None),
    };
    let bare = kind.trim_end_matches('!');
    let required = bare != kind;
    let field = Field {
        kind: bare.to_owned(),
        required,
        default,
    };
    (name.to_owned(), field)
}
