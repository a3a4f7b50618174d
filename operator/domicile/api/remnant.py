"""What can be read of a SovereignModel that cannot be read as a whole: by hand, by another version, past a schema."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, ValidationError

from domicile.api.base import Kind, KindInfo, ObjectMeta
from domicile.api.dataclassification import DataClass
from domicile.api.sovereignmodel import Placement, SovereignModel, SovereignModelStatus

_ROW = frozenset(field.alias for field in Placement.model_fields.values())


class ModelRemnant(Kind):
    """Enough of a SovereignModel to withdraw it everywhere, to judge where it is, and to say what is wrong. Too little to
    place it."""

    info: ClassVar[KindInfo] = SovereignModel.info

    kind: Literal["SovereignModel"] = "SovereignModel"
    why: str
    """The field that cannot be read, and why."""
    data_classes: tuple[DataClass, ...] = ()
    """Empty where not even they can be read."""
    status: SovereignModelStatus | None = None
    """As far as it can be read. Every placement on record is in it."""


def remnant(raw: Mapping[str, Any], why: str) -> ModelRemnant | None:
    """What can be read of an object as the API server has it; None where not even who it is and where it was placed can."""
    try:
        return ModelRemnant(
            metadata=ObjectMeta.model_validate(raw.get("metadata")),
            why=why,
            data_classes=_data_classes(raw.get("spec")),
            status=_status(raw.get("status")),
        )
    except ValidationError:
        return None


class _Classes(BaseModel):
    data_classes: Annotated[tuple[DataClass, ...], Field(alias="dataClasses", min_length=1)]


class _Record(BaseModel):
    placements: tuple[dict[str, Any], ...] = ()


def _data_classes(spec: object) -> tuple[str, ...]:
    try:
        return _Classes.model_validate(spec).data_classes
    except ValidationError:
        return ()


def _status(status: object) -> SovereignModelStatus | None:
    if status is None:
        return None
    try:
        return SovereignModelStatus.model_validate(status)
    except ValidationError:
        rows = _Record.model_validate(status).placements
        return SovereignModelStatus(placements=tuple(_placement(row) for row in rows))


def _placement(row: Mapping[str, Any]) -> Placement:
    known = {name: value for name, value in row.items() if name in _ROW}
    try:
        return Placement.model_validate(known)
    except ValidationError:
        # Where it was placed is what must not be forgotten.
        keys = {name: known.get(name) for name in ("cluster", "clusterUID")}
        return Placement.model_validate({**keys, "permit": "", "state": "Starting"})
