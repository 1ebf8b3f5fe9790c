//! From a text to a value. Each function answers what is wrong and what to do.

use std::net::SocketAddr;
use std::path::PathBuf;

use base64::Engine;
use ipnet::IpNet;
use marquetry_manifest::nearest;
use marquetry_sandbox::Pull;
use url::Url;

use super::{BlobsLocation, Hidden, Role, SandboxMode};

/// What is wrong with a text, and what to do.
pub(super) type Wrong = (String, String);

fn wrong<T>(problem: impl Into<String>, remedy: impl Into<String>) -> Result<T, Wrong> {
    Err((problem.into(), remedy.into()))
}

/// An address with its port.
pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let text = text.trim();
    // The one host name that needs no resolver.
    let numeric = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    match numeric.parse() {
        Ok(address) => Ok(address),
        Err(_) => wrong(
            format!("`{text}` is no address with a port"),
            "write it as 127.0.0.1:8080 or [::]:8080",
        ),
    }
}

/// A path that is not empty.
pub(super) fn path(text: &str) -> Result<PathBuf, Wrong> {
    if text.trim().is_empty() {
        return wrong("is empty", "name a folder or a file");
    }
    Ok(PathBuf::from(text))
}

/// A folder that is there.
pub(super) fn folder(text: &str) -> Result<PathBuf, Wrong> {
    let folder = path(text)?;
    if folder.is_absolute() && folder.is_dir() {
        Ok(folder)
    } else {
        wrong(
            format!("`{text}` is no folder with an absolute path"),
            "name a folder that is there, from the root on",
        )
    }
}

/// The URL of a PostgreSQL database. It may hold a password, so no message shows it.
pub(super) fn database_url(text: &str) -> Result<Hidden, Wrong> {
    // Several hosts with ports are no URL for anybody but PostgreSQL, whose driver reads the rest.
    let is_ours = |scheme: &str| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    };
    if ["postgres://", "postgresql://"].into_iter().any(is_ours) {
        Ok(Hidden::new(text))
    } else {
        wrong(
            "is no PostgreSQL URL",
            "write it as postgres://user:password@host:5432/database, or leave it out for SQLite",
        )
    }
}

/// Where blobs are kept.
pub(super) fn blobs(text: &str) -> Result<BlobsLocation, Wrong> {
    if let Some(folder) = text.strip_prefix("file:") {
        // `file:///srv/blobs` is the same folder as `file:/srv/blobs`.
        let folder = folder.strip_prefix("//").unwrap_or(folder);
        if !folder.is_empty() {
            return Ok(BlobsLocation::Folder(folder.into()));
        }
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        let bucket = rest.split('/').next().unwrap_or_default();
        if !bucket.is_empty() {
            return Ok(BlobsLocation::S3(text.to_owned()));
        }
    }
    wrong(
        format!("`{text}` is no place for blobs"),
        "write it as file:DIR or s3://BUCKET/PREFIX",
    )
}

/// One of the roles.
pub(super) fn role(text: &str) -> Result<Role, Wrong> {
    one_of(text, "role", &Role::ALL.map(|role| (role.as_str(), role)))
}

/// How much of the sandbox must be there.
pub(super) fn sandbox(text: &str) -> Result<SandboxMode, Wrong> {
    const KNOWN: [(&str, SandboxMode); 3] = [
        ("full", SandboxMode::Full),
        ("degraded", SandboxMode::Degraded),
        ("off", SandboxMode::Off),
    ];
    one_of(text, "mode of the sandbox", &KNOWN)
}

/// The image of a base.
pub(super) fn image(text: &str) -> Result<String, Wrong> {
    match marquetry_engine::Images::read([text]) {
        Ok(_) => Ok(text.to_owned()),
        Err(problem) => wrong(
            problem,
            "write BASE=IMAGE, such as node:20=docker.io/library/node:20-slim",
        ),
    }
}

/// When images are fetched.
pub(super) fn pull(text: &str) -> Result<Pull, Wrong> {
    one_of(
        text,
        "time to fetch images",
        &[Pull::Missing, Pull::Never].map(|pull| (pull.as_str(), pull)),
    )
}

fn one_of<T: Copy>(text: &str, what: &str, known: &[(&str, T)]) -> Result<T, Wrong> {
    if let Some((_, value)) = known.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    let remedy = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", words.join(", ")),
    };
    wrong(format!("`{text}` is no {what}"), remedy)
}

