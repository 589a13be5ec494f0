#!/bin/busybox sh
# Counts, so that a restored copy can be seen to go on, and changes its root in the three ways a checkpoint
# must carry: it makes a file, appends to one and deletes one of the image.
# Where the root is read-only (bare on a node) it works below /tmp.
base=
touch /log 2> /dev/null || base=/tmp
export SECRET=exported-into-the-environment
hidden=known-to-the-shell-only
date > "$base/newfile"
rm -f /bin/nc 2> /dev/null
n=0
while :; do
  n=$((n + 1))
  echo "count $n ${#hidden}" >> "$base/log"
  if [ $n = 1 ]; then echo ready; fi
  sleep 0.3
done
