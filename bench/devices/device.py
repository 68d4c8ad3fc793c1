"""What all devices have in common."""
import signal

from comparison import world
from lab.shell import run


class Device:
    """`scenario` is the way through it, `cpu` forwards, and on `other_cpu` is the generator, and what else it does.
    `directory` is a pathlib.Path that exists already; `prefix` begins the names of all that the machine's other
    users could see."""

    megabytes = 512  # of hugepages
    pod_mac = world.GATEWAY_MAC  # that pods' frames go to
    uplink_mac = "02:88:00:00:00:01"
    ns = None  # the network namespace that it runs in, if not the machine's
    tsc_hz = 0  # the machine's; known when it is connected

    def __init__(self, scenario, directory, prefix, cpu, other_cpu):
        self.scenario, self.directory, self.prefix = scenario, directory, prefix
        self.cpu, self.other_cpu = cpu, other_cpu
        self.processes = []
        self.made = []  # network namespaces

    @classmethod
    def missing(cls):
        """What has to be installed before it can join, for a message; "" if it can."""
        return ""

    @staticmethod
    def can(scenario):
        """Whether it has such ports."""
        return "kernel" not in (scenario.enters, scenario.leaves)

    def make_namespaces(self):
        """What a device that runs in a namespace of its own begins with."""
        self.ns = self.make_namespace()
        run("ip link set lo up", ns=self.ns)

    def make_namespace(self, suffix=""):
        """Returns its name; it is removed with the device."""
        ns = f"{self.prefix}{self.directory.name}{suffix}"
        run(f"ip netns add {ns}")
        self.made.append(ns)
        return ns

    def start(self):
        """Starts it; returns the generator's ports: where it enters, where it leaves. A path is the socket of a
        vhost-user device, else it is a DPDK device string."""
        raise NotImplementedError

    def connected(self):
        """Called when the generator has both ports."""

    def work(self):
        """(cycles, packets) that the forwarding threads have spent and seen so far, or None: then it polls
        without end, and at its limit each packet takes its share of all cycles."""
        return None

    def describe(self):
        """What it says about packets that went another way; for a complaint."""
        return ""

    def signal(self, number):
        for process in self.processes:
            process.signal(number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def stop(self):
        """Ends it and removes what it left; may be called at any time."""
        for process in reversed(self.processes):
            process.signal(signal.SIGCONT)
            process.stop()
        for ns in self.made:
            run(f"ip netns delete {ns}", check=False)
