//! Whether the machine has the language that a manifest asks for.

use marquetry_manifest::{Base, LastLine};
use marquetry_sandbox::{Network, Status};

use super::command::{Step, run, variables};
use super::manifests::Found;
use super::work::{BuildError, Site};
use crate::step::Layout;
use crate::toolchain::{Program, Toolchain, serves, toolchain, version_in};

/// What was found.
pub(super) struct Checked {
    /// For the build's message: the machine has another version than the manifest asks for.
    pub(super) warning: Option<String>,
    /// Usual programs of the language that this machine does not have.
    missing: Vec<&'static Program>,
    /// Where they were looked for.
    place: String,
    is_image: bool,
}

impl Checked {
    /// What a failed command of the code may have failed for.
    pub(super) fn hint(&self, command: &str) -> Option<String> {
        let named = |program: &&&Program| words(command).any(|word| word == program.name);
        let program = self.missing.iter().find(named)?;
        let place = &self.place;
        Some(if self.is_image {
            format!("{} is not in {place}; choose one that has it", program.name)
        } else {
            format!(
                "{} is not on {place}; install it ({})",
                program.name, program.install
            )
        })
    }
}

/// The words of a shell command, without the folders of programs.
fn words(command: &str) -> impl Iterator<Item = &str> {
    let parts = command.split(|c: char| c.is_whitespace() || ";&|()`\"'".contains(c));
    parts.map(|word| if word == "pip" { "pip3" } else { word })
}

/// Looks for the language's programs in the sandbox, and gives them their usual names. A missing
/// one fails the build with the remedy; another major version is a warning, because the host's
/// own toolchain is what runs.
pub(super) async fn check_toolchain(
    site: &mut Site<'_, '_>,
    found: &Found,
) -> Result<Checked, BuildError> {
    let base = &found.manifest.base;
    let row = toolchain(base.language);
    let step = Step {
        command: &script(row),
        folder: found.folder(),
        what: "looking for the toolchain",
    };
    let mut output = LastLine::new();
    let environment = variables(site, found).await?;
    let status = run(site, step, environment, Network::None, Some(&mut output)).await?;
    refuse(status, base, row, &site.layout)?;
    let line = output.finish().ok().flatten().unwrap_or_default();
    let mut fields = line.split('\t');
    let mut next = || fields.next().unwrap_or_default();
    let (needed, versioned, missing) = (version_in(next()), version_in(next()), next());
    let mut said = with_version(row.needs.name, needed.as_deref());
    if let (Some(name), Some(version)) = (row.versioned, &versioned)
        && name != row.needs.name
    {
        said.extend([", ", &with_version(name, Some(version))]);
    }
    site.log.say(&said);
    let place = site.layout.host_name();
    let warning = differs(base, row, versioned.as_deref(), &place);
    if let Some(warning) = &warning {
        site.log.say(&format!("warning: {warning}"));
    }
    let is_missing = |program: &&Program| missing.split(' ').any(|name| name == program.name);
    Ok(Checked {
        warning,
        missing: row.usual.iter().filter(is_missing).collect(),
        is_image: site.layout.image.is_some(),
        place,
    })
}

fn with_version(name: &str, version: Option<&str>) -> String {
    format!("{name} {}", version.unwrap_or("of unknown version"))
}

/// The exit codes 3 and 4 have a meaning of ours.
fn refuse(status: Status, base: &Base, row: &Toolchain, layout: &Layout) -> Result<(), BuildError> {
    let (needs, written) = (&row.needs, &base.written);
    let place = layout.host_name();
    match status {
        Status::Exited(0) => Ok(()),
        Status::Exited(3) if layout.image.is_some() => Err(BuildError::Source(format!(
            "base {written} needs {}, which {place} does not have; the operator names another with --container-images",
            needs.name
        ))),
        Status::Exited(3) => Err(BuildError::Source(format!(
            "base {written} needs {}, which this machine does not have; install it where the server runs ({}), or name the folder of one that lies elsewhere with --toolchain-path",
            needs.name, needs.install
        ))),
        Status::Exited(_) | Status::Signalled(_) => Err(BuildError::Source(format!(
            "base {written} needs {}, which {place} has and which does not work: `{} {}` failed; the log has its words",
            needs.name,
            needs.name,
            needs.ask.join(" ")
        ))),
    }
}

