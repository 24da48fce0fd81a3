"""Imports go one way, as docs/architecture.md says, between packages and between files; and who names what.

Each check reads source; a test beside it shows that it finds what it is for. An exemption has its reason beside it, and
fails when nothing needs it any more.
"""

import ast
import graphlib
import re
from pathlib import Path

import pytest

import flowzoo

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
LAZY = {"training", "serving"}  # import by name what their tables list in full
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
PUBLIC = {name: home.removeprefix("flowzoo.") for name, home in (flowzoo._HOME | flowzoo._MODULES).items()}
WHOLE, UNKNOWN = "flowzoo itself", "a module by a name that is computed"


def _tree(module):
    return ast.parse((MODULES | SCRIPTS)[module].read_text())


def _imports(tree):
    """(enclosing function or None, imported module of flowzoo) of every import, those for types included.

    Public names of flowzoo count as the modules that have them, and modules named in quotes as imported.
    """
    faces = {
        alias.asname or "flowzoo"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "flowzoo" or (alias.name.startswith("flowzoo.") and not alias.asname)
    }
    found = []

    def visit(node, function):
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            found.extend((function, module) for module in _reached(child, node, faces) if module)
            visit(child, inside)

    visit(tree, None)
    return found


def _reached(node, parent, faces):
    """The modules of flowzoo that one node imports or reads; `faces` are names of flowzoo itself."""
    if isinstance(node, ast.Import):
        return [_home(alias.name) for alias in node.names if alias.name.startswith("flowzoo.")]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: import from flowzoo by its full name"
        ours = node.module == "flowzoo" or node.module.startswith("flowzoo.")
        return [_home(f"{node.module}.{alias.name}") for alias in node.names] if ours else []
    if isinstance(node, ast.Attribute) and re.fullmatch(r"[\w.]+", path := ast.unparse(node)):
        face, _, rest = path.partition(".")
        return [_home(f"flowzoo.{rest}")] if face in faces else []
    if isinstance(node, ast.Name) and node.id in faces and not isinstance(parent, ast.Attribute):
        return [WHOLE]
    if isinstance(node, ast.Constant) and re.fullmatch(r"flowzoo(\.\w+)+", str(node.value)):
        return [found for found in [_home(node.value)] if found != WHOLE]
    if isinstance(node, ast.Call) and re.search(r"\b(import_module|__import__)$", ast.unparse(node.func)):
        told = node.args and isinstance(node.args[0], ast.Constant) and not str(node.args[0].value).startswith(".")
        return [] if told else [UNKNOWN]
    return []


def _home(name):
    """The module of flowzoo that has a dotted name, "" for flowzoo's version."""
    parts = name.split(".")[1:]
    prefixes = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    found = next((prefix for prefix in prefixes if prefix in MODULES), None)
    return found or ("" if parts[0] == "__version__" else PUBLIC.get(parts[0], WHOLE))


def _of(module):
    """What a module imports, the delegations of `Flow` and the tables of lazy packages aside."""
    pairs = _imports(_tree(module))
    allowed = {"models.flow": DELEGATIONS} | {package: {("__getattr__", UNKNOWN)} for package in LAZY}
    return {other for function, other in pairs if (function, other) not in allowed.get(module, ())}


@pytest.mark.parametrize("package", sorted(LEVEL))
def test_imports_point_down(package):
    for module in MODULES:
        if module.split(".")[0] != package:
            continue
        for other in {name.split(".")[0] for name in _of(module)} - {package}:
            assert other in LEVEL, f"{module} must not import {other}"
            assert LEVEL[other] < LEVEL[package], f"{module} must not import {other}"


def test_no_file_needs_itself():
    graph = {module: _of(module) - {module} for module in MODULES if module.split(".")[0] in LEVEL}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_every_package_has_its_place():
    assert {module.split(".")[0] for module in MODULES if module} == LEVEL.keys() | FACES


