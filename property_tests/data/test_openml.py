"""OpenML: names, what scikit-learn makes of its answers, and what is refused, without a network."""

import hashlib
import io
import json
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
from sklearn.datasets import _openml as client

from ntval.data import openml, sets
from ntval.errors import DataError
from ntval.regimes import RealData
from ntval.subjects.labelled import labelled_pool

KINDS = {"NUMERIC": "numeric", "STRING": "string"}


class Answer(io.BytesIO):
    """What urlopen gives."""

    def info(self):
        return {}


def published(columns, rows):
    """OpenML's answers for one data set, by the ends of their addresses; the last column is its
    target."""
    lines = [f"@ATTRIBUTE {name} {kind}" for name, kind in columns.items()]
    arff = "\n".join(["@RELATION small", *lines, "@DATA", *rows]).encode()
    features = [
        {
            "index": str(place),
            "name": name,
            "data_type": KINDS.get(kind, "nominal"),
            "is_target": str(place == len(columns) - 1 and name != "no_target").lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": str(sum(row.split(",")[place] == "?" for row in rows)),
        }
        for place, (name, kind) in enumerate(columns.items())
    ]
    described = {
        "id": "7",
        "name": "small",
        "version": "1",
        "status": "active",
        "format": "ARFF",
        "description": "",
        "url": "https://www.openml.org/data/v1/download/1/small.arff",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    listed = [{"did": 7, "name": "small", "version": 1, "status": "active"}]
    counted = [{"name": "NumberOfInstances", "value": float(len(rows))}]
    answers = {
        "small/limit/2/status/active/": {"data": {"dataset": listed}},
        "small/limit/2/data_version/1": {"data": {"dataset": listed}},
        "json/data/7": {"data_set_description": described},
        "json/data/features/7": {"data_features": {"feature": features}},
        "json/data/qualities/7": {"data_qualities": {"quality": counted}},
    }
    return {end: json.dumps(answer).encode() for end, answer in answers.items()} | {
        "small.arff": arff
    }


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """Function that puts one data set in OpenML's place, and a list of the addresses asked for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def serving(columns, rows):
        answers, asked = published(columns, rows), []

        def urlopen(request, *_, **__):
            url = request.full_url
            asked.append(url)
            found = [answer for end, answer in answers.items() if url.endswith(end)]
            if not found:
                raise HTTPError(url, 412, "Precondition Failed", {}, None)
            return Answer(found[0])

        monkeypatch.setattr(client, "urlopen", urlopen)
        return asked

    return serving


NUMBERS = {"a": "NUMERIC", "b": "NUMERIC", "class": "{zero,one}"}
ROWS = ["1,0.5,zero", "2,0.25,one", "3,-1,one", "4,8,zero"]


@pytest.mark.parametrize("name", ["openml:small", "openml:Small:1", "openml:7"])
def test_a_data_set_is_its_columns_of_numbers_and_its_classes(publish, name):
    publish(NUMBERS, ROWS)
    found = sets.load(name)
    assert found.name == name
    assert found.whole
    rows = sorted(zip(found.x.tolist(), found.y.tolist(), strict=True))
    assert rows == [([1, 0.5], 1), ([2, 0.25], 0), ([3, -1], 0), ([4, 8], 1)]  # "one" < "zero"


def test_a_numeric_target_stays_numbers(publish):
    publish({"a": "NUMERIC", "y": "NUMERIC"}, ["1,3", "2,4"])
    found = sets.load("openml:small")
    assert not found.whole
    assert sorted(found.y.tolist()) == [3, 4]


def test_without_a_target_there_are_no_labels(publish):
    publish({"a": "NUMERIC", "no_target": "NUMERIC"}, ["1,3", "2,4"])
    assert sets.load("openml:7").y is None


def test_rows_come_in_one_random_order(publish):
    publish({"a": "NUMERIC", "y": "NUMERIC"}, [f"{i},{i}" for i in range(50)])
    first = sets.load("openml:small")
    assert (first.x[:, 0] == first.y).all()
    assert first.x[:, 0].tolist() != sorted(first.x[:, 0])
    assert np.array_equal(sets.load("openml:7").x, first.x)


def test_a_data_set_is_fetched_once_and_made_anew_where_the_copy_is_damaged(publish, tmp_path):
    asked = publish(NUMBERS, ROWS)
    first = sets.load("openml:small")
    times = len(asked)
    assert np.array_equal(sets.load("openml:small").x, first.x)
    assert len(asked) == times > 0
    kept = tmp_path / "ntval" / "openml" / "small.npz"
    kept.write_bytes(kept.read_bytes()[:40])
    assert np.array_equal(sets.load("openml:small").x, first.x)
    assert not list(tmp_path.rglob("*.partial"))
    assert not list(tmp_path.rglob("*.pkl"))


def test_a_data_set_that_cannot_be_kept_is_still_read(publish, monkeypatch):
    publish(NUMBERS, ROWS)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openml.np, "savez_compressed", full)
    assert len(sets.load("openml:small").x) == 4


def test_a_data_set_serves_a_claim_s_point(publish):
    rows = [f"{i},{(7 * i) % 31},{('zero', 'one')[i % 2]}" for i in range(31)]
    publish(NUMBERS, rows)
    pool = labelled_pool(RealData("openml:small", n=20, n_test=10))
    assert pool.gram.shape == (31, 31)
    assert sorted(set(pool.labels.ravel())) == [-0.5, 0.5]


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        (
            {"color": "{red,blue}", "b": "NUMERIC", "y": "NUMERIC"},
            ["red,1,2", "blue,2,3"],
            "columns of numbers, got the categorical column 'color', one of 1, in 'openml:small'",
        ),
        (
            {"a": "NUMERIC", "b": "NUMERIC", "y": "NUMERIC"},
            ["1,?,2", "2,2,3"],
            "a number in every row, got none in some rows of the column 'b', one of 1",
        ),
        (
            {"a": "STRING", "y": "NUMERIC"},
            ["x,2", "y,3"],
            "of numbers alone, got 'openml:small' .*STRING attributes are not supported",
        ),
    ],
)
def test_columns_that_are_no_numbers_are_refused_with_a_way_out(publish, columns, rows, message):
    publish(columns, rows)
    with pytest.raises(DataError, match=message) as refused:
        sets.load("openml:small")
    assert "\n" not in str(refused.value)
    assert "npz file with x and y" in str(refused.value)


def test_rows_that_coincide_are_left_out_unless_they_may_be_repeated(publish):
    publish(NUMBERS, [*ROWS, ROWS[0]])
    assert len(sets.load("openml:small").x) == 4
    assert len(sets.load("openml:small", repeated=True).x) == 5


@pytest.mark.parametrize(
    "name", ["openml:", "openml::1", "openml:small:x", "openml:small:1:2", "openml:7:"]
)
def test_what_is_no_name_is_refused(publish, name):
    asked = publish(NUMBERS, ROWS)
    with pytest.raises(DataError, match=f"openml:NAME:VERSION or openml:NUMBER, got '{name}'"):
        sets.load(name)
    assert not asked


def test_a_name_that_openml_does_not_have_is_refused(publish):
    publish(NUMBERS, ROWS)
    with pytest.raises(DataError, match=r"OpenML has.* got 'openml:smal' \(No active dataset smal"):
        sets.load("openml:smal")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (URLError(OSError(-2, "Name or service not known")), "got none .*Name or service not"),
        (TimeoutError(), r"got none \(TimeoutError\)"),
        (ConnectionResetError("reset"), r"got none \(reset\)"),
        (PermissionError(13, "Permission denied"), "needs a folder to keep .*Permission denied"),
        (ValueError("md5 checksum of local file\nand more"), r"\(md5 checksum of local file\)"),
    ],
)
def test_no_network_is_one_line(publish, monkeypatch, error, message):
    publish(NUMBERS, ROWS)

    def fails(**_):
        raise error

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fails)
    with pytest.raises(DataError, match=message) as refused:
        sets.load("openml:mnist_784")
    assert "\n" not in str(refused.value)


def test_sparse_columns_are_refused():
    found = client.Bunch(data=[[1.0]], target=None, categories={}, feature_names=["a"])
    with pytest.raises(DataError, match="dense columns"):
        openml._table("openml:small", found)
