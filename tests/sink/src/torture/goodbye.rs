//! Readers who leave by the one-click link of their last mail (RFC 8058).

use std::collections::BTreeMap;
use std::time::Duration;

use fault_sink::now;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::{Dice, PATIENCE, Problem};

/// Some of these readers with their links, in any order.
pub(crate) fn choose(links: BTreeMap<String, String>, count: usize, dice: &mut Dice) -> Vec<(String, String)> {
    let mut all: Vec<_> = links.into_iter().collect();
    for at in 0..count.min(all.len()) {
        let other = at + dice.below((all.len() - at) as u64) as usize;
        all.swap(at, other);
    }
    all.truncate(count);
    all
}

/// Says all goodbyes while the issue goes out, in step with the dots; when each was answered.
pub(crate) async fn say(
    leavers: Vec<(String, String)>,
    port: u16,
    mut dots: watch::Receiver<u64>,
    before: u64,
    readers: u64,
) -> Result<BTreeMap<String, u64>, Problem> {
    let mut answered = BTreeMap::new();
    let count = leavers.len() as u64;
    for (number, (reader, link)) in (0..).zip(leavers) {
        // The last leaves when four fifths have been mailed.
        let target = before + readers * 4 * number / (5 * count);
        let _ = tokio::time::timeout(PATIENCE, dots.wait_for(|dots| *dots >= target)).await;
        let mut tries = 0;
        while !leave(port, &link).await? {
            tries += 1;
            if tries > 100 {
                return Err(format!("a goodbye is not heard: POST {link}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        answered.insert(reader, now());
    }
    Ok(answered)
}

/// Whether the answer was 200.
async fn leave(port: u16, link: &str) -> Result<bool, Problem> {
    let host = format!("127.0.0.1:{port}");
    let path = link.strip_prefix(&format!("http://{host}")).ok_or_else(|| format!("`{link}` leads elsewhere"))?;
    let mut stream = TcpStream::connect(&host).await?;
    let body = "List-Unsubscribe=One-Click";
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}
