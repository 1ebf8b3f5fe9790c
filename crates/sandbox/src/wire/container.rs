//! What a conductor is told of its container.

use std::path::PathBuf;

use super::{Body, Reader, Truncated, Writer};
use crate::containers::Kind;
use crate::containers::engine::Engine;

/// One container to start and look after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) engine: Engine,
    /// Whose it is.
    pub(crate) instance: String,
    /// Where its named pipes are.
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
    pub(crate) image: String,
    /// Folders of the image to be covered.
    pub(crate) volumes: Vec<String>,
    /// A limit that the engine cannot set is a failure.
    pub(crate) is_strict: bool,
    /// The host's user that it runs as; none where the engine has no choice.
    pub(crate) user: Option<u32>,
    /// As for a PID 1.
    pub(crate) body: Body,
}

impl Request {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let engine = &self.engine;
        out.os(&engine.program)
            .u64(u64::from(engine.kind == Kind::Docker))
            .os(engine.runtime.as_deref().unwrap_or_default())
            .os(&self.instance)
            .os(&self.folder)
            .os(&self.name)
            .os(&self.image)
            .count(self.volumes.len());
        for volume in &self.volumes {
            out.os(volume);
        }
        out.u64(self.is_strict.into())
            // The server's own user is none of them.
            .u64(self.user.unwrap_or(0).into())
            .bytes(&self.body.encode());
        out.0
    }

    pub(crate) fn decode(data: &[u8]) -> Result<Self, Truncated> {
        let mut from = Reader(data);
        let engine = Engine {
            program: from.path()?,
            kind: if from.u64()? == 0 {
                Kind::Podman
            } else {
                Kind::Docker
            },
            runtime: Some(from.text()?).filter(|runtime| !runtime.is_empty()),
        };
        Ok(Self {
            engine,
            instance: from.text()?,
            folder: from.path()?,
            name: from.text()?,
            image: from.text()?,
            volumes: from.list(Reader::text)?,
            is_strict: from.u64()? != 0,
            user: u32::try_from(from.u64()?)
                .map(|user| (user != 0).then_some(user))
                .map_err(|_| Truncated)?,
            body: Body::decode(from.bytes()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_the_way() {
        let mut request = Request {
            engine: Engine {
                program: "/usr/bin/podman".into(),
                kind: Kind::Docker,
                runtime: Some("runc".into()),
            },
            instance: "one".into(),
            folder: "/f".into(),
            name: "n".into(),
            image: "localhost/i:1".into(),
            volumes: vec!["/data".into()],
            is_strict: true,
            user: Some(200_003),
            body: super::super::tests::body(),
        };
        assert_eq!(Request::decode(&request.encode()), Ok(request.clone()));
        request.engine.kind = Kind::Podman;
        request.engine.runtime = None;
        request.user = None;
        let data = request.encode();
        assert_eq!(Request::decode(&data), Ok(request));
        for length in 0..data.len() {
            assert_eq!(Request::decode(&data[..length]), Err(Truncated), "{length}");
        }
    }
}
