//! Requirements: what an identity must have to use a route.

use std::fmt;

use regex::Regex;

use super::{Claim, Claims};
use crate::plan::{self, Issue};

/// What must hold of a claim.
#[derive(Debug)]
struct Condition {
    claim: Claim,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Equals(Box<str>),
    Contains(Box<str>),
    Matches(Regex),
    Present(bool),
}

/// Something that an identity must have.
#[derive(Debug)]
pub struct Requirement(Form);

#[derive(Debug)]
enum Form {
    One(Condition),
    Any(Box<[Condition]>),
    None(Box<[Condition]>),
}

/// What of a requirement an identity does not have, for people. It names claims and what is asked of them, never
/// what they are.
#[derive(Debug)]
pub struct Unmet<'r>(&'r Requirement);

impl Requirement {
    /// The requirement whose option stands at `at`. What is wrong is added to `issues`.
    pub fn build(wanted: &plan::Requirement, at: &str, issues: &mut Vec<Issue>) -> Option<Self> {
        let plan::Requirement { claim, equals, contains, matches, present, any, none } = wanted;
        let one = claim.as_ref().map(|claim| plan::ClaimCondition {
            claim: claim.clone(),
            equals: equals.clone(),
            contains: contains.clone(),
            matches: matches.clone(),
            present: *present,
        });
        let mut each = |conditions: &[plan::ClaimCondition], option: &str| -> Box<[Condition]> {
            let conditions = conditions.iter().enumerate().filter_map(|(index, condition)| {
                Condition::build(condition, &format!("{at}.{option}.{index}"), issues)
            });
            conditions.collect()
        };
        match (one, any, none) {
            (Some(one), None, None) => Condition::build(&one, at, issues).map(Form::One),
            (None, Some(any), None) => Some(Form::Any(each(any, "any"))),
            (None, None, Some(none)) => Some(Form::None(each(none, "none"))),
            _ => {
                issues.push(Issue::new(at, "expected exactly one of claim, any and none"));
                None
            }
        }
        .map(Self)
    }

    /// What of this an identity with these claims does not have; `None` if it has all.
    pub fn unmet(&self, claims: &Claims) -> Option<Unmet<'_>> {
        let holds = match &self.0 {
            Form::One(condition) => condition.holds(claims),
            Form::Any(conditions) => conditions.iter().any(|condition| condition.holds(claims)),
            Form::None(conditions) => !conditions.iter().any(|condition| condition.holds(claims)),
        };
        (!holds).then_some(Unmet(self))
    }
}

impl Condition {
    fn build(wanted: &plan::ClaimCondition, at: &str, issues: &mut Vec<Issue>) -> Option<Self> {
        let plan::ClaimCondition { claim, equals, contains, matches, present } = wanted;
        let test = match (equals, contains, matches, present) {
            (Some(text), None, None, None) => Test::Equals(text.as_str().into()),
            (None, Some(text), None, None) => Test::Contains(text.as_str().into()),
            (None, None, None, Some(present)) => Test::Present(*present),
            (None, None, Some(pattern), None) => match Regex::new(&format!("^(?:{pattern})$")) {
                Ok(regex) => Test::Matches(regex),
                Err(error) => {
                    issues.push(Issue::new(format!("{at}.matches"), error.to_string()));
                    return None;
                }
            },
            _ => {
                issues.push(Issue::new(
                    at,
                    "expected exactly one of equals, contains, matches and present",
                ));
                return None;
            }
        };
        Some(Self { claim: Claim::named(claim), test })
    }

