"""`import flowzoo` is enough for `keras.models.load_model`, before or after Keras, and stays cheap."""

import pytest

from tests import cases


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "flow.keras"
    cases.flow("maf").save(path)
    return path


@pytest.mark.parametrize("first", ["conditioners", "bijectors", "core.limits"])
def test_any_module_may_be_the_first(first, saved, fresh_process):
    code = f"import sys, flowzoo.{first}, keras; print(type(keras.models.load_model(sys.argv[1])).__name__)"
    assert fresh_process(code, saved).split()[-1] == "MAF"


@pytest.mark.parametrize(
    "imports",
    [
        "import keras, flowzoo",
        "import flowzoo, tensorflow, keras",
        # who only looks for Keras does not use the hook up
        "import flowzoo, importlib.util; importlib.util.find_spec('keras'); import keras",
    ],
)
def test_load_model_finds_the_families(imports, saved, fresh_process):
    code = f"import sys; {imports}; print(type(keras.models.load_model(sys.argv[1])).__name__);"
    code += "assert not [f for f in sys.meta_path if type(f).__module__ == 'flowzoo.registration']"
    assert fresh_process(code, saved).split()[-1] == "MAF"


def test_the_import_takes_no_time(fresh_process):
    code = "import time; start = time.process_time(); import flowzoo; print(time.process_time() - start)"
    assert min(float(fresh_process(code)) for _ in range(3)) < 0.2
