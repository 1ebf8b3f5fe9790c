//! Data keys: what secrets are sealed with.

use std::fmt;

use aws_lc_rs::aead::RandomizedNonceKey;
use zeroize::Zeroizing;

use crate::VaultError;
use crate::sealed::{Place, beginning, open, parts, seal};

/// The key of one kind of records.
pub struct DataKey {
    id: i64,
    key: RandomizedNonceKey,
}

impl DataKey {
    pub(crate) fn new(id: i64, key: RandomizedNonceKey) -> Self {
        Self { id, key }
    }

    /// Its id.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// What everything begins with that it has sealed.
    pub fn beginning(&self) -> String {
        beginning(self.id)
    }

    /// Seals a secret for a place.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<String, VaultError> {
        seal(
            &self.key,
            &self.id.to_string(),
            &place.bound_to(self.id),
            plain,
        )
    }

    /// Opens what was sealed for a place.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (id, coded) = parts(sealed)?;
        let id: i64 = id.parse().map_err(|_| VaultError::Form)?;
        if id != self.id {
            return Err(VaultError::OtherKey(id));
        }
        open(&self.key, &place.bound_to(id), coded)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use crate::{MasterKey, Place, VaultError};

    const PLACE: Place<'_> = Place {
        table: "integration_secrets",
        column: "build_env",
        row: 7,
    };

    #[test]
    fn what_is_sealed_opens_at_its_place_alone() {
        let master = MasterKey::read(&MasterKey::generate().unwrap()).unwrap();
        let wrapped = master.make_data_key("builds").unwrap();
        let key = master.open_data_key(3, "builds", &wrapped).unwrap();
        for text in [&b""[..], b"hush", &vec![0xff; 100_000]] {
            let sealed = key.seal(PLACE, text).unwrap();
            assert_eq!(*key.open(PLACE, &sealed).unwrap(), text);
            assert_ne!(sealed, key.seal(PLACE, text).unwrap());
            for other in [
                Place {
                    table: "t",
                    ..PLACE
                },
                Place {
                    column: "c",
                    ..PLACE
                },
                Place { row: 8, ..PLACE },
            ] {
                assert_eq!(key.open(other, &sealed), Err(VaultError::Refused));
            }
            let mut changed = sealed.clone().into_bytes();
            let middle = changed.len() / 2;
            changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
            assert!(
                key.open(PLACE, std::str::from_utf8(&changed).unwrap())
                    .is_err()
            );
            let same = master.open_data_key(4, "builds", &wrapped).unwrap();
            assert_eq!(same.open(PLACE, &sealed), Err(VaultError::OtherKey(3)));
        }
    }

    #[test]
    fn a_data_key_opens_with_its_master_key_and_kind() {
        let text = MasterKey::generate().unwrap();
        let master = MasterKey::read(&format!(" {}\n", *text)).unwrap();
        assert_eq!(master.id(), MasterKey::read(&text).unwrap().id());
        let wrapped = master.make_data_key("builds").unwrap();
        let other = MasterKey::read(&MasterKey::generate().unwrap()).unwrap();
        let refused =
            |master: &MasterKey, kind| master.open_data_key(1, kind, &wrapped).unwrap_err();
        assert_eq!(refused(&other, "builds"), VaultError::Refused);
        assert_eq!(refused(&master, "tokens"), VaultError::Refused);
        assert!(!format!("{master:?}").contains(&text[..8]));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "A", "AAAA", "*", &"A".repeat(44)] {
            assert_eq!(MasterKey::read(text).unwrap_err(), VaultError::NoKey);
        }
        let master = MasterKey::read(&MasterKey::generate().unwrap()).unwrap();
        let wrapped = master.make_data_key("builds").unwrap();
        let key = master.open_data_key(3, "builds", &wrapped).unwrap();
        for text in [
            "", "1", "1.3", "2.3.AAAA", "1.x.AAAA", "1.3.", "1.3.*", "1.3.AAAA",
        ] {
            assert_eq!(key.open(PLACE, text), Err(VaultError::Form), "{text}");
        }
    }
}
