"""What a model would pull and could reach: hosts of artifacts, behind mirrors, and hosts that arguments name."""

import pytest

from builders import DIGEST, case, policy
from domicile import residency
from domicile.residency import closure

REFERENCE = f"registry.sg.example/models/fraud@{DIGEST}"

MIRRORED: dict[str, tuple[list[tuple[str, str]], str]] = {
    "no mirror": ([], REFERENCE),
    "a mirror for another host": ([("registry.de.example", "mirror.example")], REFERENCE),
    "a mirror for a longer host": ([("registry.sg.example:443", "mirror.example")], REFERENCE),
    "a mirror": ([("registry.sg.example", "mirror.example:5000")], f"mirror.example:5000/models/fraud@{DIGEST}"),
    "a mirror with a path": (
        [("registry.sg.example", "mirror.example/a/b")],
        f"mirror.example/a/b/models/fraud@{DIGEST}",
    ),
}


@pytest.mark.parametrize(("mirrors", "expected"), MIRRORED.values(), ids=MIRRORED.keys())
def test_a_mirror_changes_the_place_and_never_the_digest(mirrors: list[tuple[str, str]], expected: str) -> None:
    assert residency.mirrored(REFERENCE, mirrors) == expected
    assert closure.registry_hosts([REFERENCE], mirrors) == (expected.partition("/")[0],)


def test_hosts_are_told_once_and_in_order() -> None:
    artifacts = ["b.example/x@1", "a.example/y@2", "b.example/z@3"]
    assert closure.registry_hosts(artifacts, []) == ("a.example", "b.example")
    assert closure.registry_hosts(artifacts, [("b.example", "a.example")]) == ("a.example",)


NAMED: dict[str, tuple[str, tuple[str, ...]]] = {
    "no URL": ("--port=8080", ()),
    "a URL": ("--log=http://sink.example/a?b#c", ("sink.example",)),
    "in capitals": ("--log=HTTP://Sink.Example", ("sink.example",)),
    "with a port": ("--log=http://sink.example:8443/", ("sink.example:8443",)),
    "a query without a path": ("--log=http://sink.example?x=http", ("sink.example",)),
    "a fragment without a path": ("--log=http://sink.example#x", ("sink.example",)),
    "any scheme": ("--cache=s3://bucket/a", ("bucket",)),
    "a scheme of two words": ("--db=git+ssh://git.example", ("git.example",)),
    "user information": ("--log=http://me:secret@sink.example/", ("sink.example",)),
    "two URLs": ("http://b.example/ grpc://a.example", ("a.example", "b.example")),
    "in quotes": ("""{"url": "http://sink.example"}""", ("sink.example",)),
    "a URL in a query": ("http://a.example/?next=http://b.example/", ("a.example", "b.example")),
    "a variable": ("http://$(HOST)/", ("$(host)",)),
    "no URL, and a port": ("--otlp=Collector.Example:4317", ("collector.example:4317",)),
    "an address and a port": ("--peer=203.0.113.7:6379", ("203.0.113.7:6379",)),
    "an IPv6 address and a port": ("--peer=[2001:db8::1]:443", ("[2001:db8::1]:443",)),
    "several with ports": ("a.example:1,b.example:2", ("a.example:1", "b.example:2")),
    "where the server listens": ("--bind=0.0.0.0:8080 [::]:8080 127.0.0.1:9 [::1]:9", ()),
    "a time": ("--at=12:30", ()),
    "a path with a tag": ("registry.example/models/fraud:2", ()),
    "a version": ("--version=1.2.3", ()),
    "what KServe fills in": ("--model_name={{.Name}}", ()),
    "backslashes for slashes": ("http:\\\\bad.example\\x", ("bad.example",)),
    "one slash": ("http:/bad.example/x", ("bad.example",)),
    "no slash": ("HTTPS:bad.example/x", ("bad.example",)),
    "a fragment that looks like user information": ("http://a.example#@b.example/", ("a.example", "b.example")),
    "two at-signs beyond the authority": ("s3://a.example?@x@b.example/", ("a.example", "b.example")),
    "a path with an at-sign": ("s3://a.example/x@b.example", ("a.example",)),
    "a line break within": ("s3://a.ex\nample/", ("a.ex", "a.example")),
    "three slashes": ("s3:///a.example/x//", ("", "a.example")),
    "four slashes": ("s3:////a.example", ("", "a.example")),
    "a URL with a port is found once": ("grpc://a.example:50051", ("a.example:50051",)),
}


@pytest.mark.parametrize(("argument", "hosts"), NAMED.values(), ids=NAMED.keys())
def test_hosts_that_arguments_name(argument: str, hosts: tuple[str, ...]) -> None:
    assert closure.named_hosts(["--verbose", argument]) == hosts


TWO_WAYS: dict[str, str] = {
    "a fragment that looks like user information": "http://bad.example#@good.example/",
    "a query that looks like user information": "http://bad.example?@good.example/",
    "a quote in user information": "http://good.example:'@bad.example/",
    "a tab that Python leaves out": "http://good.example\t.bad.example/",
    "a line break that Python leaves out": "http://good.example\n.bad.example/",
    "a backslash that browsers read as a slash": "http://bad.example\\@good.example/",
    "three slashes, which curl reads as two": "http:///bad.example/",
    "a digit before the scheme": "1http://bad.example/",
    "an underscore before the scheme": "_http://bad.example/",
    "at-signs": "http://good.example@@bad.example/",
    "a comma": "http://good.example,bad.example/",
    "a port that is none": "http://good.example:80:@bad.example/",
}
"""URLs that one reader takes to be of a host that is listed and another of one that is not."""

HOSTS_OF: dict[str, tuple[str, ...]] = {
    "http://a@b.example?c@d.example": ("b.example", "d.example"),
    "http://a.example/to@x.example/y": ("a.example",),
    "https:///Xavier.example/": ("", "xavier.example"),
}


@pytest.mark.parametrize("url", HOSTS_OF)
def test_all_hosts_of_a_url_and_no_other(url: str) -> None:
    assert closure.named_hosts([url]) == HOSTS_OF[url]


@pytest.mark.parametrize("name", TWO_WAYS)
def test_a_url_that_can_be_read_two_ways_is_not_allowed(name: str) -> None:
    asked = case(policies=[policy(hosts=["good.example"])], arguments=(TWO_WAYS[name],))
    (verdict,) = asked.judge().verdicts
    assert isinstance(verdict, residency.Unlawful)
    assert [finding.reason for finding in verdict.findings] == ["HostNotAllowed"]


def test_the_plain_url_of_those_is_allowed() -> None:
    asked = case(policies=[policy(hosts=["good.example"])], arguments=("http://good.example/",))
    assert isinstance(asked.judge().verdicts[0], residency.Lawful)
