"""Imports go one way, as docs/architecture.md says."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "flowzoo"
LEVELS = [  # each may import what stands before it, and itself
    {"transform", "checks", "limits", "random", "errors", "files", "layout", "progress", "columns"},
    {"ode"},
    {"bijectors", "conditioners", "bases"},
    {"flows"},
    {"data", "training", "zoo", "serving", "interop"},
    {"beam"},
    {"cli"},
]
LEVEL = {package: level for level, packages in enumerate(LEVELS) for package in packages}
APART = [{"bijectors", "conditioners"}, {"bijectors", "bases"}, {"conditioners", "bases"}]  # don't need each other
DELEGATIONS = {("bijector", "interop"), ("distribution", "interop"), ("export", "serving")}  # of flows/base.py
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in LEVEL)


def _package(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def _imports(tree):
    """(enclosing function or None, imported flowzoo package) of every import."""
    found = []

    def visit(node, function):
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            modules = []
            if isinstance(child, ast.Import):
                modules = [alias.name for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"line {child.lineno}: import from flowzoo by its full name"
                modules = [f"{child.module}.{alias.name}" for alias in child.names]
            for module in modules:
                parts = module.split(".")
                if parts[0] == "flowzoo" and len(parts) > 1:
                    found.append((function, parts[1]))
            visit(child, inside)

    visit(tree, None)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    own = _package(path)
    assert own in LEVEL, f"{own} has no place in docs/architecture.md"
    for function, other in _imports(ast.parse(path.read_text())):
        if path == ROOT / "flows" / "base.py" and (function, other) in DELEGATIONS:
            continue
        if other not in LEVEL:
            continue  # a name of flowzoo itself, as __version__
        assert LEVEL[other] <= LEVEL[own], f"{own} must not import {other}"
        assert {own, other} not in APART, f"{own} and {other} must not need each other"


def test_every_package_has_its_place():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == {package for package in LEVEL if (ROOT / package).is_dir()}


def test_the_delegations_are_all_there_is():
    found = {pair for pair in _imports(ast.parse((ROOT / "flows" / "base.py").read_text())) if pair[0]}
    assert found == DELEGATIONS


def test_a_wrong_import_would_be_found():
    tree = ast.parse("from flowzoo import zoo\ndef f():\n    import flowzoo.training.run\n")
    assert _imports(tree) == [(None, "zoo"), ("f", "training")]


def test_importing_is_cheap(fresh_process):
    heavy = "('tensorflow', 'keras', 'tensorflow_probability', 'tensorflow_datasets', 'requests', 'filelock', 'h5py')"
    check = f"assert not [name for name in sys.modules if name.split('.')[0] in {heavy}]"
    fresh_process(f"import sys, flowzoo; {check}; dir(flowzoo); {check}")


def test_flows_do_not_import_tfp(fresh_process, tmp_path):
    fresh_process(
        "import sys, flowzoo; flow = flowzoo.create('realnvp'); flowzoo.serving; flow.save_weights(sys.argv[1]);"
        "assert 'tensorflow_probability' not in sys.modules",
        tmp_path / "flow.weights.h5",
    )
