//! Whether Stripe's own library and ours take the same messages for the provider's.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pressrun::config::Secret;
use pressrun::payments::webhook::verified;
use serde_json::Value;

#[test]
#[ignore = "scripts/judge-stand-in has the library's verdicts"]
fn the_library_and_we_take_the_same_webhooks() {
    let path = std::env::var("PRESSRUN_TEST_WEBHOOKS").expect("scripts/judge-stand-in");
    let told: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let now = chrono::DateTime::from_timestamp(told["now"].as_i64().unwrap(), 0).unwrap();
    let secrets = [Secret::new(told["secret"].as_str().unwrap())];
    let (mut taken, mut refused) = (0, 0);
    for case in told["cases"].as_array().unwrap() {
        let body = STANDARD.decode(case["body"].as_str().unwrap()).unwrap();
        let signature = case["signature"].as_str().unwrap();
        let ours = verified(&body, signature, &secrets, now);
        let is_stricter = ours.is_err() && case["stricter"].is_string();
        assert!(is_stricter || Some(ours.is_ok()) == case["taken"].as_bool(), "{signature}\n{case}\n{ours:?}");
        *if ours.is_ok() { &mut taken } else { &mut refused } += 1;
    }
    assert!(taken > 10 && refused > 1000, "{taken} {refused}");
}
