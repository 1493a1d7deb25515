//! Fetching what stands somewhere in the world, and nowhere else: nobody who names an address makes this program knock
//! at the doors of its own network.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use url::{Host, Url};

/// How long it takes at most, in all.
const WITHIN: Duration = Duration::from_secs(10);
/// No answer is longer.
const MOST_BYTES: usize = 64 * 1024;

/// Why nothing was fetched. It holds no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub &'static str);

/// What an `https` address answers: within ten seconds, at most 64 KiB, not led on to another address, and only where
/// its name leads into the world.
pub async fn fetch(address: Url) -> Result<Vec<u8>, FetchError> {
    if !matches!(address.host(), Some(Host::Domain(_))) {
        return Err(FetchError("its address has no name"));
    }
    let client = Client::builder()
        .user_agent(concat!("pressrun/", env!("CARGO_PKG_VERSION")))
        .https_only(true)
        .timeout(WITHIN)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(TheWorld)
        .build();
    let client = client.map_err(|_| FetchError("no encrypted line can be made on this machine"))?;
    let mut answer = client.get(address).send().await.map_err(|_| FetchError("no connection"))?;
    if !answer.status().is_success() {
        return Err(FetchError("it is not there"));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|_| FetchError("the line dropped"))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_BYTES {
            return Err(FetchError("it is too long"));
        }
    }
    Ok(bytes)
}

/// Names as the system knows them, without what is not the world's. What was looked at is what is connected to.
struct TheWorld;

impl Resolve for TheWorld {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(all.into_iter().filter(|address| is_of_the_world(address.ip()))) as Addrs)
        })
    }
}

/// The registries of RFC 6890.
const SPECIAL: &str = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 \
    192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 2001::/23 2001:db8::/32 \
    2002::/16 3fff::/20";

/// Neither this machine nor its network, nor what a cloud tells its machines at 169.254.169.254, nor anything else that
/// is not of everybody.
fn is_of_the_world(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_in = |network: &str| network.parse::<IpNet>().is_ok_and(|network| network.contains(&address));
    !SPECIAL.split_ascii_whitespace().any(is_in) && (address.is_ipv4() || is_in("2000::/3"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn what_is_not_everybodys_is_told_from_the_world() {
        for world in ["8.8.8.8", "172.32.0.1", "223.255.255.255", "2600:9000::1", "::ffff:8.8.8.8"] {
            assert!(is_of_the_world(world.parse().unwrap()), "{world}");
        }
        let ours = "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.0.1 169.254.169.254 172.31.255.255 192.0.0.1 \
            192.0.2.1 192.168.1.1 198.19.0.1 198.51.100.1 203.0.113.1 224.0.0.1 255.255.255.255 :: ::1 \
            ::ffff:127.0.0.1 ::ffff:169.254.169.254 fc00::1 fd00:ec2::254 fe80::1 ff02::1 64:ff9b::7f00:1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1";
        for ours in ours.split_whitespace() {
            assert!(!is_of_the_world(ours.parse().unwrap()), "{ours}");
        }
    }

    #[tokio::test]
    async fn nobody_is_led_to_this_machine() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1", "[::1]", "2130706433"] {
            fetch(format!("https://{host}:{port}/").parse().unwrap()).await.unwrap_err();
        }
        fetch(format!("http://localhost:{port}/").parse().unwrap()).await.unwrap_err();
        let nobody = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
        assert!(nobody.is_err(), "somebody connected");
    }
}