    fn holds(&self, claims: &Claims) -> bool {
        let Self { claim, test } = self;
        match test {
            Test::Equals(text) => claim.text(claims).is_some_and(|value| *value == **text),
            Test::Contains(text) => claim.values(claims, true).any(|value| *value == **text),
            Test::Matches(regex) => claim.values(claims, false).any(|value| regex.is_match(&value)),
            Test::Present(present) => claim.of(claims).is_some() == *present,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.claim.name();
        match &self.test {
            Test::Equals(text) => write!(f, "claim {name} equals `{text}`"),
            Test::Contains(text) => write!(f, "claim {name} contains `{text}`"),
            Test::Matches(regex) => write!(f, "claim {name} matches `{regex}`"),
            Test::Present(true) => write!(f, "claim {name} is present"),
            Test::Present(false) => write!(f, "claim {name} is absent"),
        }
    }
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, conditions: &[Condition]| {
            for (index, condition) in conditions.iter().enumerate() {
                write!(f, "{}{condition}", if index == 0 { "" } else { "; " })?;
            }
            Ok(())
        };
        match &self.0.0 {
            Form::One(condition) => condition.fmt(f),
            Form::Any(conditions) => {
                f.write_str("any of: ")?;
                list(f, conditions)
            }
            Form::None(conditions) => {
                f.write_str("none of: ")?;
                list(f, conditions)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn build(wanted: Value) -> (Option<Requirement>, Vec<String>) {
        let mut issues = Vec::new();
        let wanted = serde_json::from_value(wanted).unwrap();
        let requirement = Requirement::build(&wanted, "r", &mut issues);
        (requirement, issues.iter().map(ToString::to_string).collect())
    }

    /// What is unmet of the requirement; empty if nothing is.
    fn unmet(wanted: Value, claims: Value) -> String {
        let (requirement, issues) = build(wanted);
        assert_eq!(issues, [""; 0]);
        let claims = Claims::new(claims.as_object().unwrap().clone());
        requirement.unwrap().unmet(&claims).map(|unmet| unmet.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_claim_equals_the_whole_text_of_its_value() {
        let admin = json!({"claim": "role", "equals": "admin"});
        assert_eq!(unmet(admin.clone(), json!({"role": "admin"})), "");
        for claims in [
            json!({}),
            json!({"role": "admins"}),
            json!({"role": null}),
            json!({"role": ["admin", "x"]}),
        ] {
            assert_eq!(unmet(admin.clone(), claims), "claim role equals `admin`");
        }
        assert_eq!(
            unmet(json!({"claim": "verified", "equals": "true"}), json!({"verified": true})),
            ""
        );
    }

    #[test]
    fn a_claim_contains_an_item_of_a_list_or_a_word_of_a_text() {
        let read = json!({"claim": "scope", "contains": "orders:read"});
        assert_eq!(unmet(read.clone(), json!({"scope": "orders:write orders:read"})), "");
        assert_eq!(unmet(read.clone(), json!({"scope": ["orders:read"]})), "");
        assert_eq!(
            unmet(read, json!({"scope": "orders:reader"})),
            "claim scope contains `orders:read`"
        );
    }

    #[test]
    fn a_claim_matches_as_a_whole() {
        let mail = json!({"claim": "email", "matches": ".*@example\\.com"});
        assert_eq!(unmet(mail.clone(), json!({"email": "ada@example.com"})), "");
        assert!(!unmet(mail, json!({"email": "ada@example.com.evil"})).is_empty());
    }

    #[test]
    fn one_of_several_is_enough_or_none_may_hold() {
        let conditions = json!([{"claim": "a", "equals": "1"}, {"claim": "b", "present": true}]);
        let any = json!({"any": conditions});
        assert_eq!(unmet(any.clone(), json!({"b": 0})), "");
        assert_eq!(unmet(any, json!({"a": 2})), "any of: claim a equals `1`; claim b is present");
        let none = json!({"none": conditions});
        assert_eq!(unmet(none.clone(), json!({"a": 2})), "");
        assert_eq!(unmet(none, json!({"a": 1})), "none of: claim a equals `1`; claim b is present");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        assert_eq!(build(json!({"claim": "a", "matches": "("})).1.len(), 1);
        assert_eq!(
            build(json!({"any": [{"claim": "a"}]})).1,
            ["r.any.0: expected exactly one of equals, contains, matches and present"]
        );
        assert_eq!(build(json!({})).1, ["r: expected exactly one of claim, any and none"]);
    }
}
