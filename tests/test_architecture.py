"""Imports go one way, as docs/architecture.md says, between packages and between files; and who names what."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "flowzoo"
LEVELS = [  # each package may import those before its line, and itself
    {"core"},
    {"record", "ode", "modalities"},
    {"hub", "bijectors", "conditioners", "bases", "data"},
    {"surjections"},
    {"objectives"},
    {"models"},
    {"families"},
    {"measure"},
    {"training"},
    {"cards"},
    {"zoo"},
    {"interop", "serving"},
    {"beam", "cli", "testing"},
]
LEVEL = {package: level for level, packages in enumerate(LEVELS) for package in packages}
FACES = {"flows", "registration", "__main__"}  # names for users, made of what they need
DELEGATIONS = {
    ("bijector", "interop"),
    ("distribution", "interop"),
    ("export", "serving.saved_model"),
}  # of models/flow.py


def _module(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in sorted(ROOT.rglob("*.py"))}


def _imports(tree):
    """(enclosing function or None, imported module of flowzoo) of every import, those for types included."""
    found = []

    def visit(node, function):
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            names = []
            if isinstance(child, ast.Import):
                names = [alias.name for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"line {child.lineno}: import from flowzoo by its full name"
                names = [f"{child.module}.{alias.name}" for alias in child.names]
            for name in names:
                if name.startswith("flowzoo."):
                    name = name.removeprefix("flowzoo.")
                    found.append((function, name if name in MODULES else name.rpartition(".")[0]))
            visit(child, inside)

    visit(tree, None)
    return [pair for pair in found if pair[1]]  # a name of flowzoo itself, as __version__, is none


def _of(module):
    """What a module imports, the delegations of `Flow` aside."""
    pairs = _imports(ast.parse(MODULES[module].read_text()))
    return {other for function, other in pairs if module != "models.flow" or (function, other) not in DELEGATIONS}


@pytest.mark.parametrize("package", sorted(LEVEL))
def test_imports_point_down(package):
    for module in MODULES:
        if module.split(".")[0] != package:
            continue
        for other in {name.split(".")[0] for name in _of(module)} - {package}:
            assert other in LEVEL, f"{module} must not import {other}, a name for users"
            assert LEVEL[other] < LEVEL[package], f"{module} must not import {other}"


def test_no_file_needs_itself():
    graph = {module: _of(module) - {module} for module in MODULES if module.split(".")[0] in LEVEL}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_every_package_has_its_place():
    assert {module.split(".")[0] for module in MODULES if module} == LEVEL.keys() | FACES


def test_the_delegations_are_all_there_is():
    found = {pair for pair in _imports(ast.parse(MODULES["models.flow"].read_text())) if pair[0]}
    assert found == DELEGATIONS


def test_a_wrong_import_would_be_found():
    code = "from flowzoo import zoo\nif TYPE_CHECKING:\n    from flowzoo.models import flow\n"
    code += "def f():\n    import flowzoo.training.trainer\n"
    assert _imports(ast.parse(code)) == [(None, "zoo"), (None, "models.flow"), ("f", "training.trainer")]


def _named(tree, names, classes):
    """The families that code names, by the keys of `FAMILIES` in quotes or by their classes; docstrings aside."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield from names & {node.value, *re.findall(r"[`'\"]([\w-]+)[`'\"]", node.value)}
        for attribute in ("id", "attr", "name"):
            yield from classes & {getattr(node, attribute, None)}


def test_nothing_outside_its_file_names_a_family():
    tree = ast.parse(MODULES["families"].read_text())
    table = next(node.value for node in ast.walk(tree) if isinstance(node, ast.AugAssign | ast.Assign))
    names = {key.value: value.id for key, value in zip(table.keys, table.values, strict=True)}
    homes = {name: module for module in _of("families") for name in _defined(module)}
    assert len(names) >= 12
    for module, path in MODULES.items():
        others = {name: kind for name, kind in names.items() if homes[kind] != module}
        found = set(_named(ast.parse(path.read_text()), {*others}, {*others.values()}))
        assert module == "families" or not found, f"{module} names {sorted(found)}"


def _defined(module):
    return [node.name for node in ast.parse(MODULES[module].read_text()).body if isinstance(node, ast.ClassDef)]


def test_a_family_named_elsewhere_would_be_found():
    code = (
        '"""Of `glow`."""\nif family == "glow" or kind is flows.Glow:\n    raise ValueError("take `maf`, not NICE")\n'
    )
    code += "from flowzoo.families.nice import NICE\n"
    assert set(_named(ast.parse(code), {"glow", "maf"}, {"Glow", "NICE"})) == {"glow", "maf", "Glow", "NICE"}


@pytest.mark.parametrize("package", ["record", "hub"])
def test_presets_are_read_without_tensorflow(fresh_process, package):
    names = ", ".join(f"flowzoo.{module}" for module in MODULES if module.split(".")[0] == package)
    fresh_process(f"import sys, {names}; assert not {{'tensorflow', 'keras'}} & set(sys.modules)")


def test_importing_is_cheap(fresh_process):
    heavy = {"tensorflow", "keras", "tensorflow_probability", "tensorflow_datasets", "requests", "urllib3", "jinja2"}
    heavy |= {"filelock", "h5py"}
    check = f"assert not [name for name in sys.modules if name.split('.')[0] in {heavy}]"
    client = "from flowzoo.serving import Client, Unavailable"
    fresh_process(f"import sys, flowzoo; {check}; dir(flowzoo); {check}; {client}; {check}")


def test_pages_are_made_by_no_command():
    """An installation lacks Jinja2, which only `tools/make_cards.py` needs."""
    pages = {f"cards.{name}" for name in ("templates", "page", "markdown", "options_page", "card_figures")}
    assert not [(module, _of(module) & pages) for module in MODULES.keys() - pages if _of(module) & pages]


def test_flows_do_not_import_tfp(fresh_process, tmp_path):
    fresh_process(
        "import sys, flowzoo; flow = flowzoo.create('realnvp'); flowzoo.serving; flow.save_weights(sys.argv[1]);"
        "assert 'tensorflow_probability' not in sys.modules",
        tmp_path / "flow.weights.h5",
    )


ABOVE = ("record", "hub", "modalities", "training", "cards", "zoo", "interop", "serving", "beam", "cli")
PUBLIC = {"bits_per_dim"}  # an output of exported models, and of `Flow` and the client: not the card's number
UNITS = ("bits/dim", "nats per", "kl,")  # how cards name them


def _numbers():
    """The names by which cards and histories know what is measured."""
    from flowzoo.measure.registry import MEASUREMENTS

    names = {name for one in MEASUREMENTS for name in (one.name, one.column, *one.numbers) if name}
    return names - {one.section for one in MEASUREMENTS}  # the keys of a preset are the record's


def _measured(tree, names):
    """(line, name) of each number that code names: strings but for docstrings, keywords, attributes."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body
        if isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        words = set()
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            words = {unit for unit in UNITS if unit in node.value} | set(re.findall(r"\w+", node.value))
        elif isinstance(node, ast.Attribute):
            words = {node.attr}
        elif isinstance(node, ast.keyword | ast.arg):
            words = {node.arg}
        yield from ((node.lineno, word) for word in words & (names | set(UNITS)))


def test_outside_measure_no_number_is_measured():
    names, found = _numbers(), []
    assert {"log_likelihood", "kl_divergence", "reconstruction_error", "nats", "evaluations"} <= names
    for module, path in MODULES.items():
        package = module.split(".")[0]
        if package in ABOVE:
            allowed = PUBLIC if package in ("serving", "beam") else set()
            found += [
                f"{module}:{line} names {word}"
                for line, word in _measured(ast.parse(path.read_text()), names - allowed)
            ]
    for path in sorted((ROOT.parent / "tools").glob("*.py")):
        found += [f"{path.name}:{line} names {word}" for line, word in _measured(ast.parse(path.read_text()), names)]
    assert not found, "\n".join([*found, "Ask the measurement: flowzoo/measure/registry.py has them all."])


@pytest.mark.parametrize("code", ["x['kl_divergence']", "f'{v} bits/dim'", "f(evaluations=1)", "flow.log_likelihood"])
def test_a_named_number_would_be_found(code):
    assert list(_measured(ast.parse(code), _numbers())) and not list(
        _measured(ast.parse('"""kl_divergence"""'), _numbers())
    )


SPACES = {"bits", "classes", "condition_features"}  # of which a Space is made
# where they are, or one is made of them
MADE = ("families", "conditioners", "bases", "bijectors", "surjections", "data", "models.raw", "record")


def _asked(tree):
    """(line, name) where code asks a flow or a data set for what its spaces say."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in SPACES and isinstance(node.ctx, ast.Load):
            yield node.lineno, node.attr
        if isinstance(node, ast.Subscript) and getattr(node.slice, "value", None) in SPACES:
            yield node.lineno, node.slice.value


def test_spaces_are_asked_for_shapes_values_and_conditions():
    found = [
        f"{module}:{line} reads {name}"
        for module, path in MODULES.items()
        if not module.startswith(MADE)
        for line, name in _asked(ast.parse(path.read_text()))
    ]
    assert not found, "\n".join([*found, "Ask `flow.x_space` or `flow.condition`."])


@pytest.mark.parametrize("code", ["flow.bits", "flow.classes > 0", "preset.dataset['bits']"])
def test_a_question_past_a_space_would_be_found(code):
    assert list(_asked(ast.parse(code)))
