//! The table of languages.

use marquetry_manifest::Language;

/// One language: what it needs, and how its package managers are told where to put things.
#[derive(Debug)]
pub struct Toolchain {
    /// The language.
    pub language: Language,
    /// The program without which nothing of the language works.
    pub needs: Program,
    /// Further programs that its integrations commonly use; builds say when one is missing.
    pub usual: &'static [Program],
    /// The program whose version a manifest's `base` means, where that is one of ours.
    pub versioned: Option<&'static str>,
    /// Variables of builds, of every language: caches outlive the build, so they must be kept
    /// out of the artifact.
    pub(super) build: &'static [Variable],
    /// Variables of builds and runs of this language: what points to packages in the artifact.
    pub(super) both: &'static [Variable],
    /// Folders of programs that packages bring, before the system's on `PATH`.
    pub(super) bins: &'static [&'static str],
    /// Variable that names the installation, and the program that lies in its `bin` or in itself.
    pub(super) home: Option<(&'static str, &'static str)>,
    /// Shell text that makes the language's usual names of programs, once, in the manifest's folder
    /// and with its variables.
    pub(crate) names: Option<&'static str>,
    /// Shell text before the build command, in the same process.
    pub(crate) before: Option<&'static str>,
}

/// A program of a toolchain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its name on `PATH`.
    pub name: &'static str,
    /// Arguments that make it tell its version; empty where asking is slow or leaves files behind.
    pub ask: &'static [&'static str],
    /// How to get it.
    pub install: &'static str,
}

/// A name and a value in which `{cache}` stands for the integration's package cache and
/// `{results}` for a folder in the artifact.
pub(super) type Variable = (&'static str, &'static str);

const fn program(
    name: &'static str,
    ask: &'static [&'static str],
    install: &'static str,
) -> Program {
    Program { name, ask, install }
}

/// The row of a language.
pub fn toolchain(language: Language) -> &'static Toolchain {
    TOOLCHAINS
        .iter()
        .find(|row| row.language == language)
        .expect("every language has a row; a test says so")
}

const VERSION: &[&str] = &["--version"];
const JAVA: Program = program("java", &["-version"], "on Debian: default-jdk-headless");
const MAVEN: Program = program("mvn", VERSION, "on Debian: maven");
const GRADLE: Program = program("gradle", &[], "on Debian: gradle; ./gradlew needs none");

