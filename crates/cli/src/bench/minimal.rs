//! A server that answers the same text to everything: what HTTP itself costs here, with the load's own
//! client.

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// About as long as a tenant.
const BODY: usize = 700;

/// The server, in this process, and a client of it.
pub(super) struct Minimal {
    url: String,
    http: reqwest::Client,
}

impl Minimal {
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<()> {
        super::process::get(&self.http, &format!("{}{path}", self.url), None).await
    }
}

pub(super) async fn serve() -> anyhow::Result<Minimal> {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("cannot listen on loopback")?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    let http = super::process::http()?;
    Ok(Minimal { url, http })
}

/// Our client sends a request only after the answer to the one before, and none has a body.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let body = "x".repeat(BODY);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n{body}");
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
        if read.ends_with(b"\r\n\r\n") {
            read.clear();
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}
