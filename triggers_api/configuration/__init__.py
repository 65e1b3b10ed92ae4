"""
Configuration as code: what people set up, as one document that is exported, kept in a file and applied.

    sections.py     what a document has sections of, and what each section can do
    triggers.py     the section of triggers
    matching.py     which components of a trigger the items of a document are, since they have no ids there
    applying.py     from a document to changes, all of them or none; a plan is the same, undone
    files.py        documents in YAML and JSON, and where in the file something is
    reports.py      what was, or would be, changed, for people
"""
