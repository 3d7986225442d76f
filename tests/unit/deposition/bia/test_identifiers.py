from __future__ import annotations

import pytest

from clemkit.deposition.bia.identifiers import (
    accession_type,
    bare_doi,
    email_meant,
    is_doi,
    is_email,
    is_placeholder,
    licence_code,
    link_kind,
    orcid_problem,
    taxon_curie,
)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("10.1234/a.b(c)1-2", "10.1234/a.b(c)1-2"),
        ("https://dx.doi.org/10.17504/protocols.io.abc/v1", "10.17504/protocols.io.abc/v1"),
        ("https://doi.org/DOI: 10.26508/lsa.1", "10.26508/lsa.1"),
        ("doi.org/10.5281/zenodo.1", "10.5281/zenodo.1"),
        ("https://www.biorxiv.org/content/10.1101/2023.07.04.5v1.full", "10.1101/2023.07.04.5"),
        ("https://journals.plos.org/one/article?id=10.1371/pone.1", "10.1371/pone.1"),
        ("https://pubs.acs.org/doi/abs/10.1021/jacs.1?x=y", "10.1021/jacs.1"),
        ("https://elifesciences.org/articles/79762", "10.7554/eLife.79762"),
        ("https://zenodo.org/records/123", "10.5281/zenodo.123"),
        ("see 10.1/x", None),
        ("10.1234/a and 10.1234/b", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_doi_that_a_text_means(text: str, bare: str | None):
    assert bare_doi(text) == bare
    assert bare is None or is_doi(bare)


@pytest.mark.parametrize(
    "text", ["10.1234/a.", "10.1234/a b", "doi:10.1234/a", "10.12/a", "10.1234/a#x"]
)
def test_what_is_no_doi(text: str):
    assert not is_doi(text)


@pytest.mark.parametrize("text", ["a.b+c@x-y.example.org", "o'neil@example.co.uk"])
def test_addresses(text: str):
    assert is_email(text)
    assert email_meant(text) is None


@pytest.mark.parametrize(
    "text", ["a@b", "a..b@c.de", "@c.de", "a@-c.de", "a b@c.de", "a@c.de,b@c.de"]
)
def test_no_addresses_and_no_guess(text: str):
    assert not is_email(text)
    meant = email_meant(text)
    assert meant is None or is_email(meant)


@pytest.mark.parametrize(
    "text", ["pending", "N/A", "n.a.", "TBD", "(none)", "in preparation", "--", "xxx"]
)
def test_placeholders(text: str):
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["Nonell", "native", "No treatment", "10.1234/x", "0.5"])
def test_no_placeholders(text: str):
    assert not is_placeholder(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("https://github.com/a/b#c", "address"),
        ("https://doi.org/10.1234/a", "address"),
        ("https://doi.org/a", "malformed"),
        ("https://a.org/b c", "malformed"),
        ("10.1234/a", "doi"),
        ("EMPIAR-10988", "accession"),
        ("a.org/b", "no-scheme"),
        ("https://", "meaningless"),
        ("ftp:nothing", "meaningless"),
        ("GitHub", "meaningless"),
    ],
)
def test_kinds_of_links(text: str, kind: str):
    assert link_kind(text) == kind


def test_licences_taxa_orcid_accessions():
    assert licence_code("CC-BY-4.0") == ("CC BY 4.0", "CC-BY-4.0")
    assert licence_code("http://creativecommons.org/publicdomain/zero/1.0/") == ("CC0", "CC0-1.0")
    assert licence_code("CC BY 3.0") is None
    assert taxon_curie("NCBI:txid9606") == taxon_curie("NCBITaxon_9606") == "NCBITaxon:9606"
    assert taxon_curie("human") is None
    assert orcid_problem("https://orcid.org/0000-0002-1825-0097") == ""
    assert "expected check digit 7" in orcid_problem("0000-0002-1825-0098")
    assert accession_type("GSE1234") == "GEO"
    assert accession_type("hello") is None
