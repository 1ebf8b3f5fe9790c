//! Does the first owner key still lie about on a server that others can reach?

use super::Check;
use crate::config::ServerConfig;

const NAME: &str = "api-key file";

pub(super) fn check(config: &ServerConfig) -> Check {
    let file = config.data_dir.join("api-key");
    let shown = file.display();
    if !file.exists() {
        return Check::ok(NAME, "not there");
    }
    if config.listen.ip().is_loopback() {
        return Check::ok(
            NAME,
            format!("{shown}, and the server listens on this machine only"),
        );
    }
    let detail = format!(
        "{shown} holds an owner key, and the server listens on {}",
        config.listen
    );
    let remedy = format!(
        "make keys with fewer rights (marquetry keys create), keep the owner key elsewhere, and remove {shown}"
    );
    Check::warn(NAME, detail, remedy)
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;
    use crate::config::{Environment, ServerFlags};

    #[test]
    fn it_warns_only_where_others_can_reach_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let state = |listen: &str| {
            let said = Environment::from([
                ("MARQUETRY_LISTEN".to_owned(), listen.to_owned()),
                (
                    "MARQUETRY_DATA_DIR".to_owned(),
                    folder.path().display().to_string(),
                ),
            ]);
            check(&ServerConfig::load(&ServerFlags::default(), &said).unwrap()).state
        };
        assert_eq!(state("0.0.0.0:80"), CheckState::Ok);
        std::fs::write(folder.path().join("api-key"), "mq_x").unwrap();
        assert_eq!(state("0.0.0.0:80"), CheckState::Warn);
        assert_eq!(state("127.0.0.1:80"), CheckState::Ok);
    }
}
