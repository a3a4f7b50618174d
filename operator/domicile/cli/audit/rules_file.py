"""The file in which a person rules how long evidence is kept, and what a legal hold is on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from domicile.audit.rules import Hold, Retention, Rule
from domicile.cli.failure import Failure

_MODELS = Annotated[list[Annotated[str, Field(pattern=r"^[-a-z0-9.*?/]+$")]], Field(min_length=1)]
"""As namespace/name, with * and ? as in file names."""
_DAYS = Annotated[int, Field(ge=1, le=36_500)]


class _Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class _Rule(_Strict):
    models: _MODELS
    keep_days: _DAYS


class _Hold(_Strict):
    name: Annotated[str, Field(min_length=1, max_length=253)]
    models: _MODELS
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    reason: Annotated[str, Field(min_length=1, max_length=1_000)]


class _File(_Strict):
    keep_days: _DAYS
    rules: list[_Rule] = []
    holds: list[_Hold] = []


def read(path: Path) -> Retention:
    """What a file rules. Raises Failure where it cannot be read."""
    try:
        found = _File.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Failure(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise Failure(f"{path} does not rule how long evidence is kept: {where}: {first['msg']}") from error
    return Retention(
        timedelta(days=found.keep_days),
        tuple(Rule(tuple(each.models), timedelta(days=each.keep_days)) for each in found.rules),
        tuple(
            Hold(each.name, tuple(each.models), each.reason, _utc(each.since), _utc(each.until)) for each in found.holds
        ),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
