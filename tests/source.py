"""The source of flowzoo and of its scripts, as the tests of its architecture read it."""

import ast
import fnmatch
import functools
from pathlib import Path

ROOT = Path(__file__).parents[1] / "flowzoo"
ROOMS = ("tools", "benchmarks", "examples")  # of scripts, which flowzoo knows nothing of


def _module(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in sorted(ROOT.rglob("*.py"))}
SCRIPTS = {
    path.relative_to(ROOT.parent).as_posix(): path
    for room in ROOMS
    for path in sorted((ROOT.parent / room).rglob("*.py"))
}


@functools.cache
def tree_of(module):
    return ast.parse((MODULES | SCRIPTS)[module].read_text())


def places(tree, function=None):
    """(enclosing function or None, parent, node) of every node."""
    for node in ast.iter_child_nodes(tree):
        yield function, tree, node
        yield from places(node, node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function)


def offences(check, modules, exempt):
    """What a check finds in modules beyond their exemptions, and the exemptions that none needs.

    An exemption is the pattern of a module's name with a set of what the check may find there.
    """
    found, needed = [], set()
    for module in modules:
        for line, what in check(tree_of(module)):
            pardons = {name for name in exempt if what in exempt[name] and fnmatch.fnmatchcase(module, name)}
            needed |= {(name, what) for name in pardons}
            found += [] if pardons else [f"{module}:{line} has {what}"]
    unused = {(name, what) for name in exempt for what in exempt[name]} - needed
    return found + [f"{name} needs no exemption for {what}" for name, what in sorted(unused)]
