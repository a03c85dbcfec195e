"""The test vectors of llhttp, read from their Markdown.

A vector is a block of bytes, written with `\\r`, `\\n`, `\\t`, `\\f` and `\\x..` for what cannot be
typed and with plain line ends for CR LF, and a log of what llhttp's parser reports for it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[4] / "shared" / "data" / "http1" / "llhttp" / "test"

_HEADING = re.compile(r"#+ (.*)")
_META = re.compile(r"<!-- meta=(\{.*\}) -->")
_PAUSED = {"21", "22", "23"}
"""llhttp's codes for "stopped because asked to" (pause, upgrade, HTTP/2 preface), which are no refusals."""


@dataclass(frozen=True)
class Vector:
    """One case."""

    file: str
    title: str
    kind: str
    """`request` or `response`, with a suffix like `-lenient-headers` where flags relax the parser."""
    data: bytes
    log: str

    @property
    def name(self) -> str:
        """A name for tests and tables: folder, file and title."""
        return f"{self.kind.partition('-')[0]} {self.file}: {self.title}"

    @property
    def lenient(self) -> bool:
        """Whether it tells what llhttp does with a strictness switched off."""
        return "lenient" in self.kind

    @property
    def refused(self) -> bool:
        """Whether llhttp reports an error."""
        codes = set(re.findall(r" error code=(\d+)", self.log))
        unfinished = "finish=2" in self.log
        return bool(codes - _PAUSED) or unfinished

    @property
    def heads(self) -> int:
        """How many heads llhttp read to their end."""
        return len(re.findall(r" headers complete", self.log))

    @property
    def messages(self) -> int:
        """How many messages llhttp read to their end."""
        return len(re.findall(r" message complete", self.log))

    def as_request(self) -> bytes:
        """The bytes as they are sent to a server, which needs two things that a parser does not.

        llhttp leaves the check of `Host` to its users, so that most of its requests have none; without one
        each would be refused for this reason and show nothing about its own. And it tells an error at the
        byte where it is, while a server may read a head as a whole: a refused head is given an end.
        """
        settled = self.data + (b"\r\n\r\n" if self.refused and b"\r\n\r\n" not in self.data else b"")
        return self._with_hosts(settled)

    def _with_hosts(self, data: bytes) -> bytes:
        starts = [int(at) for at in re.findall(r"off=(\d+) message begin", self.log)]
        ends = [*starts[1:], len(data)]
        parts = [data[: starts[0]] if starts else data]
        for start, end in zip(starts, ends, strict=True):
            parts.append(_with_host(data[start:end]))
        return b"".join(parts)


def _with_host(message: bytes) -> bytes:
    line = re.match(rb"[^\r\n]* HTTP/\d\.\d\r\n", message)
    head = message.partition(b"\r\n\r\n")[0]
    if line is None or re.search(rb"(?im)^host[ \t]*:", head):
        return message
    return message[: line.end()] + b"Host: localhost\r\n" + message[line.end() :]


def read_vectors(kind: str) -> list[Vector]:
    """All vectors of a folder, `request` or `response`; empty where the data is absent."""
    return [vector for file in sorted((ROOT / kind).glob("*.md")) for vector in _read(file)]


def _read(file: Path) -> Iterator[Vector]:
    title = meta = ""
    fence: str | None = None
    block: list[str] = []
    data = b""
    for line in file.read_text().split("\n"):
        if fence is None:
            if heading := _HEADING.fullmatch(line):
                title = heading[1]
            elif match := _META.fullmatch(line):
                meta = match[1]
            elif line.startswith("```"):
                fence, block = line[3:], []
        elif line == "```":
            if fence == "http":
                data = _bytes("\n".join(block))
            elif fence == "log":
                yield Vector(file.stem, title, json.loads(meta)["type"], data, "\n".join(block))
            fence = None
        else:
            block.append(line)


def _bytes(text: str) -> bytes:
    text = text.replace("\\\n", "").replace("\n", "\r\n")
    for mark, byte in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
        text = text.replace(mark, byte)
    text = re.sub(r"\\x([0-9a-fA-F]+)", lambda match: chr(int(match[1], 16)), text)
    return text.encode()
