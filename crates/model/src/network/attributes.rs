//! The attributes of a node, each of which is read once.

use super::super::refusal::Refusal;
use super::proto::{Attribute, AttributeType, Node};
use super::wrong;

/// Those that were not read yet.
pub(super) struct Attributes<'m> {
    /// The operator's name.
    of: &'m str,
    left: Vec<&'m Attribute>,
}

impl<'m> Attributes<'m> {
    pub(super) fn of(node: &'m Node) -> Self {
        Self { of: &node.op_type, left: node.attribute.iter().collect() }
    }

    pub(super) fn float(&mut self, name: &str, usual: f32) -> Result<f32, Refusal> {
        Ok(self.take(name, AttributeType::Float)?.map_or(usual, |given| given.f))
    }

    pub(super) fn int(&mut self, name: &str, usual: i64) -> Result<i64, Refusal> {
        Ok(self.take(name, AttributeType::Int)?.map_or(usual, |given| given.i))
    }

    pub(super) fn floats(&mut self, name: &str) -> Result<Option<&'m [f32]>, Refusal> {
        Ok(self.take(name, AttributeType::Floats)?.map(|given| &*given.floats))
    }

    pub(super) fn ints(&mut self, name: &str) -> Result<Option<&'m [i64]>, Refusal> {
        Ok(self.take(name, AttributeType::Ints)?.map(|given| &*given.ints))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<&'m [u8]>, Refusal> {
        Ok(self.take(name, AttributeType::String)?.map(|given| &*given.s))
    }

    fn take(
        &mut self,
        name: &str,
        expected: AttributeType,
    ) -> Result<Option<&'m Attribute>, Refusal> {
        let Some(place) = self.left.iter().position(|given| given.name == name) else {
            return Ok(None);
        };
        let given = self.left.swap_remove(place);
        if given.r#type != expected as i32 || !given.ref_attr_name.is_empty() {
            let wanted = format!("{expected:?}").to_uppercase();
            let of = self.of;
            return Err(wrong(format!(
                "the attribute `{name}` of `{of}` has no value of the type {wanted}"
            )));
        }
        Ok(Some(given))
    }

    /// Whether all were read.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self.left.first() {
            None => Ok(()),
            Some(Attribute { name, .. }) => {
                let of = self.of;
                Err(wrong(format!("`{of}` has the attribute `{name}`, which cannot be used here")))
            }
        }
    }
}
