"""The physical network: a switch with VLANs, and the gateways behind it.

The switch is Open vSwitch with its userspace datapath in a namespace of its own. A node's port is
a trunk whose untagged frames are VLAN 1. Gateways are internal ports, so the namespace's kernel
routes between the VLANs and to an address that stands for the outside world.
"""
import os
import pathlib

from .shell import CommandError, Process, ok, run, wait_until

OUTSIDE4, OUTSIDE6 = "203.0.113.1", "2001:db8:ffff::1"

# Where the packages' files are when they were unpacked instead of installed (no service starts).
OVS_ROOTS = [pathlib.Path(os.environ.get("STRATA_CACHE", "/var/cache/strata")) / "ovs", pathlib.Path("/")]


def find_ovs(name):
    for root in OVS_ROOTS:
        for folder in ("usr/lib/openvswitch-switch", "usr/lib/openvswitch-common", "usr/sbin", "usr/bin", "usr/share/openvswitch"):
            path = root / folder / name
            if path.exists():
                return path
    raise CommandError(f"{name} of Open vSwitch is missing; tests/setup/packages fetches it")


class Fabric:
    """A switch named after its namespace; `directory` is for its sockets, logs and database."""

    def __init__(self, ns, directory):
        self.ns, self.directory = ns, pathlib.Path(directory)
        self.processes = []

    def start(self):
        d = self.directory
        d.mkdir(parents=True)
        run(f"ip netns add {self.ns}")
        run("ip link set lo up", ns=self.ns)
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            run(["sysctl", "-qw", f"{name}=1"], ns=self.ns)
        run(["sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0"], ns=self.ns)
        run(f"ip address add {OUTSIDE4}/32 dev lo", ns=self.ns)
        run(f"ip address add {OUTSIDE6}/128 dev lo", ns=self.ns)

        run([find_ovs("ovsdb-tool"), "create", d / "db", find_ovs("vswitch.ovsschema")])
        self._daemon("ovsdb-server", [d / "db", f"--remote=punix:{d}/db.sock"])
        wait_until((d / "db.sock").exists, "ovsdb-server's socket")
        self.vsctl("--no-wait", "init")
        self._daemon("ovs-vswitchd", [f"unix:{d}/db.sock"])
        self.vsctl("add-br", "sw0", "--", "set", "bridge", "sw0", "datapath_type=netdev")
        return self

    def _daemon(self, name, arguments):
        self.processes.append(Process.start(
            [find_ovs(name), *arguments, f"--unixctl={self.directory}/{name}.ctl", "-vconsole:warn"],
            self.directory / f"{name}.log", ns=self.ns, env={"OVS_RUNDIR": str(self.directory)}))

    def vsctl(self, *arguments):
        return run([find_ovs("ovs-vsctl"), f"--db=unix:{self.directory}/db.sock", "--timeout=20", *arguments],
                   ns=self.ns)

    def add_port(self, port, *settings):
        """Plugs a device of the namespace into the switch: settings like tag=56."""
        run(f"ip link set {port} up", ns=self.ns)
        plain_frames(port, self.ns)
        self.vsctl("add-port", "sw0", port, "--", "set", "port", port, *settings)

    def add_trunk(self, port, vlans):
        """A node's port: VLAN 1 untagged, the others tagged."""
        self.add_port(port, "vlan_mode=native-untagged", "tag=1", f"trunks={','.join(map(str, [1, *vlans]))}")

    def add_gateway(self, port, vlan, addresses):
        """A router's leg on a VLAN."""
        self.vsctl("add-port", "sw0", port, "--", "set", "port", port, f"tag={vlan}", "--",
                   "set", "interface", port, "type=internal")
        wait_until(lambda: ok(f"ip link show {port}", ns=self.ns), f"{port} of the switch")
        plain_frames(port, self.ns)
        run(f"ip link set {port} up", ns=self.ns)
        for address in addresses:
            run(["ip", "address", "add", address, "dev", port] + (["nodad"] if ":" in address else []), ns=self.ns)


def plain_frames(device, ns=None):
    """Turns off what leaves checksums or segmentation to a NIC that is not there."""
    run(["ethtool", "-K", device, "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"], ns=ns, check=False)
