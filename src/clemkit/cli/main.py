"""The program: commands, and what every failure looks like."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from clemkit import __version__
from clemkit.cli import (
    convert,
    demo,
    deposit,
    evaluate,
    info,
    init,
    landmarks,
    metadata,
    protocol,
    query,
    rdf,
    register,
    run,
    segment,
    target,
    validate,
    warp,
)
from clemkit.cli.failures import INTERNAL, INTERRUPTED, OK, exit_status, explained, one_line
from clemkit.errors import ClemkitWarning

__all__ = ["app", "main"]

app = typer.Typer(
    name="clemkit",
    help="Correlative light, X-ray and electron microscopy.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help starts in a third of the time
    context_settings={"help_option_names": ["--help", "-h"]},
)
# in the order of the flow
app.command("info", short_help="What is in a volume file.")(info.info)
app.command("convert", short_help="A volume to OME-Zarr or OME-TIFF.")(convert.convert)
app.command("segment", short_help="Structures to labels.")(segment.segment)
app.add_typer(landmarks.app, name="landmarks", short_help="Sample and convert landmarks.")
app.command("register", short_help="Two volumes, or landmark pairs.")(register.register)
app.command("warp", short_help="Apply a registration.")(warp.warp)
app.command("evaluate", short_help="True error at landmark pairs.")(evaluate.evaluate)
app.command("target", short_help="Where a target lies in the block.")(target.target)
app.command("init", short_help="A description to fill in.")(init.init)
app.add_typer(metadata.app, name="metadata", short_help="Workbooks, CSV, OME-XML, archives.")
app.add_typer(protocol.app, name="protocol", short_help="Sample-preparation protocols.")
app.command("validate", short_help="Check a description.")(validate.validate)
app.command("rdf", short_help="A description as linked data.")(rdf.rdf)
app.command("query", short_help="SPARQL over descriptions.")(query.query)
app.add_typer(deposit.app, name="deposit", short_help="What archives take, checked and built.")
app.command("run", short_help="The whole flow, resumed where it stopped.")(run.run)
app.command("demo", short_help="A phantom experiment, start to end.")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"clemkit {__version__}")
        raise typer.Exit(OK)


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print version."),
    ] = False,
) -> None:
    """Correlative light, X-ray and electron microscopy."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments without the program's name; those of the process when None.

    Returns
    -------
    int
        0 fine, 1 findings, 2 usage or argument, 3 data unreadable, 70 a defect, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=ClemkitWarning)
        warnings.showwarning = _show_warning
        try:
            status = app(arguments, prog_name="clemkit", standalone_mode=False)
            sys.stdout.flush()
        except typer.TyperException as error:
            message = error.format_message()
            if message.startswith("Usage:"):  # called without arguments: the help itself
                print(message, file=sys.stderr)
            else:
                _complain(f"{message} (see --help)")
            return error.exit_code
        except typer.Abort:
            return _fail(KeyboardInterrupt(), debug=debug)
        except BrokenPipeError:
            # the reader left, as `head` does; nothing more may be written at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return OK
        except (Exception, KeyboardInterrupt) as error:
            return _fail(error, debug=debug)
    if status == INTERRUPTED:  # typer turns Ctrl-C into this status
        return _fail(KeyboardInterrupt(), debug=False)
    return int(status or OK)


def _fail(error: BaseException, *, debug: bool) -> int:
    error = explained(error)
    status = exit_status(error)
    if debug or status == INTERNAL:
        traceback.print_exception(error)
    note = "; this is a defect of clemkit, please report it" if status == INTERNAL else ""
    _complain(one_line(error) + note)
    return status


def _complain(text: str) -> None:
    print(f"clemkit: {text}", file=sys.stderr)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _complain(f"warning: {' '.join(str(message).split())}")


if __name__ == "__main__":
    sys.exit(main())
