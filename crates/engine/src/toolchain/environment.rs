//! The variables that a language's tools need in a build and in a run.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use marquetry_manifest::Base;

use super::options::{JAVA_OPTIONS, java_options};
use super::table::{TOOLCHAINS, Toolchain, Variable, toolchain};

/// Bundles of the system's certificates, by distribution.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Programs that bring certificates of their own are pointed to the system's: an internal mirror
/// has its certificate from an internal authority.
const CERTIFICATES: [&str; 8] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "GIT_SSL_CAINFO",
    "BUNDLE_SSL_CA_CERT",
];

type Pairs = Vec<(OsString, OsString)>;

/// Where a build or run sees things.
pub(crate) struct Places<'a> {
    /// The manifest's folder for what package managers install, in the artifact.
    pub(crate) results: &'a Path,
    /// `PATH` of the system as the code sees it.
    pub(crate) system: &'a OsStr,
    /// Whether what is the system's cannot be written for certain, whoever the user is.
    pub(crate) own_root: bool,
    /// Where the code sees the machine's certificates; none where it has no bundle of them.
    pub(crate) certificates: Option<&'a Path>,
}

/// Variables of a build; `given` are the operator's, which are to follow these. Caches of every language are named, because builds
/// use several; what lands in the artifact is of the manifest's alone.
pub(crate) fn build_variables(
    base: &Base,
    cache: &Path,
    given: &[(String, String)],
    places: &Places<'_>,
    tools: &[PathBuf],
) -> Pairs {
    let mut all: Pairs = vec![("CI".into(), "true".into())];
    all.push(("XDG_CACHE_HOME".into(), cache.join("xdg").into()));
    let rows = TOOLCHAINS.iter().flat_map(|row| row.build);
    all.extend(rows.map(|variable| fill(*variable, Some(cache), places)));
    all.extend(of_base(base, places, tools));
    if places.own_root || !server_is_root() {
        // Debian's Python refuses to install where it could not anyway: packages go to the
        // folder of PYTHONUSERBASE, because the system's cannot be written.
        all.push(("PIP_BREAK_SYSTEM_PACKAGES".into(), "1".into()));
    }
    all.extend(certificate_variables(places));
    let options = java_options(given).join(" ");
    if !options.is_empty() {
        all.extend(JAVA_OPTIONS.map(|name| (name.into(), options.clone().into())));
    }
    all
}

/// The machine's bundle of certificates.
pub(crate) fn certificates() -> Option<&'static Path> {
    let mut bundles = BUNDLES.into_iter().map(Path::new);
    bundles.find(|path| path.exists())
}

/// What points programs to the machine's certificates.
pub(crate) fn certificate_variables(places: &Places<'_>) -> Pairs {
    let pointing = |bundle: &Path| {
        CERTIFICATES
            .map(|name| (name.into(), bundle.into()))
            .to_vec()
    };
    places.certificates.map(pointing).unwrap_or_default()
}

/// Variables of a run.
pub(crate) fn run_variables(base: &Base, places: &Places<'_>, tools: &[PathBuf]) -> Pairs {
    of_base(base, places, tools)
}

fn of_base(base: &Base, places: &Places<'_>, tools: &[PathBuf]) -> Pairs {
    let row = toolchain(base.language);
    let mut all: Pairs = vec![("PATH".into(), path(row, places, tools))];
    all.extend(
        row.both
            .iter()
            .map(|variable| fill(*variable, None, places)),
    );
    all.extend(home(row, places, tools));
    all
}

/// What packages bring goes before the chosen toolchain, and that before the system.
fn path(row: &Toolchain, places: &Places<'_>, tools: &[PathBuf]) -> OsString {
    let results = row.bins.iter().map(|bin| places.results.join(bin));
    let mut all = OsString::new();
    for folder in results.chain(tools.iter().cloned()) {
        all.push(folder);
        all.push(":");
    }
    all.push(places.system);
    all
}

/// The installation of the program that would be started. The machine's system folders and the
/// operator's toolchains lie at the same place inside.
fn home(row: &Toolchain, places: &Places<'_>, tools: &[PathBuf]) -> Option<(OsString, OsString)> {
    let (name, program) = row.home?;
    let system = std::env::split_paths(places.system);
    let mut folders = tools.iter().cloned().chain(system);
    let found = folders.find_map(|folder| folder.join(program).canonicalize().ok())?;
    let folder = found.parent()?;
    let home = if folder.ends_with("bin") {
        folder.parent()?
    } else {
        folder
    };
    Some((name.into(), home.into()))
}

