"""The REMBI sheet of the CECAD imaging facility (CAi): two columns of names, one of values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from clemkit.deposition.bia.identifiers import licence_code
from clemkit.deposition.bia.pagetab_people import split_name
from clemkit.deposition.imaging_methods import acquisition_class, method_named
from clemkit.deposition.kept import keep, not_in_model
from clemkit.deposition.rembi.reading import Reading, organism
from clemkit.errors import Problem

__all__ = ["SHEET", "import_cai_sheet", "is_cai_sheet"]

SHEET = "Annotation template"
Row = Sequence[Any]
_EMPTY = ("", "-", "–", "n/a", "none")


def is_cai_sheet(rows: Sequence[Row]) -> bool:
    """Whether *rows* are those of the sheet, by its names."""
    names = {str(row[1]).strip().lower() for row in rows if len(row) > 1 and row[1]}
    return {"imaging method name", "biological entity", "experimental status"} <= names


def import_cai_sheet(rows: Sequence[Row]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Return the sheet as a description, and what it could not hold.

    Parameters
    ----------
    rows : sequence of sequences
        Cells of the sheet; the third column holds values, further ones comments.
    """
    return _Sheet(rows).experiment()


class _Sheet:
    def __init__(self, rows: Sequence[Row]) -> None:
        self.reading = Reading("cai")
        self.values: dict[str, tuple[int, str]] = {}
        self.comments: list[tuple[int, str, str]] = []
        module = ""
        for number, row in enumerate(rows, 1):
            cells = ["" if c is None else str(c).strip() for c in (*row, "", "", "")]
            module = cells[0] or module
            name = cells[1].lower()
            if name and cells[2].lower() not in _EMPTY:
                self.values.setdefault(name, (number, cells[2]))
            for text in cells[3:]:
                if text and name:
                    self.comments.append((number, name, text))

    def take(self, *names: str) -> str:
        for name in names:
            if name in self.values:
                return self.values.pop(name)[1]
        return ""

    def experiment(self) -> tuple[dict[str, Any], tuple[Problem, ...]]:
        study: dict[str, Any] = {"id": "study", "title": self.take("title") or "untitled"}
        if text := self.take("study description"):
            study["description"] = text
        licence = self.values.get("license", (0, ""))[1]
        if known := licence_code(licence):
            study["licence"] = known[1]
            self.take("license")
        agents: list[dict[str, Any]] = []
        for name in [p.strip() for p in self.take("authors").split(",") if p.strip()]:
            person = {"id": self.reading.new_id(name, "person"), "type": "Person"}
            agents.append(person | split_name(name))
        if agents:
            study["contributions"] = [{"contributor": a["id"], "roles": ["author"]} for a in agents]
        sample = self._sample()
        specimen = self._specimen()
        out: dict[str, Any] = {"id": "experiment", "model_version": "0.1.0", "study": study}
        acquisition, instruments = self._acquisition()
        component: dict[str, Any] = {"id": "component"}
        if text := self.take("study component description"):
            component["description"] = text
        component |= {
            "component_biosamples": ["biosample"],
            "component_specimens": ["specimen"],
            "component_acquisitions": ["acquisition"],
        }
        self._keep(study)
        out["study_components"] = [component]
        out |= {"agents": agents} if agents else {}
        out |= {"instruments": instruments} if instruments else {}
        out |= {"biological_samples": [sample], "specimens": [specimen]}
        out["acquisitions"] = [acquisition]
        return out, tuple(self.reading.found)

    def _sample(self) -> dict[str, Any]:
        sample: dict[str, Any] = {"id": "biosample"}
        if text := self.take("biological entity"):
            sample["biological_entity_description"] = text
        name = self.take("organism")
        if name:
            taxon = self.values.get("organism term accession number", (0, ""))[1]
            entry, left = organism(name, "", taxon)
            sample["organisms"] = [entry]
            if taxon and not left:
                self.take("organism term accession number")
                self.take("organism term accession number sourceref")
        for field, slot in (
            ("intrinsic variable", "intrinsic_variables"),
            ("extrinsic variable", "extrinsic_variables"),
            ("experimental variables", "experimental_variables"),
        ):
            if text := self.take(field):
                sample[slot] = [{"variable_name": text}]
        return sample

    def _specimen(self) -> dict[str, Any]:
        specimen: dict[str, Any] = {
            "id": "specimen",
            "type": "OtherSpecimen",
            "biosamples": ["biosample"],
        }
        status = self.values.get("experimental status", (0, ""))[1].lower()
        if status in ("test", "control", "calibration"):
            specimen["experimental_status"] = status
            self.take("experimental status")
        if text := self.take("location within biosample"):
            specimen["location_in_biosample"] = text
        if text := self.take("preparation method"):
            specimen["preparation_summary"] = text
        contrast = self.values.get("signal/contrast mechanism", (0, ""))[1].lower()
        if contrast in ("fluorescence", "phase contrast", "reflection"):
            specimen["contrast_mechanisms"] = [contrast.replace(" ", "_")]
            self.take("signal/contrast mechanism")
        labels: list[dict[str, str]] = []
        for name in [n for n in self.values if re.fullmatch(r"channel [0-9]+ - content", n)]:
            number = name.split()[1]
            label = {"label_name": self.take(name), "channel_name": f"channel {number}"}
            if target := self.take(f"channel {number} - biological entity"):
                label["label_target_name"] = target
            labels.append(label)
        if labels:
            specimen["labels"] = labels
        return specimen

    def _acquisition(self) -> tuple[dict[str, Any], list[dict[str, str]]]:
        words = self.values.get("imaging method name", (0, ""))[1]
        method = method_named(words) if words else None
        if method:
            self.take("imaging method name")
        else:
            message = f"expected an imaging method of the model; found {words!r}"
            hint = "other_method is assumed"
            place = self.values.get("imaging method name", (0, ""))[0]
            problem = Problem((SHEET, place), "IMPORT-assumed", "warning", message, hint)
            self.reading.found.append(problem)
        acquisition: dict[str, Any] = {
            "id": "acquisition",
            "imaging_method": method or "other_method",
            "type": acquisition_class(method or "other_method"),
            "imaged_specimens": ["specimen"],
        }
        instruments: list[dict[str, str]] = []
        if model := self.take("microscope model"):
            instruments.append({"id": "microscope", "model_name": model})
            acquisition["instrument"] = "microscope"
        if camera := self.take("camera model"):
            acquisition["detectors"] = [{"model_name": camera}]
        return acquisition, instruments

    def _keep(self, study: dict[str, Any]) -> None:
        for name, (number, text) in self.values.items():
            keep(study, "cai", name, text)
            self.reading.found.append(not_in_model((SHEET, number), repr(name), "the study"))
        for number, name, text in self.comments:
            keep(study, "cai", f"{name} (comment)", text)
            what = f"a comment on {name!r}"
            self.reading.found.append(not_in_model((SHEET, number), what, "the study"))
