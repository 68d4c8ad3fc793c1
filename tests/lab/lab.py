"""A lab: everything that one demo or test has started, under one prefix and one directory."""
import pathlib
import shutil

from .fabric import Fabric
from .node import Node
from .shell import run


class Lab:
    def __init__(self, prefix, directory):
        self.prefix, self.directory = prefix, pathlib.Path(directory)
        self.objects = self.directory / "objects"
        self.fabric = None
        self.nodes, self.pods = {}, {}
        self.directory.mkdir(parents=True)
        self.objects.mkdir()

    def add_fabric(self):
        self.fabric = Fabric(f"{self.prefix}fabric", self.directory / "fabric").start()
        return self.fabric

    def add_node(self, name, vlans=(), start=True, **options):
        node = Node(self, name, **options)
        self.nodes[name] = node
        node.create(self.fabric, vlans)
        return node.start() if start else node

    def put(self, filename, text):
        """Puts a file with objects into the shared directory, as an operator would."""
        (self.objects / filename).write_text(text)

    def down(self):
        """Stops all and removes all, in the reverse order; goes on when a step fails."""
        for pod in self.pods.values():
            pod.destroy()
        for node in self.nodes.values():
            node.destroy()
        if self.fabric is not None:
            self.fabric.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def leftovers(prefix):
    """Namespaces whose names begin with the prefix."""
    return [line.split()[0] for line in run("ip netns list").splitlines() if line.startswith(prefix)]
