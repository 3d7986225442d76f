"""Sentences that the reader once took apart wrongly."""

from __future__ import annotations

import pytest

from clemkit.errors import FormatError
from clemkit.metadata.protocols.readers import read_protocol
from clemkit.metadata.protocols.text import read_text


def steps(text):
    return read_text(text, name="x").data["protocols"][0]["steps"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (
            "Thick sections (300 nm) were placed on copper grids.",
            ["Sectioning", "SectionCollection"],
        ),
        (
            "1 µm sections were stained with toluidine blue.",
            ["Sectioning", "PostStaining"],
        ),
        (
            "Brains were dissected out and left in the same fixative overnight at 4 °C.",
            ["Dissection", "ChemicalFixation"],
        ),
        (
            "Cells grown on sapphire discs for 2 d were dipped in 20% Ficoll and "
            "high-pressure frozen.",
            ["CellCulture", "Incubation", "HighPressureFreezing"],
        ),
        (
            "It was fixed in 2% GA at 4 °C. Fixation was for 2 h.",
            ["ChemicalFixation"],
        ),
    ],
)
def test_treatments_are_told_apart(text, kinds):
    assert [s["type"] for s in steps(text)] == kinds


def test_a_pressure_that_looks_like_a_year_is_a_pressure():
    (step,) = steps("Freeze at once (Leica EM ICE, 2000 bar).")
    assert step["pressure"]["value"] == 2000


def test_the_holes_of_a_grid_are_no_dilution():
    (step,) = steps("Cells were grown overnight on gold grids (R 1/4, 200 mesh) in DMEM.")
    assert "stage_ratio" not in step["materials"][0]


def test_gold_bound_to_protein_a_is_one_material():
    (step,) = steps("Grids were incubated with protein A–10 nm gold (1:50) for 20 min.")
    assert [m["material"] for m in step["materials"]] == ["protein-a-gold"]


def test_a_sentence_without_end_is_read_in_pieces():
    text = "fixed in 2% GA and " * 1000
    found = read_text(text, name="x").data["protocols"][0]["steps"]
    held = {i for s in found for p in s["spans"] for i in range(p["span_start"], p["span_end"])}
    assert all(i in held for i, c in enumerate(text) if not c.isspace())


def test_an_empty_file_and_a_binary_one_are_said_to_be_so(tmp_path):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "zero.txt").write_bytes(b"Fixed\0in GA")
    assert [p.rule for p in read_protocol(tmp_path / "empty.txt").findings] == ["protocol-empty"]
    with pytest.raises(FormatError, match="zero byte at 5"):
        read_protocol(tmp_path / "zero.txt")
