"""The entry point of the `flowzoo` command: arguments, dispatch, and errors in one line."""

import argparse
import io
import os
import sys
from collections.abc import Sequence

import flowzoo
from flowzoo.cli import (
    cache,
    decode,
    demo,
    diagnose,
    doctor,
    download,
    encode,
    evaluate,
    export,
    info,
    interpolate,
    listing,
    plot,
    publish,
    sample,
    score,
    train,
    verify,
)
from flowzoo.cli.common import Failed, one_line
from flowzoo.cli.quiet import import_tensorflow

COMMANDS = (
    *(demo, listing, info, sample, score, encode, decode, interpolate, plot, train, evaluate, verify, diagnose),
    *(export, download, cache, publish, doctor),
)

OK, CHECK_FAILED, BAD_INPUT, UNEXPECTED, INTERRUPTED = 0, 1, 2, 3, 130
EXIT_CODES = """exit codes:
    0  done, and every check held
    1  `verify`, `diagnose`, `cache verify` or `doctor` found a problem; a training failed
    2  wrong arguments or input: unknown preset, missing or damaged file, data of another shape
    3  an error that flowzoo did not expect; --debug shows where
   69  `train`: another worker was lost; start all of them again
   75  `train`: stopped by a signal, with its state saved; the same command resumes it
  130  interrupted (Ctrl-C)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: the command line without the program's name; that of the process if not given.

    Returns:
        The exit code; `flowzoo --help` lists them.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: not every locale has "±"
    try:
        return _run(parser().parse_args(arguments))
    finally:
        _flush()


def common() -> argparse.ArgumentParser:
    """A parser of the options that all commands have."""
    made = argparse.ArgumentParser(add_help=False)
    made.add_argument("--debug", action="store_true", help="show the Python traceback of an error")
    return made


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="flowzoo",
        description="Trained normalizing flows for TensorFlow and Keras.",
        epilog=f"example:\n  flowzoo demo\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"flowzoo {flowzoo.__version__}")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = subparsers.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.HELP,
            epilog=f"examples:{command.EXAMPLES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common()],
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run, tensorflow=command.TENSORFLOW)
    return top


def _run(args: argparse.Namespace) -> int:
    try:
        if args.tensorflow and not args.debug:
            import_tensorflow()
        return args.run(args)
    except BrokenPipeError:  # such as `flowzoo list | head`
        return OK
    except KeyboardInterrupt:
        print("flowzoo: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Failed as error:
        return _failed(error, args.debug, f"flowzoo: failed: {one_line(error)}", CHECK_FAILED)
    except (ValueError, TypeError, OSError) as error:
        return _failed(error, args.debug, f"flowzoo: error: {one_line(error)}", BAD_INPUT)
    except Exception as error:
        line = f"flowzoo: unexpected {type(error).__name__}: {one_line(error)} (--debug shows where)"
        return _failed(error, args.debug, line, UNEXPECTED)


def _flush() -> None:
    """Flushes stdout while an error can still set the exit code; at the end of a process it no longer can."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"flowzoo: error: standard output: {one_line(error)}", file=sys.stderr)
            sys.exit(BAD_INPUT)


def _failed(error: Exception, debug: bool, line: str, code: int) -> int:
    if debug:
        raise error
    print(line, file=sys.stderr)
    return code
