//! The examples of RFC 5849, and the one that Twitter documented.

use http::Method as Verb;

use super::*;

fn request<'a>(method: &'a Verb, url: &'a Url, form: Option<&'a [u8]>) -> Request<'a> {
    Request {
        method,
        url,
        form,
        realm: None,
        extra: &[],
        nonce: "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
        now: jiff::Timestamp::from_second(1_318_622_958).unwrap(),
    }
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn the_base_string_of_the_rfc() {
    let url = url("http://EXAMPLE.com:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
    let request = request(&Verb::POST, &url, Some(b"c2&a3=2+q"));
    let protocol = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
    ];
    assert_eq!(
        base_string(&request, &protocol).unwrap(),
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D\
         %253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce\
         %3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26\
         oauth_token%3Dkkk9d7dh3k39sjv7"
    );
}

#[test]
fn a_port_that_is_not_the_usual_one_is_signed() {
    let url = url("https://www.example.net:8080/?q=1");
    let base = base_string(&request(&Verb::GET, &url, None), &[]).unwrap();
    assert_eq!(base, "GET&https%3A%2F%2Fwww.example.net%3A8080%2F&q%3D1");
}

/// The signature of one of the three requests in section 1.2; `own` is what only it says.
fn rfc(verb: &Verb, address: &str, token: Option<(&str, &str)>, own: &[(&str, &str)]) -> String {
    let credentials = Credentials {
        consumer_key: "dpf43f3p2l4k3l03",
        consumer_secret: "kd94hf93k423kf44",
        token,
    };
    let mut protocol = vec![
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_signature_method", "HMAC-SHA1"),
    ];
    protocol.extend(token.map(|(token, _)| ("oauth_token", token)));
    protocol.extend_from_slice(own);
    let url = url(address);
    let request = request(verb, &url, None);
    signature(Method::HmacSha1, &credentials, &request, &protocol)
        .unwrap()
        .to_string()
}

#[test]
fn the_signatures_of_the_rfc() {
    let initiate = [
        ("oauth_timestamp", "137131200"),
        ("oauth_nonce", "wIjqoS"),
        ("oauth_callback", "http://printer.example.com/ready"),
    ];
    assert_eq!(
        rfc(
            &Verb::POST,
            "https://photos.example.net/initiate",
            None,
            &initiate
        ),
        "74KNZJeDHnMBp0EMJ9ZHt/XKycU="
    );
    let temporary = Some(("hh5s93j4hdidpola", "hdhd0244k9j7ao03"));
    let token = [
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "walatlh"),
        ("oauth_verifier", "hfdp7dh39dks9884"),
    ];
    assert_eq!(
        rfc(
            &Verb::POST,
            "https://photos.example.net/token",
            temporary,
            &token
        ),
        "gKgrFCywp7rO0OXSjdot/IHF7IU="
    );
    let lasting = Some(("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"));
    let photos = [("oauth_timestamp", "137131202"), ("oauth_nonce", "chapoH")];
    assert_eq!(
        rfc(
            &Verb::GET,
            "http://photos.example.net/photos?file=vacation.jpg&size=original",
            lasting,
            &photos
        ),
        "MdpQcU8iPSUjWoN/UDMsK2sui9I="
    );
}

#[test]
fn the_header_of_twitter() {
    let credentials = Credentials {
        consumer_key: "xvz1evFS4wEEPTGEFPHBog",
        consumer_secret: "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        token: Some((
            "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
            "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
        )),
    };
    let url = url("https://api.twitter.com/1/statuses/update.json?include_entities=true");
    let form = b"status=Hello%20Ladies%20%2b%20Gentlemen%2c%20a%20signed%20OAuth%20request%21";
    let request = request(&Verb::POST, &url, Some(form));
    let value = authorization(Method::HmacSha1, &credentials, &request).unwrap();
    assert!(value.is_sensitive());
    let mut parts: Vec<&str> = value.to_str().unwrap().split(", ").collect();
    parts.sort_unstable();
    assert_eq!(
        parts,
        [
            "OAuth oauth_consumer_key=\"xvz1evFS4wEEPTGEFPHBog\"",
            "oauth_nonce=\"kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg\"",
            "oauth_signature=\"tnnArxj06cWHq44gCs1OSKk%2FjLY%3D\"",
            "oauth_signature_method=\"HMAC-SHA1\"",
            "oauth_timestamp=\"1318622958\"",
            "oauth_token=\"370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb\"",
            "oauth_version=\"1.0\"",
        ]
    );
}

#[test]
fn the_other_methods_and_parameters_are_in_the_header() {
    let credentials = Credentials {
        consumer_key: "key",
        consumer_secret: "a&b",
        token: None,
    };
    let url = url("https://api.example.com/");
    let mut request = request(&Verb::POST, &url, None);
    request.realm = Some(r#"12"34\_SB1"#);
    request.extra = &[("oauth_callback", "https://a.test/?x=1")];
    let text = |method| {
        let value = authorization(method, &credentials, &request).unwrap();
        value.to_str().unwrap().to_owned()
    };
    let plain = text(Method::Plaintext);
    assert!(
        plain.starts_with(r#"OAuth realm="12\"34\\_SB1", "#),
        "{plain}"
    );
    assert!(plain.contains(r#"oauth_signature="a%2526b%26""#), "{plain}");
    assert!(plain.contains(r#"oauth_callback="https%3A%2F%2Fa.test%2F%3Fx%3D1""#));
    assert!(!plain.contains("oauth_token"), "{plain}");
    let sha256 = text(Method::HmacSha256);
    assert!(sha256.contains(r#"oauth_signature_method="HMAC-SHA256""#));
    request.realm = Some("a\nb");
    assert_eq!(
        authorization(Method::Plaintext, &credentials, &request),
        Err(SignError::Header { what: "the realm" })
    );
}
