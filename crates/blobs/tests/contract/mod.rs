//! What every location must do, whatever stands behind it.

use std::fs;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use marquetry_blobs::{BlobError, BlobRef, Blobs, Kind, Sha256};

/// Runs the whole contract on an empty location; `scratch` is a folder for files.
pub(crate) async fn all(blobs: &Blobs, scratch: &Path) {
    blobs.check().await.unwrap();
    pages(blobs).await;
    for kind in Kind::ALL {
        round_trip(blobs, kind).await;
        limits(blobs, kind).await;
        files(blobs, kind, scratch).await;
        missing(blobs, kind).await;
    }
    blobs.check().await.unwrap();
}

async fn round_trip(blobs: &Blobs, kind: Kind) {
    let content = Bytes::from("zażółć\n".repeat(50_000));
    let blob = blobs.put(kind, content.clone()).await.unwrap();
    assert_eq!(
        blob,
        BlobRef {
            kind,
            sha256: Sha256::of(&content)
        }
    );
    assert!(blobs.exists(&blob).await.unwrap());
    let found = blobs.find(&blob).await.unwrap().unwrap();
    let listed = blobs.list(kind, None, 1_000).await.unwrap().blobs;
    assert!(listed.contains(&found), "{found:?}");
    assert!(blobs.get(&blob, 1 << 20).await.unwrap() == content);
    assert!(read_all(blobs, &blob, 1 << 20).await.unwrap() == content);
    let length = content.len() as u64;
    for range in [
        0..0,
        0..5,
        100..200,
        299_000..300_000,
        length - 1..length + 5,
    ] {
        let end = usize::try_from(range.end.min(length)).unwrap();
        let start = usize::try_from(range.start).unwrap();
        let part = blobs.get_range(&blob, range.clone()).await.unwrap();
        assert!(part == content[start..end], "{range:?}");
    }
    assert!(
        blobs
            .get_range(&blob, length..length + 1)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        blobs
            .get_range(&blob, length + 5..length + 9)
            .await
            .unwrap()
            .is_empty()
    );

    let empty = blobs.put(kind, Bytes::new()).await.unwrap();
    assert!(blobs.get(&empty, 0).await.unwrap().is_empty());
    assert!(blobs.get_range(&empty, 0..10).await.unwrap().is_empty());
    blobs.delete(&blob).await.unwrap();
    blobs.delete(&blob).await.unwrap();
    assert!(!blobs.exists(&blob).await.unwrap());
    assert_eq!(blobs.find(&blob).await.unwrap(), None);
}

async fn limits(blobs: &Blobs, kind: Kind) {
    let blob = blobs
        .put(kind, Bytes::from(vec![0; 10_000_000]))
        .await
        .unwrap();
    assert_eq!(
        blobs.get(&blob, 10_000_000).await.unwrap().len(),
        10_000_000
    );
    for limit in [0, 9_999_999] {
        let got = blobs.get(&blob, limit).await;
        assert!(matches!(got, Err(BlobError::TooLarge { .. })), "{limit}");
        let streamed = read_all(blobs, &blob, limit).await;
        assert!(
            matches!(streamed, Err(BlobError::TooLarge { .. })),
            "{limit}"
        );
    }
}

/// Small files, and ones that go in several parts.
async fn files(blobs: &Blobs, kind: Kind, scratch: &Path) {
    let path = scratch.join("file");
    for length in [0_u32, 1_000, 8 << 20, (8 << 20) + 1, 20 << 20] {
        let noise = (0..length / 4).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes());
        let mut content: Vec<u8> = noise.collect();
        content.resize(length as usize, 7);
        fs::write(&path, &content).unwrap();
        let blob = blobs.put_file(kind, &path).await.unwrap();
        assert_eq!(
            blob,
            BlobRef {
                kind,
                sha256: Sha256::of(&content)
            }
        );
        assert!(
            blobs.get(&blob, u64::from(length)).await.unwrap() == content,
            "{length}"
        );
    }
    fs::remove_file(&path).unwrap();
    let put = blobs.put_file(kind, &path).await;
    assert!(matches!(put, Err(BlobError::File { .. })), "{put:?}");
}

async fn missing(blobs: &Blobs, kind: Kind) {
    let blob = BlobRef {
        kind,
        sha256: Sha256::of(b"never put"),
    };
    assert!(!blobs.exists(&blob).await.unwrap());
    let text = format!("blob {blob} does not exist");
    assert_eq!(blobs.get(&blob, 1).await.unwrap_err().to_string(), text);
    assert_eq!(
        blobs.get_range(&blob, 0..1).await.unwrap_err().to_string(),
        text
    );
    let stream = blobs.stream(&blob, 1).await;
    assert_eq!(stream.err().map(|error| error.to_string()), Some(text));
    blobs.delete(&blob).await.unwrap();
}

/// Every blob is listed once, in order, whatever the size of the pages.
async fn pages(blobs: &Blobs) {
    assert!(
        blobs
            .list(Kind::Payload, None, 5)
            .await
            .unwrap()
            .blobs
            .is_empty()
    );
    let mut expected = Vec::new();
    for number in 0..23 {
        let content = Bytes::from(format!("payload {number}"));
        expected.push(blobs.put(Kind::Payload, content).await.unwrap());
    }
    blobs
        .put(Kind::Log, Bytes::from("another kind"))
        .await
        .unwrap();
    expected.sort();
    for limit in [0, 1, 4, 22, 23, 100] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = blobs
                .list(Kind::Payload, after.as_ref(), limit)
                .await
                .unwrap();
            assert!(page.blobs.len() <= limit.max(1));
            assert!(page.blobs.iter().all(|listed| listed.stored_bytes > 0));
            found.extend(page.blobs.iter().map(|listed| listed.blob));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
}

async fn read_all(blobs: &Blobs, blob: &BlobRef, limit: u64) -> Result<BytesMut, BlobError> {
    let mut stream = blobs.stream(blob, limit).await?;
    let mut content = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        content.extend_from_slice(&chunk?);
    }
    Ok(content)
}
