//! HTTP to a port of a test's own server.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode, redirect};

/// A client of one server, which follows no redirect.
pub struct Http {
    url: String,
    client: Client,
}

impl Http {
    /// Of the server at this URL, without a slash at the end.
    pub fn new(url: String) -> Self {
        let client = Client::builder().no_proxy();
        let client = client.redirect(redirect::Policy::none());
        let client = client.build().unwrap();
        Self { url, client }
    }

    /// Sends a request and takes the whole answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.headers(headers).body(body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.bytes().await.unwrap().to_vec())
    }
}
