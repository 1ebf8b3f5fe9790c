//! The address policy: each kind of address, and every way to write IPv4 in IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use marquetry_outbound::AddressKind as Kind;
use marquetry_outbound::AddressPolicy;
use proptest::prelude::*;

fn why(text: &str) -> Option<Kind> {
    let address: IpAddr = text.parse().expect("the test writes an address");
    AddressPolicy::public_only()
        .check(address)
        .err()
        .map(|refused| {
            assert_eq!(refused.address, address);
            refused.why
        })
}

#[test]
fn public_addresses_pass() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "172.15.255.255",
        "172.32.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "169.253.255.255",
        "192.0.1.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:2800:220:1::1",
        "2a00:1450:4001::1",
        "2001:200::1",
        "3ffe::1",
        "64:ff9b::8.8.8.8",
        "::ffff:8.8.8.8",
    ] {
        assert_eq!(why(text), None, "{text}");
    }
}

#[test]
fn everything_else_is_refused_for_its_reason() {
    for (text, kind) in [
        ("0.0.0.0", Kind::Unspecified),
        ("0.255.255.255", Kind::Unspecified),
        ("127.0.0.1", Kind::Loopback),
        ("127.255.255.255", Kind::Loopback),
        ("10.0.0.0", Kind::Private),
        ("10.255.255.255", Kind::Private),
        ("172.16.0.0", Kind::Private),
        ("172.31.255.255", Kind::Private),
        ("192.168.0.0", Kind::Private),
        ("192.168.255.255", Kind::Private),
        ("100.64.0.0", Kind::SharedNat),
        ("100.127.255.255", Kind::SharedNat),
        ("169.254.0.1", Kind::LinkLocal),
        ("169.254.169.254", Kind::Metadata),
        ("168.63.129.16", Kind::Metadata),
        ("100.100.100.200", Kind::Metadata),
        ("192.0.0.8", Kind::Reserved),
        ("192.88.99.1", Kind::Reserved),
        ("192.0.2.1", Kind::Documentation),
        ("198.51.100.1", Kind::Documentation),
        ("203.0.113.1", Kind::Documentation),
        ("198.18.0.0", Kind::Benchmarking),
        ("198.19.255.255", Kind::Benchmarking),
        ("224.0.0.1", Kind::Multicast),
        ("239.255.255.255", Kind::Multicast),
        ("240.0.0.1", Kind::Reserved),
        ("255.255.255.254", Kind::Reserved),
        ("255.255.255.255", Kind::Broadcast),
        ("::", Kind::Unspecified),
        ("::1", Kind::Loopback),
        ("::8.8.8.8", Kind::Translated),
        ("::ffff:10.0.0.5", Kind::Private),
        ("::ffff:169.254.169.254", Kind::Metadata),
        ("64:ff9b::10.0.0.5", Kind::Private),
        ("64:ff9b:1::8.8.8.8", Kind::Translated),
        ("2002:808:808::1", Kind::Translated),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Kind::Translated),
        ("100::1", Kind::Discard),
        ("2001:2::1", Kind::Benchmarking),
        ("2001:db8::1", Kind::Documentation),
        ("3fff:fff::1", Kind::Documentation),
        ("2001:10::1", Kind::Reserved),
        ("2001:1ff::1", Kind::Reserved),
        ("fd00:ec2::254", Kind::Metadata),
        ("fd20:ce::254", Kind::Metadata),
        ("fc00::1", Kind::Private),
        ("fdff::1", Kind::Private),
        ("fec0::1", Kind::Private),
        ("fe80::1", Kind::LinkLocal),
        ("febf::1", Kind::LinkLocal),
        ("ff02::1", Kind::Multicast),
        ("5f00::1", Kind::Reserved),
        ("4000::1", Kind::Reserved),
        ("200::1", Kind::Reserved),
    ] {
        assert_eq!(why(text), Some(kind), "{text}");
    }
}

#[test]
fn the_operator_opens_networks() {
    let policy = AddressPolicy::opening(vec![
        "10.1.0.0/16".parse().unwrap(),
        "::ffff:192.168.4.0/120".parse().unwrap(),
        "fd12::/16".parse().unwrap(),
    ]);
    for text in [
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "192.168.4.9",
        "::ffff:192.168.4.9",
        "fd12::1",
        "8.8.8.8",
    ] {
        assert_eq!(policy.check(text.parse().unwrap()), Ok(()), "{text}");
    }
    // an opened IPv4 network does not open the translators that could reach it
    for text in [
        "10.2.0.1",
        "192.168.5.1",
        "fd13::1",
        "127.0.0.1",
        "64:ff9b::10.1.2.3",
        "2002:a01:203::1",
    ] {
        assert!(policy.check(text.parse().unwrap()).is_err(), "{text}");
    }
}

