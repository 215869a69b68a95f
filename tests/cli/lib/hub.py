"""hub.py PORTS LOG - a small server that behaves as the Hub does, and as it should not. Two ports: the Hub, and the store it leads to.
Writes both port numbers to PORTS, and a line for each request to LOG: port name, path, Range, If-Range, Authorization."""
import hashlib, http.server, json, os, sys, threading

weights = hashlib.shake_128(b"weights").digest(300000)
sha = hashlib.sha256(weights).hexdigest()
commit = "0123456789abcdef0123456789abcdef01234567"
files = {"config.json": b'{"model_type": "gpt2"}', "tokenizer.json": b"{}", "tokenizer_config.json": b"{}"}
seen = {}
ports = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def listed(self, *names):
        self.answer(200, json.dumps({"sha": commit, "siblings": list(names)}).encode())

    def cut(self, code, body, **headers):  # promises more than it sends
        self.answer(code, body, **headers)
        self.wfile.flush()
        self.close_connection = True

    def store(self, path, etag='"v1"'):
        n, rng = len(weights), self.headers.get("Range")
        first = seen[self.path] == 1
        if rng and self.headers.get("If-Range") in (None, etag):
            at = int(rng[6:-1])
            self.answer(206, weights[at:], ETag=etag, Content_Range="bytes %d-%d/%d" % (at, n - 1, n))
        elif "cut" in path and (first or "always" in path):
            self.cut(200, weights[: n // 2], ETag=etag, Content_Length=str(n))
        else:
            self.answer(200, weights, ETag=etag)

    def do_GET(self):
        name = self.server.name
        seen[self.path] = seen.get(self.path, 0) + 1
        h = self.headers
        with open(sys.argv[2], "a") as log:
            print(name, self.path, h.get("Range"), h.get("If-Range"), h.get("Authorization"), file=log)
        path = self.path.split("?")[0]
        store = "http://127.0.0.1:%d" % ports["store"]
        lfs = {"size": len(weights), "lfs": {"sha256": sha, "size": len(weights)}}
        if name == "store":
            if path == "/back":
                self.answer(302, Location="http://127.0.0.1:%d/plain.bin" % ports["hub"])
            elif path == "/changed":
                self.store(path, '"v%d"' % (1 if seen.get("/cut-always/changed") and seen[self.path] == 1 else 2))
            else:
                self.store(path)
        elif path == "/api/models/o/tiny":
            self.listed({"rfilename": ".gitattributes"}, {"rfilename": "README.md"}, *({"rfilename": f, "size": len(b)} for f, b in files.items()),
                        dict(rfilename="model.safetensors", **lfs), {"rfilename": "pytorch_model.bin"}, {"rfilename": "sub/model.safetensors"})
        elif path == "/api/models/o/evil":
            self.listed({"rfilename": "config.json"}, {"rfilename": "../evil.safetensors"})
        elif path == "/api/models/o/root":
            self.listed({"rfilename": "/etc/evil.safetensors"})
        elif path == "/api/models/o/pickled":
            self.listed({"rfilename": "config.json"}, {"rfilename": "pytorch_model.bin"})
        elif path == "/api/models/o/garbled":
            self.answer(200, b'{"siblings": [')
        elif path == "/api/models/o/private":
            self.answer(401, b"no")
        elif path == "/o/tiny/resolve/%s/config.json" % commit and seen[self.path] == 1:
            self.answer(429, Retry_After="1")
        elif path.startswith("/o/tiny/resolve/") and path.endswith("model.safetensors"):
            self.answer(302, Location=store + "/cut/model?signature=hidden", X_Linked_Etag='"%s"' % sha, X_Linked_Size=str(len(weights)))
        elif path == "/o/bad/resolve/main/sum.safetensors":
            self.answer(200, weights, ETag='"%s"' % ("0" * 64))
        elif path == "/o/bad/resolve/main/length.safetensors":
            self.answer(302, Location=store + "/whole", X_Linked_Etag='"%s"' % sha, X_Linked_Size="12345")
        elif path == "/o/bad/resolve/main/patience":
            self.answer(429, Retry_After="1")
        elif path == "/o/bad/resolve/main/round":
            self.answer(302, Location=self.path)
        elif path == "/o/bad/resolve/main/scheme":
            self.answer(302, Location="file:///etc/passwd")
        elif path == "/plain.bin":
            self.store(path)
        elif path.rsplit("/", 1)[-1] in files:
            body = files[path.rsplit("/", 1)[-1]]
            self.answer(200, body, ETag='"%s"' % hashlib.sha1(body).hexdigest())
        else:
            self.answer(404, b"Entry not found")


servers = []
for name in ("hub", "store"):
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    s.name, s.daemon_threads, ports[name] = name, True, s.server_address[1]
    servers.append(s)
threading.Thread(target=servers[1].serve_forever, daemon=True).start()
with open(sys.argv[1] + ".new", "w") as f:
    print(ports["hub"], ports["store"], sha, file=f)
os.rename(sys.argv[1] + ".new", sys.argv[1])
servers[0].serve_forever()
