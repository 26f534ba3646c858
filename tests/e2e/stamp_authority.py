"""An RFC 3161 time stamping authority made of `openssl ts`, behind HTTP. Every answer is the openssl program's."""
import http.server
import subprocess
import threading

CONFIGURATION = """[req]
distinguished_name=dn
[dn]
[ca]
basicConstraints=critical,CA:true
[stamper]
basicConstraints=CA:false
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
[tsa]
default_tsa=tsa1
[tsa1]
serial=serial
signer_cert=tsa.pem
signer_key=tsa.key
signer_digest=sha256
certs=ca.pem
default_policy=1.2.3.4.1
digests=sha256
accuracy=secs:1
ordering=no
tsa_name=no
ess_cert_id_chain=no
ess_cert_id_alg=sha256
"""
MAKE = """openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=TestCA \\
  -config ts.cnf -extensions ca
openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=TestTSA -config ts.cnf
openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 30 -extfile ts.cnf \\
  -extensions stamper
"""


class StampAuthority:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "ts.cnf").write_text(CONFIGURATION)
        subprocess.run(["sh", "-e", "-c", MAKE], cwd=folder, check=True, capture_output=True)
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                answer = authority.answer(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, query):
        (self.folder / "q.tsq").write_bytes(query)
        subprocess.run(["openssl", "ts", "-reply", "-config", "ts.cnf", "-section", "tsa1", "-queryfile", "q.tsq",
                        "-out", "r.tsr"], cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "r.tsr").read_bytes()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
