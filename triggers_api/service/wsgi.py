"""The web part for a WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triggers_api.service.settings")

application = get_wsgi_application()
