//! Every function of the store is called in a contract test.

use crate::findings::Findings;
use crate::repository::Repository;
use crate::rust_text::{code, is_name, names, without_comments};

const SOURCES: &str = "crates/store/src/";
const TESTS: &str = "crates/store/tests/";
const FUNCTION: &str = "pub async fn ";

/// Looks for `module::function` in the contract tests, for each public function that takes a
/// transaction. Tests write it in this form, so that a reader can look for it too.
pub(crate) fn run(repository: &Repository) -> anyhow::Result<Findings> {
    let mut tests = String::new();
    for file in repository.files_under(TESTS, ".rs") {
        tests.push_str(&without_comments(
            &repository.text(file)?.unwrap_or_default(),
        ));
        tests.push('\n');
    }
    let mut findings = Findings::default();
    let mut count = 0;
    for file in repository.files_under(SOURCES, ".rs") {
        let source = code(&repository.text(file)?.unwrap_or_default());
        for function in functions_with_transaction(&source) {
            count += 1;
            let calls = calls_of(file, function);
            if !calls.iter().any(|call| names(&tests, call)) {
                let call = calls.first().map_or(function, String::as_str);
                findings.fail(format!("{file}: no test in {TESTS} calls {call}"));
            }
        }
    }
    findings.looked_at = format!("{count} store functions");
    Ok(findings)
}

/// The names of the public async functions whose signature has a `&mut Tx`.
fn functions_with_transaction(source: &str) -> impl Iterator<Item = &str> {
    source.split(FUNCTION).skip(1).filter_map(|rest| {
        let signature = rest.split(['{', ';']).next().unwrap_or_default();
        let name = signature
            .split(|character| !is_name(character))
            .next()
            .unwrap_or_default();
        takes_transaction(signature).then_some(name)
    })
}

fn takes_transaction(signature: &str) -> bool {
    signature.split("mut ").skip(1).any(|rest| {
        let path = rest
            .split(|character| !is_name(character) && character != ':')
            .next();
        path.and_then(|path| path.rsplit("::").next()) == Some("Tx")
    })
}

/// How a test may call the function of this file: by the file's module, or, where the folder
/// passes its files' functions on, by the folder's.
fn calls_of(file: &str, function: &str) -> Vec<String> {
    let module = file
        .strip_prefix(SOURCES)
        .unwrap_or(file)
        .trim_end_matches(".rs");
    let module = if module == "lib" {
        "marquetry_store"
    } else {
        module
    };
    let parts = module.split('/').rev().filter(|part| *part != "mod");
    parts.map(|part| format!("{part}::{function}")).collect()
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::repository::fixture::repository;

    const RUNS: &str = "
        pub async fn claim(
            tx: &mut Tx<'_>,
            now: Timestamp,
        ) -> Result<Vec<Run>> {}
        pub async fn find(tx: &mut crate::Tx, id: RunId) -> Result<Option<Run>> {}
        pub async fn open(path: &Path) -> Result<Store> {}
        pub(crate) async fn inner(tx: &mut Tx) {}
        #[cfg(test)]
        mod tests { pub async fn only_here(tx: &mut Tx) {} }
    ";

    #[test]
    fn a_function_without_a_test_is_named() {
        let (_folder, project) = repository(&[
            ("crates/store/src/runs.rs", RUNS),
            (
                "crates/store/tests/runs.rs",
                "// runs::find(tx)\nruns::claim(tx, now).await?;",
            ),
        ]);
        let findings = run(&project).unwrap();
        assert_eq!(findings.looked_at, "2 store functions");
        assert_eq!(
            findings.failures,
            ["crates/store/src/runs.rs: no test in crates/store/tests/ calls runs::find"]
        );
    }

    #[test]
    fn all_named_is_fine() {
        let (_folder, project) = repository(&[
            ("crates/store/src/runs.rs", RUNS),
            (
                "crates/store/tests/contract/runs.rs",
                "runs::claim(tx); store::runs::find(tx, id);",
            ),
        ]);
        assert!(run(&project).unwrap().failures.is_empty());
    }

    #[test]
    fn a_folder_may_pass_its_functions_on() {
        let source = "pub async fn claim<'a>(tx: &'a mut Tx) {}";
        let (_folder, project) = repository(&[
            ("crates/store/src/runs/claims.rs", source),
            (
                "crates/store/src/triggers/mod.rs",
                "pub async fn insert(tx: &mut Tx) {}",
            ),
            (
                "crates/store/tests/all.rs",
                "runs::claim(tx); triggers::insert(tx)",
            ),
        ]);
        let findings = run(&project).unwrap();
        assert_eq!(findings.looked_at, "2 store functions");
        assert!(findings.failures.is_empty());
    }
}
