"""Named failures of the local fleet; each says what failed, where, why, and what to do."""

from __future__ import annotations

from pathlib import Path

LOG_LINES_SHOWN = 20


class LocalFleetError(Exception):
    """Anything that keeps a local fleet from being built, started or stopped."""


class InvalidSpec(LocalFleetError):
    """The fleet asked for contradicts itself."""


class GoNotAvailable(LocalFleetError):
    """No Go toolchain that is new enough, and none could be fetched."""


class BuildFailed(LocalFleetError):
    """`go build` of a component failed."""

    def __init__(self, component: str, reason: str, output: str) -> None:
        self.component = component
        shown = "\n".join(f"  | {line}" for line in output.splitlines()[-LOG_LINES_SHOWN:])
        super().__init__(f"building {component} failed: {reason}\n{shown}")


class ComponentFailed(LocalFleetError):
    """A process of the fleet ended or did not become ready; shows the end of its own log."""

    def __init__(self, component: str, waited_for: str, last_seen: str, log: Path) -> None:
        self.component, self.waited_for, self.last_seen, self.log = component, waited_for, last_seen, log
        super().__init__(
            f"{component} failed\n  waited for: {waited_for}\n  last seen:  {last_seen}\n"
            f"  log {log}, last {LOG_LINES_SHOWN} lines:\n{_tail(log)}"
        )

    def with_log_in(self, directory: Path) -> ComponentFailed:
        """The same failure, when its log was copied to another directory."""
        return ComponentFailed(self.component, self.waited_for, self.last_seen, directory / self.log.name)


class WaitedTooLong(LocalFleetError):
    """A condition did not come true in time; says what was last seen."""


class RequestRefused(LocalFleetError):
    """An API server or the registry answered a set-up request with an error, or (status 0) not at all."""

    def __init__(self, request: str, status: int, answer: str) -> None:
        self.status = status
        told = f"was answered with {status}" if status else "got no answer"
        super().__init__(f"{request} {told}: {answer[:1000]}")


class FleetRunning(LocalFleetError):
    """A fleet of this name is up, or its owner still lives."""


class NoSuchFleet(LocalFleetError):
    """No fleet of this name is known on this machine."""


class StartCancelled(LocalFleetError):
    """The start was interrupted; what was started has been stopped."""


class StillThere(LocalFleetError):
    """Something of a stopped fleet could not be removed."""


class RealNodeUnavailable(LocalFleetError):
    """A real node was required and this machine cannot run one."""


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"  | (cannot be read: {error})"
    return "\n".join(f"  | {line[:400]}" for line in lines[-LOG_LINES_SHOWN:]) or "  | (empty)"
