"""A Kubernetes node in namespaces of its own: containerd and kubelet, the programs of a distribution.

In the node the usual folders (/etc/cni, /var/lib/kubelet, /run/strata, …) are its own; on the machine
they lie under the node's directory. Its processes share the machine's process ids, so that they
can be found and ended whatever happens.

    eth0  the management network: API server, kubelet        eth1  a trunk of the fabric: Strata's uplink
"""
import json
import os
import pathlib
import shutil
import signal
import time

from .apiserver import KUBERNETES, program
from .shell import CommandError, Process, run, wait_until

CGROUPS = pathlib.Path("/sys/fs/cgroup")
# Folder in the node → what is mounted there: a folder of the node's directory, or "tmpfs".
FOLDERS = {
    "/etc/cni": "etc-cni", "/opt/cni": "opt-cni", "/etc/strata": "etc-strata", "/run/strata": "tmpfs",
    "/run/containerd": "tmpfs", "/run/netns": "tmpfs", "/var/log/pods": "log-pods", "/var/log/containers": "log-containers",
    **{f"/var/lib/{d}": f"lib-{d}" for d in ("cni", "containerd", "kubelet", "strata")},
}
# What kubelet would set for the whole machine: it finds there what it wants.
SYSCTLS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1}

CONTAINERD = """version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.local/pause:1"
  # A machine without CAP_SYS_RESOURCE refuses a score below one's own.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
"""


