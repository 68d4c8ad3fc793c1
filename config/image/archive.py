"""OCI archives (image-spec 1.0) whose bytes depend on nothing but the files' contents: Strata's image, and
those that test Pods run.
"""
import gzip
import hashlib
import io
import json
import os
import pathlib
import tarfile


class Layer:
    """A tar archive whose bytes depend on nothing but the files' contents."""

    def __init__(self):
        self.members = {}

    def add(self, path, data=None, mode=0o755, link=None):
        parent = os.path.dirname(path)
        if parent and parent not in self.members:
            self.add(parent)
        self.members[path] = (data, mode, link)

    def add_file(self, path, file):
        file = pathlib.Path(file)
        if file.is_symlink():
            self.add(path, link=os.readlink(file))
        else:
            self.add(path, file.read_bytes(), 0o755 if os.access(file, os.X_OK) else 0o644)

    def bytes(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path, (data, mode, link) in sorted(self.members.items()):
                _add(tar, path, data, mode, link)
        return buffer.getvalue()


def _add(tar, path, data=None, mode=0o755, link=None):
    info = tarfile.TarInfo(path)
    info.mode = mode
    if link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, link
    elif data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(data)
    tar.addfile(info, io.BytesIO(data) if data is not None else None)


def _digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _reference(data):
    return {"digest": _digest(data), "size": len(data)}


def write_archive(out, name, layers, config):
    """Makes an archive of layers (bytes). config: what runs, as the image's configuration has it. Returns its digest."""
    blobs = [gzip.compress(layer, 1, mtime=0) for layer in layers]
    configuration = json.dumps({
        "architecture": "amd64", "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
    }).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **_reference(configuration)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **_reference(b)} for b in blobs],
    }).encode()
    index = json.dumps({
        "schemaVersion": 2, "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", **_reference(manifest),
            "platform": {"architecture": "amd64", "os": "linux"},
            "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]},
        }],
    }).encode()
    with tarfile.open(out, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644)
        _add(tar, "index.json", index, 0o644)
        _add(tar, "blobs")
        _add(tar, "blobs/sha256")
        for blob in (configuration, manifest, *blobs):
            _add(tar, "blobs/sha256/" + _digest(blob).split(":")[1], blob, 0o644)
    return _digest(manifest)
