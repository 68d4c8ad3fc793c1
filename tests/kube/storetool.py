"""Drives store_tool, the program that holds a store open for a test."""
import json
import os
import pathlib
import subprocess
import threading

from lab.shell import CommandError, wait_until

BUILD = pathlib.Path(os.environ.get("STRATA_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))


class StoreTool:
    """A store_tool in the API server's namespace. Knows all that it was told: `events` in order, and
    `objects` by (kind, namespace, name), as they stand."""

    def __init__(self, apiserver, *options, kubeconfig=None, env=None):
        self.log = open(apiserver.directory / f"store-tool-{os.getpid()}-{id(self)}.log", "w+")
        self.events, self.objects, self.synced, self.broken = [], {}, [], []
        self._answers, self._number = {}, 0
        argv = ["ip", "netns", "exec", apiserver.ns, BUILD / "tests/kube/store_tool",
                kubeconfig or apiserver.kubeconfig, *options]
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env={**os.environ, **(env or {})})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends it, and fails if it does not end well (a sanitizer, an abort)."""
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join()
        if code != 0:
            raise CommandError(f"store_tool: exit code {code}\n{self.log_text()}")

    def log_text(self):
        self.log.flush()
        with open(self.log.name, errors="replace") as f:
            return f.read()

    def _read(self):
        for text in self.process.stdout:
            line = json.loads(text)
            if "done" in line:
                self._answers[line["done"]] = line
                continue
            self.events.append(line)
            self._note(line)

    def _note(self, line):
        event, kind, obj = line["event"], line["kind"], line.get("object")
        if event == "SYNCED":
            self.synced.append(kind)
        elif event == "BROKEN":
            self.broken.append(line["message"])
        elif obj is not None:
            meta = obj["metadata"]
            key = (kind, meta.get("namespace", ""), meta["name"])
            if event == "PUT":
                self.objects[key] = obj
            else:
                self.objects.pop(key, None)

    def wait(self, condition, what, timeout=30):
        def alive_and():
            value = condition()
            if not value and self.process.poll() is not None:
                raise CommandError(f"store_tool ended: {self.process.returncode}\n{self.log_text()}")
            return value

        return wait_until(alive_and, lambda: f"{what}\n{self.log_text()}\n{self.events[-5:]}", timeout=timeout)

    def wait_synced(self, n, timeout=60):
        self.wait(lambda: len(self.synced) >= n, f"{n} kinds are synced", timeout=timeout)
        return self

    def wait_object(self, kind, name, namespace="", where=lambda obj: True, timeout=30):
        """The object, once it is there and is as wanted."""
        key = (kind, namespace, name)
        self.wait(lambda: key in self.objects and where(self.objects[key]), f"{key} is as wanted", timeout=timeout)
        return self.objects[key]

    def wait_gone(self, kind, name, namespace="", timeout=30):
        self.wait(lambda: (kind, namespace, name) not in self.objects, f"{name} is gone", timeout=timeout)

    def names(self, kind):
        return sorted(name for k, _, name in self.objects if k == kind)

    def begin(self, op, **order):
        """Gives an order; its number for finish()."""
        self._number += 1
        self.process.stdin.write(json.dumps({"op": op, "id": self._number, **order}) + "\n")
        self.process.stdin.flush()
        return self._number

    def finish(self, number, timeout=60):
        self.wait(lambda: number in self._answers, f"order {number} is done", timeout=timeout)
        return self._answers.pop(number)

    def do(self, op, timeout=60, **order):
        """The outcome of an order: {"error": "" or "ESTALE", …, "object", "message"}."""
        return self.finish(self.begin(op, **order), timeout)
