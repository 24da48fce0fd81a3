"""Checks of data: that they take no memory of the size of the data."""

import tracemalloc

import numpy as np
import pytest

from flowzoo.core.space import Space
from flowzoo.core.validation import check_array


def test_checks_of_large_arrays_need_little_memory():
    x = np.zeros((400_000, 20), "float32")  # 32 MB
    tracemalloc.start()
    checked = check_array(x, Space((20,), "float32"), squares=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert checked is x and peak < 10e6


@pytest.mark.parametrize("row", [0, 150_000, 399_999])
def test_a_bad_row_of_a_large_array_is_found(row):
    x = np.zeros((400_000, 20), "float32")
    x[row, 7] = np.nan
    with pytest.raises(ValueError, match=f"in 1 of 400000 rows, first in row {row}"):
        check_array(x, Space((20,), "float32"))
