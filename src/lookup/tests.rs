use std::net::SocketAddr;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{MX, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record as Answered, RecordType};
use hickory_resolver::proto::serialize::binary::BinDecodable as _;
use tokio::net::UdpSocket;

use super::records::Answer;
use super::*;

/// Name, kind and values; what is not there has no name.
type Zone<'z> = &'z [(&'z str, Kind, &'z [&'z str])];

const SOUND: Zone = &[
    ("news.example.com", Kind::Text, &["something else", "v=spf1 a:mail.example.com ~all"]),
    ("_dmarc.example.com", Kind::Text, &["v=DMARC1; p=none"]),
    ("key._domainkey.example.com", Kind::Text, &["v=DKIM1; p=QUJD RA=="]),
    ("news.example.com", Kind::Exchange, &["mail.example.com"]),
    ("news.example.com", Kind::Authority, &["ns.example.com"]),
    ("mail.example.com", Kind::Address, &["192.0.2.25"]),
    ("192.0.2.25", Kind::Pointer, &["mail.example.com"]),
];

fn subject() -> Subject {
    let news = || "news.example.com".to_owned();
    let key = PublishedKey {
        name: "key._domainkey.example.com".to_owned(),
        value: "v=DKIM1; k=rsa; p=QUJDRA==".to_owned(),
        domain: "example.com".to_owned(),
    };
    Subject {
        senders: BTreeSet::from([(news(), news())]),
        keys: vec![key],
        relay: Some("mail.example.com".to_owned()),
        leaves_from: Vec::new(),
        host: "www.example.com".to_owned(),
    }
}

/// The findings that are not `ok`, with their records, where `zone` stands before the sound one.
fn told(subject: &Subject, zone: Zone) -> Vec<String> {
    let mut records = Records::default();
    let of = |values: &[&str]| match values {
        [] => Answer::NoRecord,
        values => Answer::Records(values.iter().map(ToString::to_string).collect()),
    };
    let findings = loop {
        let findings = subject.judge(&mut records);
        let wanted = records.take_wanted();
        if wanted.is_empty() {
            break findings;
        }
        for question in wanted {
            let mut all = zone.iter().chain(SOUND);
            let known = all.find(|(name, kind, _)| (*kind, *name) == (question.0, question.1.as_str()));
            records.learn(question, known.map_or(Answer::NoName, |(.., values)| of(values)));
        }
    };
    let bad = findings.into_iter().filter(|finding| finding.verdict != Verdict::Ok);
    bad.map(|Finding { verdict, about, finding, record }| {
        let record = record.map_or_else(String::new, |record| format!(" => {}", record.line()));
        format!("{verdict:?} {about}: {finding}{record}")
    })
    .collect()
}

/// Of what DNS has in place of the sound records, exactly this is said.
#[track_caller]
fn check(zone: Zone, expected: &[&str]) {
    assert_eq!(told(&subject(), zone), expected);
}

#[test]
fn what_is_sound_is_not_complained_of() {
    check(&[], &[]);
}

#[test]
fn spf_is_one_record_that_says_who_else() {
    check(
        &[("news.example.com", Kind::Text, &["v=spf10 -all"])],
        &["Problem spf: news.example.com has no SPF record, so large receivers refuse mail from it => \
         news.example.com. TXT \"v=spf1 ip4:192.0.2.25 ~all\""],
    );
    check(
        &[("news.example.com", Kind::Text, &["v=spf1 mx -all", "v=spf1 mx a:mail.example.com ?all"])],
        &["Problem spf: news.example.com has 2 SPF records, which counts as an error; one may be there => \
         news.example.com. TXT \"v=spf1 mx a:mail.example.com ~all\""],
    );
    check(
        &[("news.example.com", Kind::Text, &["v=spf1 mx +all"])],
        &["Problem spf: the record of news.example.com lets anybody send for it => \
         news.example.com. TXT \"v=spf1 mx ~all\""],
    );
    check(
        &[("news.example.com", Kind::Text, &["v=spf1 mx"])],
        &["Advice spf: the record of news.example.com says nothing about everybody else => \
         news.example.com. TXT \"v=spf1 mx ~all\""],
    );
    check(
        &[("news.example.com", Kind::Text, &["v=spf1 mx ip4:1.2.3 -all"])],
        &["Problem spf: the record of news.example.com: `ip4:1.2.3` cannot be read"],
    );
}

#[test]
fn spf_covers_where_mail_leaves_from() {
    let other = &[("news.example.com", Kind::Text, &["v=spf1 ip4:198.51.100.0/24 ~all"][..])];
    check(
        other,
        &[
            "Advice spf: the record of news.example.com does not cover ip4:192.0.2.25; that is well if the relay's mail \
         leaves from others => news.example.com. TXT \"v=spf1 ip4:192.0.2.25 ip4:198.51.100.0/24 ~all\"",
        ],
    );
    let known = Subject { leaves_from: vec!["192.0.2.25".parse().unwrap()], ..subject() };
    assert!(told(&known, other)[0].starts_with("Problem spf: the record of news.example.com does not cover"));
    for covering in [
        "v=spf1 -ip4:192.0.2.26 ip4:192.0.2.0/24 -all",
        "v=spf1 a:mail.example.com/32//64 -all",
        "v=spf1 mx/28 ~all",
        "v=spf1 include:good.example.com -all",
        "v=spf1 include:bad.example.com ip4:192.0.2.25 -all",
        "v=spf1 exp=why.%{d} unknown=x redirect=good.example.com",
    ] {
        check(
            &[
                ("news.example.com", Kind::Text, &[covering]),
                ("good.example.com", Kind::Text, &["v=spf1 ip4:192.0.2.25 -all"]),
                ("bad.example.com", Kind::Text, &["v=spf1 -all"]),
            ],
            &[],
        );
    }
    check(
        &[("news.example.com", Kind::Text, &["v=spf1 -ip4:192.0.2.25 exists:%{i}.example.com -all"])],
        &[
            "Advice spf: the record of news.example.com does not cover ip4:192.0.2.25; that is well if the relay's mail \
         leaves from others => \
         news.example.com. TXT \"v=spf1 ip4:192.0.2.25 -ip4:192.0.2.25 exists:%{i}.example.com -all\"",
        ],
    );
    check(
        &[("news.example.com", Kind::Text, &["v=spf1 exists:%{i}.example.com -all"])],
        &["Advice spf: whether news.example.com covers ip4:192.0.2.25 depends on each mail"],
    );
}

#[test]
fn spf_may_ask_ten_times_and_twice_in_vain() {
    let eleven = "v=spf1 include:a.example.com include:b.example.com a:mail.example.com ~all";
    let five = "v=spf1 a:mail.example.com a:mail.example.com a:mail.example.com mx:news.example.com -all";
    check(
        &[
            ("news.example.com", Kind::Text, &[eleven]),
            ("a.example.com", Kind::Text, &[five]),
            ("b.example.com", Kind::Text, &[five]),
        ],
        &["Problem spf: the record of news.example.com: it makes receivers ask 11 times, and may 10: \
           include:a.example.com 5, include:b.example.com 5, a:mail.example.com 1"],
    );
    let round = [("news.example.com", Kind::Text, &["v=spf1 include:news.example.com ~all"][..])];
    assert!(told(&subject(), &round)[0].contains("it makes receivers ask 31 times"));
    check(
        &[("news.example.com", Kind::Text, &["v=spf1 a:x.example.com a:y.example.com a:z.example.com mx ~all"])],
        &["Problem spf: the record of news.example.com: 3 of its names have nothing to say, and 2 may"],
    );
    check(
        &[("news.example.com", Kind::Text, &["v=spf1 mx include:lost.example.com ~all"])],
        &["Problem spf: the record of news.example.com: it leads to lost.example.com, which has no SPF record"],
    );
}

#[test]
fn dkim_is_the_key_that_we_sign_with() {
    let name = "key._domainkey.example.com";
    for (records, wrong) in [
        (&[][..], "has no record, so our signatures count for nothing"),
        (
            &["v=DKIM1; p=QUJDRA==", "v=DKIM1; p=QUJDRA=="],
            "has 2 records, of which receivers take any; one may be there",
        ),
        (&["v=DKIM1; p=QUJD"], "is another key than we sign with"),
        (&["v=DKIM1; k=ed25519; p=QUJDRA=="], "is for another kind of key than we sign with"),
        (&["v=DKIM1; p="], "says that the key was revoked"),
        (&["v=DKIM1; h=sha1; p=QUJDRA=="], "does not allow SHA-256, which we sign with"),
    ] {
        let expected = format!("Problem dkim: {name} {wrong} => {name}. TXT \"v=DKIM1; k=rsa; p=QUJDRA==\"");
        check(&[(name, Kind::Text, records)], &[&expected]);
    }
    let long = Record { name: name.to_owned(), kind: "TXT", value: "a".repeat(300) };
    assert_eq!(long.line(), format!("{name}. TXT \"{}\" \"{}\"", "a".repeat(255), "a".repeat(45)));
}

#[test]
fn dmarc_is_there_once_and_our_mail_is_aligned() {
    check(
        &[("_dmarc.example.com", Kind::Text, &[])],
        &[
            "Problem dmarc: news.example.com has no DMARC record, so large receivers refuse mail to many of their readers \
         => _dmarc.news.example.com. TXT \"v=DMARC1; p=none\"",
        ],
    );
    check(
        &[("_dmarc.example.com", Kind::Text, &["v=DMARC1; p=reject; pct=0; ri=60; rua=mailto:d@example.com"])],
        &["Advice dmarc: the DMARC record of example.com has pct, ri, which RFC 9989 knows no more => \
         _dmarc.example.com. TXT \"v=DMARC1; t=y; p=reject; rua=mailto:d@example.com\""],
    );
    check(
        &[("_dmarc.example.com", Kind::Text, &["v=DMARC1; adkim=s"])],
        &[
            "Advice dmarc: the DMARC record of example.com has no `p`, and counts as `p=none` or not at all => \
         _dmarc.example.com. TXT \"v=DMARC1; p=none; adkim=s\"",
            "Advice dmarc: no signature of `[mail.dkim]` is by news.example.com or, without `adkim=s`, by example.com",
        ],
    );
    check(
        &[("_dmarc.news.example.com", Kind::Text, &["v=DMARC1; p=none", "v=DMARC1; p=reject"])],
        &["Problem dmarc: news.example.com has 2 DMARC records, so all are ignored; one may be there => \
         _dmarc.news.example.com. TXT \"v=DMARC1; p=none\""],
    );
    // `psd=n` makes the lower domain an organization of its own, to which the key's does not belong.
    check(
        &[("_dmarc.news.example.com", Kind::Text, &["v=DMARC1; p=none; psd=n"])],
        &[
            "Advice dmarc: no signature of `[mail.dkim]` is by news.example.com or, without `adkim=s`, by news.example.com",
        ],
    );
    let away = ("news.example.com".to_owned(), "bounces.example.net".to_owned());
    let mut away = Subject { senders: BTreeSet::from([away]), keys: Vec::new(), ..subject() };
    let of_dmarc = |subject: &Subject| {
        let all = told(subject, &[]);
        all.into_iter().filter(|told| told.contains(" dmarc: ")).collect::<Vec<_>>()
    };
    let told = "dmarc: bounces go to bounces.example.net, which is not of example.com as From is: choose a \
        `bounces-to` that is";
    assert_eq!(of_dmarc(&away), [format!("Problem {told}")]);
    away.keys = subject().keys;
    assert_eq!(of_dmarc(&away), [format!("Advice {told}")]);
}

#[test]
fn our_domains_are_there_and_take_mail() {
    check(
        &[("news.example.com", Kind::Exchange, &[""])],
        &["Problem mx: news.example.com says that it takes no mail, so many receivers take none from it => \
         news.example.com. MX 10 www.example.com."],
    );
    check(
        &[("news.example.com", Kind::Exchange, &[])],
        &["Problem mx: nothing takes mail for news.example.com, so answers and bounces are lost => \
         news.example.com. MX 10 www.example.com."],
    );
    check(
        &[("news.example.com", Kind::Exchange, &["gone.example.com"])],
        &["Problem mx: mail for news.example.com goes to gone.example.com, which is not there => \
         news.example.com. MX 10 www.example.com."],
    );
}

#[test]
fn an_address_has_a_name_that_leads_back() {
    let known = Subject { leaves_from: vec!["2001:db8::25".parse().unwrap()], ..subject() };
    let covered = ("news.example.com", Kind::Text, &["v=spf1 ip6:2001:db8::/32 ~all"][..]);
    assert_eq!(
        told(&known, &[covered]),
        ["Problem ptr: 2001:db8::25 has no name; whoever rents it to you sets it => \
         5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR www.example.com.",]
    );
    check(
        &[("192.0.2.25", Kind::Pointer, &["other.example.com"])],
        &[
            "Advice ptr: 192.0.2.25 is called other.example.com, which leads elsewhere; that is well if the relay's mail \
         leaves from others => other.example.com. A 192.0.2.25",
        ],
    );
}

/// A server that knows a few names, and answers one question after the other until it is dropped.
async fn server() -> (SocketAddr, JoinSet<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, asker)) = socket.recv_from(&mut buffer).await {
            let answer = answer(&Message::from_bytes(&buffer[..length]).unwrap());
            socket.send_to(&answer.to_vec().unwrap(), asker).await.unwrap();
        }
    });
    (address, serving)
}

