"""The API's reference as one HTML page that needs nothing from elsewhere."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0b7285; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 6rem; }
h1 { margin-bottom: 0; }
h2 { margin-top: 3rem; text-transform: capitalize; }
h3 { font-size: 0.85rem; margin: 1rem 0 0.2rem; }
a { color: var(--accent); }
nav a { margin-right: 1rem; }
code, pre { font: 0.9em/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: 6px; }
pre { margin: 0.4rem 0; overflow-x: auto; padding: 0.7rem 0.9rem; }
details { border: 1px solid var(--line); border-radius: 8px; margin: 0.6rem 0; }
details > div { border-top: 1px solid var(--line); padding: 0.3rem 0.9rem 0.9rem; }
summary { align-items: baseline; cursor: pointer; display: flex; flex-wrap: wrap; gap: 0.8rem; }
summary { padding: 0.6rem 0.9rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: 0.3rem 0.8rem 0.3rem 0; vertical-align: top; }
.said { opacity: 0.75; }
.method { border-radius: 4px; color: #fff; font: 600 0.75rem/1 ui-monospace, monospace; min-width: 3.6rem; }
.method { padding: 0.35rem 0; text-align: center; }
.get { background: #1971c2; }
.post { background: #2b8a3e; }
.put { background: #b35900; }
.patch { background: #7048b6; }
.delete { background: #c92a2a; }
"""


def reference_page(api: dict[str, Any]) -> str:
    """The page of an OpenAPI 3.1 document."""
    tags: dict[str, list[str]] = {}
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            tags.setdefault(operation["tags"][0], []).append(_operation(api, path, method, operation))
    title = escape(f"{api['info']['title']} {api['info']['version']}")
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in tags)
    sections = "".join(
        f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{"".join(operations)}' for tag, operations in tags.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>"
        f'<p>{escape(api["info"]["description"])}</p><nav>{links}<a href="/openapi.json">OpenAPI</a></nav>'
        f"{sections}</body></html>"
    )


def _operation(api: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    return (
        f'<details><summary><span class="method {method}">{method.upper()}</span><code>{escape(path)}</code>'
        f'<span class="said">{escape(operation["summary"])}</span></summary><div>'
        f"<p>{escape(operation.get('description', ''))}</p>{''.join(_parts(api, operation))}</div></details>"
    )


def _parts(api: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    if parameters := operation.get("parameters"):
        rows = "".join(_parameter(api, parameter) for parameter in parameters)
        yield f"<h3>Parameters</h3><table>{rows}</table>"
    if body := operation.get("requestBody"):
        yield from _content(api, "Body", body["content"])
    for status, response in operation["responses"].items():
        if status != "4XX":
            yield from _content(api, f"Answer {status}", response.get("content", {}))


def _parameter(api: dict[str, Any], parameter: dict[str, Any]) -> str:
    kind = json.dumps(_example(api, parameter["schema"]))
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
        f"<td><code>{escape(kind)}</code></td><td>{escape(parameter.get('description', ''))}</td></tr>"
    )


def _content(api: dict[str, Any], title: str, content: dict[str, Any]) -> Iterator[str]:
    for media_type, media in content.items():
        shape = json.dumps(_example(api, media.get("schema", {})), indent=2)
        yield f"<h3>{escape(title)} · {escape(media_type)}</h3><pre>{escape(shape)}</pre>"


def _example(api: dict[str, Any], schema: dict[str, Any]) -> Any:  # noqa: PLR0911 - one case each
    """What a value of this schema looks like: examples and constants as they are, types by their names."""
    if "$ref" in schema:
        return _example(api, api["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if examples := schema.get("examples"):
        return examples[0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if choices := schema.get("anyOf"):
        return _example(api, choices[0])
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {name: _example(api, option) for name, option in schema["properties"].items()}
        case "array":
            members = schema.get("prefixItems") or [schema.get("items", {})]
            return [_example(api, member) for member in members]
        case kind:
            return schema.get("format") or kind or "any"
