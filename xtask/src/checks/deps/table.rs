//! The architecture as a table. To change a line is to change the architecture: say why in
//! `docs/decisions/`.

/// A crate of the workspace and the crates of the workspace that it may use.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) may_use: &'static [&'static str],
}

const fn row(name: &'static str, may_use: &'static [&'static str]) -> Row {
    Row { name, may_use }
}

/// The crate that only tests may use.
pub(super) const TEST_KIT: &str = "marquetry-testkit";

/// What the product is compared with: it speaks to the product as its users do, so it uses none of
/// its crates, and none of them uses it.
const BENCHES: &str = "marquetry-bench-peers";

/// The crates that may use every crate but the test kit.
pub(super) const MAY_USE_ALL: &[&str] = &["marquetry", TEST_KIT];

/// Who may use whom. A crate that stands neither here nor in [`MAY_USE_ALL`] is refused.
pub(super) const ROWS: &[Row] = &[
    row("marquetry-model", &[]),
    row("marquetry-store", &["marquetry-model"]),
    row("marquetry-vault", &["marquetry-model"]),
    row("marquetry-manifest", &["marquetry-model"]),
    row("marquetry-blobs", &["marquetry-model"]),
    row("marquetry-outbound", &["marquetry-model"]),
    row("marquetry-connector", &[]),
    row("marquetry-sandbox", &["marquetry-model"]),
    row("marquetry-wire", &["marquetry-model"]),
    row(
        "marquetry-app",
        &[
            "marquetry-model",
            "marquetry-manifest",
            "marquetry-store",
            "marquetry-blobs",
            "marquetry-vault",
            "marquetry-outbound",
            "marquetry-connector",
        ],
    ),
    row(
        "marquetry-engine",
        &[
            "marquetry-model",
            "marquetry-manifest",
            "marquetry-app",
            "marquetry-store",
            "marquetry-blobs",
            "marquetry-sandbox",
            "marquetry-outbound",
        ],
    ),
    row(
        "marquetry-web",
        &["marquetry-model", "marquetry-app", "marquetry-wire"],
    ),
    row(BENCHES, &[]),
    row("xtask", &[]),
];

/// A foreign crate that only some crates may use.
pub(super) struct Reserved {
    pub(super) name: &'static str,
    pub(super) only: &'static [&'static str],
    /// Whether tests of other crates may use it nevertheless.
    pub(super) free_in_tests: bool,
    pub(super) reason: &'static str,
}

const fn reserved(
    name: &'static str,
    only: &'static [&'static str],
    reason: &'static str,
) -> Reserved {
    Reserved {
        name,
        only,
        free_in_tests: false,
        reason,
    }
}

const STORE: &[&str] = &["marquetry-store"];
const SANDBOX: &[&str] = &["marquetry-sandbox"];
const ONE_DATABASE_DOOR: &str = "only the store knows that there are databases";
const ONE_UNSAFE_CORNER: &str = "only the sandbox talks to the kernel by itself";

/// The reserved foreign crates.
pub(super) const RESERVED: &[Reserved] = &[
    reserved(
        "rusqlite",
        &["marquetry-store", TEST_KIT, BENCHES],
        ONE_DATABASE_DOOR,
    ),
    reserved("libsqlite3-sys", STORE, ONE_DATABASE_DOOR),
    reserved(
        "tokio-postgres",
        &["marquetry-store", TEST_KIT, BENCHES],
        ONE_DATABASE_DOOR,
    ),
    reserved("tokio-postgres-rustls", STORE, ONE_DATABASE_DOOR),
    reserved(
        "deadpool-postgres",
        &["marquetry-store", BENCHES],
        ONE_DATABASE_DOOR,
    ),
    reserved(
        "object_store",
        &["marquetry-blobs"],
        "only the blobs know where bytes are kept",
    ),
    reserved(
        "reqwest",
        &["marquetry-outbound", "marquetry", TEST_KIT],
        "only the outbound crate opens connections to third parties",
    ),
    reserved("libc", SANDBOX, ONE_UNSAFE_CORNER),
    reserved("landlock", SANDBOX, ONE_UNSAFE_CORNER),
    reserved("seccompiler", SANDBOX, ONE_UNSAFE_CORNER),
    Reserved {
        name: "anyhow",
        only: &["marquetry", TEST_KIT, "xtask", BENCHES],
        free_in_tests: true,
        reason: "an error says what its caller can do, so it is a type",
    },
];

/// The one crate with lints of its own, because it needs unsafe code.
pub(super) const OWN_LINTS: &str = "marquetry-sandbox";
