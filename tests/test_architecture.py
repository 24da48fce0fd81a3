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
from tests.source import MODULES, ROOMS, SCRIPTS, offences, places, tree_of

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
DELEGATIONS = {("bijector", "interop"), ("distribution", "interop"), ("export", "serving.saved_model")}  # of `Flow`
PUBLIC = {name: home.removeprefix("flowzoo.") for name, home in (flowzoo._HOME | flowzoo._MODULES).items()}
FACES = {  # names for users, without a level, and all that they import
    "": {"registration", "core.random", *(PUBLIC[name] for name in flowzoo._HOME)},
    "__main__": {"cli.main"},
    "flows": {"families", "models.flow"},
    "registration": {"families"},
}
WHOLE = "flowzoo itself"


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
    reached = ((inside, _reached(node, parent, faces)) for inside, parent, node in places(tree))
    return [(inside, module) for inside, modules in reached for module in modules if module]


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
    return []


def _home(name):
    """The module of flowzoo that has a dotted name, "" for flowzoo's version."""
    parts = name.split(".")[1:]
    prefixes = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    found = next((prefix for prefix in prefixes if prefix in MODULES), None)
    return found or ("" if parts[0] == "__version__" else PUBLIC.get(parts[0], WHOLE))


def _of(module):
    """What a module imports, the delegations of `Flow` aside."""
    pairs = set(_imports(tree_of(module))) - (DELEGATIONS if module == "models.flow" else set())
    return {other for _, other in pairs}


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


def test_what_has_no_level_imports_only_what_it_is_for():
    assert {module: _of(module) for module in MODULES if module.split(".")[0] not in LEVEL} == FACES


def test_the_delegations_are_all_there_is():
    found = {pair for pair in _imports(tree_of("models.flow")) if pair[0]}
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
        ("sys.modules['flowzoo.zoo']", (None, "zoo")),
    ],
)
def test_a_wrong_import_would_be_found(code, found):
    assert found in _imports(ast.parse(code))


def test_the_version_is_no_import():
    assert not _imports(ast.parse("import flowzoo, json\nflowzoo.__version__\nfrom flowzoo import __version__"))


def test_an_exemption_pardons_one_thing_in_one_place_that_needs_it():
    def check(tree):
        return [(1, "a"), (2, "b")]

    assert not offences(check, ["core.space"], {"core.space": {"a"}, "core*": {"b"}})
    assert offences(check, ["core.space"], {"core": {"a"}, "core.space": {"b", "c"}}) == [
        *("core.space:1 has a", "core needs no exemption for a", "core.space needs no exemption for c")
    ]


LOADERS = {  # they import modules by name or path, or run code from text, so no statement shows what is imported
    *("import_module", "__import__", "load_module", "exec_module", "module_from_spec", "resolve_name"),
    *("run_module", "run_path", "exec", "eval"),
}
BY_NAME = {  # where they are used, and why
    "": {"import_module in __getattr__"},  # public names, when first used; its tables have them in full
    "serving": {"import_module in __getattr__"},  # likewise
    "training": {"import_module in __getattr__"},  # likewise
    "registration": {"exec_module in find_spec"},  # of the loaders that it wraps
}


def _loaded(tree):
    """(line, "loader in function") of each loader that code names, also in quotes or to rename it."""
    for inside, _, node in places(tree):
        words = {getattr(node, field, None) for field in ("id", "attr", "name", "value")}
        yield from ((node.lineno, f"{word} in {inside}" if inside else word) for word in words & LOADERS)


def test_imports_are_statements():
    assert not offences(_loaded, [*MODULES, *SCRIPTS], BY_NAME)


@pytest.mark.parametrize(
    "code",
    [
        *("importlib.import_module('flowzoo.' + name)", "import_module('.load', package)", "__import__('flowzoo.zoo')"),
        *("from importlib import import_module as load", "load = importlib.import_module", "eval('flowzoo.zoo')"),
        *("getattr(importlib, 'import_module')('benchmarks.apart')", "from builtins import __import__ as load"),
    ],
)
def test_an_import_by_name_would_be_found(code):
    assert list(_loaded(ast.parse(code)))


