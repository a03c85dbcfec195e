use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::written::testing::written;
use super::*;

const SECRET: &str = "0123456789abcdefghijABCDEFGHIJ";

fn sha256(secret: &str) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(secret) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// A key of this id and [`SECRET`], with other fields.
fn entry(id: &str, fields: Value) -> Value {
    let mut entry = json!({"id": id, "hash": sha256(SECRET)});
    entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    entry
}

fn keys(entries: Value) -> ApiKeys {
    ApiKeys::read(&"robots".into(), &entries.to_string()).unwrap()
}

fn mistakes(text: &str) -> Vec<String> {
    ApiKeys::read(&"robots".into(), text).unwrap_err()
}

#[test]
fn a_key_proves_whose_it_is() {
    let keys = keys(json!([
        entry("one", json!({"subject": "alice", "claims": {"plan": "gold"}})),
        entry("two", json!({"subject": null, "claims": null, "expires": null, "networks": null})),
    ]));
    let alice = keys.find(written("one", SECRET).as_bytes(), None, 0).unwrap();
    assert_eq!((&*alice.authenticator, alice.subject.as_deref()), ("robots", Some("alice")));
    assert_eq!(alice.claims.all().get("plan"), Some(&json!("gold")));
    let nameless = keys.find(written("two", SECRET).as_bytes(), None, 0).unwrap();
    assert_eq!(nameless.subject, None);
}

#[test]
fn a_key_that_is_not_known_or_whose_secret_is_wrong_proves_nothing() {
    let keys = keys(json!([entry("one", json!({}))]));
    let find = |key: &str| keys.find(key.as_bytes(), None, 0).err();
    assert_eq!(find(&written("two", SECRET)), Some(Refusal::UnknownKey));
    assert_eq!(find(&written("One", SECRET)), Some(Refusal::UnknownKey));
    let wrong = find(&written("one", "secret"));
    assert_eq!(wrong, Some(Refusal::Invalid("the secret of the API key is wrong")));
    assert!(matches!(find("one"), Some(Refusal::Invalid(_))));
}

#[test]
fn a_key_ends_at_its_time() {
    let keys = keys(json!([entry("one", json!({"expires": "1970-01-01T01:01:40+01:00"}))]));
    let key = written("one", SECRET);
    assert!(keys.find(key.as_bytes(), None, 99).is_ok());
    assert_eq!(keys.find(key.as_bytes(), None, 100).err(), Some(Refusal::Expired));
    let wrong = written("one", "secret");
    assert!(
        matches!(keys.find(wrong.as_bytes(), None, 100), Err(Refusal::Invalid(_))),
        "a wrong secret does not learn that the key has ended"
    );
}

#[test]
fn a_key_comes_only_from_its_networks() {
    let keys = keys(json!([
        entry("one", json!({"networks": ["192.0.2.0/24", "2001:db8::1"]})),
        entry("two", json!({"networks": ["192.0.2.0/24", "2001:db8::1"]})),
    ]));
    assert_eq!(keys.networks.len(), 1, "equal lists are kept once");
    for id in ["one", "two"] {
        let from = |client: Option<&str>| {
            let client = client.map(|client| client.parse().unwrap());
            keys.find(written(id, SECRET).as_bytes(), client, 0).is_ok()
        };
        assert!(from(Some("192.0.2.9")) && from(Some("::ffff:192.0.2.9")));
        assert!(from(Some("2001:db8::1")) && !from(Some("2001:db8::2")));
        assert!(!from(Some("198.51.100.1")) && !from(None));
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_of_every_key_with_its_place() {
    let told = mistakes(
        &json!([
            entry("one", json!({"subject": 1})),
            entry("a b", json!({})),
            entry("good", json!({})),
            {"id": "plain", "hash": "secret"},
            {"id": "short", "hash": "sha256:00"},
            {"id": "odd", "hash": format!("sha256:{}", "g".repeat(64))},
            entry("good", json!({})),
            entry("late", json!({"expires": "tomorrow"})),
            entry("said", json!({"claims": ["admin"]})),
            entry("far", json!({"networks": ["192.0.2.0/33"]})),
            entry("none", json!({"networks": []})),
            {"hash": sha256(SECRET)},
            entry("more", json!({"secret": SECRET})),
            17,
        ])
        .to_string(),
    );
    let expected = [
        "key 0: invalid type: integer `1`, expected a string",
        "key 1 (`a b`): `id`: expected 1 to 64 letters, digits, `-` and `_`",
        "key 3 (`plain`): `hash`: expected `sha256:` and 64 hexadecimal digits, the SHA-256 of the key's secret",
        "key 4 (`short`): `hash`: expected `sha256:`",
        "key 5 (`odd`): `hash`: expected `sha256:`",
        "key 6 (`good`): an earlier key has this id too",
        "key 7 (`late`): `expires`: expected a time like 2027-01-31T00:00:00Z (RFC 3339), not `tomorrow`",
        "key 8 (`said`): `claims`: expected an object: invalid type: sequence, expected a map",
        "key 9 (`far`): `networks`: expected an address or a network like 192.0.2.0/24, not `192.0.2.0/33`",
        "key 10 (`none`): `networks` is empty, so that the key could come from nowhere",
        "key 11: missing field `id`",
        "key 12: unknown field `secret`, expected one of",
        "key 13: invalid type: integer `17`",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn a_file_that_is_no_list_is_told_so_with_the_line() {
    assert!(mistakes("{}")[0].starts_with("expected a JSON list of API keys: "));
    let half = &json!([entry("one", json!({})), entry("two", json!({}))]).to_string()[..150];
    assert!(mistakes(half)[0].contains("EOF while parsing"), "{half}");
    assert!(mistakes("")[0].contains("line 1"));
}

#[test]
fn of_a_file_of_mistakes_no_more_are_told_than_a_person_reads() {
    let told = mistakes(&Value::from(vec![json!({}); 1_000]).to_string());
    assert_eq!(told.len(), 101);
    assert_eq!(told[100], "no more than 100 mistakes are told of one file");
}

#[test]
fn a_file_without_keys_knows_none() {
    let keys = keys(json!([]));
    assert!(keys.is_empty());
    assert_eq!(
        keys.find(written("one", SECRET).as_bytes(), None, 0).err(),
        Some(Refusal::UnknownKey)
    );
}

proptest! {
    #[test]
    fn every_key_of_a_file_is_found_and_no_other(
        ids in prop::collection::btree_set("[a-c_]{1,4}|[a-c]{13,18}", 0..40), other in "[a-c_]{1,4}",
    ) {
        let keys = keys(ids.iter().map(|id| entry(id, json!({"subject": id}))).collect());
        prop_assert_eq!(keys.len(), ids.len());
        for id in ids.iter().chain([&other]) {
            let found = keys.find(written(id, SECRET).as_bytes(), None, 0).ok();
            let subject = found.and_then(|identity| identity.subject.as_deref());
            prop_assert_eq!(subject, ids.get(id).map(String::as_str));
        }
    }
}