/// Python's `python` and `pip`, where the machine has them under their long names only.
const PYTHON_NAMES: &str = r#"
shim() { mkdir -p "$PYTHONUSERBASE/bin" && printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$PYTHONUSERBASE/bin/$1" && chmod +x "$PYTHONUSERBASE/bin/$1"; }
command -v python >/dev/null || shim python python3
command -v pip >/dev/null || { command -v pip3 >/dev/null && shim pip pip3; } || { python3 -c 'import pip' 2>/dev/null && shim pip 'python3 -m pip'; } || true
"#;

/// Clojure's tools look for Maven's cache below the user's home only.
const CLOJURE_CACHE: &str = r#"mkdir -p "$LEIN_HOME/m2" && ln -sfn "$LEIN_HOME/m2" "$HOME/.m2"; "#;

/// All languages, in the order in which they are listed for people.
pub const TOOLCHAINS: &[Toolchain] = &[
    Toolchain {
        language: Language::Node,
        needs: program("node", VERSION, "on Debian: nodejs"),
        usual: &[
            program("npm", VERSION, "on Debian: npm, or with Node itself"),
            program("yarn", VERSION, "npm install -g yarn"),
            program("pnpm", VERSION, "npm install -g pnpm"),
        ],
        versioned: Some("node"),
        build: &[
            ("npm_config_cache", "{cache}/npm"),
            ("npm_config_fund", "false"),
            ("npm_config_update_notifier", "false"),
            ("YARN_CACHE_FOLDER", "{cache}/yarn"),
            ("YARN_GLOBAL_FOLDER", "{cache}/yarn-berry"),
            ("YARN_ENABLE_TELEMETRY", "0"),
            ("PNPM_HOME", "{cache}/pnpm"),
            ("COREPACK_ENABLE_DOWNLOAD_PROMPT", "0"),
        ],
        both: &[
            ("npm_config_prefix", "{results}/npm"),
            ("npm_config_update_notifier", "false"),
            ("COREPACK_HOME", "{results}/corepack"),
        ],
        bins: &["npm/bin"],
        home: None,
        names: None,
        before: None,
    },
    Toolchain {
        language: Language::Python,
        needs: program("python3", VERSION, "on Debian: python3"),
        usual: &[
            program("pip3", VERSION, "on Debian: python3-pip and python3-venv"),
            program("pipenv", VERSION, "on Debian: pipenv"),
            program("poetry", VERSION, "on Debian: python3-poetry"),
        ],
        versioned: Some("python3"),
        build: &[
            ("PIP_CACHE_DIR", "{cache}/pip"),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            ("PIP_NO_INPUT", "1"),
            ("PIP_NO_WARN_SCRIPT_LOCATION", "1"),
            ("PIPENV_CACHE_DIR", "{cache}/pipenv"),
            ("PIPENV_NOSPIN", "1"),
            ("POETRY_CACHE_DIR", "{cache}/poetry"),
            ("POETRY_NO_INTERACTION", "1"),
            ("UV_CACHE_DIR", "{cache}/uv"),
            ("UV_LINK_MODE", "copy"),
        ],
        both: &[
            ("PYTHONUSERBASE", "{results}/python"),
            ("PIPENV_VENV_IN_PROJECT", "1"),
            ("POETRY_VIRTUALENVS_IN_PROJECT", "true"),
        ],
        bins: &["python/bin"],
        home: None,
        names: Some(PYTHON_NAMES),
        before: None,
    },
    Toolchain {
        language: Language::Ruby,
        needs: program(
            "ruby",
            VERSION,
            "on Debian: ruby; gems in C need ruby-dev and build-essential",
        ),
        usual: &[
            program("bundle", VERSION, "on Debian: bundler"),
            program("gem", VERSION, "comes with Ruby"),
        ],
        versioned: Some("ruby"),
        build: &[
            ("BUNDLE_USER_CACHE", "{cache}/bundler"),
            ("BUNDLE_GLOBAL_GEM_CACHE", "true"),
            ("GEM_SPEC_CACHE", "{cache}/gem-specs"),
        ],
        both: &[("GEM_HOME", "{results}/gems")],
        bins: &["gems/bin"],
        home: None,
        names: None,
        before: None,
    },
    Toolchain {
        language: Language::Php,
        needs: program(
            "php",
            VERSION,
            "on Debian: php-cli, and php-curl, php-mbstring, php-xml and the like",
        ),
        usual: &[program("composer", VERSION, "on Debian: composer")],
        versioned: Some("php"),
        build: &[
            ("COMPOSER_HOME", "{cache}/composer/home"),
            ("COMPOSER_CACHE_DIR", "{cache}/composer/files"),
            ("COMPOSER_NO_INTERACTION", "1"),
        ],
        both: &[],
        bins: &[],
        home: None,
        names: None,
        before: None,
    },
    Toolchain {
        language: Language::Go,
        needs: program("go", &["version"], "on Debian: golang-go"),
        usual: &[],
        versioned: Some("go"),
        build: &[
            ("GOMODCACHE", "{cache}/go-mod"),
            ("GOCACHE", "{cache}/go-build"),
            ("GOTELEMETRY", "off"),
        ],
        both: &[("GOBIN", "{results}/bin")],
        bins: &["bin"],
        home: None,
        names: None,
        before: None,
    },
    Toolchain {
        language: Language::Java,
        needs: JAVA,
        usual: &[
            program("javac", &["-version"], "on Debian: default-jdk-headless"),
            MAVEN,
            GRADLE,
        ],
        versioned: Some("java"),
        build: &[
            ("MAVEN_OPTS", "-Dmaven.repo.local={cache}/m2"),
            ("MAVEN_USER_HOME", "{cache}/maven"),
            ("GRADLE_USER_HOME", "{cache}/gradle"),
            ("GRADLE_OPTS", "-Dorg.gradle.daemon=false"),
        ],
        both: &[],
        bins: &[],
        home: Some(("JAVA_HOME", "java")),
        names: None,
        before: None,
    },
    Toolchain {
        language: Language::Kotlin,
        needs: JAVA,
        usual: &[
            program(
                "kotlinc",
                &["-version"],
                "on Debian: kotlin; Maven and Gradle bring their own",
            ),
            MAVEN,
            GRADLE,
        ],
        versioned: Some("kotlinc"),
        build: &[],
        both: &[],
        bins: &[],
        home: Some(("JAVA_HOME", "java")),
        names: None,
        before: None,
    },
    Toolchain {
        language: Language::Clojure,
        needs: JAVA,
        usual: &[
            program("lein", &[], "on Debian: leiningen"),
            program(
                "clojure",
                &[],
                "the Clojure CLI; Debian's package clojure knows no -M and -X",
            ),
        ],
        versioned: None,
        build: &[
            ("LEIN_HOME", "{cache}/lein"),
            ("CLJ_CONFIG", "{cache}/clojure"),
            ("GITLIBS", "{cache}/gitlibs"),
        ],
        both: &[],
        bins: &[],
        home: Some(("JAVA_HOME", "java")),
        names: None,
        before: Some(CLOJURE_CACHE),
    },
    Toolchain {
        language: Language::Dotnet,
        needs: program(
            "dotnet",
            VERSION,
            "the .NET SDK, unpacked below /usr or /opt; Debian has no package of its own",
        ),
        usual: &[],
        versioned: Some("dotnet"),
        build: &[
            ("NUGET_PACKAGES", "{cache}/nuget/packages"),
            ("NUGET_HTTP_CACHE_PATH", "{cache}/nuget/http"),
            ("DOTNET_SKIP_FIRST_TIME_EXPERIENCE", "1"),
            ("MSBUILDDISABLENODEREUSE", "1"),
        ],
        both: &[("DOTNET_CLI_TELEMETRY_OPTOUT", "1"), ("DOTNET_NOLOGO", "1")],
        bins: &[],
        home: Some(("DOTNET_ROOT", "dotnet")),
        names: None,
        before: None,
    },
    Toolchain {
        language: Language::Rust,
        needs: program(
            "cargo",
            VERSION,
            "on Debian: cargo and build-essential; rustup's lie in ~/.rustup/toolchains",
        ),
        usual: &[
            program("rustc", VERSION, "comes with cargo"),
            program("cc", VERSION, "on Debian: build-essential"),
        ],
        versioned: Some("cargo"),
        build: &[("CARGO_HOME", "{cache}/cargo"), ("CARGO_INCREMENTAL", "0")],
        both: &[("CARGO_INSTALL_ROOT", "{results}")],
        bins: &["bin"],
        home: None,
        names: None,
        before: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_one_row() {
        for language in Language::ALL {
            let rows = TOOLCHAINS.iter().filter(|row| row.language == language);
            assert_eq!(rows.count(), 1, "{language}");
            assert_eq!(toolchain(language).language, language);
        }
    }

    #[test]
    fn what_is_versioned_can_be_asked() {
        for row in TOOLCHAINS {
            let mut all = std::iter::once(&row.needs).chain(row.usual);
            assert!(!row.needs.ask.is_empty(), "{}", row.language);
            if let Some(name) = row.versioned {
                let program = all.find(|one| one.name == name);
                assert!(program.is_some_and(|one| !one.ask.is_empty()), "{name}");
            }
        }
    }

    #[test]
    fn no_variable_is_said_twice_for_builds() {
        let mut names: Vec<&str> = TOOLCHAINS
            .iter()
            .flat_map(|row| row.build)
            .map(|&(name, _)| name)
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn caches_stay_out_of_runs() {
        let mut both = TOOLCHAINS.iter().flat_map(|row| row.both);
        assert!(both.all(|(_, value)| !value.contains("{cache}")));
    }
}
