"""The demo's model: a scikit-learn LogisticRegression, exported as what the local fleet's model server reads."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

FILE = "model.json"
VERSION = "1"


@dataclass(frozen=True)
class Trained:
    """A trained model, and what scikit-learn itself says of some rows."""

    artifact: bytes
    classes: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    expected: tuple[tuple[float, ...], ...]
    """scikit-learn's predict_proba of the rows."""


def train() -> Trained:
    """Fit the model on the iris data set, which scikit-learn brings along."""
    # scikit-learn's types are no help to a strict checker: what is taken from it is turned into floats at once.
    datasets: Any = import_module("sklearn.datasets")
    linear_model: Any = import_module("sklearn.linear_model")
    data = datasets.load_iris()
    fitted = linear_model.LogisticRegression(max_iter=1000).fit(data.data, data.target)
    # One of each species.
    rows = data.data[[0, 50, 100]]
    classes = tuple(str(name) for name in data.target_names)
    document: dict[str, Any] = {
        "version": VERSION,
        "classes": list(classes),
        "coef": fitted.coef_.tolist(),
        "bias": fitted.intercept_.tolist(),
    }
    artifact = json.dumps(document).encode()
    return Trained(artifact, classes, _floats(rows.tolist()), _floats(fitted.predict_proba(rows).tolist()))


def request(rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A request of the Open Inference Protocol (v2) for these rows."""
    flat = [value for row in rows for value in row]
    tensor = {"name": "input", "datatype": "FP64", "shape": [len(rows), len(rows[0])], "data": flat}
    return {"inputs": [tensor]}


def probabilities(answer: Any) -> tuple[tuple[float, ...], ...]:
    """The rows of probabilities in a v2 answer. ValueError if it has none."""
    try:
        outputs = {output["name"]: output for output in answer["outputs"]}
        count, width = outputs["proba"]["shape"]
        flat = [float(value) for value in outputs["proba"]["data"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no output `proba` in the answer: {json.dumps(answer)[:300]}") from error
    # A comparison with NaN is never true, so no difference from it would count.
    if not all(map(math.isfinite, flat)):
        raise ValueError(f"not all of `proba` are numbers: {flat[:10]}")
    if len(flat) != count * width:
        raise ValueError(f"{len(flat)} probabilities for shape {count} x {width}")
    return tuple(tuple(flat[row * width : (row + 1) * width]) for row in range(count))


def largest_difference(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> float:
    """The largest absolute difference between two tables. ValueError if they are not of one shape, or empty."""
    if not one or [len(row) for row in one] != [len(row) for row in other]:
        raise ValueError(f"{len(one)} rows of probabilities, and {len(other)} expected")
    return max(abs(a - b) for mine, its in zip(one, other, strict=True) for a, b in zip(mine, its, strict=True))


def _floats(table: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in table)