class KubeNode:
    """`number` makes the node's addresses: 192.0.2.1N for management, 10.88.0.N and fd00:88::N on the fabric."""

    def __init__(self, cluster, name, number):
        self.cluster, self.name, self.number = cluster, name, number
        self.ns = f"{cluster.prefix}{name}"
        self.directory = cluster.directory / name
        self.address = f"192.0.2.1{number}"
        self.cgroup = f"{cluster.prefix.rstrip('-')}/{name}"
        self.holder = None  # keeps the mount and UTS namespaces
        self.containerd = None
        self.kubelet = None

    # ── the node's world ──────────────────────────────────────────────────────────────────────────

    def create(self, vlans):
        self.directory.mkdir(parents=True)
        run(f"ip netns add {self.ns}")
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            run(["sysctl", "-qw", f"{name}=1"], ns=self.ns)
        run(["sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0"], ns=self.ns)
        run("ip link set lo up", ns=self.ns)
        fabric = self.cluster.fabric
        for device, port in (("eth0", f"m-{self.name}"), ("eth1", f"to-{self.name}")):
            run(["ip", "link", "add", device, "netns", self.ns, "type", "veth", "peer", "name", port, "netns", fabric.ns])
            run(f"ip link set {device} up", ns=self.ns)
        run(f"ip link set m-{self.name} master mgmt up", ns=fabric.ns)
        fabric.add_trunk(f"to-{self.name}", vlans)
        for address, device in ((f"{self.address}/24", "eth0"), (f"10.88.0.{self.number}/24", "eth1"),
                                (f"fd00:88::{self.number}/64", "eth1")):
            run(f"ip address add {address} dev {device}", ns=self.ns)
        run("ip route add default via 10.88.0.254", ns=self.ns)
        run("ip -6 route add default via fd00:88::fe", ns=self.ns)
        self._make_cgroups()
        self._enter()
        return self

    def _make_cgroups(self):
        for controller in CGROUPS.iterdir():
            if controller.name != "unified" and controller.is_dir():
                (controller / self.cgroup).mkdir(parents=True, exist_ok=True)
        cpuset = CGROUPS / "cpuset"
        for name in ("cpuset.cpus", "cpuset.mems"):  # new groups have none
            value = (cpuset / name).read_text() if (cpuset / name).exists() else None
            for folder in (pathlib.Path(self.cgroup).parent, self.cgroup):
                if value is not None:
                    (cpuset / folder / name).write_text(value)

    def _enter(self):
        """Starts the process whose mount and UTS namespaces are the node's."""
        d = self.directory
        lines = ["set -e", "mount --make-rprivate /"]
        for target, source in FOLDERS.items():
            lines.append(f"mkdir -p {target}")
            if source == "tmpfs":
                lines.append(f"mount -t tmpfs -o mode=755 tmpfs {target}")
            else:
                (d / source).mkdir()
                lines.append(f"mount --bind {d / source} {target}")
        (d / "sysctl").mkdir()
        for name, value in SYSCTLS.items():
            file = d / "sysctl" / name.replace("/", ".")
            file.write_text(f"{value}\n")
            lines.append(f"mount --bind {file} /proc/sys/{name}")
        # A /sys that shows this namespace's devices, with the machine's cgroups in it.
        lines += [f"mkdir {d}/cgroup", f"mount --rbind {CGROUPS} {d}/cgroup", "mount -t sysfs sysfs /sys",
                  f"mount --rbind {d}/cgroup {CGROUPS}", f"umount -l {d}/cgroup",
                  "mount --make-rshared /", f"hostname {self.name}", f"touch {d}/entered", "exec sleep infinity"]
        script = d / "enter.sh"
        script.write_text("\n".join(lines) + "\n")
        (d / "opt-cni/bin").mkdir()
        # containerd asks for it by itself; a distribution brings it.
        shutil.copy(KUBERNETES / "pkg/usr/lib/cni/loopback", d / "opt-cni/bin")
        (d / "etc-cni/net.d").mkdir()
        self.holder = Process.start(["nsenter", f"--net=/run/netns/{self.ns}", "unshare", "-m", "-u", "bash", script],
                                    d / "enter.log")
        wait_until(lambda: (d / "entered").exists() or not self.holder.alive(), f"{self.name}'s namespaces")
        if not self.holder.alive():
            raise CommandError(f"{self.name}: {self.holder.log_text()}")

    def inside(self, argv):
        """A command line that runs another one in the node, with no more environment than a service has."""
        pkg = KUBERNETES / "pkg"
        libraries = pkg / "usr/lib/x86_64-linux-gnu"
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "-u", "env", "-i", "HOME=/root",
                f"PATH={KUBERNETES}/bin:{pkg}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin", f"LD_LIBRARY_PATH={libraries}",
                f"XTABLES_LIBDIR={libraries}/xtables",
                "AWS_EC2_METADATA_DISABLED=true",  # or kubelet asks for 6 s whether this is Amazon's
                *argv]

    def run(self, command, **options):
        argv = command.split() if isinstance(command, str) else command
        return run(self.inside(argv), **options)

    # ── its services ──────────────────────────────────────────────────────────────────────────────

    def start(self, images):
        self.start_containerd()
        for image in images:
            self.run(["ctr", "-n", "k8s.io", "images", "import", image], timeout=120)
        self.start_kubelet()
        return self

    def start_containerd(self):
        path = self.directory / "containerd.toml"
        path.write_text(CONTAINERD.replace("{runc}", str(program("runc"))))
        self.containerd = Process.start(self.inside([program("containerd"), "-c", path]), self.directory / "containerd.log")
        wait_until(lambda: self.containerd.alive() and run(self.inside(["ctr", "version"]), check=False).count("Version") > 1,
                   lambda: f"{self.name}'s containerd:\n{self.containerd.log_text()[-2000:]}", timeout=60, interval=0.2)

    def start_kubelet(self):
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"}, "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{self.cgroup}",
            "failSwapOn": False, "address": self.address, "healthzBindAddress": "127.0.0.1", "resolvConf": "",
            "imageGCHighThresholdPercent": 100, "maxPods": 250, "serializeImagePulls": False,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%",
                             "nodefs.inodesFree": "0%"},
            "kubeAPIQPS": 100, "kubeAPIBurst": 200, "registryPullQPS": 0, "eventRecordQPS": 0,
            "nodeStatusUpdateFrequency": "2s", "fileCheckFrequency": "1s", "syncFrequency": "5s",
            "volumeStatsAggPeriod": "5s",  # how soon a volume beyond its limit is noticed
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        }
        path = self.directory / "kubelet.json"
        path.write_text(json.dumps(config, indent=1))
        self.kubelet = Process.start(self.inside([
            program("kubelet"), f"--config={path}", f"--hostname-override={self.name}", f"--node-ip={self.address}",
            "--root-dir=/var/lib/kubelet", "--container-runtime=remote", "--register-node=true",
            "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
            f"--kubeconfig={self.cluster.node_kubeconfig(self.name)}", "--v=2"]), self.directory / "kubelet.log")

    # ── its end ───────────────────────────────────────────────────────────────────────────────────

    def stop(self):
        for process in (self.kubelet, self.containerd):
            if process is not None:
                process.stop()
        self._end_containers()
        if self.holder is not None:
            self.holder.kill()
        for controller in CGROUPS.iterdir():
            remove_cgroups(controller / self.cgroup)
            try:
                (controller / self.cgroup).parent.rmdir()  # the cluster's, once its last node is gone
            except OSError:
                pass
        run(f"ip netns delete {self.ns}", check=False)

    def _end_containers(self):
        """Containers by their cgroups, their shims by the mount namespace they share with the node; nobody
        else is in either."""
        if self.holder is None:
            return
        mounts = _link(f"/proc/{self.holder.pid}/ns/mnt")
        end = time.monotonic() + 10
        while time.monotonic() < end:
            pids = self._container_pids()
            pids.update(int(p) for p in os.listdir("/proc") if p.isdigit() and mounts and int(p) != self.holder.pid
                        and _link(f"/proc/{p}/ns/mnt") == mounts)
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.1)

    def _container_pids(self):
        pids = set()
        for folder in (CGROUPS / "pids" / self.cgroup, CGROUPS / self.cgroup):
            for procs in folder.rglob("cgroup.procs") if folder.exists() else ():
                pids.update(int(p) for p in procs.read_text().split())
        return pids


def _link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def remove_cgroups(folder):
    """A group goes when nothing is in it; the kernel may need a moment for that."""
    for _ in range(20):
        for path, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                pass
        if not folder.exists():
            break
        time.sleep(0.1)
