"""The other half: connects to the server at argv[1], leaves what it is sent unread, and stands still."""

import signal
import socket
import sys

import tcp

PORT = 9000
connection = socket.create_connection((sys.argv[1] if sys.argv[1:] else "127.0.0.1", PORT), timeout=10)
connection.settimeout(None)
tcp.settle(connection, sends=tcp.TO_SERVER, gets=tcp.TO_CLIENT)
while True:
    signal.pause()
