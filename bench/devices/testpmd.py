"""DPDK's testpmd, which moves frames from port to port as they are: the limit of the port drivers."""
from lab.shell import Process, wait_until

from .device import Device


class Testpmd(Device):
    megabytes = 256

    def start(self):
        sockets = [self.directory / "in", self.directory / "out"]
        main = min({0, 1} - set(self.cpus), default=0)
        argv = ["dpdk-testpmd", "--in-memory", "--no-pci", "--no-telemetry", "--log-level=error",
                f"--file-prefix=testpmd-{self.prefix}", "-l", f"{main},{','.join(map(str, self.cpus))}", f"--main-lcore={main}",
                *(f"--vdev=net_vhost{i},iface={path},client=1" for i, path in enumerate(sockets)),
                "--", "--forward-mode=io", f"--nb-cores={len(self.cpus)}", "--stats-period=3600", "--total-num-mbufs=32768"]
        self.processes.append(Process.start(argv, self.directory / "testpmd.log",
                                            env={"RUNTIME_DIRECTORY": str(self.directory)}))
        return sockets

    def connected(self):
        process = self.processes[0]
        wait_until(lambda: "forwards packets on" in process.log_text(), process.log_text, timeout=30)
