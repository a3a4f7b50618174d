"""What the demo installs. tests/chart/test_installation.py holds it to the chart."""

from domicile.cli.demo import installation


def test_everything_that_a_hub_needs_is_in_it() -> None:
    kinds = [manifest["kind"] for manifest in installation.manifests(admission=True)]
    assert kinds[0] == "Namespace"
    assert kinds.count("CustomResourceDefinition") == 4
    assert {"ServiceAccount", "ClusterRole", "Role", "MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"} <= set(
        kinds
    )
    assert "Deployment" not in kinds


def test_without_admission_the_rest_is_the_same() -> None:
    rest = [
        m for m in installation.manifests(admission=True) if not m["apiVersion"].startswith("admissionregistration")
    ]
    assert installation.manifests(admission=False) == rest
