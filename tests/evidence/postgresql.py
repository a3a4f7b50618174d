"""A real PostgreSQL for tests: of the machine's package, on a socket of its own, and what can go wrong with it."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PORT = 5432
"""Of the socket's name: nothing listens on it."""


def binaries() -> Path | None:
    """Where the server's programs are, the newest of Debian's; None where there are none."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found and shutil.which("postgres") else None


def started() -> "Server":
    """A server of its own. Where the machine has none, who asks is skipped, but not in CI."""
    programs = binaries()
    if programs is None:
        says = "there is no PostgreSQL on this machine: apt-get install postgresql, or put initdb and postgres on PATH"
        if os.environ.get("CI"):
            pytest.fail(says)
        pytest.skip(says)
    return Server(programs)


class Server:
    """One server, with its data in a directory that goes with it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._directory = Path(tempfile.mkdtemp(prefix="domicile-pg-"))
        # The server does not run as root, and takes no directory of another user.
        self._how: dict[str, Any] = {"cwd": self._directory, "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._directory, nobody.pw_uid, nobody.pw_gid)
            self._how |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self.data = self._directory / "data"
        subprocess.run(
            [
                str(programs / "initdb"),
                "-D",
                str(self.data),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-locale",
                "-N",
            ],
            check=True,
            capture_output=True,
            **self._how,
        )
        self.start()

    def start(self) -> None:
        """And wait until it answers."""
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._directory),
            "shared_buffers": "16MB",
            "max_connections": "30",
        }
        said = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.data), *said], stdout=log, stderr=log, **self._how
            )
        until = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._directory / "log").read_text()[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """And leave nothing."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)
        shutil.rmtree(self._directory)

    def halt(self) -> None:
        """It ends, and what it has stays."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def crash(self) -> None:
        """All its processes are killed at once, and it is started again."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(30)
        until = time.monotonic() + 30
        while any(_runs(pid) for pid in children) and time.monotonic() < until:
            time.sleep(0.01)
        self.start()

    def _answers(self) -> bool:
        return not subprocess.run(
            [str(self._programs / "pg_isready"), "-q", "-h", str(self._directory)], check=False, **self._how
        ).returncode

    @property
    def pid(self) -> int:
        """Of the process that takes connections."""
        return self._process.pid

    @property
    def socket(self) -> Path:
        return self._directory / f".s.PGSQL.{PORT}"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._directory}"

    def conninfo(self, directory: Path | None = None, **more: str) -> str:
        """To the server, or to what stands before it in a directory."""
        said = {"host": str(directory or self._directory), "user": "postgres", "dbname": "postgres", **more}
        return " ".join(f"{key}='{value}'" for key, value in said.items())


def _runs(pid: str) -> bool:
    """And is not merely waiting for its end to be taken note of."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Wire:
    """What stands between a client and the server. It can lose what a client sends, or what it is answered."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.directory = directory
        self._server = server
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(directory / f".s.PGSQL.{PORT}"))
        self._listening.listen()
        self.on_commit: str = "pass"
        """What is done with the next COMMIT: pass; lose it; cut, after it was done; or hold it, and cut."""
        self.refuses = False
        """Whether new connections are closed at once."""
        self.release = threading.Event()
        """Lets the server have what is held."""
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self.release.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.refuses:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server.socket))
            quiet = threading.Event()
            for run, arguments in ((self._there, (client, server, quiet)), (self._back, (client, server, quiet))):
                thread = threading.Thread(target=run, args=arguments, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _there(self, client: socket.socket, server: socket.socket, quiet: threading.Event) -> None:
        for sent in _received(client):
            how, self.on_commit = (self.on_commit, "pass") if b"COMMIT\0" in sent else ("pass", self.on_commit)
            if how == "lose":
                break
            if how == "cut":
                quiet.set()
            if how == "hold":
                _shut(client)
                self.release.wait(30)
            with contextlib.suppress(OSError):
                server.sendall(sent)
        if not quiet.is_set():
            _shut(server)
        _shut(client)

    def _back(self, client: socket.socket, server: socket.socket, quiet: threading.Event) -> None:
        for answered in _received(server):
            if quiet.is_set():
                break
            with contextlib.suppress(OSError):
                client.sendall(answered)
        for each in (client, server):
            _shut(each)
            each.close()


def _received(peer: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            found = peer.recv(1 << 16)
        except OSError:
            return
        if not found:
            return
        yield found


def _shut(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)
