"""A whole Kubernetes cluster: control plane and nodes on the lab's fabric, Strata from its own image
and manifests.

    fabric ── OVS ──┬── eth1 of n1, n2      VLAN 1 untagged: 10.88.0.0/24, fd00:88::/64; underlay VLANs tagged
       └─ bridge mgmt ── eth0 of n1, n2     192.0.2.0/24: API server .1, nodes .11, .12
"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess


from . import image
from .apiserver import ApiServer, PORT, program
from .fabric import Fabric
from .kubenode import FOLDERS, KubeNode
from .lab import namespaces
from .node import BUILD
from .shell import CommandError, run, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUSYBOX = "registry.local/busybox:1"
STRATA = "registry.local/strata:test"
NODES = 2


class Cluster:
    def __init__(self, prefix, directory):
        self.prefix, self.directory = prefix, pathlib.Path(directory)
        self.fabric = None
        self.api = None
        self.nodes = {}
        self._made_folders = [f for f in FOLDERS if not os.path.exists(f)]

    # ── life ──────────────────────────────────────────────────────────────────────────────────────

    def start(self, vlans=(56,)):
        """Control plane and nodes, without Strata."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            images = pool.submit(self._images)
            self._start_control_plane()
            for number, name in enumerate(self.node_names(), start=1):
                self.nodes[name] = KubeNode(self, name, number).create(vlans)
            list(pool.map(lambda node: node.start(images.result()), self.nodes.values()))
        wait_until(lambda: len(self.api.get("/api/v1/nodes")["items"]) == NODES, self.logs, timeout=60)
        return self

    @staticmethod
    def node_names():
        return [f"n{i + 1}" for i in range(NODES)]

    def _start_control_plane(self):
        self.fabric = Fabric(f"{self.prefix}fabric", self.directory / "fabric").start()
        ns = self.fabric.ns
        self.fabric.add_gateway("gw1", 1, ["10.88.0.254/24", "fd00:88::fe/64", "192.168.56.254/24", "fd00:56::fe/64"])
        run("ip link add mgmt type bridge", ns=ns)
        run("ip address add 192.0.2.1/24 dev mgmt", ns=ns)
        run("ip link set mgmt up", ns=ns)
        # Without kube-proxy the API server finds the webhooks' endpoints by itself.
        self.api = ApiServer(ns, self.directory / "api", "192.0.2.1", ["--enable-aggregator-routing=true"])
        self.api.start(users=[("system:kube-controller-manager", ""), ("system:kube-scheduler", ""),
                              *((f"system:node:{name}", "system:nodes") for name in self.node_names())])
        self._start_controllers()
        self.api.apply_crds()

    def _start_controllers(self):
        pki = self.api.pki
        for name, arguments in (
            ("kube-controller-manager", [f"--service-account-private-key-file={pki}/accounts.key",
                                         f"--root-ca-file={pki}/ca.crt", "--use-service-account-credentials=true",
                                         "--kube-api-qps=300", "--kube-api-burst=600", "--allocate-node-cidrs=false"]),
            ("kube-scheduler", []),
        ):
            kubeconfig = self.user_kubeconfig(f"system:{name}")
            self.api.component(name, [
                program(name), f"--kubeconfig={kubeconfig}", f"--authentication-kubeconfig={kubeconfig}",
                f"--authorization-kubeconfig={kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1", *arguments])

    def _images(self):
        busybox = program("busybox")
        images = [
            image.make(self.directory / "pause.tar", "registry.local/pause:1", busybox, ["/bin/sleep", "1000000"]),
            image.make(self.directory / "busybox.tar", BUSYBOX, busybox, ["/bin/sleep", "1000000"]),
        ]
        strata = self.directory / "strata.tar"
        run([ROOT / "config/image/build", BUILD, strata, STRATA], timeout=300)
        return [*images, strata]

    def user_kubeconfig(self, user):
        return self.api.write_kubeconfig(self.directory / f"{user.replace(':', '-')}.kubeconfig", self.api.tokens[user])

    def node_kubeconfig(self, name):
        return self.user_kubeconfig(f"system:node:{name}")

    def install(self, *settings):
        """Applies the manifests as an operator does, with values set; waits until both nodes are ready."""
        arguments = [f"--set={s}" for s in (
            f"image.repository={STRATA.rsplit(':', 1)[0]}", f"image.tag={STRATA.rsplit(':', 1)[1]}", "image.pullPolicy=Never",
            "apiServer.host=192.0.2.1", f"apiServer.port={PORT}", "node.uplink=eth1", *settings)]
        text = subprocess.run([ROOT / "config/chart/render", *arguments], text=True, check=True, stdout=subprocess.PIPE).stdout
        self.api.kubectl(["apply", "-f", "-"], input=text)
        self.wait_installed()

    def wait_installed(self):
        try:
            for what in ("deployment/strata-manager", "daemonset/strata-node"):
                self.kubectl(["-n", "kube-system", "rollout", "status", what, "--timeout=120s"], timeout=130)
            self.kubectl(["wait", "--for=condition=Ready", "node", "--all", "--timeout=60s"])
        except CommandError as e:
            raise CommandError(f"{e}\n{self.logs()}") from e

    def stop(self):
        if self.api is not None:
            self.api.stop()
        for node in self.nodes.values():
            node.stop()
        if self.fabric is not None:
            for process in reversed(self.fabric.processes):
                process.stop()
        for ns in namespaces(self.prefix):
            run(f"ip netns delete {ns}", check=False)
        for folder in sorted(self._made_folders, reverse=True):
            for path in (folder, os.path.dirname(folder)):
                try:
                    os.rmdir(path)  # only where nothing else came to be in them
                except OSError:
                    break
        shutil.rmtree(self.directory, ignore_errors=True)

    # ── looking ───────────────────────────────────────────────────────────────────────────────────

    def kubectl(self, args, **options):
        return self.api.kubectl(args, **options)

    def pods(self, namespace="default", selector=""):
        return self.api.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"]

    def pod(self, name, namespace="default"):
        return self.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def addresses(self, name, namespace="default"):
        return [ip["ip"] for ip in self.pod(name, namespace)["status"].get("podIPs", [])]

    def wait_pods(self, names, namespace="default", timeout=90):
        """Until all are Ready."""
        try:
            self.kubectl(["-n", namespace, "wait", "--for=condition=Ready", f"--timeout={timeout}s", "pod", *names],
                         timeout=timeout + 10)
        except CommandError as e:
            raise CommandError(f"{e}\n{self.kubectl(['-n', namespace, 'describe', 'pod', *names])[-4000:]}\n{self.logs()}") from e

    def exec(self, name, command, namespace="default", timeout=30):
        argv = command.split() if isinstance(command, str) else command
        return self.kubectl(["-n", namespace, "exec", name, "--", *argv], timeout=timeout)

    def ping(self, name, address, namespace="default"):
        """Whether the pod is answered; the first request may only wake a neighbour."""
        return any(self._ping(name, address, namespace) for _ in range(3))

    def _ping(self, name, address, namespace):
        try:
            self.exec(name, ["ping", "-c", "1", "-W", "2", address], namespace)
            return True
        except CommandError:
            return False

    def strata_pod(self, node):
        return next(p["metadata"]["name"] for p in self.pods("kube-system", "app=strata,component=node")
                    if p["spec"].get("nodeName") == node)

    def ctl(self, node, *arguments):
        """stratactl on a node."""
        return self.exec(self.strata_pod(node), ["stratactl", "-s", "/run/strata/vswitchd.sock", *arguments], "kube-system")

    def show(self, node, what):
        return json.loads(self.ctl(node, "show", what, "-o", "json"))

    def logs(self):
        """What may explain a failure: events, the end of Strata's logs, kubelets' last lines."""
        parts = []
        for args in ("get pod -A -o wide", "get event -A --sort-by=.lastTimestamp",
                     "-n kube-system logs -l app=strata,component=node --all-containers --tail=40 --prefix",
                     "-n kube-system logs -l app=strata,component=node -c node --tail=40 --prefix --previous",
                     "-n kube-system logs -l app=strata,component=manager --tail=40 --prefix"):
            try:
                parts.append(f"── kubectl {args}\n{self.kubectl(args, timeout=30)[-5000:]}")
            except CommandError as e:
                parts.append(str(e)[-1500:])
        for node in self.nodes.values():
            if node.kubelet is not None:
                parts.append(f"── kubelet of {node.name}\n{node.kubelet.log_text()[-2000:]}")
        return "\n".join(parts)
