"""`.env.example` read as a table; `python -m tests.support.env_example` writes it into docs/configuration.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"
DOCS = ROOT / "docs" / "configuration.md"
BEGIN, END = "<!-- variables: from .env.example -->\n", "<!-- end of variables -->\n"
_VARIABLE = re.compile(r"#? ?([A-Z][A-Z0-9_]*)=(.*)")


class Entry(NamedTuple):
    section: str
    variable: str
    default: str
    meaning: str


def entries(text: str) -> list[Entry]:
    """Each variable with the comment line before it, "" if there is none."""
    found = []
    section = meaning = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
        if match := _VARIABLE.fullmatch(line):
            found.append(Entry(section, match[1], match[2], meaning))
            meaning = ""
        else:
            meaning = line.removeprefix("# ") if line.startswith("# ") else ""
    return found


def tables(text: str) -> str:
    """The same as Markdown, a table a section."""
    lines: list[str] = []
    section = ""
    for entry in entries(text):
        if entry.section != section:
            section = entry.section
            lines += ["", f"### {section}", "", "| variable | default | |", "|---|---|---|"]
        default = f"`{entry.default}`" if entry.default else ""
        lines.append(f"| `{entry.variable}` | {default} | {entry.meaning.replace('<', '&lt;')} |")
    return "\n".join(lines) + "\n\n"


def documented(page: str, example: str) -> str:
    """The page with its tables as the example has them."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{tables(example)}{END}{after}"


if __name__ == "__main__":
    DOCS.write_text(documented(DOCS.read_text(), EXAMPLE.read_text()))
