"""A pod: a network namespace that the plugin attaches to a node."""
import json
import os
import pathlib

from .shell import CommandError, Process, ok, run, wait_until

TYPE = "networking.alibaba.com/network-type"
FAMILY = "networking.alibaba.com/ip-family"


class Pod:
    """kind: "afxdp" or "vhost-user"; network: "Overlay", "Underlay" or None for the default;
    family: "IPv4", "IPv6", "DualStack" or None. A vhost-user pod needs an application: see vhost.py."""

    def __init__(self, node, name, namespace="default", network=None, family=None, kind=None, ifname="eth0",
                 annotations=None, version="1.1.0"):
        self.node, self.name, self.namespace = node, name, namespace
        self.ns = f"{node.lab.prefix}pod-{name}"
        self.container = f"{node.lab.prefix}{namespace}-{name}".replace("_", "-")
        self.kind, self.ifname, self.version = kind or "afxdp", ifname, version
        self.annotations = dict(annotations or {})
        if network:
            self.annotations[TYPE] = network
        if family:
            self.annotations[FAMILY] = family
        self.result = None
        self.app = None  # the application of a vhost-user pod

    @property
    def netns(self):
        return f"/var/run/netns/{self.ns}"

    def cni(self, command, **options):
        options.setdefault("version", self.version)
        return self.node.cni(
            command, container=self.container, netns=options.pop("netns", self.netns), ifname=self.ifname,
            args={"IgnoreUnknown": 1, "K8S_POD_NAMESPACE": self.namespace, "K8S_POD_NAME": self.name},
            config={"args": {"strata": {"portKind": self.kind, "annotations": self.annotations}}}, **options)

    def create(self):
        run(f"ip netns add {self.ns}")
        return self

    def attach(self):
        self.result = self.cni("ADD")
        return self

    def detach(self):
        self.cni("DEL")

    def destroy(self):
        if self.app is not None:
            self.app.stop()
        run(f"ip netns delete {self.ns}", check=False)

    def addresses(self):
        return [ip["address"].split("/")[0] for ip in self.result["ips"]]

    def address(self, family):
        """The pod's address of family 4 or 6, or None."""
        return next((a for a in self.addresses() if (":" in a) == (family == 6)), None)

    def exec(self, command, **options):
        return run(command, ns=self.ns, **options)

    def ping(self, address, count=3, timeout=10):
        """Whether one of `count` echo requests is answered; the first may only wake a neighbour."""
        quick = ["ping", "-n", "-c", "1", "-W", "1", address]
        patient = ["ping", "-n", "-i", "0.2", "-c", count, "-W", "2", address]
        return ok(quick, ns=self.ns, timeout=timeout) or ok(patient, ns=self.ns, timeout=timeout + count)

    def port(self):
        """The switch's record of the port."""
        return next((p for p in self.node.show("port") if p["name"] == f"{self.namespace}/{self.name}/{self.ifname}"), None)


class TestpmdPod:
    """The application of a vhost-user pod: DPDK's testpmd between the pod's virtio-user device and
    a tap device, so that the pod's kernel can use the port like any other (`mode` "io"), or testpmd
    answering ping by itself ("icmpecho")."""

    __test__ = False

    def __init__(self, pod, mode="io", packed=False, queues=1):
        self.pod, self.mode, self.packed, self.queues = pod, mode, packed, queues
        self.process = None
        interface = pod.result["interfaces"][0]
        self.socket = pathlib.Path(interface["socketPath"])
        self.mac, self.mtu = interface["mac"], interface.get("mtu", 1500)

    def start(self):
        server = json.loads((self.socket.parent / "port.json").read_text()).get("mode") != "server"
        if server:
            self.socket.unlink(missing_ok=True)  # a killed testpmd leaves it, and does not bind to it again
        vdev = (f"net_virtio_user0,path={self.socket},mac={self.mac},queues={self.queues},"
                f"packed_vq={int(self.packed)},mrg_rxbuf=1{',server=1' if server else ''}")
        argv = ["nice", "-n", "19", "dpdk-testpmd", "--no-huge", "--no-shconf", "--no-pci", "-m", "128",
                "--no-telemetry", f"--file-prefix=pod-{self.pod.name}-{os.getpid()}", "-l", "0,1", "--log-level=error",
                f"--vdev={vdev}"]
        if self.mode == "io":
            argv.append("--vdev=net_tap0,iface=eth0")
        # The first statistics are printed once the machine has been up for a period.
        argv += ["--", f"--forward-mode={self.mode}", "--stats-period=60",
                 "--nb-cores=1", "--total-num-mbufs=8192"]
        if self.queues > 1:
            argv += [f"--rxq={self.queues}", f"--txq={self.queues}"]
        log = self.pod.node.lab.directory / f"testpmd-{self.pod.name}.log"
        log.unlink(missing_ok=True)
        # EAL's run-time folder, which it does not remove.
        env = {"RUNTIME_DIRECTORY": str(self.pod.node.lab.directory)}
        self.process = Process.start(argv, log, ns=self.pod.ns, env=env)
        try:
            # Not before it forwards: its start gives a tap device an address of its own.
            wait_until(lambda: "Port statistics" in self.process.log_text(),
                       lambda: f"testpmd does not come up:\n{self.process.log_text()[-2000:]}", timeout=30)
        except CommandError:
            self.stop()
            raise
        if self.mode == "io":
            self._configure()
        return self

    def _configure(self):
        """Does in the pod what the result of ADD says, as any application has to."""
        ns = self.pod.ns
        run(["sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0", "net.ipv6.conf.eth0.autoconf=0"], ns=ns)
        run("ip link set lo up", ns=ns)
        run(f"ip link set eth0 address {self.mac} mtu {self.mtu} up", ns=ns)
        for ip in self.pod.result["ips"]:
            v6 = ":" in ip["address"]
            run(["ip", "address", "add", ip["address"], "dev", "eth0", "noprefixroute"] + (["nodad"] if v6 else []), ns=ns)
            if not v6:
                run("ip route add 169.254.1.1 dev eth0 scope link", ns=ns)
            gateway = "fe80::ecee:eeff:feee:eeee" if v6 else "169.254.1.1"
            run(["ip", "-6" if v6 else "-4", "route", "add", "default", "via", gateway, "dev", "eth0"], ns=ns)

    def stop(self):
        if self.process is not None:
            self.process.stop(timeout=5)

    def kill(self):
        self.process.kill()
