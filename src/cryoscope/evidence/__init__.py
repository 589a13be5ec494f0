"""Where evidence is kept: sealed when it is added, never altered, every access written down.

A store is three things: blobs (a folder or S3) that are written once, a catalogue (SQLite or PostgreSQL),
and the custody log of each case, a chain of signed entries.  The log is the truth and the catalogue its
projection: what the log does not say did not happen.  The key that signs lies outside the store.

    archive -> forms (hash, frames, encrypt) -> blobs -> manifest (in-toto, DSSE) -> log and catalogue

What is not in the log yet is not kept: a crash before that leaves at most a blob that nothing names.
"""