def _tops(tree):
    """The first parts of what is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def test_scripts_stand_above_flowzoo_and_alone():
    stems = {room: {Path(name).stem for name in SCRIPTS if name.startswith(f"{room}/")} for room in ROOMS}
    outside = {"tests", *ROOMS}.union(*stems.values())
    for module in [*MODULES, *SCRIPTS]:
        own = stems["benchmarks"] if module.startswith("benchmarks/") else set()
        own |= {"tests"} if module == "benchmarks/serving.py" else set()  # its server stands in for TensorFlow Serving
        assert not (found := set(_tops(tree_of(module))) & (outside - own)), f"{module} must not import {sorted(found)}"


@pytest.mark.parametrize("code", ["from tools import train", "import tests.cases", "from benchmarks.apart import run"])
def test_an_import_of_a_script_would_be_found(code):
    assert set(_tops(ast.parse(code))) & {"tests", *ROOMS}


def _private(tree):
    """(line, name) of each name with a leading underscore that code reads, but from itself, or has in quotes."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            names = [node.attr]
        elif isinstance(node, ast.alias | ast.ImportFrom):
            names = (node.name if isinstance(node, ast.alias) else node.module).split(".")
        elif isinstance(node, ast.Constant) and re.fullmatch(r"[\w.]+", str(node.value)):
            names = str(node.value).split(".")
        yield from ((node.lineno, name) for name in names if name.startswith("_") and not name.endswith("__"))


def test_scripts_use_public_names_only():
    assert not offences(_private, SCRIPTS, {})


@pytest.mark.parametrize(
    "code",
    [
        *("from flowzoo.core import _x", "import flowzoo._core.random as r", "from flowzoo._core import random"),
        *("flowzoo.create('maf')._built", "getattr(flow, '_built')", "operator.attrgetter('raw._noise')"),
    ],
)
def test_a_private_name_in_a_script_would_be_found(code):
    assert list(_private(ast.parse(code))) and not list(_private(ast.parse("self._x, cls._y, a.__name__")))


SEARCHES = {  # methods and functions that look for something in a text
    *("startswith", "endswith", "removeprefix", "removesuffix", "find", "index", "count", "split", "partition"),
    *("match", "fullmatch", "search", "fnmatch", "fnmatchcase"),
}


def _named(tree, names, classes):
    """The families that code names, by keys of `FAMILIES` in quotes, classes or modules; docstrings aside.

    In a comparison or a search, a key also counts within a longer text, and so does its part before the first dash.
    """
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    heads = names | {name.partition("-")[0] for name in names} - {"flow"}  # which stands for any model
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue) or (
            isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in SEARCHES
        ):
            text = " ".join(str(part.value).lower() for part in ast.walk(node) if isinstance(part, ast.Constant))
            yield from (head for head in heads if re.search(f"(?<![a-z]){head}(?![a-z])", text))
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
    tree = tree_of("families")
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
    return [node.name for node in tree_of(module).body if isinstance(node, ast.ClassDef)]


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
        *("name.startswith('nsf')", "'nsf' in name", "name.split('-')[0] in ('x', 'nsf')", "re.match('nsf.*', name)"),
        *("match name[:3]:\n    case 'nsf': pass", "name.startswith(('x', 'nsf_'))", "fnmatch(name, 'nsf*')"),
        *("name.startswith('flow-matching-')", "'Nsf' in title"),
    ],
)
def test_a_family_named_in_another_way_would_be_found(code):
    assert list(_named(ast.parse(code), {"nsf-ar", "flow-matching"}, {"NSF"}))
    assert not list(_named(ast.parse("name.startswith('flow')"), {"flow-matching"}, set()))


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
    names = _numbers()
    assert {"log_likelihood", "kl_divergence", "reconstruction_error", "nats", "evaluations"} <= names
    modules = [module for module in MODULES if not f"{module}.".startswith("measure.")]
    modules += [name for name in SCRIPTS if name.startswith("tools/")]
    found = offences(lambda tree: _measured(tree, names), modules, NUMBERS)
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
    docstring = ast.parse('"""kl_divergence"""')
    assert list(_measured(ast.parse(code), _numbers())) and not list(_measured(docstring, _numbers()))


