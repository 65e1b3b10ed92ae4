"""What the command line says when it cannot do as it was told."""


class Refused(Exception):
    """Nothing was started. The message says why and what to do, and is shown without a traceback."""
