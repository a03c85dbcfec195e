//! What an operator says of an endpoint.

use serde::{Deserialize, Serialize};
use tidegate_core::plan;

/// What an operator said of an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// What it is to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<Duty>,
    /// Its share of the load beside the others'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What an endpoint is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Serve.
    Serving,
    /// Finish the requests it has.
    Draining,
    /// Stay out of service.
    Maintenance,
}

impl Word {
    /// `endpoint` as it is where this holds over what is configured.
    pub fn over(&self, endpoint: &plan::Endpoint) -> plan::Endpoint {
        let mut endpoint = endpoint.clone();
        endpoint.weight = self.weight.unwrap_or(endpoint.weight);
        if let Some(duty) = self.duty {
            let reason = || self.reason.clone().unwrap_or_else(|| "by the operator".into());
            endpoint.drain = duty == Duty::Draining;
            endpoint.maintenance = (duty == Duty::Maintenance).then(reason);
        }
        endpoint
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn configured() -> plan::Endpoint {
        let plain =
            json!({"address": "a:1", "weight": 10, "drain": true, "priority": 0, "labels": {}});
        serde_json::from_value(plain).unwrap()
    }

    #[test]
    fn a_word_changes_only_what_it_says() {
        let heavier = Word { weight: Some(3), ..Word::default() }.over(&configured());
        assert_eq!((heavier.weight, heavier.drain, heavier.maintenance), (3, true, None));
        let duty = |duty| Word { duty: Some(duty), reason: Some("a disk".into()), weight: None };
        let out = duty(Duty::Maintenance).over(&configured());
        assert_eq!((out.weight, out.drain), (10, false));
        assert_eq!(out.maintenance.as_deref(), Some("a disk"));
        assert_eq!(duty(Duty::Serving).over(&out).maintenance, None);
        assert!(duty(Duty::Draining).over(&out).drain);
    }

    #[test]
    fn a_word_is_read_and_shown_as_what_it_says() {
        let text = r#"{"duty":"draining","reason":"a disk"}"#;
        let word: Word = serde_json::from_str(text).unwrap();
        assert_eq!(word.duty, Some(Duty::Draining));
        assert_eq!(serde_json::to_string(&word).unwrap(), text);
        assert!(serde_json::from_str::<Word>(r#"{"duty":"gone"}"#).is_err());
    }
}
