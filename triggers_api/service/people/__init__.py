"""
The people events happen to, an app of the service: users whom other systems register by their own ids.

    models.py        what is known of a person, beside what Django knows of a user
    registering.py   persons made and changed; events may be fired for persons who are not known yet
    views.py         the same over HTTP
"""
