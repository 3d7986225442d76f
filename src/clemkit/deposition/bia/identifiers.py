"""Identifiers as people write them: what is well formed, and what a malformed one can only mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from clemkit.metadata.validate.check_digits import CHECK_DIGITS

__all__ = [
    "LICENCES",
    "accession_type",
    "address_meant",
    "bare_doi",
    "email_meant",
    "is_doi",
    "is_email",
    "is_placeholder",
    "licence_code",
    "link_kind",
    "orcid_problem",
    "taxon_curie",
]

_ADDRESS = re.compile(r"(https?://)?(dx[.]|www[.])?doi[.]org/", re.IGNORECASE)
_DOI = re.compile(r"10[.][0-9]{4,9}(?:[.][0-9]+)*/[^\s\"<>]*[^\s\"<>.,;:]")
_ANY_DOI = re.compile(r"10[.][0-9]{4,9}(?:[.][0-9]+)*/[^\s\"<>?#]+")
# bioRxiv and medRxiv show a version that is no part of the DOI
_PREPRINT = re.compile(r"(10[.](?:1101|64898)/[0-9.]+[0-9])v[0-9]+.*", re.DOTALL)
_PAGE_END = re.compile(
    r"/(full|abstract|html|pdf|epdf|meta|summary|fulltext|suppl_file/.*)(/.*)?$"
    r"|[.](full([.]pdf)?|pdf)$",
    re.IGNORECASE,
)
# publishers whose page address contains the end of the DOI
_PAGES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"nature[.]com/articles/(s4[0-9]{4}(?:-[0-9]+){2}-[0-9a-z]|[a-z]+[0-9.]+)"),
        "10.1038/{}",
    ),
    (
        re.compile(r"elifesciences[.]org/(?:articles|reviewed-preprints)/([0-9]{5,6})"),
        "10.7554/eLife.{}",
    ),
    (re.compile(r"zenodo[.]org/records?/([0-9]+)"), "10.5281/zenodo.{}"),
    (re.compile(r"arxiv[.]org/(?:abs|pdf)/([0-9]{4}[.][0-9]{4,5})"), "10.48550/arXiv.{}"),
)
_PLACEHOLDER = re.compile(
    r"(to be (added|announced|confirmed|decided|determined|provided|published|updated|assigned)"
    r"|not (yet )?(applicable|assigned|available|known|provided|published|specified)( yet)?"
    r"|in (press|prep(aration)?|progress|review|revision)|(currently )?under review"
    r"|submitted|forthcoming"
    r"|pending|awaiting.*|n\.?\s?/?\s?a\.?|none|null|nil|nan|no|tbd|tba|tbc|unknown|undefined"
    r"|unpublished|placeholder|todo|test|-+|[.]+|_+|[?]+|x{2,}|0+)",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+([.][A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?[.])+[A-Za-z]{2,}"
)
# archive's spelling: other spellings, letters and digits only
LICENCES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "CC0": ("CC0-1.0", ("cc0", "cc010", "cczero", "creativecommonszero", "creativecommonszero10")),
    "CC BY 4.0": (
        "CC-BY-4.0",
        ("ccby40", "ccby4", "ccattribution40", "creativecommonsattribution40"),
    ),
    "CC BY-SA 4.0": ("CC-BY-SA-4.0", ("ccbysa40", "ccbysa4")),
    "CC BY-NC 4.0": ("CC-BY-NC-4.0", ("ccbync40", "ccbync4")),
}
_ACCESSIONS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("empiar", r"EMPIAR-[0-9]{5,}"),
        ("emdb", r"EMD-[0-9]{4,}"),
        ("BioStudies", r"S-(BIAD|BSST|BIADE?X?|EPMC|SCDT)[A-Z0-9]*[0-9]+"),
        ("idr", r"idr[0-9]{4}(-[a-z0-9-]+)*"),
        ("ArrayExpress", r"E-[A-Z]{4}-[0-9]+"),
        ("GEO", r"(GSE|GSM|GPL|GDS)[0-9]+"),
        ("ENA", r"(PRJ[EDN][A-Z][0-9]+|[ESD]R[PRS][0-9]{5,}|SAM(N|EA|D)[0-9]+)"),
        ("PRIDE", r"PXD[0-9]{6}"),
        ("EGA", r"EGA[SD][0-9]{11}"),
        ("MetaboLights", r"MTBLS[0-9]+"),
        ("RRID", r"RRID:.+"),
    )
)  # fmt: skip
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?[.])+[A-Za-z]{2,}(:[0-9]+)?")


def is_placeholder(text: str) -> bool:
    """Whether *text* only says that there is nothing, such as ``pending``."""
    return bool(_PLACEHOLDER.fullmatch(text.strip().strip("()[]").strip()))


def is_doi(text: str) -> bool:
    """Whether *text* is a DOI, bare or as an address of doi.org, and nothing else."""
    address = re.match(r"https?://(dx[.])?doi[.]org/", text)
    bare = text[address.end() :] if address else text
    return bool(_DOI.fullmatch(bare)) and not _PREPRINT.fullmatch(bare) and "#" not in bare


def bare_doi(text: str) -> str | None:
    """Return the one DOI that *text* can mean, without an address; None where there is none."""
    if is_doi(text):
        return _ADDRESS.sub("", text, count=1)
    for pattern, form in _PAGES:
        if page := pattern.search(text):
            return form.format(page[1])
    found = {_trimmed(m) for m in _ANY_DOI.findall(unquote(text))}
    if len(found) != 1:
        return None
    (one,) = found
    return one if is_doi(one) else None


def _trimmed(doi: str) -> str:
    if preprint := _PREPRINT.fullmatch(doi):
        return preprint[1]
    return _PAGE_END.sub("", doi).rstrip(".,;:)]}'/")


def is_email(text: str) -> bool:
    """Whether *text* is one e-mail address."""
    return bool(_EMAIL.fullmatch(text)) and len(text) <= 254


def email_meant(text: str) -> str | None:
    """Return the one address that *text* can only mean; None where that cannot be told."""
    new = re.sub(r"[\u00a0\u200b-\u200f\u2060\ufeff]", " ", text).strip()
    if inside := re.fullmatch(r"[^<>@]*<([^<>]+)>", new):
        new = inside[1]
    new = re.sub(r"^(mailto|e-?mail)\s*:\s*", "", new, flags=re.IGNORECASE).strip(" .,;:<>()[]\"'")
    new = re.sub(r"\s*[\[(]\s*at\s*[\])]\s*|\s+at\s+", "@", new, flags=re.IGNORECASE)
    new = re.sub(r"\s*[\[(]\s*dot\s*[\])]\s*", ".", new, flags=re.IGNORECASE)
    local, at, domain = new.partition("@")
    new = local.rstrip() + at + re.sub(r"\s*([.,])\s*", ".", domain.strip())
    new = re.sub(r"[.]{2,}", ".", new)
    return new if new != text and is_email(new) else None


def licence_code(text: str) -> tuple[str, str] | None:
    """Return the archive's spelling of a licence and its SPDX code; None when it is no such."""
    address = re.search(
        r"creativecommons[.]org/(licenses/([a-z-]+)/4[.]0|publicdomain/zero/1[.]0)", text
    )
    letters = re.sub(r"[^a-z0-9]", "", text.lower())
    if address:
        letters = f"cc{address[2].replace('-', '')}40" if address[2] else "cc0"
    letters = re.sub(r"licen[cs]e|waiver|international|universal", "", letters)
    for spelling, (code, others) in LICENCES.items():
        if letters in others:
            return spelling, code
    return None


