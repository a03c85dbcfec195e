"""The rooms of crates/proxy have an order; each uses only those before it: docs/concepts/architecture.md."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from .rooms import Use, against, rooms, uses

SOURCE = Path(__file__).parents[2] / "crates" / "proxy" / "src"
ORDER = (
    "long_work",
    "net",
    "tls",
    "quic",
    "http",
    "account",
    "upstream",
    "objects",
    "snapshot",
    "local",
    "client",
    "call",
    "steps",
    "stack",
    "serve",
    "listen",
    "worker",
    "engine",
    "fuzzing",
)


def test_every_room_of_the_proxy_has_its_place() -> None:
    assert rooms(SOURCE) == set(ORDER)


def test_a_room_uses_only_those_before_it() -> None:
    found = uses(SOURCE)
    for room in ORDER:
        print(f"{room}: uses {', '.join(_used_by(room, found)) or 'no other'}")
    wrong = against(ORDER, found)
    assert not wrong, "\n".join(["paths against the order:", *map(_told, wrong)])


def _used_by(room: str, found: Iterable[Use]) -> list[str]:
    return sorted({use.used for use in found if use.user == room}, key=ORDER.index)


def _told(use: Use) -> str:
    return f"{use.file.relative_to(SOURCE)}:{use.line}: {use.user} uses {use.used}"


# What finds the paths


Tree = dict[str, str]


def written(folder: Path, tree: Tree) -> Path:
    """A crate's sources, of file names and texts."""
    for name, text in tree.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("low.rs", "use crate::high::X;", 1),
        ("low.rs", "use std::fmt;\n\npub(crate) use crate::high;", 3),
        ("low.rs", "use super::high::X;", 1),
        ("low.rs", "fn f() { crate::high::<u8>::g() }", 1),
        ("low/mod.rs", "use super::high;", 1),
        ("low/a/b.rs", "use super::super::super::high;", 1),
        ("low/a.rs", "use super::{\n    b::C,\n    super::high::X as Y,\n};", 3),
        ("low/a.rs", "use crate::{\n    low::{b, c as d},\n    high::{self, X},\n};", 3),
        ("low/a.rs", "use {std::fmt, crate::high};", 1),
        ("low/a.rs", "mod inner {\n    fn f(x: super::super::super::high::X) {}\n}", 2),
        ("low/a.rs", "mod inner { mod most {} }\nuse super::super::high;", 2),
        ("low/a.rs", "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::high;", 3),
        ("low/a.rs", "#[cfg(test)]\nfn f() -> [u8; 2] { [0; 2] }\nuse crate::high;", 3),
        ("low/a.rs", "#[cfg(test)]\nuse super::{b, c};\nuse crate::high;", 3),
        ("low/a.rs", 'const A: &str = "/*"; const B: char = \'"\'; use crate::high;', 1),
        ("low/a.rs", "/* one /* in another */ */\nfn f<'a>(x: &'a crate::high::X) {}", 2),
        ("low/a.rs", 'const A: &str = r#"\n"\n"#;\nuse crate::high;', 4),
    ],
)
def test_a_path_against_the_order_is_found_at_its_line(
    tmp_path: Path, file: str, text: str, line: int
) -> None:
    source = written(tmp_path, {"high.rs": "", file: text})
    [wrong] = against(["low", "high"], uses(source))
    assert wrong == Use("low", "high", source / file, line)


@pytest.mark.parametrize(
    "text",
    [
        "// crate::high::X",
        "//! [`crate::high`]",
        "/* /* */ crate::high::X */",
        'const A: &str = "crate::high::X \\" crate::high";',
        'const A: &str = r#"crate::high "crate::high"#;',
        "pub(crate) mod high;",
        "use crate::low::high; use self::high; use super::low::{self, high::X};",
        "#[cfg(test)]\nmod tests {\n    use crate::high;\n}",
        "#[cfg(test)]\n#[allow(unused)]\nuse crate::{high, low};",
        "#[cfg(all(test, unix))]\nfn f(x: [u8; 2]) -> crate::high::X { crate::high::g() }",
        "macro_rules! m { () => { $crate::low::x() } }",
    ],
)
def test_what_is_no_path_into_another_room_does_not_count(tmp_path: Path, text: str) -> None:
    assert not uses(written(tmp_path, {"low/mod.rs": text}))


def test_tests_and_the_root_may_use_everything(tmp_path: Path) -> None:
    files = ("lib.rs", "low/tests.rs", "low/tests/some.rs", "low/testing.rs")
    source = written(tmp_path, {"low/mod.rs": "", **dict.fromkeys(files, "use crate::high;")})
    assert (rooms(source), uses(source)) == ({"low"}, [])


def test_a_path_to_no_room_is_against_any_order(tmp_path: Path) -> None:
    source = written(tmp_path, {"low.rs": "use crate::Lifted;\nuse super::*;"})
    assert [use.used for use in against(["low"], uses(source))] == ["Lifted", "*"]


def test_a_path_to_a_room_before_is_with_the_order(tmp_path: Path) -> None:
    source = written(tmp_path, {"low.rs": "", "high.rs": "use crate::low::X;"})
    assert [(use.user, use.used) for use in uses(source)] == [("high", "low")]
    assert not against(["low", "high"], uses(source))
