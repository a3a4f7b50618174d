"""The file in which a person rules how long evidence is kept, and what a legal hold is on."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from domicile.audit.rules import Hold, Retention, Rule
from domicile.cli.failure import Failure

_MODELS = Annotated[
    list[Annotated[str, Field(pattern=r"^([*]|[-a-z0-9*?]+/[-a-z0-9.*?]+)$")]],
    Field(min_length=1),
]
"""As namespace/name, with * and ? as in file names; * alone for all."""
_DAYS = Annotated[int, Field(ge=1, le=36_500, strict=True)]


class _Loader(yaml.SafeLoader):
    """YAML in which nothing is read as something else than it looks like: numbers are decimal, all else is text, and no key is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [each.value for each, _ in node.value]
        if len(set(map(str, keys))) != len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("(0|[1-9][0-9]*)$"), list("0123456789"))  # pyright: ignore[reportUnknownMemberType]


def _is_text(value: Any) -> Any:
    if not isinstance(value, str) or "T" not in value:
        raise ValueError("it is no time as RFC 3339 has it, such as 2026-01-01T00:00:00+08:00")
    return value


_TIME = Annotated[AwareDatetime, BeforeValidator(_is_text)]


class _Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class _Rule(_Strict):
    models: _MODELS
    keep_days: _DAYS


class _Hold(_Strict):
    name: Annotated[str, Field(min_length=1, max_length=253)]
    models: _MODELS
    since: _TIME | None = None
    until: _TIME | None = None
    reason: Annotated[str, Field(min_length=1, max_length=1_000)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("since is not before until")
        return self


class _File(_Strict):
    keep_days: _DAYS
    rules: list[_Rule] = []
    holds: list[_Hold] = []


def read(path: Path) -> Retention:
    """What a file rules. Raises Failure where it cannot be read."""
    try:
        found = _File.model_validate(yaml.load(path.read_text(), _Loader))  # noqa: S506 - it is a SafeLoader
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
