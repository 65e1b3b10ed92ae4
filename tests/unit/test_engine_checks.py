"""Each system check of the engines is seen to find what it is for, and to find nothing where there is nothing."""

import pytest
from celery import current_app
from celery.app.base import Celery

from tests.acceptance.scenario import a_trigger
from triggers import engines
from triggers.engines.checks import check_engines, check_engines_of_triggers
from triggers.models import Trigger


def found(check=check_engines, **keywords):
    return [(message.id, message.msg, message.hint) for message in check(None, **keywords)]


@pytest.fixture
def without_temporalio(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    engines.is_installed.cache_clear()
    yield
    engines.is_installed.cache_clear()


@pytest.mark.parametrize("use_temporal", [True, False])
def test_settings_that_make_sense(settings, use_temporal):
    settings.TRIGGERS_USE_TEMPORAL = use_temporal
    settings.TEMPORAL_NAMESPACE = "shop"
    settings.TEMPORAL_TASK_QUEUE = "shop triggers"
    for host in ("localhost:7233", "shop.a1b2c.tmprl.cloud:7233", "10.0.0.1:7233", "[::1]:7233"):
        settings.TEMPORAL_HOST = host
        assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "id_", "hint"),
    [
        ("TEMPORAL_HOST", "localhost", "triggers.E010", 'TEMPORAL_HOST = "localhost:7233"'),
        ("TEMPORAL_HOST", "https://shop.tmprl.cloud:7233", "triggers.E010", "TEMPORAL_TLS"),
        ("TEMPORAL_HOST", 7233, "triggers.E004", "TEMPORAL_HOST = 'localhost:7233'"),
        ("TEMPORAL_HOST", None, "triggers.E004", "TEMPORAL_HOST = 'localhost:7233'"),
        ("TEMPORAL_NAMESPACE", "", "triggers.E004", "TEMPORAL_NAMESPACE = 'triggers'"),
        ("TEMPORAL_TASK_QUEUE", " ", "triggers.E004", "TEMPORAL_TASK_QUEUE = 'triggers'"),
        ("TEMPORAL_SEARCH_ATTRIBUTES", "yes", "triggers.E004", "TEMPORAL_SEARCH_ATTRIBUTES = False"),
        ("TEMPORAL_TASKQUEUE", "shop", "triggers.W002", "Did you mean TEMPORAL_TASK_QUEUE?"),
        ("CELERY_TASK_ALWAYS_EAGER", True, "triggers.W010", "TRIGGERS_USE_TEMPORAL = False"),
    ],
)
def test_a_setting_that_is_wrong(settings, name, value, id_, hint):
    settings.TRIGGERS_USE_TEMPORAL = True
    setattr(settings, name, value)
    ((found_id, message, found_hint),) = found()
    assert found_id == id_
    assert name in message
    assert hint in found_hint


def test_settings_of_others_with_the_same_beginning_are_left_alone(settings):
    settings.TEMPORAL_ENCRYPTION_KEY = "secret"
    assert found() == []


def test_temporal_is_used_and_not_installed(settings, without_temporalio):
    settings.TRIGGERS_USE_TEMPORAL = True
    assert found() == [
        (
            "triggers.E011",
            "TRIGGERS_USE_TEMPORAL is True, and temporalio is not installed: what is fired waits in the database.",
            'pip install "dj-triggers[temporal]". Or set TRIGGERS_USE_TEMPORAL = False.',
        )
    ]


def test_what_the_environment_says_cannot_be_used(settings, monkeypatch, tmp_path):
    settings.TRIGGERS_USE_TEMPORAL = True
    profile = tmp_path / "temporal.toml"
    profile.write_text("[profile.default\n")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    ((id_, message, hint),) = found()
    assert id_ == "triggers.W004"
    assert "environment" in message
    assert "profile" in hint


def test_a_project_without_a_celery_app(monkeypatch):
    monkeypatch.delenv("CELERY_BROKER_URL")
    project = current_app._get_current_object()
    Celery("nobody works for this one", loader="default").set_current()
    try:
        ((id_, _message, hint),) = found()
    finally:
        project.set_current()
    assert id_ == "triggers.W004"
    assert "__init__.py" in hint
    assert engines.default().problem() is None


@pytest.mark.django_db
def test_a_trigger_names_an_engine_that_is_not_there(without_temporalio):
    a_trigger(name="Well done")
    assert found(check_engines_of_triggers, databases=["default"]) == []
    Trigger.objects.update(engine="temporal")
    assert found(check_engines_of_triggers, databases=["default"]) == [
        (
            "triggers.W009",
            "The trigger “Well done” names the engine temporal, which is not installed: its runs go to celery.",
            'pip install "dj-triggers[temporal]". The engines are celery.',
        )
    ]
    assert found(check_engines_of_triggers, databases=[]) == []
