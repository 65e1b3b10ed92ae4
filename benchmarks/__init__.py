"""
How fast this version is, against dj-triggers 1.0.1, against bare code that does the least, and against itself with
more of everything. ``make bench`` runs it; docs/performance.md says how it measures.

    __main__.py    the command line
    stage.py       servers, databases and processes
    rounds.py      scenarios, played in turns
    report.py      the table and the file
    scenarios/     what is measured, one by one
    project/       the Django project that is measured, on either version
"""
