"""MATLAB files, held against those that SciPy writes."""

import io

import numpy as np
import pytest
from scipy.io import savemat

from tfkd.data.sources.matlab import read_struct

ROWS = [(n, f"n{n:08d}", "ein Wort, größer", 0.5, np.arange(n)) for n in range(1, 300)]
FIELDS = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("x", "f8"), ("children", "O")]


def written(kind=np.int64, **options):
    rows = [(kind(row[0]), *row[1:]) for row in ROWS]
    file = io.BytesIO()
    variables = {"other": np.eye(3), "synsets": np.array(rows, dtype=FIELDS)[:, None]}
    savemat(file, variables, **options)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.float64])
def test_what_scipy_writes_is_read(compressed, kind):
    kind = np.uint16 if kind is np.uint8 else kind
    content = written(kind, do_compression=compressed)
    assert read_struct(content, "synsets", ("WNID", "ILSVRC2012_ID")) == [
        (row[1], row[0]) for row in ROWS
    ]


@pytest.mark.parametrize(
    ("content", "name", "fields"),
    [
        (b"", "synsets", ("WNID",)),
        (written()[:5000], "synsets", ("WNID",)),
        (written(do_compression=True)[:5000], "synsets", ("WNID",)),
        (written(), "others", ("WNID",)),
        (written(), "synsets", ("WNID", "nothing")),
    ],
)
def test_anything_else_is_refused(content, name, fields):
    with pytest.raises(ValueError, match="Expected"):
        read_struct(content, name, fields)
