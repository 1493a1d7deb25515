//! Asking DNS.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::records::{Answer, Kind, Question};

/// The servers of this machine, or the one that is named.
pub(super) fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            let server = NameServerConfig::new(server.ip(), true, connections);
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    // What this machine alone believes, no receiver of mail does.
    builder.options_mut().use_hosts_file = ResolveHosts::Never;
    builder.build()
}

/// Asks one question.
pub(super) async fn ask(resolver: &TokioResolver, (kind, name): &Question) -> Answer {
    let types: &[RecordType] = match kind {
        Kind::Text => &[RecordType::TXT],
        Kind::Address => &[RecordType::A, RecordType::AAAA],
        Kind::Exchange => &[RecordType::MX],
        Kind::Pointer => &[RecordType::PTR],
        Kind::Authority => &[RecordType::SOA],
    };
    let name = match name.parse::<IpAddr>() {
        Ok(address) => Name::from(address),
        Err(_) => match Name::from_ascii(format!("{name}.")) {
            Ok(name) => name,
            Err(error) => return Answer::Failed(error.to_string()),
        },
    };
    let mut values = Vec::new();
    for record_type in types {
        match resolver.lookup(name.clone(), *record_type).await {
            Ok(found) => values.extend(found.answers().iter().filter_map(|record| text(*kind, &record.data))),
            Err(error) if error.is_nx_domain() => return Answer::NoName,
            Err(error) if error.is_no_records_found() => {}
            Err(error) => return Answer::Failed(error.to_string()),
        }
    }
    if values.is_empty() { Answer::NoRecord } else { Answer::Records(values) }
}

fn text(kind: Kind, data: &RData) -> Option<String> {
    let host = |name: &Name| name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    Some(match (kind, data) {
        (Kind::Text, RData::TXT(texts)) => String::from_utf8_lossy(&texts.txt_data.concat()).into_owned(),
        (Kind::Address, RData::A(address)) => address.to_string(),
        (Kind::Address, RData::AAAA(address)) => address.to_string(),
        (Kind::Exchange, RData::MX(exchange)) => host(&exchange.exchange),
        (Kind::Pointer, RData::PTR(pointer)) => host(pointer),
        (Kind::Authority, RData::SOA(authority)) => host(&authority.mname),
        _ => return None,
    })
}
