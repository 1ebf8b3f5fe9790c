//! A database for a trial, beside what a PostgreSQL server of this machine has: `marquetry chaos` breaks it.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

use crate::error::{Error, Result};

/// Where a database server of this machine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// At a port of the loopback network.
    Tcp(SocketAddr),
    /// At a socket in the file system.
    Unix(PathBuf),
}

impl Address {
    /// The socket by which PostgreSQL's clients look for a server in a folder.
    pub fn socket_in(folder: &Path) -> PathBuf {
        folder.join(format!(".s.PGSQL.{PORT}"))
    }
}

/// The port that is meant where none is said.
const PORT: u16 = 5432;

/// A database that was made for a trial.
#[derive(Debug)]
pub struct TrialDatabase {
    config: Config,
    name: String,
    address: Address,
}

impl TrialDatabase {
    /// Makes one of this name on the server of a URL. Nothing else of that server is touched.
    ///
    /// # Errors
    /// [`Error::Url`] for what is no URL, [`Error::NotHere`] for one of another machine: what a trial does is for a
    /// server that nobody else misses; else what the server says.
    pub async fn create(url: &str, name: &str) -> Result<Self> {
        let config: Config = url.parse().map_err(Error::Url)?;
        let address = address(&config)?;
        let this = Self {
            config,
            name: name.to_owned(),
            address,
        };
        this.run(&format!("CREATE DATABASE \"{name}\"")).await?;
        Ok(this)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its server listens.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// Its URL for who reaches it by the socket in this folder ([`Address::socket_in`]).
    pub fn url_by(&self, folder: &Path) -> String {
        let mut who = String::new();
        if let Some(user) = self.config.get_user() {
            who.push_str(&escaped(user.as_bytes()));
            if let Some(password) = self.config.get_password() {
                who.push(':');
                who.push_str(&escaped(password));
            }
            who.push('@');
        }
        let folder = escaped(folder.as_os_str().as_encoded_bytes());
        let name = escaped(self.name.as_bytes());
        // A server that is asked over TCP might want TLS, for which a socket has no name.
        format!("postgres://{who}{folder}:{PORT}/{name}?sslmode=disable")
    }

    /// Ends all sessions in it, as a server that is restarted or fails over.
    ///
    /// # Errors
    /// What the server says.
    pub async fn end_sessions(&self) -> Result<()> {
        let name = &self.name;
        let all = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        self.run(&all).await
    }

    /// Removes it with all sessions in it.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove(self) -> Result<()> {
        let name = &self.name;
        self.run(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))
            .await
    }

    async fn run(&self, sql: &str) -> Result<()> {
        let (client, connection) = self.config.connect(NoTls).await?;
        // What goes wrong with the connection, the statement says too.
        let driver = tokio::spawn(async move { drop(connection.await) });
        let done = client.batch_execute(sql).await;
        drop(client);
        let _ = driver.await;
        Ok(done?)
    }
}

fn address(config: &Config) -> Result<Address> {
    let port = config.get_ports().first().copied().unwrap_or(PORT);
    let host = match config.get_hosts() {
        [Host::Unix(folder)] => {
            return Ok(Address::Unix(folder.join(format!(".s.PGSQL.{port}"))));
        }
        [Host::Tcp(name)] => name.as_str(),
        _ => "no host, or several",
    };
    let found = match host {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        name => name.parse().ok(),
    };
    match found {
        Some(found) if found.is_loopback() => Ok(Address::Tcp(SocketAddr::new(found, port))),
        Some(_) | None => Err(Error::NotHere {
            host: host.to_owned(),
        }),
    }
}

/// As a part of a URL.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(*byte));
        } else {
            // A string takes all that is written to it.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Address> {
        address(&url.parse().unwrap())
    }

    #[test]
    fn only_a_server_of_this_machine_is_taken() {
        for url in [
            "postgres://127.0.0.1/x",
            "postgres://u:p@localhost:5433/x",
            "host=::1 dbname=x",
        ] {
            assert!(matches!(of(url), Ok(Address::Tcp(_))), "{url}");
        }
        let socket = of("postgres:///x?host=/run/postgresql&port=5433").unwrap();
        assert_eq!(
            socket,
            Address::Unix("/run/postgresql/.s.PGSQL.5433".into())
        );
        for url in [
            "postgres://db.example.com/x",
            "postgres://10.0.0.1/x",
            "postgres://127.0.0.1,10.0.0.1/x",
            "dbname=x",
        ] {
            assert!(matches!(of(url), Err(Error::NotHere { .. })), "{url}");
        }
    }

    #[test]
    fn a_url_by_another_socket_names_the_same_user() {
        let database = TrialDatabase {
            config: "postgres://us%20er:p%2Fw@localhost/x".parse().unwrap(),
            name: "trial".to_owned(),
            address: Address::Unix(PathBuf::new()),
        };
        let folder = Path::new("/tmp/a folder");
        let read: Config = database.url_by(folder).parse().unwrap();
        assert_eq!(read.get_user(), Some("us er"));
        assert_eq!(read.get_password(), Some(&b"p/w"[..]));
        assert_eq!(read.get_hosts(), [Host::Unix(folder.to_owned())]);
        assert_eq!(read.get_dbname(), Some("trial"));
        assert_eq!(
            read.get_ssl_mode(),
            tokio_postgres::config::SslMode::Disable
        );
        let nobody = TrialDatabase {
            config: "postgres:///x?host=/tmp".parse().unwrap(),
            ..database
        };
        let read: Config = nobody.url_by(folder).parse().unwrap();
        assert_eq!(read.get_user(), None);
    }
}
