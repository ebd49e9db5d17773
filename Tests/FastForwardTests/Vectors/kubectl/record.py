#!/usr/bin/env python3
"""Records what the real kubectl makes of kubeconfigs, flags, variables and targets.

    python3 record.py            runs every row of rows.json and writes what kubectl did beside it
    python3 record.py --check    runs every row and fails where kubectl does something else now
                      --sample   only about one row in twenty, others each time

Each row runs `kubectl port-forward ARGUMENTS` in a directory of its own, against an API server in this file: TLS
on one loopback port, plain HTTP on another, a proxy on a third. What is recorded is the GET that asks for the
target (its path and what its head says of the user), the pod whose port-forward was asked for, or the error text.
Placeholders in rows: {tls} {plain} {proxy} are `127.0.0.1:PORT`, {dir} is the row's directory. It holds ca.pem,
other-ca.pem, client-a.pem, client-a-key.pem, client-b.pem, client-b-key.pem, token ("from-file"), the row's
"config", and the program plugin.sh, which prints answer.json and keeps KUBERNETES_EXEC_INFO.
"""

import base64
import concurrent.futures
import json
import os
import random
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = os.path.join(HERE, "rows.json")
CORE = [
    ("pods", "Pod", ["po"]), ("services", "Service", ["svc"]), ("replicationcontrollers", "ReplicationController", ["rc"]),
    ("configmaps", "ConfigMap", ["cm"]), ("nodes", "Node", ["no"]), ("secrets", "Secret", []), ("events", "Event", ["ev"]),
]


def discovery():
    """The aggregated discovery of a real API server, and the core group."""
    recorded = open(os.path.join(HERE, "..", "http-discovery.bin"), "rb").read().split(b"\r\n\r\n", 1)[1]
    body = b""
    while True:
        line, recorded = recorded.split(b"\r\n", 1)
        size = int(line, 16)
        if size == 0:
            break
        body, recorded = body + recorded[:size], recorded[size + 2:]
    resources = [
        {"resource": plural, "responseKind": {"group": "", "version": "v1", "kind": kind}, "scope": "Namespaced",
         "singularResource": kind.lower(), "shortNames": short, "verbs": ["get", "list", "watch"]}
        for plural, kind, short in CORE
    ]
    core = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
            "items": [{"metadata": {}, "versions": [{"version": "v1", "resources": resources, "freshness": "Current"}]}]}
    return {"/apis": json.loads(body), "/api": core}


DISCOVERY = discovery()


class Run:
    """One row while its kubectl runs."""

    def __init__(self, row):
        self.row = row
        self.facts = {}
        self.server_name = None