SPACES = {"bits", "classes", "condition_features"}  # of which a Space is made
MADE = {  # what a module may read of them, and why; `self.bits` is an argument of its own
    "families*": {"bits", "self.bits"},  # an option of each family, of which it makes the Spaces
    "families.family": {"classes", "condition_features"},  # the two options that every family takes
    "families.options": {"self.classes", "self.condition_features"},  # likewise
    "families.simpler": {"classes", "condition_features"},  # likewise
    "testing": {"classes", "condition_features"},  # likewise
    "data.specs": {"bits", "self.bits", "self.classes"},  # makes the Spaces of a data set
    "record.preset": {"bits"},  # for `depth`, by which all others ask
    "surjections.dequantize": {"self.bits"},  # makes the Space of x
    "surjections.stochastic": {"bits", "self.bits", "condition_features", "self.condition_features"},  # likewise
    "bases.conditional": {"self.classes", "self.condition_features"},  # the size that it was built with
    "conditioners.convnet": {"self.classes"},  # likewise
    "conditioners.conditioner": {"self.condition_features"},  # likewise
    "conditioners.masked": {"self.condition_features"},  # likewise
    "conditioners.velocity": {"self.condition_features"},  # likewise
    "conditioners.wavenet": {"self.condition_features"},  # likewise
}


def _asked(tree):
    """(line, name) where code asks a flow, a data set or itself for what its spaces say.

    Names in quotes count, but for keys of what is written and for arguments that a check names in its message.
    """
    skipped = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = {arg.id for arg in node.args if isinstance(arg, ast.Name)}
            skipped |= {id(arg) for arg in node.args if isinstance(arg, ast.Constant) and arg.value in given}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in SPACES and isinstance(node.ctx, ast.Load):
            yield node.lineno, f"self.{node.attr}" if ast.unparse(node.value) == "self" else node.attr
        if isinstance(node, ast.Constant) and node.value in SPACES and id(node) not in skipped:
            yield node.lineno, node.value


def test_spaces_are_asked_for_shapes_values_and_conditions():
    found = offences(_asked, [*MODULES, *SCRIPTS], MADE)
    assert not found, "\n".join([*found, "Ask `flow.x_space` or `flow.condition`."])


@pytest.mark.parametrize(
    "code",
    [
        *("flow.bits", "flow.classes > 0", "preset.dataset['bits']", "getattr(flow, 'bits')", "config.get('classes')"),
        *("'bits' in config", "operator.attrgetter('condition_features')", "match x:\n    case {'bits': n}: pass"),
    ],
)
def test_a_question_past_a_space_would_be_found(code):
    assert {what for _, what in _asked(ast.parse(code))} & SPACES


def test_an_argument_of_ones_own_is_no_question():
    assert not list(_asked(ast.parse("check_count(bits, 'bits'), {'bits': depth}")))
    assert list(_asked(ast.parse("self.classes"))) == [(1, "self.classes")]  # only where `MADE` has it


KINDS = {  # what a module outside `modalities` may ask, and why
    # says which kind a value is of, and how networks get integers: with channels as numbers, else one-hot
    "core.space": {"self.modality", "space.modality", "'modality'", "len(self.shape) < 3"},
    "data.computed_conditions": {"space.modality", "from flowzoo.modalities import audio"},  # computes spectrograms
    "data.fsdd": {"from flowzoo.modalities.audio import decode_audio"},  # reads recordings
    "data.pipeline": {"len(event_shape) == 3"},  # mirrors images, and vectors that are patches of images
    "measure.judge": {"from flowzoo.modalities import audio"},  # classifies spoken digits by their spectrograms
    "conditioners.condition": {"h.shape.rank == 4"},  # TensorFlow resizes a condition over two axes only
    "families.steps": {"len(split.event_shape) == 3"},  # convolutions where the event has sides, as Glow's paper does
    "families.options": {"field.metadata.get('only') != 'images'"},  # does not propose options for images only
    "serving.images": {"channels == 3"},  # decodes PNG and JPEG, in gray or colour
}


