#!/bin/busybox sh
# Answers what comes in, as a service behind inetd does: its standard input and output are a connection.
while read -r line; do echo "you said $line"; done
