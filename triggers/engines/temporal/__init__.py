"""
The Temporal engine: a workflow for each run that is alone or waits, and one for each chunk of runs.

    engine.py       tells the server what is to be advanced
    closing.py      what becomes of runs whose workflows were ended by hand
    client.py       this process's connection to the server
    workflows.py    when runs are advanced: timers and signals; imports no Django
    activities.py   what a workflow has done on a worker: ``running.advance``, decided from the database
    worker.py       the process that performs both, and sweeps

Only ids travel. The server may forget or repeat what it was told: the database decides what there is to do.
"""