fn differs(base: &Base, row: &Toolchain, have: Option<&str>, place: &str) -> Option<String> {
    let (wanted, have, program) = (base.version.as_deref()?, have?, row.versioned?);
    (!serves(wanted, have)).then(|| {
        format!(
            "base {} is asked for, and {program} {have} is what {place} has",
            base.written
        )
    })
}

/// Prints what the needed program says, what the one says whose version counts, and the names of
/// missing ones, with tabs between them.
fn script(row: &Toolchain) -> String {
    let needs = row.needs;
    let versioned = row.versioned.unwrap_or_default();
    let asked = std::iter::once(&needs)
        .chain(row.usual)
        .find(|program| program.name == versioned);
    let ask = |program: &Program| format!("{} {}", program.name, program.ask.join(" "));
    let usual: Vec<&str> = row.usual.iter().map(|program| program.name).collect();
    format!(
        r#"command -v {need} >/dev/null 2>&1 || exit 3
line() {{ printf '%s\n' "$1" | grep -v -i -e warning -e '^Picked up' | head -n 1 | tr '\t' ' '; }}
said=$(cd / && {ask_need} 2>&1 </dev/null) || {{ printf '%s\n' "$said" >&2; exit 4; }}
counts=$said
{ask_counts}
{names}
missing=
for one in {usual}; do command -v "$one" >/dev/null 2>&1 || missing="$missing $one"; done
printf '%s\t%s\t%s\n' "$(line "$said")" "$(line "$counts")" "${{missing# }}"
"#,
        need = needs.name,
        ask_need = ask(&needs),
        ask_counts = match asked {
            Some(program) if program.name != needs.name => format!(
                "counts=; if command -v {} >/dev/null 2>&1; then counts=$(cd / && {} 2>&1 </dev/null) || counts=; fi",
                program.name,
                ask(program)
            ),
            Some(_) | None => String::new(),
        },
        names = row.names.unwrap_or_default(),
        usual = usual.join(" "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use marquetry_manifest::Language;

    #[test]
    fn the_hint_names_what_the_command_wanted() {
        let missing = toolchain(Language::Node).usual.iter().collect();
        let checked = Checked {
            warning: None,
            missing,
            place: "this machine".to_owned(),
            is_image: false,
        };
        let hint = checked
            .hint("npm run x;yarn install --frozen-lockfile&&true")
            .unwrap();
        assert!(hint.starts_with("npm is not on this machine"), "{hint}");
        assert_eq!(checked.hint("./yarnless --pnpmx"), None);
    }

    #[test]
    fn another_version_is_said() {
        let said = |written: &str, have| {
            let base = Base::read(written).unwrap();
            differs(&base, toolchain(base.language), have, "this machine")
        };
        let warning = said("node:22", Some("20.20.2")).unwrap();
        assert!(
            warning.contains("base node:22") && warning.contains("node 20.20.2"),
            "{warning}"
        );
        assert_eq!(said("node:20.9.0", Some("20.20.2")), None);
        assert_eq!(said("Node", Some("20.20.2")), None);
        assert_eq!(said("kotlin:2.4.10", None), None, "Gradle brings its own");
        assert_eq!(said("closure:1.11", Some("17")), None);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the shell reads our own text, and starts nothing"
    )]
    fn the_scripts_are_shell() {
        for row in crate::toolchain::TOOLCHAINS {
            let before = row.before.unwrap_or_default();
            let text = format!("{}\n{before}true", script(row));
            let checked = std::process::Command::new("/bin/sh")
                .args(["-n", "-c", &text])
                .status();
            assert!(checked.unwrap().success(), "{text}");
        }
    }
}