fn fill(
    (name, value): Variable,
    cache: Option<&Path>,
    places: &Places<'_>,
) -> (OsString, OsString) {
    let mut filled = OsString::new();
    let mut rest = value;
    while let Some(start) = rest.find('{') {
        filled.push(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("{results}") {
            filled.push(places.results);
            rest = after;
        } else {
            let after = rest.strip_prefix("{cache}");
            rest = after.expect("the table knows two places");
            filled.push(cache.expect("caches are of builds alone; a test says so"));
        }
    }
    filled.push(rest);
    (name.into(), filled)
}

/// Whose files a build could write where the sandbox has no root of its own.
fn server_is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0)
}

/// Each name once, with its last value; options of Java's tools add up, because they are lists.
pub(crate) fn merge(all: Pairs) -> Pairs {
    let mut merged: Pairs = Vec::with_capacity(all.len());
    for (name, value) in all {
        let Some((_, old)) = merged.iter_mut().find(|(known, _)| *known == name) else {
            merged.push((name, value));
            continue;
        };
        if JAVA_OPTIONS.iter().any(|options| name == *options) {
            old.push(" ");
            old.push(value);
        } else {
            *old = value;
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(all: &'a Pairs, name: &str) -> Option<&'a OsStr> {
        let mut found = all.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, value)| value.as_os_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    fn places() -> Places<'static> {
        Places {
            results: Path::new("/integration/.marquetry"),
            system: OsStr::new("/usr/bin"),
            own_root: true,
            certificates: None,
        }
    }

    fn of_build(written: &str, given: &[(&str, &str)]) -> Pairs {
        let base = Base::read(written).unwrap();
        let given: Vec<(String, String)> =
            given.iter().map(|&(n, v)| (n.into(), v.into())).collect();
        let cache = Path::new("/cache");
        let mut all = build_variables(&base, cache, &given, &places(), &[]);
        all.extend(given.iter().map(|(n, v)| (n.into(), v.into())));
        merge(all)
    }

    #[test]
    fn packages_land_in_the_artifact_and_caches_do_not() {
        let build = of_build("python:3.11", &[]);
        let base = "/integration/.marquetry/python";
        assert_eq!(get(&build, "PYTHONUSERBASE").unwrap(), base);
        assert_eq!(get(&build, "PIP_CACHE_DIR").unwrap(), "/cache/pip");
        assert_eq!(get(&build, "npm_config_cache").unwrap(), "/cache/npm");
        assert_eq!(get(&build, "GEM_HOME"), None, "of another language");
        let path = "/integration/.marquetry/python/bin:/usr/bin";
        assert_eq!(get(&build, "PATH").unwrap(), path);

        let run = run_variables(&Base::read("python:3.11").unwrap(), &places(), &[]);
        assert_eq!(get(&run, "PYTHONUSERBASE").unwrap(), base);
        assert_eq!(get(&run, "PATH").unwrap(), path);
        assert_eq!(get(&run, "PIP_CACHE_DIR"), None);
    }

    #[test]
    fn the_operators_word_is_the_last() {
        let build = of_build(
            "java",
            &[
                ("PIP_CERT", "/etc/ssl/own.pem"),
                ("MAVEN_OPTS", "-Xmx1g"),
                ("https_proxy", "http://proxy.example.com:3128"),
            ],
        );
        assert_eq!(get(&build, "PIP_CERT").unwrap(), "/etc/ssl/own.pem");
        let options = get(&build, "MAVEN_OPTS").unwrap().to_str().unwrap();
        assert!(
            options.starts_with("-Dmaven.repo.local=/cache/m2 "),
            "{options}"
        );
        assert!(
            options.contains("-Dhttps.proxyHost=proxy.example.com"),
            "{options}"
        );
        assert!(options.ends_with(" -Xmx1g"), "{options}");
        assert_eq!(
            get(&build, "https_proxy").unwrap(),
            "http://proxy.example.com:3128"
        );
    }

    #[test]
    fn a_chosen_toolchain_goes_before_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("jdk-21/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("java"), "").unwrap();
        let tools = [bin.clone()];
        let run = run_variables(&Base::read("java:21").unwrap(), &places(), &tools);
        let path = format!("{}:/usr/bin", bin.display());
        assert_eq!(get(&run, "PATH").unwrap(), path.as_str());
        let home = folder.path().join("jdk-21").canonicalize().unwrap();
        assert_eq!(get(&run, "JAVA_HOME").unwrap(), home.as_os_str());
    }

    #[test]
    fn every_language_fills() {
        for row in TOOLCHAINS {
            let build = of_build(row.language.as_str(), &[]);
            let open = |(_, value): &&(OsString, OsString)| {
                value.to_str().is_none_or(|text| text.contains('{'))
            };
            assert_eq!(build.iter().find(open), None);
        }
    }
}
