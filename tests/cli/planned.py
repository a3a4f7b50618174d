"""What the tests of `domicile plan` and `domicile policy diff` share: a folder of manifests, a hub to read, and one way to ask."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

import builders as a
from domicile import kube
from domicile.api import KINDS, Kind
from domicile.cli.main import main
from domicile.kube.endpoint import anonymous

AT = "2026-11-23T09:00:00Z"
Manifest = Mapping[str, Any]


def manifest(of: Kind | Manifest) -> Manifest:
    """As it would stand in a file."""
    return of if isinstance(of, Mapping) else {"apiVersion": "domicile.dev/v1alpha1", **of.wire()}


def write(path: Path, *objects: Kind | Manifest) -> Path:
    """A file of them, one document each."""
    path.write_text("---\n".join(yaml.safe_dump(dict(manifest(each))) for each in objects))
    return path


def namespace(name: str = "retail-banking", **labels: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def placed(*clusters: str, leaving: Iterable[str] = (), **model: Any) -> Kind:
    """The usual model, which its status says to serve there."""
    rows = [
        {
            "cluster": name,
            "clusterUID": a.uid(name),
            "permit": "x",
            "state": "Leaving" if name in leaving else "Serving",
        }
        for name in (*clusters, *leaving)
    ]
    return a.model(status={"placements": rows}, **model)


COUNTRIES = {"sg": "SG", "ph": "PH", "de": "DE"}


def fleet(*names: str) -> tuple[Kind, ...]:
    """Clusters, each attested to be in its country, and the hub."""
    clusters = [a.regional_cluster(name) for name in names]
    said = [a.attestation(f"{name}-2026", of=name, everything=COUNTRIES[name]) for name in names]
    return (*clusters, *said, a.HUB)


def run(*arguments: str | Path, given: str | None = None, at: str = AT) -> Result:
    """The command, as of the usual moment."""
    return CliRunner().invoke(main, [*map(str, arguments), "--at", at], input=given)


def answer(*arguments: str | Path, given: str | None = None) -> Any:
    """What it says for programs."""
    result = run(*arguments, "-o", "json", given=given)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@contextmanager
def hub(*objects: Kind | Manifest) -> Iterator[kube.Endpoint]:
    """A real HTTP server that lists these objects, as a hub would, and knows nothing else."""
    plurals = {kind.info.plural: kind.info.kind for kind in KINDS} | {"namespaces": "Namespace"}
    held = [manifest(each) for each in objects]

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = plurals[self.path.partition("?")[0].rpartition("/")[2]]
            found = [
                {k: v for k, v in each.items() if k not in ("kind", "apiVersion")}
                for each in held
                if each["kind"] == kind
            ]
            body = json.dumps({"kind": f"{kind}List", "metadata": {"resourceVersion": "7"}, "items": found}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield kube.Endpoint(f"http://127.0.0.1:{server.server_port}", None, anonymous)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
