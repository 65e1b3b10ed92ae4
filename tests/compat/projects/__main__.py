"""Make the migrations of the project that is named, as its people would; migrate; play its scenario."""

import os
import sys
from importlib import import_module, invalidate_caches

import django
from django.conf import settings
from django.core.management import call_command


def main(name: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = f"tests.compat.projects.{name}.settings"
    django.setup()
    call_command("makemigrations", *settings.MIGRATION_MODULES, verbosity=0)
    invalidate_caches()
    for alias in settings.DATABASES:
        call_command("migrate", database=alias, verbosity=0)
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
    call_command("check", databases=list(settings.DATABASES), fail_level="ERROR")
    import_module(f"tests.compat.projects.{name}.scenario").play()


if __name__ == "__main__":
    main(sys.argv[1])
