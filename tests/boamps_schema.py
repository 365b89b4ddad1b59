"""What a BoAmps report may hold, as its schemas say it, in our own words and stricter.

Fields, types, words and what is required are those of github.com/Boavizta/BoAmps, ``model/``
(format 0.1, CC BY 4.0, read 2026-11-26); a field that they do not know is an error here.
"""

from typing import Any

TEXT, NUMBER = {"type": "string"}, {"type": "number"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}


def thing(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with these fields, some of them required."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def several(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": item}


def word(*words: str) -> dict[str, Any]:
    return {"enum": list(words)}


ALGORITHM = thing(
    trainingType=TEXT, algorithmType=TEXT, algorithmName=TEXT, algorithmUri=TEXT,
    foundationModelName=TEXT, foundationModelUri=TEXT, parametersNumber=NUMBER, framework=TEXT,
    frameworkVersion=TEXT, classPath=TEXT, layersNumber=NUMBER, epochsNumber=NUMBER,
    optimizer=TEXT, quantization=TEXT,
)  # fmt: skip
DATASET = thing(
    "dataUsage dataType",
    dataUsage=word("input", "output"),
    dataType=word(
        "tabular", "audio", "boolean", "image", "video", "object", "text", "token", "word", "other"
    ),
    dataSize=NUMBER, dataQuantity=NUMBER, shape=TEXT, source=word("public", "private", "other"),
    sourceUri=TEXT, owner=TEXT,
)  # fmt: skip
MEASURE = thing(
    "measurementMethod powerConsumption",
    measurementMethod=TEXT, manufacturer=TEXT, version=TEXT, cpuTrackingMode=TEXT,
    gpuTrackingMode=TEXT, averageUtilizationCpu=SHARE, averageUtilizationGpu=SHARE,
    powerCalibrationMeasurement=NUMBER, durationCalibrationMeasurement=NUMBER,
    powerConsumption=NUMBER, measurementDuration=NUMBER, measurementDateTime=MOMENT,
)  # fmt: skip
HARDWARE = thing(
    "componentType nbComponent",
    componentName=TEXT, componentType=TEXT, nbComponent={"type": "integer"},
    memorySize={"type": "integer"}, manufacturer=TEXT, family=TEXT, series=TEXT, share=SHARE,
)  # fmt: skip
BOAMPS = thing(
    "task measures infrastructure",
    header=thing(
        "reportDatetime",
        licensing=TEXT, formatVersion=TEXT, formatVersionSpecificationUri=TEXT, reportId=TEXT,
        reportDatetime=MOMENT, reportStatus=word("draft", "final", "corrective", "other"),
    ),
    task=thing(
        "taskStage taskFamily algorithms dataset",
        taskStage=TEXT, taskFamily=TEXT, nbRequest=NUMBER, algorithms=several(ALGORITHM),
        dataset=several(DATASET), measuredAccuracy=SHARE, taskDescription=TEXT,
        estimatedAccuracy=word("veryPoor", "poor", "average", "good", "veryGood"),
    ),
    measures=several(MEASURE),
    system=thing("os", os=TEXT, distribution=TEXT, distributionVersion=TEXT),
    software=thing("language", language=TEXT, version=TEXT),
    infrastructure=thing(
        "infraType components",
        infraType=word("publicCloud", "privateCloud", "onPremise", "other"),
        cloudProvider=TEXT, cloudInstance=TEXT, cloudService=TEXT, components=several(HARDWARE),
    ),
    quality=word("high", "medium", "low"),
)  # fmt: skip
