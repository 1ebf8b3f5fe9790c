//! Node, Rust, Ruby, PHP and Go.

use marquetry_testkit::skipped;

use super::{Case, outcome, sysroot};

#[tokio::test(flavor = "multi_thread")]
async fn node_with_npm() {
    let case = Case {
        base: "Node:20",
        programs: &["node", "npm"],
        build: "npm install --offline && npm ci --offline && npm install -g --offline ./tool",
        run: "npm start --silent && tool",
        files: &[
            (
                "package.json",
                r#"{"name":"a","version":"1.0.0","scripts":{"start":"node main.js"},"dependencies":{"dep":"file:dep"}}"#,
            ),
            ("dep/package.json", r#"{"name":"dep","version":"1.0.0"}"#),
            ("dep/index.js", "module.exports = 'from dep'"),
            ("main.js", "console.error(require('dep'))"),
            (
                "tool/package.json",
                r#"{"name":"tool","version":"1.0.0","bin":"tool.js"}"#,
            ),
            (
                "tool/tool.js",
                "#!/usr/bin/env node\nconsole.log('from a global tool')",
            ),
        ],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from a global tool");
    }
}

/// The toolchain that built this test, as one of a collection that an operator names.
#[tokio::test(flavor = "multi_thread")]
async fn rust_from_a_folder_of_versions() {
    let Some(sysroot) = sysroot() else {
        return skipped("a test of base rust: rustc does not say where it lies");
    };
    let collection = sysroot.parent().unwrap().display().to_string();
    let case = Case {
        base: "rust:1",
        programs: &["cc"],
        build: "cargo build --offline && cargo install --offline --path . --debug",
        run: "./target/debug/tool >/dev/null && tool",
        files: &[
            (
                "Cargo.toml",
                "[package]\nname = \"tool\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
            ),
            ("src/main.rs", "fn main() { println!(\"from cargo\"); }"),
        ],
        arguments: &["--toolchain-path".to_owned(), collection],
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from cargo");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Ruby"]
async fn ruby_with_bundler() {
    let spec = "Gem::Specification.new { |s| s.name = 'shipped'; s.version = '1.0.0'; s.summary = 's'; s.authors = ['a']; s.files = ['lib/shipped.rb']; s.executables = ['shipped']; s.bindir = 'exe' }";
    let case = Case {
        base: "ruby:2.6",
        programs: &["ruby", "bundle"],
        build: "gem build shipped.gemspec && gem install --local --no-document shipped-1.0.0.gem && bundle install --local",
        run: "bundle exec ruby main.rb && ruby main.rb && shipped",
        files: &[
            (
                "Gemfile",
                "source 'https://gems.example.com'\ngem 'shipped'\n",
            ),
            ("shipped.gemspec", spec),
            ("lib/shipped.rb", "SHIPPED = 'from a gem'\n"),
            (
                "exe/shipped",
                "#!/usr/bin/env ruby\nrequire 'shipped'\nputs SHIPPED\n",
            ),
            ("main.rb", "require 'shipped'\nwarn SHIPPED\n"),
        ],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from a gem");
        let message = outcome.build["message"].as_str().unwrap();
        assert!(message.contains("base ruby:2.6 is asked for"), "{message}");
        assert!(
            outcome.build_log.contains("warning: base ruby:2.6"),
            "{}",
            outcome.build_log
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PHP"]
async fn php_with_composer() {
    let project = r#"{"name":"a/b","require":{"a/dep":"*"},"repositories":[{"packagist.org":false},{"type":"path","url":"dep","options":{"symlink":false}}]}"#;
    let case = Case {
        base: "php",
        programs: &["php", "composer"],
        build: "composer install",
        run: "php main.php",
        files: &[
            ("composer.json", project),
            (
                "dep/composer.json",
                r#"{"name":"a/dep","version":"1.0.0","autoload":{"classmap":["Dep.php"]}}"#,
            ),
            (
                "dep/Dep.php",
                "<?php class Dep { const SAYS = 'from a package'; }",
            ),
            (
                "main.php",
                "<?php require 'vendor/autoload.php'; echo Dep::SAYS, \"\\n\";",
            ),
        ],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from a package");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Go"]
async fn go_with_modules() {
    let case = Case {
        base: "golang",
        programs: &["go"],
        build: "CGO_ENABLED=0 go build -o app . && CGO_ENABLED=0 go install .",
        run: "./app >/dev/null && tool",
        files: &[
            (
                "go.mod",
                "module example.com/tool\n\ngo 1.18\n\nrequire example.com/dep v0.0.0\n\nreplace example.com/dep => ./dep\n",
            ),
            (
                "main.go",
                "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/dep\"\n)\n\nfunc main() { fmt.Println(dep.Says) }\n",
            ),
            ("dep/go.mod", "module example.com/dep\n\ngo 1.18\n"),
            (
                "dep/dep.go",
                "package dep\n\nconst Says = \"from a module\"\n",
            ),
        ],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from a module");
    }
}
