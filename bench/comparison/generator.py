"""The generator (bench/generator) as a process that takes orders."""
import json
import os
import pathlib
import select
import signal
import subprocess

from lab.node import BUILD
from lab.shell import CommandError

PROGRAMS = BUILD / "bench/generator"
VIRTIO = "net_virtio_user{number},path={path},server=1,queue_size=1024,mac={mac}"


class Generator:
    """`ports` are DPDK device strings; a pathlib.Path is a socket at which it waits for a vhost-user device. Or
    they are two devices of the kernel's, as NAMESPACE:DEVICE. Its threads stay on one CPU."""

    def __init__(self, directory, cpu, ports):
        devices = [VIRTIO.format(number=i, path=port, mac=f"02:bb:00:00:00:{i:02x}") if isinstance(port, pathlib.Path) else port
                   for i, port in enumerate(ports)]
        self.directory = directory
        self.log = open(directory / "generator.log", "w+")
        kernel = str(ports[0]).startswith("/run/netns/")
        program = PROGRAMS / ("generate-kernel" if kernel else "generate")
        if not program.exists():
            raise CommandError(f"there is no {program}: install clang, and set the build folder up anew")
        if kernel:
            devices = [PROGRAMS / "kernel_bpf.o", *devices]
        argv = [program, "--in-memory", "--single-file-segments", "--no-pci", "--no-telemetry", "--iova-mode=va",
                f"--lcores={cpu}", "--log-level=error", "--file-prefix=generate", "--", *devices]
        self.process = subprocess.Popen(
            ["taskset", "-c", str(cpu), *map(str, argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
            env={**os.environ, "RUNTIME_DIRECTORY": str(directory)}, start_new_session=True)
        self.buffered = b""
        self.tsc_hz = 0

    def wait_ready(self, timeout=60):
        self.tsc_hz = self._answer(timeout)["tsc_hz"]
        return self

    def run(self, order, seconds, warmup, rate=0):
        """Carries out an order (keys and values); returns what was counted."""
        words = {**order, "seconds": seconds, "warmup": warmup, "rate": int(rate)}
        line = " ".join(f"{key}={value}" for key, value in words.items())
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self._answer(seconds + warmup + 20)

    def _answer(self, timeout):
        while b"\n" not in self.buffered:
            readable, _, _ = select.select([self.process.stdout], [], [], timeout)
            data = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not data:
                self.log.seek(0)
                raise CommandError(f"the generator {'ended' if readable else 'says nothing'}:\n"
                                   f"{self.buffered.decode()}{self.log.read()[-2000:]}")
            self.buffered += data
        line, self.buffered = self.buffered.split(b"\n", 1)
        answer = json.loads(line)
        if "error" in answer:
            raise CommandError(f"the generator: {answer['error']}")
        return answer

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
