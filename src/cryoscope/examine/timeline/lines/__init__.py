"""Formats of log lines, one a file and one line a file here, in the order in which they are tried.

Only formats whose times can be told apart from other numbers; month names are those of C's locale.
"""

from cryoscope.examine.timeline.lines import apache, audit, clf, iso, json, klog, nginx, redis, syslog
from cryoscope.examine.timeline.lines.format import Format, Known

FORMATS: tuple[Format, ...] = (
    iso.FORMAT,
    json.FORMAT,
    clf.FORMAT,
    syslog.FORMAT,
    nginx.FORMAT,
    apache.FORMAT,
    klog.FORMAT,
    redis.FORMAT,
    audit.FORMAT,
)

__all__ = ["FORMATS", "Format", "Known"]
