"""Several of Django's commands in one process: ``manage_all.py "migrate --verbosity 0" check``."""

import shlex
import sys

import django
from django.core.management import call_command

if __name__ == "__main__":
    django.setup()
    for command in sys.argv[1:]:
        call_command(*shlex.split(command))
