//! A browser as far as connect pages need one: it keeps cookies, follows redirects and sends forms.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Response, Url, redirect};

/// A page that it came to.
#[derive(Debug)]
pub struct PageSeen {
    /// Where.
    pub url: Url,
    /// With which status.
    pub status: u16,
    /// The headers of the last answer.
    pub headers: reqwest::header::HeaderMap,
    /// Its text.
    pub text: String,
}

impl PageSeen {
    /// Its one heading.
    pub fn heading(&self) -> &str {
        let start = self.text.find("<h1").unwrap_or_else(|| panic!("{self:?}"));
        let rest = &self.text[start..];
        let rest = &rest[rest.find('>').unwrap() + 1..];
        rest[..rest.find("</h1>").unwrap()].trim()
    }

    /// The value of an attribute of the first element that has `mark` before it.
    pub fn attribute(&self, mark: &str, name: &str) -> String {
        let start = self
            .text
            .find(mark)
            .unwrap_or_else(|| panic!("{mark}: {self:?}"));
        let rest = &self.text[start..];
        let name = format!("{name}=\"");
        let rest = &rest[rest.find(&name).unwrap() + name.len()..];
        rest[..rest.find('"').unwrap()]
            .replace("&amp;", "&")
            .replace("&#38;", "&")
    }
}

/// One browser.
pub struct Browser {
    client: Client,
    /// By host and port, as name and value.
    cookies: Mutex<HashMap<String, HashMap<String, String>>>,
    /// What each place has answered, heads and bodies.
    seen: Mutex<HashMap<String, String>>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// One without cookies.
    pub fn new() -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none());
        Self {
            client: client.build().unwrap(),
            cookies: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Opens an address, and whatever it leads to.
    pub async fn open(&self, url: &str) -> PageSeen {
        self.go(Method::GET, url.parse().unwrap(), Vec::new()).await
    }

    /// Sends a form.
    pub async fn send(&self, url: &str, fields: &[(&str, &str)]) -> PageSeen {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(fields).finish();
        self.go(Method::POST, url.parse().unwrap(), form.into_bytes())
            .await
    }

    async fn go(&self, mut method: Method, mut url: Url, mut body: Vec<u8>) -> PageSeen {
        for _ in 0..10 {
            let answer = self.once(method, &url, body).await;
            self.keep(&url, &answer);
            self.remember(
                &url,
                &format!("{} {:?}\n", answer.status(), answer.headers()),
            );
            let to = answer
                .headers()
                .get(LOCATION)
                .map(|to| to.to_str().unwrap().to_owned());
            let Some(to) = to.filter(|_| answer.status().is_redirection()) else {
                let page = PageSeen {
                    url,
                    status: answer.status().as_u16(),
                    headers: answer.headers().clone(),
                    text: answer.text().await.unwrap(),
                };
                self.remember(&page.url, &page.text);
                return page;
            };
            url = url.join(&to).unwrap();
            (method, body) = (Method::GET, Vec::new());
        }
        panic!("it is led in a circle, at last to {url}");
    }

    async fn once(&self, method: Method, url: &Url, body: Vec<u8>) -> Response {
        let own = self.cookies_for(url);
        let mut request = self.client.request(method.clone(), url.clone());
        if !own.is_empty() {
            request = request.header(COOKIE, own);
        }
        if method == Method::POST {
            let kind = "application/x-www-form-urlencoded";
            request = request.header("content-type", kind).body(body);
        }
        request.send().await.unwrap()
    }

    fn remember(&self, url: &Url, text: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(place(url)).or_default().push_str(text);
    }

    /// All that the server of a URL has answered up to now, redirects too, heads and bodies.
    pub fn seen(&self, url: &str) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let own = seen.get(&place(&url.parse().unwrap()));
        own.cloned().unwrap_or_default()
    }

    fn cookies_for(&self, url: &Url) -> String {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let own = cookies.get(&place(url)).into_iter().flatten();
        let own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        own.join("; ")
    }

    fn keep(&self, url: &Url, answer: &Response) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let own = cookies.entry(place(url)).or_default();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            own.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn place(url: &Url) -> String {
    format!("{:?}:{:?}", url.host_str(), url.port())
}
