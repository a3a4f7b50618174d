"""Reading a member's objects as they are now, where it is in order that there are none."""

from domicile.kube import Api, NotFound, Object, Resource


async def find(api: Api, kind: Resource, name: str, namespace: str | None = None) -> Object | None:
    """One object, None if there is none."""
    try:
        return await api.get(kind, name, namespace)
    except NotFound:
        return None


async def listed(api: Api, kind: Resource, namespace: str, label_selector: str | None = None) -> tuple[Object, ...]:
    """All of a kind in a namespace; none where the kind is not served, as KServe's where that is not installed."""
    try:
        return (await api.list(kind, namespace, label_selector=label_selector)).items
    except NotFound:
        return ()
