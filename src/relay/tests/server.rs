//! A server that says and expects what a script tells it, line by line.
//!
//! `> words` says a line (or two at once, with `\n` between them), `< words` expects one that begins so, `body` reads up to the final dot, `some body` reads the
//! beginning of a message, `tls` encrypts (`tls expired` with a certificate that was valid once), `flood` never ends its answer, `drop` hangs up at once, `stall` reads no more, `again` is followed by
//! the script for the next connection. At the end of a script it reads on in silence until the client hangs up.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use super::super::line::Stream;

pub struct Server {
    pub port: u16,
    conversation: JoinHandle<String>,
}

impl Server {
    pub async fn start(script: &str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = script.to_owned();
        let conversation = tokio::spawn(async move {
            let mut heard = String::new();
            for script in script.split("again\n") {
                let (stream, _) = listener.accept().await.unwrap();
                heard += &follow(script, stream).await;
            }
            heard
        });
        Server { port, conversation }
    }

    /// Everything the client said.
    pub async fn heard(self) -> String {
        self.conversation.await.unwrap()
    }
}

async fn follow(script: &str, stream: TcpStream) -> String {
    let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(Box::new(stream));
    let mut heard = String::new();
    for turn in script.lines().map(str::trim).filter(|turn| !turn.is_empty()) {
        match turn.split_once(' ').unwrap_or((turn, "")) {
            (">", words) => {
                let words = words.replace("\\n", "\r\n");
                stream.write_all(format!("{words}\r\n").as_bytes()).await.unwrap();
            }
            ("<", words) => {
                let line = hear_line(&mut stream, &mut heard).await;
                assert!(line.starts_with(words), "expected `{words}`, heard `{line}`");
            }
            ("body", _) => while hear_line(&mut stream, &mut heard).await != ".\r\n" {},
            ("some", _) => stream.read_exact(&mut [0; 4096]).await.map(drop).unwrap(),
            ("tls", which) => match acceptor(which == "expired").accept(stream.into_inner()).await {
                Ok(encrypted) => stream = BufReader::new(Box::new(encrypted)),
                Err(_) => return heard,
            },
            ("flood", _) => {
                while stream.write_all(b"250-and so on and so on and so on and so on\r\n").await.is_ok() {}
                return heard;
            }
            ("drop", _) => return heard,
            ("stall", _) => std::future::pending().await,
            _ => panic!("no such turn: {turn}"),
        }
        let _ = stream.flush().await;
    }
    let _ = stream.read_to_string(&mut heard).await;
    heard
}

async fn hear_line(stream: &mut BufReader<Box<dyn Stream>>, heard: &mut String) -> String {
    let start = heard.len();
    stream.read_line(heard).await.unwrap();
    assert!(heard.len() > start, "the client hung up");
    heard[start..].to_owned()
}

pub fn certificate(is_expired: bool) -> CertificateDer<'static> {
    let pem: &[u8] = if is_expired { include_bytes!("expired.crt") } else { include_bytes!("localhost.crt") };
    CertificateDer::from_pem_slice(pem).unwrap()
}

fn acceptor(is_expired: bool) -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate(is_expired)], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