def _kinds(tree):
    """(line, question) where code asks what kind of data it has, instead of asking the modality for what differs.

    That is the name of a kind, a module or class of one kind, how many axes there are, three of one example and four of
    a batch, or whether there are three channels, unless it only refuses other shapes. Whether there are places at all,
    anyone may ask.
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
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported = [f"{getattr(node, 'module', '')}.{alias.name}".lstrip(".") for alias in node.names]
            inside = [name.split(".")[2:] for name in imported if name.startswith("flowzoo.modalities.")]
            wrong = any(path[0] not in ("registry", "modality") or classes & {*path} for path in inside)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            wrong = bool(classes & set(re.findall(r"\w+", ast.unparse(node.args[1]))))
        elif tested and names & values:
            wrong = True
        elif isinstance(node, ast.Compare) and id(node) not in refusals:
            left = ast.unparse(node.left)
            more = left.startswith("len(") and isinstance(node.ops[0], ast.Gt) and 2 in values
            sides = [node.left, *node.comparators]
            wrong = any(_axes(side) and ({3, 4} & values or more) for side in sides) or _of_channels(node.ops, sides)
        elif isinstance(node, ast.Match):
            lengths = {len(part.patterns) for part in parts if isinstance(part, ast.MatchSequence)}
            wrong = {3, 4} & (lengths if ast.unparse(node.subject).endswith("shape") else values)
            wrong = wrong and re.search("shape|rank|ndim", ast.unparse(node.subject))
        if wrong:
            yield node.lineno, ast.unparse(node).splitlines()[0]


def _axes(node):
    return re.search(r"^len\(.*shape|rank$|rank\(|ndim", ast.unparse(node))


def _of_channels(ops, sides):
    """Whether a comparison asks if anything is one or three, or if the channels, or the last axis, are three."""
    literals = [side for side in sides if isinstance(side, ast.Constant | ast.Tuple | ast.List | ast.Set)]
    numbers = {part.value for side in literals for part in ast.walk(side) if isinstance(part, ast.Constant)}
    equal = all(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in ops)
    last = any(re.search(r"\[(-1:?|2|3)\]\)?$|channels$", ast.unparse(side)) for side in sides)
    return equal and 3 in numbers and (last or 1 in numbers)


def test_nothing_asks_whether_it_is_an_image():
    modules = [module for module in MODULES if not f"{module}.".startswith("modalities.")]
    found = offences(_kinds, [*modules, *SCRIPTS], KINDS)
    assert not found, "\n".join([*found, "Ask `modality_of(space)`, flowzoo/modalities/modality.py."])


@pytest.mark.parametrize(
    "code",
    [
        *("space.modality != 'vector'", "kind == 'image'", "match kind:\n    case 'audio': pass", "x in ('images', y)"),
        *("getattr(space, 'modality')", "isinstance(kind, Images)", "issubclass(x, (A, registry.Audio))"),
        *("from flowzoo.modalities.image import grid", "from flowzoo.modalities import audio"),
        *("import flowzoo.modalities.image", "import flowzoo.modalities.audio as a"),
        *("from flowzoo.modalities.registry import MODALITIES", "f = len(event_shape) == 3", "x.shape.rank in (4, 5)"),
        *("if len(self.event_shape) != 3:\n    return", "if x.ndim == 4:\n    f()\nelse:\n    raise g", "a in (1, 3)"),
        *("len(space.shape) > 2", "tf.rank(x) == 4", "match len(x.shape):\n    case 3: pass"),
        *("s[-1] == 3", "x = 3 != s[-1]", "s[-1] in {3, 1}", "tuple(s[-1:]) == (3,)", "channels == 3", "s[-1] in [3]"),
        *("3 == len(x.shape)", "match shape:\n    case (_, _, 3): pass", "match x.shape:\n    case [h, w, c]: pass"),
    ],
)
def test_a_question_whether_it_is_an_image_would_be_found(code):
    assert list(_kinds(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["if len(shape) != 3:\n    raise ValueError", "len(shape) > 1", "modality_of(space).blends", "images = 3"]
)
def test_refusals_and_places_are_no_such_question(code):
    assert not list(_kinds(ast.parse(code)))
