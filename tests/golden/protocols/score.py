"""How well a reader does on the annotated texts; what counts is in GUIDE.md.

Run: ``python tests/golden/protocols/score.py --set dev --verbose``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))
from annotation import HERE, GoldQuantity, GoldStep, GoldText, load
from flattened import ReadQuantity, ReadReagent, ReadStep, Span, plain, read_steps

NEUTRAL = ("UnparsedStep", "OtherStep")


@dataclass
class Score:
    """Counts of one or more texts."""

    steps_gold: int = 0
    steps_read: int = 0
    steps_found: int = 0
    reagents_gold: int = 0
    reagents_read: int = 0
    reagents_found: int = 0
    reagents_right: int = 0
    quantities_gold: int = 0
    quantities_read: int = 0
    quantities_found: int = 0
    characters: int = 0
    characters_covered: int = 0
    misses: list[str] = field(default_factory=list)

    def __add__(self, other: Score) -> Score:
        return Score(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def step_f1(self) -> float:
        return _ratio(2 * self.steps_found, self.steps_gold + self.steps_read)

    @property
    def reagent_precision(self) -> float:
        return _ratio(self.reagents_right, self.reagents_read)

    @property
    def reagent_recall(self) -> float:
        return _ratio(self.reagents_found, self.reagents_gold)

    @property
    def quantity_exact(self) -> float:
        return _ratio(self.quantities_found, self.quantities_gold)

    @property
    def quantity_precision(self) -> float:
        return _ratio(self.quantities_found, self.quantities_read)

    @property
    def accounted(self) -> float:
        return _ratio(self.characters_covered, self.characters)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


# ---- names


@cache
def known_names() -> dict[str, tuple[frozenset[str], str | None]]:
    data = yaml.safe_load((HERE / "names.yaml").read_text(encoding="utf-8"))
    return {
        name: (frozenset(map(plain, [name, *entry.get("also", ())])), entry.get("term"))
        for name, entry in data.items()
    }


def same_substance(gold: str, read: ReadReagent) -> bool:
    names, term = known_names()[gold]
    return bool(names & read.names) or (term is not None and term in read.terms)


# ---- comparing


def _overlap(one: Span, other: Span) -> int:
    return min(one[1], other[1]) - max(one[0], other[0])


def _meet(gold: GoldStep | GoldQuantity, spans: Sequence[Span]) -> bool:
    return any(_overlap((gold.start, gold.end), span) > 0 for span in spans)


def match_steps(gold: Sequence[GoldStep], read: Sequence[ReadStep]) -> list[tuple[int, int]]:
    """One to one, in order, of the same class and with overlapping words; as many as possible."""
    best = [[0] * (len(read) + 1) for _ in range(len(gold) + 1)]
    fits = [[g.name == r.name and _meet(g, r.spans) for r in read] for g in gold]
    for i in reversed(range(len(gold))):
        for j in reversed(range(len(read))):
            with_it = 1 + best[i + 1][j + 1] if fits[i][j] else 0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], with_it)
    pairs, i, j = [], 0, 0
    while i < len(gold) and j < len(read):
        if fits[i][j] and best[i][j] == 1 + best[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def quantity_fits(gold: GoldQuantity, read: ReadQuantity) -> bool:
    if gold.kind != read.kind or not _meet(gold, read.spans):
        return False
    if gold.kind == "ratio":
        return gold.ratio == read.ratio
    if gold.unit != read.unit or gold.interpreted != read.interpreted:
        return False
    if gold.interpreted:
        given = [v for v in (read.value, read.minimum, read.maximum) if v is not None]
        low, high = gold.minimum, gold.maximum
        return (
            bool(given)
            and low is not None
            and high is not None
            and low <= min(given) <= max(given) <= high
        )
    asked = ("value", "minimum", "maximum", "uncertainty")
    return all(_equal(getattr(gold, k), getattr(read, k)) for k in asked)


def _equal(gold: float | None, read: float | None) -> bool:
    if gold is None or read is None:
        return gold is None and read is None
    return abs(gold - read) <= 1e-9 * max(1.0, abs(gold))


def score_text(text: GoldText, data: Mapping[str, Any]) -> Score:
    """Compare one reading, a description in long form, with the answer."""
    read = read_steps(data)
    score = Score()
    _score_steps(text, read, score)
    _score_reagents(text, read, score)
    _score_quantities(text, read, score)
    covered = {i for step in read for start, end in step.spans for i in range(start, end)}
    wanted = [i for i, c in enumerate(text.text) if not c.isspace()]
    score.characters, score.characters_covered = len(wanted), sum(i in covered for i in wanted)
    if lost := [i for i in wanted if i not in covered]:
        score.misses.append(
            f"{len(lost)} characters lost, first {lost[0]}: {_cut(text, lost[0], lost[0] + 40)}"
        )
    return score


def _cut(text: GoldText, start: int, end: int) -> str:
    return repr(" ".join(text.text[start:end].split()))


def _score_steps(text: GoldText, read: list[ReadStep], score: Score) -> None:
    # what is no step may be kept as one that says nothing
    pairs = match_steps(text.steps, read)
    matched = {j for _, j in pairs}
    counted = [j for j, r in enumerate(read) if j in matched or r.name not in NEUTRAL]
    score.steps_gold, score.steps_read, score.steps_found = (
        len(text.steps),
        len(counted),
        len(pairs),
    )
    found = {i for i, _ in pairs}
    for i, gold in enumerate(text.steps):
        if i not in found:
            at = [r.name for r in read if _meet(gold, r.spans)]
            score.misses.append(
                f"step missed: {gold.name}, read {at}: {_cut(text, gold.start, gold.end)}"
            )
    for j in counted:
        if j not in matched:
            score.misses.append(f"step too many: {read[j].name}: {_cut(text, *read[j].whole)}")


def _score_reagents(text: GoldText, read: list[ReadStep], score: Score) -> None:
    right: set[tuple[int, int]] = set()
    for gold in text.steps:
        near = [(j, r) for j, r in enumerate(read) if _meet(gold, r.spans)]
        for reagent in gold.reagents:
            score.reagents_gold += 1
            hits = [
                (j, k)
                for j, r in near
                for k, m in enumerate(r.reagents)
                if same_substance(reagent.name, m)
            ]
            score.reagents_found += bool(hits)
            right.update(hits)
            if not hits:
                score.misses.append(
                    f"reagent missed: {reagent.name} of {_cut(text, gold.start, gold.end)}"
                )
    for j, step in enumerate(read):
        if not any(_meet(gold, step.spans) for gold in text.steps):
            continue  # no step of the answer is here
        once = {(r.names, r.terms): (j, k) for k, r in reversed(list(enumerate(step.reagents)))}
        for (names, _), place in once.items():
            score.reagents_read += 1
            good = place in right
            score.reagents_right += good
            if not good:
                score.misses.append(
                    f"reagent too many: {sorted(names)} in {_cut(text, *step.whole)}"
                )


def _score_quantities(text: GoldText, read: list[ReadStep], score: Score) -> None:
    everything = [q for step in read for q in step.quantities]
    answers = [(step, q) for step in text.steps for q in step.quantities]
    partner = _assign(
        [[k for k, q in enumerate(everything) if quantity_fits(g, q)] for _, g in answers]
    )
    score.quantities_gold, score.quantities_found = len(answers), len(partner)
    for number, (step, gold) in enumerate(answers):
        if number not in partner:
            near = [q.content for q in everything if _meet(gold, q.spans) and q.kind == gold.kind]
            words = f"{_cut(text, gold.start, gold.end)} of {_cut(text, step.start, step.end)}"
            score.misses.append(f"quantity missed: {gold.kind} {words}; read {near[:6]}")
    used = set(partner.values())
    right = {everything[k].content for k in used}
    wrong = [
        q
        for k, q in enumerate(everything)
        if k not in used and q.content not in right and any(_meet(s, q.spans) for s in text.steps)
    ]
    score.quantities_read = len(partner) + len(wrong)
    for q in wrong:
        score.misses.append(
            f"quantity too many: {q.content} at {[_cut(text, *s) for s in q.spans][:2]}"
        )


def _assign(options: list[list[int]]) -> dict[int, int]:
    """A largest one-to-one assignment (augmenting paths); the plainest answer first."""
    owner: dict[int, int] = {}

    def place(gold: int, tried: set[int]) -> bool:
        for k in options[gold]:
            if k not in tried:
                tried.add(k)
                if k not in owner or place(owner[k], tried):
                    owner[k] = gold
                    return True
        return False

    for gold in range(len(options)):
        place(gold, set())
    return {gold: k for k, gold in owner.items()}


# ---- running


def reader() -> Callable[..., Any]:
    from clemkit.metadata.protocols.text import read_text

    return read_text


def score_all(which: str = "all") -> dict[str, Score]:
    read_text = reader()
    return {t.name: score_text(t, read_text(t.text, name=t.name).data) for t in load(which)}


HEADINGS = ("step F1", "reag. P", "reag. R", "quant.", "quant. P", "chars")


def table(scores: Mapping[str, Score]) -> str:
    rows = [*scores.items(), ("together", sum(scores.values(), Score()))]
    lines = [f"{'':32}" + "".join(f"{h:>10}" for h in HEADINGS)]
    for name, s in rows:
        reagents = s.reagent_precision, s.reagent_recall
        values = (s.step_f1, *reagents, s.quantity_exact, s.quantity_precision, s.accounted)
        lines.append(f"{name:32}" + "".join(f"{v:10.3f}" for v in values))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=("dev", "held_out", "all"), default="dev")
    parser.add_argument("--verbose", action="store_true", help="list every difference")
    arguments = parser.parse_args()
    scores = score_all(arguments.set)
    if arguments.verbose:
        for name, score in scores.items():
            print(f"== {name}", *score.misses, sep="\n   ")
    print(table(scores))


if __name__ == "__main__":
    main()
