"""Indicators of compromise for people, spreadsheets, intelligence platforms and hunts: a format a file.

Each takes the parts of the document `cryoscope.iocs/1` and gives text (or, for STIX, an object).
"""
