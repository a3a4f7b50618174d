"""The InferenceService in KServe's own models, so that a field KServe does not know fails here and not on a member."""

from functools import cache
from typing import Any

from domicile.importing import without_its_init
from domicile.serving.workload import Manifest


def load() -> None:
    """Import KServe's models now, where somebody has the time: else it is done when the first workload is built."""
    _models()


def model_spec(**fields: Any) -> Any:
    """A V1beta1ModelSpec."""
    # KServe's default for name is "", which its webhook writes by itself.
    return _models().V1beta1ModelSpec(name=None, **fields)


def predictor_spec(**fields: Any) -> Any:
    """A V1beta1PredictorSpec."""
    return _models().V1beta1PredictorSpec(**fields)


def inference_service(metadata: dict[str, Any], predictor: Any) -> Manifest:
    """The manifest of an InferenceService."""
    models = _models()
    return _plain(
        models.V1beta1InferenceService(
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            metadata=metadata,
            spec=models.V1beta1InferenceServiceSpec(predictor=predictor),
        )
    )


@cache
def _models() -> Any:
    """The models alone: kserve as a whole is a server, and takes ten times as long and 100 MB more to import. Never at the import
    of this module."""
    with without_its_init("kserve"):
        from kserve import models  # pyright: ignore[reportMissingTypeStubs]

    return models


def _plain(value: Any) -> Any:
    """A model and what it holds as JSON values, without what is unset."""
    if not hasattr(value, "attribute_map"):
        return value
    fields = ((key, getattr(value, field)) for field, key in value.attribute_map.items())
    return {key: _plain(content) for key, content in fields if content is not None}
