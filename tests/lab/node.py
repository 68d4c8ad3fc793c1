"""A node: a namespace with an uplink into the fabric, and a strata-vswitchd of its own."""
import json
import os
import pathlib
import signal

from .pod import Pod
from .shell import CommandError, Process, run, wait_until

BUILD = pathlib.Path(os.environ.get("STRATA_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
VSWITCHD = BUILD / "ctrl/node/strata-vswitchd"
STRATACTL = BUILD / "ctrl/cli/stratactl"
SHIM = BUILD / "cni-shim/strata-cni"


class Node:
    """`addresses` are the node's own ("10.88.0.1/24"), `settings` is laid over the configuration."""

    def __init__(self, lab, name, addresses=(), gateways=(), labels=None, settings=None, env=None):
        self.lab, self.name = lab, name
        self.ns = f"{lab.prefix}{name}"
        self.directory = lab.directory / name
        self.addresses, self.gateways = list(addresses), list(gateways)
        self.socket = self.directory / "vswitchd.sock"
        self.labels = labels or {}
        self.settings = settings or {}
        self.env = env
        self.process = None
        self.has_uplink = False

    def create(self, fabric=None, vlans=()):
        """Makes the namespace and, if there is a fabric, plugs the node into it."""
        self.directory.mkdir(parents=True)
        run(f"ip netns add {self.ns}")
        run("ip link set lo up", ns=self.ns)
        run(["sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0"], ns=self.ns)
        if fabric is not None:
            port = f"to-{self.name}"
            run(["ip", "link", "add", "uplink", "netns", self.ns, "type", "veth", "peer", "name", port,
                 "netns", fabric.ns])
            run(["sysctl", "-qw", "net.ipv6.conf.uplink.disable_ipv6=1"], ns=self.ns)
            run("ip link set uplink up", ns=self.ns)
            fabric.add_trunk(port, vlans)
            self.has_uplink = True
        return self

    def configuration(self):
        """The daemon's configuration, as a YAML file (JSON is YAML)."""
        config = {
            "node": {"name": self.name, "labels": self.labels},
            "socket": str(self.socket),
            "runDir": str(self.directory / "run"),
            "stateDir": str(self.directory / "state"),
            "store": {"dir": str(self.lab.objects)},
            "host": {"addresses": self.addresses, "gateways": self.gateways},
            "workers": {"buffers": 32768},
        }
        if self.has_uplink:
            config["uplink"] = {"device": "net_af_xdp0,iface=uplink"}
        return merge(config, self.settings)

    def start(self):
        """Starts the daemon and waits until it takes CNI calls."""
        path = self.directory / "vswitchd.yaml"
        path.write_text(json.dumps(self.configuration(), indent=1))
        self.process = Process.start([VSWITCHD, "--config", path], self.directory / "vswitchd.log",
                                     ns=self.ns, env=self.env)
        wait_until(self.ready, lambda: f"{self.name} does not come up:\n{self.process.log_text()[-3000:]}", timeout=40)
        return self

    def ready(self):
        if not self.process.alive():
            raise CommandError(f"{self.name}: the daemon ended:\n{self.process.log_text()[-3000:]}")
        if not self.socket.exists():
            return False
        try:
            self.cni("STATUS")
            return True
        except CniError:
            return False

    def stop(self):
        return self.process.stop() if self.process else None

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.kill()

    def ctl(self, *arguments, check=True, stdin=None):
        return run([STRATACTL, "-s", self.socket, *arguments], check=check, stdin=stdin)

    def show(self, what):
        return json.loads(self.ctl("show", what, "-o", "json"))

    def get(self, *what):
        answer = json.loads(self.ctl("get", *what, "-o", "json"))
        return answer["items"] if answer.get("kind") == "List" else answer

    def log(self):
        return self.process.log_text()

    def drops(self):
        """Drop counters as {(port name, reason): count}."""
        return {(d["name"], d["reason"]): d["count"] for d in self.show("drop")}

    def cni(self, command, container="", netns="", ifname="eth0", args=None, config=None, version="1.1.0"):
        """Calls the plugin as a runtime does. Returns the result, or raises a CniError."""
        netconf = {"cniVersion": version, "name": "strata", "type": "strata-cni", "socket": str(self.socket),
                   **(config or {})}
        env = {"CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_NETNS": netns, "CNI_IFNAME": ifname,
               "CNI_ARGS": ";".join(f"{k}={v}" for k, v in (args or {}).items()), "CNI_PATH": str(SHIM.parent)}
        out = run([SHIM], check=False, stdin=json.dumps(netconf), env=env, timeout=120)
        answer = json.loads(out) if out.strip() else {}
        if "code" in answer:
            raise CniError(answer)
        return answer

    def add_pod(self, name, namespace="default", **options):
        """Makes a pod's namespace and attaches it. Options: see Pod."""
        pod = Pod(self, name, namespace, **options)
        self.lab.pods[name] = pod
        return pod.create().attach()


class CniError(Exception):
    """The plugin's error object."""

    def __init__(self, answer):
        super().__init__(f"CNI error {answer['code']}: {answer.get('msg')} ({answer.get('details', '')})")
        self.code, self.msg, self.details = answer["code"], answer.get("msg", ""), answer.get("details", "")


def merge(base, over):
    """over laid on base, mapping by mapping."""
    out = dict(base)
    for key, value in over.items():
        out[key] = merge(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out
