"""Open vSwitch with DPDK, from Debian's packages: doing the same work as Strata, and its cheapest."""
import os
import pathlib
import re

from comparison import world
from comparison.scenarios import PODS
from lab.fabric import find_ovs
from lab.shell import CommandError, Process, run, wait_until

from .device import Device

UNPACKED = pathlib.Path(os.environ.get("STRATA_CACHE", "/var/cache/strata")) / "ovs-dpdk"
PROGRAM = "usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"


def find_program():
    for root in (UNPACKED, pathlib.Path("/")):
        if (root / PROGRAM).exists():
            return root / PROGRAM
    raise CommandError("ovs-vswitchd-dpdk is missing; tests/setup/packages bench fetches it")


class Ovs(Device):
    """One bridge with the pods; for a tunnel another one that has the uplink, since that is how its
    userspace tunnels work: the bridge's own address is the tunnel's end."""

    megabytes = 1024

    def start(self):
        d = self.directory
        self.make_namespaces()
        run([find_ovs("ovsdb-tool"), "create", d / "db", find_ovs("vswitch.ovsschema")])
        self._daemon(find_ovs("ovsdb-server"), "ovsdb-server", [d / "db", f"--remote=punix:{d}/db.sock"])
        wait_until((d / "db.sock").exists, "ovsdb-server's socket")
        self.vsctl("--no-wait", "init")
        self._configure(dpdk_init="true", dpdk_lcore_mask=hex(1 << self.other_cpu),
                        pmd_cpu_mask=hex(1 << self.cpu), dpdk_socket_mem="512", dpdk_socket_limit="768",
                        max_idle="3600000",  # what it has learnt stays, while others have their turn
                        dpdk_extra=f"--no-pci --file-prefix={self.prefix}ovs")
        self._daemon(find_program(), "ovs-vswitchd", [f"unix:{d}/db.sock"])
        sockets = [self._add_ports("in", self.scenario.enters), self._add_ports("out", self.scenario.leaves)]
        self._add_flows()
        return sockets

    def _daemon(self, program, name, arguments):
        d = self.directory
        self.processes.append(Process.start(
            [program, *arguments, f"--unixctl={d}/{name}.ctl", "-vconsole:warn"], d / f"{name}.log", ns=self.ns,
            env={"OVS_RUNDIR": str(d), "RUNTIME_DIRECTORY": str(d)}))

    def _configure(self, **values):
        settings = [f'other_config:{key.replace("_", "-")}="{value}"' for key, value in values.items()]
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", *settings)

    def vsctl(self, *arguments):
        return run([find_ovs("ovs-vsctl"), f"--db=unix:{self.directory}/db.sock", "--timeout=30", *arguments])

    def appctl(self, *arguments):
        return run([find_ovs("ovs-appctl"), "-t", f"{self.directory}/ovs-vswitchd.ctl", *arguments])

    # ── ports ─────────────────────────────────────────────────────────────────────────────────────

    def _add_ports(self, port, kind):
        bridge = "br-uplink" if kind == "tunnel" else "br0"
        socket = self.directory / port
        self._add_bridge("br0")
        self._add_bridge(bridge)
        self.vsctl("add-port", bridge, port, "--", "set", "interface", port, *self.interface(socket))
        if kind == "tunnel":
            self._add_tunnel(bridge)
        return socket

    def interface(self, socket):
        """Its columns in the database."""
        return "type=dpdkvhostuserclient", f"options:vhost-server-path={socket}", f"mtu_request={world.UPLINK_MTU}"

    def _add_bridge(self, name):
        self.vsctl("--may-exist", "add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "protocols=OpenFlow10,OpenFlow14",
                   "fail-mode=secure", f"other-config:hwaddr={self.uplink_mac}" if name == "br-uplink" else "external-ids:a=b")

    def _add_tunnel(self, bridge):
        self.vsctl("add-port", "br0", "vxlan", "--", "set", "interface", "vxlan", "type=vxlan", "options:remote_ip=flow",
                   f"options:key={world.VNI}", f"options:dst_port={world.VXLAN_PORT}", "options:ttl=64")
        run(f"ip address add {world.NODE1_IP}/24 dev {bridge}", ns=self.ns)
        run(f"ip link set {bridge} up mtu {world.UPLINK_MTU}", ns=self.ns)
        wait_until(lambda: world.NODE1_IP in self.appctl("ovs/route/show"), "the uplink's route")
        self.appctl("tnl/neigh/set", bridge, world.NODE2_IP, world.NODE2_MAC)

    # ── flows ─────────────────────────────────────────────────────────────────────────────────────

    def _add_flows(self):
        for bridge, flows in self.flows().items():
            run([find_ovs("ovs-ofctl"), "--bundle", "-O", "OpenFlow14", "add-flows", f"{self.directory}/{bridge}.mgmt", "-"],
                stdin="\n".join(flows) + "\n", timeout=180)

    def flows(self):
        """By bridge."""
        raise NotImplementedError

    def _uplink_flows(self):
        """The bridge that has the uplink: all for the tunnel goes to the bridge's own address, all else out."""
        if self.scenario.enters == "tunnel":
            return {"br-uplink": ["in_port=in,actions=LOCAL"]}
        if self.scenario.leaves == "tunnel":
            return {"br-uplink": ["in_port=LOCAL,actions=output:out"]}
        return {}

    # ── measuring ─────────────────────────────────────────────────────────────────────────────────

    def connected(self):
        wait_until(lambda: run([find_ovs("ovs-ofctl"), "show", f"{self.directory}/br0.mgmt"]).count("LINK_DOWN") <= 1,
                   "ports of the generator")

    def work(self):
        text = self.appctl("dpif-netdev/pmd-stats-show")
        total = [0, 0]
        for busy, packets in re.findall(r"packets received: .*?processing cycles: (\d+).*?"
                                        r"avg processing cycles per packet: \S+ \(\d+/(\d+)\)", text, re.S):
            total = [total[0] + signed(int(busy)), total[1] + int(packets)]
        return tuple(total)


