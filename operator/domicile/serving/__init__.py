"""Serving, pure: a model on a cluster as an InferenceService and its companions, and their health read back."""

from domicile.serving.drift import Stray, differs, drift, strays, word_by_word
from domicile.serving.granting import entry_in, granted, without_scheme
from domicile.serving.health import Failing, Health, Missing, Progressing, Serving, health
from domicile.serving.kserve_models import load
from domicile.serving.manifests import artifacts, workload
from domicile.serving.seen import SeenDeployment, SeenObject, SeenPod, SeenWorkload
from domicile.serving.workload import (
    MODEL_LABEL,
    MODEL_UID,
    WORKLOAD,
    Manifest,
    Workload,
)

__all__ = [
    "MODEL_LABEL",
    "MODEL_UID",
    "WORKLOAD",
    "Failing",
    "Health",
    "Manifest",
    "Missing",
    "Progressing",
    "SeenDeployment",
    "SeenObject",
    "SeenPod",
    "SeenWorkload",
    "Serving",
    "Stray",
    "Workload",
    "artifacts",
    "differs",
    "drift",
    "entry_in",
    "granted",
    "health",
    "load",
    "strays",
    "without_scheme",
    "word_by_word",
    "workload",
]
