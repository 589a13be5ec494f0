"""Bytes that lie on another machine: HTTP with bounds and retries, and a ByteSource over its ranges.

RFC 9110, sections 13 (conditions) and 14 (ranges).
"""
