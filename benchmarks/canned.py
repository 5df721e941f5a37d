"""A Dataverse organization of canned answers, held in memory, in a process of its own.

    python benchmarks/canned.py FOLDER PAGES

FOLDER holds ``answers.json`` (what is asked for, to the answer) and the rows of each page, ``page-0000.json`` and on.
Serves the first PAGES of them as the rows of accounts until it is ended, and prints its port on a line. A page is sent
as it lies in memory, with a link behind it; nothing is compressed, whoever asks.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

API = "/api/data/v9.2/"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20
    disable_nagle_algorithm = True
    pages: list[bytes]
    answers: dict[str, bytes]

    @property
    def _base(self) -> str:
        return f"http://{self.headers['Host']}{API}"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        path = unquote(parts.path.removeprefix(API))
        if path == "accounts" and "$deltatoken" not in asked:
            self._page(int(asked.get("$skiptoken", ["0"])[0]))
            return
        found = next((body for beginning, body in self.answers.items() if path.startswith(beginning)), None)
        if found is None:
            self._send(404, b'{"error":{"code":"0x80060888","message":"not canned"}}')
        else:
            self._send(200, found)

    def do_POST(self) -> None:
        """Give a token, whatever was sent."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._send(200, b'{"access_token":"canned","token_type":"Bearer","expires_in":3600}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _page(self, number: int) -> None:
        last = number == len(self.pages) - 1
        link = f"accounts?$deltatoken={number}" if last else f"accounts?$skiptoken={number + 1}"
        head = f'{{"@odata.context":"{self._base}$metadata#accounts","value":['.encode()
        tail = f'],"@odata.{"delta" if last else "next"}Link":"{self._base}{link}"}}'.encode()
        self._send(200, head, self.pages[number], tail)

    def _send(self, status: int, *body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; odata.metadata=minimal")
        self.send_header("OData-Version", "4.0")
        self.send_header("Preference-Applied", "odata.track-changes,odata.maxpagesize=5000")
        self.send_header("Content-Length", str(sum(map(len, body))))
        self.end_headers()
        for each in body:
            self.wfile.write(each)


def main() -> None:
    folder, pages = Path(sys.argv[1]), int(sys.argv[2])
    answers = json.loads((folder / "answers.json").read_text())
    Handler.answers = {path: json.dumps(answer).encode() for path, answer in answers.items()}
    Handler.pages = [(folder / f"page-{number:04d}.json").read_bytes() for number in range(pages)]
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
