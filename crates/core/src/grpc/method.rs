//! Methods of gRPC, by the paths of their RPCs.

use crate::plan::Issue;

/// Most methods that are named.
const MOST: usize = 100;
/// Bytes of the longest path.
const LONGEST: usize = 256;

/// Checks the paths of methods that stand at `at`. What is wrong is added to `issues`.
pub fn check_methods(paths: &[String], at: &str, issues: &mut Vec<Issue>) {
    if paths.len() > MOST {
        issues.push(Issue::new(at, format!("expected at most {MOST} methods")));
    }
    for (index, path) in paths.iter().enumerate() {
        if !is_path(path) {
            let wrong = format!(
                "expected the path of one method, without variables, of at most {LONGEST} bytes, like \
                 `/shop.Orders/Place`; found `{path}`"
            );
            issues.push(Issue::new(format!("{at}.{index}"), wrong));
        }
    }
}

/// Whether `path` is `/{service}/{method}`, as requests have it when it is in its normal form.
fn is_path(path: &str) -> bool {
    let names = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    path.len() <= LONGEST
        && names.is_some_and(|(service, method)| is_name(service) && is_name(method))
}

/// Whether `name` is made of what never stands encoded in a path (RFC 3986 §2.3), and is no `.` or `..`.
fn is_name(name: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_unreserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(paths: &[&str]) -> Vec<(String, String)> {
        let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
        let mut issues = Vec::new();
        check_methods(&paths, "m", &mut issues);
        issues.into_iter().map(|issue| (issue.path, issue.message)).collect()
    }

    #[test]
    fn a_method_is_named_by_its_path() {
        assert_eq!(wrong(&["/shop.v1.Orders/Place", "/a/b", "/my-service/do_it~2"]), []);
        let long = format!("/shop.Orders/{}", "a".repeat(LONGEST));
        for path in [
            "",
            "/",
            "/a",
            "/a/",
            "//b",
            "a/b",
            "/a/b/c",
            "/a/{method}",
            "/a/b?c",
            "/a/%62",
            "/a b/c",
            "/./b",
            "/a/..",
            "/caf\u{e9}/b",
            &long,
        ] {
            let found = wrong(&["/a/b", path]);
            assert!(matches!(&found[..], [(at, _)] if at == "m.1"), "{path}: {found:?}");
        }
    }

    #[test]
    fn no_more_methods_are_named_than_a_page_of_metrics_bears() {
        let of = |count| (0..count).map(|n| format!("/a/m{n}")).collect::<Vec<_>>();
        let wrong_of =
            |paths: &[String]| wrong(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(wrong_of(&of(MOST)), []);
        let found = wrong_of(&of(MOST + 1));
        assert_eq!(found, [("m".into(), "expected at most 100 methods".into())]);
    }
}
