"""Protocols as Markdown and as a page: all steps, all words, nothing unescaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from clemkit.errors import ArgumentError
from clemkit.metadata.load import read_document
from clemkit.metadata.protocols.grounding import ground, material_entry
from clemkit.metadata.protocols.html import to_html
from clemkit.metadata.protocols.markdown import to_markdown
from clemkit.metadata.shorthand import expanded

EXAMPLES = Path(__file__).parents[4] / "examples" / "metadata"
VOID = {"meta", "br", "img", "link", "hr", "input"}


def hostile() -> dict:
    """A protocol whose every word tries to leave its cell."""
    bad = '<script>alert("x")</script> | `a` & *b*\n# c'
    return {
        "id": "x",
        "name": bad,
        "reagents": [
            {
                "id": "r",
                "type": "Reagent",
                "name": bad,
                "vendor": bad,
                "hazards": bad,
                "notes": bad,
            },
            material_entry(ground("Walton's lead aspartate"), "walton"),
            {"id": "unused", "type": "Reagent", "name": "left out"},
        ],
        "protocols": [
            {
                "id": "p",
                "name": bad,
                "description": bad,
                "safety": bad,
                "references": [bad],
                "protocol_version": bad,
                "steps": [
                    {
                        "type": "EnBlocStaining",
                        "name": bad,
                        "step_label": "4b",
                        "materials": [{"material": "r"}, {"material": "walton"}],
                        "duration": {"value": 30.0, "unit": "min"},
                        "temperature": {"value": 60.0, "unit": "degC"},
                        "repeats": 2,
                        "notes": bad,
                        "safety": bad,
                        "is_critical": True,
                        "is_pause_point": True,
                        "is_optional": True,
                    },
                    {"type": "UnparsedStep", "unparsed_text": bad},
                ],
            },
            {"id": "q", "name": "Second", "steps": [{"type": "Trimming"}]},
        ],
    }


class Page(HTMLParser):
    """Collects tags, checks that they nest, and refuses what would be fetched or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""
        self.columns: list[int] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        names = dict(attrs)
        assert not {"src", "href", "onclick", "onload", "style"} & set(names)
        if tag == "tr":
            self.columns.append(0)
        if tag in ("td", "th"):
            self.columns[-1] += int(names.get("colspan", 1))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def parsed(page: str) -> Page:
    parser = Page()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_escapes_everything_and_fetches_nothing():
    html = to_html(hostile())
    page = parsed(html)
    assert "script" not in page.seen
    assert page.text.count('alert("x")') >= 10  # shown as words, in each place
    assert "http" not in html
    assert "@media print" in html


def test_the_page_has_every_step_and_flag():
    page = parsed(to_html(hostile(), "p"))
    for words in ("critical", "pause point", "optional", "not understood", "4b", "60\u00a0°C",
                  "30\u00a0min each", "2\u00a0×", "Safety", "20\u00a0mM lead nitrate",
                  "lead nitrate: toxic", "after the reference"):  # fmt: skip
        assert words in page.text, words
    assert "left out" not in page.text  # a reagent that no step uses
    assert "Second" not in page.text
    # every row of a table is as wide as its head
    assert set(page.columns) == {5, 8}


def test_all_protocols_by_default():
    assert "Second" in parsed(to_html(hostile())).text
    assert "# Second" in to_markdown(hostile())


@pytest.mark.parametrize("write", [to_html, to_markdown])
def test_a_protocol_that_is_not_there(write):
    with pytest.raises(ArgumentError, match=r"expected protocol 'z'; found p, q"):
        write(hostile(), "z")
    with pytest.raises(ArgumentError, match="expected a protocol; found none"):
        write({"id": "x"})


def test_markdown_tables_keep_their_columns():
    text = to_markdown(hostile(), "p")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) == 4 + 4
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
    assert widths[:4] == [6] * 4
    assert widths[4:] == [8] * 4
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert not re.search(r"^# c", text, re.MULTILINE)
    assert "not understood" in text
    assert "critical, pause point, optional" in text


def test_markdown_of_an_example():
    data = expanded(read_document(EXAMPLES / "fib-sem-confocal.yaml").data)
    lines = to_markdown(data, "hpf-fs").replace("\u00a0", " ").splitlines()
    assert lines[0] == "# High-pressure freezing and freeze substitution"
    assert (
        "| 1 | High-pressure freezing: Freezing (critical) |  |  |  |  | pressure 2048 bar; "
        "carrier depth 50 µm; instrument: Maker B H-2 |"
    ) in lines
    assert "| 3 | Rinsing | acetone | 10 min each | 4 °C | 3 × |  |" in lines
    assert "| 5 | Oven curing | Epon | 48 h | 60 °C |  |  |" in lines
