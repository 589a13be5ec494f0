"""A report as one HTML page: it loads nothing, runs under a strict policy, and can be read without script.

`page` makes it from the record of a report.  The parts are drawn one a file (`tree`, `network`, `memory`,
`facts`), the long lists are in a data block (`data`), `templates` and `assets` are what a browser gets.
Jinja is imported when a page is made.
"""

from cryoscope.report.html.page import page

__all__ = ["page"]