def test_the_delegations_are_all_there_is():
    found = {pair for pair in _imports(_tree("models.flow")) if pair[0]}
    assert found == DELEGATIONS


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from flowzoo import zoo", (None, "zoo")),
        ("if TYPE_CHECKING:\n    from flowzoo.models import flow", (None, "models.flow")),
        ("def f():\n    import flowzoo.training.trainer", ("f", "training.trainer")),
        ("from flowzoo import load", (None, "zoo.load")),
        ("from flowzoo import *", (None, WHOLE)),
        ("import flowzoo\ndef f():\n    flowzoo.load()", ("f", "zoo.load")),
        ("import flowzoo as z\nz.zoo.verify.verify", (None, "zoo.verify")),
        ("import flowzoo.core\nflowzoo.cards", (None, "cards")),
        ("import flowzoo\ngetattr(flowzoo, name)", (None, WHOLE)),
        ("importlib.import_module('flowzoo.zoo.load')", (None, "zoo.load")),
        ("__import__('flowzoo.zoo')", (None, "zoo")),
        ("sys.modules['flowzoo.zoo']", (None, "zoo")),
        ("import_module('.load', package)", (None, UNKNOWN)),
        ("importlib.import_module(f'flowzoo.{name}')", (None, UNKNOWN)),
    ],
)
def test_a_wrong_import_would_be_found(code, found):
    assert found in _imports(ast.parse(code))


def test_the_version_is_no_import():
    assert not _imports(ast.parse("import flowzoo, json\nflowzoo.__version__\nfrom flowzoo import __version__"))


