"""What receivers that publish no JSON schema take, restated as schemas in our own words, stricter.

github-action-benchmark: the type ``BenchmarkResult`` that ``customSmallerIsBetter`` is parsed as
(github.com/benchmark-action/github-action-benchmark, src/extract.ts). ML.ENERGY: the keys of
public/data/tasks (github.com/ml-energy/leaderboard). AI Energy Score: its unit, Wh of the GPU per
1 000 queries. A field that a receiver does not know is an error here, but for the two that say
where a number comes from.
"""

from typing import Any

from boamps_schema import NUMBER, TEXT, several, thing, word

POSITIVE = {"type": "number", "exclusiveMinimum": 0}
COUNT = {"type": "integer", "minimum": 1}
ENDS = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
NAME = {"type": "string", "minLength": 1}
READING = word("measured", "sampled", "external")

GITHUB_ACTION_BENCHMARK = several(
    thing(
        "name unit value",
        name=NAME,
        unit=word("mJ"),
        value={"type": "number", "minimum": 0},
        range=TEXT,
        extra=TEXT,
    )
)
_SHARED: dict[str, Any] = {
    "task": NAME, "model_id": NAME, "nickname": NAME, "gpu_model": NAME, "num_gpus": COUNT,
    "total_params_billions": POSITIVE, "weight_precision": NAME, "batch_size": COUNT,
    "avg_power_watts": POSITIVE, "batch_latency_s": POSITIVE,
    "joules": thing(
        "case kind boundary ci95_j windows includes_idle",
        case=NAME, kind=READING, boundary=NAME, ci95_j=ENDS, windows=COUNT,
        includes_idle={"type": "boolean"},
    ),
}  # fmt: skip
_REQUIRED = "task model_id nickname gpu_model num_gpus batch_size avg_power_watts joules"


def _of(energy: str, speed: str) -> dict[str, Any]:
    return thing(f"{_REQUIRED} {energy}", **_SHARED, **{energy: POSITIVE, speed: POSITIVE})


MLENERGY = thing(
    "configurations",
    configurations=several(
        {
            "oneOf": [
                _of("energy_per_token_joules", "output_throughput_tokens_per_sec"),
                _of("energy_per_request_joules", "request_throughput_req_per_sec"),
                _of("energy_per_image_joules", "throughput_images_per_sec"),
            ]
        }
    ),
)
AI_ENERGY_SCORE = several(
    thing(
        "task model gpu batch_size query gpu_energy_wh_per_1000_queries kind boundary note",
        task=NAME,
        model=NAME,
        gpu=NAME,
        batch_size=COUNT,
        query=NAME,
        gpu_energy_wh_per_1000_queries=POSITIVE,
        ci95_wh_per_1000_queries=ENDS,
        kind=READING,
        boundary=NAME,
        note=NAME,
    )
)
