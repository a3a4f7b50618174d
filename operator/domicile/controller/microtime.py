"""metav1.MicroTime, as Leases and Events write it."""

from datetime import UTC, datetime


def micro_time(moment: datetime) -> str:
    """The moment in UTC to the microsecond, as RFC 3339."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
