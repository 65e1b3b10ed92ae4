"""Each file in docs/recipes is applied as it stands, its event happens, and what it promises comes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions.receiver import receiving
from tests.docs.blocks import ROOT
from tests.service.caller import Service
from tests.waiting import wait_until

RECIPES = ROOT / "docs/recipes"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    env = {"TRIGGERS_WEBHOOK_ALLOWED_HOSTS": "127.0.0.1"}
    service = Service(tmp_path_factory.mktemp("recipes") / "folder", env)
    try:
        service.begin()
        yield service
    finally:
        service.kill()
        print(f"--- service\n{service.output}")


def applied(service: Service, name: str) -> None:
    """The recipe is what is set up, and to apply it again would change nothing."""
    service.command("apply", str(RECIPES / name))
    assert "nothing to change" in service.command("apply", str(RECIPES / name))


def test_every_recipe_is_in_the_list_and_has_a_test() -> None:
    files = {path.name for path in RECIPES.glob("*.yaml")}
    assert set(re.findall(r"\]\((\S+\.yaml)\)", (RECIPES / "README.md").read_text())) == files
    tests = Path(__file__).read_text()
    assert all(f'applied(service, "{name}")' in tests for name in files)


def test_a_welcome_once(service: Service) -> None:
    applied(service, "welcome.yaml")
    service.registers("ada")
    first, second = [service.fires(type="account.created", user="ada")[0] for _ in range(2)]
    assert service.mailed("ada@example.com", 1) == [
        (
            "Welcome, Ada",
            "Hello Ada,\n\nyour account is open. If you have a question, answer this e-mail.",
        )
    ]
    assert [service.ended(run)["code"] for run in (first, second)] == ["", "limit_reached"]


def test_a_reminder_a_week(service: Service) -> None:
    applied(service, "reminder.yaml")
    service.registers("bob")
    runs = [service.fires(type="basket.abandoned", user="bob", context={"items": ["Tea", "Cup"]})[0] for _ in range(2)]
    for run in runs:
        service.time_passes(run)
    assert sorted(service.ended(run)["code"] for run in runs) == ["", "limit_reached"]
    ((subject, text),) = service.mailed("bob@example.com", 1)
    assert (subject, text.splitlines()[-2:]) == ("You have left something behind", ["- Tea", "- Cup"])


def test_three_reminders_of_a_payment(service: Service) -> None:
    applied(service, "dunning.yaml")
    service.registers("carl")
    context = {"invoice": "2026-17", "amount": "49.90 EUR"}
    codes = []
    for _ in range(4):
        (run,) = service.fires(type="invoice.overdue", user="carl", context=context)
        codes.append(service.ended(run)["code"])
    assert codes == ["", "", "", "limit_reached"]
    assert [text.split("\n")[-1][:20] for _, text in service.mailed("carl@example.com", 3)] == [
        "perhaps it has escap",
        "we have reminded you",
        "this is the last rem",
    ]


def test_another_system_is_told(service: Service, tmp_path: Path) -> None:
    applied(service, "warehouse.yaml")
    service.registers("dora")
    with receiving() as receiver:
        recipe = (RECIPES / "warehouse.yaml").read_text()
        here = tmp_path / "here.yaml"
        here.write_text(recipe.replace("https://warehouse.example.com/orders", receiver.url))
        service.command("apply", str(here))
        order = {"order_id": "A-1", "amount": 120.5, "lines": [{"sku": "tea", "quantity": 2}]}
        (run,) = service.fires(type="order.paid", user="dora", context=order)
        assert service.ended(run)["status"] == "succeeded"
    (request,) = receiver.requests
    assert request.body == {
        "order": "A-1",
        "lines": [{"sku": "tea", "quantity": 2}],
        "customer": {"key": "dora", "name": "Dora"},
    }


def test_a_digest_by_the_clock(service: Service) -> None:
    applied(service, "digest.yaml")
    service.registers("emil", attributes={"digest": True, "points": 7})
    service.registers("fay", attributes={"digest": False})
    service.write("UPDATE triggers_events_scheduleevent SET next_at = :past")
    ((_, text),) = service.mailed("emil@example.com", 1)
    assert text == "Hello Emil,\n\nthis is how things stand: you have 7 points."
    assert service.mailed("fay@example.com", 0) == []


def test_large_orders(service: Service) -> None:
    applied(service, "big-order.yaml")
    service.registers("gus", attributes={"plan": "trial"})
    service.registers("hal", attributes={"plan": "gold"})
    codes = {}
    for user, amount in (("gus", 120), ("hal", 120), ("hal", 1200)):
        (run,) = service.fires(
            type="order.placed", user=user, context={"order_id": f"{user}-{amount}", "amount": amount}
        )
        codes[user, amount] = service.ended(run)["code"]
    assert codes == {("gus", 120): "", ("hal", 120): "condition_failed", ("hal", 1200): ""}
    assert service.mailed("orders@example.com", 2) == [
        ("Large order gus-120", "Gus has ordered for 120."),
        ("Large order hal-1200", "Hal has ordered for 1200."),
    ]


def test_points_for_a_purchase(service: Service) -> None:
    applied(service, "points.yaml")
    service.registers("ivy")
    service.fires(type="purchase.made", user="ivy", context={"amount": 247})
    assert service.mailed("ivy@example.com", 1) == [("24 points for you", "Hello Ivy, you have earned 24 points.")]


@pytest.mark.parametrize("subscribes", [False, True])
def test_two_weeks_of_trial(service: Service, subscribes: bool) -> None:
    applied(service, "trial.yaml")
    name = "kim" if subscribes else "joe"
    service.registers(name)
    (run,) = service.fires(type="trial.started", user=name)
    address = f"{name}@example.com"
    service.mailed(address, 1)
    service.time_passes(run)
    wait_until(lambda: len(service.run(run)["steps"]) == 3, message=lambda: str(service.run(run)))
    service.time_passes(run)
    assert [subject for subject, _ in service.mailed(address, 2)] == ["The first steps", "How is it going?"]
    wait_until(lambda: service.run(run)["waiting_for"] is not None, message=lambda: str(service.run(run)))
    assert service.run(run)["waiting_for"]["type"] == "subscription.started"
    if subscribes:
        service.registers(name, attributes={"subscribed": True})
        service.fires(type="subscription.started", user=name)
        service.ended(run)
        service.mailed(address, 2)
    else:
        service.time_passes(run)
        assert service.ended(run)["status"] == "succeeded"
        assert [subject for subject, _ in service.mailed(address, 3)][-1] == "Your trial ends today"
