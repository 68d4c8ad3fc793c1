"""Running commands, in a network namespace or not, and processes that outlive their starter."""
import json
import os
import signal
import subprocess
import time


class CommandError(Exception):
    """A command ended with another exit code than 0; says which, and what it printed."""


def run(command, ns=None, check=True, timeout=60, stdin=None, env=None):
    """Runs a command (a list, or a string that is split at spaces); returns its standard output."""
    argv = command.split() if isinstance(command, str) else [str(c) for c in command]
    if ns:
        argv = ["ip", "netns", "exec", ns] + argv
    try:
        done = subprocess.run(argv, input=stdin, text=True, capture_output=True, timeout=timeout,
                              env=None if env is None else {**os.environ, **env})
    except subprocess.TimeoutExpired as e:
        raise CommandError(f"{' '.join(argv)}: not done after {timeout} s") from e
    if check and done.returncode != 0:
        raise CommandError(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def ok(command, ns=None, timeout=60):
    """Whether a command ends with exit code 0."""
    try:
        run(command, ns=ns, timeout=timeout)
        return True
    except CommandError:
        return False


def wait_until(condition, what, timeout=20.0, interval=0.05):
    """Polls until condition() is true and returns its value; fails after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise CommandError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(interval)


def _start_time(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


class Process:
    """A process in the background, known by its id and start time, so that it can be found again
    by a later command and never be mistaken for another one."""

    def __init__(self, pid, start_time, log):
        self.pid, self.start_time, self.log = pid, start_time, log
        self._popen = None

    @classmethod
    def start(cls, argv, log, ns=None, env=None):
        argv = [str(a) for a in argv]
        if ns:
            argv = ["ip", "netns", "exec", ns] + argv
        with open(log, "ab") as out:
            popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                     start_new_session=True,
                                     env=None if env is None else {**os.environ, **env})
        process = cls(popen.pid, _start_time(popen.pid), str(log))
        process._popen = popen
        return process

    def alive(self):
        if self._popen is not None and self._popen.poll() is not None:
            return False
        return _start_time(self.pid) == self.start_time and self.start_time is not None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def stop(self, timeout=15):
        """SIGTERM, then SIGKILL if that was not enough. Returns the exit code if it is known."""
        self.signal(signal.SIGTERM)
        end = time.monotonic() + timeout
        while self.alive() and time.monotonic() < end:
            time.sleep(0.02)
        return self.kill()

    def kill(self):
        self.signal(signal.SIGKILL)
        if self._popen is not None:
            return self._popen.wait()
        while self.alive():
            time.sleep(0.02)
        return None

    def cpu_seconds(self):
        """User and system time so far, all threads."""
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kb(self):
        with open(f"/proc/{self.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def log_text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def to_json(self):
        return {"pid": self.pid, "start_time": self.start_time, "log": self.log}

    @classmethod
    def from_json(cls, obj):
        return cls(obj["pid"], obj["start_time"], obj["log"])


def write_json(path, obj):
    with open(path, "w") as f:
        json.dump(obj, f, indent=1)


def read_json(path):
    with open(path) as f:
        return json.load(f)
