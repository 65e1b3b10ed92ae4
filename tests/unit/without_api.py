"""The settings of a project that has the library alone."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

KEPT = ("django.", "polymorphic", "triggers", "tests.app", "tests.probe")
INSTALLED_APPS = [app for app in INSTALLED_APPS if app.startswith(KEPT) and not app.startswith("triggers_api")]
ROOT_URLCONF = "tests.unit.without_api"
urlpatterns: list[object] = []
