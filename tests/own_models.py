"""Models and programs of a user's own, made on the spot: an ONNX file, a module, a C program."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

CC = shutil.which("cc") or ""

BUSY = """#include <stdlib.h>
int main(int c, char **v) { volatile double s = 0;
    for (long i = 0; i < atol(v[1]) * 1000; i++) s += i; return 0; }
"""

FACTORIES = """
import time

import torch


def wide():
    torch.manual_seed(0)
    return torch.nn.Linear(64, 512), torch.rand(4, 64)


def narrow():
    torch.manual_seed(0)
    return torch.nn.Linear(64, 8)


def same():
    return wide()[0]


def wrong():
    return torch.nn.Linear(3, 8)


def plain():
    return lambda: sum(range(2000))


def quick():
    return lambda: sum(range(200))


def fails():
    raise RuntimeError("no such checkpoint")


def nothing():
    return None
"""

TRACE = {
    "description": "a package at constant power",
    "channels": [
        {
            "id": "cpu/0/package",
            "domain": "package",
            "kind": "measured",
            "boundary": "cpu-package",
            "resolution_j": 1e-4,
            "update_interval_s": 0.001,
            "wrap_j": None,
            "start_j": 0.0,
            "power": [[0, 40.0]],
        }
    ],
}


def write_trace(folder: Path) -> str:
    """A recorded machine at 40 W, as an argument of ``--meters``."""
    path = folder / "trace.json"
    path.write_text(json.dumps(TRACE))
    return f"replay:{path}"


def write_onnx(path: Path, hidden: int, *, batch: int | str = "batch", seed: int = 0) -> Path:
    """Two dense layers over 16 features, 4 answers; the same *seed* gives the same weights."""
    from onnx import TensorProto, helper, numpy_helper, save

    source = np.random.default_rng(seed)

    def weight(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(source.standard_normal(shape).astype(np.float32), name)

    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w1"], ["h"]),
            helper.make_node("Relu", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "w2"], ["y"]),
        ],
        "two-layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4])],
        [weight("w1", 16, hidden), weight("w2", hidden, 4)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    save(model, path)
    return path


def compile_c(folder: Path, source: str = BUSY, name: str = "busy") -> Path:
    """A C program, compiled."""
    text = folder / f"{name}.c"
    text.write_text(source)
    subprocess.run([CC, "-O1", "-o", folder / name, text], check=True)
    return folder / name
