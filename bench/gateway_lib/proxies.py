"""The proxies that are compared, and the upstreams behind them: configuration and start of each."""
import pathlib
import tempfile

from . import programs, request_lines

ANSWER = (
    '{"id":"chatcmpl-bench","object":"chat.completion","created":1767225600,"model":"gpt-bench","choices":[{"index":0,'
    '"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],'
    '"usage":{"prompt_tokens":250,"completion_tokens":200,"total_tokens":450}}'
    % ("A fixed answer of about one kilobyte. " * 21))

NGINX = """daemon off; master_process off; worker_rlimit_nofile 20000; error_log stderr error; pid {folder}/{name}.pid;
events {{ worker_connections 19000; multi_accept on; }}
http {{ access_log off; server_tokens off; default_type application/json; tcp_nodelay on;
keepalive_requests 1000000000; keepalive_timeout 600s; client_max_body_size 64m; client_body_buffer_size 512k;
client_body_temp_path {folder}/{name}.body; proxy_temp_path {folder}/{name}.proxy; fastcgi_temp_path {folder}/{name}.f;
uwsgi_temp_path {folder}/{name}.u; scgi_temp_path {folder}/{name}.s;
{inside} }}
"""
NGINX_FIXED = "server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{answer}'; }} }}"
# As an LLM gateway needs it: bodies and answers go through as they come.
NGINX_PROXY = """upstream model {{ server 127.0.0.1:{to}; keepalive 2048; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{port} backlog=4096;
location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_buffering {buffering}; proxy_request_buffering off; proxy_read_timeout 600s; }} }}"""
HAPROXY = """global
  nbthread 1
  maxconn 9500
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
  option http-no-delay
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  default_backend models
backend models
  server model 127.0.0.1:{to} pool-max-conn 4096
"""
STILLWATCH = """[server]
listen = ["127.0.0.1:{port}"]
admin_listen = ["127.0.0.1:{admin}"]
threads = 1
streams_max = 19000
[[upstream]]
name = "model"
urls = ["http://127.0.0.1:{to}"]
connections_max = 19000
idle_connections_max = 2048
[identity]
{identity}
{limits}
[query_log]
folder = "{folder}/log"
[state]
folder = "{folder}/state"
secret_file = "{folder}/secret"
[log]
file = "{folder}/run.log"
"""
# Far above what is sent: every one is counted, none refuses.
LIMITS = """[tiers.default.limits.{scope}]
requests_per_minute = 100000000
requests_per_day = 1000000000
tokens_per_minute = 1000000000
tokens_per_day = 1000000000000
streams_max = 1000000
"""
SCOPES = ("key", "account", "organisation", "tier")
PORTKEY_MAIN = "node_modules/@portkey-ai/gateway/build/start-server.js"
PEERS = pathlib.Path(__file__).resolve().parent / "peers"


class Site:
    """A folder for one proxy in one case; everything in it goes away with it."""

    def __init__(self, binary, load_binary):
        self.binary, self.load_binary = binary, load_binary
        self.temporary = tempfile.TemporaryDirectory(prefix="stillwatch_bench_")
        self.folder = pathlib.Path(self.temporary.name)

    def close(self):
        self.temporary.cleanup()

    def nginx(self, name, inside, core, port):
        path = self.folder / f"{name}.conf"
        path.write_text(NGINX.format(folder=self.folder, name=name, inside=inside))
        return programs.Program(name, [programs.found("nginx"), "-c", path, "-e", "stderr"], core, self.folder, port)

    def upstream(self, kind):
        """fixed: nginx; whole: reads the request before it answers; stream, silent: events piece by piece."""
        port = programs.free_port()
        if kind == "fixed":
            inside = NGINX_FIXED.format(port=port, answer=ANSWER)
            return self.nginx("upstream", inside, programs.LOAD_CORE, port)
        extra = {"whole": ["--whole"], "silent": ["--silent"]}.get(kind, [])
        arguments = [self.load_binary, "bench", "upstream", f"--listen=127.0.0.1:{port}", *extra]
        return programs.Program("upstream", arguments, programs.LOAD_CORE, self.folder, port)

    def proxy(self, name, to, streams):
        return {"nginx": self.nginx_proxy, "haproxy": self.haproxy, "portkey": self.portkey}.get(
            name, lambda to, streams: self.stillwatch(to, name))(to, streams)

    def nginx_proxy(self, to, streams):
        port = programs.free_port()
        inside = NGINX_PROXY.format(port=port, to=to, buffering="off" if streams else "on")
        return self.nginx("nginx", inside, programs.PROXY_CORE, port)

    def haproxy(self, to, _streams):
        port = programs.free_port()
        path = self.folder / "haproxy.cfg"
        path.write_text(HAPROXY.format(port=port, to=to))
        return programs.Program("haproxy", [programs.found("haproxy"), "-f", path, "-db"], programs.PROXY_CORE,
                                self.folder, port)

    def portkey(self, _to, _streams):
        port = programs.free_port()
        return programs.Program("portkey", [programs.found("node"), PEERS / PORTKEY_MAIN, f"--port={port}",
                                            "--headless"],
                                programs.PROXY_CORE, self.folder, port, {"NODE_ENV": "production"})

    def stillwatch(self, to, variant="stillwatch"):
        """`stillwatch`: all on. `stillwatch.no-limits`: without these. `stillwatch.pass`: nobody is known, so a request
        has no account, and nothing is judged, limited, logged or given to the engine."""
        port, admin = programs.free_port(), programs.free_port()
        keys = self.folder / "keys.ndjson"
        keys.write_text("".join(line + "\n" for line in request_lines.key_lines()))
        identity = 'unknown = "pass"' if variant.endswith(".pass") else f'keys_file = "{keys}"'
        limits = "" if variant != "stillwatch" else "".join(LIMITS.format(scope=scope) for scope in SCOPES)
        path = self.folder / "gateway.toml"
        path.write_text(STILLWATCH.format(port=port, admin=admin, to=to, folder=self.folder, identity=identity,
                                          limits=limits))
        program = programs.Program("stillwatch", [self.binary, "serve", f"--config={path}"], programs.PROXY_CORE,
                                   self.folder, port)
        program.admin = admin
        return program
