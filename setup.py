"""Packaging of flowzoo: the library, its presets, and the trained weights that lie in `checkpoints/`.

A clone has all of them; `tools/release.py` builds from a copy that has the small ones.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithWeights(build_py):
    """Copies `checkpoints/*` into what is built; an editable install reads those of the checkout."""

    def run(self) -> None:
        if getattr(self, "editable_mode", False):
            super().run()
            return
        shutil.rmtree(Path(self.build_lib, "flowzoo"), ignore_errors=True)  # what a former build left
        super().run()
        target = Path(self.build_lib, "flowzoo", "zoo", "checkpoints")
        for folder in sorted((ROOT / "checkpoints").glob("*/")):
            shutil.copytree(folder, target / folder.name, ignore=shutil.ignore_patterns(".*"))


VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "flowzoo" / "__init__.py").read_text(), re.MULTILINE).group(1)
README = ROOT / "README.md"

setup(
    name="flowzoo",
    version=VERSION,
    description="Normalizing flows for TensorFlow and Keras, with trained weights.",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["flowzoo", "flowzoo.*"]),
    package_data={
        "flowzoo": ["zoo/presets/*.json", "hub/hubs.txt", "data/fixtures/*", "measure/judges/*.npz", "py.typed"],
        "flowzoo.cards": ["templates/*.jinja"],
    },
    cmdclass={"build_py": BuildWithWeights},
    entry_points={"console_scripts": ["flowzoo=flowzoo.cli.main:main"]},
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "keras>=3.15,<3.16",
        "tensorflow-probability[tf]>=0.25,<0.26",
        "tf-keras>=2.21,<2.22",
        "setuptools>=65,<85",  # tensorflow-probability 0.25 imports distutils, which Python 3.12 has from it only
        "tensorflow-datasets>=4.9.10,<4.10",
        "importlib_resources>=6,<8",  # tensorflow-datasets 4.9.10 imports it and does not declare it
        "numpy>=2,<3",
        "absl-py>=2.1,<3",
        "h5py>=3.11,<4",
        "pillow>=10,<14",
        "matplotlib>=3.8,<4",
        "tensorboard>=2.20,<2.22",  # tf.summary writes with it, and tensorflow does not bring it
        "requests>=2.32,<3",
        "urllib3>=2.6.3,<3",  # retry_after_max
        "msgspec>=0.22,<0.23",  # 0.21 fails, in C, on an integer too large for a float
        "packaging>=24,<27",
        "filelock>=4,<5",
        "platformdirs>=4.2,<5",
        "tqdm>=4.66,<5",
    ],
    extras_require={
        "hub": ["fsspec>=2025.3,<2027"],  # gs://, s3:// and hf:// need gcsfs, s3fs and huggingface_hub besides
        "tables": ["pyarrow>=17,<27"],  # Parquet; tensorflow-datasets 4.9.10 brings it, later ones may not
        "serving": ["tensorflow-serving-api>=2.19,<2.22", "grpcio>=1.74,<2"],
        "onnx": ["tf2onnx>=1.17,<1.18", "onnxruntime>=1.23,<2", "ai-edge-litert>=2.1,<3"],
        "audio": ["soundfile>=0.12.1,<0.15"],  # reads and writes WAV and FLAC
        "beam": ["apache-beam>=2.69,<3", "google-crc32c>=1.6,<2", "pyarrow>=17,<27"],  # crc32c: of TFRecords
        "bench": [
            "flowjax>=19,<20",
            "normflows>=1.7.3,<1.8",
            "optax>=0.2,<0.3",
            "torchdiffeq>=0.2.5,<0.3",
            "zuko>=1.6,<2",
        ],
        "offload": ["jax>=0.10,<0.12"],  # 0.12 may move the private names that `training/offload/jobs.py` uses
        "docs": ["jinja2>=3.1,<4", "mkdocs>=1.6,<2", "mkdocs-material>=9.7,<10"],
        "test": [
            "hypothesis>=6.150,<7",
            "jinja2>=3.1,<4",  # the pages of cards, which `tools/make_cards.py` writes
            "librosa>=0.10,<0.12",  # what log-mel spectrograms are compared with
            "pandas>=2.2,<4",
            "pytest>=8,<10",
            "pytest-xdist>=3.8,<4",
            "ruff>=0.17,<0.18",
            "scipy>=1.13,<2",
            "setuptools>=77,<85",  # test_packaging.py and tools/release.py build with it, without a network
        ],
    },
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
