"""``joulebench doctor``: what can be measured here, and how to make the rest work."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.exit_codes import EXIT_CANNOT_MEASURE
from bench.meter import MeterUnavailable
from bench.verbs._meters import add_meters, names

if TYPE_CHECKING:
    from bench.verbs import Verbs


def add(verbs: "Verbs") -> None:
    """Adds the verb."""
    doctor = verbs.add_parser(
        "doctor", help="what can be measured here, and how to make the rest work"
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    doctor.add_argument(
        "--probe",
        choices=["gpu"],
        help="load the first NVIDIA GPU for some minutes, and see whether its energy counter"
        " sees all of the time",
    )
    doctor.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write what the probe saw, as JSON"
    )
    add_meters(doctor, "gpu")
    doctor.set_defaults(verb=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from bench.doctor import diagnose
    from bench.instruments import open_instruments
    from bench.machine import fingerprint

    if options.probe:
        if options.meters or options.require:
            raise ValueError("--probe gpu stands alone: leave out --meters and --require")
        return _probe(options)
    if options.output:
        raise ValueError("-o writes what --probe saw; for the doctor's own words use --json > FILE")
    instruments = open_instruments(names(options))
    try:
        diagnosis = diagnose(fingerprint(), instruments)
        if options.json:
            print(json.dumps(diagnosis.as_json(), indent=1))
        else:
            print("\n".join(diagnosis.lines()))
    finally:
        instruments.close()
    if options.require == "gpu" and not diagnosis.gpu_measured:
        print("joulebench: no instrument of a GPU can be read here", file=sys.stderr)
        return EXIT_CANNOT_MEASURE
    if options.require and not diagnosis.measured:
        print("joulebench: no instrument can be read here", file=sys.stderr)
        return EXIT_CANNOT_MEASURE
    return 0


def _probe(options: argparse.Namespace) -> int:
    from bench.gpu_probe import probe_gpu

    try:
        import pynvml
    except ImportError as error:
        raise MeterUnavailable("pynvml is not installed", "pip install nvidia-ml-py") from error
    if options.output:
        options.output.touch()  # what cannot be written is said before the probe runs
    found = probe_gpu(pynvml, 0)
    if options.output:
        found.write(options.output)
    if options.json:
        print(json.dumps(found.as_json(), indent=1))
    else:
        print("\n".join(found.lines()))
    return 0
