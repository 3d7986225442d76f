"""Commands that send a package, as text for people. clemkit itself sends nothing.

The form of EMPIAR's commands follows EMBL-EBI's own client, empiar-depositor 1.6b30.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["transfer_lines"]

_EMPIAR_GLOBUS = "d50a0618-6d04-11e5-ba46-22000b92c6ec"  # the collection that the client names
_ASPERA = "ascp -QT -l 200M -P 33001 -L- -k3"  # resumes, checks content, 200 Mbit/s


def transfer_lines(directories: Sequence[str], archives: Sequence[str]) -> Iterator[str]:
    """Yield the lines of Markdown that say how to send a package.

    Parameters
    ----------
    directories : sequence of str
        Folders of the image sets.
    archives : sequence of str
        ``empiar``, ``bia``.
    """
    yield "clemkit sends nothing. Words in CAPITALS are given to you by the archive."
    yield ""
    if "empiar" in archives:
        yield from _empiar(directories)
    if "bia" in archives:
        yield from _bia()


def _empiar(directories: Sequence[str]) -> Iterator[str]:
    yield "### EMPIAR"
    yield ""
    yield "With EMBL-EBI's own client (`pip install empiar-depositor`), one image set at a time."
    yield "The first command makes the entry and prints ENTRY_ID and ENTRY_DIR; the last one,"
    yield "without `-s`, submits it. After an interruption, give it again with"
    yield "`-r ENTRY_ID ENTRY_DIR`."
    yield ""
    yield "    export EMPIAR_TRANSFER_PASS=TRANSFER_PASSWORD"
    directories = [*directories, "data/description"]
    for number, directory in enumerate(directories):
        resume = " -r ENTRY_ID ENTRY_DIR" if number else ""
        stop = " -s" if number < len(directories) - 1 else ""
        yield (
            f"    empiar-depositor -a ~/.aspera/connect/bin/ascp{resume}{stop} "
            f"-e thumbnail.png EMPIAR_TOKEN empiar.json {directory}"
        )
    yield ""
    yield "With Aspera alone, after the entry was made on the web site or by the client (port 33001"
    yield "for TCP and UDP must be open; `-k3` resumes):"
    yield ""
    yield "    export ASPERA_SCP_PASS=TRANSFER_PASSWORD"
    yield f"    {_ASPERA} data/* emp_dep@hx-fasp-1.ebi.ac.uk:upload/ENTRY_DIR/data/"
    yield ""
    yield "With the Globus command line (`pip install globus-cli`), from your own collection:"
    yield ""
    yield "    globus login"
    yield "    globus transfer --recursive --sync-level checksum --verify-checksum \\"
    yield "      YOUR_COLLECTION:PATH_OF_THIS_FOLDER/data/ \\"
    yield f"      {_EMPIAR_GLOBUS}:upload/ENTRY_DIR/data/"
    yield ""


def _bia() -> Iterator[str]:
    yield "### BioImage Archive"
    yield ""
    yield "Make a submission on the web site of the archive; it names USER@HOST and SECRET_DIR."
    yield "Send the content of this folder there, then give the file list and the metadata to it."
    yield ""
    yield f"    {_ASPERA} data bia USER@HOST:SECRET_DIR/"
    yield "    globus transfer --recursive --sync-level checksum --verify-checksum \\"
    yield "      YOUR_COLLECTION:PATH_OF_THIS_FOLDER/ ARCHIVE_COLLECTION:SECRET_DIR/"
    yield ""