class Port(Ovs):
    """Its cheapest: what comes in at the one port goes out of the other, with a tag or tunnel if it must."""

    def flows(self):
        actions = []
        enters = {"pod": "in_port=in", "kernel": "in_port=in", "vlan": f"in_port=in,dl_vlan={world.VLAN}", "tunnel": "in_port=vxlan"}[self.scenario.enters]
        if self.scenario.enters == "vlan":
            actions.append("strip_vlan")
        if self.scenario.leaves == "vlan":
            actions.append(f"mod_vlan_vid:{world.VLAN}")
        if self.scenario.leaves == "tunnel":
            actions += [f"set_field:{world.NODE2_IP}->tun_dst", "output:vxlan"]
        else:
            actions.append("output:out")
        return {"br0": [f"{enters},actions={','.join(actions)}"], **self._uplink_flows()}


class Router(Ovs):
    """The same work as Strata's: from a pod only its own addresses, from the wire only its tunnel or VLAN; then
    by the destination's address a new TTL, new MAC addresses, and the way out.

    Not at scale: its limit of learnt flows starts at 10,000 and grows by 1000 every half second, if its
    revalidators have a CPU to themselves. What would be measured is how far that has got."""

    @staticmethod
    def can(scenario):
        return Ovs.can(scenario) and not scenario.scale

    def flows(self):
        return {"br0": [*self._admission(), *self._routes()], **self._uplink_flows()}

    def _admission(self):
        """Table 0: who may send."""
        overlay = self.scenario.network == "overlay"
        if self.scenario.enters in PODS:
            pod = world.POD_A if overlay else world.POD_V
            return [f"in_port=in,dl_src={pod.mac},ip,nw_src={pod.ip4},actions=resubmit(,1)",
                    f"in_port=in,dl_src={pod.mac},ipv6,ipv6_src={pod.ip6},actions=resubmit(,1)"]
        if self.scenario.enters == "vlan":
            return [f"in_port=in,dl_vlan={world.VLAN},dl_dst={self.uplink_mac},actions=strip_vlan,resubmit(,1)"]
        return [f"in_port=vxlan,tun_id={world.VNI},actions=resubmit(,1)"]

    def _routes(self):
        """Table 1: where it goes."""
        if self.scenario.leaves == "tunnel":
            return self._route(world.REMOTE, [*rewrite(self.uplink_mac, world.NODE2_MAC),
                                              f"set_field:{world.NODE2_IP}->tun_dst", "output:vxlan"])
        if self.scenario.leaves == "vlan":
            return self._route(world.REMOTE_V, [*rewrite(self.uplink_mac, world.REMOTE_V.mac),
                                                f"mod_vlan_vid:{world.VLAN}", "output:out"])
        if self.scenario.enters in PODS:
            pod = world.POD_B
        else:
            pod = world.POD_A if self.scenario.network == "overlay" else world.POD_V
        return self._route(pod, [*rewrite(world.GATEWAY_MAC, pod.mac), "output:out"])

    @staticmethod
    def _route(station, actions):
        return [f"table=1,ip,nw_dst={station.ip4},actions={','.join(actions)}",
                f"table=1,ipv6,ipv6_dst={station.ip6},actions={','.join(actions)}"]


def signed(number):
    """A number of 64 bits as OVS prints it: its cycles were below 0 before a first round."""
    return number - (number >> 63 << 64)


def rewrite(source, target):
    return ["dec_ttl", f"mod_dl_src:{source}", f"mod_dl_dst:{target}"]
