//! A token is read within its bounds, in one way only, and is never believed without a key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tidegate_core::auth::jwt::{Algorithm, Bounds, KeySet, Revocations, Rules, Token};

const BOUNDS: Bounds = Bounds { size: 4_096, depth: 6, names: 40 };

/// A token as a request carries it.
pub fn token(text: &[u8]) {
    let Ok(token) = Token::read(text, &BOUNDS) else { return };
    let parts: Vec<_> = text.split(|byte| *byte == b'.').collect();
    let [header, claims, _] = *parts else { unreachable!("a token has three parts") };
    assert!(text.len() <= BOUNDS.size);
    let (header, claims) = (decoded(header), decoded(claims));
    assert_eq!(claims, Value::Object(token.claims.clone()), "claims are read in one way only");
    assert_eq!(header.get("kid").and_then(Value::as_str), token.kid.as_deref());
    assert_eq!(header.get("typ").and_then(Value::as_str), token.typ.as_deref());
    assert!(header.get("crit").is_none());
    for part in [&header, &claims] {
        let (depth, names) = extent(part);
        assert!(depth <= BOUNDS.depth && names <= BOUNDS.names, "{depth} deep, {names} names");
    }
    let rules = Rules {
        issuer: None,
        audience: Vec::new(),
        algorithms: Algorithm::ALL.to_vec(),
        leeway: 0,
        typ: None,
        require: Vec::new(),
        bounds: BOUNDS,
    };
    assert!(rules.verify(token, &KeySet::default(), &Revocations::default(), 0).is_err());
}

/// What a part says, whose encoding is the only one of its bytes.
fn decoded(part: &[u8]) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    assert_eq!(URL_SAFE_NO_PAD.encode(&bytes).as_bytes(), part);
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// How deeply a value is nested, and how many names are in it.
fn extent(value: &Value) -> (usize, usize) {
    let join = |all: (usize, usize), one: (usize, usize)| (all.0.max(one.0), all.1 + one.1);
    let (depth, names) = match value {
        Value::Array(values) => values.iter().map(extent).fold((0, 0), join),
        Value::Object(members) => members.values().map(extent).fold((0, members.len()), join),
        _ => return (0, 0),
    };
    (depth + 1, names)
}