fn answer(asked: &Message) -> Message {
    let query = asked.queries[0].clone();
    let host = |name: &str| Name::from_ascii(name).unwrap();
    let data = match (query.name().to_ascii().to_ascii_lowercase().as_str(), query.query_type()) {
        ("key._domainkey.example.com.", RecordType::TXT) => {
            vec![RData::TXT(TXT::new(vec!["v=DKIM1; p=QUJ".to_owned(), "DRA==".to_owned()]))]
        }
        ("example.com.", RecordType::MX) => vec![RData::MX(MX::new(10, host("mail.example.com.")))],
        ("25.2.0.192.in-addr.arpa.", RecordType::PTR) => vec![RData::PTR(PTR(host("mail.example.com.")))],
        ("mail.example.com.", RecordType::A) => vec![RData::A("192.0.2.25".parse().unwrap())],
        _ => Vec::new(),
    };
    let mut answer = Message::response(asked.id, OpCode::Query);
    answer.add_query(query.clone());
    answer.metadata.response_code = match query.name().to_ascii().contains("gone") {
        true => ResponseCode::NXDomain,
        false if query.name().to_ascii().contains("broken") => ResponseCode::ServFail,
        false => ResponseCode::NoError,
    };
    answer.add_answers(data.into_iter().map(|data| Answered::from_rdata(query.name().clone(), 60, data)));
    answer
}

#[tokio::test]
async fn a_server_is_asked_and_understood() {
    let (address, _serving) = server().await;
    let resolver = dns::resolver(Some(address)).unwrap();
    let ask = async |kind, name: &str| dns::ask(&resolver, &(kind, name.to_owned())).await;
    let one = |value: &str| Answer::Records(vec![value.to_owned()]);
    assert_eq!(ask(Kind::Text, "key._domainkey.example.com").await, one("v=DKIM1; p=QUJDRA=="), "joined");
    assert_eq!(ask(Kind::Exchange, "example.com").await, one("mail.example.com"));
    assert_eq!(ask(Kind::Pointer, "192.0.2.25").await, one("mail.example.com"));
    assert_eq!(ask(Kind::Address, "mail.example.com").await, one("192.0.2.25"));
    assert_eq!(ask(Kind::Text, "example.com").await, Answer::NoRecord);
    assert_eq!(ask(Kind::Text, "gone.example.com").await, Answer::NoName);
    assert!(matches!(ask(Kind::Text, "broken.example.com").await, Answer::Failed(_)));
    assert!(matches!(ask(Kind::Text, "a..b").await, Answer::Failed(_)));
}