/// A number of something, 1 to `most`.
pub(super) fn slots(text: &str, most: usize) -> Result<usize, Wrong> {
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => wrong(
            format!("`{text}` is no number from 1 to {most}"),
            format!("write a number from 1 to {most}"),
        ),
    }
}

/// A whole number, `least` to `most`.
pub(super) fn number(text: &str, least: u64, most: u64) -> Result<u64, Wrong> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => wrong(
            format!("`{text}` is no number from {least} to {most}"),
            format!("write a number from {least} to {most}"),
        ),
    }
}

/// A variable with its value. A value may hold a password, so no message shows it.
pub(super) fn assignment(text: &str) -> Result<(String, String), Wrong> {
    /// The sandbox sets these itself.
    const FIXED: [&str; 3] = ["PATH", "HOME", "TMPDIR"];
    let remedy = "write NAME=VALUE; a value with commas belongs into the file, in a list";
    let Some((name, value)) = text.split_once('=') else {
        return wrong("holds something without `=`", remedy);
    };
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || !name.chars().all(letter)
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return wrong("holds something that is no name of a variable", remedy);
    }
    if FIXED.contains(&name) {
        return wrong(format!("{name} is set by the platform"), "leave it out");
    }
    if value.contains('\0') {
        return wrong(format!("{name} holds a NUL character"), "leave it out");
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A network, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, Wrong> {
    let parsed = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
    match parsed {
        Ok(network) if network.trunc() == network => Ok(network),
        Ok(network) => wrong(
            format!("`{text}` has bits behind its prefix"),
            format!("write {}", network.trunc()),
        ),
        Err(_) => wrong(
            format!("`{text}` is no network"),
            "write it as 10.1.0.0/16, or one address as 10.1.2.3",
        ),
    }
}

/// A host name, or an address.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    match url::Host::parse(text) {
        Ok(host) => Ok(host.to_string()),
        Err(_) => wrong(
            format!("`{text}` is no host name"),
            "write the name alone, as packages.example.com, without https:// and port",
        ),
    }
}

/// The root of a web origin.
pub(super) fn origin(text: &str) -> Result<Url, Wrong> {
    let remedy = "write it as https://marquetry.example.com";
    let Ok(url) = Url::parse(text) else {
        return wrong(format!("`{text}` is no URL"), remedy);
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return wrong(format!("`{text}` is no http or https URL"), remedy);
    }
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "must have nothing but scheme, host and port",
            "leave path, query and user out",
        );
    }
    Ok(url)
}

/// Yes or no.
pub(super) fn switch(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => wrong(
            format!("`{text}` is neither yes nor no"),
            "write true or false",
        ),
    }
}

/// A name that ends in an environment variable's value and in messages.
pub(super) fn environment(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=63).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        wrong(
            format!("`{text}` is no name of an environment"),
            "write 1 to 63 letters, digits, '-', '_' and '.', as prod or sandbox",
        )
    }
}

/// A filter of log lines.
pub(super) fn log_filter(text: &str) -> Result<String, Wrong> {
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => wrong(
            format!("`{text}` is no filter of log lines: {error}"),
            "write a level (error, warn, info, debug, trace), or as info,marquetry_engine=debug",
        ),
    }
}

/// The file of a master key: 32 bytes in base64.
pub(super) fn master_key_file(text: &str) -> Result<PathBuf, Wrong> {
    let file = path(text)?;
    let content = match std::fs::read_to_string(&file) {
        Ok(content) => content,
        Err(error) => {
            return wrong(
                format!("{text} cannot be read: {error}"),
                format!("make one with `marquetry keys master > {text}`"),
            );
        }
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(content.trim());
    if bytes.is_ok_and(|bytes| bytes.len() == 32) {
        Ok(file)
    } else {
        wrong(
            format!("{text} does not hold 32 bytes in base64"),
            "name the right file, or make a new key with `marquetry keys master`",
        )
    }
}

/// Any text that is not empty.
pub(super) fn text(text: &str) -> Result<String, Wrong> {
    if text.trim().is_empty() {
        return wrong("is empty", "write a value or leave it out");
    }
    Ok(text.to_owned())
}
