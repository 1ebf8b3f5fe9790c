//! How a chunk of a log is kept: as it is, or packed.
//!
//! Most runs say little, and most of that are the platform's first lines, which name the variables. They are packed
//! with a dictionary that has such lines, to a tenth. A text has no NUL, so one tells a packed chunk.

use std::sync::{LazyLock, Mutex, PoisonError};

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// What a packed chunk begins with: that it is one, and which dictionary it needs. A dictionary never changes; a better
/// one gets another number.
const MARK: [u8; 2] = [0, 1];
/// Behind it stands the length of the text, in little-endian order.
pub(super) const HEAD: usize = MARK.len() + size_of::<u32>();
static DICTIONARY: &[u8] = include_bytes!("dictionary-1.txt");
/// The quickest: what is left is hardly shorter with more work.
const LEVEL: i32 = 1;
/// No chunk is longer, because no log is; a length that says so is damage.
const LONGEST: usize = 1 << 30;
/// A text so short is not worth a look.
const SHORT: usize = 64;

static PACKER: LazyLock<Option<Mutex<Compressor<'static>>>> = LazyLock::new(|| {
    static WORDS: LazyLock<EncoderDictionary<'static>> =
        LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
    let packer = Compressor::with_prepared_dictionary(&WORDS).ok()?;
    Some(Mutex::new(packer))
});
static UNPACKER: LazyLock<Option<Mutex<Decompressor<'static>>>> = LazyLock::new(|| {
    static WORDS: LazyLock<DecoderDictionary<'static>> =
        LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));
    let unpacker = Decompressor::with_prepared_dictionary(&WORDS).ok()?;
    Some(Mutex::new(unpacker))
});

/// As it is kept.
pub(super) fn pack(text: Vec<u8>) -> Vec<u8> {
    // It is none, but must not be taken for a packed one.
    let must = text.starts_with(&MARK);
    if text.len() < SHORT && !must {
        return text;
    }
    packed(&text)
        .filter(|packed| must || packed.len() < text.len())
        .unwrap_or(text)
}

fn packed(text: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(text.len()).ok()?;
    let packer = PACKER.as_ref()?;
    let mut packer = packer.lock().unwrap_or_else(PoisonError::into_inner);
    let rest = packer.compress(text).ok()?;
    Some([&MARK[..], &length.to_le_bytes(), &rest].concat())
}

/// As it was; none where it is damaged.
pub(super) fn unpack(kept: Vec<u8>) -> Option<Vec<u8>> {
    let Some(length) = packed_length(&kept) else {
        return Some(kept);
    };
    if length > LONGEST {
        return None;
    }
    let unpacker = UNPACKER.as_ref()?;
    let mut unpacker = unpacker.lock().unwrap_or_else(PoisonError::into_inner);
    let text = unpacker.decompress(&kept[HEAD..], length).ok()?;
    (text.len() == length).then_some(text)
}

/// The length of the text, by the beginning of a packed chunk; none of one that is as it was.
pub(super) fn packed_length(kept: &[u8]) -> Option<usize> {
    let length = kept.strip_prefix(&MARK)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_of_a_run_are_packed_to_a_tenth() {
        let text = b"[marquetry] run 970217 of release shop-build-17 in mode normal; triggers 36831 (cron)\n\
            [marquetry] variables: PAN_CTX_INTEGRATION_ID PAN_CTX_INTEGRATION_NAME PAN_CTX_TENANT_ID PAN_CTX_TENANT_NAME \
            PAN_CTX_ENV PAN_CTX_RUN_ID PAN_CTX_RUN_MODE PAN_CTX_RUN_TRIGGERS PAN_CTX_RUN_TRIGGERS_FILE \
            PAN_CTX_TENANT_METADATA_FILE TRACEPARENT PAN_CTX_LAST_RUN_START_TIME PAN_CTX_LAST_RUN_COMPLETION_TIME \
            PAN_CTX_LAST_RUN_PHASE PAN_CTX_LAST_RUN_STD_OUT PAN_CTX_LAST_SUCCESSFUL_RUN_START_TIME \
            PAN_CTX_LAST_SUCCESSFUL_RUN_COMPLETION_TIME PAN_CTX_LAST_SUCCESSFUL_RUN_PHASE \
            PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT PAN_CTX_LAST_RUN_STDOUT\n"
            .to_vec();
        let kept = pack(text.clone());
        assert!(
            kept.len() * 8 < text.len(),
            "{} of {}",
            kept.len(),
            text.len()
        );
        assert_eq!(packed_length(&kept), Some(text.len()));
        assert_eq!(unpack(kept), Some(text));
    }

    #[test]
    fn what_does_not_become_shorter_stays_as_it_is() {
        for text in [&b""[..], b"short", b"\0short"] {
            assert_eq!(pack(text.to_vec()), text);
        }
        let like_a_packed_one = b"\0\x01 but is none".to_vec();
        let kept = pack(like_a_packed_one.clone());
        assert_eq!(unpack(kept), Some(like_a_packed_one));
        let mut chance = 1_u32;
        let noise: Vec<u8> = (0..500)
            .map(|_| {
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                chance.to_be_bytes()[0] | 1
            })
            .collect();
        let kept = pack(noise.clone());
        assert_eq!(packed_length(&kept), None);
        assert_eq!(unpack(kept), Some(noise));
    }

    #[test]
    fn what_is_damaged_is_no_text() {
        let text = b"the same, the same, the same, the same, the same, the same, the same".to_vec();
        let kept = pack(text);
        assert!(packed_length(&kept).is_some());
        let mut longer = kept.clone();
        longer[2] += 1;
        for damaged in [&kept[..kept.len() - 1], &kept[..HEAD], &longer] {
            assert_eq!(unpack(damaged.to_vec()), None);
        }
    }
}
