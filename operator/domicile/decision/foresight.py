"""Conditions about what is not so yet: evidence that ends soon, and what policies in Audit mode would forbid."""

from collections.abc import Iterable, Iterator

from domicile.decision.conditions import Claim
from domicile.decision.outlook import Outlook
from domicile.residency import Judgement, Lawful, MemberId, Verdict

_SHOWN = 3
"""How many findings and clusters a message lists."""


def hosting(outlook: Outlook) -> tuple[Lawful, ...]:
    """The verdicts on the chosen clusters."""
    return _lawful(outlook.judgement, (standing.member for standing in outlook.hosts))


def foresight(judgement: Judgement, hosts: Iterable[MemberId]) -> Iterator[Claim]:
    """EvidenceCurrent: whether something ends soon that the verdict on a cluster rests on where the model is."""
    verdicts = _lawful(judgement, hosts)
    if not verdicts:
        return
    # Once, where several rest on it: the hub is the same for all.
    ending = tuple(dict.fromkeys(warning for verdict in verdicts for warning in verdict.warnings))
    if ending:
        message = f"renew it in time, or the model may have to leave: {_some(ending)}"
        yield Claim("EvidenceCurrent", "False", "EndsSoon", message)
    else:
        yield Claim("EvidenceCurrent", "True", "Current", "nothing that the placement rests on ends soon")


def audited(outlook: Outlook) -> Iterator[Claim]:
    """AuditPassed: whether policies in Audit mode, if there are any, would leave the model where it is, or, where it is
    nowhere, allow it anywhere."""
    audits = outlook.judgement.coverage.audits
    if not audits:
        return
    names = ", ".join(policy.metadata.name for policy in audits)
    here = {standing.member for standing in (*outlook.hosts, *outlook.surplus)}
    verdicts = [v for v in outlook.judgement.verdicts if v.member in here] if here else _open(outlook.judgement)
    denied = [f"{verdict.member}: {verdict.audited[0].message}" for verdict in verdicts if verdict.audited]
    if denied and (here or len(denied) == len(verdicts)):
        yield Claim("AuditPassed", "False", "WouldBeDenied", f"{names} would not allow {_some(denied)}")
    elif here:
        yield Claim("AuditPassed", "True", "WouldBeAllowed", f"{names} would leave the model where it is")
    else:
        allowed = [str(verdict.member) for verdict in verdicts if not verdict.audited]
        would = f"would allow {_some(allowed)}" if allowed else "has no cluster to judge"
        yield Claim("AuditPassed", "True", "WouldBeAllowed", f"{names} {would}")


def _open(judgement: Judgement) -> list[Verdict]:
    """Clusters that an Audit policy can take something from: the lawful ones, or all where none is."""
    lawful: list[Verdict] = [v for v in judgement.verdicts if isinstance(v, Lawful)]
    return lawful or list(judgement.verdicts)


def _lawful(judgement: Judgement, members: Iterable[MemberId]) -> tuple[Lawful, ...]:
    wanted = set(members)
    return tuple(v for v in judgement.verdicts if isinstance(v, Lawful) and v.member in wanted)


def _some(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = f"; and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{'; '.join(listed[:_SHOWN])}{more}"
