//! A server that answers what a test tells it to, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::config::Secret;
use crate::payments::Provider;

pub const KEY: &str = "sk_test_mountain";

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// As it was sent.
    pub path: String,
    /// Of the query or the form, decoded.
    pub values: Vec<(String, String)>,
    pub header: String,
}

impl Asked {
    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = self.header.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn read(text: &str) -> Asked {
        let (header, body) = text.split_once("\r\n\r\n").unwrap();
        let (first, header) = header.split_once("\r\n").unwrap();
        let (method, target) = first.split_once(' ').unwrap();
        let target = target.trim_end_matches(" HTTP/1.1");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let values = [query, body].into_iter().flat_map(|text| url::form_urlencoded::parse(text.as_bytes()));
        Asked {
            method: method.to_owned(),
            path: path.to_owned(),
            values: values.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
            header: header.to_owned(),
        }
    }
}

/// What a request is answered.
pub enum Reply {
    /// A status with JSON.
    Status(u16, Value),
    /// The same, with a further header field.
    With(u16, &'static str, Value),
    /// Nothing: the line is dropped.
    Drop,
}

impl Reply {
    /// An error in the provider's form.
    pub fn error(status: u16, code: &str) -> Reply {
        Reply::Status(status, json!({"error": {"type": "api_error", "code": code, "message": "No."}}))
    }
}

pub struct Server {
    pub url: url::Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub async fn start(answer: impl Fn(usize, &Asked) -> Reply + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let remembered = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = Asked::read(&read(&mut stream).await);
                let count = {
                    let mut asked = remembered.lock().unwrap();
                    asked.push(request.clone());
                    asked.len()
                };
                let (status, field, body) = match answer(count - 1, &request) {
                    Reply::Status(status, body) => (status, "X-Nothing: 1", body),
                    Reply::With(status, field, body) => (status, field, body),
                    Reply::Drop => continue,
                };
                let body = body.to_string();
                let length = body.len();
                let head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\n{field}\r\nContent-Length: {length}");
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
            }
        });
        Server { url, asked }
    }

    /// What was asked till now.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn provider(&self) -> Provider {
        Provider::new(&self.url, Secret::new(KEY)).unwrap()
    }
}

/// A request with as much body as it says.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((header, body)) = text.split_once("\r\n\r\n") {
            let length =
                header.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let mut more = [0; 4096];
        let count = stream.read(&mut more).await.unwrap();
        assert!(count > 0, "the line ended within a request");
        bytes.extend_from_slice(&more[..count]);
    }
}
