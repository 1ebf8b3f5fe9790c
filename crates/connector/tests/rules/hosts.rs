//! Which addresses may be sent a credential.

use marquetry_connector::may_go;
use proptest::prelude::*;
use url::Url;

fn goes(entries: &[&str], url: &str) -> bool {
    let entries: Vec<String> = entries.iter().map(|&it| it.to_owned()).collect();
    Url::parse(url).is_ok_and(|url| may_go(&entries, &url))
}

#[test]
fn hostile_addresses_go_nowhere() {
    let entries = ["api.test", "*.x.test", "127.0.0.1:9000", "::1"];
    for url in [
        "https://api.test@evil.test/",
        "https://api.test:443@evil.test/",
        "https://evil.test#@api.test/",
        "https://evil.test\\@api.test/",
        "https://evil.test/@api.test",
        "https://api.test%2eevil.test/",
        "https://user:password@api.test/",
        "https://user@api.test/",
        "http://api.test/",
        "http://a.x.test/",
        "https://api.test:80/",
        "http://api.test:443/",
        "ftp://api.test/",
        "ws://api.test/",
        "file://api.test/",
        "data:api.test",
        "https://x.test/",
        "https://.x.test/",
        "https://ax.test/",
        "https://a.x.test.evil.test/",
        "http://127.0.0.1/",
        "http://127.0.0.1:9001/",
        "http://[::ffff:127.0.0.1]:9000/",
        "http://127.0.0.2:9000/",
        "http://[::2]/",
        "https://api.test../",
    ] {
        assert!(!goes(&entries, url), "{url}");
    }
    for url in [
        "https://api.test./",
        "https://API.TEST:443/x?y#z",
        "https://\u{ff41}pi.test/",
        "https://a.b.x.test/",
        "http://127.1:9000/",
        "http://2130706433:9000/",
        "http://[0:0:0:0:0:0:0:1]:5/",
    ] {
        assert!(goes(&entries, url), "{url}");
    }
}

#[test]
fn entries_are_read_as_addresses_are() {
    for (entry, url) in [
        ("API.Test", "https://api.test/"),
        ("api.test.", "https://api.test/"),
        ("m\u{fc}ller.test", "https://xn--mller-kva.test/"),
        ("*.M\u{fc}ller.test", "https://a.m\u{fc}ller.test/"),
        ("0:0::1", "https://[::1]/"),
        ("[0:0::1]:8443", "https://[::1]:8443/"),
        ("api.test:80", "http://api.test/"),
        ("localhost", "http://localhost:3000/"),
    ] {
        assert!(goes(&[entry], url), "{entry} {url}");
    }
    for entry in [
        "",
        ".",
        "*",
        "*.",
        "*.*",
        "**.test",
        "api.test:",
        "api.test:x",
        "api.test:99999",
        "api.test:443x",
        "[api.test",
        "[::1",
        "[::1]443",
        "https://api.test",
        "api.test/",
        "a@api.test",
        "api.test:443:443",
    ] {
        for url in ["https://api.test/", "https://[::1]/", "https://test/"] {
            assert!(!goes(&[entry], url), "{entry} {url}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_host_itself_is_sent_a_credential(url in "https?:[/\\\\]{0,3}[a-z.:@\\\\/?#%0-9*\\[\\]-]{0,24}") {
        if let Ok(url) = Url::parse(&url)
            && may_go(&["api.test".to_owned(), "*.x.test".to_owned()], &url)
        {
            let host = url.host_str().unwrap().trim_end_matches('.');
            prop_assert!(host == "api.test" || host.ends_with(".x.test"), "{}", url);
            prop_assert_eq!((url.scheme(), url.port()), ("https", None));
        }
    }

    #[test]
    fn no_entry_is_too_wrong(entry in "[\\[\\]:.*a-z0-9/@é-]{0,16}", url in "https://[a-z.:0-9\\[\\]]{1,12}") {
        goes(&[&entry], &url);
    }
}
