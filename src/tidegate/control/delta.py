"""What differs between two documents, to be stored: the later one costs what it changes.

Members that stay are the same objects in both documents, so nothing is compared value by value. Between the
first and the last member that differ everything is taken to.
"""

from typing import Any, TypedDict

from tidegate.control.document import Document, same_ends


class Splice(TypedDict):
    """A change of a list: from `at` on, `gone` items give way to those that `come`."""

    at: int
    gone: int
    come: list[Any]


class Delta(TypedDict):
    """A change of a document: lists that are spliced, and all that is not a list of the document before."""

    values: Document
    lists: dict[str, Splice]


def delta(before: Document, after: Document) -> Delta:
    """What leads from one document to the other."""
    lists = {
        name: _splice(before[name], value)
        for name, value in after.items()
        if isinstance(value, list) and isinstance(before.get(name), list)
    }
    return {"values": {name: value for name, value in after.items() if name not in lists}, "lists": lists}


def applied(document: Document, change: Delta) -> Document:
    """The document after the change."""
    lists = {
        name: [*document[name][: at["at"]], *at["come"], *document[name][at["at"] + at["gone"] :]]
        for name, at in change["lists"].items()
    }
    return {**change["values"], **lists}


def _splice(before: list[Any], after: list[Any]) -> Splice:
    start, end = same_ends(before, after)
    return {"at": start, "gone": len(before) - start - end, "come": after[start : len(after) - end]}