class API(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value, content_type="application/json"):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def fail(self, status, reason, message):
        self.answer(status, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
                             "message": message, "code": status})

    def do_POST(self):
        self.do_GET()

    def do_GET(self):
        run = self.server.run
        url = urlsplit(self.path)
        if url.path in DISCOVERY and not run.row.get("basePath"):
            self.answer(200, DISCOVERY[url.path],
                        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
            return
        path = url.path.removeprefix(run.row.get("basePath", ""))
        if path in DISCOVERY:
            self.answer(200, DISCOVERY[path], "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
            return
        if path == "/version":
            # Some distributions of kubectl ask for it before they choose the kubectl to run.
            self.answer(200, {"major": "1", "minor": "32", "gitVersion": "v1.32.4"})
            return
        facts = run.facts
        if url.path.endswith("/portforward"):
            facts["pod"] = url.path.split("/")[-2]
            self.fail(403, "Forbidden", "recorded")
            return
        if "path" not in facts:
            facts["path"] = url.path
            facts["scheme"] = "https" if self.server.is_tls else "http"
            if self.headers["Authorization"]:
                facts["authorization"] = self.headers["Authorization"]
            impersonation = [f"{name}: {value}" for name, value in self.headers.items()
                             if name.lower().startswith("impersonate-")]
            if impersonation:
                facts["impersonation"] = sorted(impersonation)
            if self.server.is_tls:
                certificate = self.connection.getpeercert()
                if certificate:
                    facts["client"] = certificate["subject"][0][0][1]
                if run.server_name:
                    facts["serverName"] = run.server_name
            if urlsplit(self.path).netloc:
                facts["proxied"] = urlsplit(self.path).netloc
        objects = run.row.get("objects")
        if objects is None:
            self.fail(404, "NotFound", "recorded")
            return
        if path.endswith("/pods"):
            query = parse_qs(url.query)
            facts["labelSelector"] = query.get("labelSelector", [""])[0]
            if "watch" in query:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Connection", "close")
                self.end_headers()
                if "appearing" in run.row:
                    event = {"type": "ADDED", "object": dict(run.row["appearing"], kind="Pod", apiVersion="v1")}
                    self.wfile.write(json.dumps(event).encode())
                    self.wfile.flush()
                self.connection.settimeout(2)
                try:
                    self.connection.recv(1)
                except OSError:
                    pass
                self.close_connection = True
                return
            self.answer(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"},
                              "items": run.row.get("pods", [])})
        elif path in objects:
            self.answer(200, objects[path])
        elif "/pods/" in path:
            pods = run.row.get("pods", []) + [run.row.get("appearing", {"metadata": {"name": ""}})]
            found = [pod for pod in pods if pod["metadata"]["name"] == path.split("/")[-1]]
            if found:
                self.answer(200, dict(found[0], kind="Pod", apiVersion="v1"))
            else:
                self.fail(404, "NotFound", "recorded")
        else:
            self.fail(404, "NotFound", "recorded")


class Proxy(BaseHTTPRequestHandler):
    """Leads every CONNECT to the TLS port, whatever name it asks for, and every other request to the plain one."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        facts = self.server.run.facts
        facts["proxied"] = self.path
        if self.headers["Proxy-Authorization"]:
            facts["proxyAuthorization"] = self.headers["Proxy-Authorization"]
        upstream = socket.create_connection(("127.0.0.1", self.server.tls_port))
        self.send_response(200)
        self.end_headers()

        def copy(source, destination):
            try:
                while data := source.recv(65536):
                    destination.sendall(data)
                destination.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        back = threading.Thread(target=copy, args=(upstream, self.connection), daemon=True)
        back.start()
        copy(self.connection, upstream)
        back.join()
        self.close_connection = True

    def do_GET(self):
        API.do_GET(self)

    answer = API.answer
    fail = API.fail


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_certificates(directory):
    def path(name):
        return os.path.join(directory, name)

    def authority(name):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", path(f"{name}-key.pem"), "-out", path(f"{name}.pem"))

    def leaf(name, extension):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", path(f"{name}-key.pem"), "-out", path(f"{name}.csr"))
        with open(path("ext"), "w") as file:
            file.write(extension)
        openssl("x509", "-req", "-in", path(f"{name}.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca-key.pem"),
                "-CAcreateserial", "-days", "2", "-extfile", path("ext"), "-out", path(f"{name}.pem"))

    authority("ca")
    authority("other-ca")
    leaf("server", "subjectAltName=IP:127.0.0.1,DNS:api.example,DNS:sub.api.example")
    leaf("client-a", "extendedKeyUsage=clientAuth")
    leaf("client-b", "extendedKeyUsage=clientAuth")


class Worker:
    """An API server, a proxy and a directory, for one row at a time."""

    def __init__(self, pki):
        self.pki = pki
        self.plain = self.serve(API, is_tls=False)
        self.tls = self.serve(API, is_tls=True)
        self.proxy = self.serve(Proxy, is_tls=False)
        self.proxy.tls_port = self.tls.server_address[1]

    def serve(self, handler, is_tls):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None
        server.is_tls = is_tls
        if is_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{self.pki}/server.pem", f"{self.pki}/server-key.pem")
            context.load_verify_locations(f"{self.pki}/ca.pem")
            context.verify_mode = ssl.CERT_OPTIONAL

            def named(_socket, name, _context):
                server.run.server_name = name

            context.sni_callback = named
            plain_request = server.get_request

            def get_request():
                connection, address = plain_request()
                connection.settimeout(5)
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

            server.get_request = get_request
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def record(self, row):
        run = Run(row)
        for server in (self.plain, self.tls, self.proxy):
            server.run = run
        directory = tempfile.mkdtemp(prefix="ffwd-kubectl-")
        names = ["ca", "other-ca", "client-a", "client-b", "client-a-key", "client-b-key"]
        for name in names:
            shutil.copy(f"{self.pki}/{name}.pem", directory)
        places = {"{tls}": "127.0.0.1:%d" % self.tls.server_address[1], "{dir}": directory,
                  "{plain}": "127.0.0.1:%d" % self.plain.server_address[1],
                  "{proxy}": "127.0.0.1:%d" % self.proxy.server_address[1]}
        for name in names:
            data = open(f"{self.pki}/{name}.pem", "rb").read()
            places["{%s-data}" % name] = base64.b64encode(data).decode()

        def fill(text):
            for name, value in places.items():
                text = text.replace(name, value)
            return text

        def put(name, text):
            os.makedirs(os.path.dirname(os.path.join(directory, name)), exist_ok=True)
            with open(os.path.join(directory, name), "w") as file:
                file.write(text)

        put("token", "from-file\n")
        put("plugin.sh", '#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" > ' + directory + "/info.json\ncat "
            + directory + "/answer.json\nexit ${STATUS:-0}\n")
        os.chmod(os.path.join(directory, "plugin.sh"), 0o755)
        put("answer.json", fill(json.dumps(row["answer"]) if not isinstance(row.get("answer", ""), str) else row.get("answer", "")))
        for name, text in row.get("files", {}).items():
            put(name, fill(text))
        environment = {"PATH": os.environ["PATH"], "HOME": directory}
        environment |= {name: fill(value) for name, value in row.get("environment", {}).items()}
        arguments = ["kubectl", "port-forward", "--cache-dir", directory + "/cache"] + [fill(word) for word in row["arguments"]]
        try:
            result = subprocess.run(arguments, cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True, timeout=20)
            output = result.stderr
        except subprocess.TimeoutExpired:
            output = "timed out"

        def unfill(text):
            for name, value in places.items():
                text = text.replace(value, name)
            return text

        # Without what klog says of the attempts, and without empty lines.
        lines = [line for line in output.splitlines() if line and not re.match(r"[EIW]\d{4} |\t| >", line)]
        facts = run.facts
        error = unfill("\n".join(lines))
        if row["name"].startswith("proxy:") and re.search("no such host|not api.example|unreachable|refused,|timeout|exceeded", error):
            facts["direct"] = True
        elif ("path" not in facts or "objects" in row) and "recorded" not in error:
            facts["error"] = error
        info = os.path.join(directory, "info.json")
        if os.path.exists(info):
            text = open(info).read()
            facts["execInfo"] = unfill(text)
        shutil.rmtree(directory, ignore_errors=True)
        return {key: unfill(value) if isinstance(value, str) else value for key, value in sorted(facts.items())}


def main():
    check = "--check" in sys.argv
    table = json.load(open(ROWS))
    if check and "--sample" in sys.argv:
        table["rows"] = table["rows"][random.randrange(20)::20]
    pki = tempfile.mkdtemp(prefix="ffwd-pki-")
    differences = 0
    try:
        make_certificates(pki)
        workers = [Worker(pki) for _ in range(2)]

        def share(index):
            return [(row, workers[index].record(row)) for row in table["rows"][index::len(workers)]]

        with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
            for pairs in pool.map(share, range(len(workers))):
                for row, facts in pairs:
                    if check and row.get("kubectl") != facts:
                        differences += 1
                        print(f"{row['name']}:\n  recorded {json.dumps(row.get('kubectl'))}\n  now      {json.dumps(facts)}")
                    row["kubectl"] = facts
    finally:
        shutil.rmtree(pki, ignore_errors=True)
    print(f"{len(table['rows'])} rows, {differences} differ" if check else f"{len(table['rows'])} rows recorded")
    if not check:
        version = json.loads(subprocess.run(["kubectl", "version", "--client", "-o", "json"], check=True,
                                            capture_output=True, text=True).stdout)["clientVersion"]["gitVersion"]
        table["recordedWith"] = f"python3 record.py (kubectl {version})"
        with open(ROWS, "w") as file:
            json.dump(table, file, indent=1, ensure_ascii=False)
            file.write("\n")
    sys.exit(1 if differences else 0)


main()
