use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::*;
use super::*;
use crate::auth::Refusal;

fn verify_by(rules: &Rules, token: &str, keys: &KeySet) -> Result<Genuine, Refusal> {
    let token = Token::read(token.as_bytes(), &rules.bounds).map_err(Refusal::Invalid)?;
    rules.verify(token, keys, &Revocations::default(), NOW)
}

/// Why the token that `issuer` signs of these parts is not believed.
fn refusal(issuer: &Issuer, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> Refusal {
    let token = issuer.signed(header, claims);
    verify_by(&rules(issuer.algorithm), &token, &issuer.keys()).unwrap_err()
}

/// What becomes of a token with these claims beside those that are asked for.
fn judged(more: Value) -> Result<Genuine, Refusal> {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let token = issuer.token(&claims_with(more));
    verify_by(&rules(issuer.algorithm), &token, &issuer.keys())
}

const HEADER: &str = r#"{"alg":"EdDSA","kid":"a"}"#;

fn claims_text() -> String {
    claims().to_string()
}

#[test]
fn a_token_of_each_algorithm_is_believed_with_its_key_and_with_no_other() {
    for algorithm in Algorithm::ALL {
        let (issuer, other) = (Issuer::new(algorithm), Issuer::new(Algorithm::EdDsa));
        let token = issuer.token(&claims());
        let believed = verify_by(&rules(algorithm), &token, &issuer.keys()).unwrap();
        assert_eq!(believed.until, NOW + 70, "{algorithm:?}");
        if algorithm != Algorithm::EdDsa {
            assert!(verify_by(&rules(algorithm), &token, &other.keys()).is_err(), "{algorithm:?}");
        }
        let forged = other
            .with(other.algorithm)
            .signed(json!({"alg": algorithm, "kid": "a"}).to_string(), claims_text());
        let forged = verify_by(&rules(algorithm), &forged, &issuer.keys());
        assert_eq!(forged, Err(Refusal::Invalid("the signature is wrong")), "{algorithm:?}");
    }
}

/// RFC 8037 A.4, RFC 7515 A.2 and A.3: what others have signed.
#[test]
fn signatures_of_the_rfcs_verify() {
    let ed25519 = json!({"kty": "OKP", "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let p256 = json!({"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly\
                  9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmX\
                  FCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let keys = KeySet::from_jwks(&json!({"keys": [ed25519, p256]})).unwrap().0;
    let rules = Rules { issuer: Some("joe".into()), audience: vec![], ..rules(Algorithm::Es256) };
    let token = Token::read(signed.as_bytes(), &BOUNDS).unwrap();
    let believed = rules.verify(token.clone(), &keys, &Revocations::default(), 1_300_819_379);
    assert_eq!(believed.unwrap().until, 1_300_819_390);
    let late = rules.verify(token, &keys, &Revocations::default(), 1_300_819_390);
    assert_eq!(late, Err(Refusal::Expired));
}

#[test]
fn a_token_without_a_signature_is_refused_however_it_says_so() {
    for none in ["none", "None", "NONE", "nOnE"] {
        for signature in ["", "AAAA"] {
            let token =
                Issuer::new(Algorithm::EdDsa).signed(format!(r#"{{"alg":"{none}"}}"#), "{}");
            let (signed, _) = token.rsplit_once('.').unwrap();
            let token = format!("{signed}.{signature}");
            let read = Token::read(token.as_bytes(), &BOUNDS);
            assert_eq!(read, Err("the token is not signed"));
        }
    }
    let token = Issuer::new(Algorithm::EdDsa).token(&claims());
    let (signed, _) = token.rsplit_once('.').unwrap();
    let stripped = format!("{signed}.");
    let issuer = Issuer::new(Algorithm::EdDsa);
    let refused = verify_by(&rules(Algorithm::EdDsa), &stripped, &issuer.keys());
    assert_eq!(refused, Err(Refusal::Invalid("the signature is wrong")));
}

#[test]
fn a_public_key_is_no_secret_whatever_the_token_says() {
    let rsa = Issuer::new(Algorithm::Rs256);
    let token = Issuer::new(Algorithm::Hs256).token(&claims());
    let both =
        Rules { algorithms: vec![Algorithm::Rs256, Algorithm::Hs256], ..rules(Algorithm::Rs256) };
    let confused =
        Refusal::Invalid("the token is signed with another algorithm than its key is for");
    assert_eq!(verify_by(&both, &token, &rsa.keys()), Err(confused));
    let pinned = Refusal::Invalid("the token is signed with an algorithm that is not allowed");
    assert_eq!(verify_by(&rules(Algorithm::Rs256), &token, &rsa.keys()), Err(pinned));
}

#[test]
fn an_algorithm_is_pinned_by_its_key() {
    let rsa = Issuer::new(Algorithm::Rs256);
    let keys = KeySet::from_jwks(&json!({"keys": [rsa.jwk(json!({"kid": "a", "alg": "RS256"}))]}));
    let token = rsa.with(Algorithm::Ps256).token(&claims());
    let refused = verify_by(&rules(Algorithm::Ps256), &token, &keys.unwrap().0);
    assert_eq!(
        refused,
        Err(Refusal::Invalid("the token is signed with another algorithm than its key is for"))
    );
}

#[test]
fn a_token_names_its_key_and_brings_none() {
    let (issuer, attacker) = (Issuer::new(Algorithm::EdDsa), Issuer::new(Algorithm::EdDsa));
    for bait in ["jwk", "jku", "x5u", "x5c"] {
        let mut header = json!({"alg": "EdDSA", "kid": "a"});
        header[bait] = match bait {
            "jwk" => attacker.jwk(json!({"kid": "a"})),
            "x5c" => json!(["MIIB"]),
            _ => json!("https://attacker.test/keys"),
        };
        let token = attacker.signed(header.to_string(), claims_text());
        let refused = verify_by(&rules(Algorithm::EdDsa), &token, &issuer.keys());
        assert_eq!(refused, Err(Refusal::Invalid("the signature is wrong")), "{bait}");
        let token = issuer.signed(header.to_string(), claims_text());
        assert!(verify_by(&rules(Algorithm::EdDsa), &token, &issuer.keys()).is_ok(), "{bait}");
    }
    for kid in ["../../etc/passwd", "' OR 1=1 --", "b", ""] {
        let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
        assert_eq!(refusal(&issuer, header, claims_text()), Refusal::UnknownKey, "{kid}");
    }
}

#[test]
fn a_token_without_the_name_of_a_key_is_tried_with_those_of_its_algorithm() {
    let (one, other) = (Issuer::new(Algorithm::EdDsa), Issuer::new(Algorithm::EdDsa));
    let jwks = json!({"keys": [one.jwk(json!({"kid": "a"})), other.jwk(json!({"kid": "b"}))]});
    let keys = KeySet::from_jwks(&jwks).unwrap().0;
    let token = other.signed(r#"{"alg":"EdDSA"}"#, claims_text());
    assert!(verify_by(&rules(Algorithm::EdDsa), &token, &keys).is_ok());
    let nameless = KeySet::from_jwks(&json!({"keys": [other.jwk(json!({}))]})).unwrap().0;
    let token = other.signed(r#"{"alg":"EdDSA","kid":"any"}"#, claims_text());
    assert!(verify_by(&rules(Algorithm::EdDsa), &token, &nameless).is_ok());
}

#[test]
fn what_is_no_token_is_refused() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let token = issuer.token(&claims());
    let padded = token.replacen('.', "=.", 1);
    let cases: [(&[u8], &str); 9] = [
        (b"", "the token has less than three parts"),
        (b"a.b", "the token has less than three parts"),
        (b"a.b.c.d", "the token has more than three parts; encrypted ones are not read"),
        (b"a.b.c.d.e", "the token has more than three parts; encrypted ones are not read"),
        (b"..", "a part of the token is no JSON"),
        (b"e30.e30.", "the token names no algorithm"),
        (b"\xff\xfe.e30.", "the token is no text"),
        (b"e+0.e30.", "a part of the token is no base64url"),
        (padded.as_bytes(), "a part of the token is no base64url"),
    ];
    for (text, reason) in cases {
        assert_eq!(Token::read(text, &BOUNDS), Err(reason), "{}", text.escape_ascii());
    }
    for cut in 0..token.len() {
        let cut = verify_by(&rules(Algorithm::EdDsa), &token[..cut], &issuer.keys());
        assert!(matches!(cut, Err(Refusal::Invalid(_))), "{cut:?}");
    }
}

#[test]
fn what_a_token_asks_for_beyond_its_signature_is_refused() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let crit = r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#;
    let extension = "the token asks for an extension of RFC 7515 (`crit`); none is known";
    assert_eq!(refusal(&issuer, crit, claims_text()), Refusal::Invalid(extension));
    let unknown = Refusal::Invalid("the token is signed with an unknown algorithm");
    assert_eq!(refusal(&issuer, r#"{"alg":"eddsa"}"#, claims_text()), unknown);
    let no_text = Refusal::Invalid("`alg`, `kid` or `typ` of the token is no text");
    for header in [r#"{"alg":7}"#, r#"{"alg":"EdDSA","kid":["a"]}"#, r#"{"alg":["EdDSA"]}"#] {
        assert_eq!(refusal(&issuer, header, claims_text()), no_text, "{header}");
    }
}

#[test]
fn json_that_could_be_read_in_two_ways_is_refused() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let twice = Refusal::Invalid("a part of the token has a name twice");
    let doubled = claims_text().replacen('{', r#"{"sub":"root","#, 1);
    assert_eq!(refusal(&issuer, HEADER, doubled), twice);
    let escaped = claims_text().replacen('{', r#"{"\u0073ub":"root","#, 1);
    assert_eq!(refusal(&issuer, HEADER, escaped), twice);
    assert_eq!(refusal(&issuer, HEADER, r#"{"a":{"b":1,"b":2}}"#), twice);
    assert_eq!(refusal(&issuer, r#"{"alg":"EdDSA","alg":"none"}"#, claims_text()), twice);
    let no_json = Refusal::Invalid("a part of the token is no JSON");
    let broken: [&[u8]; 8] = [
        b"",
        b"{",
        b"{}{}",
        b"{\"sub\":\"\xff\"}",
        b"{\"\xc3\x28\":1}",
        b"{\"exp\":1e400}",
        b"{\"sub\":\"\\ud800\"}",
        b"{\"a\":01}",
    ];
    for claims in broken {
        assert_eq!(refusal(&issuer, HEADER, claims), no_json, "{}", claims.escape_ascii());
    }
    let no_object = Refusal::Invalid("a part of the token is JSON, but no object");
    for claims in ["[]", "null", "1", "\"text\""] {
        assert_eq!(refusal(&issuer, HEADER, claims), no_object, "{claims}");
    }
}

#[test]
fn a_token_is_read_within_its_bounds() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let deep = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let too_deep = Refusal::Invalid("a part of the token is nested too deeply");
    assert_eq!(refusal(&issuer, HEADER, deep(8)), too_deep);
    assert_eq!(refusal(&issuer, HEADER, deep(2_000)), too_deep);
    assert_ne!(refusal(&issuer, HEADER, deep(7)), too_deep);
    let many = |names: usize| {
        let names: Vec<_> = (0..names).map(|name| format!(r#""{name}":0"#)).collect();
        format!("{{{}}}", names.join(","))
    };
    let too_many = Refusal::Invalid("a part of the token has too many names");
    assert_eq!(refusal(&issuer, HEADER, many(101)), too_many);
    assert_ne!(refusal(&issuer, HEADER, many(100)), too_many);
    let long = claims_with(json!({"padding": "x".repeat(1 << 20)})).to_string();
    assert_eq!(refusal(&issuer, HEADER, long), Refusal::Invalid("the token is too long"));
}

#[test]
fn times_are_judged_with_leeway() {
    let early = Err(Refusal::Invalid("the token is not valid yet"));
    let no_number = Err(Refusal::Invalid("a time of the token (`exp`, `nbf`, `iat`) is no number"));
    assert_eq!(judged(json!({"exp": NOW - 10})), Err(Refusal::Expired));
    assert!(judged(json!({"exp": NOW - 9})).is_ok());
    assert!(judged(json!({"exp": NOW as f64 - 9.5})).is_ok());
    assert_eq!(judged(json!({"exp": 1e300})).unwrap().until, i64::MAX);
    assert_eq!(judged(json!({"exp": -1e300})), Err(Refusal::Expired));
    for name in ["nbf", "iat"] {
        assert_eq!(judged(json!({name: NOW + 11})), early, "{name}");
        assert!(judged(json!({name: NOW + 10})).is_ok(), "{name}");
        assert_eq!(judged(json!({name: NOW.to_string()})), no_number, "{name}");
    }
    assert_eq!(judged(json!({"exp": (NOW + 60).to_string()})), no_number);
    assert_eq!(judged(json!({"exp": [NOW + 60]})), no_number);
    assert_eq!(
        judged(json!({"exp": null})),
        Err(Refusal::Invalid("a claim that must be there is missing"))
    );
}

#[test]
fn a_token_that_never_expires_is_believed_for_an_hour_where_that_is_allowed() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let rules = Rules { require: vec![], ..rules(Algorithm::EdDsa) };
    let token = issuer.token(&claims_with(json!({"exp": null})));
    assert_eq!(verify_by(&rules, &token, &issuer.keys()).unwrap().until, NOW + 3_600);
}

#[test]
fn a_token_is_for_one_of_its_audience_only() {
    let other = Err(Refusal::Invalid("the token is for another audience"));
    for ours in [json!("web"), json!(["elsewhere", "api"])] {
        assert!(judged(json!({"aud": ours})).is_ok(), "{ours}");
    }
    for theirs in [json!("elsewhere"), json!([]), json!(["API"]), json!({"api": 1}), json!(7)] {
        assert_eq!(judged(json!({"aud": theirs})), other, "{theirs}");
    }
    assert_eq!(judged(json!({"aud": null})), other);
    let issuer = Issuer::new(Algorithm::EdDsa);
    let of_none = Rules { audience: vec![], ..rules(Algorithm::EdDsa) };
    let refused = verify_by(&of_none, &issuer.token(&claims()), &issuer.keys());
    assert_eq!(refused, other, "a token for an audience is not for a gateway that has no name");
    let for_any = issuer.token(&claims_with(json!({"aud": null})));
    assert!(verify_by(&of_none, &for_any, &issuer.keys()).is_ok());
}

#[test]
fn a_token_is_of_its_issuer_only() {
    let other = Err(Refusal::Invalid("the token is of another issuer"));
    for issuer in [json!("https://id.test/"), json!(null), json!(["https://id.test"])] {
        assert_eq!(judged(json!({"iss": issuer})), other, "{issuer}");
    }
    let no_text = Err(Refusal::Invalid("the subject of the token is no text"));
    assert_eq!(judged(json!({"sub": 7})), no_text);
}

#[test]
fn a_token_may_have_to_be_of_a_kind() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let rules = Rules { typ: Some("at+jwt".into()), ..rules(Algorithm::EdDsa) };
    let judged = |typ: Value| {
        let header = json!({"alg": "EdDSA", "kid": "a", "typ": typ}).to_string();
        verify_by(&rules, &issuer.signed(header, claims_text()), &issuer.keys())
    };
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(judged(json!(typ)).is_ok(), "{typ}");
    }
    assert_eq!(judged(json!("JWT")), Err(Refusal::Invalid("the token is of another kind (`typ`)")));
}

#[test]
fn a_revoked_token_subject_or_session_is_over_until_then() {
    let issuer = Issuer::new(Algorithm::EdDsa);
    let revoked_of = |revoked: Revoked, name: &str, until: i64| {
        let revocation = Revocation { revoked, name: name.into(), until };
        let token = issuer.token(&claims_with(json!({"jti": "t1", "sid": "s1"})));
        let token = Token::read(token.as_bytes(), &BOUNDS).unwrap();
        let revocations = Revocations::new([revocation]);
        rules(Algorithm::EdDsa).verify(token, &issuer.keys(), &revocations, NOW).map(drop)
    };
    let later = NOW + 1;
    assert_eq!(revoked_of(Revoked::Token, "t1", later), Err(Refusal::Revoked));
    assert_eq!(revoked_of(Revoked::Subject, "alice", later), Err(Refusal::Revoked));
    assert_eq!(revoked_of(Revoked::Session, "s1", later), Err(Refusal::Revoked));
    assert_eq!(revoked_of(Revoked::Subject, "t1", later), Ok(()));
    assert_eq!(revoked_of(Revoked::Token, "t1", NOW), Ok(()));
}

#[test]
fn keys_of_no_use_are_left_out_of_a_set() {
    let issuer = Issuer::new(Algorithm::Es256);
    let ed25519 = Issuer::new(Algorithm::EdDsa);
    let rsa = Issuer::new(Algorithm::Rs256).jwk(json!({"alg": null}));
    let short = {
        let n = rsa["n"].as_str().unwrap();
        json!({"kty": "RSA", "n": n[..n.len() / 2 + 1].to_owned(), "e": "AQAB"})
    };
    let cases = [
        (json!({"kty": "oct", "k": "AAAA"}), "a secret is never taken from a key set"),
        (issuer.jwk(json!({"use": "enc"})), "it is not for signatures"),
        (issuer.jwk(json!({"key_ops": ["sign"]})), "it is not for verifying"),
        (issuer.jwk(json!({"crv": "P-384"})), "its point is not of its curve"),
        (issuer.jwk(json!({"crv": "P-521"})), "its curve is not known"),
        (issuer.jwk(json!({"crv": "secp256k1"})), "its curve is not known"),
        (issuer.jwk(json!({"x": "AAAA"})), "it is no point of P-256 or P-384"),
        (issuer.jwk(json!({"x": "A=A"})), "a part of it is no base64url"),
        (issuer.jwk(json!({"y": null})), "a part of it is missing"),
        (issuer.jwk(json!({"alg": "RS256"})), "its algorithm is for another kind of key"),
        (issuer.jwk(json!({"alg": "ES512"})), "its algorithm is not known"),
        (ed25519.jwk(json!({"crv": "X25519"})), "its curve is not known"),
        (ed25519.jwk(json!({"x": "AAAA"})), "a key of Ed25519 has 32 bytes"),
        (short, "an RSA key has 2048 to 8192 bits"),
        (
            json!({"kty": "RSA", "n": "A".repeat(1_400), "e": "AQAB"}),
            "an RSA key has 2048 to 8192 bits",
        ),
        (json!({"kty": "?"}), "its type is not known"),
        (json!({"kid": "k"}), "missing field `kty`"),
    ];
    for (mut jwk, reason) in cases {
        jwk["kid"] = json!("bad");
        let jwks = json!({"keys": [jwk, issuer.jwk(json!({"kid": "a"}))]});
        let (keys, left_out) = KeySet::from_jwks(&jwks).unwrap();
        assert_eq!(left_out, [Unusable { kid: Some("bad".into()), reason: reason.into() }]);
        assert_eq!(keys.names().collect::<Vec<_>>(), [Some("a")]);
    }
}

#[test]
fn what_is_no_key_set_is_refused() {
    let refused = |jwks: Value| KeySet::from_jwks(&jwks).unwrap_err();
    assert_eq!(refused(json!([])), "it is no JSON Web Key Set: it has no list `keys`");
    assert_eq!(refused(json!({"keys": {}})), "it is no JSON Web Key Set: it has no list `keys`");
    let empty = "the key set has no key to verify with: it is empty";
    assert_eq!(refused(json!({"keys": []})), empty);
    let secret = "the key set has no key to verify with: a secret is never taken from a key set";
    assert_eq!(refused(json!({"keys": [{"kty": "oct", "k": "AAAA"}]})), secret);
    let many = vec![Issuer::new(Algorithm::EdDsa).jwk(json!({})); 257];
    assert_eq!(refused(json!({"keys": many})), "a key set has at most 256 keys, not 257");
}

#[test]
fn a_set_is_another_one_when_a_key_is() {
    let (one, other) = (Issuer::new(Algorithm::EdDsa), Issuer::new(Algorithm::EdDsa));
    assert_eq!(one.keys(), one.keys());
    assert_ne!(one.keys(), other.keys());
    let renamed = KeySet::from_jwks(&json!({"keys": [one.jwk(json!({"kid": "b"}))]})).unwrap().0;
    assert_ne!(one.keys(), renamed);
}

#[test]
fn public_keys_are_read_from_pem() {
    let pems = [
        "-----BEGIN PUBLIC KEY-----\n\
         MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\n\
         q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n\
         -----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n\
         MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
         -----END PUBLIC KEY-----\n",
    ];
    assert_eq!(KeySet::from_pem(&pems.concat()).unwrap().names().count(), 2);
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let refused = KeySet::from_pem(private).unwrap_err();
    assert_eq!(refused, "it is a private key: give the public one, which verifies");
    assert_eq!(KeySet::from_pem("text").unwrap_err(), "it is no key in PEM");
    let broken = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert!(KeySet::from_pem(broken).is_err());
    assert_eq!(Key::secret(b"short").unwrap_err(), "a secret has at least 32 bytes");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, header: String, claims: String) {
        let _ = Token::read(&bytes, &BOUNDS);
        let token = Issuer::new(Algorithm::Hs256).signed(header, claims);
        let _ = Token::read(token.as_bytes(), &BOUNDS);
    }

    #[test]
    fn a_token_that_was_changed_is_not_believed(place: prop::sample::Index, bit in 0u8..7) {
        let issuer = Issuer::new(Algorithm::Hs256);
        let mut token = issuer.token(&claims()).into_bytes();
        let place = place.index(token.len());
        token[place] ^= 1 << bit;
        let changed = String::from_utf8(token).unwrap();
        prop_assert!(verify_by(&rules(Algorithm::Hs256), &changed, &issuer.keys()).is_err());
    }
}
