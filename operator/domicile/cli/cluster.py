"""`domicile cluster join`: its options, and what it prints."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from domicile.cli.join import joining


@click.group()
def cluster() -> None:
    """Register regional clusters with the hub."""


@cluster.command()
@click.argument("name")
@click.option("--context", required=True, help="Context of the member, with the rights of its administrator.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Kubeconfig of the member.  [default: as kubectl]")
@click.option("--hub-context", help="Context of the hub.  [default: the current one]")
@click.option(
    "--hub-kubeconfig", type=click.Path(path_type=Path), help="Kubeconfig of the hub.  [default: --kubeconfig]"
)
@click.option("--namespace", default="domicile-system", show_default=True, help="Namespace of Domicile, on both sides.")
@click.option("--server", help="URL at which the hub reaches the member, where it is not the one in the kubeconfig.")
@click.option("--rotate-token", is_flag=True, help="Make a new token, and revoke the old one once the hub has the new.")
@click.option("--dry-run", is_flag=True, help="Write nothing; print the YAML of both sides, without the token.")
def join(
    name: str,
    context: str,
    kubeconfig: Path | None,
    hub_context: str | None,
    hub_kubeconfig: Path | None,
    namespace: str,
    server: str | None,
    rotate_token: bool,
    dry_run: bool,
) -> None:
    """Register the cluster of --context as RegionalCluster NAME.

    On the member it makes a ServiceAccount with the least rights that Domicile needs, and a token for it; on the hub a
    Secret with that token and the RegionalCluster, pinned to the member's identity (the UID of its namespace
    kube-system). It may be repeated. The token is good until it is rotated or its Secret on the member is deleted.
    """
    # Imported here: `domicile cluster --help` needs none of it.
    from domicile.cli.join import hub, joining
    from domicile.fleet import rbac

    request = joining.Request(
        name=name,
        context=context,
        kubeconfig=kubeconfig,
        hub_context=hub_context,
        hub_kubeconfig=hub_kubeconfig or kubeconfig,
        namespace=namespace,
        server=server,
        rotate_token=rotate_token,
        rules=rbac.rules(),
    )
    if dry_run:
        _print_both_sides(request, asyncio.run(joining.uid_of(request)))
        return
    joined = asyncio.run(joining.join(request))
    for line in joined.made:
        click.echo(line)
    click.echo(f"\n{name} is {joined.server}, kube-system UID {joined.uid}.")
    click.echo("Nothing is placed there until governance vouches for where it is. For them to fill in and to apply:\n")
    click.echo(hub.attestation_to_write(name, joined.uid), nl=False)


def _print_both_sides(request: "joining.Request", uid: str) -> None:
    import yaml

    from domicile.cli.join import hub, joining, kubeconfig, member

    secret = member.token_secret(request.namespace, "1")
    on_member = [member.namespace(request.namespace)]
    on_member += [manifest for _, manifest in member.identity(request.namespace, request.rules)]
    token = f"<data.token of Secret {request.namespace}/{secret['metadata']['name']} on the member, decoded>"
    config = kubeconfig.with_token(request.name, joining.hub_side_address(request), token)
    made = {k: v for k, v in hub.secret(request.name, request.namespace, "").items() if k != "data"}
    on_hub = [{**made, "stringData": {hub.KEY: config}}, hub.regional_cluster(request.name, uid, request.namespace)]
    click.echo(f"# on the member ({request.context})")
    click.echo(yaml.safe_dump_all([*on_member, secret], sort_keys=False), nl=False)
    click.echo("---\n# on the hub; do not commit the Secret once the token is in it")
    click.echo(yaml.safe_dump_all(on_hub, sort_keys=False), nl=False)
    click.echo("---\n# on the hub, by governance")
    click.echo(hub.attestation_to_write(request.name, uid), nl=False)
