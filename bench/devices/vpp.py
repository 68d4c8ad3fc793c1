"""VPP, FD.io's router, on its own vhost-user ports: the same work as Strata's but for the check of who sends."""
import re
import time

from comparison import world
from comparison.scenarios import PODS
from lab.shell import CommandError, Process, run, wait_until

from .installed import Installed

PORTS = {"in": "VirtualEthernet0/0/0", "out": "VirtualEthernet0/0/1"}
POLL = "vhost-user-input"  # the node that looks for packets
CONFIGURATION = """
unix {{ nodaemon nosyslog nobanner cli-listen {d}/cli.sock runtime-dir {d} log {d}/vpp.log }}
cpu {{ main-core {main} corelist-workers {worker} }}
api-segment {{ prefix {prefix} }}
socksvr {{ socket-name {d}/api.sock }}
statseg {{ socket-name {d}/stats.sock }}
plugins {{ plugin default {{ disable }} plugin vhost_plugin.so {{ enable }} plugin vxlan_plugin.so {{ enable }} }}
buffers {{ buffers-per-numa 32768 }}
"""


class Vpp(Installed):
    """Not at scale: it would take an interface for each node and a neighbour for each pod."""

    programs = ("vpp", "vppctl")
    variable = "STRATA_VPP"
    megabytes = 256
    uplink_mac = world.GATEWAY_MAC
    n_interfaces = 0
    poll_cycles = cycles = packets = 0

    @staticmethod
    def can(scenario):
        return Installed.can(scenario) and not scenario.scale

    def start(self):
        self.make_namespaces()
        d = self.directory
        (d / "startup.conf").write_text(CONFIGURATION.format(d=d, main=self.other_cpu, worker=self.cpu, prefix=f"{self.prefix}vpp"))
        self.processes.append(Process.start([self.find("vpp"), "-c", d / "startup.conf"], d / "vpp.log", ns=self.ns))
        wait_until((d / "cli.sock").exists, lambda: f"VPP's socket: {self.processes[0].log_text()}")
        sockets = [d / "in", d / "out"]
        for i, path in enumerate(sockets):
            self._create(f"vhost-user socket {path} hwaddr {self.mac(path.name)}", PORTS[path.name])
        self._route()
        return sockets

    def mac(self, port):
        """Pods and the station behind the uplink send to one and the same; the other port must have another one."""
        return self.pod_mac if port == "in" else "02:00:00:00:00:ff"

    def vppctl(self, command):
        return run([self.find("vppctl"), "-s", self.directory / "cli.sock", *command.split()]).strip()

    def _set(self, *commands):
        """A command that VPP obeys says nothing; its exit code is 0 even if it does not."""
        for command in commands:
            said = self.vppctl(command)
            if said:
                raise CommandError(f"VPP, asked to {command}: {said}")

    def _create(self, what, name):
        """An interface, which gets that name; forwards both families."""
        said = self.vppctl(f"create {what}")
        if said != name:
            raise CommandError(f"VPP, asked to create {what}: {said}")
        self.n_interfaces += 1
        self._set(f"set interface state {name} up", f"set interface ip address {name} 192.0.2.{self.n_interfaces}/32",
                  f"enable ip6 interface {name}")
        return name

    # ── routes ────────────────────────────────────────────────────────────────────────────────────

    def _route(self):
        overlay = self.scenario.network == "overlay"
        here, remote = (world.POD_A, world.REMOTE) if overlay else (world.POD_V, world.REMOTE_V)
        if self.scenario.enters in PODS:
            target = world.POD_B if self.scenario.leaves in PODS else remote
        else:
            self._add_uplink("in", self.scenario.enters)
            target = here
        interface = PORTS["out"] if self.scenario.leaves in PODS else self._add_uplink("out", self.scenario.leaves)
        for ip in (target.ip4, target.ip6):
            self._add_host(ip, target.mac, interface)

    def _add_host(self, ip, mac, interface):
        self._set(f"set ip neighbor {interface} {ip} {mac} static",
                  f"ip route add {ip}/{128 if ':' in ip else 32} via {ip} {interface}")

    def _add_uplink(self, port, kind):
        """Returns the interface that its pods are behind."""
        if kind == "vlan":
            return self._create(f"sub-interfaces {PORTS[port]} {world.VLAN}", f"{PORTS[port]}.{world.VLAN}")
        self._set(f"set interface ip address {PORTS[port]} {world.NODE1_IP}/24")
        self._add_host(world.NODE2_IP, world.NODE2_MAC, PORTS[port])
        tunnel = self._create(f"vxlan tunnel src {world.NODE1_IP} dst {world.NODE2_IP} vni {world.VNI} src_port {world.VXLAN_PORT} "
                              f"dst_port {world.VXLAN_PORT} decap-next node ethernet-input", "vxlan_tunnel0")
        self._set(f"set interface mac address {tunnel} {self.mac(port)}")
        return tunnel

    # ── measuring ─────────────────────────────────────────────────────────────────────────────────

    def connected(self):
        wait_until(lambda: all(re.search(rf"^{port} +\d+ +up ", self._links(), re.M) for port in PORTS.values()), self._links)

    def _links(self):
        return self.vppctl("show hardware-interfaces")

    def _nodes(self):
        """{node: (its calls, its packets, cycles by packets, by calls if there were no packets)} of the worker since
        the last `clear runtime`."""
        text = self.vppctl("show runtime").split("Thread 1 ")[1]
        return {name: (int(calls), int(packets), float(cycles)) for name, calls, packets, cycles
                in re.findall(r"^(\S+) +(?:active|polling) +(\d+) +(\d+) +\d+ +(\S+)", text, re.M)}

    def _cycles_of_a_vain_poll(self):
        """While nothing comes; the calmest of some short whiles, since others may take the CPU away."""
        def one():
            self.vppctl("clear runtime")
            time.sleep(0.005)
            return self._nodes()[POLL][2]
        return min(one() for _ in range(10))

    def work(self):
        """VPP counts its vain looks at the rings too: their part is taken off."""
        if not self.poll_cycles:
            self.poll_cycles = self._cycles_of_a_vain_poll()
        nodes = self._nodes()
        self.vppctl("clear runtime")
        polls, packets, _ = nodes[POLL]
        if packets:
            vain = polls - nodes.get(f"{PORTS['out']}-tx", (0,))[0]
            self.cycles += sum(packets * cycles for _, packets, cycles in nodes.values()) - vain * self.poll_cycles
            self.packets += packets
        return self.cycles, self.packets

    def describe(self):
        return self.vppctl("show errors")
