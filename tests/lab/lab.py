"""A lab: everything that one demo or test has started, under one prefix and one directory."""
import os
import pathlib
import shutil

from .fabric import Fabric
from .node import Node
from .shell import Process, read_json, run, wait_until, write_json

NETNS = "/run/netns"


class Lab:
    def __init__(self, prefix, directory):
        self.prefix, self.directory = prefix, pathlib.Path(directory)
        self.objects = self.directory / "objects"
        self.fabric = None
        self.nodes, self.pods = {}, {}
        self.directory.mkdir(parents=True)
        self.objects.mkdir()
        self.netns_mounted = os.path.ismount(NETNS)

    def add_fabric(self):
        self.fabric = Fabric(f"{self.prefix}fabric", self.directory / "fabric")
        return self.fabric.start()

    def add_node(self, name, vlans=(), start=True, **options):
        node = Node(self, name, **options)
        self.nodes[name] = node
        node.create(self.fabric, vlans)
        return node.start() if start else node

    def put(self, filename, text, subnets=()):
        """Puts a file with objects into the shared directory, as an operator would; waits until
        every node knows the Subnets that are named."""
        (self.objects / filename).write_text(text)
        for node in self.nodes.values():
            if node.process is None or not node.process.alive():
                continue
            wait_until(lambda: set(subnets) <= {s["metadata"]["name"] for s in node.get("subnet")},
                       lambda: f"{subnets} on {node.name}:\n{node.log()[-2000:]}")

    def processes(self):
        """In the order of their start."""
        fabric = self.fabric.processes if self.fabric else []
        nodes = [node.process for node in self.nodes.values() if node.process]
        apps = [pod.app.process for pod in self.pods.values() if pod.app and pod.app.process]
        return [*fabric, *nodes, *apps]

    def save(self):
        """Writes down what a later command needs to find and remove it all."""
        write_json(self.directory / "lab.json", {
            "prefix": self.prefix,
            "netns_mounted": self.netns_mounted,
            "processes": [p.to_json() for p in self.processes()],
            "nodes": {n.name: {"ns": n.ns, "socket": str(n.socket)} for n in self.nodes.values()},
            "pods": {p.name: {"ns": p.ns, "node": p.node.name} for p in self.pods.values()},
        })

    def down(self):
        """Stops all and removes all."""
        remove(self.prefix, self.directory, self.processes(), self.netns_mounted)


def saved(directory):
    """What save() wrote, or None if there is no lab in the directory."""
    path = pathlib.Path(directory) / "lab.json"
    return read_json(path) if path.exists() else None


def remove_saved(directory):
    state = saved(directory)
    if state is not None:
        remove(state["prefix"], directory, [Process.from_json(p) for p in state["processes"]], state["netns_mounted"])


def remove(prefix, directory, processes, netns_mounted):
    """Applications first, the switch of the fabric last; goes on when something is gone already.
    `ip netns add` makes a mount of its own the first time; it goes too unless it was there before."""
    for process in reversed(processes):
        process.stop()
    for ns in namespaces(prefix):
        run(f"ip netns delete {ns}", check=False)
    shutil.rmtree(directory, ignore_errors=True)
    if not netns_mounted and os.path.ismount(NETNS) and not os.listdir(NETNS):
        run(f"umount {NETNS}", check=False)


def namespaces(prefix):
    """Namespaces whose names begin with the prefix."""
    return [line.split()[0] for line in run("ip netns list").splitlines() if line.startswith(prefix)]
