import subprocess
import sys

from triggers.engines import name_for, names
from triggers.models import Trigger

NEEDS_NO_DJANGO = """
import sys
import triggers.engines.temporal.workflows
print([name for name in sys.modules if name.partition(".")[0] == "django"])
"""


def test_the_workflows_import_no_django():
    loaded = subprocess.run([sys.executable, "-c", NEEDS_NO_DJANGO], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_a_trigger_may_name_either_engine(settings):
    assert names() == ["celery", "temporal"]
    assert [name_for(Trigger(engine=name)) for name in ("", "celery", "temporal", "gone")] == [
        "celery",
        "celery",
        "temporal",
        "celery",
    ]
    settings.TRIGGERS_USE_TEMPORAL = True
    assert [name_for(Trigger(engine=name)) for name in ("", "celery", "temporal", "gone")] == [
        "temporal",
        "celery",
        "temporal",
        "temporal",
    ]
