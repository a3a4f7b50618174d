"""What keeps a managed namespace to itself."""

from domicile import fence


def test_its_pods_ask_nobody_and_nobody_asks_them_but_the_callers() -> None:
    network, quota = fence.isolation("bank", ("monitoring", "gateway", "gateway"))
    callers = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": n}}} for n in ("gateway", "monitoring")
    ]
    assert network["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": callers}]}
    assert quota["spec"]["hard"] == {
        "persistentvolumeclaims": "0",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    assert {m["metadata"]["name"] for m in (network, quota)} == {fence.ISOLATION}
    assert {m["metadata"]["namespace"] for m in (network, quota)} == {"bank"}


def test_without_callers_nobody_asks() -> None:
    """An empty list of rules, and not an empty rule, which would let everybody in."""
    network, _ = fence.isolation("bank", ())
    assert "ingress" not in network["spec"]
