"""What is refused because the API server has not heard yet is asked again; whatever else is refused is refused."""

import pytest

from domicile import fence, kube
from domicile.fleet import heard
from domicile.kube import errors


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "_WITHIN", 0.05)
    monkeypatch.setattr(heard, "_BETWEEN", 0.001)


def refusal(policy: str, status: int = 403) -> kube.ApiError:
    reason = {403: "Forbidden", 422: "Invalid"}[status]
    return errors.from_status(status, {"reason": reason, "message": f"policy '{policy}' denied request"}, "fake")


class Asked:
    def __init__(self, *refusals: kube.ApiError) -> None:
        self.times, self._refusals = 0, list(refusals)

    async def __call__(self) -> str:
        self.times += 1
        if self._refusals:
            raise self._refusals.pop(0)
        return "done"


@pytest.mark.parametrize("status", [403, 422])
async def test_it_is_asked_again_until_the_policy_lets_it_pass(status: int) -> None:
    ask = Asked(*[refusal(fence.TERMS, status)] * 3)
    assert (await heard.heard(fence.TERMS, ask), ask.times) == ("done", 4)


async def test_it_is_not_asked_for_ever() -> None:
    ask = Asked(*[refusal(fence.TERMS)] * 1000)
    with pytest.raises(kube.Forbidden):
        await heard.heard(fence.TERMS, ask)
    assert ask.times > 1


async def test_what_another_policy_refuses_is_refused() -> None:
    ask = Asked(refusal(fence.REMOVALS))
    with pytest.raises(kube.Forbidden):
        await heard.heard(fence.TERMS, ask)
    assert ask.times == 1
