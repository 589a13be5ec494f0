#!/bin/bash
# A server behind a pipe: three processes that are one job, as containers with an entry script are.
export TOKEN=exported-to-the-server
password=known-to-bash-only
python3 -B -u /opt/lab/bin/http-counter.py | tee /var/log/counter.log
exit "${#password}"
