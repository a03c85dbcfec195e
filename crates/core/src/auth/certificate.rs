//! Certificates of clients as credentials: which are taken, and what they prove.
//!
//! Whether a certificate is genuine was found out in the handshake; here it is found out whose it is.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Claims, Identity};
use crate::plan::{self, CertificateSubject, Issue};

/// What a certificate calls its holder, each name as text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CertificateNames {
    /// Its subject, like `CN=device 7, O=Example`.
    pub subject: Box<str>,
    /// The URIs among its alternative names (RFC 5280 §4.2.1.6), as SPIFFE writes identities.
    pub uris: Box<[Box<str>]>,
    /// The host names among them, in lower case.
    pub dns_names: Box<[Box<str>]>,
    /// The mail addresses among them.
    pub emails: Box<[Box<str>]>,
    /// Its serial number: hexadecimal, in lower case, without leading zeros.
    pub serial: Box<str>,
    /// SHA-256 of its DER: hexadecimal, in lower case.
    pub sha256: Box<str>,
}

/// Which certificates are taken, and by which of its names one tells whose it is.
#[derive(Debug)]
pub struct CertificateRule {
    conditions: Vec<Condition>,
    subject: CertificateSubject,
}

/// What one of a certificate's names must be.
#[derive(Debug)]
struct Condition {
    kind: Kind,
    pattern: Pattern,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Subject,
    Uri,
    Dns,
    Email,
    Serial,
    Sha256,
}

/// A text, or those that begin or end with it.
#[derive(Debug)]
enum Pattern {
    Exactly(Box<str>),
    Beginning(Box<str>),
    Ending(Box<str>),
}

impl CertificateRule {
    /// Reads the option `plan`, which stands at `at`. What is wrong is added to `issues` and left out.
    pub fn build(plan: &plan::CertificateAuth, at: &str, issues: &mut Vec<Issue>) -> Self {
        let condition = |(index, wanted): (usize, &plan::CertificateMatch)| {
            let condition = Condition::build(wanted);
            if condition.is_none() {
                let wrong = "expected exactly one of `subject`, `uri`, `dns`, `email`, `serial` and `sha256`";
                issues.push(Issue::new(format!("{at}.match.{index}"), wrong));
            }
            condition
        };
        let conditions = plan.matches.iter().enumerate().filter_map(condition).collect();
        Self { conditions, subject: plan.subject }
    }

    /// Whose a certificate with these names is, as the authenticator of this name finds it.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn identity(
        &self,
        authenticator: &Arc<str>,
        names: &CertificateNames,
    ) -> Result<Identity, &'static str> {
        let is_taken = self.conditions.is_empty()
            || self.conditions.iter().any(|condition| condition.holds(names).is_some());
        if !is_taken {
            return Err("the certificate is none of those that are taken");
        }
        let subject =
            self.subject(names).ok_or("the certificate lacks the name that tells whose it is")?;
        Ok(Identity {
            authenticator: authenticator.clone(),
            subject: Some(subject.into()),
            claims: claims(names),
        })
    }

    /// Of several names of the kind that tells whose a certificate is, the one that a condition is about comes first.
    fn subject<'n>(&self, names: &'n CertificateNames) -> Option<&'n str> {
        let kind = match self.subject {
            CertificateSubject::Subject => Kind::Subject,
            CertificateSubject::Uri => Kind::Uri,
            CertificateSubject::Dns => Kind::Dns,
            CertificateSubject::Email => Kind::Email,
        };
        let mut of_kind = self.conditions.iter().filter(|condition| condition.kind == kind);
        let named = of_kind.find_map(|condition| condition.holds(names));
        named.or_else(|| kind.of(names).next()).filter(|name| !name.is_empty())
    }
}

impl Condition {
    fn build(wanted: &plan::CertificateMatch) -> Option<Self> {
        let plan::CertificateMatch { subject, uri, dns, email, serial, sha256 } = wanted;
        let mut given = [
            (Kind::Subject, subject),
            (Kind::Uri, uri),
            (Kind::Dns, dns),
            (Kind::Email, email),
            (Kind::Serial, serial),
            (Kind::Sha256, sha256),
        ]
        .into_iter()
        .filter_map(|(kind, text)| Some((kind, text.as_ref()?)));
        let (kind, text) = given.next()?;
        given.next().is_none().then(|| Self { kind, pattern: Pattern::of(kind, text) })
    }

    /// The name that is as it must be.
    fn holds<'n>(&self, names: &'n CertificateNames) -> Option<&'n str> {
        self.kind.of(names).find(|name| self.pattern.is_of(name))
    }
}

impl Kind {
    fn of(self, names: &CertificateNames) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::Subject => std::slice::from_ref(&names.subject),
            Self::Uri => &names.uris,
            Self::Dns => &names.dns_names,
            Self::Email => &names.emails,
            Self::Serial => std::slice::from_ref(&names.serial),
            Self::Sha256 => std::slice::from_ref(&names.sha256),
        };
        names.iter().map(|name| &**name)
    }
}

