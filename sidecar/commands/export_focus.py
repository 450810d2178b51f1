"""`taximeter export --focus`: billing rows of whole months, as FOCUS has them."""

from __future__ import annotations

from sidecar.commands.export import export_content
from sidecar.commands.reading import period


def export(form: str, version: str, *, since: str, filters: list[str], output: str, as_json: bool) -> int:
    """Returns an exit code."""
    from analytics.focus_files import Version, content

    span = period(since)
    name = f"focus-{version}-{span.start:%Y-%m}.{form}"
    return export_content(
        content(Version(version)), form, span=span, filters=filters, output=output, as_json=as_json, name=name
    )
