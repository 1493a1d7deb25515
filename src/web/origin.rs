//! Who is asked, and who asks: hosts, clients behind proxies, and the site that a form was sent from.
//!
//! Pure. Links are built from the publication's url only; a request for any other host is refused before it is read.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{Request, StatusCode};
use ipnet::IpNet;
use url::Url;

use crate::config::is_loopback;

/// The host that a request names, if it is ours.
///
/// RFC 9112, 3.2: exactly one Host, else 400; 3.2.2: a request-target in absolute form wins. A host that is not ours
/// is answered with 421 (RFC 9110, 15.5.20).
pub(super) fn host_of<B>(request: &Request<B>, base_url: &Url, bound: SocketAddr) -> Result<String, StatusCode> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(StatusCode::BAD_REQUEST) };
    let host = host.to_str().map_err(|_| StatusCode::BAD_REQUEST)?;
    let named = request.uri().authority().map_or(host, |authority| authority.as_str()).to_ascii_lowercase();
    let accepted = accepted_hosts(base_url, bound);
    if accepted.contains(&named) { Ok(named) } else { Err(StatusCode::MISDIRECTED_REQUEST) }
}

/// The url's host; and when that is this machine's own, its other names on the bound port.
fn accepted_hosts(base_url: &Url, bound: SocketAddr) -> Vec<String> {
    let name = base_url.host_str().unwrap_or_default();
    let mut accepted = vec![format!("{name}:{}", base_url.port_or_known_default().unwrap_or(80))];
    if base_url.port().is_none() {
        accepted.push(name.to_owned());
    }
    if is_loopback(name) {
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            accepted.push(format!("{name}:{}", bound.port()));
            if bound.port() == 80 {
                accepted.push(name.to_owned());
            }
        }
    }
    accepted
}

/// Whose address limits count: the peer's, unless that is a proxy we trust and it says another.
pub(super) fn client_of(headers: &HeaderMap, peer: IpAddr, proxies: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
    let mut client = peer.to_canonical();
    let lines = headers.get_all(HeaderName::from_static("x-forwarded-for")).iter();
    let words = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    for word in words.map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>().into_iter().rev() {
        // Some proxies add the port.
        let named = word.parse::<IpAddr>().or_else(|_| word.parse::<SocketAddr>().map(|socket| socket.ip()));
        let Ok(named) = named else { break };
        if !is_proxy(client) {
            break;
        }
        client = named.to_canonical();
    }
    client
}

/// Whether a browser says that a form was sent from this site.
///
/// Fetch Metadata first; without it, Origin must be ours; a request with neither is refused. `same-site` is another
/// site's.
pub(super) fn is_own(headers: &HeaderMap, scheme: &str, host: &str) -> bool {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        first.map(|value| if values.next().is_some() { "" } else { value.to_str().unwrap_or_default() })
    };
    match (one(&HeaderName::from_static("sec-fetch-site")), one(&ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.to_ascii_lowercase() == format!("{scheme}://{host}"),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[track_caller]
    fn check_host(base: &str, target: &str, hosts: &[&str], expected: Result<&str, u16>) {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let bound = "127.0.0.1:8000".parse().unwrap();
        let found = host_of(&request.body(()).unwrap(), &url(base), bound);
        assert_eq!(found.as_deref().map_err(StatusCode::as_u16), expected, "{target} {hosts:?}");
    }

    #[test]
    fn only_our_own_hosts_are_served() {
        let ours = "https://example.com";
        check_host(ours, "/", &["Example.com"], Ok("example.com"));
        check_host(ours, "/", &["example.com:443"], Ok("example.com:443"));
        check_host(ours, "/", &["example.com:80"], Err(421));
        check_host(ours, "/", &["evil.test"], Err(421));
        check_host(ours, "/", &["localhost:8000"], Err(421));
        check_host(ours, "/", &["example.com@evil.test"], Err(421));
        check_host(ours, "/", &[""], Err(421));
        check_host(ours, "/", &[], Err(400));
        check_host(ours, "/", &["example.com", "example.com"], Err(400));
        check_host(ours, "http://evil.test/", &["example.com"], Err(421));
        check_host(ours, "http://example.com/", &["evil.test"], Ok("example.com"));
        let local = "http://127.0.0.1:8000";
        for host in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"] {
            check_host(local, "/", &[host], Ok(host));
        }
        check_host(local, "/", &["localhost:9000"], Err(421));
        check_host(local, "/", &["example.com:8000"], Err(421));
    }

    #[test]
    fn only_a_trusted_proxy_speaks_for_a_client() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let client = |peer: &str, forwarded: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            client_of(&headers, peer.parse().unwrap(), &proxies).to_string()
        };
        assert_eq!(client("192.0.2.1", "198.51.100.7"), "192.0.2.1");
        assert_eq!(client("10.1.1.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(client("10.1.1.1", "203.0.113.9, 198.51.100.7, 10.2.2.2"), "198.51.100.7");
        assert_eq!(client("10.1.1.1", "nonsense"), "10.1.1.1");
        assert_eq!(client("10.1.1.1", "198.51.100.7:5678, "), "198.51.100.7");
        assert_eq!(client("10.1.1.1", "[2001:db8::1]:99"), "2001:db8::1");
        assert_eq!(client("::ffff:192.0.2.1", "198.51.100.7"), "192.0.2.1");
    }

    #[test]
    fn a_form_is_taken_from_our_own_pages_only() {
        let sites =
            [None, Some("same-origin"), Some("none"), Some("same-site"), Some("cross-site"), Some("SAME-ORIGIN")];
        let origins =
            [None, Some("https://example.com"), Some("https://evil.test"), Some("null"), Some("http://example.com")];
        let mut taken = Vec::new();
        for site in sites {
            for origin in origins {
                let mut headers = HeaderMap::new();
                for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                    value.map(|value| headers.insert(name, value.parse().unwrap()));
                }
                if is_own(&headers, "https", "example.com") {
                    taken.push((site, origin));
                }
            }
        }
        let mut expected = vec![(None, Some("https://example.com"))];
        for site in ["same-origin", "none"] {
            expected.extend(origins.map(|origin| (Some(site), origin)));
        }
        assert_eq!(taken, expected);
    }
}
