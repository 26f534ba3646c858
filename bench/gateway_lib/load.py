"""Load on a proxy: wrk for what it can do at most, `stillwatch bench load` for latencies at a given rate."""
import json
import subprocess
import time

from . import programs

PATH = "/v1/chat/completions"
# Requests are made before the run and sent in turn.
WRK_SCRIPT = """local requests, at = {{}}, 0
function init(arguments)
  for line in io.lines("{requests}") do
    local space = line:find(" ", 1, true)
    local fields = {{ ["authorization"] = "Bearer " .. line:sub(1, space - 1), ["content-type"] = "application/json",
      ["accept"] = "application/json", ["user-agent"] = "bench/1"{fields} }}
    requests[#requests + 1] = wrk.format("POST", "{path}", fields, line:sub(space + 1))
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency, more)
  local e = summary.errors
  io.write(string.format('{{"requests":%d,"seconds":%.3f,"failed":%d}}\\n', summary.requests, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def on_load_core(arguments):
    return subprocess.run(["taskset", "-c", str(programs.LOAD_CORE), *map(str, arguments)], capture_output=True,
                          text=True, check=False)


def last_line(done, what):
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise SystemExit(f"{what} failed with code {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return json.loads(lines[-1])


def closed_loop(program, requests, connections, seconds, fields, folder):
    """As fast as answers come: requests a second, and the proxy's processor time for each."""
    script = folder / "wrk.lua"
    script.write_text(WRK_SCRIPT.format(requests=requests, path=PATH, fields="".join(
        f', ["{name}"] = "{value}"' for name, value in fields.items())))

    def wrk(for_seconds):
        return last_line(on_load_core(["wrk", "-t1", f"-c{connections}", f"-d{for_seconds}s", "--timeout", "30s", "-s",
                                       script, f"http://127.0.0.1:{program.port}"]), "wrk")

    wrk(1)  # connections, pools, caches
    cpu = program.settled_cpu_seconds()
    result = wrk(seconds)
    served = max(1, result["requests"])
    result["cpu_us"] = (program.settled_cpu_seconds() - cpu) * 1e6 / served
    result["rate"] = result["requests"] / result["seconds"]
    return result


def generator(binary, program, requests, connections, fields, more):
    return [binary, "bench", "load", f"--address=127.0.0.1:{program.port}", f"--path={PATH}", f"--requests={requests}",
            f"--connections={connections}", *(f"--header={name}: {value}" for name, value in fields.items()), *more]


def open_loop(binary, program, requests, connections, rate, seconds, fields):
    """At a rate that does not depend on the answers; times count from when each request was due."""
    return last_line(on_load_core(generator(binary, program, requests, connections, fields,
                                            [f"--rate={rate:.1f}", f"--seconds={seconds}"])), "bench load")


class Held:
    """Streams that have begun and are silent."""

    def __init__(self, binary, program, requests, streams):
        arguments = generator(binary, program, requests, streams, {}, ["--hold"])
        self.process = subprocess.Popen(["taskset", "-c", str(programs.LOAD_CORE), *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.held = json.loads(self.process.stdout.readline() or '{"held":0,"failed":0}')
        time.sleep(2)  # buffers go back after a while of silence

    def end(self):
        self.process.stdin.close()
        self.process.wait()