#[test]
fn a_refusal_says_the_remedy() {
    let refused = AddressPolicy::public_only()
        .check("10.0.0.5".parse().unwrap())
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "10.0.0.5 is refused: private address; the operator opens it with --outbound-allow"
    );
}

/// Every form in which an IPv6 address carries `v4`.
fn wrapped(v4: Ipv4Addr, noise: u64) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = v4.octets().map(u16::from);
    let (high, low) = ((a << 8) | b, (c << 8) | d);
    let [n0, n1, n2, n3] = [0, 16, 32, 48].map(|shift| ((noise >> shift) & 0xffff) as u16);
    vec![
        v4.to_ipv6_mapped(),
        Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 1, n0, n1, n2, high, low),
        // RFC 6052 with a prefix of 48 bits
        Ipv6Addr::new(0x64, 0xff9b, 1, high, low >> 8, low << 8, n0, n1),
        Ipv6Addr::new(0x2002, high, low, n0, n1, n2, n3, 1),
        // Teredo: the server in clear, the client inverted
        Ipv6Addr::new(0x2001, 0, high, low, n0, n1, n2, n3),
        Ipv6Addr::new(0x2001, 0, n0, n1, n2, n3, !high, !low),
    ]
}

/// Any address, with the special ones far more often than chance would bring them.
fn any_v4() -> impl Strategy<Value = Ipv4Addr> {
    let special = prop::sample::select(vec![
        [0, 0, 0, 0],
        [10, 0, 0, 0],
        [100, 64, 0, 0],
        [127, 0, 0, 0],
        [169, 254, 169, 254],
        [172, 16, 0, 0],
        [192, 0, 0, 0],
        [192, 0, 2, 0],
        [192, 168, 0, 0],
        [198, 18, 0, 0],
        [224, 0, 0, 0],
        [240, 0, 0, 0],
    ]);
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from),
        (special, any::<u16>())
            .prop_map(|(base, low)| Ipv4Addr::from(u32::from_be_bytes(base) | u32::from(low))),
    ]
}

proptest! {
    #[test]
    fn no_wrapping_passes_when_the_address_would_not(v4 in any_v4(), noise: u64) {
        let policy = AddressPolicy::public_only();
        if policy.check(v4.into()).is_err() {
            for v6 in wrapped(v4, noise) {
                prop_assert!(policy.check(v6.into()).is_err(), "{v6} carries {v4}");
            }
        }
    }

    #[test]
    fn nor_when_the_operator_opened_some_networks(v4 in any_v4(), noise: u64, opened in any_v4(), length in 1u8..=32) {
        let network = ipnet::Ipv4Net::new(opened, length).unwrap();
        let policy = AddressPolicy::opening(vec![network.into()]);
        let plain = policy.check(v4.into()).is_ok();
        prop_assert_eq!(policy.check(v4.to_ipv6_mapped().into()).is_ok(), plain);
        for v6 in wrapped(v4, noise) {
            prop_assert!(plain || policy.check(v6.into()).is_err(), "{} carries {}", v6, v4);
        }
    }

    #[test]
    fn only_global_unicast_and_two_wrappings_pass(bits: u128) {
        let v6 = Ipv6Addr::from(bits);
        if AddressPolicy::public_only().check(v6.into()).is_ok() {
            let first = v6.segments()[0];
            prop_assert!((0x2000..=0x3fff).contains(&first) || first == 0x64 || v6.to_ipv4_mapped().is_some());
        }
    }

    #[test]
    fn an_opened_network_passes_whole(base in any_v4(), length in 0u8..=32, pick: u32) {
        let network = ipnet::Ipv4Net::new(base, length).unwrap();
        let inside = u32::from(network.network()) | (pick & u32::from(network.hostmask()));
        let policy = AddressPolicy::opening(vec![network.into()]);
        prop_assert!(policy.check(Ipv4Addr::from(inside).into()).is_ok());
    }
}
