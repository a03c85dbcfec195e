//! Claims: what is said of an identity.

use std::sync::Arc;

use serde_json::{Map, Value};

/// What is said of an identity, by name. Cloning shares it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims(Arc<Map<String, Value>>);

impl From<Map<String, Value>> for Claims {
    fn from(claims: Map<String, Value>) -> Self {
        Self(Arc::new(claims))
    }
}

impl Claims {
    /// The claim of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}