def _tops(tree):
    """The first parts of what is imported, by a statement or by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]
        if isinstance(node, ast.Call) and re.search(r"\b(import_module|__import__)$", ast.unparse(node.func)):
            yield from (str(arg.value).split(".")[0] for arg in node.args if isinstance(arg, ast.Constant))


def test_scripts_stand_above_flowzoo_and_alone():
    stems = {room: {Path(name).stem for name in SCRIPTS if name.startswith(f"{room}/")} for room in ROOMS}
    outside = {"tests", *ROOMS}.union(*stems.values())
    for module in [*MODULES, *SCRIPTS]:
        own = {"tests"} | stems["benchmarks"] if module.startswith("benchmarks/") else set()
        assert not (found := set(_tops(_tree(module))) & (outside - own)), f"{module} must not import {sorted(found)}"


@pytest.mark.parametrize("code", ["from tools import train", "import tests.cases", "import_module('benchmarks.apart')"])
def test_an_import_of_a_script_would_be_found(code):
    assert set(_tops(ast.parse(code))) & {"tests", *ROOMS}


def _offences(check, modules, exempt):
    """What a check finds in modules that are not exempt; and exemptions, of modules or packages, that none needs."""
    found, needed = [], set()
    for module in modules:
        pardons = {name for name in exempt if f"{module}.".startswith(f"{name}.")}
        for line, what in check(_tree(module)):
            needed |= pardons
            found += [] if pardons else [f"{module}:{line} {what}"]
    return found + [f"{name} needs no exemption" for name in sorted(exempt.keys() - needed)]


def _named(tree, names, classes):
    """The families that code names, by keys of `FAMILIES` in quotes, classes or modules; docstrings aside."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield from names & {node.value.removesuffix("-"), *re.findall(r"[`'\"]([\w-]+)[`'\"]", node.value)}
            yield from classes & {node.value}
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from _imported(node, names)
        for attribute in ("id", "attr", "name"):
            yield from classes & {getattr(node, attribute, None)}


def _imported(node, names):
    """The families whose module is imported: one of their names with "_" for "-"."""
    paths = [f"{getattr(node, 'module', None) or ''}.{alias.name}".strip(".") for alias in node.names]
    inside = [path.removeprefix("flowzoo.families.") for path in paths if path.startswith("flowzoo.families.")]
    yield from names & {path.split(".")[0].replace("_", "-") for path in inside}


def test_nothing_outside_its_file_names_a_family():
    tree = _tree("families")
    table = next(node.value for node in ast.walk(tree) if isinstance(node, ast.AugAssign | ast.Assign))
    names = {key.value: value.id for key, value in zip(table.keys, table.values, strict=True)}
    homes = {name: module for module in _of("families") for name in _defined(module)}
    assert len(names) >= 12
    for module, path in MODULES.items():
        others = {name: kind for name, kind in names.items() if homes[kind] != module}
        files = {homes[kind].removeprefix("families.").replace("_", "-") for kind in others.values()}
        found = set(_named(ast.parse(path.read_text()), {*others, *files}, {*others.values()}))
        assert module == "families" or not found, f"{module} names {sorted(found)}"


def _defined(module):
    return [node.name for node in _tree(module).body if isinstance(node, ast.ClassDef)]


def test_a_family_named_elsewhere_would_be_found():
    code = (
        '"""Of `glow`."""\nif family == "glow" or kind is flows.Glow:\n    raise ValueError("take `maf`, not NICE")\n'
    )
    code += "from flowzoo.families.nice import NICE\n"
    assert set(_named(ast.parse(code), {"glow", "maf"}, {"Glow", "NICE"})) == {"glow", "maf", "Glow", "NICE"}


@pytest.mark.parametrize(
    "code",
    [
        *("from flowzoo.families import nsf_ar", "from flowzoo.families.nsf_ar import Options as o"),
        *("import flowzoo.families.nsf_ar", "name.startswith('nsf-ar-')", "type(x).__name__ == 'NSF'"),
    ],
)
def test_a_family_named_in_another_way_would_be_found(code):
    assert list(_named(ast.parse(code), {"nsf-ar"}, {"NSF"}))


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


NUMBERS = {  # which of them another module may name, and why
    "models.flow": {"bits_per_dim", "reconstruction_error"},  # public methods, of each row
    "models.raw": {"reconstruction_error"},  # what that method computes
    "models.loss": {"bits_per_dim", "nats"},  # the columns of `fit`'s logs
    "serving.signatures": {"bits_per_dim"},  # a public output of exported models
    "serving.client": {"bits_per_dim"},  # and the client's method that asks for it
    "beam.transforms": {"bits_per_dim"},  # and the field that it fills
    "testing": {"bits_per_dim", "reconstruction_error"},  # checks these methods of families
    "families.neural_ode": {"evaluations", "reconstruction_error"},  # a column of logs; a method with its errors
    "bijectors.continuous": {"evaluations"},  # the note of what a solver counted
    "ode.solver": {"evaluations"},  # the count
    "data.specs": {"nats", "bits/dim"},  # what papers state on a data set, in prose
}
UNITS = ("bits/dim", "nats per", "kl,")  # how cards name them


def _numbers():
    """The names by which cards and histories know what is measured."""
    from flowzoo.measure.registry import MEASUREMENTS

    names = {name for one in MEASUREMENTS for name in (one.name, one.column, *one.numbers) if name}
    return names - {one.section for one in MEASUREMENTS}  # the keys of a preset are the record's


def _measured(tree, names):
    """(line, name) of each number that code names: strings but for docstrings, and names of anything."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body
        if isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        words = {getattr(node, field, None) for field in ("id", "attr", "arg", "name", "asname")}
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            words = {unit for unit in UNITS if unit in node.value} | set(re.findall(r"\w+", node.value))
        if isinstance(node, ast.ImportFrom):
            words = set(node.module.split("."))
        yield from ((node.lineno, word) for word in words & (names | set(UNITS)))


def test_outside_measure_no_number_is_measured():
    names, found = _numbers(), []
    assert {"log_likelihood", "kl_divergence", "reconstruction_error", "nats", "evaluations"} <= names
    for module in [*MODULES, *(name for name in SCRIPTS if name.startswith("tools/"))]:
        if not f"{module}.".startswith("measure."):
            named = list(_measured(_tree(module), names))
            allowed = NUMBERS.get(module, set())
            found += [f"{module}:{line} names {word}" for line, word in named if word not in allowed]
            found += [f"{module} does not name {word}" for word in allowed - {word for _, word in named}]
    assert not found, "\n".join([*found, "Ask the measurement: flowzoo/measure/registry.py has them all."])


@pytest.mark.parametrize(
    "code",
    [
        *("x['kl_divergence']", "f'{v} bits/dim'", "f(evaluations=1)", "flow.log_likelihood", "getattr(x, 'elbo')"),
        *("def elbo(x): pass", "nats = 1", "lambda nats: 1", "import a as elbo", "class elbo: pass"),
        *("from flowzoo.measure.round_trip import reconstruction_error", "from flowzoo.measure.elbo import Elbo"),
    ],
)
def test_a_named_number_would_be_found(code):
    assert list(_measured(ast.parse(code), _numbers())) and not list(
        _measured(ast.parse('"""kl_divergence"""'), _numbers())
    )


SPACES = {"bits", "classes", "condition_features"}  # of which a Space is made
MADE = {
    "families": "options, of which they make the Spaces",
    "data.specs": "makes the Spaces of a data set",
    "record.preset": "`depth`, by which all others ask",
    "surjections.dequantize": "makes the Space of x",
    "surjections.stochastic": "makes the Space of x, of its decoder's",
    "testing": "the two options that every family takes",
}
OWN = ("conditioners", "bases.conditional")  # read the size that they were built with, an argument of their own


def _asked(tree, own=False):
    """(line, name) where code asks a flow or a data set for what its spaces say; with `own`, not where it asks `self`.

    Names in quotes count, but for keys of what is written and for arguments that a check names in its message.
    """
    skipped = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = {arg.id for arg in node.args if isinstance(arg, ast.Name)}
            skipped |= {id(arg) for arg in node.args if isinstance(arg, ast.Constant) and arg.value in given}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in SPACES and isinstance(node.ctx, ast.Load):
            asked = [] if own and ast.unparse(node.value) == "self" else [node.attr]
            yield from ((node.lineno, f"reads {name}") for name in asked)
        if isinstance(node, ast.Constant) and node.value in SPACES and id(node) not in skipped:
            yield node.lineno, f"reads {node.value}"


def test_spaces_are_asked_for_shapes_values_and_conditions():
    own = [module for module in MODULES if module.startswith(OWN)]
    found = _offences(lambda tree: _asked(tree, own=True), own, {})
    found += _offences(_asked, [module for module in [*MODULES, *SCRIPTS] if module not in own], MADE)
    assert not found, "\n".join([*found, "Ask `flow.x_space` or `flow.condition`."])


@pytest.mark.parametrize(
    "code",
    [
        *("flow.bits", "flow.classes > 0", "preset.dataset['bits']", "getattr(flow, 'bits')", "config.get('classes')"),
        *("'bits' in config", "operator.attrgetter('condition_features')", "match x:\n    case {'bits': n}: pass"),
    ],
)
def test_a_question_past_a_space_would_be_found(code):
    assert list(_asked(ast.parse(code))) and list(_asked(ast.parse(code), own=True))


def test_an_argument_of_ones_own_is_no_question():
    assert not list(_asked(ast.parse("check_count(bits, 'bits'), {'bits': depth}")))
    assert not list(_asked(ast.parse("self.classes"), own=True)) and list(_asked(ast.parse("self.classes")))


KINDS = {
    "modalities": "are the kinds",
    "data": "has data sets of each kind",
    "core.space": "says which kind a value is of",
    "conditioners.condition": "resizes a condition to the places of h, which TensorFlow does for two axes only",
    "families.steps": "builds convolutions where the event has sides, as Glow's paper does",
    "families.options": "does not propose options that are for images only",
    "measure.judge": "is a classifier of spoken digits, which hears spectrograms",
}


def _kinds(tree):
    """(line, question) where code asks what kind of data it has, instead of asking the modality for what differs.

    That is the name of a kind, a module or class of one kind, or how many axes there are, three of one example and four
    of a batch, unless it only refuses other shapes. Whether there are places at all, anyone may ask.
    """
    from flowzoo.core.space import MODALITIES as BY_AXES
    from flowzoo.modalities.registry import MODALITIES

    names = {*MODALITIES, *BY_AXES.values(), *(kind.what for kind in MODALITIES.values())} - {"label", "examples"}
    classes = {type(kind).__name__ for kind in MODALITIES.values()} | {"MODALITIES", "ImageConditioner"}
    refusals = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[0], ast.Raise)
        for part in ast.walk(node.test)
    }
    for node in ast.walk(tree):
        parts = list(ast.walk(node))
        values = {part.value for part in parts if isinstance(part, ast.Constant)}
        tested = isinstance(node, ast.Compare | ast.MatchValue)
        wrong = (isinstance(node, ast.Attribute) and node.attr == "modality" and isinstance(node.ctx, ast.Load)) or (
            isinstance(node, ast.Constant) and node.value == "modality"
        )
        if isinstance(node, ast.ImportFrom):
            imported = {f"{node.module}.{alias.name}" for alias in node.names}
            wrong = any(re.match(r"flowzoo\.modalities\.(?!registry|modality\b)", name) for name in imported) or (
                node.module == "flowzoo.modalities.registry" and classes & {alias.name for alias in node.names}
            )
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            wrong = bool(classes & set(re.findall(r"\w+", ast.unparse(node.args[1]))))
        elif tested and names & values:
            wrong = True
        elif isinstance(node, ast.Compare) and id(node) not in refusals:
            left = ast.unparse(node.left)
            axes = re.search(r"^len\(.*shape|rank$|rank\(|ndim", left)
            more = left.startswith("len(") and isinstance(node.ops[0], ast.Gt) and 2 in values
            wrong = (axes and ({3, 4} & values or more)) or "(1, 3)" in [ast.unparse(one) for one in node.comparators]
        elif isinstance(node, ast.Match):
            wrong = re.search(r"len\(.*shape|rank|ndim", ast.unparse(node.subject)) and {3, 4} & values
        if wrong:
            yield node.lineno, f"asks {ast.unparse(node).splitlines()[0]}"


def test_nothing_asks_whether_it_is_an_image():
    found = _offences(_kinds, [*MODULES, *SCRIPTS], KINDS)
    assert not found, "\n".join([*found, "Ask `modality_of(space)`, flowzoo/modalities/modality.py."])


@pytest.mark.parametrize(
    "code",
    [
        *("space.modality != 'vector'", "kind == 'image'", "match kind:\n    case 'audio': pass", "x in ('images', y)"),
        *("getattr(space, 'modality')", "isinstance(kind, Images)", "issubclass(x, (A, registry.Audio))"),
        *("from flowzoo.modalities.image import grid", "from flowzoo.modalities import audio"),
        *("from flowzoo.modalities.registry import MODALITIES", "f = len(event_shape) == 3", "x.shape.rank in (4, 5)"),
        *(
            "if len(self.event_shape) != 3:\n    return",
            "if x.ndim == 4:\n    f()\nelse:\n    raise g",
            "a[-1] in (1, 3)",
        ),
        *("len(space.shape) > 2", "tf.rank(x) == 4", "match len(x.shape):\n    case 3: pass"),
    ],
)
def test_a_question_whether_it_is_an_image_would_be_found(code):
    assert list(_kinds(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["if len(shape) != 3:\n    raise ValueError", "len(shape) > 1", "modality_of(space).blends", "images = 3"]
)
def test_refusals_and_places_are_no_such_question(code):
    assert not list(_kinds(ast.parse(code)))
