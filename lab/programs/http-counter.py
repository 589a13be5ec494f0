"""A web server that counts its visitors, and is told secrets which it keeps in memory only."""

from http.server import BaseHTTPRequestHandler, HTTPServer

ADDRESS = ("127.0.0.1", 8088)


class Counter(BaseHTTPRequestHandler):
    visits = 0
    secrets: list[bytes] = []

    def do_GET(self) -> None:
        Counter.visits += 1
        self.answer(f"{Counter.visits}\n".encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/secret":
            Counter.secrets.append(body)
        self.answer(b"kept\n")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form: str, *values: object) -> None:
        # to standard output: that is the pipe to tee
        print(self.client_address[0], form % values)


with HTTPServer(ADDRESS, Counter) as server:
    print("ready")
    server.serve_forever(poll_interval=3600)
