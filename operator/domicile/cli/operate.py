"""`domicile operator`: runs the operator until it is told to stop, or may no longer lead."""

import asyncio
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from domicile.cli import logs
from domicile.cli.evidence_options import evidence_options
from domicile.cli.failure import Failure


@click.command("operator")
@click.option(
    "--namespace", required=True, help="The operator's own namespace: its lease and the members' kubeconfigs."
)
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="Kubeconfig of the hub.  [default: in a pod its own]"
)
@click.option("--context", help="Context of the kubeconfig.  [default: its current one]")
@click.option(
    "--identity", default="", help="Name among the candidates for the lease.  [default: host name and a random part]"
)
@evidence_options
@click.option("--health-port", type=int, default=8080, show_default=True, help="Port of /healthz and /readyz; 0: none.")
@click.option("--health-host", default="0.0.0.0", show_default=True, help="Address of /healthz and /readyz.")  # noqa: S104 - the kubelet probes the pod's address
@click.option(
    "--workers", type=click.IntRange(1, 256), default=64, show_default=True, help="Models worked on at a time."
)
@click.option(
    "--resync", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds between two full looks."
)
@click.option(
    "--watch-seconds", type=click.IntRange(5), default=300, show_default=True, help="Age at which watches restart."
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option(
    "--stop-with-stdin", is_flag=True, hidden=True, help="Stop when stdin ends: with the process that has it."
)
def operate(
    namespace: str,
    kubeconfig: Path | None,
    context: str | None,
    identity: str,
    evidence: str,
    evidence_key: Path | None,
    evidence_key_before: tuple[Path, ...],
    evidence_region: Mapping[str, str],
    log_format: logs.Format,
    log_level: str,
    stop_with_stdin: bool,
    **given: Any,
) -> None:
    """Run the operator until SIGTERM or SIGINT."""
    # Before the imports, which may warn.
    logs.set_up(log_format, log_level)
    from domicile import kube
    from domicile.controller.opening import Signing
    from domicile.controller.opening import opening as opening_of
    from domicile.controller.settings import Settings

    settings = Settings(
        namespace=namespace,
        identity=identity or f"{socket.gethostname()}-{secrets.token_hex(4)}",
        evidence_regions=tuple(evidence_region),
        **given,
    )
    signing = Signing(evidence_key, evidence_key_before)
    opening = opening_of(evidence, signing, kube.system_clock, evidence_region)
    asyncio.run(_run(settings, opening, kubeconfig, context, stop_with_stdin=stop_with_stdin))


async def _run(
    settings: Any, opening: Any, kubeconfig: Path | None, context: str | None, *, stop_with_stdin: bool
) -> None:
    from domicile import kube
    from domicile.controller.app import Operator, PartEnded
    from domicile.controller.leader import LeadershipLost

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if stop_with_stdin:
        threading.Thread(target=_until_stdin_ends, args=(loop, stop), daemon=True).start()
    try:
        client = kube.KubeClient(await _endpoint(kubeconfig, context))
    except kube.KubeError as error:
        raise Failure(f"the hub cannot be spoken to: {error}") from error
    try:
        await Operator(settings, client, client.endpoint, opening).run(stop)
    except LeadershipLost as error:
        raise Failure(f"ending, another process may lead now: {error}") from error
    except PartEnded as error:
        raise Failure(f"ending: {error}") from error
    except kube.KubeError as error:
        raise Failure(f"the hub failed: {error}") from error
    finally:
        await client.close()


async def _endpoint(kubeconfig: Path | None, context: str | None) -> Any:
    from domicile import kube

    if kubeconfig is None and context is None:
        return await kube.default()
    return await kube.from_kubeconfig(kubeconfig, context)


def _until_stdin_ends(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    loop.call_soon_threadsafe(stop.set)
