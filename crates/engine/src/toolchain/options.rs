//! What Java's tools must be told in words of their own: they read neither proxy variables nor
//! the system's bundle of certificates.

use std::path::Path;

use url::Url;

/// Variables whose options a Java tool takes. None of them is echoed by the tool, as
/// `JAVA_TOOL_OPTIONS` would be with a proxy's password.
pub(super) const JAVA_OPTIONS: [&str; 4] =
    ["MAVEN_OPTS", "GRADLE_OPTS", "LEIN_JVM_OPTS", "CLJ_JVM_OPTS"];

/// Where systems keep Java's form of their certificates.
const TRUST_STORES: [&str; 2] = ["/etc/ssl/certs/java/cacerts", "/etc/pki/java/cacerts"];

/// Options for the operator's proxies and the system's certificates; empty where there is
/// nothing to say.
pub(super) fn java_options(given: &[(String, String)]) -> Vec<String> {
    let mut options = proxy_options(given);
    if let Some(store) = TRUST_STORES
        .into_iter()
        .find(|path| Path::new(path).exists())
    {
        options.push(format!("-Djavax.net.ssl.trustStore={store}"));
        // The store has no secrets; its password is the same on every system.
        options.push("-Djavax.net.ssl.trustStorePassword=changeit".to_owned());
    }
    options
}

fn proxy_options(given: &[(String, String)]) -> Vec<String> {
    let mut options = Vec::new();
    for scheme in ["http", "https"] {
        let Some(proxy) = proxy(given, scheme) else {
            continue;
        };
        let Some(host) = proxy.host_str() else {
            continue;
        };
        options.push(format!("-D{scheme}.proxyHost={host}"));
        let port = proxy.port_or_known_default().unwrap_or(80);
        options.push(format!("-D{scheme}.proxyPort={port}"));
        if !proxy.username().is_empty() {
            options.push(format!("-D{scheme}.proxyUser={}", proxy.username()));
            let password = proxy.password().unwrap_or_default();
            options.push(format!("-D{scheme}.proxyPassword={password}"));
        }
    }
    if !options.is_empty() {
        // Maven's newer transport asks to be told that these are meant for it too.
        options.push("-Daether.connector.http.useSystemProperties=true".to_owned());
        if let Some(hosts) = value(given, "no_proxy") {
            let hosts = hosts.split([',', ' ']).filter(|host| !host.is_empty());
            let hosts: Vec<String> = hosts.map(pattern).collect();
            options.push(format!("-Dhttp.nonProxyHosts={}", hosts.join("|")));
        }
    }
    options
}

/// A leading dot means every host below.
fn pattern(host: &str) -> String {
    match host.strip_prefix('.') {
        Some(rest) => format!("*.{rest}"),
        None => host.to_owned(),
    }
}

fn proxy(given: &[(String, String)], scheme: &str) -> Option<Url> {
    let written = value(given, &format!("{scheme}_proxy")).or_else(|| value(given, "all_proxy"))?;
    if written.contains("://") {
        Url::parse(written).ok()
    } else {
        Url::parse(&format!("http://{written}")).ok()
    }
}

/// The value of a variable in either letter case.
fn value<'a>(given: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = given
        .iter()
        .rev()
        .find(|(n, _)| n.eq_ignore_ascii_case(name));
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(n, v)| (n.into(), v.into())).collect()
    }

    #[test]
    fn proxies_in_javas_words() {
        let given = given(&[
            ("HTTPS_PROXY", "http://user:word@proxy.example.com:3128"),
            ("no_proxy", "localhost,.example.com"),
        ]);
        assert_eq!(
            proxy_options(&given),
            [
                "-Dhttps.proxyHost=proxy.example.com",
                "-Dhttps.proxyPort=3128",
                "-Dhttps.proxyUser=user",
                "-Dhttps.proxyPassword=word",
                "-Daether.connector.http.useSystemProperties=true",
                "-Dhttp.nonProxyHosts=localhost|*.example.com",
            ]
        );
    }

    #[test]
    fn without_a_proxy_nothing_is_said() {
        assert!(proxy_options(&given(&[("NO_PROXY", "a"), ("HTTP_PROXY", "")])).is_empty());
        let bare = given(&[("http_proxy", "proxy.example.com")]);
        assert_eq!(proxy_options(&bare)[1], "-Dhttp.proxyPort=80");
    }
}
