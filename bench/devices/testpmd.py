"""DPDK's testpmd, which moves frames from port to port as they are: the limit of the port drivers."""
from lab.shell import Process, wait_until

from .device import Device
from .kernel_pods import KernelPods


class Testpmd(Device):
    megabytes = 256

    def start(self):
        sockets = [self.directory / "in", self.directory / "out"]
        self.run([f"net_vhost{i},iface={path},client=1" for i, path in enumerate(sockets)])
        return sockets

    def run(self, vdevs):
        argv = ["dpdk-testpmd", "--in-memory", "--no-pci", "--no-telemetry", "--log-level=error",
                f"--file-prefix=testpmd-{self.prefix}", "-l", f"{self.other_cpu},{self.cpu}", f"--main-lcore={self.other_cpu}",
                *(f"--vdev={vdev}" for vdev in vdevs),
                "--", "--forward-mode=io", "--nb-cores=1", "--stats-period=3600", "--total-num-mbufs=32768"]
        self.processes.append(Process.start(argv, self.directory / "testpmd.log", ns=self.ns,
                                            env={"RUNTIME_DIRECTORY": str(self.directory)}))

    def connected(self):
        process = self.processes[0]
        wait_until(lambda: "forwards packets on" in process.log_text(), process.log_text, timeout=30)


class KernelTestpmd(KernelPods, Testpmd):
    """The same for kernel pods, on AF_XDP. `busy_budget`: frames that the kernel handles in each of its polls of
    the device; 0: it handles them when they come."""

    busy_budget = 0

    def start(self):
        self.make_namespaces()
        self.run([f"net_af_xdp{i},iface={port},force_copy=1,busy_budget={self.busy_budget}"
                  for i, port in enumerate(("in", "out"))])
        self.connected()
        return self.generator_ports()


class BusyKernelTestpmd(KernelTestpmd):
    busy_budget = 64
