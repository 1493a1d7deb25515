use aws_lc_rs::hmac;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::config::Secret;
use crate::model::{ErrandKind, News};
use crate::payments::webhook::{Forged, verified};

const BODY: &str = r#"{"id":"evt_1","object":"event","api_version":"2026-10-28.endive","created":1795000000,"data":{"object":{"id":"sub_1","object":"subscription"}},"livemode":false,"pending_webhooks":1,"request":null,"type":"customer.subscription.updated"}"#;

/// What the provider's official library (stripe 16.1.0 for Python) makes of `BODY` at `TIME` with two secrets.
const TIME: i64 = 1_795_000_060;
const OF_MOUNTAIN: &str = "30d5a0c2e49fb78dec2cb2140ffa337569c22eaee94b570d1cfdd3ddf349d31a";
const OF_VALLEY: &str = "7e764d17d6b12dd5d9676b405de2078ef077f3e255b18c25681b48d2c16f510d";

fn mountain() -> Vec<Secret> {
    vec![Secret::new("whsec_mountain")]
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn signed(body: &[u8], time: i64) -> String {
    let message = [format!("{time}.").as_bytes(), body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"whsec_mountain"), &message);
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

#[test]
fn what_the_official_library_signs_is_taken() {
    let expected =
        News { id: "evt_1".into(), at: at(1_795_000_000), errand: Some((ErrandKind::Agreement, "sub_1".into())) };
    let both = vec![Secret::new("whsec_mountain"), Secret::new("whsec_valley")];
    for (signature, secrets) in [
        (format!("t={TIME},v1={OF_MOUNTAIN}"), mountain()),
        // One secret is rolled into another: the provider signs with both, or we know both.
        (format!("t={TIME},v1={OF_VALLEY},v1={OF_MOUNTAIN}"), mountain()),
        (format!("t={TIME},v1={OF_VALLEY}"), both),
        (format!("v0=6ffb,t={TIME},v1={OF_MOUNTAIN},v2=x,y"), mountain()),
    ] {
        assert_eq!(verified(BODY.as_bytes(), &signature, &secrets, at(TIME)), Ok(expected.clone()), "{signature}");
    }
    assert_eq!(signed(BODY.as_bytes(), TIME), format!("t={TIME},v1={OF_MOUNTAIN}"));
}

#[test]
fn a_clock_may_be_five_minutes_off() {
    let signature = format!("t={TIME},v1={OF_MOUNTAIN}");
    for (minutes, seconds, is_taken) in [(5, 0, true), (-5, 0, true), (5, 1, false), (-5, -1, false), (60, 0, false)] {
        let now = at(TIME) + Duration::minutes(minutes) + Duration::seconds(seconds);
        let told = verified(BODY.as_bytes(), &signature, &mountain(), now);
        assert_eq!(told.err(), (!is_taken).then_some(Forged::Old), "{minutes} {seconds}");
    }
}

#[test]
fn what_is_forged_is_refused() {
    let right = format!("t={TIME},v1={OF_MOUNTAIN}");
    let refused = |body: &[u8], signature: &str| verified(body, signature, &mountain(), at(TIME)).unwrap_err();
    let body = BODY.as_bytes();
    assert_eq!(refused(&body[..body.len() - 1], &right), Forged::Wrong);
    assert_eq!(refused(BODY.replace("sub_1", "sub_2").as_bytes(), &right), Forged::Wrong);
    assert_eq!(refused(b"", &right), Forged::Wrong);
    assert_eq!(refused(body, &format!("t={TIME},v1={}", &OF_MOUNTAIN[..63])), Forged::Wrong);
    assert_eq!(refused(body, &format!("t={TIME},v1=")), Forged::Wrong);
    assert_eq!(refused(body, &format!("t={},v1={OF_MOUNTAIN}", TIME + 1)), Forged::Wrong);
    assert_eq!(refused(body, &format!("t={TIME},v1={OF_VALLEY}")), Forged::Wrong);
    for signature in [
        String::new(),
        right.replace("v1", "v0"),
        right.replace("t=", "T="),
        format!("v1={OF_MOUNTAIN}"),
        format!("t=soon,v1={OF_MOUNTAIN}"),
        format!("t={},v1={OF_MOUNTAIN}", i64::MAX),
        format!("t={TIME}"),
    ] {
        assert_eq!(refused(body, &signature), Forged::Malformed, "{signature}");
    }
    assert_eq!(verified(body, &right, &[], at(TIME)), Err(Forged::Wrong));
    assert_eq!(verified(body, &right, &[Secret::new(""), Secret::new(" ")], at(TIME)), Err(Forged::Wrong));
}

#[test]
fn what_is_signed_and_no_event_is_refused() {
    let long = [b"{\"a\":\"", "x".repeat(1 << 20).as_bytes(), b"\"}"].concat();
    for body in [&b"{}"[..], b"[]", b"\xff\xfe", b"{\"id\":\"evt_1\"", &long] {
        let told = verified(body, &signed(body, TIME), &mountain(), at(TIME));
        assert_eq!(told, Err(Forged::Malformed));
    }
}

#[test]
fn an_event_says_where_to_look() {
    let about = |kind: &str, object: Value| {
        let body = json!({"id": "evt_1", "created": TIME, "type": kind, "data": {"object": object}}).to_string();
        verified(body.as_bytes(), &signed(body.as_bytes(), TIME), &mountain(), at(TIME)).unwrap().errand
    };
    let agreement = || Some((ErrandKind::Agreement, "sub_1".to_owned()));
    let customer = || Some((ErrandKind::Customer, "cus_1".to_owned()));
    let of_agreement = json!({"id": "in_1", "parent": {"type": "subscription_details",
        "subscription_details": {"metadata": {}, "subscription": "sub_1"}}});
    for (kind, object, expected) in [
        (
            "checkout.session.completed",
            json!({"id": "cs_1", "customer": "cus_1"}),
            Some((ErrandKind::Checkout, "cs_1".into())),
        ),
        ("checkout.session.expired", json!({"id": "cs_1"}), Some((ErrandKind::Checkout, "cs_1".into()))),
        ("customer.subscription.deleted", json!({"id": "sub_1", "customer": "cus_1"}), agreement()),
        ("customer.subscription.trial_will_end", json!({"id": "sub_1"}), agreement()),
        ("invoice.paid", of_agreement.clone(), agreement()),
        ("invoice.payment_failed", of_agreement, agreement()),
        ("invoice.paid", json!({"id": "in_1", "subscription": "sub_1"}), agreement()),
        ("invoice.paid", json!({"id": "in_1", "parent": null}), None),
        ("customer.updated", json!({"id": "cus_1"}), customer()),
        ("customer.deleted", json!({"id": "cus_1"}), customer()),
        ("customer.created", json!({"id": "cus_1"}), None),
        ("customer.source.created", json!({"id": "src_1"}), None),
        ("payment_method.attached", json!({"id": "pm_1", "customer": "cus_1"}), customer()),
        ("payment_method.detached", json!({"id": "pm_1", "customer": null}), None),
        ("charge.refunded", json!({"id": "ch_1", "customer": "cus_1"}), customer()),
        ("charge.refunded", json!({"id": "ch_1", "customer": null}), None),
        ("charge.dispute.created", json!({"id": "dp_1", "charge": "ch_1"}), Some((ErrandKind::Charge, "ch_1".into()))),
        ("refund.failed", json!({"id": "re_1", "charge": "ch_1"}), Some((ErrandKind::Charge, "ch_1".into()))),
        ("charge.succeeded", json!({"id": "ch_1", "customer": "cus_1"}), None),
        ("v2.core.thing", json!("text"), None),
    ] {
        assert_eq!(about(kind, object), expected, "{kind}");
    }
}
