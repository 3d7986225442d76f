"""HTML bodies to plain text: paragraphs, lists, tables, sub- and superscripts; nothing is run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["html_to_text"]

_BLOCKS = {
    "address", "article", "blockquote", "dd", "div", "dl", "dt", "figcaption", "figure", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre",
    "section", "table", "tr", "ul",
}  # fmt: skip
_SILENT = {"head", "script", "style", "template", "title"}
_RAISED = str.maketrans("0123456789+-−n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")


def html_to_text(html: str) -> str:
    """Return the text of an HTML fragment.

    A list item begins with ``- `` or its number, the cells of a table row are parted by `` | ``, an
    image leaves its description. Digits above the line become superscript characters, digits below
    it are written on the line (``OsO4``), and ``o`` above the line before a C is a degree.
    """
    parser = _Text()
    parser.feed(html)
    parser.close()
    return parser.text()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._lists: list[int | None] = []
        self._silent = 0
        self._raised = 0
        self._link = ""
        self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag in _SILENT:
            self._silent += 1
        elif tag in ("ol", "ul"):
            start = found.get("start", "1")
            number = int(start) if start.isdecimal() else 1
            self._lists.append(number if tag == "ol" else None)
            self._parts.append("\n")
        elif tag == "li":
            self._parts.append("\n" + "  " * max(len(self._lists) - 1, 0) + self._bullet())
        elif tag == "br" or tag in _BLOCKS:
            self._parts.append("\n")
            self._cells = 0 if tag == "tr" else self._cells
        elif tag in ("td", "th"):
            self._parts.append(" | " if self._cells else "")
            self._cells += 1
        elif tag == "sup":
            self._raised += 1
        elif tag == "img":
            words = found.get("alt") or found.get("src", "").rsplit("/", 1)[-1]
            self._parts.append(f"[image: {words}]" if words else "")
        elif tag == "a":
            self._link = found.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(self._silent - 1, 0)
        elif tag in ("ol", "ul") and self._lists:
            self._lists.pop()
            self._parts.append("\n")
        elif tag in _BLOCKS:
            self._parts.append("\n")
        elif tag == "sup":
            self._raised = max(self._raised - 1, 0)
        elif tag == "a" and self._link:
            shown = "".join(self._parts[-3:])
            if self._link.startswith(("http:", "https:")) and self._link not in shown:
                self._parts.append(f" ({self._link})")
            self._link = ""

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._raised:
            words = data.strip()
            data = "°" if words in ("o", "O", "º") else data.translate(_RAISED)
        self._parts.append(re.sub(r"[ \t\r\n\f]+", " ", data))

    def _bullet(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "- "
        self._lists[-1] = number + 1
        return f"{number}. "

    def text(self) -> str:
        """Return what was read, without empty lines and doubled spaces."""
        whole = "".join(self._parts).replace("\xa0", " ")
        lines = (re.sub(r"(?<=\S) {2,}", " ", line).rstrip() for line in whole.split("\n"))
        return "\n".join(line for line in lines if line.strip()).strip()
