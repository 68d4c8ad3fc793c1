"""grout, DPDK's graph router: the same work as Strata's but for the check of who sends, which it does not have."""
import re

from comparison import world
from comparison.scenarios import PODS
from lab.shell import Process, run, wait_until

from .installed import Installed


class Grout(Installed):
    """Not at scale: behind which tunnel a MAC address is, it learns from frames or from a routing daemon; grcli cannot
    say it. So what goes into the tunnel takes the way of unknown addresses, to the only node that there is."""

    programs = ("grout", "grcli")
    variable = "STRATA_GROUT"
    megabytes = 1536
    n_hosts = 0

    @staticmethod
    def can(scenario):
        return Installed.can(scenario) and not scenario.scale

    def start(self):
        self.make_namespaces()
        d = self.directory
        self.processes.append(Process.start(
            [self.find("grout"), "--poll-mode", f"--socket={d}/grout.sock", "--metrics=:0", f"--max-mtu={world.UPLINK_MTU}",
             "--", f"--file-prefix={self.prefix}grout"], d / "grout.log", ns=self.ns))
        wait_until((d / "grout.sock").exists, lambda: f"grout's socket: {self.processes[0].log_text()}")
        self.grcli(f"affinity cpus set control {self.other_cpu} datapath {self.cpu}")
        sockets = [d / "in", d / "out"]
        for i, path in enumerate(sockets):
            self.grcli(f"interface add port {path.name} devargs net_vhost{i},iface={path},client=1")
        self._route()
        return sockets

    def grcli(self, *commands):
        return run([self.find("grcli"), "--err-exit", "--no-pager", f"--socket={self.directory}/grout.sock"],
                   stdin="\n".join(commands) + "\n", ns=self.ns)

    def _mac(self, port):
        return re.search(r"mac: (\S+)", self.grcli(f"interface show name {port}")).group(1)

    # ── routes ────────────────────────────────────────────────────────────────────────────────────

    def _route(self):
        """The MAC addresses of vhost-user ports cannot be chosen; pods and the station behind the uplink send to them."""
        overlay = self.scenario.network == "overlay"
        here, remote = (world.POD_A, world.REMOTE) if overlay else (world.POD_V, world.REMOTE_V)
        self.pod_mac = self.uplink_mac = self._mac("in")
        if self.scenario.enters in PODS:
            target = world.POD_B if self.scenario.leaves in PODS else remote
        else:
            self._add_uplink("in", self.scenario.enters)
            target = here
        interface = "out" if self.scenario.leaves in PODS else self._add_uplink("out", self.scenario.leaves)
        for ip in (target.ip4, target.ip6):
            self._add_host(ip, target.mac, interface)

    def _add_host(self, ip, mac, interface):
        self.n_hosts += 1
        self.grcli(f"nexthop add l3 iface {interface} id {self.n_hosts} address {ip} mac {mac}",
                   f"route add {ip}/{128 if ':' in ip else 32} via id {self.n_hosts}")

    def _add_uplink(self, port, kind):
        """Returns the interface that its pods are behind."""
        if kind == "vlan":
            self.grcli(f"interface add vlan tagged parent {port} vlan_id {world.VLAN}")
            return "tagged"
        mac = self._mac(port)
        self.grcli(f"address add {world.NODE1_IP}/24 iface {port}",
                   f"interface add bridge overlay mac {mac} learn off",
                   f"fdb add {mac} iface overlay",
                   f"interface add vxlan vxlan vni {world.VNI} local {world.NODE1_IP} dst_port {world.VXLAN_PORT} domain overlay",
                   f"flood vtep add {world.NODE2_IP} vni {world.VNI}")
        self._add_host(world.NODE2_IP, world.NODE2_MAC, port)
        return "overlay"

    # ── measuring ─────────────────────────────────────────────────────────────────────────────────

    def connected(self):
        wait_until(lambda: self.grcli("interface show").count("up running") >= 3, lambda: self.grcli("interface show"))

    def describe(self):
        return self.grcli("stats show brief")
