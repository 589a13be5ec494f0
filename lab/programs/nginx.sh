#!/bin/busybox sh
# nginx does not say when its workers serve: ready is when a page came.
nginx -c /opt/lab/etc/nginx.conf &
until busybox wget -q -O /dev/null http://127.0.0.1:8080/; do sleep 0.1; done
echo ready
wait
