"""The plugin under the programs that call it: cnitool and podman live, containerd as it was recorded
(live it is in test_cluster.py). The daemon has a directory for its store; no API server is needed.

calls/ has what each runtime really sent, in its order: environment and standard input, without the
settings of the plugin that was there then.
"""
import itertools
import json
import os
import pathlib
import shutil

import pytest

from lab import image
from lab.apiserver import KUBERNETES, program
from lab.kubenode import CGROUPS, remove_cgroups
from lab.lab import Lab, namespaces
from lab.node import SHIM
from lab.shell import run

CALLS = pathlib.Path(__file__).parent / "calls"
LEFT_BY_RUNTIMES = ("/var/lib/cni", "/var/lib/containers", "/run/containers", "/run/libpod", "/run/runc")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def node():
    prefix = f"kube{os.getpid()}r-"
    lab = Lab(prefix, f"/run/strata-{prefix[:-1]}")
    made = [folder for folder in LEFT_BY_RUNTIMES if not os.path.exists(folder)]
    try:
        yield lab.add_node("node1", addresses=["10.88.0.1/24"])
    finally:
        lab.down()
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
    assert namespaces(prefix) == []


@pytest.fixture
def ns(node):
    """A network namespace for a pod."""
    ns = f"{node.lab.prefix}pod{next(_numbers)}"
    run(f"ip netns add {ns}")
    yield ns
    run(f"ip netns delete {ns}", check=False)


def pod_ports(node):
    return [p["name"] for p in node.show("port") if "/" in p["name"]]


def configuration(node, version):
    return {"cniVersion": version, "name": "strata", "plugins": [{"type": "strata-cni", "socket": str(node.socket)}]}


def call(node, ns, recorded, prev_result):
    """Makes a recorded call: the same in all but the network's name and type and the pod's namespace."""
    env = dict(recorded["env"])
    if env["CNI_NETNS"].startswith(("/var/run", "/run")):
        env["CNI_NETNS"] = f"/var/run/netns/{ns}"
    stdin = {**recorded["stdin"]}
    if "type" in stdin:
        stdin |= {"type": "strata-cni", "name": "strata", "socket": str(node.socket)}
    if "prevResult" in stdin:
        stdin["prevResult"] = prev_result
    return run([SHIM], stdin=json.dumps(stdin), env={**env, "CNI_PATH": str(SHIM.parent)})


@pytest.mark.parametrize("caller", sorted(path.stem for path in CALLS.glob("*.json")))
def test_every_call_that_a_runtime_was_seen_to_make_succeeds(node, ns, caller):
    result = None
    for recorded in json.loads((CALLS / f"{caller}.json").read_text()):
        command = recorded["env"]["CNI_COMMAND"]
        out = call(node, ns, recorded, result)
        if command == "ADD":
            result = json.loads(out)
            assert result["cniVersion"] == recorded["stdin"]["cniVersion"]
            address = result["ips"][0]["address"].split("/")[0]
            assert address in run("ip -br address show eth0", ns=ns)
            assert len(pod_ports(node)) == 1
        elif command == "VERSION":
            answer = json.loads(out)
            assert answer["cniVersion"] == "1.0.0" and {"0.4.0", "1.0.0"} <= set(answer["supportedVersions"])
        else:
            assert out == ""
    assert "eth0" not in run("ip -br link", ns=ns)
    assert pod_ports(node) == []


def test_cnitool_adds_checks_and_deletes(node, ns, tmp_path):
    (tmp_path / "10-strata.conflist").write_text(json.dumps(configuration(node, "1.0.0")))
    env = {"NETCONFPATH": str(tmp_path), "CNI_PATH": str(SHIM.parent), "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=tool"}
    result = json.loads(run([program("cnitool"), "add", "strata", f"/var/run/netns/{ns}"], env=env))
    assert result["ips"][0]["address"].split("/")[0] in run("ip -br address show eth0", ns=ns)
    assert run([program("cnitool"), "check", "strata", f"/var/run/netns/{ns}"], env=env) == ""
    run("ip address flush dev eth0", ns=ns)
    with pytest.raises(Exception, match="address|eth0"):
        run([program("cnitool"), "check", "strata", f"/var/run/netns/{ns}"], env=env)
    run([program("cnitool"), "del", "strata", f"/var/run/netns/{ns}"], env=env)
    assert "eth0" not in run("ip -br link", ns=ns)


def test_podman_runs_a_container_on_it(node):
    # A short path, for podman has sockets in it.
    home = node.lab.directory / "podman"
    (home / "net.d").mkdir(parents=True)
    (home / "net.d/10-strata.conflist").write_text(json.dumps(configuration(node, "0.4.0")))
    (home / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (home / "registries.conf").write_text("")
    archive = image.make(home / "busybox.tar", "registry.local/busybox:1", program("busybox"), ["/bin/sh"])
    (home / "containers.conf").write_text(f"""
[containers]
cgroups = "enabled"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
conmon_path = ["{program("conmon")}"]
[engine.runtimes]
runc = ["{program("runc")}"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["{SHIM.parent}"]
network_config_dir = "{home}/net.d"
""")
    libraries = [KUBERNETES / "pkg" / folder for folder in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")]
    env = {"CONTAINERS_CONF": str(home / "containers.conf"), "CONTAINERS_REGISTRIES_CONF": str(home / "registries.conf"),
           "LD_LIBRARY_PATH": ":".join(map(str, libraries))}

    def podman(*arguments):
        return run([program("podman"), "--root", home / "root", "--runroot", home / "run", "--tmpdir", home / "tmp",
                    "--storage-driver", "overlay", *arguments], env=env, timeout=120)

    cgroup = node.lab.prefix[:-1]
    try:
        podman("load", "--quiet", "--signature-policy", home / "policy.json", "-i", archive)
        out = podman("run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--name", "c1",
                     f"--cgroup-parent=/{cgroup}", "--network", "strata", "registry.local/busybox:1", "/bin/ip", "-4", "addr", "show", "eth0")
        assert "inet 100.64.0." in out
        assert pod_ports(node) == []
    finally:
        run(f"umount {home}/root/overlay", check=False)
        for controller in CGROUPS.iterdir():
            remove_cgroups(controller / cgroup)
