"""
The same apps as a server of its own: ``triggers serve``. Start reading in ``cli.py``.

    cli.py          the command line; `serve` prepares the data folder and the database
    supervisor.py   keeps the web server (gunicorn.py, wsgi.py) and the worker (celery.py) running
    settings.py     Django's settings, from the environment
    demo/           components to try it with, and the data of `serve --demo`
"""
