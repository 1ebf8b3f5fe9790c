//! The proxies and mirrors that an operator's variables name: builds may reach them.

use url::Url;

/// Hosts and ports of all URLs in the variables of builds, such as those of `HTTPS_PROXY`,
/// `PIP_INDEX_URL` or `GOPROXY`.
pub(crate) fn mirrors(given: &[(String, String)]) -> Vec<(String, u16)> {
    let mut all: Vec<(String, u16)> = given.iter().flat_map(of_variable).collect();
    all.sort();
    all.dedup();
    all
}

fn of_variable((name, value): &(String, String)) -> Vec<(String, u16)> {
    let proxy = name.to_ascii_lowercase().ends_with("_proxy") && !is_exception(name);
    let words = value.split(|c: char| c.is_whitespace() || matches!(c, ',' | '|' | '"' | '\''));
    let urls = words.filter_map(|word| {
        // `sparse+https://…` is Cargo's way to write one.
        let word = word.strip_prefix("sparse+").unwrap_or(word);
        if word.contains("://") {
            Url::parse(word).ok()
        } else if proxy && !word.is_empty() {
            Url::parse(&format!("http://{word}")).ok()
        } else {
            None
        }
    });
    let places = urls.filter_map(|url| {
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some((host, url.port_or_known_default()?))
    });
    places.collect()
}

fn is_exception(name: &str) -> bool {
    name.eq_ignore_ascii_case("no_proxy")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Vec<(String, u16)> {
        mirrors(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn urls_and_bare_proxies_are_found() {
        let one = |host: &str, port| vec![(host.to_owned(), port)];
        assert_eq!(
            of("PIP_INDEX_URL", "https://u:p@mirror.example.com/simple"),
            one("mirror.example.com", 443)
        );
        assert_eq!(
            of("npm_config_registry", "http://[2001:db8::1]:4873/"),
            one("2001:db8::1", 4873)
        );
        assert_eq!(
            of("https_proxy", "proxy.example.com:3128"),
            one("proxy.example.com", 3128)
        );
        assert_eq!(
            of(
                "CARGO_REGISTRIES_INNER_INDEX",
                "sparse+https://crates.example.com:8443/"
            ),
            one("crates.example.com", 8443)
        );
        let two = of(
            "GOPROXY",
            "https://a.example.com|https://b.example.com:81,direct",
        );
        assert_eq!(
            two,
            [("a.example.com".into(), 443), ("b.example.com".into(), 81)]
        );
        assert_eq!(of("NO_PROXY", "localhost,.example.com"), []);
        assert_eq!(of("MAVEN_OPTS", "-Xmx1g"), []);
    }
}
