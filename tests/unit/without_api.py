"""The settings of a project that has the library alone."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [app for app in INSTALLED_APPS if not app.startswith(("rest_framework", "triggers_api", "drf_"))]
ROOT_URLCONF = "tests.unit.without_api"
urlpatterns: list[object] = []
