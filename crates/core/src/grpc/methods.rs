//! Which methods are counted by name.

use crate::route::template::Template;

/// Bytes of the longest name that is counted.
const LONGEST: usize = 256;

/// The methods that fit a template, which is a path of gRPC: `/{service}/{method}`, each of both given or not.
#[derive(Debug)]
pub struct Methods(Template);

impl Methods {
    /// Those of `template`; `None` where no method fits it, because methods have two segments.
    pub fn of(template: &str) -> Option<Self> {
        let template = Template::parse(template).ok()?;
        (template.segments.len() == 2 && template.rest.is_none()).then_some(Self(template))
    }

    /// The name of the method at `path`, like `shop.Orders/Place`, if it is one of them.
    pub fn name<'p>(&self, path: &'p str) -> Option<&'p str> {
        self.0.captures(path)?;
        path.strip_prefix('/').filter(|name| name.len() <= LONGEST)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_those_that_fit_the_template() {
        let orders = Methods::of("/shop.Orders/{method}").unwrap();
        assert_eq!(orders.name("/shop.Orders/Place"), Some("shop.Orders/Place"));
        for other in ["/shop.Stock/Place", "/shop.Orders/", "/shop.Orders/a/b", "/", "*"] {
            assert_eq!(orders.name(other), None, "{other}");
        }
        let all = Methods::of("/{service}/{method}").unwrap();
        assert_eq!(all.name("/shop.Stock/Count"), Some("shop.Stock/Count"));
        assert_eq!(all.name(&format!("/shop.Stock/{}", "a".repeat(300))), None);
    }

    #[test]
    fn a_template_of_other_than_two_segments_names_no_methods() {
        for template in ["/", "/users", "/users/{id}/orders", "/shop.Orders/{*rest}", "users"] {
            assert!(Methods::of(template).is_none(), "{template}");
        }
    }
}
