//! Which server, which key.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::{Client, ClientError, is_loopback};

const DEFAULT_URL: &str = "http://127.0.0.1:8080";
const DEFAULT_DATA_DIR: &str = "./marquetry-data";

/// Options that every client command has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection and output")]
pub(crate) struct ConnectionArgs {
    /// The server.
    #[arg(long, global = true, env = "MARQUETRY_URL", default_value = DEFAULT_URL, value_name = "URL")]
    url: String,
    /// The API key; none given: the one in the local data folder.
    ///
    /// A flag can be read by everybody on the machine: better say it in MARQUETRY_API_KEY.
    #[arg(
        long,
        global = true,
        env = "MARQUETRY_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    api_key: Option<String>,
    /// The local server's data folder, for its api-key file [default: ./marquetry-data].
    #[arg(long, global = true, env = "MARQUETRY_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print exactly the API's JSON, and nothing else on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl ConnectionArgs {
    /// The client these options mean.
    pub(crate) fn client(&self) -> Result<Client, ClientError> {
        Client::new(&self.url, self.key())
    }

    /// The same for a request whose answer comes after long work, in which nothing is heard.
    pub(crate) fn patient_client(&self) -> Result<Client, ClientError> {
        Client::patient(&self.url, self.key())
    }

    fn key(&self) -> Option<String> {
        let given = self.api_key.as_deref().map(str::trim);
        if let Some(key) = given.filter(|key| !key.is_empty()) {
            return Some(key.to_owned());
        }
        // The local owner key must not go to a stranger because somebody gave another --url; who
        // names the folder means it.
        let local = Url::parse(&self.url).is_ok_and(|url| is_loopback(&url));
        let folder = match &self.data_dir {
            Some(folder) => folder.clone(),
            None if local => DEFAULT_DATA_DIR.into(),
            None => return None,
        };
        let text = fs::read_to_string(folder.join("api-key")).ok()?;
        let key = text.trim();
        (!key.is_empty()).then(|| key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: &str, key: Option<&str>, folder: Option<PathBuf>) -> ConnectionArgs {
        ConnectionArgs {
            url: url.to_owned(),
            api_key: key.map(str::to_owned),
            data_dir: folder,
            json: false,
        }
    }

    #[test]
    fn a_given_key_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("api-key"), "mq_file\n").unwrap();
        let path = || Some(folder.path().to_owned());
        let key = |given| args(DEFAULT_URL, given, path()).key();
        assert_eq!(key(Some("mq_flag")).as_deref(), Some("mq_flag"));
        assert_eq!(key(Some(" ")).as_deref(), Some("mq_file"));
        assert_eq!(key(None).as_deref(), Some("mq_file"));
        let empty = tempfile::tempdir().unwrap();
        let none = args(DEFAULT_URL, None, Some(empty.path().to_owned())).key();
        assert_eq!(none, None);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["127.0.0.1:8080", "ftp://x", "nonsense"] {
            assert!(args(url, Some("k"), None).client().is_err(), "{url}");
        }
        let client = args("http://[::1]:80/base", Some("k"), None).client();
        assert_eq!(client.unwrap().base(), "http://[::1]/base");
    }
}