def accession_type(text: str) -> str | None:
    """Return the system that *text* is an accession of; None when it looks like none."""
    return next((name for name, pattern in _ACCESSIONS if pattern.fullmatch(text.strip())), None)


def address_meant(url: str) -> str | None:
    """Return the address that *url* can only mean where its scheme is misspelt or missing."""
    text = re.sub(r"^(https?)\s*[:;]?\s*/*\s*", r"\1://", url.strip(), flags=re.IGNORECASE)
    new = text if "://" in text else f"https://{text}"
    return new if new != url and link_kind(new) == "address" else None


def link_kind(url: str) -> str:
    """Return ``address``, ``doi``, ``accession``, ``no-scheme``, ``malformed`` or ``meaningless``.

    Parameters
    ----------
    url : str
        What stands where a link should.
    """
    text = url.strip()
    if not text or is_placeholder(text):
        return "meaningless"
    parts = urlsplit(text)
    if "://" in text and parts.scheme in ("http", "https", "ftp", "ftps", "sftp", "s3", "globus"):
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme == "s3":
            return "address" if host else "meaningless"
        if not _HOST.fullmatch(host) or re.search(r"(^|[.])(localhost|invalid)$", host):
            return "meaningless"
        if "doi.org" in host:
            return "address" if is_doi(text) else "malformed"
        return "malformed" if re.search(r"\s", text) else "address"
    if bare_doi(text):
        return "doi"
    if accession_type(text):
        return "accession"
    misspelt = re.match(r"https?\s*[:;]?\s*/+\s*", text, re.IGNORECASE)
    bare = text[misspelt.end() :] if misspelt else text
    if re.fullmatch(rf"{_HOST.pattern}(/\S*)?", bare):
        return "no-scheme"
    return "meaningless"


def orcid_problem(text: str) -> str:
    """Return what is wrong with an ORCID iD, bare or as an address; empty when nothing."""
    bare = re.sub(r"^(https?://)?(www[.])?orcid[.]org/", "", text)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]", bare):
        return f"expected the form 0000-0000-0000-0000; found {text!r}"
    return CHECK_DIGITS["orcid"](bare)


def taxon_curie(text: str) -> str | None:
    """Return ``NCBITaxon:9606`` of any usual spelling; None when it is none."""
    found = re.fullmatch(
        r"(?:https?://\S*?)?(?:NCBI\s*:?\s*txid|NCBI[ _]?Taxon(?:omy)?[_: ]+|taxon:|txid|NCBI:)?"
        r"\s*([1-9][0-9]*)",
        text.strip(),
        re.IGNORECASE,
    )
    return f"NCBITaxon:{found[1]}" if found else None
