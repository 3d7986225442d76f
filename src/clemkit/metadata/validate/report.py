"""What a validation found: problems with lines, as text, JSON and SARIF."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.load import Document
from clemkit.metadata.validate.rules import RULES

__all__ = ["Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """Problems of one description, in the order of its lines.

    Attributes
    ----------
    document : Document
        What was checked.
    problems : tuple of Problem
        What was found.
    profiles : tuple of str
        Profiles that were asked for.
    strict : bool
        Warnings count as errors.
    catalogue : mapping of str to str
        What each rule says; other documents than descriptions have their own.
    """

    document: Document
    problems: tuple[Problem, ...]
    profiles: tuple[str, ...] = ()
    strict: bool = False
    catalogue: Mapping[str, str] = field(default_factory=lambda: RULES)

    @property
    def ok(self) -> bool:
        """Whether nothing stands against the description."""
        return not any(p.severity == "error" or self.strict for p in self.problems)

    def lines(self) -> Iterator[str]:
        """Yield one line per problem, as compilers write them, and a summary."""
        path = self.document.path or "<text>"
        for problem in self.problems:
            line = self.document.line_of(problem.location)
            yield f"{path}:{line}: {problem.severity}: {problem}"
        counts = Counter(p.severity for p in self.problems)
        if self.problems:
            yield f"{counts['error']} errors, {counts['warning']} warnings"
        else:
            yield f"{path}: nothing found"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "path": str(self.document.path or ""),
            "ok": self.ok,
            "profiles": list(self.profiles),
            "problems": [
                {
                    "rule": p.rule,
                    "severity": p.severity,
                    "location": list(p.location),
                    "line": self.document.line_of(p.location),
                    "message": p.message,
                    "hint": p.hint,
                }
                for p in self.problems
            ],
        }

    def to_sarif(self) -> str:
        """Return SARIF 2.1.0, which editors and code hosts show beside the lines."""
        used = sorted({p.rule for p in self.problems})
        rules = [{"id": r, "shortDescription": {"text": self.catalogue[r]}} for r in used]
        results = [
            {
                "ruleId": p.rule,
                "ruleIndex": used.index(p.rule),
                "level": p.severity,
                "message": {"text": f"{p.message}; {p.hint}" if p.hint else p.message},
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": str(self.document.path or "")},
                            "region": {"startLine": self.document.line_of(p.location)},
                        },
                        "logicalLocations": [
                            {"fullyQualifiedName": "/".join(str(x) for x in p.location)}
                        ],
                    }
                ],
            }
            for p in self.problems
        ]
        driver = {"name": "clemkit validate", "rules": rules}
        content = {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "results": results}],
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
