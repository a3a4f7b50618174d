"""What can go wrong with an API server, as named errors. Each message says what was asked, where, and why it failed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domicile.kube import shape


class KubeError(Exception):
    """A request to an API server failed."""


class KubeconfigInvalid(KubeError):
    """A kubeconfig cannot be used; the message says what to change."""


class Unreachable(KubeError):
    """No answer: refused, timed out, broken off, or not resolvable."""

    def __init__(self, server: str, what: str, why: str) -> None:
        super().__init__(f"{server} does not answer ({what}): {why}")
        self.server, self.what, self.why = server, what, why


class CertificateInvalid(KubeError):
    """TLS does not vouch for the server, or a certificate of ours is of no use."""


class CertificateExpired(CertificateInvalid):
    """A certificate's validity is over, or has not begun."""

    def __init__(self, which: str, until: datetime, message: str) -> None:
        super().__init__(message)
        self.which, self.until = which, until


class MalformedAnswer(KubeError):
    """The server answered with something that is not a Kubernetes answer."""


class AnswerTooLarge(KubeError):
    """The answer exceeds what is read into memory."""


class ApiError(KubeError):
    """The API server answered with a Status of failure."""

    def __init__(self, status: int, reason: str, message: str, details: Mapping[str, Any], what: str) -> None:
        super().__init__(f"{what}: {status} {reason}: {message}" if reason else f"{what}: {status}: {message}")
        self.status, self.reason, self.message, self.details, self.what = status, reason, message, details, what

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait."""
        seconds = self.details.get("retryAfterSeconds")
        return float(seconds) if isinstance(seconds, int | float) else None


class NotFound(ApiError):
    """404: the object, or the kind itself, is not there."""


class Conflict(ApiError):
    """409: it exists already, or a precondition (UID, resourceVersion, field ownership) does not hold."""


class Forbidden(ApiError):
    """403: the identity is known and may not do this."""


class Unauthorized(ApiError):
    """401: the credentials are not accepted."""


class Invalid(ApiError):
    """400 or 422: the object is not accepted."""


class TooLarge(ApiError):
    """413: the request is larger than the server takes."""


class Gone(ApiError):
    """410: the resourceVersion or continue token is too old; list anew."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    422: Invalid,
}
_LONGEST_MESSAGE = 2000
_NO_STATUS = "the answer is no Kubernetes Status; if it persists, look what answers at this address"


def from_status(status: int, body: Any, what: str) -> ApiError:
    """The error that a Status object says. Whatever else came instead of one is not quoted."""
    answer = shape.mapping(body)
    reason, message, code = shape.text(answer.get("reason")), answer.get("message"), shape.number(answer.get("code"))
    if status == 200 and code:  # An ERROR event of a watch carries its code inside.
        status = code
    kind = Gone if reason in ("Expired", "Gone") else _BY_STATUS.get(status, ApiError)
    return kind(
        status,
        reason,
        message[:_LONGEST_MESSAGE] if isinstance(message, str) else _NO_STATUS,
        shape.mapping(answer.get("details")),
        what,
    )
