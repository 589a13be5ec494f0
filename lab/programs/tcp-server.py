"""One half of a pair: takes one connection, leaves what it is sent unread, and stands still."""

import signal
import socket

import tcp

PORT = 9000
KEEP_OPEN = socket.create_server(("0.0.0.0", PORT))
print("listening", flush=True)
connection, _ = KEEP_OPEN.accept()
tcp.settle(connection, sends=tcp.TO_CLIENT, gets=tcp.TO_SERVER)
while True:
    signal.pause()
