use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::hosts::HostList;
use crate::policy::{AddressKind, AddressPolicy};
use crate::relay::{Limits, Rules};
use crate::resolver::Resolver;

fn shared(hosts: HostRule) -> Shared {
    let many: Vec<String> = (1..=100).map(|last| format!("8.8.4.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let table = [
        (
            "both.test",
            &["93.184.216.34", "2606:2800:220:1::1", "10.0.0.5"][..],
        ),
        ("four.test", &["1.1.1.1"]),
        ("inside.test", &["10.0.0.5", "::ffff:127.0.0.1"]),
        ("many.test", &many),
    ];
    let table = table.map(|(name, addresses)| {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        (name.to_owned(), addresses)
    });
    let rules = Rules {
        policy: Arc::new(AddressPolicy::public_only()),
        resolver: Arc::new(Resolver::table(HashMap::from(table))),
        hosts,
    };
    Shared::new(rules, Limits::default())
}

/// A query as a stub resolver sends it; `opt` is the payload size in its OPT record.
fn query(name: &str, kind: u16, opt: Option<u16>) -> Vec<u8> {
    let mut packet = vec![
        0xab,
        0xcd,
        1,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        u8::from(opt.is_some()),
    ];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend_from_slice(label.as_bytes());
    }
    packet.push(0);
    packet.extend_from_slice(&kind.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    if let Some(payload) = opt {
        let [high, low] = payload.to_be_bytes();
        packet.extend_from_slice(&[0, 0, 41, high, low, 0, 0, 0, 0, 0, 0]);
    }
    packet
}

/// The code, the truncation bit and the addresses of an answer, read with nothing of ours.
fn read(query: &[u8], reply: &[u8]) -> (u8, bool, Vec<IpAddr>) {
    assert_eq!(reply[..2], query[..2], "the id is repeated");
    assert_eq!(reply[2] & 0x80, 0x80, "it is an answer");
    let mut place = 12;
    while reply[place] != 0 {
        place += 1 + usize::from(reply[place]);
    }
    place += 5;
    assert_eq!(
        reply[12..place],
        query[12..place],
        "the question is repeated"
    );
    let count = u16::from_be_bytes([reply[6], reply[7]]);
    let addresses = (0..count).map(|_| {
        assert_eq!(reply[place..place + 2], [0xc0, 12]);
        let data = place + 12;
        let end = data + usize::from(reply[place + 11]);
        let bytes = &reply[data..end];
        place = end;
        match bytes.len() {
            4 => IpAddr::from(<[u8; 4]>::try_from(bytes).unwrap()),
            _ => IpAddr::from(<[u8; 16]>::try_from(bytes).unwrap()),
        }
    });
    let addresses = addresses.collect();
    let tail = if reply[11] == 1 { 11 } else { 0 };
    assert_eq!(place + tail, reply.len(), "nothing is left over");
    (reply[3] & 0xf, reply[2] & 2 != 0, addresses)
}

async fn ask(shared: &Shared, name: &str, kind: u16) -> (u8, Vec<String>) {
    let packet = query(name, kind, None);
    let reply = answer(shared, &packet, Transport::Udp).await.unwrap();
    let (code, _, addresses) = read(&packet, &reply);
    (code, addresses.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn names_lead_to_allowed_addresses_only() {
    let shared = shared(HostRule::Any);
    let text = |addresses: &[&str]| {
        addresses
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ask(&shared, "both.test", 1).await,
        (0, text(&["93.184.216.34"]))
    );
    assert_eq!(
        ask(&shared, "bOTH.TeST", 28).await,
        (0, text(&["2606:2800:220:1::1"]))
    );
    assert_eq!(ask(&shared, "four.test", 28).await, (0, vec![]));
    assert_eq!(ask(&shared, "both.test", 16).await, (0, vec![]));
    assert_eq!(ask(&shared, "none.test", 1).await, (3, vec![]));
    assert_eq!(
        ask(&shared, "localhost", 1).await,
        (0, text(&["127.0.0.1"]))
    );
    assert_eq!(ask(&shared, "x.localhost", 28).await, (0, text(&["::1"])));
    assert_eq!(shared.stats.snapshot().refused, 0);
}

#[tokio::test]
async fn a_name_inside_does_not_exist_and_is_noted() {
    let shared = shared(HostRule::Any);
    assert_eq!(ask(&shared, "inside.test", 1).await, (3, vec![]));
    let stats = shared.stats.snapshot();
    assert_eq!(stats.refused, 1);
    assert_eq!(
        stats.recent[0].target,
        Target::Name("inside.test".to_owned())
    );
    assert_eq!(
        stats.recent[0].reason,
        Reason::Address(AddressKind::Private)
    );
}

#[tokio::test]
async fn a_listed_name_opens_its_addresses() {
    let hosts = HostList::parse(["four.test"]).unwrap();
    let shared = shared(HostRule::Only(hosts));
    let target = "1.1.1.1:443".parse().unwrap();
    assert_eq!(shared.admit(target), Err(Reason::NotListed));
    assert_eq!(ask(&shared, "both.test", 1).await, (3, vec![]));
    assert_eq!(ask(&shared, "four.test", 1).await.0, 0);
    assert_eq!(shared.admit(target), Ok(()));
    assert_eq!(
        shared.admit("93.184.216.34:443".parse().unwrap()),
        Err(Reason::NotListed)
    );
}

#[tokio::test]
async fn a_long_answer_is_cut_to_its_transport() {
    let shared = shared(HostRule::Any);
    for (opt, transport, limit, count) in [
        (None, Transport::Udp, 512, 30),
        (Some(0), Transport::Udp, 512, 29),
        (Some(u16::MAX), Transport::Udp, 1232, 74),
        (None, Transport::Tcp, 65_535, 100),
    ] {
        let packet = query("many.test", 1, opt);
        let reply = answer(&shared, &packet, transport).await.unwrap();
        let (code, truncated, addresses) = read(&packet, &reply);
        assert_eq!((code, truncated, addresses.len()), (0, count < 100, count));
        assert!(reply.len() <= limit);
    }
}

#[tokio::test]
async fn what_is_no_plain_query_gets_its_code() {
    let shared = shared(HostRule::Any);
    let good = query("four.test", 1, Some(1232));
    let changed = |place: usize, value: u8| {
        let mut packet = good.clone();
        packet[place] = value;
        packet
    };
    let last = good.len() - 1;
    for (packet, code) in [
        (changed(2, 0x28), 4),
        (changed(5, 2), 1),
        (changed(5, 0), 1),
        (changed(11, 2), 1),
        (changed(12, 0xc0), 1),
        (changed(12, 63), 1),
        (changed(last, 9), 1),
        (changed(last - 12, 3), 5),
        (good[..20].to_vec(), 1),
    ] {
        let reply = answer(&shared, &packet, Transport::Udp).await.unwrap();
        assert_eq!((reply.len(), reply[3] & 0xf), (12, code), "{packet:02x?}");
    }
    assert_eq!(
        answer(&shared, &changed(2, 0x81), Transport::Udp).await,
        None
    );
    assert_eq!(answer(&shared, &good[..11], Transport::Udp).await, None);
    // an unknown version of EDNS: the code's upper bits lie in the OPT record
    let reply = answer(&shared, &changed(last - 4, 1), Transport::Udp)
        .await
        .unwrap();
    assert_eq!((reply[3] & 0xf, reply[reply.len() - 6]), (0, 1));
}

#[tokio::test]
async fn a_dot_inside_a_label_is_no_border() {
    let shared = shared(HostRule::Any);
    let mut packet = query("fourxtest", 1, None);
    packet[17] = b'.';
    let reply = answer(&shared, &packet, Transport::Udp).await.unwrap();
    assert_eq!(reply[3] & 0xf, 3);
}

#[tokio::test]
async fn a_stream_answers_one_query_after_the_other() {
    let shared = shared(HostRule::Any);
    let (mut client, server) = tokio::io::duplex(4096);
    let asker = async {
        for name in ["four.test", "both.test"] {
            let packet = query(name, 1, None);
            client
                .write_u16(u16::try_from(packet.len()).unwrap())
                .await
                .unwrap();
            client.write_all(&packet).await.unwrap();
            let length = client.read_u16().await.unwrap();
            let mut reply = vec![0; usize::from(length)];
            client.read_exact(&mut reply).await.unwrap();
            assert_eq!(read(&packet, &reply).2.len(), 1);
        }
        // nonsense ends the stream
        client.write_all(&[0, 3, 1, 2, 3]).await.unwrap();
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    };
    tokio::join!(serve_stream(&shared, server), asker);
    assert_eq!(shared.stats.queries.load(Ordering::Relaxed), 3);
}

/// An answer to anything at all is short, is an answer and repeats the id.
fn check_any(packet: &[u8]) -> Result<(), TestCaseError> {
    let shared = shared(HostRule::Any);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    if let Some(reply) = runtime.block_on(answer(&shared, packet, Transport::Udp)) {
        prop_assert!((12..=1232).contains(&reply.len()));
        prop_assert_eq!(&reply[..2], &packet[..2]);
        prop_assert_eq!(reply[2] & 0x80, 0x80);
    }
    Ok(())
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(packet in prop::collection::vec(any::<u8>(), 0..600)) {
        check_any(&packet)?;
    }

    #[test]
    fn nor_do_damaged_queries(
        name in "[a-z.]{0,40}",
        opt in prop::option::of(any::<u16>()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<prop::sample::Index>(),
    ) {
        let mut packet = query(&name, 1, opt);
        for (place, value) in damage {
            let place = place.index(packet.len());
            packet[place] = value;
        }
        check_any(&packet)?;
        packet.truncate(keep.index(packet.len() + 1));
        check_any(&packet)?;
    }

    #[test]
    fn every_name_of_a_table_is_found(name in "[a-z0-9]{1,20}(\\.[a-z0-9_-]{1,20}){1,4}", kind in prop::sample::select(vec![1_u16, 28])) {
        let packet = query(&name, kind, None);
        let parsed = message::parse(&packet).unwrap();
        prop_assert_eq!(parsed.name.as_deref(), Some(name.as_str()));
        prop_assert_eq!(parsed.kind.is_some(), true);
    }
}
