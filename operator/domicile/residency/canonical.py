"""One way to turn a value of the API into bytes, so that the same inputs give the same digest."""

import hashlib
import json
from typing import Any

from domicile.api.base import ApiModel


def digest_of(value: ApiModel | dict[str, Any] | list[Any] | str) -> str:
    """`sha256:<hex>` of the value's canonical JSON: keys sorted, no spaces, UTF-8."""
    plain = value.wire() if isinstance(value, ApiModel) else value
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