impl Pattern {
    /// A `*` stands for any characters at the end of a URI, and at the beginning of a host name or a mail address:
    /// on that side stands what an authority lets its holders choose. Other texts are meant as they are.
    fn of(kind: Kind, text: &str) -> Self {
        let wild = match kind {
            Kind::Uri => text.strip_suffix('*').map(|start| Self::Beginning(start.into())),
            Kind::Dns | Kind::Email => text.strip_prefix('*').map(|end| Self::Ending(end.into())),
            Kind::Subject | Kind::Serial | Kind::Sha256 => None,
        };
        wild.unwrap_or_else(|| Self::Exactly(text.into()))
    }

    fn is_of(&self, name: &str) -> bool {
        match self {
            Self::Exactly(text) => name == &**text,
            Self::Beginning(start) => name.starts_with(&**start),
            Self::Ending(end) => name.ends_with(&**end),
        }
    }
}

/// All that a certificate says, by the words of the configuration.
fn claims(names: &CertificateNames) -> Claims {
    let list =
        |names: &[Box<str>]| Value::from(names.iter().map(|name| &**name).collect::<Vec<_>>());
    let claims = [
        ("subject", Value::from(&*names.subject)),
        ("uri", list(&names.uris)),
        ("dns", list(&names.dns_names)),
        ("email", list(&names.emails)),
        ("serial", Value::from(&*names.serial)),
        ("sha256", Value::from(&*names.sha256)),
    ];
    Claims::new(
        claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> CertificateNames {
        CertificateNames {
            subject: "CN=device 7, O=Example".into(),
            uris: ["urn:device:7".into(), "spiffe://example.org/billing".into()].into(),
            dns_names: ["d7.example.org".into()].into(),
            emails: ["d7@example.org".into()].into(),
            serial: "a10b".into(),
            sha256: "00ff".repeat(16).into(),
        }
    }

    fn rule(matches: Value, subject: &str) -> CertificateRule {
        let whole = json!({"match": matches, "subject": subject});
        let mut issues = Vec::new();
        let rule =
            CertificateRule::build(&serde_json::from_value(whole).unwrap(), "c", &mut issues);
        assert!(issues.is_empty());
        rule
    }

    fn subject(matches: Value, subject: &str) -> Result<String, &'static str> {
        let identity = rule(matches, subject).identity(&"devices".into(), &names())?;
        Ok(identity.subject.unwrap().into())
    }

    #[test]
    fn a_certificate_is_taken_by_any_of_its_names() {
        for matches in [
            json!([]),
            json!([{"subject": "CN=device 7, O=Example"}]),
            json!([{"uri": "urn:device:8"}, {"uri": "urn:device:7"}]),
            json!([{"uri": "spiffe://example.org/*"}]),
            json!([{"dns": "d7.example.org"}]),
            json!([{"dns": "*.example.org"}]),
            json!([{"email": "*@example.org"}]),
            json!([{"serial": "a10b"}]),
            json!([{"sha256": "00ff".repeat(16)}]),
        ] {
            let taken = subject(matches.clone(), "subject");
            assert_eq!(taken.as_deref(), Ok("CN=device 7, O=Example"), "{matches}");
        }
        for matches in [
            json!([{"subject": "CN=device 7"}]),
            json!([{"subject": "*"}]),
            json!([{"uri": "spiffe://example.org"}]),
            json!([{"uri": "*billing"}]),
            json!([{"dns": "d7.*"}]),
            json!([{"dns": "d7@example.org"}]),
            json!([{"serial": "a10"}, {"sha256": "*"}]),
        ] {
            assert!(subject(matches.clone(), "subject").is_err(), "{matches}");
        }
    }

    #[test]
    fn the_name_that_tells_whose_it_is_is_the_one_that_was_asked_for() {
        assert_eq!(subject(json!([]), "uri").unwrap(), "urn:device:7");
        let spiffe = json!([{"serial": "a10b"}, {"uri": "spiffe://example.org/*"}]);
        assert_eq!(subject(spiffe, "uri").unwrap(), "spiffe://example.org/billing");
        assert_eq!(subject(json!([]), "dns").unwrap(), "d7.example.org");
        assert_eq!(subject(json!([]), "email").unwrap(), "d7@example.org");
    }

    #[test]
    fn a_certificate_without_the_name_that_tells_whose_it_is_is_not_taken() {
        let nameless = CertificateNames::default();
        for subject in ["subject", "uri", "dns", "email"] {
            assert!(rule(json!([]), subject).identity(&"devices".into(), &nameless).is_err());
        }
    }

    #[test]
    fn the_claims_hold_all_names() {
        let identity = rule(json!([]), "uri").identity(&"devices".into(), &names()).unwrap();
        assert_eq!(identity.claims.all().get("dns"), Some(&json!(["d7.example.org"])));
        assert_eq!(identity.claims.all().get("serial"), Some(&json!("a10b")));
        assert_eq!(identity.claims.all().get("uri").unwrap().as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_condition_is_about_one_name() {
        for wrong in [json!({}), json!({"uri": "a", "dns": "b"})] {
            let plan = json!({"match": [{"serial": "1"}, wrong], "subject": "uri"});
            let mut issues = Vec::new();
            CertificateRule::build(&serde_json::from_value(plan).unwrap(), "c", &mut issues);
            assert_eq!(issues[0].path, "c.match.1");
        }
    }
}
