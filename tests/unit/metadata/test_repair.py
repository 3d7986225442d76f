"""Repairs are made only where nothing else can be meant, and touch nothing else."""

from __future__ import annotations

import pytest

from clemkit.cli.main import main
from clemkit.metadata.validate.repair import repaired_value


@pytest.mark.parametrize(
    ("slot", "value", "new"),
    [
        ("orcid", "https://orcid.org/0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("orcid", "0000 0002 1694 233x", "0000-0002-1694-233X"),
        ("orcid", "https://orcid.org/0000-0002-1825-0098", None),  # the check digit disagrees
        ("orcid", "0000-0002-1825", None),
        ("ror", "https://ror.org/02catss52", "02catss52"),
        ("ror", "https://ror.org/02catss53", None),
        ("doi", "https://doi.org/10.1038/s41592-021-01166-8", "10.1038/s41592-021-01166-8"),
        ("doi", "doi: 10.1038/s41592-021-01166-8.", "10.1038/s41592-021-01166-8"),
        ("doi", "in press", None),
        ("pubmed_id", "PMID: 34021280", "34021280"),
        ("taxon_id", "10090", "NCBITaxon:10090"),
        ("taxon_id", "NCBI:txid10090", "NCBITaxon:10090"),
        ("taxon_id", "mouse", None),
        ("licence", "CC BY 4.0", "CC-BY-4.0"),
        ("licence", "cc0 1.0", "CC0-1.0"),
        ("licence", "CC BY", None),  # which version?
        ("data_type", "UINT8", "uint8"),
        ("data_type", "unit8", None),  # a guess, however likely
    ],
)
def test_only_what_can_be_meant(slot, value, new):
    assert repaired_value(slot, value) == new


TEXT = """\
# a comment stays
id: x
study:
  id: s
  title: "Two   spaces stay"
  licence: CC BY 4.0   # and this one
agents:
  - {id: a, type: Person, family_name: B, orcid: https://orcid.org/0000-0002-1825-0097}
images: [{id: i, data_type: unit8, derived_from_images: [i2]}, {id: i2, derived_from_images: [i3]}]
"""


def test_the_file_is_repaired_and_nothing_else_changes(tmp_path, capsys):
    path = tmp_path / "experiment.yaml"
    path.write_text(TEXT, encoding="utf-8")
    assert main(["validate", str(path), "--fix", "--dry-run"]) == 1
    assert path.read_text(encoding="utf-8") == TEXT
    assert "+  licence: CC-BY-4.0   # and this one" in capsys.readouterr().err
    assert main(["validate", str(path), "--fix"]) == 1
    wanted = TEXT.replace("CC BY 4.0", "CC-BY-4.0").replace("https://orcid.org/", "")
    assert path.read_text(encoding="utf-8") == wanted
    out = capsys.readouterr().out
    assert "orcid" not in out
    assert "did you mean 'uint8'?" in out
    assert main(["validate", str(path), "--fix"]) == 1
    assert capsys.readouterr().err == ""
    assert path.read_text(encoding="utf-8") == wanted


def test_windows_line_ends_stay(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_bytes(b"id: x\r\nstudy: {id: s, title: t, licence: cc0-1.0}\r\n")
    assert main(["validate", str(path), "--fix"]) == 0
    assert path.read_bytes() == b"id: x\r\nstudy: {id: s, title: t, licence: CC0-1.0}\r\n"


def test_dry_run_is_for_fix(tmp_path, capsys):
    path = tmp_path / "experiment.yaml"
    path.write_text("id: x\n")
    assert main(["validate", str(path), "--dry-run"]) == 2
    assert "expected --fix" in capsys.readouterr().err
